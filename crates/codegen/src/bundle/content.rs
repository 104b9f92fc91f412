//! The content of bodies whose media type does not say what is sent.
//!
//! - A range such as `*/*`, with the schema of a structure, is JSON: springdoc writes it where a controller names no type.
//! - A response that is JSON and a binary string is binary: no JSON value is one. FastAPI and NestJS write it for downloads.
//! - A response that is JSON without a schema, or a type that is not text, is of that type: FastAPI lists JSON without a
//!   schema in every response, next to the types that an operation adds.

use serde_json::{Map, Value};

use crate::media_type::{MediaTypeKind, essence, is_concrete, is_json};
use crate::openapi::{JsonType, Schema as _};
use crate::pointer::{Lookup as _, Pointer};
use crate::unsupported::Unsupported;
use crate::walk::{self, Kind};

/// The maximum nesting of unions and `allOf`.
const MAX_DEPTH: usize = 16;

/// Replaces the media types that do not say what is sent. Returns the old and the new location of each.
pub(super) fn clarify(
    document: &mut Value,
    unsupported: &mut Vec<Unsupported>,
) -> Vec<(Pointer, Pointer)> {
    let mut moves = Vec::new();
    let mut changed = Vec::new();
    walk::walk(document, &mut |kind, pointer, body| {
        if let (Kind::RequestBody | Kind::Response, Some(Value::Object(content))) =
            (kind, body.get("content"))
        {
            let place = pointer.join("content");
            if let Some(clear) = clarified(document, content, kind == Kind::Response) {
                changed.push((place, clear));
            }
        }
    });
    for (place, clear) in changed {
        let Some(content) = document
            .at_mut(place.as_str())
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        let media_types = std::mem::take(content).into_iter().zip(clear);
        for ((name, object), clear) in media_types {
            let old = place.join(&name);
            match clear {
                Some(clear) => {
                    if clear != name {
                        moves.push((old, place.join(&clear)));
                    }
                    content.insert(clear, object);
                }
                None => unsupported.push(Unsupported::new(
                    &old,
                    format!("`{name}` without a schema"),
                    "another type of the response is requested",
                )),
            }
        }
    }
    moves
}

/// Returns the clear name of each media type, `None` for one that is left out; `None` if all are clear.
fn clarified(
    document: &Value,
    content: &Map<String, Value>,
    is_response: bool,
) -> Option<Vec<Option<String>>> {
    let has = |name: &str| content.contains_key(name);
    let is_binary = |name: &String| {
        is_concrete(name)
            && MediaTypeKind::of(name) == MediaTypeKind::Bytes
            && essence(name) != "text/event-stream"
    };
    let has_binary = content.keys().any(is_binary);
    let clear = content.iter().map(|(name, object)| {
        let schema = object.get("schema");
        let followed = schema.and_then(|schema| walk::follow(document, schema));
        let is_range = ["*/*", "application/*", "*"].contains(&essence(name).as_str());
        if is_range && !content.keys().any(|name| is_json(name)) {
            let is_json = followed.is_some_and(|schema| is_structure(document, schema, 0));
            return Some(if is_json { JSON } else { name }.to_owned());
        }
        if !is_response || !is_json(name) {
            return Some(name.clone());
        }
        let is_untyped = schema.is_none_or(|schema| schema.as_object().is_some_and(Map::is_empty));
        if is_untyped && has_binary {
            return None;
        }
        let is_file = followed.is_some_and(|schema| {
            schema.types() == [JsonType::String] && schema.text("format") == Some("binary")
        });
        Some(
            if is_file && !has(BINARY) {
                BINARY
            } else {
                name
            }
            .to_owned(),
        )
    });
    let clear: Vec<Option<String>> = clear.collect();
    let is_same = clear
        .iter()
        .map(Option::as_ref)
        .eq(content.keys().map(Some));
    (!is_same).then_some(clear)
}

const JSON: &str = "application/json";
const BINARY: &str = "application/octet-stream";

/// Returns true for an object or a list, and for a union with one.
fn is_structure(document: &Value, schema: &Value, depth: usize) -> bool {
    let Some(schema) = walk::follow(document, schema).filter(|_| depth < MAX_DEPTH) else {
        return false;
    };
    let members = schema.union().map_or(&[][..], |(_, members)| members);
    let types = schema.types();
    types.contains(&JsonType::Object)
        || types.contains(&JsonType::Array)
        || (members.iter().chain(schema.parts()))
            .any(|part| is_structure(document, part, depth + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn clear(content: Value, is_response: bool) -> Value {
        let document = json!({"components": {"schemas": {
            "Page": {"allOf": [{"type": "object"}]},
            "File": {"type": "string", "format": "binary"},
        }}});
        let content = content.as_object().unwrap();
        json!(clarified(&document, content, is_response))
    }

    #[test]
    fn media_types_are_clear() {
        let page = json!({"schema": {"$ref": "#/components/schemas/Page"}});
        let text = json!({"schema": {"type": "string"}});
        let file = json!({"schema": {"$ref": "#/components/schemas/File"}});
        let cases = [
            (json!({"*/*": page}), true, json!([JSON])),
            (json!({"*/*": page}), false, json!([JSON])),
            (
                json!({"*/*": {"schema": {"oneOf": [text["schema"], page["schema"]]}}}),
                true,
                json!([JSON]),
            ),
            (json!({"*/*": text}), true, Value::Null),
            (json!({"*/*": {}}), true, Value::Null),
            (json!({"*/*": page, JSON: page}), true, Value::Null),
            (json!({JSON: file}), true, json!([BINARY])),
            (json!({JSON: file}), false, Value::Null),
            (
                json!({JSON: {"schema": {}}, "application/pdf": {}}),
                true,
                json!([null, "application/pdf"]),
            ),
            (
                json!({JSON: page, "application/pdf": {}}),
                true,
                Value::Null,
            ),
            (json!({JSON: {}, "text/plain": {}}), true, Value::Null),
            (
                json!({JSON: {}, "text/event-stream": {}}),
                true,
                Value::Null,
            ),
            (json!({JSON: {}, "*/*": {}}), true, Value::Null),
        ];
        for (content, is_response, expected) in cases {
            let shown = content.to_string();
            assert_eq!(clear(content, is_response), expected, "{shown}");
        }
    }
}
