//! Finds the schemas and operations that progenitor does not support: the document is reduced to one object and what it
//! refers to, until the remainder alone fails.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use proc_macro2::TokenStream;
use serde_json::{Value, json};

use super::{Generate, items, parse};
use crate::model::Model;
use crate::pointer::{Lookup as _, Pointer};
use crate::problem::Finding;
use crate::subdocument::{subdocument, transitive_refs};
use crate::walk;

/// The part of the generation that is repeated to see whether a document fails. Most failures happen long before any
/// code is written.
#[derive(Clone, Copy)]
enum Depth {
    /// Reads each schema and each operation, without writing code.
    Read,
    /// Writes the tokens of the types.
    Tokens,
    /// Writes the tokens of the types and of the client, and parses them.
    Whole,
}

/// Generates up to `depth`. Returns the message of a failure.
fn fails(generate: Generate<'_>, depth: Depth) -> Option<String> {
    match depth {
        Depth::Read => {
            let mut ended = generate.document.clone();
            ended["paths"][END]["get"] = end();
            let ended = Generate {
                document: &ended,
                ..generate
            };
            // The last operation always fails, after everything before it has been read.
            tokens(ended)
                .err()
                .filter(|cause| *cause != failure_at_the_end())
        }
        Depth::Tokens => tokens(generate).err(),
        Depth::Whole => attempt(generate).err(),
    }
}

/// Returns the failure of the document reduced to the objects at `roots` and what they refer to.
fn fails_alone(generate: Generate<'_>, roots: &[Pointer], depth: Depth) -> Option<String> {
    let document = &subdocument(generate.document, roots);
    fails(
        Generate {
            document,
            ..generate
        },
        depth,
    )
}

/// The path of an operation that ends the reading of a document.
const END: &str = "/end-of-document";
const END_ID: &str = "end_of_document";

/// Returns an operation that progenitor refuses while reading, so that it never writes code for the ones before it.
fn end() -> Value {
    json!({"operationId": END_ID, "x-dropshot-websocket": {}, "responses": {}})
}

/// Returns the failure of a document that has nothing but [`end`].
fn failure_at_the_end() -> &'static str {
    static FAILURE: OnceLock<String> = OnceLock::new();
    FAILURE.get_or_init(|| {
        let document = &json!({
            "openapi": "3.0.3",
            "info": {"title": "", "version": ""},
            "paths": {END: {"get": end()}},
        });
        let model = &Model::default();
        let failure = tokens(Generate { document, model }).err();
        failure.unwrap_or_default()
    })
}

/// Returns the smallest objects of the document that fail on their own, at the depth at which the document itself
/// fails.
pub(super) fn isolate(generate: Generate<'_>, cause: &str) -> Vec<Finding> {
    let depth = [Depth::Read, Depth::Tokens]
        .into_iter()
        .find(|depth| fails(generate, *depth).is_some());
    let depth = depth.unwrap_or(Depth::Whole);
    let document = generate.document;
    let remedy = "fix or simplify it in the document";
    let finding = |pointer: &Pointer, what: &str, cause: &str| {
        Finding::new(
            pointer,
            format!("progenitor does not support {what}: {cause}"),
            remedy,
        )
    };
    let root = Pointer::root();
    let schemas = root.join("components").join("schemas");
    let named: Vec<Pointer> = walk::schemas(document)
        .map(|(name, _)| schemas.join(name))
        .collect();
    let mut failing: Vec<(Pointer, String, String)> = failing_alone(generate, &named, depth)
        .into_iter()
        .map(|(pointer, cause)| {
            let name = pointer.tokens().last().unwrap_or_default();
            (pointer, format!("the schema `{name}`"), cause)
        })
        .collect();
    // A schema that only fails because of one it refers to is not a cause.
    let places: BTreeSet<_> = failing
        .iter()
        .map(|(pointer, ..)| pointer.clone())
        .collect();
    failing.retain(|(pointer, ..)| {
        let mut within = transitive_refs(document, std::slice::from_ref(pointer));
        within.remove(pointer);
        within.is_disjoint(&places)
    });
    let mut failing: Vec<_> = failing
        .into_iter()
        .flat_map(
            |failing| match failing_properties(generate, &failing.0, depth) {
                properties if properties.is_empty() => vec![failing],
                properties => properties,
            },
        )
        .collect();
    if failing.is_empty() {
        let operations = walk::operations(document);
        let places: Vec<Pointer> = operations
            .iter()
            .map(|operation| operation.pointer.clone())
            .collect();
        for (place, cause) in failing_alone(generate, &places, depth) {
            let Some(operation) = operations
                .iter()
                .find(|operation| operation.pointer == place)
            else {
                continue;
            };
            let what = format!(
                "the operation `{} {}`",
                operation.method.to_uppercase(),
                operation.path
            );
            failing.push((operation.pointer.clone(), what, cause));
        }
    }
    if failing.is_empty() {
        return vec![finding(&root, "the document as a whole", cause)];
    }
    failing
        .iter()
        .map(|(pointer, what, cause)| finding(pointer, what, cause))
        .collect()
}

/// Returns the properties of a schema that fail on their own, so that the other properties can be kept.
fn failing_properties(
    generate: Generate<'_>,
    schema: &Pointer,
    depth: Depth,
) -> Vec<(Pointer, String, String)> {
    let small = subdocument(generate.document, std::slice::from_ref(schema));
    let properties = schema.join("properties");
    let names = small
        .at(properties.as_str())
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name);
    let with_only = |name: Option<&String>| {
        let mut alone = small.clone();
        let object = alone.at_mut(schema.as_str())?;
        object["required"] = json!([]);
        object["properties"]
            .as_object_mut()?
            .retain(|other, _| Some(other) == name);
        let document = &alone;
        fails(
            Generate {
                document,
                ..generate
            },
            depth,
        )
    };
    // A failure without any property is not caused by a property.
    if with_only(None).is_some() {
        return Vec::new();
    }
    let failing = names.filter_map(|name| {
        let cause = with_only(Some(name))?;
        Some((
            properties.join(name),
            format!("the property `{name}`"),
            cause,
        ))
    });
    failing.collect()
}

/// Returns the locations that fail on their own, each with the message. The search is a bisection, because usually few
/// of many fail.
fn failing_alone(
    generate: Generate<'_>,
    places: &[Pointer],
    depth: Depth,
) -> Vec<(Pointer, String)> {
    if places.is_empty() {
        return Vec::new();
    }
    match (fails_alone(generate, places, depth), places) {
        (None, _) => Vec::new(),
        (Some(cause), [place]) => vec![(place.clone(), cause)],
        (Some(_), _) => {
            let (first, second) = places.split_at(places.len() / 2);
            let mut failing = failing_alone(generate, first, depth);
            failing.extend(failing_alone(generate, second, depth));
            failing
        }
    }
}

/// Generates the types of schemas and operations.
fn tokens(generate: Generate<'_>) -> Result<TokenStream, String> {
    generate.types(generate.read_whole()?)
}

/// Generates everything, and parses it.
fn attempt(generate: Generate<'_>) -> Result<(), String> {
    let (schemas, requests) = generate.read()?;
    parse(items(generate.types(schemas)?))?;
    parse(generate.client(requests)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(schemas: Value) -> Value {
        json!({
            "openapi": "3.0.3",
            "info": {"title": "t", "version": "1"},
            "paths": {},
            "components": {"schemas": schemas},
        })
    }

    fn failure(document: &Value, depth: Depth) -> Option<String> {
        let model = &Model::default();
        fails(Generate { document, model }, depth)
    }

    #[test]
    fn unreadable_schema_fails_at_each_depth() {
        let good = document(json!({"Good": {"type": "object"}}));
        for depth in [Depth::Read, Depth::Tokens, Depth::Whole] {
            assert_eq!(failure(&good, depth), None);
        }
        let bad = json!({"Bad": {"type": "object", "format": "uri-map"}});
        for depth in [Depth::Read, Depth::Tokens, Depth::Whole] {
            assert!(failure(&document(bad.clone()), depth).is_some());
        }
    }
}
