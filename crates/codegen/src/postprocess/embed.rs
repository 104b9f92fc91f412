//! Embeds schemas as JSON, for the comparison with responses at run time.
//!
//! Only what can be compared is kept: types, properties, values, formats.

use serde_json::{Map, Value};
use syn::{Item, parse_quote};

use crate::media_type::is_json;
use crate::openapi::BODILESS;
use crate::{names, streams, walk};

/// The keywords that are kept, by their content.
const ONE: [&str; 2] = ["items", "additionalProperties"];
const LIST: [&str; 3] = ["anyOf", "oneOf", "allOf"];
const AS_IS: [&str; 7] = [
    "type",
    "format",
    "enum",
    "const",
    "required",
    "nullable",
    "writeOnly",
];

/// Returns `SCHEMAS` for the types crate.
pub(super) fn schemas() -> Item {
    parse_quote! {
        /// The document's schemas as JSON, without what nothing can be compared with: descriptions, examples, limits.
        pub const SCHEMAS: &str = include_str!("schemas.json");
    }
}

/// Returns `RESPONSES` for the client crate.
pub(super) fn responses() -> Item {
    parse_quote! {
        /// The responses as JSON, by operation and status (`200`, `2XX`, `default`; `item` for the items of a stream):
        /// schemas, which may refer to `types::SCHEMAS`.
        pub const RESPONSES: &str = include_str!("responses.json");
    }
}

/// Returns the content of `schemas.json`.
pub(super) fn schemas_json(original: &Value) -> String {
    lines(walk::schemas(original).map(|(name, schema)| (name.clone(), reduced(schema))))
}

/// Returns the content of `responses.json`. `normalized` has the names of the methods, `original` the responses.
pub(super) fn responses_json(normalized: &Value, original: &Value) -> String {
    let operations = walk::operations(normalized);
    lines(operations.iter().filter_map(|operation| {
        let object = original.pointer(operation.pointer.as_str())?;
        let statuses = object.get("responses").and_then(Value::as_object)?;
        let schemas = statuses.iter().filter_map(|(status, response)| {
            // These statuses have no body, whatever the document says.
            let has_body = !BODILESS.contains(&status.as_str());
            let schema = has_body.then(|| json_schema(original, response))??;
            Some((status.clone(), reduced(schema)))
        });
        let mut schemas: Map<String, Value> = schemas.collect();
        let stream = streams::find(original, object, &operation.pointer);
        if let Some(item) = stream.and_then(|stream| stream.item) {
            schemas.insert("item".to_owned(), reduced(&item));
        }
        let method = names::method_name(operation.id()?);
        (!schemas.is_empty()).then(|| (method, Value::Object(schemas)))
    }))
}

/// Returns a JSON object with a line for each entry.
fn lines(entries: impl Iterator<Item = (String, Value)>) -> String {
    let lines = entries.map(|(key, value)| format!("\n{}: {value}", Value::String(key)));
    format!("{{{}\n}}\n", lines.collect::<Vec<_>>().join(","))
}

fn json_schema<'a>(document: &'a Value, response: &'a Value) -> Option<&'a Value> {
    let content = walk::follow(document, response)?
        .get("content")?
        .as_object()?;
    let media_type = content.iter().find(|(name, _)| is_json(name))?;
    media_type.1.get("schema")
}

fn reduced(schema: &Value) -> Value {
    let Some(object) = schema.as_object() else {
        return schema.clone();
    };
    if let Some(reference) = object.get("$ref") {
        return Value::Object(Map::from_iter([("$ref".to_owned(), reference.clone())]));
    }
    let kept = object.iter().filter_map(|(key, value)| {
        let value = match (key.as_str(), value) {
            (key, _) if AS_IS.contains(&key) => value.clone(),
            (key, _) if ONE.contains(&key) => reduced(value),
            (key, Value::Array(list)) if LIST.contains(&key) => list.iter().map(reduced).collect(),
            ("properties", Value::Object(properties)) => properties
                .iter()
                .map(|(name, schema)| (name.clone(), reduced(schema)))
                .collect(),
            _ => return None,
        };
        Some((key.clone(), value))
    });
    Value::Object(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn comparable_keywords_are_embedded() {
        let document = json!({
            "paths": {"/pets/{id}": {"get": {
                "operationId": "getPet",
                "responses": {
                    "200": {"description": "A pet", "content": {
                        "text/plain": {"schema": {"type": "string"}},
                        "application/json; charset=utf-8": {"schema": {"$ref": "#/components/schemas/pet"}},
                    }},
                    "404": {"$ref": "#/components/responses/None"},
                    "default": {"description": "no body"},
                },
            }}},
            "components": {
                "responses": {"None": {"content": {"application/problem+json": {"schema": {"type": "object"}}}}},
                "schemas": {"pet": {
                    "type": "object",
                    "description": "Says \"# and more",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "enum": ["\"# of all"], "maxLength": 3, "example": "x"},
                        "description": {"type": "string", "x-more": 1},
                        "owner": {"anyOf": [{"$ref": "#/components/schemas/pet", "description": "y"}, {"type": "null"}]},
                        "tags": {"type": "array", "items": {"type": "string", "title": "z"}},
                        "any": true,
                    },
                    "additionalProperties": {"type": "integer", "format": "int64", "minimum": 0},
                }},
            },
        });
        insta::assert_snapshot!(format!(
            "{}\n{}",
            schemas_json(&document),
            responses_json(&document, &document)
        ));
    }
}
