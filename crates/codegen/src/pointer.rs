//! JSON pointers ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)), by which messages name a location in a document.

use std::borrow::{Borrow, Cow};
use std::fmt::{self, Write as _};

use memchr::{memchr, memchr2};
use serde_json::Value;

/// A location in a document, such as `/paths/~1v1~1call~1{id}/get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(String);

impl Pointer {
    /// Returns the location of the whole document.
    pub fn root() -> Self {
        Self::default()
    }

    /// Returns the location of the schema `name` in `components.schemas`.
    pub fn schema(name: &str) -> Self {
        Self::root().join("components").join("schemas").join(name)
    }

    /// Returns true if this is the location of a named schema itself, not one inside it.
    pub fn is_schema(&self) -> bool {
        let name = self.0.strip_prefix("/components/schemas/");
        name.is_some_and(|name| !name.contains('/'))
    }

    /// Returns the location of the object key or array index `token` below this one.
    #[must_use]
    pub fn join(&self, token: impl fmt::Display) -> Self {
        let mut joined = String::with_capacity(self.0.len() + 24);
        joined.push_str(&self.0);
        joined.push('/');
        // Writing to a string is infallible.
        let _ = write!(Escaped(&mut joined), "{token}");
        Self(joined)
    }

    /// Appends `token` in place and returns the previous length, which [`Pointer::up`] takes. A walk of a document reuses
    /// one string this way instead of allocating one for each object.
    pub(crate) fn down(&mut self, token: &str) -> usize {
        let length = self.0.len();
        self.0.push('/');
        // Writing to a string is infallible.
        let _ = Escaped(&mut self.0).write_str(token);
        length
    }

    /// Reverts a [`Pointer::down`] that returned `length`.
    pub(crate) fn up(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// Returns the location at the relative pointer `within`, such as `/properties/id`.
    #[must_use]
    pub fn append(&self, within: &str) -> Self {
        Self(format!("{}{within}", self.0))
    }

    /// Returns the relative pointer from `outer` to this location, or `None` if it is not in `outer`.
    pub fn within(&self, outer: &Self) -> Option<&str> {
        let within = self.0.strip_prefix(&outer.0)?;
        (within.is_empty() || within.starts_with('/')).then_some(within)
    }

    /// Parses a reference to the same document, such as `#/components/schemas/Call`. Returns `None` for any other
    /// reference.
    ///
    /// The fragment of a reference is percent-encoded (RFC 6901, section 6). An invalid escape is kept as it is.
    pub fn from_ref(reference: &str) -> Option<Self> {
        let fragment = reference.strip_prefix('#')?;
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return None;
        }
        Some(Self(percent_decode(fragment)))
    }

    /// Returns the reference to this location from the same document.
    pub fn to_ref(&self) -> String {
        format!("#{}", self.0)
    }

    /// Returns the unescaped tokens, from the root on.
    pub fn tokens(&self) -> impl Iterator<Item = String> + '_ {
        split(&self.0).map(|token| unescaped(token).into_owned())
    }

    /// Returns true if this is the value of the schema keyword `name`, not of a property with that name.
    pub fn is_keyword(&self, name: &str) -> bool {
        let mut tokens = self.0.rsplit('/');
        // No keyword contains a character that is escaped, so escaped tokens can be compared.
        tokens.next() == Some(name)
            && tokens
                .next()
                .is_some_and(|parent| !["properties", "patternProperties"].contains(&parent))
            && tokens.next().is_some()
    }

    /// Returns the pointer as a string, which is empty for the whole document.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Looks up the value at a location. The methods find what serde_json's `pointer` and `pointer_mut` find, and allocate
/// only for tokens with escapes: serde_json allocates two strings for each token, which the generator would notice.
pub(crate) trait Lookup {
    /// Returns the value at `pointer`.
    fn at(&self, pointer: &str) -> Option<&Value>;

    /// Returns the value at `pointer`, to change it.
    fn at_mut(&mut self, pointer: &str) -> Option<&mut Value>;
}

impl Lookup for Value {
    fn at(&self, pointer: &str) -> Option<&Value> {
        lookup_tokens(pointer)?.try_fold(self, |value, token| match value {
            Value::Object(object) => object.get(&*token),
            Value::Array(list) => list.get(index(&token)?),
            _ => None,
        })
    }

    fn at_mut(&mut self, pointer: &str) -> Option<&mut Value> {
        lookup_tokens(pointer)?.try_fold(self, |value, token| match value {
            Value::Object(object) => object.get_mut(&*token),
            Value::Array(list) => list.get_mut(index(&token)?),
            _ => None,
        })
    }
}

/// Returns the unescaped tokens of a pointer, or `None` if the text is not one.
fn lookup_tokens(pointer: &str) -> Option<impl Iterator<Item = Cow<'_, str>>> {
    let is_pointer = pointer.is_empty() || pointer.starts_with('/');
    is_pointer.then(|| split(pointer).map(unescaped))
}

/// Splits a pointer into its tokens. A document is looked up in hundreds of thousands of times, and `str::split` takes twice
/// as long for tokens of this length.
fn split(pointer: &str) -> impl Iterator<Item = &str> {
    let mut rest = pointer.strip_prefix('/');
    std::iter::from_fn(move || {
        let tokens = rest?;
        let end = memchr(b'/', tokens.as_bytes());
        rest = end.map(|end| &tokens[end + 1..]);
        Some(&tokens[..end.unwrap_or(tokens.len())])
    })
}

fn unescaped(token: &str) -> Cow<'_, str> {
    // Most tokens have no escape.
    if memchr(b'~', token.as_bytes()).is_none() {
        return token.into();
    }
    let mut parts = token.split('~');
    let mut text = String::with_capacity(token.len());
    text.extend(parts.next());
    for part in parts {
        let (sign, rest) = match part.as_bytes().first() {
            Some(b'0') => ("~", &part[1..]),
            Some(b'1') => ("/", &part[1..]),
            _ => ("~", part),
        };
        text.push_str(sign);
        text.push_str(rest);
    }
    text.into()
}

/// Parses an array index, which has no sign and no leading zeros.
fn index(token: &str) -> Option<usize> {
    let is_index = token == "0" || !token.starts_with(['0', '+']);
    is_index.then(|| token.parse().ok())?
}

/// Lets a map with pointers as keys be queried with a string.
impl Borrow<str> for Pointer {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A writer that escapes its input as one token of a pointer.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Most tokens have nothing to escape.
        if memchr2(b'~', b'/', text.as_bytes()).is_none() {
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

/// Percent-encodes all but letters, digits, and the characters `kept`.
pub(crate) fn percent_encode(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Decodes percent-encoded bytes. Invalid escapes are kept as they are.
pub(crate) fn percent_decode(text: &str) -> String {
    if memchr(b'%', text.as_bytes()).is_none() {
        return text.to_owned();
    }
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
    fn join_with_slashes_and_tildes_round_trips() {
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
    fn lookup_finds_what_serde_json_finds() {
        let mut document = serde_json::json!({
            "": {"": 1},
            "a/b": {"m~n": [10, {"~1": 11}]},
            "list": [20, 21],
        });
        let found = [
            "",
            "/",
            "//",
            "/a~1b",
            "/a~1b/m~0n/1/~01",
            "/list/0",
            "/list/1",
        ];
        let missing = [
            "a",
            "list/0",
            "///",
            "/list/",
            "/list/00",
            "/list/+1",
            "/list/2",
            "/list/-",
            "/a",
            "/list/0/0",
        ];
        for pointer in found.into_iter().chain(missing) {
            let expected = document.pointer(pointer).cloned();
            assert_eq!(expected.is_some(), found.contains(&pointer), "{pointer}");
            assert_eq!(document.at(pointer), expected.as_ref(), "{pointer}");
            assert_eq!(document.at_mut(pointer).cloned(), expected, "{pointer}");
        }
    }

    #[test]
    fn is_keyword_with_a_property_of_that_name_is_false() {
        let schema = Pointer::schema("Call");
        assert!(schema.join("items").is_keyword("items"));
        assert!(!schema.join("properties").join("items").is_keyword("items"));
        assert!(!schema.join("items").is_keyword("not"));
        assert!(!Pointer::root().join("items").is_keyword("items"));
    }

    #[test]
    fn is_schema_inside_a_schema_is_false() {
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
    fn from_ref_decodes_percent_escapes() {
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
