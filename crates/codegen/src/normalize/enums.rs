//! String enums: names for the types and their variants.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Changes;
use crate::names;
use crate::openapi::Schema as _;
use crate::pointer::Pointer;
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
            .pointer_mut(pointer.as_str())
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

fn is_string_enum(schema: &Value) -> bool {
    let values = schema.list("enum");
    schema.text("type") == Some("string")
        && !values.is_empty()
        && values.iter().all(Value::is_string)
}

/// Names the variants of enums whose values do not give distinct names: signs, an empty string, or words that differ
/// only in case. The document then lists the variants, and the model has the values.
pub(super) fn speakable_enums(document: &mut Value, changes: &mut Changes) {
    let Some(schemas) = document
        .pointer_mut("/components/schemas")
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
