//! A file as a part of a form.

// Generated code exports it if its document has such parts.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the document decides whether it is used"
)]

use std::fmt;

/// A file that is sent as a part of a form (`multipart/form-data`): its bytes, a name and a media type.
///
/// It is kept in memory, so that a failed request can be retried.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FilePart {
    /// The bytes of the file.
    pub content: Vec<u8>,
    /// The file's name, such as `greeting.wav`. Without it, the name of the part is sent, because services recognize a
    /// file by its name.
    pub name: Option<String>,
    /// The media type, such as `audio/wav`. Without it, the one in the API's document is sent, or
    /// `application/octet-stream`.
    pub media_type: Option<String>,
}

crate::record::fields! { FilePart {
    content: "content" = Exact required Always;
    name: "name" = Exact or_default Always;
    media_type: "media_type" = Exact or_default Always;
} }

impl FilePart {
    /// Returns a file with these bytes.
    pub fn new(content: impl Into<Vec<u8>>) -> Self {
        Self {
            content: content.into(),
            name: None,
            media_type: None,
        }
    }

    /// Sets the file's name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the media type.
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

/// Omits the bytes, which can be many.
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
    fn file_is_encoded_as_an_object() -> Result<(), serde_json::Error> {
        let file = FilePart::from(vec![1, 2]).with_name("a.wav");
        let json = serde_json::to_string(&file)?;
        assert_eq!(
            json,
            r#"{"content":[1,2],"name":"a.wav","media_type":null}"#
        );
        assert_eq!(serde_json::from_str::<FilePart>(&json)?, file);
        let unnamed = serde_json::from_str::<FilePart>(r#"{"content":[1,2]}"#)?;
        assert_eq!(unnamed, FilePart::from(vec![1, 2]));
        assert!(serde_json::from_str::<FilePart>("{}").is_err());
        Ok(())
    }

    #[test]
    fn debug_omits_the_bytes() {
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
