//! Independent decoding of `multipart/form-data` (RFC 7578).

use serde_json::{Map, Value};

use crate::compare::{is_same_json, same_scalar};
use crate::document::Document;
use crate::files::{declared, files};
use crate::media_type::is_declared;

/// A received part of a form.
struct Part<'r> {
    name: String,
    file_name: Option<String>,
    media_type: Option<&'r str>,
    content: Vec<u8>,
}

/// Returns the first difference between a form and its argument, a sample of the schema at a reference.
pub(crate) fn wrong(
    document: &Document,
    schema: &str,
    argument: &Map<String, Value>,
    content_type: &str,
    body: &str,
) -> Option<String> {
    let Some(parts) = parts(content_type, body) else {
        return Some("the body is not a form in parts".to_owned());
    };
    if let Some(part) = parts.iter().find(|part| !argument.contains_key(&part.name)) {
        return Some(format!("the part `{}` was not given", part.name));
    }
    argument.iter().find_map(|(name, value)| {
        let sent: Vec<&Part<'_>> = parts.iter().filter(|part| part.name == *name).collect();
        let types = declared(document, schema, name);
        let is_same = |value: &Value, part: &Part<'_>| {
            if files(document, schema, name).is_some() {
                is_same_file(value, part, &types)
            } else {
                is_same_value(value, part, &types)
            }
        };
        let all = match (value, sent.as_slice()) {
            (Value::Null, []) => true,
            (Value::Array(items), parts) if parts.len() == items.len() => items
                .iter()
                .zip(parts)
                .all(|(item, part)| is_same(item, part)),
            (value, [part]) => is_same(value, part),
            _ => false,
        };
        let described = || sent.iter().map(|part| part.describe()).collect::<Vec<_>>();
        (!all).then(|| format!("the part `{name}` is {:?}", described()))
    })
}

fn is_same_file(file: &Value, part: &Part<'_>, types: &[&str]) -> bool {
    let text = |key: &str| file.get(key).and_then(Value::as_str);
    let content: Option<Vec<u8>> = file
        .get("content")
        .and_then(|content| serde_json::from_value(content.clone()).ok());
    let has_name = match text("name") {
        Some(name) => part.file_name.as_deref() == Some(name),
        // Services recognize a file by its name.
        None => part.file_name.is_some(),
    };
    let has_type = match (text("media_type"), part.media_type) {
        (Some(given), sent) => sent == Some(given),
        // The sender of a range chooses the type.
        (None, Some(sent)) => {
            types.is_empty()
                || types
                    .iter()
                    .any(|declared| declared.contains('*') || is_declared(declared, sent))
        }
        (None, None) => false,
    };
    content.as_ref() == Some(&part.content) && has_name && has_type
}

fn is_same_value(value: &Value, part: &Part<'_>, types: &[&str]) -> bool {
    let text = String::from_utf8_lossy(&part.content);
    let has_type = match part.media_type {
        Some(sent) => {
            let is_structure = value.is_object() || value.is_array();
            types.iter().any(|declared| is_declared(declared, sent))
                || types.is_empty() && (!is_structure || sent == "application/json")
        }
        None => types.is_empty(),
    };
    let is_same = same_scalar(value, &text)
        || serde_json::from_str(&text).is_ok_and(|read| is_same_json(value, &read));
    is_same && has_type && part.file_name.is_none()
}

/// Decodes a body into its parts; each character of the text is a byte.
fn parts<'r>(content_type: &str, body: &'r str) -> Option<Vec<Part<'r>>> {
    let (_, boundary) = content_type.split_once("boundary=")?;
    let boundary = boundary.split(';').next().unwrap_or_default();
    let delimiter = format!("\r\n--{}", boundary.trim().trim_matches('"'));
    // The first delimiter has no line break before it.
    let mut rest = body.strip_prefix(delimiter.trim_start())?;
    let mut parts = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix("--") {
            return ["", "\r\n"].contains(&end).then_some(parts);
        }
        let (part, after) = rest.strip_prefix("\r\n")?.split_once(&delimiter)?;
        let (head, content) = part.split_once("\r\n\r\n")?;
        parts.push(Part::read(head, content)?);
        rest = after;
    }
}

impl<'r> Part<'r> {
    fn read(head: &'r str, content: &str) -> Option<Self> {
        let header = |wanted: &str| {
            let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
            let found = lines.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim())
        };
        let disposition = header("content-disposition")?.strip_prefix("form-data")?;
        Some(Self {
            name: quoted(disposition, "; name=\"")?,
            file_name: quoted(disposition, "; filename=\""),
            media_type: header("content-type"),
            content: bytes(content),
        })
    }

    fn describe(&self) -> String {
        let Self {
            file_name,
            media_type,
            content,
            ..
        } = self;
        let content = String::from_utf8_lossy(content);
        format!("{file_name:?} {media_type:?} {content:?}")
    }
}

/// Returns a parameter of a `Content-Disposition`, as browsers write it: UTF-8, in which quotes and line breaks are
/// percent-encoded.
fn quoted(disposition: &str, start: &str) -> Option<String> {
    let (_, value) = disposition.split_once(start)?;
    let (value, _) = value.split_once('"')?;
    let value = String::from_utf8(bytes(value)).ok()?;
    Some(
        value
            .replace("%22", "\"")
            .replace("%0D", "\r")
            .replace("%0A", "\n"),
    )
}

fn bytes(latin1: &str) -> Vec<u8> {
    latin1.chars().map(|c| c as u8).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCHEMA: &str = "#/schema";

    fn found(argument: Value, parts: &[&str]) -> Option<String> {
        let document = Document::new(json!({
            "openapi": "3.1.0",
            "schema": {"properties": {
                "file": {"type": "string", "format": "binary"},
                "page": {"type": "string"},
                "list": {"type": "array", "items": {"type": "integer"}},
                "entry": {"type": "object"},
            }},
            "encoding": {"page": {"contentType": "text/html, application/xml"}},
        }));
        let parts: String = parts
            .iter()
            .map(|part| format!("--b\r\nContent-Disposition: form-data; {part}\r\n"))
            .collect();
        let body = format!("{parts}--b--\r\n");
        let argument = argument.as_object().cloned().unwrap_or_default();
        wrong(
            &document,
            SCHEMA,
            &argument,
            "multipart/form-data; boundary=b",
            &body,
        )
    }

    #[test]
    fn file_has_its_bytes_its_name_and_its_type() {
        let part = "name=\"file\"; filename=\"a%22\"\r\nContent-Type: image/png\r\n\r\n\u{ff}\r\n";
        let with = |content: &[u8], name: Value, media_type: Value| {
            let file = json!({"content": content, "name": name, "media_type": media_type});
            found(json!({"file": file}), &[part])
        };
        let content = b"\xff\r\n";
        assert_eq!(with(content, json!("a\""), json!("image/png")), None);
        assert_eq!(with(content, json!(null), json!(null)), None);
        assert!(with(b"\xff", json!(null), json!(null)).is_some());
        assert!(with(content, json!("a"), json!(null)).is_some());
        assert!(with(content, json!(null), json!("image/gif")).is_some());
        assert!(found(json!({"file": {"content": []}}), &[]).is_some());
    }

    #[test]
    fn values_are_parts_of_the_declared_types() {
        let page = |head: &str| {
            found(
                json!({"page": "a"}),
                &[&format!("name=\"page\"{head}\r\n\r\na")],
            )
        };
        assert_eq!(page("\r\nContent-Type: application/xml"), None);
        assert!(page("").is_some());
        assert!(page("\r\nContent-Type: text/html, application/xml").is_some());
        assert!(page("; filename=\"page\"\r\nContent-Type: text/html").is_some());
        let list = ["name=\"list\"\r\n\r\n1", "name=\"list\"\r\n\r\n2"];
        assert_eq!(found(json!({"list": [1, 2]}), &list), None);
        assert!(found(json!({"list": [1]}), &list).is_some());
        assert!(found(json!({}), &list).is_some());
        let entry = ["name=\"entry\"\r\nContent-Type: application/json\r\n\r\n{\"a\":1}"];
        assert_eq!(found(json!({"entry": {"a": 1}}), &entry), None);
        assert!(found(json!({"entry": {"a": 2}}), &entry).is_some());
    }
}
