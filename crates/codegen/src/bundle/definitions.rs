//! The definitions of a schema that was pasted from a JSON Schema.
//!
//! pydantic writes the models that a model refers to into its `$defs`, and refers to them from the root of the schema:
//! `#/$defs/Part`. In an OpenAPI document, that is the root of the document, where nothing is. FastAPI's documentation pastes
//! such schemas with `openapi_extra`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::components;
use crate::load::Source;
use crate::pointer::{Lookup as _, Pointer};
use crate::walk::{self, Kind};

/// The beginnings of references to such a definition.
const ROOTS: [&str; 2] = ["#/$defs/", "#/definitions/"];

/// Makes components of the definitions that are referred to from the root of an enclosing schema. A reference that has a
/// target does not change.
pub(super) fn hoist(source: &mut Source) {
    let document = &mut source.document;
    if !has_candidates(document) {
        return;
    }
    let found = references(document);
    let targets = found.iter().map(|(_, target)| target.clone()).collect();
    let locations = components::locations(document, targets);
    let renamed: BTreeMap<&Pointer, &Pointer> =
        locations.iter().map(|(old, new)| (old, new)).collect();
    for (place, target) in &found {
        if let (Some(old), Some(new)) = (document.at_mut(place.as_str()), renamed.get(target)) {
            *old = json!(new.to_ref());
        }
    }
    components::make(document, &locations, &mut source.origins);
}

fn is_candidate(reference: &str) -> bool {
    ROOTS.iter().any(|root| reference.starts_with(root))
}

/// Returns true if any text looks like such a reference, which takes less time to find out than a walk of the document.
fn has_candidates(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.values().any(has_candidates),
        Value::Array(values) => values.iter().any(has_candidates),
        Value::String(text) => is_candidate(text),
        _ => false,
    }
}

/// Returns the locations of the references without a target, and the definition that the innermost enclosing schema has for
/// each.
fn references(document: &Value) -> Vec<(Pointer, Pointer)> {
    let mut found = Vec::new();
    walk::walk(document, &mut |kind, pointer, schema| {
        if kind != Kind::Schema {
            return;
        }
        let mut add = |place: Pointer, reference: &Value| {
            let reference = reference.as_str().filter(|text| is_candidate(text));
            let target = reference.and_then(Pointer::from_ref);
            if let Some(target) = target.and_then(|target| definition(document, &place, &target)) {
                found.push((place, target));
            }
        };
        if let Some(reference) = schema.get("$ref") {
            add(pointer.join("$ref"), reference);
        }
        let mapping = schema
            .at("/discriminator/mapping")
            .and_then(Value::as_object);
        for (tag, reference) in mapping.into_iter().flatten() {
            let place = pointer.join("discriminator").join("mapping").join(tag);
            add(place, reference);
        }
    });
    found
}

/// Returns the location of the definition that a reference at `place` means; `None` if it has a target, or there is none.
fn definition(document: &Value, place: &Pointer, target: &Pointer) -> Option<Pointer> {
    let is_there = |pointer: &Pointer| document.at(pointer.as_str()).is_some();
    if is_there(target) {
        return None;
    }
    let mut enclosing = vec![Pointer::root()];
    for token in place.tokens() {
        let outer = enclosing.last().map(|outer| outer.join(token));
        enclosing.extend(outer);
    }
    let candidates = enclosing.iter().rev();
    candidates
        .map(|schema| schema.append(target.as_str()))
        .find(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_of_the_innermost_schema_become_components() {
        let reference = |to: &str| json!({"$ref": to});
        let mut source = Source {
            document: json!({
                "components": {"schemas": {
                    "Own": {},
                    "A": {
                        "$defs": {"part": {"properties": {"next": reference("#/$defs/part")}}, "Own": {"type": "string"}},
                        "items": {"$defs": {"Own": {"type": "integer"}}, "anyOf": [reference("#/$defs/Own"), reference("#/$defs/part")]},
                        "not": reference("#/$defs/Own"),
                        "discriminator": {"propertyName": "p", "mapping": {"part": "#/$defs/part", "other": "Other"}},
                        "example": reference("#/$defs/part"),
                        "oneOf": [reference("#/definitions/Known"), reference("#/$defs/Missing")],
                        "definitions": {"Known": {}},
                    },
                }},
                "definitions": {"Known": {}},
            }),
            ..Source::default()
        };
        hoist(&mut source);
        insta::assert_json_snapshot!(source.document);
    }
}
