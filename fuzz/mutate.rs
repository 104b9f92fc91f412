//! Random changes of OpenAPI documents that keep them JSON and nearly valid, as a vendor might send them.
//!
//! Shared by the fuzz targets `codegen` and `prove` and by `crates/codegen/tests/mutations.rs`.

use serde_json::{Map, Value, json};

/// Keywords of OpenAPI and of JSON Schema.
const KEYS: [&str; 40] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "content",
    "default",
    "deprecated",
    "description",
    "discriminator",
    "encoding",
    "enum",
    "examples",
    "explode",
    "format",
    "if",
    "in",
    "items",
    "maximum",
    "name",
    "not",
    "nullable",
    "oneOf",
    "operationId",
    "parameters",
    "patternProperties",
    "prefixItems",
    "properties",
    "readOnly",
    "requestBody",
    "required",
    "responses",
    "schema",
    "security",
    "style",
    "title",
    "type",
    "uniqueItems",
    "200",
    "default",
];

const STRINGS: [&str; 40] = [
    "",
    " ",
    "string",
    "integer",
    "number",
    "boolean",
    "object",
    "array",
    "null",
    "date-time",
    "uuid",
    "byte",
    "int64",
    "path",
    "query",
    "header",
    "cookie",
    "deepObject",
    "spaceDelimited",
    "matrix",
    "form",
    "type",
    "Self",
    "self",
    "r#type",
    "Date<",
    "Date>",
    "date",
    "==",
    "||",
    "1st",
    "ümlaut",
    "\u{0}",
    "application/json",
    "application/problem+json",
    "multipart/form-data",
    "text/event-stream",
    "*/*",
    "#/components/schemas/None",
    "#/paths",
];

/// Makes `edits` changes. `choose` returns a number below its argument, which is at least 1.
pub(crate) fn mutate(document: &mut Value, edits: usize, choose: &mut dyn FnMut(usize) -> usize) {
    for _ in 0..edits {
        let mut pointers = Vec::new();
        collect(document, &mut String::new(), &mut pointers);
        let pointer = pointers[choose(pointers.len())].clone();
        let other = &pointers[choose(pointers.len())];
        let other = document.pointer(other).cloned().unwrap_or_default();
        let string = string(document, choose);
        let key = KEYS[choose(KEYS.len())];
        let kind = choose(10);
        let Some(value) = document.pointer_mut(&pointer) else {
            continue;
        };
        let original = value.clone();
        match (kind, &mut *value) {
            (0 | 1, Value::Object(members)) if !members.is_empty() => {
                let name = members.keys().nth(choose(members.len())).cloned();
                if let Some(removed) = name.and_then(|name| members.remove(&name))
                    && kind == 1
                {
                    members.insert(string, removed);
                }
            }
            (0 | 1, Value::Array(items)) if !items.is_empty() => {
                drop(items.remove(choose(items.len())))
            }
            (2 | 3, Value::Object(members)) => {
                let added = if kind == 2 {
                    other
                } else {
                    literal(choose, string)
                };
                members.insert(key.to_owned(), added);
            }
            (2 | 3, Value::Array(items)) => items.push(other),
            (4, _) => *value = other,
            (5, _) => *value = json!({"allOf": [original, other]}),
            (6, _) => *value = json!({"anyOf": [original, {"type": "null"}]}),
            (7, _) => *value = json!({"type": "array", "items": original}),
            (8, Value::String(text)) => *text = string,
            _ => *value = literal(choose, string),
        }
    }
}

/// Returns a string of `STRINGS`, or a reference to an existing schema.
fn string(document: &Value, choose: &mut dyn FnMut(usize) -> usize) -> String {
    let schemas = document
        .pointer("/components/schemas")
        .and_then(Value::as_object);
    match schemas.filter(|schemas| !schemas.is_empty()) {
        Some(schemas) if choose(2) == 0 => {
            let name = schemas.keys().nth(choose(schemas.len()));
            format!("#/components/schemas/{}", name.map_or("", String::as_str))
        }
        _ => STRINGS[choose(STRINGS.len())].to_owned(),
    }
}

fn literal(choose: &mut dyn FnMut(usize) -> usize, string: String) -> Value {
    match choose(9) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(-1),
        4 => json!(1e300),
        5 => Value::Array(Vec::new()),
        6 => Value::Object(Map::new()),
        7 => json!([string, string]),
        _ => json!(string),
    }
}

/// Collects the JSON pointers of a value and of all values in it.
fn collect(value: &Value, pointer: &mut String, pointers: &mut Vec<String>) {
    pointers.push(pointer.clone());
    let length = pointer.len();
    let mut collect_member = |name: &str, value: &Value, pointer: &mut String| {
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        collect(value, pointer, pointers);
        pointer.truncate(length);
    };
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| collect_member(name, value, pointer)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| collect_member(&index.to_string(), value, pointer)),
        _ => {}
    }
}
