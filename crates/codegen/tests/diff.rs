//! Tests of `cargo xtask diff`: patches of a document, and the changes that they make.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics fails"
)]

#[path = "diff/cases.rs"]
mod cases;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::panic::{self, AssertUnwindSafe};

use call_api_codegen::diff::change::{Class, Comparison};
use call_api_codegen::diff::generated_code::{self, GeneratedCode};
use call_api_codegen::diff::{self, Options, Outcome};
use call_api_codegen::load::Source;
use call_api_codegen::origin::Origins;
use call_api_codegen::pins::Pins;
use call_api_codegen::stack::with_deep_stack;
use call_api_codegen::unsupported::Unsupported;
use call_api_codegen::{Choices, generate_document, lower};
use cases::{Case, base, cases, changed};
use serde_json::{Value, json};

/// Renders the changes and notes.
fn render(comparison: &Comparison) -> String {
    let mut text = String::new();
    for change in &comparison.changes {
        let directions: Vec<&str> = change
            .directions
            .iter()
            .map(|direction| direction.word())
            .collect();
        let decisive = change
            .decisive
            .map(|direction| format!(", {} decides", direction.word()));
        writeln!(
            text,
            "{} {} [{}{}] {}\n    {}\n    {} ({})",
            change.class,
            change.kind,
            directions.join("+"),
            decisive.unwrap_or_default(),
            change.pointer(),
            change.what,
            change.why,
            change.operations.join(" "),
        )
        .unwrap();
    }
    text
}

/// Returns the class and the kind of each change.
fn classes(comparison: &Comparison) -> String {
    let changes = comparison.changes.iter();
    let classes = changes.map(|change| format!("{} {}", change.class, change.kind));
    classes.collect::<Vec<_>>().join(", ")
}

/// Returns a source with this document.
fn source(document: Value) -> Source {
    Source {
        path: "api.json".to_owned(),
        label: "api.json".to_owned(),
        document,
        ..Source::default()
    }
}

#[test]
fn compare_classifies_each_change() {
    let (golden, failures) = with_deep_stack(|| {
        let base = base();
        let base_code = GeneratedCode::of(source(base.clone()), Pins::default()).unwrap();
        let mut golden = String::new();
        let mut failures = String::new();
        for Case {
            name,
            expected,
            patch,
        } in cases()
        {
            let document = changed(&patch);
            let mut comparison = diff::compare(&base, &document);
            if let Some(code) = GeneratedCode::of(source(document), Pins::default()) {
                generated_code::correct(&mut comparison, &base_code, &code);
            }
            let rendered = render(&comparison);
            if classes(&comparison) != expected {
                writeln!(failures, "# {name}, expected {expected:?}\n{rendered}").unwrap();
            }
            writeln!(golden, "# {name}\n{rendered}").unwrap();
        }
        (golden, failures)
    })
    .unwrap();
    assert!(failures.is_empty(), "{failures}");
    insta::assert_snapshot!(golden);
}

/// Adds an operation with a schema of its own.
fn add_weather(document: &mut Value, sunny: &str) {
    document["components"]["schemas"]["Weather"] =
        json!({"type": "object", "required": ["sunny"], "properties": {"sunny": {"type": sunny}}});
    document["paths"]["/weather"] = json!({"get": {
        "operationId": "get_weather",
        "responses": {"200": {
            "description": "The weather",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Weather"}}},
        }},
    }});
}

/// The class of a change does not depend on other changes, here a breaking one.
#[test]
fn compare_classifies_a_change_beside_another() {
    let failures = with_deep_stack(|| {
        let mut base = base();
        add_weather(&mut base, "boolean");
        let base_code = GeneratedCode::of(source(base.clone()), Pins::default()).unwrap();
        let mut failures = String::new();
        for Case {
            name,
            expected,
            patch,
        } in cases()
        {
            let mut document = changed(&patch);
            add_weather(&mut document, "string");
            let mut comparison = diff::compare(&base, &document);
            let Some(code) = GeneratedCode::of(source(document), Pins::default()) else {
                continue;
            };
            generated_code::correct(&mut comparison, &base_code, &code);
            comparison
                .changes
                .retain(|change| !change.pointer().as_str().to_lowercase().contains("weather"));
            if classes(&comparison) != expected {
                let rendered = render(&comparison);
                writeln!(failures, "# {name}, expected {expected:?}\n{rendered}").unwrap();
            }
        }
        failures
    })
    .unwrap();
    assert!(failures.is_empty(), "{failures}");
}

/// The name of an inline type may have nothing in common with the location of its schema.
#[test]
fn compare_keeps_the_class_of_a_change_to_a_type_with_a_name_of_its_own() {
    let titled = |street: &str| {
        json!({
            "title": "Address", "type": "object", "required": ["street"],
            "properties": {"street": {"type": street}, "zip": {"type": "string"}},
        })
    };
    let documents = |values: &[&str], street: &str, has_city: bool| {
        let mut document = base();
        let mut address = titled(street);
        if has_city {
            address["properties"]["city"] = json!({"type": "string"});
        }
        let body = json!({"type": "object", "properties": {"address": address}});
        document["components"]["schemas"]["Customer"] =
            json!({"type": "object", "properties": {"address": address}});
        document["components"]["parameters"]["State"] = json!({
            "name": "state", "in": "query", "schema": {"type": "string", "enum": values},
        });
        document["components"]["requestBodies"]["Order"] = json!({
            "required": true, "content": {"application/json": {"schema": body}},
        });
        document["paths"]["/customers"] = json!({"post": {
            "operationId": "create_customer",
            "parameters": [{"$ref": "#/components/parameters/State"}],
            "requestBody": {"$ref": "#/components/requestBodies/Order"},
            "responses": {"200": {
                "description": "The customer",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Customer"}}},
            }},
        }});
        document
    };
    let failures = with_deep_stack(|| {
        let old = documents(&["open", "closed"], "string", false);
        let old_code = GeneratedCode::of(source(old.clone()), Pins::default()).unwrap();
        let mut failures = String::new();
        for (new, expected) in [
            (
                documents(&["open", "closed"], "string", true),
                Class::Addition,
            ),
            (
                documents(&["open", "closed"], "integer", false),
                Class::Breaking,
            ),
            (
                documents(&["open", "closed", "new"], "string", false),
                Class::Addition,
            ),
            (documents(&["open"], "string", false), Class::Breaking),
        ] {
            let mut comparison = diff::compare(&old, &new);
            let code = GeneratedCode::of(source(new), Pins::default()).unwrap();
            generated_code::correct(&mut comparison, &old_code, &code);
            let classes: BTreeSet<Class> = comparison
                .changes
                .iter()
                .map(|change| change.class)
                .collect();
            if classes != BTreeSet::from([expected]) {
                writeln!(failures, "expected {expected}\n{}", render(&comparison)).unwrap();
            }
        }
        failures
    })
    .unwrap();
    assert!(failures.is_empty(), "{failures}");
}

/// The reverse of a change is a change, too.
#[test]
fn compare_reversed_reports_a_change_too() {
    let base = base();
    for Case {
        name,
        expected,
        patch,
    } in cases()
    {
        let comparison = diff::compare(&changed(&patch), &base);
        assert_eq!(
            comparison.changes.is_empty(),
            expected.is_empty(),
            "{name}:\n{}",
            render(&comparison)
        );
    }
}

/// The crate `drift` only reads 3.0, so it gets the lowered documents. Documents that it panics on are skipped.
#[test]
fn compare_reports_whatever_drift_reports() {
    let lowered = |document: Value| {
        let mut unsupported: Vec<Unsupported> = Vec::new();
        lower::lower(document, &mut unsupported, &mut Origins::default()).unwrap()
    };
    let mut reported = 0;
    let mut silent = 0;
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let mut unreported = Vec::new();
    for Case { name, patch, .. } in cases() {
        let (old, new) = (base(), changed(&patch));
        let comparison = diff::compare(&old, &new);
        let (old, new) = (lowered(old), lowered(new));
        let theirs = panic::catch_unwind(AssertUnwindSafe(|| drift::compare(&old, &new)));
        let Ok(Ok(theirs)) = theirs else { continue };
        if theirs.is_empty() {
            silent += usize::from(!comparison.changes.is_empty());
        } else {
            reported += 1;
            // The generated properties are the same.
            let same = name == "object written as a composition";
            if comparison.changes.is_empty() && !same {
                unreported.push((name, format!("{theirs:?}")));
            }
        }
    }
    panic::set_hook(hook);
    assert!(unreported.is_empty(), "{unreported:#?}");
    assert!(reported > 30, "drift reported only {reported}");
    // `drift` misses changes, so it cannot replace `compare`.
    assert!(silent > 5, "drift missed only {silent}");
}

fn run(old: &Value, new: &Value, json: bool) -> (Outcome, String) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, document: &Value| {
        let path = folder.path().join(name);
        fs::write(&path, document.to_string()).unwrap();
        path.display().to_string()
    };
    let options = Options {
        json,
        version: "0.1.0".to_owned(),
        ..Options::new(at("old.json", old), at("new.json", new), &|url| {
            unreachable!("{url}")
        })
    };
    let mut report = Vec::new();
    let outcome = diff::run(&options, &mut report).unwrap();
    let report = String::from_utf8(report).unwrap();
    let folder = format!("{}/", folder.path().display());
    (outcome, report.replace(&folder, ""))
}

/// Returns the base document with changes of each class.
fn several() -> Value {
    let mut document = base();
    let schemas = &mut document["components"]["schemas"];
    schemas["Contact"]["required"] = json!(["identifier", "name"]);
    schemas["Status"]["enum"] = json!(["dialing", "in_progress", "completed", "busy"]);
    schemas["Call"]["properties"]["recording_uri"] =
        schemas["Call"]["properties"]["recording_url"].take();
    schemas["Call"]["properties"]
        .as_object_mut()
        .unwrap()
        .shift_remove("recording_url");
    schemas["Call"]["properties"]["cost"] = json!({"type": "number"});
    schemas["Call"]["properties"]["contact"] = schemas["Contact"].clone();
    document["info"]["version"] = json!("1.1.0");
    document["paths"]["/v1/calls"]["get"]["summary"] = json!("List the calls");
    document
}

#[test]
fn text_report_of_several_changes() {
    let (outcome, report) = run(&base(), &several(), false);
    assert_eq!(outcome, Outcome::Breaking);
    insta::assert_snapshot!(report);
}

#[test]
fn json_report_of_several_changes() {
    let (outcome, report) = run(&base(), &several(), true);
    assert_eq!(outcome, Outcome::Breaking);
    insta::assert_snapshot!(report);
}

#[test]
fn run_has_an_exit_code_for_each_outcome() {
    let (same, report) = run(&base(), &base(), false);
    assert_eq!((same, same as u8), (Outcome::Same, 0));
    assert_eq!(report, "old.json -> new.json\n\nno changes\n");
    let mut added = base();
    added["components"]["schemas"]["More"] = json!({"type": "object"});
    let (compatible, report) = run(&base(), &added, false);
    assert_eq!((compatible, compatible as u8), (Outcome::Compatible, 5));
    assert!(
        report.contains("semver: patch step, 0.1.0 -> 0.1.1"),
        "{report}"
    );
    let (breaking, _) = run(&added, &base(), false);
    assert_eq!((breaking, breaking as u8), (Outcome::Breaking, 6));
    let (failed, report) = run(&base(), &json!({"openapi": "2.0"}), false);
    assert_eq!((failed, failed as u8), (Outcome::Failed, 100));
    insta::assert_snapshot!(report);
    let (failed, report) = run(&json!([]), &base(), true);
    assert_eq!(failed, Outcome::Failed);
    insta::assert_snapshot!(report);
}

#[test]
fn compare_3_0_with_the_same_in_3_1_reports_the_version() {
    let mut old = base();
    let mut unsupported: Vec<Unsupported> = Vec::new();
    old["components"]["schemas"]["Call"]["properties"]["duration"] =
        json!({"type": "integer", "exclusiveMinimum": 3, "description": "d"});
    let new = lower::lower(old.clone(), &mut unsupported, &mut Origins::default()).unwrap();
    let comparison = diff::compare(&old, &new);
    let kinds: Vec<_> = comparison
        .changes
        .iter()
        .map(|change| change.what.as_str())
        .collect();
    assert_eq!(kinds, ["`openapi` changed from `\"3.1.0\"` to `\"3.0.3\"`"]);
}

/// The base document with this schema as a parameter, as a property that is sent and as one that is received.
fn with_schema(schema: &Value) -> Value {
    let mut document = base();
    for owner in ["Call", "NewCall"] {
        document["components"]["schemas"][owner]["properties"]["spelled"] = schema.clone();
    }
    let parameters = &mut document["paths"]["/v1/calls"]["get"]["parameters"];
    parameters[0] = json!({"name": "spelled", "in": "query", "schema": schema});
    document
}

#[test]
fn two_spellings_of_one_meaning_are_the_same_to_diff_and_generated_code_and_data() {
    let status = json!({"$ref": "#/components/schemas/Status"});
    let spellings = [
        (
            json!({"type": "string", "nullable": true}),
            json!({"type": ["string", "null"]}),
        ),
        (
            json!({"type": "string", "nullable": true}),
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ),
        (
            json!({"allOf": [status], "nullable": true}),
            json!({"oneOf": [{"const": null}, status]}),
        ),
        (
            json!({"allOf": [status], "nullable": true}),
            json!({"anyOf": [status, {"enum": [null]}]}),
        ),
        (json!({"allOf": [status]}), status.clone()),
        (
            json!({"type": "integer", "minimum": 4}),
            json!({"type": "integer", "exclusiveMinimum": 3}),
        ),
        (
            json!({"type": "integer", "maximum": 4}),
            json!({"type": "integer", "maximum": 5, "exclusiveMaximum": true}),
        ),
        (
            json!({"type": "string", "enum": ["a"]}),
            json!({"const": "a"}),
        ),
        (
            json!({"type": "string", "format": "byte"}),
            json!({"type": "string", "contentEncoding": "base64"}),
        ),
    ];
    let failures = with_deep_stack(|| {
        let mut failures = Vec::new();
        for (a, b) in &spellings {
            let (old, new) = (with_schema(a), with_schema(b));
            let comparison = diff::compare(&old, &new);
            let generated = |document: &Value| {
                let code = GeneratedCode::of(source(document.clone()), Pins::default());
                let sdk = generate_document(source(document.clone()), Choices::default()).unwrap();
                let outputs = sdk.plan.outputs.into_iter();
                let embedded = outputs.filter(|output| output.path.ends_with("schemas.json"));
                let embedded: Vec<String> = embedded.map(|output| output.contents).collect();
                assert_eq!(embedded.len(), 1);
                (code.unwrap(), sdk.operations, embedded)
            };
            if !comparison.changes.is_empty() || generated(&old) != generated(&new) {
                failures.push(format!("{a} and {b}:\n{}", render(&comparison)));
            }
        }
        failures
    });
    assert_eq!(failures.unwrap(), [""; 0]);
}

#[test]
fn compare_terminates_on_cycles_and_deep_schemas() {
    let deep = |innermost: &str| {
        let mut schema = json!({"type": innermost});
        for _ in 0..1500 {
            schema = json!({"type": "object", "properties": {"a": schema}});
        }
        let mut document = base();
        document["components"]["schemas"]["Deep"] = schema;
        document["components"]["schemas"]["Circle"] = json!({"allOf": [{"$ref": "#/components/schemas/Circle"}], "properties": {"a": {"type": innermost}}});
        document["components"]["schemas"]["Turn"] =
            json!({"anyOf": [{"$ref": "#/components/schemas/Turn"}, {"type": "null"}]});
        document
    };
    // Dropping a document of this depth requires a deep stack, too.
    let stack = 256 << 20;
    let thread = std::thread::Builder::new()
        .stack_size(stack)
        .spawn(move || {
            let (old, new) = (deep("string"), deep("integer"));
            assert_eq!(diff::compare(&old, &old).changes, []);
            let comparison = diff::compare(&old, &new);
            render(&comparison)
        });
    let text = thread.unwrap().join().unwrap();
    assert!(text.contains("a schema at depth 200"), "{text}");
    assert!(
        text.contains("`Circle.a` changed from string to integer"),
        "{text}"
    );
}
