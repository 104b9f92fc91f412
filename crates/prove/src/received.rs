//! Requests as they were received.

use serde::Deserialize;

/// A request as it was received.
#[derive(Clone, Debug, Deserialize)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path and the query, as they were sent.
    pub target: String,
    /// The headers, with their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; each byte is a character of Latin-1.
    pub body: String,
}

impl Received {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A fault of a request: the pointer of the statement in the document, and the difference from it.
pub type Wrong = (String, String);
