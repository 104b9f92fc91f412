//! Responses: the body of each status, in a form that progenitor reads.
//!
//! progenitor generates one type for all successes and one for all errors, and panics if the bodies differ. If they do,
//! it gets a single success, and the model has the responses by status. The decoder in `postprocess`
//! then chooses the type by status, never by which type happens to fit.

use serde_json::{Map, Value, json};

use super::{Changes, types};
use crate::media_type::{is_json, response_rank};
use crate::model::{Response, ResponseBody, Responses};
use crate::names;
use crate::openapi::{BODILESS, Schema as _, is_success};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

/// Keywords that do not affect which values are valid.
const ANNOTATIONS: [&str; 7] = [
    "title",
    "description",
    "example",
    "examples",
    "externalDocs",
    "deprecated",
    "contentMediaType",
];

/// The body of a response, as far as decoding depends on it.
#[derive(Clone, Debug, PartialEq)]
enum Body {
    None,
    Json(Value),
    Bytes,
}

/// Reduces each response to one media type, expands `default`, and resolves references, so that later rules see every
/// response in the same form.
pub(super) fn one_media_type(document: &mut Value, changes: &mut Changes) {
    for (pointer, mut responses) in all_responses(document) {
        let mut accept = None;
        for (status, response) in &mut responses {
            let place = pointer.join("responses").join(status);
            if let Some(target) = walk::follow(document, response).cloned() {
                *response = target;
            }
            let Some(response) = response.as_object_mut() else {
                continue;
            };
            for ignored in ["links", "headers"] {
                if response
                    .remove(ignored)
                    .is_some_and(|value| value != json!({}))
                    && ignored == "links"
                {
                    changes.lost(
                        &place.join(ignored),
                        "`links`",
                        "nothing is generated for them",
                    );
                }
            }
            let Some(Value::Object(content)) = response.remove("content") else {
                continue;
            };
            if BODILESS.contains(&status.as_str()) {
                changes.at(&place.join("content"));
                continue;
            }
            let mut media_types: Vec<(String, Value)> = content.into_iter().collect();
            media_types.sort_by_key(|(name, _)| response_rank(name));
            let mut media_types = media_types.into_iter();
            let Some((name, mut media)) = media_types.next() else {
                continue;
            };
            let stream = changes.model.operation(&pointer);
            let stream = stream.and_then(|facts| facts.stream.clone());
            let is_stream = |name: &str| {
                let stream = stream.as_ref();
                stream.is_some_and(|stream| stream.status == *status && stream.media_type == name)
            };
            for (other, _) in media_types.filter(|(name, _)| !is_stream(name)) {
                let what = format!("the media type `{other}` next to `{name}`");
                changes.lost(
                    &place.join("content").join(&other),
                    what,
                    format!("`{name}` is requested and decoded"),
                );
            }
            let place = place.join("content").join(&name);
            let content = if is_json(&name) {
                let is_plain = name.trim().eq_ignore_ascii_case("application/json");
                if !is_plain && is_success(status) {
                    accept.get_or_insert_with(|| name.clone());
                    changes.at(&place);
                }
                if let Some(media) = media.as_object_mut() {
                    media.entry("schema").or_insert_with(|| json!({}));
                    media.remove("encoding");
                }
                json!({"application/json": media})
            } else {
                if !is_stream(&name) {
                    let what = format!("the structure of `{name}`");
                    changes.lost(&place, what, "the body is a stream of bytes");
                }
                json!({name: {}})
            };
            response.insert("content".to_owned(), content);
        }
        spell_out_default(&mut responses);
        spell_out_bodiless(&mut responses);
        if let Some(operation) = document.at_mut(pointer.as_str()) {
            operation["responses"] = Value::Object(responses);
        }
        if accept.is_some() {
            changes.model.operation_mut(&pointer).accept = accept;
        }
    }
}

fn all_responses(document: &Value) -> Vec<(Pointer, Map<String, Value>)> {
    walk::operations(document)
        .into_iter()
        // progenitor has special rules for Dropshot's WebSockets.
        .filter(|operation| operation.object.get("x-dropshot-websocket").is_none())
        .map(|operation| {
            let responses = operation.object.get("responses").and_then(Value::as_object);
            (operation.pointer, responses.cloned().unwrap_or_default())
        })
        .collect()
}

/// Replaces `default`, which means every status that is not listed. Next to a success it means errors. Ranges get a
/// capital X.
fn spell_out_default(responses: &mut Map<String, Value>) {
    let spelled: Map<String, Value> = std::mem::take(responses)
        .into_iter()
        .map(|(status, response)| (status.replace('x', "X"), response))
        .collect();
    *responses = spelled;
    let Some(default) = responses.remove("default") else {
        return;
    };
    if !responses.keys().any(|status| is_success(status)) {
        responses.insert("2XX".to_owned(), default.clone());
    }
    for range in ["4XX", "5XX"] {
        responses.entry(range).or_insert_with(|| default.clone());
    }
}

/// Adds the statuses without a body that `2XX` includes.
fn spell_out_bodiless(responses: &mut Map<String, Value>) {
    let has_json = |response: &Value| response.at("/content/application~1json").is_some();
    if responses.get("2XX").is_some_and(has_json) {
        for status in BODILESS {
            responses
                .entry(status)
                .or_insert_with(|| json!({"description": ""}));
        }
    }
}

/// Names inline response bodies that are objects or unions by their location, so that each is one type, and progenitor
/// does not use a name twice.
pub(super) fn named_bodies(document: &mut Value, changes: &mut Changes) {
    let mut taken = names::type_names(document);
    for (pointer, responses) in all_responses(document) {
        // Bodies with the same meaning become one type.
        let mut seen: Vec<(Value, Value)> = Vec::new();
        for (status, response) in &responses {
            let place = ["content", "application/json", "schema"]
                .iter()
                .fold(pointer.join("responses").join(status), |place, step| {
                    place.join(step)
                });
            let Some(schema) = response.at("/content/application~1json/schema") else {
                continue;
            };
            let meaning = without_annotations(schema);
            let schema = match seen.iter().find(|(other, _)| *other == meaning) {
                Some((_, schema)) => schema.clone(),
                None => {
                    let schema = if needs_name(schema) {
                        let name = names::unique(&names::for_place(document, &place), &mut taken);
                        let reference = Pointer::schema(&name).to_ref();
                        changes.moved(&place, &Pointer::schema(&name));
                        if let Some(schemas) = walk::schemas_mut(document) {
                            schemas.insert(name, schema.clone());
                        }
                        changes.at(&place);
                        json!({"$ref": reference})
                    } else {
                        schema.clone()
                    };
                    seen.push((meaning, schema.clone()));
                    schema
                }
            };
            if let Some(place) = document.at_mut(place.as_str()) {
                *place = schema;
            }
        }
    }
}

fn needs_name(schema: &Value) -> bool {
    let has = |key: &str| schema.get(key).is_some();
    let lists = |key: &str| schema.list(key).len() > 1;
    has("properties") || lists("allOf") || lists("anyOf") || lists("oneOf")
}

/// Returns the schema without keywords that do not affect which values are valid.
pub(super) fn without_annotations(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => {
            let kept = object.iter().filter(|(key, value)| {
                // A property may have the name of an annotation. Its schema is an object.
                let annotation = ANNOTATIONS.contains(&key.as_str()) && !value.is_object();
                !annotation && !key.starts_with("x-") && *key != "example"
            });
            Value::Object(
                kept.map(|(key, value)| (key.clone(), without_annotations(value)))
                    .collect(),
            )
        }
        Value::Array(values) => Value::Array(values.iter().map(without_annotations).collect()),
        other => other.clone(),
    }
}

/// Moves responses whose bodies differ within the successes or within the errors into the model, and leaves one
/// decodable success for progenitor.
pub(super) fn by_status(document: &mut Value, changes: &mut Changes) {
    for (pointer, responses) in all_responses(document) {
        let mut table = [Vec::new(), Vec::new()];
        let mut kept = Map::new();
        for (status, response) in &responses {
            if status.starts_with('1') && status != "101" || status.starts_with('3') {
                let instead = match status.as_str() {
                    "304" => "it is an error",
                    redirect if redirect.starts_with('3') => {
                        "it is an error, which has the target of a redirect"
                    }
                    _ => "the transport never receives it",
                };
                changes.lost(
                    &pointer.join("responses").join(status),
                    format!("the status {status}"),
                    instead,
                );
                continue;
            }
            let is_get = pointer.tokens().last().as_deref() == Some("get");
            let described = walk::follow(document, response);
            let is_described = described.is_none_or(|response| response.get("content").is_some());
            let may_have_body = is_success(status) && !["204", "205"].contains(&status.as_str());
            if is_get && may_have_body && !is_described {
                changes.lost(
                    &pointer.join("responses").join(status),
                    "the body of the response, if it has one: the document has no media type for it",
                    "it is not decoded; `Response::body` has its bytes",
                );
            }
            kept.insert(status.clone(), response.clone());
            table[usize::from(!is_success(status))].push((status.clone(), body(response)));
        }
        let Some(operation) = document.at_mut(pointer.as_str()) else {
            continue;
        };
        let [mut successes, mut errors] = table;
        if !differ(&successes) && !differ(&errors) {
            // progenitor matches ranges before codes, so codes within a range would be unreachable.
            let all = kept.clone();
            kept.retain(|status, _| {
                let range = format!("{}XX", status.get(..1).unwrap_or_default());
                let is_covered = *status != range && all.contains_key(&range);
                if is_covered {
                    changes.at(&pointer.join("responses").join(status));
                }
                !is_covered
            });
            operation["responses"] = Value::Object(kept);
            continue;
        }
        changes.at(&pointer.join("responses"));
        // The first matching arm applies, so codes come before ranges.
        for side in [&mut successes, &mut errors] {
            side.sort_by_key(|(status, _)| (status.ends_with('X'), status.clone()));
        }
        let shown = successes
            .iter()
            .find(|(_, body)| matches!(body, Body::Json(_)))
            .or(successes.first());
        let shown = shown.and_then(|(status, _)| kept.get(status)).cloned();
        let responses = shown
            .map(|response| json!({"200": response}))
            .unwrap_or_else(|| json!({}));
        operation["responses"] = responses;
        changes.model.operation_mut(&pointer).responses = Some(Responses {
            successes: side(successes, &kept),
            errors: side(errors, &kept),
        });
    }
}

fn differ(side: &[(String, Body)]) -> bool {
    side.windows(2).any(|pair| pair[0].1 != pair[1].1)
}

/// Returns the successes or the errors for the model.
fn side(side: Vec<(String, Body)>, responses: &Map<String, Value>) -> Vec<Response> {
    let entries = side.into_iter().map(|(status, body)| {
        let body = match body {
            Body::None => ResponseBody::Empty,
            Body::Json(schema) => ResponseBody::Json(types::type_of(&schema)),
            Body::Bytes => {
                let content = responses[&status].get("content").and_then(Value::as_object);
                let media_type = content.and_then(|content| content.keys().next());
                ResponseBody::Bytes(media_type.cloned().unwrap_or_default())
            }
        };
        Response { status, body }
    });
    entries.collect()
}

fn body(response: &Value) -> Body {
    match response.get("content").and_then(Value::as_object) {
        Some(content) if !content.is_empty() => {
            match response.at("/content/application~1json/schema") {
                Some(schema) => Body::Json(without_annotations(schema)),
                None => Body::Bytes,
            }
        }
        _ => Body::None,
    }
}
