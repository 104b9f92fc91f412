//! Valid OpenAPI documents, changed in ways that keep them JSON and nearly OpenAPI: what a vendor might send.
//!
//! Shared by the fuzz target `codegen` and by the test `xtask/tests/mutations.rs`.

use serde_json::{Map, Value, json};

/// Keywords of schemas, parameters, operations and media types, and such as make trouble elsewhere.
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

const WORDS: [&str; 40] = [
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

/// Makes `edits` changes. `choose` answers with a number below its argument, which is at least 1.
pub(crate) fn mutate(document: &mut Value, edits: usize, choose: &mut dyn FnMut(usize) -> usize) {
    for _ in 0..edits {
        let mut places = Vec::new();
        collect(document, &mut String::new(), &mut places);
        let place = places[choose(places.len())].clone();
        let other = &places[choose(places.len())];
        let other = document.pointer(other).cloned().unwrap_or_default();
        let word = word(document, choose);
        let key = KEYS[choose(KEYS.len())];
        let kind = choose(10);
        let Some(value) = document.pointer_mut(&place) else {
            continue;
        };
        let taken = value.clone();
        match (kind, &mut *value) {
            (0 | 1, Value::Object(members)) if !members.is_empty() => {
                let name = members.keys().nth(choose(members.len())).cloned();
                if let Some(removed) = name.and_then(|name| members.remove(&name))
                    && kind == 1
                {
                    members.insert(word, removed);
                }
            }
            (0 | 1, Value::Array(items)) if !items.is_empty() => {
                drop(items.remove(choose(items.len())))
            }
            (2 | 3, Value::Object(members)) => {
                let added = if kind == 2 {
                    other
                } else {
                    literal(choose, word)
                };
                members.insert(key.to_owned(), added);
            }
            (2 | 3, Value::Array(items)) => items.push(other),
            (4, _) => *value = other,
            (5, _) => *value = json!({"allOf": [taken, other]}),
            (6, _) => *value = json!({"anyOf": [taken, {"type": "null"}]}),
            (7, _) => *value = json!({"type": "array", "items": taken}),
            (8, Value::String(text)) => *text = word,
            _ => *value = literal(choose, word),
        }
    }
}

/// A word, or a reference to something that is there.
fn word(document: &Value, choose: &mut dyn FnMut(usize) -> usize) -> String {
    let schemas = document
        .pointer("/components/schemas")
        .and_then(Value::as_object);
    match schemas.filter(|schemas| !schemas.is_empty()) {
        Some(schemas) if choose(2) == 0 => {
            let name = schemas.keys().nth(choose(schemas.len()));
            format!("#/components/schemas/{}", name.map_or("", String::as_str))
        }
        _ => WORDS[choose(WORDS.len())].to_owned(),
    }
}

fn literal(choose: &mut dyn FnMut(usize) -> usize, word: String) -> Value {
    match choose(9) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(-1),
        4 => json!(1e300),
        5 => Value::Array(Vec::new()),
        6 => Value::Object(Map::new()),
        7 => json!([word, word]),
        _ => json!(word),
    }
}

/// The pointers of all values, the document's own included.
fn collect(value: &Value, place: &mut String, places: &mut Vec<String>) {
    places.push(place.clone());
    let length = place.len();
    let mut below = |name: &str, value: &Value, place: &mut String| {
        place.push('/');
        place.push_str(&name.replace('~', "~0").replace('/', "~1"));
        collect(value, place, places);
        place.truncate(length);
    };
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| below(name, value, place)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| below(&index.to_string(), value, place)),
        _ => {}
    }
}
