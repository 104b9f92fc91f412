//! Step 1, load: a file's bytes become a document, or one clear error.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::origin::Origins;
use crate::problem::{Finding, Location, Problem, Problems};

/// The maximum size of a file in bytes. Memory grows with the document, and running out of it says less than an error does;
/// See docs/performance.md for the memory it takes.
const LARGEST: u64 = 16 << 20;

/// A document as it was read, before any step has changed it.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The path as the maintainer gave it: what messages name.
    pub path: String,
    /// The name in the generated files: the path below the project's root, or else the file's name alone, so that
    /// the output is the same wherever the project lies.
    pub label: String,
    /// The SHA-256 of the file's bytes, in lower-case hex.
    pub sha256: String,
    /// The content.
    pub document: Value,
    /// The folder that the files are in to which it refers; `None` where it lies in none.
    pub folder: Option<PathBuf>,
    /// The other files that [`bundle`](super::bundle) has made part of the document.
    pub parts: Vec<Part>,
    /// The places where the parts of the document were written.
    pub origins: Origins,
}

impl Source {
    /// The findings as problems of the files that `origins` says their places were written in.
    pub fn problems(&self, origins: &Origins, findings: Vec<Finding>) -> Problems {
        let mut problems: Vec<Problem> = Vec::new();
        for finding in findings {
            let problem = origins.problem(finding, &self.path);
            // What is written once may stand in two places.
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        Problems(problems)
    }
}

/// A file that the document refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name in the generated files, as [`Source::label`].
    pub label: String,
    /// The SHA-256 of its bytes, in lower-case hex.
    pub sha256: String,
}

/// Reads `path`, which messages call `shown`, as JSON or YAML by its ending (`.json`, or `.yaml` and `.yml`), else by its first character.
///
/// # Errors
/// If the file cannot be read, or is neither.
pub fn load(path: &Path, shown: &Path, label: &str) -> Result<Source, Problem> {
    let shown = shown.display().to_string().replace('\\', "/");
    let problem = |location, cause, remedy: &str| Problem {
        file: shown.clone(),
        location,
        cause,
        remedy: remedy.to_owned(),
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            problem(
                Location::File,
                format!("cannot read the document: {error}"),
                "name an existing file with `--spec FILE`",
            )
        })?;
    if bytes.len() as u64 > LARGEST {
        return Err(problem(
            Location::File,
            format!("the document is larger than {} MiB", LARGEST >> 20),
            "take out the paths and schemas that the SDK doesn't need, or raise `LARGEST` in crates/codegen/src/load.rs on a \
             machine with the memory for it (docs/performance.md)",
        ));
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        let location = Location::Position { line, column: 1 };
        problem(
            location,
            "the document is not UTF-8".to_owned(),
            "save it as UTF-8 without a byte-order mark",
        )
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = if is_markdown(path) {
        // A description that a split document has in a file of its own.
        Ok(Value::String(text.to_owned()))
    } else if is_json(path, text) {
        parse_json(text)
    } else {
        // Its reader takes more stack for each level than a thread may have.
        crate::stack::with_deep_stack(|| parse_yaml(text))
            .unwrap_or_else(|error| Err((Location::File, error.to_string())))
    }
    .map_err(|(location, cause)| {
        problem(
            location,
            cause,
            "mend the syntax at that place; nothing was generated",
        )
    })?;
    Ok(Source {
        path: shown,
        label: label.to_owned(),
        sha256: sha256(&bytes),
        document,
        folder: Some(folder(path)),
        ..Source::default()
    })
}

/// The folder that a file is in, as a path that can be asked for: that of a name alone is the current one.
pub(crate) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The SHA-256 of `bytes`, in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hmac_sha256::Hash::hash(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn is_json(path: &Path, text: &str) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => true,
        Some("yaml" | "yml") => false,
        _ => text.trim_start().starts_with(['{', '[']),
    }
}

fn is_markdown(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "md" || extension == "markdown")
}

/// A key that stands twice is an error, as in YAML: one of its values would be lost.
fn parse_json(text: &str) -> Result<Value, (Location, String)> {
    serde_json::from_str(text)
        .map(|Distinct(value)| value)
        .map_err(|error| {
            let location = Location::Position {
                line: error.line(),
                column: error.column(),
            };
            let cause = error.to_string();
            // serde_json ends its message with the position, which the place already gives.
            let cause = cause.split(" at line ").next().unwrap_or(&cause);
            (location, not_read("JSON", cause))
        })
}

fn not_read(format: &str, cause: &str) -> String {
    if cause.contains("recursion limit") || cause.contains("Depth") {
        format!("the document is nested too deeply to be read as {format}: {cause}")
    } else {
        format!("the document is not {format}: {cause}")
    }
}

/// A JSON value no object of which has a key twice.
struct Distinct(Value);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(Distinct(value)) = values.next_element()? {
                    list.push(value);
                }
                Ok(list.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut object = Map::new();
                while let Some(key) = entries.next_key::<String>()? {
                    if object.contains_key(&key) {
                        return Err(A::Error::custom(format!(
                            "the key `{key}` stands twice in one object"
                        )));
                    }
                    let Distinct(value) = entries.next_value()?;
                    object.insert(key, value);
                }
                Ok(object.into())
            }
        }
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

/// The maximum nesting of a document; the limit of serde_json, too.
const DEEPEST: usize = 127;

/// Parses by the core schema of YAML 1.2: `on`, `no`, `18:00` and dates are strings. A key that stands twice is an
/// error, since one of its values would be lost.
fn parse_yaml(text: &str) -> Result<Value, (Location, String)> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        // The core schema has them as numbers; as a text, a code such as 049 keeps its zero.
        leading_zero_numbers_as_strings: true,
        with_snippet: false,
        // As deep as JSON may nest, and larger documents than anybody has published. How often an anchor is used says
        // nothing about what its aliases expand to, which is bounded below.
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            max_nodes: 5_000_000,
            max_events: 10_000_000,
            max_total_scalar_bytes: 512 << 20,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 1_000_000,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error
            .location()
            .map_or(Location::File, |location| Location::Position {
                line: usize::try_from(location.line()).unwrap_or(usize::MAX),
                column: usize::try_from(location.column()).unwrap_or(usize::MAX),
            });
        let cause = error.to_string();
        let cause = cause.lines().next().unwrap_or_default();
        let cause = cause.strip_prefix("error: ").unwrap_or(cause);
        let cause = cause.split(" at line ").next().unwrap_or(cause);
        // What follows is advice for whoever calls the parser.
        let cause = cause.split(", set ").next().unwrap_or(cause);
        (place, not_read("YAML", cause))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_is_read_by_the_core_schema_of_1_2() {
        let text = "time: 18:00\nswitch: on\nanswer: no\ndate: 2020-01-01\nnumber: 1_000\nyes: true\n200: ok\nnull_: ~\n";
        assert_eq!(
            parse_yaml(text).unwrap(),
            json!({
                "time": "18:00", "switch": "on", "answer": "no", "date": "2020-01-01", "number": "1_000",
                "yes": true, "200": "ok", "null_": null,
            })
        );
    }

    #[test]
    fn numbers_of_yaml_are_those_of_1_2_too() {
        let text = "octal: 0o17\nzeros: 017\nhex: 0x1F\nbase_60: 190:20:30\nphone: '+49'\nsign: +1\nfloat: 1.10\nversion: 1.2.3\n\
                    yes: yes\noff: Off\ny: y\nempty:\ntime: 2001-12-14t21:59:43.10-05:00\n";
        assert_eq!(
            parse_yaml(text).unwrap(),
            json!({
                "octal": 15, "zeros": "017", "hex": 31, "base_60": "190:20:30", "phone": "+49", "sign": 1, "float": 1.1,
                "version": "1.2.3", "yes": "yes", "off": "Off", "y": "y", "empty": null,
                "time": "2001-12-14t21:59:43.10-05:00",
            })
        );
    }

    #[test]
    fn anchors_are_followed_and_a_bomb_of_them_is_none() {
        let text = "a: &a {b: 1}\nc: *a\nd: {<<: *a, e: 2}\n";
        assert_eq!(
            parse_yaml(text).unwrap(),
            json!({"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}})
        );
        let mut bomb = "a0: &a0 [x, x]\n".to_owned();
        for level in 1..60 {
            let last = level - 1;
            bomb.push_str(&format!("a{level}: &a{level} [*a{last}, *a{last}]\n"));
        }
        assert!(parse_yaml(&bomb).is_err());
    }

    #[test]
    fn hundreds_of_aliases_of_one_anchor_are_read() {
        let mut text = "error: &error {code: 1, words: [a, b]}\nuses:\n".to_owned();
        text.push_str(&"  - *error\n".repeat(500));
        let document = parse_yaml(&text).unwrap();
        let uses = document["uses"].as_array().unwrap();
        assert_eq!(uses.len(), 500);
        assert!(uses.iter().all(|used| *used == document["error"]));
    }

    #[test]
    fn yaml_may_nest_as_deep_as_json() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let read = move || {
            for (depth, fits) in [(DEEPEST, true), (DEEPEST + 1, false), (10_000, false)] {
                assert_eq!(parse_json(&nested(depth)).is_ok(), fits, "JSON, {depth}");
                assert_eq!(parse_yaml(&nested(depth)).is_ok(), fits, "YAML, {depth}");
            }
        };
        // A test's own stack is smaller than the one that documents are read on.
        let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(read);
        thread.unwrap().join().unwrap();
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error() {
        let (place, cause) = parse_yaml("a: 1\na: 2\n").unwrap_err();
        assert_eq!(place, Location::Position { line: 2, column: 1 });
        assert!(cause.contains("duplicate mapping key"), "{cause}");
    }

    #[test]
    fn json_is_read_as_it_stands() {
        let text =
            r#"{"a": [null, true, -1, 18446744073709551615, 1.5, "x\u00e9"], "b": {"a": {}}}"#;
        assert_eq!(
            parse_json(text).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
        let (place, cause) = parse_json("{\n\"a\": 1,\n\"a\": 2}").unwrap_err();
        assert_eq!(place, Location::Position { line: 3, column: 3 });
        assert!(
            cause.ends_with("the key `a` stands twice in one object"),
            "{cause}"
        );
    }

    #[test]
    fn a_name_alone_is_in_the_current_folder() {
        let folders = ["api.yaml", "./api.yaml", "spec/api.yaml", "/api.yaml"].map(|path| {
            let folder = folder(Path::new(path));
            assert!(path == "spec/api.yaml" || folder.canonicalize().is_ok());
            folder
        });
        assert_eq!(folders, [".", ".", "spec", "/"].map(PathBuf::from));
    }

    #[test]
    fn the_order_of_keys_is_kept() {
        let document = parse_json(r#"{"b": 1, "a": 2}"#).unwrap();
        assert_eq!(
            document.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["b", "a"]
        );
    }

    #[test]
    fn sha256_is_the_one_that_everybody_computes() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
