//! Null in place of an object or a list of OpenAPI, which YAML has for a key without a value, and text that YAML reads as a
//! number or as true or false.

use serde_json::{Value, json};

use crate::walk::{ChildKind, Kind, child_kind};

/// The members that have a text.
const TEXTS: [&str; 3] = ["title", "description", "summary"];

/// Removes what is null, and makes an entry of a map that is null an empty object. Null in place of a schema has a meaning, and
/// stays.
pub(super) fn correct(document: &mut Value) {
    visit(ChildKind::One(Kind::Document), document);
}

fn visit(holds: ChildKind, value: &mut Value) {
    match (holds, value) {
        (ChildKind::One(kind), Value::Object(object)) => {
            object.retain(|key, value| {
                let is_section =
                    kind == Kind::Document && ["servers", "tags"].contains(&key.as_str());
                let is_structure = match child_kind(kind, key) {
                    ChildKind::One(Kind::Schema) => false,
                    ChildKind::Nothing => is_section,
                    _ => true,
                };
                !(value.is_null() && is_structure)
            });
            for (key, value) in object {
                if TEXTS.contains(&key.as_str()) && (value.is_number() || value.is_boolean()) {
                    *value = json!(value.to_string());
                }
                visit(child_kind(kind, key), value);
            }
        }
        (ChildKind::Map(kind), Value::Object(entries)) => {
            for value in entries.values_mut() {
                if value.is_null() && kind != Kind::Schema {
                    *value = json!({});
                }
                visit(ChildKind::One(kind), value);
            }
        }
        (ChildKind::List(kind), Value::Array(items)) => {
            items.retain(|value| !value.is_null() || kind == Kind::Schema);
            for value in items {
                visit(ChildKind::One(kind), value);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_absent_and_numbers_are_text() {
        let mut document = json!({
            "servers": null,
            "components": {"schemas": null, "responses": {"Empty": null}},
            "paths": {"/a": {"parameters": null, "post": {
                "summary": 5,
                "parameters": [null],
                "requestBody": null,
                "responses": {"200": {"content": {"application/json": null}}, "404": null},
            }}},
            "x-own": null,
        });
        correct(&mut document);
        assert_eq!(
            document,
            json!({
                "components": {"responses": {"Empty": {}}},
                "paths": {"/a": {"post": {
                    "summary": "5",
                    "parameters": [],
                    "responses": {"200": {"content": {"application/json": {}}}, "404": {}},
                }}},
                "x-own": null,
            })
        );
    }

    #[test]
    fn schemas_keep_their_values() {
        let schema =
            json!({"title": 2024, "default": null, "items": null, "properties": {"title": null}});
        let mut document = json!({"components": {"schemas": {"Call": schema, "Any": null}}});
        correct(&mut document);
        let schema =
            json!({"title": "2024", "default": null, "items": null, "properties": {"title": null}});
        assert_eq!(
            document,
            json!({"components": {"schemas": {"Call": schema, "Any": null}}})
        );
    }
}
