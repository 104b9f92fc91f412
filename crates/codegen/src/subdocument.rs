//! Subdocuments: some objects of a document, with everything that they refer to.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::openapi::Schema as _;
use crate::pointer::{Lookup as _, Pointer};
use crate::walk::{self, Kind};

/// Returns the parameters of the path item, which also belong to the operation at `place`.
fn of_path<'a>(document: &'a Value, place: &Pointer) -> Option<&'a Value> {
    match place.tokens().collect::<Vec<_>>().as_slice() {
        [paths, path, _] if paths == "paths" => document[paths][path].get("parameters"),
        _ => None,
    }
}

/// Returns the objects at `roots` and the components that they refer to, directly or indirectly.
pub(crate) fn transitive_refs(document: &Value, roots: &[Pointer]) -> BTreeSet<Pointer> {
    let mut reached: BTreeSet<Pointer> = BTreeSet::new();
    let mut waiting: Vec<Pointer> = roots.to_vec();
    while let Some(place) = waiting.pop() {
        if reached.contains(&place) {
            continue;
        }
        if let Some(value) = document.at(place.as_str()) {
            let mut note = |_, _: &Pointer, value: &Value| {
                waiting.extend(value.reference());
            };
            walk::walk_from(kind_of(&place), &place, value, &mut note);
            for parameter in of_path(document, &place)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                walk::walk_from(Kind::Parameter, &place, parameter, &mut note);
            }
        }
        reached.insert(place);
    }
    reached
}

fn kind_of(place: &Pointer) -> Kind {
    let tokens: Vec<_> = place.tokens().collect();
    match tokens
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["paths", .., "schema"] => Kind::Schema,
        ["paths", ..] => Kind::Operation,
        ["components", "responses", _] => Kind::Response,
        ["components", "parameters", _] => Kind::Parameter,
        ["components", "requestBodies", _] => Kind::RequestBody,
        ["components", "headers", _] => Kind::Header,
        ["components", "callbacks", _] => Kind::Callback,
        _ => Kind::Schema,
    }
}

/// Returns the document reduced to the objects at `roots` and what they refer to.
pub(crate) fn subdocument(document: &Value, roots: &[Pointer]) -> Value {
    let mut small = json!({"openapi": document["openapi"], "info": document["info"], "paths": {}, "components": {}});
    for place in transitive_refs(document, roots) {
        let Some(value) = document.at(place.as_str()) else {
            continue;
        };
        let tokens: Vec<_> = place.tokens().collect();
        if let Some(parameters) = of_path(document, &place) {
            let path = tokens.iter().take(2).cloned();
            let list: Vec<_> = path.chain(["parameters".to_owned()]).collect();
            put(&mut small, &list, parameters);
        }
        put(&mut small, &tokens, value);
    }
    small
}

/// Inserts `value` at a location, and creates the objects above it.
fn put(target: &mut Value, tokens: &[String], value: &Value) {
    match tokens {
        [] => *target = value.clone(),
        [first, rest @ ..] => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            if let Some(object) = target.as_object_mut() {
                put(object.entry(first).or_insert(Value::Null), rest, value);
            }
        }
    }
}
