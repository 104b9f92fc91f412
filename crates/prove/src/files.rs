//! Samples of request bodies, including files: the bytes of a whole body, and the file parts of a form.

use serde_json::{Map, Value, json};

use crate::document::Document;
use crate::media_type::BodyKind;
use crate::shape::Shape;

/// The contents of files: none, text, every byte, and what could end a part.
fn contents() -> [Vec<u8>; 5] {
    [
        Vec::new(),
        b"text".to_vec(),
        (0..=u8::MAX).collect(),
        b"\r\n--\r\n--boundary--\r\n\r\n".to_vec(),
        b"\xff\xfe\0\n\r\n".to_vec(),
    ]
}

/// The names of file parts.
const NAMES: [Option<&str>; 4] = [None, Some("a b.wav"), Some("q\"uote;.bin"), Some("ünï.txt")];

/// The media types of file parts.
const MEDIA_TYPES: [Option<&str>; 3] = [None, Some("image/png"), Some("text/plain; charset=utf-8")];

/// Returns the bytes of a file, as a list of numbers.
pub(crate) fn bytes(random: &mut fastrand::Rng) -> Value {
    json!(random.choice(contents()))
}

/// Returns a text for a body without a schema.
pub(crate) fn text(random: &mut fastrand::Rng) -> Value {
    json!(random.choice(["", "a,b\r\n1,2\r\n", "ünï ✓ \"q\" \\ {}"]))
}

/// Returns a file part, as the generated type encodes it in JSON.
fn file(random: &mut fastrand::Rng) -> Value {
    json!({
        "content": bytes(random),
        "name": random.choice(NAMES).flatten(),
        "media_type": random.choice(MEDIA_TYPES).flatten(),
    })
}

/// Replaces the values of the file parts of a form, which is a sample of the schema at a reference.
pub(crate) fn fill(
    document: &Document,
    schema: &str,
    form: &mut Map<String, Value>,
    random: &mut fastrand::Rng,
) {
    for (name, value) in form {
        match (files(document, schema, name), value) {
            (None, _) | (_, Value::Null) => {}
            (Some(Files::Many), Value::Array(items)) => items.fill_with(|| file(random)),
            (Some(_), value) => *value = file(random),
        }
    }
}

/// The files in a part of a form: bytes, which JSON cannot express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    /// A file.
    One,
    /// A list of files, each in a part of its own.
    Many,
}

/// Returns the media types that the `encoding` of a form declares for a part.
pub(crate) fn declared<'d>(document: &'d Document, schema: &str, part: &str) -> Vec<&'d str> {
    let form = schema
        .strip_suffix("/schema")
        .and_then(|form| document.resolve(form));
    let encoding = form.and_then(|form| {
        form.get("encoding")?
            .get(part)?
            .get("contentType")?
            .as_str()
    });
    let types = encoding.into_iter().flat_map(|types| types.split(','));
    types.map(str::trim).collect()
}

/// Returns the files in a part of a form, or `None` for another value.
pub(crate) fn files(document: &Document, schema: &str, part: &str) -> Option<Files> {
    let shape = Shape::of(document, document.resolve(schema)?).ok()?;
    let types = declared(document, schema, part);
    let mut schemas = shape.properties.get(part)?.iter();
    schemas.find_map(|schema| {
        let schema = unwrapped(document, schema);
        let (item, files) = match schema.get("items") {
            Some(items) => (unwrapped(document, items), Files::Many),
            None => (schema, Files::One),
        };
        is_binary(item, &types).then_some(files)
    })
}

fn is_binary(schema: &Value, types: &[&str]) -> bool {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    let names = match schema.get("type") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(name)) => vec![name.as_str()],
        _ => Vec::new(),
    };
    let is_bytes = |media_type: &str| BodyKind::of(media_type) == BodyKind::Bytes;
    let is_content = text("contentMediaType").is_some_and(is_bytes);
    let is_string = names.contains(&"string");
    let is_anything = names.is_empty()
        && ["properties", "$ref", "oneOf", "anyOf", "allOf"]
            .iter()
            .all(|key| schema.get(key).is_none());
    is_string && text("format") == Some("binary")
        || is_string && is_content && text("contentEncoding").is_none()
        || (is_string || is_anything) && types.iter().any(|name| is_bytes(name))
}

/// Returns the schema at the end of references, of compositions of one part, and of unions of one member and null.
fn unwrapped<'d>(document: &'d Document, mut schema: &'d Value) -> &'d Value {
    for _ in 0..16 {
        let target = document.follow(schema).unwrap_or(schema);
        let lists = ["allOf", "anyOf", "oneOf"].into_iter();
        let mut lists = lists.filter_map(|key| target.get(key)?.as_array());
        let Some(list) = lists.next() else {
            return target;
        };
        let mut members = list
            .iter()
            .filter(|member| member.get("type") != Some(&json!("null")));
        match (members.next(), members.next()) {
            (Some(only), None) => schema = only,
            _ => return target,
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_may_be_null() {
        let file = json!({"type": "string", "format": "binary"});
        let or_null = |schema: &Value| json!({"anyOf": [schema, {"type": "null"}]});
        let files_of = |schema: Value| {
            let form = json!({"properties": {"part": schema}});
            let document = Document::new(json!({"components": {"schemas": {"Form": form}}}));
            files(&document, "#/components/schemas/Form", "part")
        };
        let list = json!({"type": "array", "items": file});
        assert_eq!(files_of(or_null(&file)), Some(Files::One));
        assert_eq!(files_of(or_null(&list)), Some(Files::Many));
        assert_eq!(
            files_of(json!({"anyOf": [file, {"type": "integer"}]})),
            None
        );
    }
}
