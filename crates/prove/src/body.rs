//! Independent decoding of request bodies, by media type.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::compare::{changes, same_scalar};
use crate::document::Document;
use crate::operations::{Body, Operation};
use crate::received::{Received, Wrong};

/// Returns the media type of the body that is sampled: the one that the client prefers.
pub(crate) fn preferred(body: &Body) -> Option<&(String, String)> {
    let rank = |media_type: &str| match essence(media_type).as_str() {
        "application/json" => 0,
        "application/x-www-form-urlencoded" => 2,
        essence if essence.ends_with("+json") => 1,
        essence if essence.starts_with("text/") => 3,
        essence if essence.starts_with("multipart/") => 5,
        _ => 4,
    };
    body.content
        .iter()
        .min_by_key(|(media_type, _)| rank(media_type))
}

/// Returns a media type without its parameters.
pub(crate) fn essence(media_type: &str) -> String {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Compares the body of a request with its argument.
pub(crate) fn wrong(
    document: &Document,
    operation: &Operation,
    argument: Option<&Value>,
    received: &Received,
    found: &mut Vec<Wrong>,
) {
    let Some(argument) = argument else {
        let needs_length = ["POST", "PUT", "PATCH"].contains(&received.method.as_str());
        if needs_length
            && received.header("content-length") != Some("0")
            && received.body.is_empty()
        {
            found.push((
                operation.pointer.clone(),
                "no body, and no Content-Length: 0".to_owned(),
            ));
        }
        if !received.body.is_empty() {
            found.push((
                operation.pointer.clone(),
                "a body that nobody gave".to_owned(),
            ));
        }
        return;
    };
    let Some(body) = &operation.body else { return };
    let sent = received.header("content-type").unwrap_or_default();
    let declared = body
        .content
        .iter()
        .find(|(declared, _)| is_declared(declared, sent));
    if declared.is_none() {
        found.push((
            body.pointer.clone(),
            format!("the Content-Type is {sent:?}"),
        ));
    }
    let bytes: Vec<u8> = received.body.chars().map(|c| c as u8).collect();
    let is_same = match essence(sent).as_str() {
        essence if essence == "application/json" || essence.ends_with("+json") => {
            serde_json::from_slice::<Value>(&bytes).is_ok_and(|read| is_same_json(argument, &read))
        }
        "application/x-www-form-urlencoded" => is_same_form(document, argument, &received.body),
        essence if essence.starts_with("multipart/") => {
            is_same_parts(argument, sent, &received.body)
        }
        _ => argument
            .as_str()
            .is_none_or(|text| text.as_bytes() == bytes),
    };
    if !is_same {
        let text = String::from_utf8_lossy(&bytes);
        found.push((body.pointer.clone(), format!("the body is {text:?}")));
    }
}

/// Returns true if the media type is the declared one, with its parameters and in any case, or is in the declared range.
fn is_declared(declared: &str, sent: &str) -> bool {
    let parameters = |media_type: &str| -> Vec<String> {
        let parameters = media_type.split(';').skip(1);
        parameters
            .map(|parameter| parameter.trim().to_ascii_lowercase())
            .collect()
    };
    let (of_declared, of_sent) = (essence(declared), essence(sent));
    let covers = match of_declared.strip_suffix('*') {
        Some("*/") => true,
        Some(kind) => of_sent.starts_with(kind),
        None => of_declared == of_sent,
    };
    let sent_parameters = parameters(sent);
    covers
        && parameters(declared)
            .iter()
            .all(|parameter| sent_parameters.contains(parameter))
}

fn is_same_json(argument: &Value, read: &Value) -> bool {
    let found = changes(argument, read, &|_| true);
    found.iter().all(|(_, change)| change.is_harmless())
}

/// Decodes the pairs of a form. Lists are repeated or joined, and objects have the styles of parameters: only scalars and
/// lists of scalars are compared.
fn is_same_form(_: &Document, argument: &Value, body: &str) -> bool {
    let Value::Object(fields) = argument else {
        return true;
    };
    let decode = |raw: &str| {
        let raw = raw.replace('+', " ");
        percent_decode_str(&raw).decode_utf8_lossy().into_owned()
    };
    let pairs: Vec<(String, String)> = body
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect();
    fields.iter().all(|(name, value)| {
        let sent: Vec<&str> = pairs
            .iter()
            .filter(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
            .collect();
        match value {
            Value::Object(_) => true,
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                true
            }
            Value::Array(items) if sent.len() == items.len() => items
                .iter()
                .zip(&sent)
                .all(|(item, sent)| same_scalar(item, sent)),
            Value::Array(_) => sent.len() == 1,
            Value::Null => sent.is_empty() || sent.iter().all(|sent| same_scalar(value, sent)),
            scalar => sent.len() == 1 && sent.iter().all(|sent| same_scalar(scalar, sent)),
        }
    })
}

/// Decodes the parts of a form. Lists are repeated parts, and objects are parts in JSON.
fn is_same_parts(argument: &Value, content_type: &str, body: &str) -> bool {
    let Value::Object(fields) = argument else {
        return true;
    };
    let Some((_, boundary)) = content_type.split_once("boundary=") else {
        return false;
    };
    let boundary = format!("--{}", boundary.trim_matches('"'));
    let mut parts: Map<String, Value> = Map::new();
    for part in body.split(&boundary) {
        let Some((head, content)) = part.split_once("\r\n\r\n") else {
            continue;
        };
        let Some((_, name)) = head.split_once("name=\"") else {
            continue;
        };
        let name = name.split('"').next().unwrap_or_default().to_owned();
        let content: Vec<u8> = content
            .trim_end_matches("\r\n")
            .chars()
            .map(|c| c as u8)
            .collect();
        let text = String::from_utf8_lossy(&content).into_owned();
        match parts.entry(name).or_insert_with(|| json!([])) {
            Value::Array(texts) => texts.push(json!(text)),
            other => *other = json!([text]),
        }
    }
    fields.iter().all(|(name, value)| {
        let sent: Vec<&str> = parts
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let is_part = |value: &Value, sent: &str| {
            same_scalar(value, sent)
                || serde_json::from_str(sent).is_ok_and(|read| is_same_json(value, &read))
        };
        match (value, sent.as_slice()) {
            (Value::Null, []) => true,
            (Value::Array(items), []) => items.is_empty(),
            (Value::Array(items), sent) if sent.len() == items.len() => items
                .iter()
                .zip(sent)
                .all(|(item, sent)| is_part(item, sent)),
            (value, [sent]) => is_part(value, sent),
            _ => false,
        }
    })
}
