//! Embeds schemas as JSON, for the comparison with responses at run time.
//!
//! Only what can be compared is kept: types, properties, values, formats. Whatever the document's spelling, null is a type or
//! a member of a union, a constant is an enum, and a schema has the type that its keywords imply.

use serde_json::{Map, Value, json};
use syn::{Item, parse_quote};

use crate::openapi::{Additional, BODILESS, JsonType, Schema as _, Target, json_schema, resolve};
use crate::origin::OriginalOperations;
use crate::pointer::Pointer;
use crate::{names, streams, walk};

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
    lines(walk::schemas(original).map(|(name, _)| {
        let schema = comparable(original, &Pointer::schema(name));
        (name.clone(), schema)
    }))
}

/// Returns the content of `responses.json`. `normalized` has the names of the methods, `original` the responses, in its
/// `operations`.
pub(super) fn responses_json(
    normalized: &Value,
    original: &Value,
    operations: &OriginalOperations<'_>,
) -> String {
    let methods = walk::operations(normalized);
    // The items of streams, one after another, beside the components that they refer to.
    let mut items: Option<Value> = None;
    lines(methods.iter().filter_map(|method| {
        let operation = operations.get(&method.pointer)?;
        let object = operation.object;
        let statuses = object.get("responses").and_then(Value::as_object)?;
        let responses = operation.pointer.join("responses");
        let schemas = statuses.keys().filter_map(|status| {
            let has_body = !BODILESS.contains(&status.as_str());
            let schema = has_body.then(|| json_schema(original, &responses.join(status)))??;
            Some((status.clone(), comparable(original, &schema)))
        });
        let mut schemas: Map<String, Value> = schemas.collect();
        let stream = streams::find(original, object, &operation.pointer);
        if let Some(item) = stream.and_then(|stream| stream.item) {
            let document =
                items.get_or_insert_with(|| json!({"components": original.get("components")}));
            document["item"] = item;
            let item = comparable(document, &Pointer::root().join("item"));
            schemas.insert("item".to_owned(), item);
        }
        let method = names::method_name(method.id()?);
        (!schemas.is_empty()).then(|| (method, Value::Object(schemas)))
    }))
}

/// Returns a JSON object with a line for each entry.
fn lines(entries: impl Iterator<Item = (String, Value)>) -> String {
    let lines = entries.map(|(key, value)| format!("\n{}: {value}", Value::String(key)));
    format!("{{{}\n}}\n", lines.collect::<Vec<_>>().join(","))
}

/// Returns what can be compared of the schema at a location.
fn comparable(document: &Value, location: &Pointer) -> Value {
    let Some(resolved) = resolve(document, location, true) else {
        return Value::Bool(true);
    };
    let mut kept = match &resolved.target {
        Target::Named(_, target) => json!({"$ref": target.to_ref()}),
        // The schema may be part of itself.
        Target::Inline(..) if resolved.via.is_some() => Value::Bool(true),
        Target::Inline(location, object) => keywords(document, location, object),
    };
    if resolved.nullable {
        kept = with_null(kept);
    }
    let write_only = resolved.annotation("writeOnly");
    match write_only.is_some_and(|(_, flag)| *flag == true) {
        true => json!({"allOf": [kept], "writeOnly": true}),
        false => kept,
    }
}

fn keywords(document: &Value, location: &Pointer, object: &Map<String, Value>) -> Value {
    let inner = |keyword: &str| comparable(document, &location.join(keyword));
    let list = |keyword: &str| -> Vec<Value> {
        let members =
            (0..object.list(keyword).len()).map(|index| location.join(keyword).join(index));
        members
            .map(|member| comparable(document, &member))
            .collect()
    };
    let types: Vec<&str> = object.types().into_iter().map(JsonType::name).collect();
    let properties = object.properties().map(|(name, _)| {
        let property = location.join("properties").join(name);
        (name.clone(), comparable(document, &property))
    });
    let mut parts = list("allOf");
    parts.extend(
        object
            .reference()
            .map(|base| json!({"$ref": base.to_ref()})),
    );
    let kept = [
        (
            "type",
            match types.as_slice() {
                [only] => json!(only),
                several => json!(several),
            },
        ),
        ("format", json!(object.format())),
        ("enum", json!(object.listed())),
        ("required", object.required().collect()),
        ("properties", Value::Object(properties.collect())),
        (
            "items",
            object.get("items").map_or(Value::Null, |_| inner("items")),
        ),
        (
            "additionalProperties",
            match object.additional() {
                Additional::Of(_) => inner("additionalProperties"),
                Additional::Any => json!(true),
                Additional::Unmentioned | Additional::Forbidden => Value::Null,
            },
        ),
        ("oneOf", list("oneOf").into()),
        ("anyOf", list("anyOf").into()),
        ("allOf", parts.into()),
    ];
    let says_something =
        |(_, value): &(&str, Value)| !value.is_null() && *value != json!([]) && *value != json!({});
    let kept = kept.into_iter().filter(says_something);
    let kept: Map<String, Value> = kept
        .map(|(keyword, value)| (keyword.to_owned(), value))
        .collect();
    match kept.is_empty() {
        true => Value::Bool(true),
        false => Value::Object(kept),
    }
}

/// Returns a schema that also allows null.
fn with_null(mut schema: Value) -> Value {
    let only_null = json!({"type": "null"});
    let is_simple = schema.parts().is_empty();
    if let (true, Some(kind)) = (is_simple, schema.text("type").map(str::to_owned)) {
        schema["type"] = json!([kind, "null"]);
        if let Some(Value::Array(values)) = schema.get_mut("enum") {
            values.push(Value::Null);
        }
        return schema;
    }
    match schema.union() {
        Some((_, members)) if is_simple && members.contains(&only_null) => schema,
        _ if schema == true => schema,
        _ => json!({"anyOf": [schema, only_null]}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origins;

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
        let origins = Origins::default();
        let operations = OriginalOperations::of(&document, &origins, &origins);
        insta::assert_snapshot!(format!(
            "{}\n{}",
            schemas_json(&document),
            responses_json(&document, &document, &operations)
        ));
    }
}
