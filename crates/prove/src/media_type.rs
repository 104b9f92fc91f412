//! Media types, and the kinds of bodies that they have.
//!
//! The generator has readings of its own. A proof that used them would repeat their mistakes.

/// The kind of a body, in the order in which the client prefers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BodyKind {
    Json,
    PlusJson,
    Form,
    Text,
    Bytes,
    Multipart,
}

impl BodyKind {
    pub(crate) fn of(media_type: &str) -> Self {
        const TEXTUAL: [&str; 6] = ["xml", "yaml", "javascript", "graphql", "sql", "ndjson"];
        let essence = essence(media_type);
        let (kind, subtype) = essence.split_once('/').unwrap_or((&essence, ""));
        let base = subtype.strip_prefix("x-").unwrap_or(subtype);
        match (kind, subtype) {
            ("application", "json") => Self::Json,
            ("application", "x-www-form-urlencoded") => Self::Form,
            ("multipart", _) => Self::Multipart,
            ("text", "json") => Self::PlusJson,
            ("text", _) => Self::Text,
            ("application", _) if TEXTUAL.contains(&base) => Self::Text,
            (_, subtype) => match subtype.rsplit_once('+') {
                Some((_, "json")) => Self::PlusJson,
                Some((_, "xml" | "yaml")) => Self::Text,
                _ => Self::Bytes,
            },
        }
    }
}

/// Returns a media type without its parameters.
pub(crate) fn essence(media_type: &str) -> String {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Returns true if the media type is in the declared range, or is the declared one with its parameters; case does not
/// matter.
pub(crate) fn is_declared(declared: &str, sent: &str) -> bool {
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
