//! JSON pointers ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)): how every message names a place in a document.

use std::borrow::Borrow;
use std::fmt::{self, Write as _};

/// A place in a document, such as `/paths/~1v1~1call~1{id}/get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    pub fn root() -> Self {
        Self::default()
    }

    /// The place of the schema that the document names so.
    pub fn schema(name: &str) -> Self {
        Self::root().join("components").join("schemas").join(name)
    }

    /// Whether this is the place of a named schema, and not one within it.
    pub fn is_schema(&self) -> bool {
        self.tokens().count() == 3 && self.tokens().take(2).eq(["components", "schemas"])
    }

    /// The place one step further down, at the object key or array index `token`.
    pub fn join(&self, token: impl fmt::Display) -> Self {
        let mut place = String::with_capacity(self.0.len() + 24);
        place.push_str(&self.0);
        place.push('/');
        // Writing to a text can't fail; what a token's own `Display` left unwritten isn't there.
        let _ = write!(Escaped(&mut place), "{token}");
        Self(place)
    }

    /// Goes one step further down; [`Pointer::up`] with the answer goes back. A document is walked once for each rule,
    /// and each of its objects has a place: this is one text for all of them.
    pub(crate) fn down(&mut self, token: &str) -> usize {
        let length = self.0.len();
        self.0.push('/');
        // Writing to a text can't fail.
        let _ = Escaped(&mut self.0).write_str(token);
        length
    }

    /// Goes back to where [`Pointer::down`] began.
    pub(crate) fn up(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// The place that the pointer `within`, such as `/properties/id`, leads to from here.
    pub(crate) fn append(&self, within: &str) -> Self {
        Self(format!("{}{within}", self.0))
    }

    /// The place that a reference such as `#/components/schemas/Call` names, if it is one within the document.
    ///
    /// The fragment of a reference is percent-encoded (RFC 6901, section 6); what is not valid there is taken as it is.
    pub fn from_ref(reference: &str) -> Option<Self> {
        let fragment = reference.strip_prefix('#')?;
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return None;
        }
        Some(Self(percent_decode(fragment)))
    }

    /// The reference that names this place from within its document.
    pub fn to_ref(&self) -> String {
        format!("#{}", self.0)
    }

    /// The steps down from the root, unescaped.
    pub fn tokens(&self) -> impl Iterator<Item = String> + '_ {
        self.0
            .split('/')
            .skip(1)
            .map(|token| match token.contains('~') {
                true => token.replace("~1", "/").replace("~0", "~"),
                false => token.to_owned(),
            })
    }

    /// Whether this is the value of the keyword `name` of a schema, and not a property that is called so.
    pub fn is_keyword(&self, name: &str) -> bool {
        let mut steps = self.0.rsplit('/');
        // No keyword has a sign that is escaped, so the steps can be compared as they are written.
        steps.next() == Some(name)
            && steps
                .next()
                .is_some_and(|parent| !["properties", "patternProperties"].contains(&parent))
            && steps.next().is_some()
    }

    /// The pointer as text; empty for the whole document.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// So that a map by pointers can be asked with their text.
impl Borrow<str> for Pointer {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Escapes what is written to it as a step of a pointer.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Most steps have nothing to escape, and looking for one byte is quick in any profile.
        if !text.contains('~') && !text.contains('/') {
            self.0.push_str(text);
            return Ok(());
        }
        let mut rest = text;
        while let Some(index) = rest.find(['~', '/']) {
            self.0.push_str(&rest[..index]);
            self.0.push_str(if rest[index..].starts_with('~') {
                "~0"
            } else {
                "~1"
            });
            rest = &rest[index + 1..];
        }
        self.0.push_str(rest);
        Ok(())
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text with its percent-encoded bytes decoded; what is not valid there is taken as it is.
pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let escape = match (first, tail) {
            (b'%', [high, low, ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                digit(high)
                    .zip(digit(low))
                    .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
            }
            _ => None,
        };
        match escape {
            Some(byte) => {
                decoded.push(byte);
                rest = &rest[3..];
            }
            None => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_slashes_and_tildes_are_escaped_and_come_back() {
        let pointer = Pointer::root()
            .join("paths")
            .join("/v1/call/{id}")
            .join("a~b")
            .join(0);
        assert_eq!(pointer.as_str(), "/paths/~1v1~1call~1{id}/a~0b/0");
        assert_eq!(
            pointer.tokens().collect::<Vec<_>>(),
            ["paths", "/v1/call/{id}", "a~b", "0"]
        );
        let mut walked = Pointer::root();
        let root = walked.down("paths");
        let paths = walked.down("/v1");
        assert_eq!(walked.as_str(), "/paths/~1v1");
        walked.up(paths);
        assert_eq!(walked.as_str(), "/paths");
        walked.up(root);
        assert_eq!(walked, Pointer::root());
    }

    #[test]
    fn a_keyword_is_told_from_a_property_of_its_name() {
        let schema = Pointer::schema("Call");
        assert!(schema.join("items").is_keyword("items"));
        assert!(!schema.join("properties").join("items").is_keyword("items"));
        assert!(!schema.join("items").is_keyword("not"));
        assert!(!Pointer::root().join("items").is_keyword("items"));
    }

    #[test]
    fn a_named_schema_is_told_from_what_lies_within_it() {
        let schema = Pointer::schema("Call");
        assert_eq!(schema.as_str(), "/components/schemas/Call");
        assert!(schema.is_schema() && !schema.join("properties").is_schema());
        assert!(
            !Pointer::root()
                .join("components")
                .join("responses")
                .join("Call")
                .is_schema()
        );
    }

    #[test]
    fn references_are_percent_decoded() {
        let pointer = Pointer::from_ref("#/paths/~1v1~1call~1%7Bid%7D/get").map(|p| p.to_string());
        assert_eq!(pointer.as_deref(), Some("/paths/~1v1~1call~1{id}/get"));
        assert_eq!(
            Pointer::from_ref("#/a%zz%")
                .map(|p| p.to_string())
                .as_deref(),
            Some("/a%zz%")
        );
        assert_eq!(Pointer::from_ref("#"), Some(Pointer::root()));
        assert_eq!(Pointer::from_ref("other.json#/a"), None);
        assert_eq!(Pointer::from_ref("#anchor"), None);
    }
}
