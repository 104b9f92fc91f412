//! The document says what the API's reference page says; its example is the page's own JSON, and validates.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

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
