//! Received requests.

use serde::Deserialize;

/// A received request.
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
    /// Returns the first header with this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A fault of a request: the location of the violated part of the document, and the difference.
pub type Wrong = (String, String);
