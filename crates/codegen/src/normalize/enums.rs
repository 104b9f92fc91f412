//! Enums: names for string enums and their variants, and values of other types.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Changes;
use super::schemas::each_schema;
use crate::names;
use crate::openapi::Schema as _;
use crate::pointer::{Lookup as _, Pointer};
use crate::walk::{self, Kind};

/// Makes inline string enums named schemas. An enum that distinguishes the members of a union stays inline, because
/// typify only recognizes it there.
pub(super) fn named_enums(document: &mut Value, changes: &mut Changes) {
    let mut inline = Vec::new();
    walk::walk(document, &mut |kind, pointer, value| {
        if kind == Kind::Schema && !pointer.is_schema() && is_string_enum(value) {
            inline.push(pointer.clone());
        }
    });
    let mut taken = names::type_names(document);
    for pointer in inline {
        let name = names::unique(&names::for_place(document, &pointer), &mut taken);
        let Some(place) = document
            .at_mut(pointer.as_str())
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        let mut schema = json!({"type": "string"});
        for key in ["enum", "title", "description"] {
            if let Some(value) = place.get(key) {
                schema[key] = value.clone();
            }
        }
        place.retain(|key, _| {
            ["title", "description", "default", "nullable", "deprecated"].contains(&key.as_str())
        });
        let reference = Pointer::schema(&name).to_ref();
        if place.is_empty() {
            place.insert("$ref".to_owned(), json!(reference));
        } else {
            place.insert("allOf".to_owned(), json!([{"$ref": reference}]));
        }
        if let Some(schemas) = walk::schemas_mut(document) {
            changes.moved(&pointer, &Pointer::schema(&name));
            schemas.insert(name, schema);
            changes.at(&pointer);
        }
    }
}

/// Returns true for an enum of strings.
pub(crate) fn is_string_enum(schema: &Value) -> bool {
    let values = schema.list("enum");
    schema.text("type") == Some("string")
        && !values.is_empty()
        && values.iter().all(Value::is_string)
}

/// Names the variants of enums whose values do not give distinct names: signs, an empty string, or words that differ
/// only in case. The document then lists the variants, and the model has the values.
pub(super) fn speakable_enums(document: &mut Value, changes: &mut Changes) {
    let Some(schemas) = document
        .at_mut("/components/schemas")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for (name, schema) in schemas {
        if !is_string_enum(schema) {
            continue;
        }
        let values = schema.list("enum").iter().filter_map(Value::as_str);
        let values: Vec<String> = values.map(str::to_owned).collect();
        let mut distinct: BTreeSet<String> = BTreeSet::new();
        let plain = values.iter().all(|value| {
            value.chars().any(char::is_alphanumeric) && distinct.insert(names::type_name(value))
        });
        if plain {
            continue;
        }
        let mut taken = BTreeSet::new();
        let mut named = BTreeMap::new();
        let mut listed = Vec::new();
        for value in &values {
            // A value that is listed twice is one variant.
            if !named.values().any(|other| other == value) {
                let spoken = names::unique(&names::display_name(value), &mut taken);
                let variant = names::type_name(&spoken);
                listed.push(json!(variant));
                named.insert(variant, value.clone());
            }
        }
        schema["enum"] = Value::Array(listed);
        let place = Pointer::schema(name);
        changes.model.schema_mut(&place).values = named;
        changes.at(&place.join("enum"));
    }
}

/// Makes enums of strings with `type: object` strings, as a common generator intends them.
pub(super) fn object_enums(document: &mut Value, changes: &mut Changes) {
    each_schema(document, |pointer, object| {
        let values = object.list("enum");
        let strings = !values.is_empty() && values.iter().all(Value::is_string);
        if strings && object.get("type").is_some_and(|name| name != "string") {
            object.insert("type".to_owned(), json!("string"));
            changes.at(&pointer.join("type"));
        }
    });
}

/// Returns the values of an enum that are neither all strings nor all null.
fn other_values(object: &Map<String, Value>) -> Option<&Vec<Value>> {
    let values = object.get("enum").and_then(Value::as_array)?;
    let strings = values.iter().all(Value::is_string) && !values.is_empty();
    (!strings && *values != [Value::Null]).then_some(values)
}

/// Adds the type of the listed values to enums without a type.
pub(super) fn typed_enums(document: &mut Value, changes: &mut Changes) {
    each_schema(document, |pointer, object| {
        let Some(values) = other_values(object) else {
            return;
        };
        let kinds = |test: fn(&Value) -> bool| values.iter().all(test);
        let name = if kinds(Value::is_boolean) {
            Some("boolean")
        } else if kinds(|value| value.is_i64() || value.is_u64()) {
            Some("integer")
        } else if kinds(Value::is_number) {
            Some("number")
        } else {
            None
        };
        match (
            object.get("type").is_some_and(|name| name == "string"),
            name,
        ) {
            (false, Some(name)) if !object.contains_key("type") => {
                object.insert("type".to_owned(), json!(name));
            }
            // No type has all values.
            (true, _) => {
                object.remove("type");
            }
            _ => return,
        }
        changes.at(&pointer.join("type"));
    });
}

/// Removes enums of other values than strings, for which there is no Rust enum. The type stays.
pub(super) fn other_enums(document: &mut Value, changes: &mut Changes) {
    each_schema(document, |pointer, object| {
        if other_values(object).is_none() {
            return;
        }
        object.remove("enum");
        let place = pointer.join("enum");
        changes.at(&place);
        changes.lost(
            &place,
            "the list of values",
            "any value of the type is accepted",
        );
    });
}
