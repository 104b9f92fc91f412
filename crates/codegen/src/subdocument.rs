//! Subdocuments: some objects of a document, with everything that they refer to.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::openapi::Schema as _;
use crate::pointer::{Lookup as _, Pointer};
use crate::walk::{self, Kind};

/// Returns the parameters of the path item, which also belong to the operation at `place`.
fn of_path<'a>(document: &'a Value, place: &Pointer) -> Option<&'a Value> {
    let (path_item, _) = place.as_str().rsplit_once('/')?;
    let is_path_item = path_item.starts_with("/paths/") && path_item.matches('/').count() == 2;
    is_path_item.then(|| document.at(path_item)?.get("parameters"))?
}

/// Returns the objects at `roots` and the components that they refer to, directly or indirectly.
pub(crate) fn transitive_refs(document: &Value, roots: &[Pointer]) -> BTreeSet<Pointer> {
    let mut reached: BTreeSet<Pointer> = BTreeSet::new();
    let mut waiting: Vec<Pointer> = roots.to_vec();
    let mut references: BTreeSet<&str> = BTreeSet::new();
    while let Some(place) = waiting.pop() {
        if reached.contains(&place) {
            continue;
        }
        if let Some(value) = document.at(place.as_str()) {
            let mut note = |_, _: &Pointer, value| {
                let reference = Value::text(value, "$ref");
                // Most schemas are referred to several times.
                let new = reference.filter(|reference| references.insert(reference));
                waiting.extend(new.and_then(Pointer::from_ref));
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
    // No name of a component matters, so the tokens can stay escaped.
    let tokens: Vec<&str> = place.as_str().split('/').skip(1).collect();
    match tokens.as_slice() {
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
