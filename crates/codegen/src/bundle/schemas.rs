//! Schemas that JSON Schema does not allow, or that do not say what is meant.
//!
//! - In YAML, null without quotes is not the name of a type: `type: [string, null]`.
//! - Null in place of a schema, such as `items:` without a value, constrains nothing.
//! - Types of programming languages, such as `int`, are read as those of JSON, and those of formats, such as `datetime`, as
//!   strings with the format. Other unknown types are ignored.
//! - A list as `items`, which drafts before 2020-12 have, is `prefixItems`, and `additionalItems` are the further items.
//! - A schema with `items` and without a type is a list.
//! - Parts of `allOf` that only annotate, such as `{description: …}` beside a reference, are annotations of the whole. In
//!   OpenAPI 3.0, `{nullable: true}` is meant as such, though it allows no more than the other parts.
//! - `required: true`, which drafts before 4 have in the property itself, requires nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::openapi::{JsonType, Schema as _};
use crate::pointer::Pointer;
use crate::unsupported::Unsupported;
use crate::walk::{self, Kind};

/// Corrects such schemas, and reports all but null among types.
pub(super) fn correct(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let mut lost = |place: &Pointer, what: String, instead: &str| {
        unsupported.push(Unsupported::new(place, what, instead));
    };
    walk::walk_mut(document, &mut |kind, pointer, schema| {
        if kind != Kind::Schema {
            return;
        }
        if schema.is_null() {
            *schema = json!({});
            lost(
                pointer,
                "null in place of a schema".to_owned(),
                "any value is accepted",
            );
        }
        let Some(object) = schema.as_object_mut() else {
            return;
        };
        if object.get("required").is_some_and(Value::is_boolean)
            && object.remove("required") == Some(json!(true))
        {
            lost(
                &pointer.join("required"),
                "`required`, which is not a list of names".to_owned(),
                "it is ignored: the object that has the property may list it",
            );
        }
        if let Some(Value::String(text)) = object.get("nullable") {
            let nullable = text.eq_ignore_ascii_case("true");
            object.insert("nullable".to_owned(), json!(nullable));
        }
        if is_list(object) {
            object.insert("type".to_owned(), json!("array"));
        }
        let mut format = None;
        let names = match object.get_mut("type") {
            Some(Value::Array(names)) => names.as_mut_slice(),
            Some(name) => std::slice::from_mut(name),
            None => return,
        };
        let mut is_known = true;
        for name in names {
            if name.is_null() {
                *name = json!("null");
            }
            let text = name.as_str().unwrap_or_default();
            if JsonType::named(text).is_some() {
                continue;
            }
            let what = format!("the type {name}, which JSON Schema does not have");
            let place = pointer.join("type");
            match meant(text) {
                Some((meant, own)) => {
                    let with = own.map_or(String::new(), |own| format!(" with the format `{own}`"));
                    lost(&place, what, &format!("it is read as `{meant}`{with}"));
                    *name = json!(meant);
                    format = format.or(own);
                }
                None => {
                    lost(&place, what, "the type is ignored");
                    is_known = false;
                }
            }
        }
        if !is_known {
            object.remove("type");
        }
        if let Some(format) = format {
            object.entry("format").or_insert_with(|| json!(format));
        }
    });
}

/// Replaces lists as `items`. Returns the old and the new location of each. A list among the items of another is found once
/// that is replaced.
pub(super) fn tuples(document: &mut Value) -> Vec<(Pointer, Pointer)> {
    let mut moves = Vec::new();
    walk::walk_mut(document, &mut |kind, pointer, schema| {
        let Some(object) = schema.as_object_mut().filter(|_| kind == Kind::Schema) else {
            return;
        };
        if object.get("items").is_some_and(Value::is_array)
            && let Some(items) = object.remove("items")
        {
            object.insert("prefixItems".to_owned(), items);
            moves.push((pointer.join("items"), pointer.join("prefixItems")));
            if let Some(further) = object.remove("additionalItems") {
                object.insert("items".to_owned(), further);
            }
            object.entry("type").or_insert_with(|| json!("array"));
        }
    });
    moves
}

/// Moves annotations out of `allOf`, except in components, which are types of their own. Returns the old and the new location
/// of the parts that stay.
pub(super) fn annotations(document: &mut Value) -> Vec<(Pointer, Pointer)> {
    const ANNOTATIONS: [&str; 11] = [
        "title",
        "description",
        "default",
        "deprecated",
        "example",
        "examples",
        "externalDocs",
        "nullable",
        "readOnly",
        "writeOnly",
        "xml",
    ];
    let objects: BTreeSet<String> = walk::schemas(document)
        .filter(|(_, schema)| schema.types() == [JsonType::Object])
        .map(|(name, _)| Pointer::schema(name).to_ref())
        .collect();
    let mut moves = Vec::new();
    walk::walk_mut(document, &mut |kind, pointer, schema| {
        let is_inner = kind == Kind::Schema && !pointer.is_schema();
        let Some(object) = schema.as_object_mut().filter(|_| is_inner) else {
            return;
        };
        let Some(Value::Array(parts)) = object.get_mut("allOf") else {
            return;
        };
        let is_object = |part: &Value| {
            let reference = part.get("$ref").and_then(Value::as_str);
            reference.is_some_and(|reference| objects.contains(reference))
        };
        let is_object = parts.iter().any(is_object);
        let annotates = |part: &Value| {
            part.as_object().is_some_and(|part| {
                part.iter().all(|(key, value)| {
                    ANNOTATIONS.contains(&key.as_str())
                        || key.starts_with("x-")
                        || key == "type" && value == "object" && is_object
                })
            })
        };
        if parts.len() < 2 || parts.iter().all(annotates) || !parts.iter().any(annotates) {
            return;
        }
        let place = pointer.join("allOf");
        let (mut kept, mut moved) = (Vec::new(), Map::new());
        for (index, part) in std::mem::take(parts).into_iter().enumerate() {
            if !annotates(&part) {
                if index != kept.len() {
                    moves.push((place.join(index), place.join(kept.len())));
                }
                kept.push(part);
            } else if let Value::Object(part) = part {
                moved.extend(part.into_iter().filter(|(key, _)| key != "type"));
            }
        }
        *parts = kept;
        for (key, value) in moved {
            object.entry(key).or_insert(value);
        }
    });
    moves
}

/// Returns true for a schema without a type that only lists have.
fn is_list(object: &Map<String, Value>) -> bool {
    let others = [
        "type",
        "properties",
        "enum",
        "const",
        "$ref",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
    ];
    object.get("items").is_some_and(Value::is_object)
        && !others.iter().any(|key| object.contains_key(*key))
}

/// Returns the type of JSON that a type of a programming language stands for, with its format.
fn meant(name: &str) -> Option<(&'static str, Option<&'static str>)> {
    let name = name.to_ascii_lowercase();
    let meant = match name.as_str() {
        "int" | "long" => ("integer", None),
        "float" | "double" | "decimal" => ("number", None),
        "str" | "text" => ("string", None),
        "bool" => ("boolean", None),
        "list" => ("array", None),
        "dict" | "map" => ("object", None),
        "file" => ("string", Some("binary")),
        "datetime" | "date-time" => ("string", Some("date-time")),
        "date" => ("string", Some("date")),
        "uuid" => ("string", Some("uuid")),
        name => (JsonType::named(name)?.name(), None),
    };
    Some(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_move_out_of_compositions() {
        let user = json!({"$ref": "#/components/schemas/User"});
        let name = json!({"$ref": "#/components/schemas/Name"});
        let properties = json!({
            "owner": {"allOf": [{"description": "The owner", "x-a": 1}, user], "title": "Owner"},
            "maybe": {"allOf": [user, {"type": "object", "nullable": true}, {}]},
            "odd": {"allOf": [name, {"type": "object"}]},
            "both": {"allOf": [{"title": "a"}, {"title": "b"}]},
            "longer": {"allOf": [name, {"title": "a"}, {"minLength": 1}]},
        });
        let component = json!({"allOf": [user, {"description": "A user"}]});
        let mut document = json!({"components": {"schemas": {
            "User": {"type": "object"},
            "Name": {"type": "string"},
            "Admin": component,
            "Call": {"properties": properties},
        }}});
        let moves = annotations(&mut document);
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Admin"], component);
        let properties = &schemas["Call"]["properties"];
        let owner =
            json!({"allOf": [user], "title": "Owner", "description": "The owner", "x-a": 1});
        assert_eq!(properties["owner"], owner);
        assert_eq!(
            properties["maybe"],
            json!({"allOf": [user], "nullable": true})
        );
        for unchanged in ["odd", "both"] {
            let parts = properties[unchanged]["allOf"].as_array();
            assert_eq!(parts.map(Vec::len), Some(2));
        }
        let longer = json!({"allOf": [name, {"minLength": 1}], "title": "a"});
        assert_eq!(properties["longer"], longer);
        let place = Pointer::schema("Call").join("properties");
        let part = |name: &str, index: usize| place.join(name).join("allOf").join(index);
        let expected = [
            (part("owner", 1), part("owner", 0)),
            (part("longer", 2), part("longer", 1)),
        ];
        assert_eq!(moves, expected);
    }

    #[test]
    fn schemas_that_are_not_allowed_are_corrected() {
        let mut document = json!({"components": {"schemas": {
            "Nullable": {"type": ["string", null], "example": {"type": null}},
            "Nothing": {"type": null},
            "List": {"type": "array", "items": null},
            "Number": {"type": "int"},
            "Several": {"type": ["int", "string"]},
            "File": {"type": "file"},
            "Time": {"type": ["DateTime", "null"]},
            "Unknown": {"type": "thing"},
            "Upper": {"type": "String"},
            "Required": {"type": "string", "required": true, "nullable": "true"},
            "Untyped": {"items": {"type": "int"}},
            "Tuple": {"items": [{"type": "int"}, {"items": [{"type": "str"}]}], "additionalItems": false},
            "Property": {"properties": {"type": {"type": "string"}}},
        }}});
        let mut unsupported = Vec::new();
        assert_eq!(tuples(&mut document).len(), 1);
        assert_eq!(tuples(&mut document).len(), 1);
        assert_eq!(tuples(&mut document).len(), 0);
        correct(&mut document, &mut unsupported);
        let reports: Vec<String> = unsupported
            .iter()
            .map(|loss| format!("{}: {}: {}", loss.pointer, loss.what, loss.instead))
            .collect();
        insta::assert_json_snapshot!(json!({"document": document, "reports": reports}));
    }
}
