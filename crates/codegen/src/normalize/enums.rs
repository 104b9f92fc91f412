//! String enums: a name for each, and which of them must stay closed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Changes;
use crate::pointer::Pointer;
use crate::walk::{self, Kind};
use crate::{lower, names};

/// A string enum that stands inline becomes a named schema; what tells the members of a union apart stays where it is,
/// since typify recognizes it there only.
pub(super) fn named_enums(document: &mut Value, changes: &mut Changes) {
    let tags = tag_places(document);
    let mut inline = Vec::new();
    walk::walk(document, &mut |kind, pointer, value| {
        let named =
            pointer.tokens().take(2).eq(["components", "schemas"]) && pointer.tokens().count() == 3;
        if kind == Kind::Schema && !named && !tags.contains(pointer) && is_string_enum(value) {
            inline.push(pointer.clone());
        }
    });
    let mut taken: BTreeSet<String> = walk::schemas(document)
        .map(|(name, _)| names::type_name(name))
        .collect();
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
        if let Some(schemas) = lower::schemas_mut(document) {
            changes.moved(&pointer, &Pointer::schema(&name));
            schemas.insert(name, schema);
            changes.at(&pointer);
        }
    }
}

fn is_string_enum(schema: &Value) -> bool {
    schema.get("type") == Some(&json!("string"))
        && schema
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|values| !values.is_empty() && values.iter().all(Value::is_string))
}

/// The string enums that must stay closed: a property of one value by which a member of a union is told from the others.
/// Were it open, the first member of the union would fit everything.
pub fn tag_places(document: &Value) -> BTreeSet<Pointer> {
    let mut tags = BTreeSet::new();
    walk::walk(document, &mut |kind, pointer, value| {
        if kind != Kind::Schema {
            return;
        }
        for combinator in ["anyOf", "oneOf"] {
            let members = value
                .get(combinator)
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            let mut found: BTreeMap<String, Vec<(Pointer, String)>> = BTreeMap::new();
            for index in 0..members {
                let member = pointer.join(combinator).join(index);
                collect_tags(document, &member, &mut found, &mut BTreeSet::new());
            }
            // What has one value everywhere tells nothing apart.
            for places in found.into_values() {
                if places.iter().any(|(_, value)| *value != places[0].1) {
                    tags.extend(places.into_iter().map(|(place, _)| place));
                }
            }
        }
    });
    tags
}

/// The properties of a member that have a single value, with their places and values.
fn collect_tags(
    document: &Value,
    member: &Pointer,
    found: &mut BTreeMap<String, Vec<(Pointer, String)>>,
    seen: &mut BTreeSet<Pointer>,
) {
    let Some((place, schema)) = locate(document, member) else {
        return;
    };
    if !seen.insert(place.clone()) {
        return;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, _) in properties.into_iter().flatten() {
        let Some((place, property)) = locate(document, &place.join("properties").join(name)) else {
            continue;
        };
        if let Some([Value::String(value)]) = property
            .get("enum")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            && is_string_enum(property)
        {
            found
                .entry(name.clone())
                .or_default()
                .push((place, value.clone()));
        }
    }
    for index in 0..schema
        .get("allOf")
        .and_then(Value::as_array)
        .map_or(0, Vec::len)
    {
        collect_tags(document, &place.join("allOf").join(index), found, seen);
    }
}

/// The object at a place, and its own place, after references.
pub(super) fn locate<'a>(document: &'a Value, place: &Pointer) -> Option<(Pointer, &'a Value)> {
    let mut place = place.clone();
    for _ in 0..64 {
        let value = document.pointer(place.as_str())?;
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => place = Pointer::from_ref(reference)?,
            None => return Some((place, value)),
        }
    }
    None
}

/// A name for each variant where the values give none of their own: signs, an empty string, or words that differ only in
/// case. The document then lists the names, and an `x-codegen` object beside them the values.
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
        let values: Vec<String> = schema["enum"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let mut distinct: BTreeSet<String> = BTreeSet::new();
        let plain = values.iter().all(|value| {
            value.chars().any(char::is_alphanumeric) && distinct.insert(names::type_name(value))
        });
        if plain {
            continue;
        }
        let mut taken = BTreeSet::new();
        let mut named = serde_json::Map::new();
        for value in &values {
            // A value that is listed twice is one.
            if !named.values().any(|other| other == value) {
                let spoken = names::unique(&names::display_name(value), &mut taken);
                named.insert(names::type_name(&spoken), json!(value));
            }
        }
        schema["enum"] = named.keys().map(|name| json!(name)).collect();
        schema["x-codegen"] = json!({"values": named});
        changes.at(&Pointer::schema(name).join("enum"));
    }
}
