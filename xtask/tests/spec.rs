//! The document says what the API's reference page says; its example is the page's own JSON, and validates.

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
    serde_json::from_str(&common::read(common::SPEC)).unwrap()
}

fn example(document: &Value) -> &Value {
    &document["paths"]["/v1/call/{id}"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
}

/// The schema of a call, with the others where its references find them.
fn validator(document: &Value) -> jsonschema::Validator {
    let schema = json!({"$ref": "#/components/schemas/Call", "components": document["components"]});
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

#[test]
fn the_example_validates_and_what_breaks_it_does_not() {
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
fn what_may_be_null_or_absent_is_what_the_page_says() {
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
fn the_properties_stand_in_the_page_s_order() {
    let document = document();
    let properties = document["components"]["schemas"]["Call"]["properties"]
        .as_object()
        .unwrap();
    let example = example(&document).as_object().unwrap();
    assert!(properties.keys().eq(example.keys()));
    assert_eq!(properties.len(), 12);
}

/// Every place of the document that says something by itself: each string, number and flag, and each list of them.
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

/// The pointers that `spec/README.md` explains: the first cells of its tables.
fn explained() -> Vec<String> {
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
fn the_readme_says_of_each_statement_where_it_comes_from() {
    let document = document();
    let lines = explained();
    let mut statements_found = Vec::new();
    statements(&document, &Pointer::root(), &mut statements_found);
    let unexplained: Vec<_> = statements_found
        .iter()
        .filter(|statement| !lines.iter().any(|line| covers(line, statement)))
        .collect();
    assert!(unexplained.is_empty(), "no line for {unexplained:#?}");

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
            assert!(lines.contains(&pointer), "no line of its own: {pointer}");
        }
    }
    for (index, line) in lines.iter().enumerate() {
        assert!(document.pointer(line).is_some(), "{line} points to nothing");
        assert!(!lines[..index].contains(line), "{line} has two lines");
    }
}
