//! Independent decoding of request bodies, by media type.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::compare::{is_same_json, same_scalar};
use crate::document::Document;
use crate::media_type::{BodyKind, essence, is_declared};
use crate::multipart;
use crate::operations::{Body, Operation};
use crate::received::{Received, Wrong};

/// Returns the media type of the body that is sampled: the one that the client prefers.
pub(crate) fn preferred(body: &Body) -> Option<&(String, String)> {
    let rank = |media_type: &str| {
        let is_range = essence(media_type).contains('*');
        (BodyKind::of(media_type), is_range)
    };
    body.content
        .iter()
        .min_by_key(|(media_type, _)| rank(media_type))
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
    if declared.is_none() && !body.is_reported {
        found.push((
            body.pointer.clone(),
            format!("the Content-Type is {sent:?}"),
        ));
    }
    let kind = BodyKind::of(sent);
    if let (BodyKind::Multipart, Some((_, schema)), Value::Object(argument)) =
        (kind, declared, argument)
    {
        let wrong = multipart::wrong(document, schema, argument, sent, &received.body);
        found.extend(wrong.map(|cause| (body.pointer.clone(), cause)));
        return;
    }
    let bytes: Vec<u8> = received.body.chars().map(|c| c as u8).collect();
    let is_same = match (kind, argument) {
        (BodyKind::Json | BodyKind::PlusJson, _) => {
            serde_json::from_slice::<Value>(&bytes).is_ok_and(|read| is_same_json(argument, &read))
        }
        (BodyKind::Form, Value::Object(fields)) => is_same_form(fields, &received.body),
        (_, Value::String(text)) => text.as_bytes() == bytes,
        (_, argument) => json!(bytes) == *argument,
    };
    if !is_same {
        let text = String::from_utf8_lossy(&bytes);
        found.push((body.pointer.clone(), format!("the body is {text:?}")));
    }
}

/// Decodes the pairs of a form. Lists are repeated or joined, and objects have the styles of parameters: only scalars and
/// lists of scalars are compared.
fn is_same_form(fields: &Map<String, Value>, body: &str) -> bool {
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
