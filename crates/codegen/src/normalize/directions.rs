//! Properties of one direction: a `readOnly` one is required in responses only, a `writeOnly` one in requests only.

use std::collections::BTreeSet;

use serde_json::Value;

use super::schemas::has_schema;
use super::{Changes, absence};
use crate::model::Type;
use crate::openapi::{DIRECTIONS, Schema as _, parts};
use crate::pointer::{Lookup as _, Pointer};
use crate::subdocument::transitive_refs;
use crate::walk::{self, Kind};

/// Makes properties of the other direction optional in schemas that are only sent, or only received.
pub(super) fn one_directional(document: &mut Value, changes: &mut Changes) {
    optional(document, changes, |ways| ways.is_sent != ways.is_received);
}

/// Does the same in all schemas, which now have the properties of the schemas that they are composed of. The model has
/// the `readOnly` properties that are optional because the schema is also sent: the decoder requires them.
pub(super) fn two_directional(document: &mut Value, changes: &mut Changes) {
    optional(document, changes, |_| true);
}

/// The directions of a schema.
#[derive(Clone, Copy)]
struct Ways {
    is_sent: bool,
    is_received: bool,
}

fn optional(document: &mut Value, changes: &mut Changes, applies: fn(Ways) -> bool) {
    if !has_schema(document, |schema| {
        DIRECTIONS.iter().any(|keyword| schema.has_flag(keyword))
    }) {
        return;
    }
    let mut received = absence::received(document);
    let webhooks = changes.model.webhooks.iter();
    let webhooks = webhooks.map(|webhooks| Pointer::schema(&webhooks.schema));
    let operations = changes.model.operations.values();
    let streams = operations.filter_map(|operation| match &operation.stream.as_ref()?.item {
        Type::Schema(name) => Some(Pointer::schema(name)),
        _ => None,
    });
    let roots: Vec<Pointer> = webhooks.chain(streams).collect();
    received.extend(transitive_refs(document, &roots));
    let sent = absence::sent(document);
    let mut reduced: Vec<(Pointer, Vec<Value>)> = Vec::new();
    walk::walk(document, &mut |kind, pointer, schema| {
        let required = schema.list("required");
        if kind != Kind::Schema || required.is_empty() {
            return;
        }
        let ways = Ways {
            is_sent: is_within(pointer, &sent),
            is_received: is_within(pointer, &received),
        };
        let property = |name: &str| schema.get("properties")?.get(name);
        let is = |name: &Value, keyword: &str| {
            let property = name.as_str().and_then(property);
            property.is_some_and(|property| says(document, property, keyword))
        };
        // Required in responses, or in requests, but not in every value of the type.
        let read = |name: &&Value| (ways.is_sent || !ways.is_received) && is(name, "readOnly");
        let write = |name: &&Value| (ways.is_received || !ways.is_sent) && is(name, "writeOnly");
        let kept: Vec<Value> = required
            .iter()
            .filter(|name| !read(name) && !write(name))
            .cloned()
            .collect();
        if !applies(ways) || kept.len() == required.len() {
            return;
        }
        let place = pointer.join("required");
        changes.at(&place);
        if ways.is_sent == ways.is_received {
            let must = required.iter().filter(read).filter_map(Value::as_str);
            let must = must.filter_map(|name| {
                let takes_null = absence::takes_null(document, property(name)?);
                Some((name.to_owned(), takes_null))
            });
            let must = must.collect::<Vec<_>>();
            if !must.is_empty() {
                changes.model.schema_mut(pointer).received.extend(must);
            }
            if required.iter().any(|name| write(&name)) {
                let what = "that a `writeOnly` property is required in requests";
                changes.lost(&place, what, "it may be left out");
            }
        }
        reduced.push((place, kept));
    });
    for (place, kept) in reduced {
        if let Some(required) = document.at_mut(place.as_str()) {
            *required = Value::Array(kept);
        }
    }
}

/// Returns true if the location is one of the roots, or inside one.
fn is_within(pointer: &Pointer, roots: &BTreeSet<Pointer>) -> bool {
    let text = pointer.as_str();
    let ends = text.match_indices('/').map(|(end, _)| end);
    ends.chain([text.len()])
        .any(|end| roots.contains(&text[..end]))
}

/// Returns true if the schema, or one that it wraps, has the keyword.
fn says(document: &Value, schema: &Value, keyword: &str) -> bool {
    let mut parts = parts(document, schema).into_iter();
    parts.any(|part| part.has_flag(keyword))
}
