//! A proof reports types that reject, lose, accept or overflow, and does not report correct ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

use std::fs;
use std::path::Path;

use call_api_codegen::layout::TYPES;
use call_api_codegen::plan::Plan;
use call_api_prove::report::FailureKind;
use call_api_prove::{Options, Outcome};
use serde_json::{Value, json};

const DOCUMENT: &str = r##"{
    "openapi": "3.1.0",
    "info": {"title": "Broken", "version": "1"},
    "paths": {},
    "components": {"schemas": {
        "Right": {"type": "string"},
        "Refuses": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "enum": ["x", "y"]}}},
        "Loses": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}},
        "Accepts": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
        "Rounds": {"type": "number", "enum": [16777217]},
        "Overflows": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Overflows"}}}
    }}
}"##;

/// Types as a broken generator could have written them.
const BROKEN: &str = r##"
use serde::{Deserialize, Deserializer, Serialize};

/// Correct.
#[derive(Serialize, Deserialize)]
pub struct Right(String);
/// Accepts one value of two.
#[derive(Serialize, Deserialize)]
pub struct Refuses {
    /// One of two.
    pub a: One,
}
/// One value of two.
#[derive(Serialize, Deserialize)]
pub enum One {
    /// The one.
    #[serde(rename = "x")]
    X,
}
/// Has no `b`.
#[derive(Serialize, Deserialize)]
pub struct Loses {
    /// The kept property.
    pub a: String,
}
/// Requires nothing.
#[derive(Serialize, Deserialize)]
pub struct Accepts {
    /// A required property.
    pub a: Option<String>,
}
/// Has too few bits.
#[derive(Serialize, Deserialize)]
pub struct Rounds(f32);
/// Uses much stack per level.
#[derive(Serialize)]
pub struct Overflows {
    /// The next level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Box<Overflows>>,
}
impl<'de> Deserialize<'de> for Overflows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The name in the document.
        #[derive(Deserialize)]
        struct Derived {
            next: Option<Box<Overflows>>,
        }
        let frame = std::hint::black_box([0_u64; 16 << 10]);
        let derived = Derived::deserialize(deserializer)?;
        std::hint::black_box(frame);
        Ok(Self { next: derived.next })
    }
}
"##;

fn tamper(plan: &mut Plan) {
    for output in &mut plan.outputs {
        if output.path == Path::new(TYPES) {
            output.contents = BROKEN.to_owned();
        }
        // Generated types derive nothing of serde.
        if output.path == Path::new("crates/call-api-types/Cargo.toml") {
            let derive = "serde = { workspace = true, features = [\"derive\"] }";
            output.contents = output.contents.replace("serde.workspace = true", derive);
        }
    }
}

#[test]
fn broken_types_are_reported() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken");
    fs::create_dir_all(&folder).unwrap();
    let document = folder.join("broken.json");
    fs::write(&document, DOCUMENT).unwrap();
    let options = Options {
        work: folder.join("work"),
        target: folder.join("target"),
        tamper,
        json: true,
        ..Options::new(call_api_codegen::project::root().unwrap(), document)
    };
    let rows = call_api_prove::prove(&options).unwrap();
    let [row] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    assert_eq!(row.error, None);
    let found = |name: &str, kind| {
        let mut failures = row.failures.iter();
        failures.find(|failure| failure.pointer.ends_with(name) && failure.kind == kind)
    };
    for (name, kind) in [
        ("Refuses", FailureKind::Undecodable),
        ("Loses", FailureKind::Changed),
        ("Accepts", FailureKind::Accepted),
        ("Rounds", FailureKind::Changed),
        ("Overflows", FailureKind::Overflow),
    ] {
        assert!(found(name, kind).is_some(), "{name}: {:?}", row.failures);
        assert!(row.of(kind) > 0);
    }
    let right = row
        .failures
        .iter()
        .find(|failure| failure.pointer.ends_with("Right"));
    assert!(right.is_none(), "{right:?}");
    // The sample is minimal.
    let smallest = |name: &str, kind| found(name, kind).unwrap().sample.to_string();
    assert_eq!(
        smallest("Refuses", FailureKind::Undecodable),
        r#"{"a":"y"}"#
    );
    let accepted = |sample: Value| {
        let mut failures = row.failures.iter();
        failures.any(|failure| failure.pointer.ends_with("Accepts") && failure.sample == sample)
    };
    // Without the required property, and with the values in an array.
    assert!(
        accepted(json!({})) && accepted(json!(["a"])),
        "{:?}",
        row.failures
    );
    let lost = smallest("Loses", FailureKind::Changed);
    assert!(lost.starts_with(r#"{"a":"a","b":"#), "{lost}");

    let mut report = Vec::new();
    let outcome = call_api_prove::run(&options, &mut report).unwrap();
    assert_eq!(outcome, Outcome::Refuted);
}
