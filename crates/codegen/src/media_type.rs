//! Media types.

use serde_json::{Map, Value};

/// The kind of a body, in the order in which the client prefers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MediaTypeKind {
    /// `application/json`.
    Json,
    /// Another type of JSON: one that ends in `+json`, and `text/json`.
    PlusJson,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `text/…`, and other types that are text, such as `application/xml` and `image/svg+xml`.
    Text,
    /// Anything else, which the caller gives as bytes.
    Bytes,
    /// `multipart/form-data`.
    Multipart,
}

impl MediaTypeKind {
    /// Returns the kind of a media type.
    pub(crate) fn of(media_type: &str) -> Self {
        let essence = essence(media_type);
        match essence.as_str() {
            "application/json" => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            "text/json" => Self::PlusJson,
            _ if essence.ends_with("+json") => Self::PlusJson,
            _ if essence.starts_with("multipart/") => Self::Multipart,
            _ if is_textual(&essence) => Self::Text,
            _ => Self::Bytes,
        }
    }
}

/// Returns true for JSON: `application/json`, `text/json`, and types that end in `+json`.
pub(crate) fn is_json(media_type: &str) -> bool {
    matches!(
        MediaTypeKind::of(media_type),
        MediaTypeKind::Json | MediaTypeKind::PlusJson
    )
}

/// Returns true for a string whose content is of a binary media type, without an encoding.
pub(crate) fn has_binary_content(object: &Map<String, Value>) -> bool {
    let media_type = object.get("contentMediaType").and_then(Value::as_str);
    let is_string = match object.get("type") {
        None => true,
        Some(Value::Array(kinds)) => kinds.iter().all(|kind| kind == "string" || kind == "null"),
        Some(kind) => kind == "string",
    };
    is_string
        && !object.contains_key("contentEncoding")
        && media_type.is_some_and(|name| MediaTypeKind::of(name) == MediaTypeKind::Bytes)
}

/// Returns the rank of a media type of a request, of which the client sends the first: by kind, a type before a range, and
/// `multipart/form-data` before other types of several parts.
pub(crate) fn request_rank(media_type: &str) -> (MediaTypeKind, bool, bool) {
    let essence = essence(media_type);
    let is_range = essence.contains('*');
    let is_form_data = essence == "multipart/form-data";
    (MediaTypeKind::of(media_type), is_range, !is_form_data)
}

/// Returns the rank of a media type of a response, of which the client asks for the first: types that are decoded come
/// before types that are passed on as bytes.
pub(crate) fn response_rank(media_type: &str) -> usize {
    match MediaTypeKind::of(media_type) {
        MediaTypeKind::Json => 0,
        MediaTypeKind::PlusJson => 1,
        _ => match essence(media_type).as_str() {
            essence if essence.starts_with("text/") && essence != "text/event-stream" => 2,
            _ => 3,
        },
    }
}

/// Returns true if content of this type is text: by the suffixes of RFC 6839, or as registered without a suffix.
fn is_textual(essence: &str) -> bool {
    const TEXTUAL: [&str; 13] = [
        "xml",
        "xml-dtd",
        "yaml",
        "toml",
        "javascript",
        "ecmascript",
        "graphql",
        "sql",
        "jsonl",
        "x-ndjson",
        "ndjson",
        "json-seq",
        "x-yaml",
    ];
    let (kind, subtype) = essence.split_once('/').unwrap_or((essence, ""));
    kind == "text"
        || subtype.ends_with("+xml")
        || subtype.ends_with("+yaml")
        || kind == "application" && TEXTUAL.contains(&subtype)
}

/// Returns a media type without its parameters and in lower case, since types are compared without case (RFC 9110,
/// section 8.3.1).
pub(crate) fn essence(media_type: &str) -> String {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Returns true if the text can be a `Content-Type`: a type and a subtype, not a range.
pub(crate) fn is_concrete(media_type: &str) -> bool {
    let visible = media_type.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    let halves = essence(media_type);
    visible
        && halves.split_once('/').is_some_and(|(kind, subtype)| {
            !kind.is_empty() && !subtype.is_empty() && !halves.contains('*')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_ordered_by_preference() {
        let order = [
            "application/json; charset=utf-8",
            "application/merge-patch+json",
            "application/x-www-form-urlencoded",
            "text/csv",
            "image/png",
            "multipart/form-data",
        ];
        let sent: Vec<MediaTypeKind> = order.iter().map(|name| MediaTypeKind::of(name)).collect();
        assert!(sent.is_sorted(), "{sent:?}");
        assert_eq!(
            sent,
            [
                MediaTypeKind::Json,
                MediaTypeKind::PlusJson,
                MediaTypeKind::Form,
                MediaTypeKind::Text,
                MediaTypeKind::Bytes,
                MediaTypeKind::Multipart
            ]
        );
    }
}
