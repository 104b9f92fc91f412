//! The service's own words about an error.
//!
//! A FastAPI service answers `{"detail": "Not found"}`, or, if it does not accept a parameter,
//! `{"detail": [{"loc": ["path", "id"], "msg": "Input should be a valid UUID", "type": "uuid_parsing"}]}`
//! (<https://fastapi.tiangolo.com/tutorial/handling-errors/>). Other services have a `message` or an `error`, and a proxy
//! answers anything.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// The most characters of a text that are kept.
const MAX_CHARS: usize = 1000;

/// The most parameters that are kept of a list.
const MAX_FIELDS: usize = 20;

/// The most characters of a text that are shown on one line.
const MAX_SHOWN: usize = 200;

/// The error detail of a service.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detail {
    /// A sentence: `{"detail": "…"}`, or the `message` or `error` of other services.
    Message(String),
    /// The parameters that are not accepted: `{"detail": [{"loc", "msg", "type"}]}`; at most the first 20.
    Fields(Vec<FieldError>),
    /// Anything else, as text of at most 1,000 characters: often a proxy's page.
    Text(String),
}

/// A parameter that the service does not accept.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FieldError {
    /// The place of the parameter, from the outside in: `["path", "id"]`.
    pub location: Vec<String>,
    /// The reason.
    pub message: String,
    /// The service's word for the kind of error, such as `uuid_parsing`.
    pub kind: String,
}

/// On one line, as `Display`.
impl fmt::Debug for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}",
            Line(&self.location.join(".")),
            Line(&self.message)
        )
    }
}

impl Detail {
    /// Reads the body of an error response; returns `None` if it is empty.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Field {
            #[serde(default)]
            loc: Vec<Value>,
            msg: String,
            #[serde(default, rename = "type")]
            kind: String,
        }
        let json: Option<Value> = serde_json::from_slice(body).ok();
        match json.as_ref().and_then(|json| json.get("detail")) {
            Some(Value::String(message)) => return Some(Self::Message(truncate(message))),
            Some(detail @ Value::Array(_)) => {
                if let Ok(fields) = Vec::<Field>::deserialize(detail) {
                    let text = |step: Value| match step {
                        Value::String(step) => truncate(&step),
                        step => truncate(&step.to_string()),
                    };
                    let fields = fields.into_iter().take(MAX_FIELDS).map(|field| FieldError {
                        location: field.loc.into_iter().map(text).collect(),
                        message: truncate(&field.msg),
                        kind: truncate(&field.kind),
                    });
                    return Some(Self::Fields(fields.collect()));
                }
            }
            _ => {}
        }
        if let Some(message) = json.as_ref().and_then(message) {
            return Some(Self::Message(truncate(message)));
        }
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        (!text.is_empty()).then(|| Self::Text(truncate(text)))
    }
}

/// Returns the message of a body in a common form: `{"code": …, "message": "…"}`, also as the value of `detail` or `error`,
/// `{"error": "…"}`, and that of OAuth (RFC 6749, section 5.2). `None` if the body has more, such as a list of errors, which
/// a message would hide.
fn message(body: &Value) -> Option<&str> {
    let object = body.as_object()?;
    let is_plain = |value: &Value| match value {
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        _ => true,
    };
    let mut nested = object.iter().filter(|(_, value)| !is_plain(value));
    match (nested.next(), nested.next()) {
        (None, _) => {
            let mut names = ["message", "error_description", "error"].into_iter();
            let message = names.find_map(|name| object.get(name))?.as_str()?;
            Some(message).filter(|message| !message.trim().is_empty())
        }
        (Some((name, inner)), None) if name == "detail" || name == "error" => message(inner),
        _ => None,
    }
}

fn truncate(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

/// At most 200 characters, on one line.
impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(text) => write!(f, "{}", Line(text)),
            Self::Fields(fields) => {
                let fields: Vec<_> = fields.iter().map(ToString::to_string).collect();
                write!(f, "{}", Line(&fields.join("; ")))
            }
            Self::Text(text) => write!(f, "{}", Line(text)),
        }
    }
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(text) => f
                .debug_tuple("Message")
                .field(&Line(text).to_string())
                .finish(),
            Self::Fields(fields) => f.debug_tuple("Fields").field(fields).finish(),
            // It may be anything, so not even its beginning belongs into a log by accident.
            Self::Text(text) => write!(f, "Text({} characters)", text.chars().count()),
        }
    }
}

/// A text cut to what fits on a line of a log, its line breaks and control characters blanked.
struct Line<'a>(&'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        for word in self.0.split(|c: char| c.is_whitespace() || c.is_control()) {
            if !word.is_empty() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        match line.char_indices().nth(MAX_SHOWN) {
            Some((end, _)) => write!(f, "{}…", &line[..end]),
            None => f.write_str(&line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fastapi_s_two_forms_are_read() {
        let message = Detail::read(br#"{"detail": "Call not found"}"#);
        assert_eq!(message, Some(Detail::Message("Call not found".to_owned())));
        let body = br#"{"detail":[{"type":"uuid_parsing","loc":["path","id"],"msg":"Input should be a valid UUID","input":"x"},
            {"loc":["body",0,"a"],"msg":"Field required"}]}"#;
        let Some(detail) = Detail::read(body) else {
            panic!("there is a detail")
        };
        assert_eq!(
            detail.to_string(),
            "path.id: Input should be a valid UUID; body.0.a: Field required"
        );
        let Detail::Fields(fields) = detail else {
            panic!("it is a list")
        };
        assert_eq!(fields[0].kind, "uuid_parsing");
    }

    #[test]
    fn messages_of_other_services_are_read() {
        for body in [
            &br#"{"code": "gone", "message": "Call not found"}"#[..],
            br#"{"detail": {"code": 7, "message": "Call not found"}}"#,
            br#"{"error": {"message": "Call not found", "type": "x"}}"#,
            br#"{"error": "invalid", "error_description": "Call not found"}"#,
            br#"{"error": "Call not found"}"#,
        ] {
            let expected = Detail::Message("Call not found".to_owned());
            assert_eq!(Detail::read(body), Some(expected));
        }
        for body in [
            &br#"{"message": "Validation failed", "errors": {"id": ["no UUID"]}}"#[..],
            br#"{"statusCode": 400, "message": ["id must be a UUID"], "error": "Bad Request"}"#,
            br#"{"error": {"message": "Invalid", "details": [{"field": "id"}]}}"#,
            br#"{"status": 404, "error": null, "message": ""}"#,
        ] {
            assert!(matches!(Detail::read(body), Some(Detail::Text(_))));
        }
    }

    #[test]
    fn other_bodies_are_kept_as_bounded_text() {
        assert_eq!(Detail::read(b""), None);
        assert_eq!(Detail::read(b" \n"), None);
        for (body, text) in [
            (
                &b"<html>Bad\nGateway</html>"[..],
                "<html>Bad Gateway</html>",
            ),
            (br#"{"detail": {"code": 7}}"#, r#"{"detail": {"code": 7}}"#),
            (br#"{"detail": [1]}"#, r#"{"detail": [1]}"#),
            (b"\xff\x00!", "\u{fffd} !"),
        ] {
            let detail = Detail::read(body);
            assert_eq!(
                detail.map(|detail| detail.to_string()).as_deref(),
                Some(text)
            );
        }
        let Some(Detail::Text(long)) = Detail::read("é".repeat(5000).as_bytes()) else {
            panic!("it is text")
        };
        assert_eq!(long.chars().count(), MAX_CHARS);
        let shown = Detail::Text(long).to_string();
        assert_eq!(shown.chars().count(), MAX_SHOWN + 1);
    }

    #[test]
    fn debug_shows_no_text_of_unknown_origin() {
        let detail = Detail::Text("a secret".to_owned());
        assert_eq!(format!("{detail:?}"), "Text(8 characters)");
    }
}
