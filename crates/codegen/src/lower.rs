//! Lower: rewrites OpenAPI 3.1 and 3.2 documents as OpenAPI 3.0, which progenitor reads.
//!
//! The semantics are those of JSON Schema 2020-12 and OpenAPI 3.1, section 4.8.24. A construct that 3.0 cannot express
//! is removed and reported if it only narrows the valid values; otherwise it is an error. Documents of 3.0 pass through
//! the same step, because many use constructs of 3.1.

mod dynamic;
mod invalid;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::components;
use super::origin::Origins;
use super::unsupported::Unsupported;
use super::walk::{self, Kind};
use crate::openapi::Schema as _;
use crate::pointer::{Lookup as _, Pointer};
use crate::problem::Finding;

/// The version of a lowered document.
pub const LOWERED_VERSION: &str = "3.0.3";

/// Lowers `document`, and records unsupported features and moves.
///
/// # Errors
/// Errors for each construct that 3.0 cannot express without changing the values.
pub fn lower(
    mut document: Value,
    unsupported: &mut Vec<Unsupported>,
    origins: &mut Origins,
) -> Result<Value, Vec<Finding>> {
    let mut findings = Vec::new();
    let version = document.get("openapi").and_then(Value::as_str);
    let is_3_0 = version.is_some_and(|version| version.starts_with("3.0"));
    dynamic::resolve(&mut document, &mut findings);
    inline_media_types(&mut document);
    name_targets(&mut document, origins);
    invalid::security_schemes(&mut document);
    invalid::parameters(&mut document, unsupported);
    walk::walk_mut(&mut document, &mut |kind, pointer, value| {
        plain_reference(value);
        match kind {
            Kind::Schema => {
                if is_3_0 {
                    schema::constraints_of_reference(pointer, value, unsupported);
                }
                schema::schema(pointer, value, unsupported);
            }
            Kind::Operation => {
                if let Some(operation) = value.as_object_mut() {
                    operation.entry("responses").or_insert_with(|| json!({}));
                }
            }
            Kind::Parameter
            | Kind::RequestBody
            | Kind::Response
            | Kind::Header
            | Kind::Link
            | Kind::Example => {
                reference_siblings(pointer, value, unsupported);
            }
            _ => {}
        }
        if kind != Kind::Schema {
            invalid::annotations(kind, value);
        }
    });
    root(&mut document, unsupported);
    if findings.is_empty() {
        Ok(document)
    } else {
        Err(findings)
    }
}

/// Removes what the generator never reads: callbacks, operations with methods that are not in OpenAPI 3.0, and
/// extensions among responses.
pub fn strip(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    if let Some(components) = document
        .get_mut("components")
        .and_then(Value::as_object_mut)
    {
        components.remove("callbacks");
    }
    other_methods(document, unsupported);
    let places: Vec<Pointer> = walk::operations(document)
        .into_iter()
        .map(|operation| operation.pointer)
        .collect();
    for place in places {
        let Some(operation) = document
            .at_mut(place.as_str())
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        if operation.remove("callbacks").is_some() {
            unsupported.push(Unsupported::new(
                &place.join("callbacks"),
                "`callbacks`",
                "nothing is generated, because the caller would serve it",
            ));
        }
        let responses = operation
            .get_mut("responses")
            .and_then(Value::as_object_mut);
        if let Some(responses) = responses {
            responses.retain(|status, _| !status.starts_with("x-"));
        }
    }
}

/// Removes operations with the methods of OpenAPI 3.2, which progenitor does not support.
fn other_methods(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        let Some(item) = item.as_object_mut() else {
            continue;
        };
        let place = Pointer::root().join("paths").join(path);
        let mut report = |place: Pointer, method: &str| {
            unsupported.push(Unsupported::new(
                &place,
                format!("the operation: its HTTP method is `{method}`"),
                "there is no method for it",
            ));
        };
        if item.remove("query").is_some() {
            report(place.join("query"), "QUERY");
        }
        if let Some(Value::Object(others)) = item.remove("additionalOperations") {
            for method in others.keys() {
                report(place.join("additionalOperations").join(method), method);
            }
        }
    }
}

/// Inlines references to media types, which 3.0 does not allow.
fn inline_media_types(document: &mut Value) {
    let mut inlined = Vec::new();
    walk::walk(document, &mut |kind, place, value| {
        if kind == Kind::MediaType && value.get("$ref").is_some() {
            inlined.push((place.clone(), walk::follow(document, value).cloned()));
        }
    });
    for (place, target) in inlined {
        if let (Some(media_type), Some(target)) = (document.at_mut(place.as_str()), target) {
            *media_type = target;
        }
    }
    if let Some(components) = document
        .get_mut("components")
        .and_then(Value::as_object_mut)
    {
        components.remove("mediaTypes");
    }
}

/// Lowers the top level of the document.
fn root(document: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let root = Pointer::root();
    let Some(object) = document.as_object_mut() else {
        return;
    };
    object.insert("openapi".to_owned(), json!(LOWERED_VERSION));
    object.remove("jsonSchemaDialect");
    object.remove("$self");
    object.entry("paths").or_insert_with(|| json!({}));
    // Their bodies are components by now.
    object.remove("webhooks");
    if let Some(info) = object.get_mut("info").and_then(Value::as_object_mut) {
        // The others are documentation, in which documents have mistakes.
        info.retain(|key, _| ["title", "version"].contains(&key.as_str()));
        // In YAML, a version or a title without quotes may be a number.
        for key in ["title", "version"] {
            if let Some(number) = info.get_mut(key).filter(|text| text.is_number()) {
                *number = json!(number.to_string());
                let instead = format!("it is {number}");
                unsupported.push(Unsupported::new(
                    &root.join("info").join(key),
                    "the spelling of a number",
                    instead,
                ));
            }
        }
    }
}

/// Makes every schema that is referred to a component, because progenitor only looks at the last token of a reference.
/// This also removes `$defs`.
fn name_targets(document: &mut Value, origins: &mut Origins) {
    let mut targets = BTreeSet::new();
    walk::walk(document, &mut |kind, _, value| {
        let target = value.reference().filter(|target| !target.is_schema());
        if kind == Kind::Schema {
            targets.extend(target);
        }
    });
    let locations = components::locations(document, targets);
    components::make(document, &locations, origins);
    let renamed: BTreeMap<Pointer, Pointer> = locations.into_iter().collect();
    walk::walk_mut(document, &mut |kind, _, value| {
        if let (Kind::Schema, Some(object)) = (kind, value.as_object_mut()) {
            object.remove("$defs");
            object.remove("definitions");
            if let Some(new) = object.reference().and_then(|target| renamed.get(&target)) {
                object.insert("$ref".to_owned(), json!(new.to_ref()));
            }
        }
    });
}

/// Decodes a percent-encoded reference, because progenitor compares it with names.
fn plain_reference(value: &mut Value) {
    let Some(Value::String(reference)) = value.get_mut("$ref") else {
        return;
    };
    if let Some(target) = Pointer::from_ref(reference).filter(|_| reference.contains('%'))
        // The name itself may look encoded.
        && Pointer::from_ref(&target.to_ref()).as_ref() == Some(&target)
    {
        *reference = target.to_ref();
    }
}

/// Removes `summary` and `description` next to a reference that is not a schema. 3.1 allows them, 3.0 ignores them.
fn reference_siblings(pointer: &Pointer, value: &mut Value, unsupported: &mut Vec<Unsupported>) {
    let Some(object) = value.as_object_mut() else {
        return;
    };
    if object.len() > 1
        && let Some(reference) = object.get("$ref").cloned()
    {
        object.retain(|key, _| key == "$ref");
        let what = "the keywords next to the reference";
        unsupported.push(Unsupported::new(
            pointer,
            what,
            format!("those of {reference} are used"),
        ));
    }
}

#[cfg(test)]
mod tests;
