//! The content of bodies whose media type does not say what is sent.
//!
//! - A range such as `*/*`, with a schema of anything but a string, is JSON: springdoc writes it where a controller names no
//!   type. Its `StreamingResponseBody` is a stream of bytes, and a list of bytes is binary.
//! - A body with a file is `multipart/form-data`, not the JSON or the form next to it: drf-spectacular lists all three. FastAPI
//!   writes a model with a file as a form alone.
//! - A response that is JSON and a binary string is binary: no JSON value is one. FastAPI and NestJS write it for downloads.
//! - A success that is JSON without a schema, or another type without structure, is of that type: FastAPI lists JSON without
//!   a schema in the success of an operation, next to the types that the operation adds.

use serde_json::{Map, Value};

use crate::media_type::{MediaTypeKind, essence, has_binary_content, is_concrete, is_json};
use crate::openapi::{JsonType, Schema as _, all_properties, is_success, reached};
use crate::pointer::{Lookup as _, Pointer};
use crate::streams;
use crate::unsupported::Unsupported;
use crate::walk::{self, Kind};

/// Replaces the media types that do not say what is sent. Returns the old and the new location of each.
pub(super) fn clarify(
    document: &mut Value,
    unsupported: &mut Vec<Unsupported>,
) -> Vec<(Pointer, Pointer)> {
    let mut moves = Vec::new();
    let mut changed = Vec::new();
    walk::walk(document, &mut |kind, pointer, body| {
        let Some(Value::Object(content)) = body.get("content") else {
            return;
        };
        let place = pointer.join("content");
        let clear = match kind {
            Kind::RequestBody => ranges(document, content).or_else(|| uploads(document, content)),
            Kind::Response => {
                ranges(document, content).or_else(|| files(document, &place, content))
            }
            _ => None,
        };
        changed.extend(clear.map(|clear| (place, kind, clear)));
    });
    for (place, kind, clear) in changed {
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
                        if kind == Kind::RequestBody {
                            let what = if clear == FORM_DATA {
                                format!("a body of type `{name}`, which cannot hold a file")
                            } else {
                                format!("`{name}`, which leaves the media type to the sender")
                            };
                            let instead = format!("the body is sent as `{clear}`");
                            unsupported.push(Unsupported::new(&old, what, instead));
                        }
                        moves.push((old, place.join(&clear)));
                    }
                    content.insert(clear, object);
                }
                None if kind == Kind::RequestBody => unsupported.push(Unsupported::new(
                    &old,
                    format!("a body of type `{name}`, which cannot hold a file"),
                    format!("the body is sent as `{FORM_DATA}`"),
                )),
                None => unsupported.push(Unsupported::new(
                    &old,
                    format!("`{name}` with a schema that says less than another type"),
                    "the response is of the other type",
                )),
            }
        }
    }
    moves
}

/// The clear name of each media type of a body, `None` for one that is left out.
type Clear = Vec<Option<String>>;

const JSON: &str = "application/json";
const BINARY: &str = "application/octet-stream";
const FORM_DATA: &str = "multipart/form-data";

/// Renames a range that is JSON; `None` if there is none.
fn ranges(document: &Value, content: &Map<String, Value>) -> Option<Clear> {
    if content.keys().any(|name| is_json(name)) {
        return None;
    }
    let is_json_range = |(name, object): (&String, &Value)| {
        let is_range = ["*/*", "application/*", "*"].contains(&essence(name).as_str());
        let schema = object.get("schema").filter(|_| is_range);
        schema.is_some_and(|schema| {
            is_json_only(document, schema) && !is_stream_of_bytes(document, schema)
        })
    };
    renamed(content, content.iter().position(is_json_range)?, JSON)
}

/// Renames JSON that is a file, and leaves out JSON that says less than another type next to it; `None` if there is none.
fn files(document: &Value, place: &Pointer, content: &Map<String, Value>) -> Option<Clear> {
    let media_types = content.iter().enumerate();
    let mut all_json = media_types.filter(|(_, (name, _))| is_json(name));
    let (Some((index, (_, object))), None) = (all_json.next(), all_json.next()) else {
        return None;
    };
    let schema = object.get("schema");
    let is_file = |schema: &Value| {
        let schema = walk::follow(document, schema);
        schema.is_some_and(|schema| {
            schema.types() == [JsonType::String] && schema.text("format") == Some("binary")
        })
    };
    if schema.is_some_and(is_file) {
        return renamed(content, index, BINARY);
    }
    // FastAPI titles the schema of a result of any type.
    let says_nothing = |schema: &Value| {
        let mut keywords = schema.as_object().into_iter().flat_map(Map::keys);
        schema.is_object() && keywords.all(|keyword| keyword == "title")
    };
    let is_string = |schema: &Value| {
        let schema = walk::follow(document, schema);
        schema.is_some_and(|schema| schema.types() == [JsonType::String])
    };
    let is_other = |(name, object): (&String, &Value)| {
        let schema = object.get("schema");
        is_concrete(name)
            && matches!(
                MediaTypeKind::of(name),
                MediaTypeKind::Text | MediaTypeKind::Bytes
            )
            && !streams::is_stream(name)
            && schema.is_none_or(|schema| says_nothing(schema) || is_string(schema))
    };
    let steps: Vec<String> = place.tokens().collect();
    let is_of_success = matches!(steps.as_slice(), [.., status, _] if is_success(status));
    let has_example = ["example", "examples"]
        .iter()
        .any(|key| object.get(*key).is_some());
    let json_says_nothing = schema.is_none_or(says_nothing) && !has_example;
    // springdoc writes the type of a result for each media type.
    let is_same_stream = schema.is_some_and(|schema| {
        let mut others = content
            .iter()
            .filter(|(name, _)| !is_json(name) && is_concrete(name));
        is_stream_of_bytes(document, schema)
            && others.any(|(_, other)| other.get("schema") == Some(schema))
    });
    let says_less =
        is_of_success && (json_says_nothing && content.iter().any(is_other) || is_same_stream);
    let clear = content.keys().cloned().map(Some).enumerate();
    let clear = clear.map(|(other, name)| name.filter(|_| other != index));
    says_less.then(|| clear.collect())
}

/// Renames the media type at an index, if the name is free.
fn renamed(content: &Map<String, Value>, index: usize, name: &str) -> Option<Clear> {
    let mut clear: Clear = content.keys().cloned().map(Some).collect();
    *clear.get_mut(index)? = Some(name.to_owned());
    (!content.contains_key(name)).then_some(clear)
}

/// Leaves out JSON and forms with a file next to `multipart/form-data`; `None` if there are none.
fn uploads(document: &Value, content: &Map<String, Value>) -> Option<Clear> {
    let has_file = |object: &Value| {
        object.get("schema").is_some_and(|schema| {
            let properties = all_properties(document, schema);
            properties
                .iter()
                .any(|(_, property, _)| is_file(document, property))
        })
    };
    let is_form = |(name, object): (&String, &Value)| {
        MediaTypeKind::of(name) == MediaTypeKind::Form && has_file(object)
    };
    if content.len() == 1 && content.iter().any(is_form) {
        return renamed(content, 0, FORM_DATA);
    }
    let mut media_types = content.iter();
    media_types.find(|(name, object)| essence(name) == FORM_DATA && has_file(object))?;
    let stays = |name: &str, object: &Value| {
        let is_text = is_json(name) || MediaTypeKind::of(name) == MediaTypeKind::Form;
        !is_text || !has_file(object)
    };
    let clear: Clear = content
        .iter()
        .map(|(name, object)| stays(name, object).then(|| name.clone()))
        .collect();
    clear.contains(&None).then_some(clear)
}

/// Returns true for a file, and for a list of files.
fn is_file(document: &Value, schema: &Value) -> bool {
    let Some(schema) = walk::follow(document, schema) else {
        return false;
    };
    let items = schema
        .get("items")
        .and_then(|items| walk::follow(document, items));
    let is_binary = |schema: &Value| {
        schema.text("format") == Some("binary")
            || schema.as_object().is_some_and(has_binary_content)
    };
    is_binary(schema) || items.is_some_and(is_binary)
}

/// Returns true for the types of springdoc that are bytes: `StreamingResponseBody`, which has no property, and `byte[]`.
fn is_stream_of_bytes(document: &Value, schema: &Value) -> bool {
    let name = schema.text("$ref").unwrap_or_default();
    let target = walk::follow(document, schema).unwrap_or(schema);
    let items = target
        .get("items")
        .and_then(|items| walk::follow(document, items));
    let is_byte = |items: &Value| items.text("format") == Some("byte");
    let is_stream =
        name.ends_with("/StreamingResponseBody") && target.properties().next().is_none();
    is_stream || items.is_some_and(is_byte)
}

/// Returns true for anything but a string, whose text would be JSON and plain text alike, and for a union with that.
fn is_json_only(document: &Value, schema: &Value) -> bool {
    let all = reached(document, schema, true, |schema| {
        let members = schema.union().map(|(_, members)| members);
        schema.parts().iter().chain(members.unwrap_or_default())
    });
    let mut targets = all
        .into_iter()
        .filter(|schema| schema.get("$ref").is_none());
    let is_other = |ty: &JsonType| ![JsonType::String, JsonType::Null].contains(ty);
    targets.any(|schema| schema.types().iter().any(is_other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Returns the media types of a request body or a response with this content, and the number of reports.
    fn clear(content: &Value, owner: &str) -> (Vec<String>, usize) {
        let u = json!({"oneOf": [{"$ref": "#/components/schemas/U"}, {"$ref": "#/components/schemas/U"}, {"type": "string"}]});
        let mut operation = json!({"requestBody": {}, "responses": {"200": {}, "404": {}}});
        *operation.pointer_mut(owner).unwrap() = json!({"content": content});
        let mut document = json!({
            "paths": {"/a": {"post": operation}},
            "components": {"schemas": {
                "Page": {"allOf": [{"type": "object"}]},
                "StreamingResponseBody": {"type": "object"},
                "File": {"type": "string", "format": "binary"},
                "U": u,
            }},
        });
        let mut unsupported = Vec::new();
        clarify(&mut document, &mut unsupported);
        let content = &document["paths"]["/a"]["post"].pointer(owner).unwrap()["content"];
        let names = content.as_object().unwrap().keys().cloned();
        (names.collect(), unsupported.len())
    }

    #[test]
    fn media_types_are_clear() {
        let of = |name: &str| json!({"schema": {"$ref": format!("#/components/schemas/{name}")}});
        let (page, file, itself) = (of("Page"), of("File"), of("U"));
        let any = json!({"schema": {}});
        let stream = of("StreamingResponseBody");
        let bytes =
            json!({"schema": {"type": "array", "items": {"type": "string", "format": "byte"}}});
        let titled = json!({"schema": {"title": "Response Recording"}});
        let text = json!({"schema": {"type": "string"}});
        let union = json!({"schema": {"oneOf": [text["schema"], page["schema"]]}});
        let (body, success, error) = ("/requestBody", "/responses/200", "/responses/404");
        let number = json!({"schema": {"type": ["integer", "null"]}});
        let upload = json!({"schema": {"allOf": [{"properties": {"file": {"type": "array", "items": file["schema"]}}}]}});
        let form = "application/x-www-form-urlencoded";
        let cases: [(Value, &str, &[&str], usize); 28] = [
            (json!({"*/*": number}), success, &[JSON], 0),
            (
                json!({JSON: upload, form: upload, FORM_DATA: upload}),
                body,
                &[FORM_DATA],
                2,
            ),
            (
                json!({JSON: page, FORM_DATA: upload}),
                body,
                &[JSON, FORM_DATA],
                0,
            ),
            (json!({JSON: upload}), body, &[JSON], 0),
            (json!({"*/*": page}), success, &[JSON], 0),
            (json!({"*/*": page}), error, &[JSON], 0),
            (json!({"*/*": page}), body, &[JSON], 1),
            (json!({"*/*": union}), success, &[JSON], 0),
            (json!({"*/*": text}), success, &["*/*"], 0),
            (json!({"*/*": itself}), success, &["*/*"], 0),
            (
                json!({"*/*": page, "application/*": page}),
                success,
                &[JSON, "application/*"],
                0,
            ),
            (json!({"*/*": page, JSON: page}), success, &["*/*", JSON], 0),
            (json!({JSON: file}), success, &[BINARY], 0),
            (json!({JSON: file}), body, &[JSON], 0),
            (
                json!({JSON: file, "application/problem+json": page}),
                success,
                &[JSON, "application/problem+json"],
                0,
            ),
            (
                json!({JSON: any, "application/pdf": {}}),
                success,
                &["application/pdf"],
                1,
            ),
            (
                json!({JSON: titled, "audio/wav": file}),
                success,
                &["audio/wav"],
                1,
            ),
            (
                json!({JSON: {}, "application/pdf": file}),
                success,
                &["application/pdf"],
                1,
            ),
            (
                json!({JSON: any, "application/pdf": {}}),
                error,
                &[JSON, "application/pdf"],
                0,
            ),
            (
                json!({JSON: page, "application/pdf": {}}),
                success,
                &[JSON, "application/pdf"],
                0,
            ),
            (
                json!({JSON: any, "application/cbor": page}),
                success,
                &[JSON, "application/cbor"],
                0,
            ),
            (
                json!({JSON: any, "application/jsonlines": {}}),
                success,
                &[JSON, "application/jsonlines"],
                0,
            ),
            (
                json!({JSON: any, "text/plain": {}}),
                success,
                &["text/plain"],
                1,
            ),
            (
                json!({JSON: any, "text/csv": text}),
                success,
                &["text/csv"],
                1,
            ),
            (json!({form: upload}), body, &[FORM_DATA], 1),
            (
                json!({JSON: stream, "application/pdf": stream}),
                success,
                &["application/pdf"],
                1,
            ),
            (json!({"*/*": stream}), success, &["*/*"], 0),
            (json!({"*/*": bytes}), success, &["*/*"], 0),
        ];
        for (content, owner, names, reports) in cases {
            let names = names.iter().copied().map(str::to_owned).collect();
            assert_eq!(
                clear(&content, owner),
                (names, reports),
                "{owner}: {content}"
            );
        }
    }
}
