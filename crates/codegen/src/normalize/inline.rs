//! Names of inline schemas, from their titles or their locations. The names that typify would choose are not unique, so
//! the crate would not compile.

use serde_json::{Value, json};

use super::Changes;
use super::responses::without_annotations;
use super::unions;
use crate::names;
use crate::openapi::{Schema as _, is_annotation};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk::{self, Kind};

/// Keywords that describe the location, not the schema at it.
const OF_THE_PLACE: [&str; 5] = [
    "description",
    "default",
    "nullable",
    "deprecated",
    "readOnly",
];

/// Makes inline objects and unions components.
pub(super) fn named_schemas(document: &mut Value, changes: &mut Changes) {
    let mut inline = Vec::new();
    walk::walk(document, &mut |kind, pointer, value| {
        if kind == Kind::Schema
            && !pointer.is_schema()
            && !is_part(document, pointer)
            && becomes_type(value)
        {
            inline.push(pointer.clone());
        }
    });
    // Inner schemas first: outer ones then contain references to them.
    inline.sort_by_key(|pointer| std::cmp::Reverse(pointer.tokens().count()));
    let mut taken = names::type_names(document);
    let mut titled: Vec<(String, Value, String)> = Vec::new();
    for pointer in inline {
        let Some(schema) = document.at(pointer.as_str()).cloned() else {
            continue;
        };
        let title = schema
            .get("title")
            .and_then(Value::as_str)
            .map(names::type_name)
            .filter(|title| title.len() > 1);
        let meaning = without_annotations(&schema);
        // Schemas with the same title and the same meaning are one type.
        let known = titled
            .iter()
            .find(|(other, same, _)| Some(other) == title.as_ref() && *same == meaning)
            .map(|(.., name)| name.clone());
        let name = match known.clone() {
            Some(name) => name,
            None => {
                let by_place = unions::member_name(document, &pointer)
                    .unwrap_or_else(|| names::for_place(document, &pointer));
                let name = match &title {
                    Some(title) if !taken.contains(title) => names::unique(title, &mut taken),
                    _ => names::unique(&by_place, &mut taken),
                };
                if let Some(title) = title {
                    titled.push((title, meaning, name.clone()));
                }
                name
            }
        };
        let reference = Pointer::schema(&name).to_ref();
        let mut place = json!({"$ref": reference});
        let mut component = schema.clone();
        if let (Some(object), Some(outer)) = (component.as_object_mut(), schema.as_object()) {
            let keywords: Vec<_> = outer
                .iter()
                .filter(|(key, _)| OF_THE_PLACE.contains(&key.as_str()))
                .collect();
            if !keywords.is_empty() {
                place = json!({"allOf": [place]});
                for (key, value) in keywords {
                    place[key] = value.clone();
                    if key != "description" {
                        object.remove(key);
                    }
                }
            }
        }
        if let Some(at) = document.at_mut(pointer.as_str()) {
            *at = place;
        }
        if known.is_none() {
            changes.moved(&pointer, &Pointer::schema(&name));
            changes.model.inline.insert(name.clone());
        }
        if let Some(schemas) = walk::schemas_mut(document) {
            schemas.entry(name).or_insert(component);
        }
        changes.at(&pointer);
    }
}

/// Removes titles, from which typify would also derive names. Every schema that needs a name has one by now.
pub(super) fn no_titles(document: &mut Value, _: &mut Changes) {
    walk::walk_mut(document, &mut |kind, pointer, value| {
        if let (Kind::Schema, Some(object)) = (kind, value.as_object_mut())
            && let Some(title) = object.remove("title")
            && pointer.is_schema()
        {
            object.entry("description").or_insert(title);
        }
    });
}

/// Returns true for a member of `allOf`, which is part of another type. The only one of a schema that says nothing else is
/// that type.
fn is_part(document: &Value, pointer: &Pointer) -> bool {
    let tokens: Vec<_> = pointer.tokens().collect();
    let [outer @ .., keyword, _] = tokens.as_slice() else {
        return false;
    };
    let whole = outer.iter().fold(Pointer::root(), |at, step| at.join(step));
    let is_only = || {
        let schema = document.at(whole.as_str()).and_then(Value::as_object);
        schema.is_some_and(|schema| {
            let says_more = |key: &&String| {
                *key != "allOf" && !OF_THE_PLACE.contains(&key.as_str()) && !is_annotation(key)
            };
            schema.only_part().is_some() && !schema.keys().any(|key| says_more(&key))
        })
    };
    keyword == "allOf" && (whole.is_schema() || !is_only() || is_part(document, &whole))
}

fn becomes_type(schema: &Value) -> bool {
    let several = |key: &str| schema.list(key).len() > 1;
    schema.properties().next().is_some() || ["allOf", "anyOf", "oneOf"].into_iter().any(several)
}
