//! A file as a part of a form.

// Generated code exports it where its document has such parts.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the document decides whether it is used"
)]

use std::fmt;

use serde::{Deserialize, Serialize};

/// A file that is sent as a part of a form (`multipart/form-data`): its bytes, a name and a media type.
///
/// It is held in memory, so that a request can be sent again where its first attempt failed.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FilePart {
    /// The bytes of the file.
    pub content: Vec<u8>,
    /// The file's name, such as `greeting.wav`. Where there is none, that of the part is sent: services tell a file from
    /// a text by its having a name.
    pub name: Option<String>,
    /// Its media type, such as `audio/wav`. Where there is none, the one that the API's document names is sent, or
    /// `application/octet-stream`.
    pub media_type: Option<String>,
}

impl FilePart {
    /// A file of these bytes.
    pub fn new(content: impl Into<Vec<u8>>) -> Self {
        Self {
            content: content.into(),
            name: None,
            media_type: None,
        }
    }

    /// The file under this name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The file as one of this media type.
    #[must_use]
    pub fn with_media_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_type = Some(media_type.into());
        self
    }
}

impl From<Vec<u8>> for FilePart {
    fn from(content: Vec<u8>) -> Self {
        Self::new(content)
    }
}

/// Without the bytes, of which there may be many.
impl fmt::Debug for FilePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilePart")
            .field("content", &format_args!("{} bytes", self.content.len()))
            .field("name", &self.name)
            .field("media_type", &self.media_type)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_debug_form_has_no_bytes() {
        let file = FilePart::from(vec![1, 2, 3]).with_name("a.wav");
        assert_eq!(
            format!("{file:?}"),
            r#"FilePart { content: 3 bytes, name: Some("a.wav"), media_type: None }"#
        );
        assert_eq!(
            file.with_media_type("audio/wav").media_type.as_deref(),
            Some("audio/wav")
        );
    }
}
