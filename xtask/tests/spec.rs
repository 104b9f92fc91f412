//! The first document matches the reference page of the API, which it was written from, and `spec/README.md` has the origin
//! of the project's document.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "../../crates/codegen/tests/common/mod.rs"]
mod common;

use call_api_codegen::pointer::Pointer;
use serde_json::{Value, json};

fn document() -> Value {
    serde_json::from_str(&common::read(common::FIRST)).unwrap()
}

/// Returns true if the project has a document that `cargo xtask adopt` took in.
fn is_adopted() -> bool {
    common::read("spec/README.md").contains("`cargo xtask adopt` took it")
}

#[test]
fn first_document_is_that_of_the_project_until_another_is_adopted() {
    if !is_adopted() {
        let (first, current) = (common::read(common::FIRST), common::read(common::SPEC));
        assert!(
            first == current,
            "copy {} to {}",
            common::SPEC,
            common::FIRST
        );
    }
}

fn example(document: &Value) -> &Value {
    &document["paths"]["/v1/call/{id}"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
}

/// Returns a validator for the schema `Call`.
fn validator(document: &Value) -> jsonschema::Validator {
    let schema = json!({"$ref": "#/components/schemas/Call", "components": document["components"]});
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

#[test]
fn example_validates_and_broken_examples_do_not() {
    let document = document();
    let validator = validator(&document);
    let example = example(&document);
    assert!(validator.is_valid(example));
    for (pointer, wrong) in [
        ("/id", json!("no uuid")),
        ("/status", json!("asleep")),
        ("/created_date", json!(null)),
        ("/contact/contact_type", json!("letter")),
        ("/duration", json!("123")),
    ] {
        let mut broken = example.clone();
        *broken.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&broken), "{pointer}");
    }
}

#[test]
fn nullable_and_optional_properties_match_the_reference_page() {
    let document = document();
    let validator = validator(&document);
    let example = example(&document).as_object().unwrap();
    let (mut nullable, mut optional) = (Vec::new(), Vec::new());
    for name in example.keys() {
        let mut changed = example.clone();
        changed[name] = Value::Null;
        if validator.is_valid(&Value::Object(changed.clone())) {
            nullable.push(name.as_str());
        }
        changed.remove(name);
        if validator.is_valid(&Value::Object(changed)) {
            optional.push(name.as_str());
        }
    }
    let last_five = [
        "recording_url",
        "start_time",
        "end_time",
        "duration",
        "end_reason",
    ];
    assert_eq!(optional, last_five);
    assert_eq!(
        nullable,
        [&["agent_id", "phone_id"][..], &last_five].concat()
    );
}

#[test]
fn properties_are_in_the_order_of_the_reference_page() {
    let document = document();
    let properties = document["components"]["schemas"]["Call"]["properties"]
        .as_object()
        .unwrap();
    let example = example(&document).as_object().unwrap();
    assert!(properties.keys().eq(example.keys()));
    assert_eq!(properties.len(), 12);
}

/// Collects the location of every string, number and flag of the document, and of every list of them.
fn statements(value: &Value, at: &Pointer, found: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                statements(value, &at.join(name), found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, value) in items.iter().enumerate() {
                statements(value, &at.join(index), found);
            }
        }
        _ => found.push(at.to_string()),
    }
}

/// Returns the pointers in the tables of `spec/README.md`.
fn documented() -> Vec<String> {
    let readme = common::read("spec/README.md");
    let cells = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    cells.map(|(pointer, _)| pointer.to_owned()).collect()
}

fn covers(line: &str, pointer: &str) -> bool {
    pointer
        .strip_prefix(line)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[test]
fn readme_has_the_origin_of_every_statement() {
    let document: Value = serde_json::from_str(&common::read(common::SPEC)).unwrap();
    let lines = documented();
    if is_adopted() {
        // Their origin is the service. Rows are for what was changed afterwards.
        assert!(lines.iter().all(|line| document.pointer(line).is_some()));
        return;
    }
    let mut statements_found = Vec::new();
    statements(&document, &Pointer::root(), &mut statements_found);
    let undocumented: Vec<_> = statements_found
        .iter()
        .filter(|statement| !lines.iter().any(|line| covers(line, statement)))
        .collect();
    assert!(undocumented.is_empty(), "no row for {undocumented:#?}");

    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        let at = format!("/components/schemas/{name}");
        let properties = schema["properties"].as_object().into_iter().flatten();
        let mut own: Vec<_> = properties
            .map(|(property, _)| format!("{at}/properties/{property}"))
            .collect();
        own.push(at.clone());
        if schema.get("enum").is_some() {
            own.push(format!("{at}/enum"));
        }
        for pointer in own {
            assert!(lines.contains(&pointer), "no row for {pointer}");
        }
    }
    for (index, line) in lines.iter().enumerate() {
        assert!(
            document.pointer(line).is_some(),
            "{line} is not in the document"
        );
        assert!(!lines[..index].contains(line), "{line} has two rows");
    }
}
