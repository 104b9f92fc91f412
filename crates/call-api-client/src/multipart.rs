//! Serializes a body as `multipart/form-data` (RFC 7578): a part for each file and each value.
//!
//! The whole body is made before it is sent, so that it can be sent again.

#![allow(dead_code, reason = "a document without such bodies has no use for it")]

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde_json::Value;

use crate::encode::{field, to_value};

/// A file of the types crate.
pub(crate) trait File {
    /// The bytes.
    fn content(&self) -> &[u8];
    /// The file's name.
    fn name(&self) -> Option<&str>;
    /// Its media type.
    fn media_type(&self) -> Option<&str>;
}

/// A body being built.
pub(crate) struct Form {
    boundary: String,
    body: Vec<u8>,
    error: Option<String>,
}

impl Form {
    pub(crate) fn new() -> Self {
        Self {
            boundary: boundary(),
            body: Vec::new(),
            error: None,
        }
    }

    /// A part for each of the files; one that has no media type has this one.
    pub(crate) fn files<'a, F: File + 'a>(
        mut self,
        name: &str,
        files: impl IntoIterator<Item = &'a F>,
        media_type: &str,
    ) -> Self {
        for file in files {
            let media_type = file.media_type().unwrap_or(media_type);
            let file_name = file.name().unwrap_or(name);
            self.part(name, Some(file_name), Some(media_type), file.content());
        }
        self
    }

    /// A part for a value, and one for each item of a list; none for null. An object is sent as JSON.
    pub(crate) fn value(
        mut self,
        name: &str,
        value: &impl Serialize,
        media_type: Option<&str>,
    ) -> Self {
        match to_value(name, value) {
            Ok(Value::Null) => {}
            Ok(Value::Array(items)) => {
                for item in &items {
                    self.text(name, item, media_type);
                }
            }
            Ok(value) => self.text(name, &value, media_type),
            Err(error) => self.fail(error),
        }
        self
    }

    fn text(&mut self, name: &str, value: &Value, media_type: Option<&str>) {
        // A part without a type is text: most services take one with a type for a file.
        let is_json = value.is_array() || value.is_object();
        let media_type = media_type.or(is_json.then_some("application/json"));
        self.part(name, None, media_type, field(value).as_bytes());
    }

    fn part(
        &mut self,
        name: &str,
        file_name: Option<&str>,
        media_type: Option<&str>,
        content: &[u8],
    ) {
        let mut head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{}\"",
            self.boundary,
            quoted(name)
        );
        if let Some(file_name) = file_name {
            head.push_str(&format!("; filename=\"{}\"", quoted(file_name)));
        }
        if let Some(media_type) = media_type {
            if HeaderValue::from_str(media_type).is_err() {
                self.fail(format!(
                    "the media type of the part `{name}` is not a valid header value"
                ));
            }
            head.push_str(&format!("\r\nContent-Type: {media_type}"));
        }
        head.push_str("\r\n\r\n");
        self.body.reserve(head.len() + content.len() + 2);
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
    }

    /// Keeps the first error.
    fn fail(&mut self, error: String) {
        self.error.get_or_insert(error);
    }

    /// `request` with the body.
    pub(crate) fn put_into(mut self, request: RequestBuilder) -> Result<RequestBuilder, String> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.body
            .extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        let media_type = format!("multipart/form-data; boundary={}", self.boundary);
        Ok(request.header(CONTENT_TYPE, media_type).body(self.body))
    }
}

/// Returns the delimiter of the parts: 128 random bits, so that no file holds it.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// A name as browsers write it (HTML, "multipart form data"): what would end it is percent-encoded.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use call_api_transport::Transport;

    use super::*;
    use serde_json::json;

    struct Note(&'static str, Option<&'static str>);

    impl File for Note {
        fn content(&self) -> &[u8] {
            self.0.as_bytes()
        }
        fn name(&self) -> Option<&str> {
            self.1
        }
        fn media_type(&self) -> Option<&str> {
            self.1.map(|_| "text/plain")
        }
    }

    fn sent(form: Form) -> Result<(String, String), String> {
        let boundary = form.boundary.clone();
        let transport = Transport::builder("http://localhost")
            .build()
            .map_err(|error| error.to_string())?;
        let request = transport.http_client().post("http://localhost/");
        let request = form
            .put_into(request)?
            .build()
            .map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&boundary, "B");
        assert!(request.try_clone().is_some(), "it can be sent again");
        let media_type = request
            .headers()
            .get(CONTENT_TYPE)
            .map(|value| text(value.as_bytes()));
        let body = request.body().and_then(reqwest::Body::as_bytes).map(text);
        Ok((media_type.unwrap_or_default(), body.unwrap_or_default()))
    }

    #[test]
    fn each_part_has_its_head() -> Result<(), String> {
        let form = Form::new()
            .files(
                "file",
                &[Note("a\r\nb", None), Note("", Some("c\".txt"))],
                "audio/wav",
            )
            .value("text", &json!("x"), None)
            .value("list", &json!([1, {"k": [true]}]), None)
            .value("csv", &json!("1,2"), Some("text/csv"))
            .value("none", &json!(null), None);
        let (media_type, body) = sent(form)?;
        assert_eq!(media_type, "multipart/form-data; boundary=B");
        assert_eq!(
            body,
            "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\nContent-Type: audio/wav\r\n\r\na\r\nb\r\n\
             --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"c%22.txt\"\r\nContent-Type: text/plain\r\n\r\n\r\n\
             --B\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nx\r\n\
             --B\r\nContent-Disposition: form-data; name=\"list\"\r\n\r\n1\r\n\
             --B\r\nContent-Disposition: form-data; name=\"list\"\r\nContent-Type: application/json\r\n\r\n{\"k\":[true]}\r\n\
             --B\r\nContent-Disposition: form-data; name=\"csv\"\r\nContent-Type: text/csv\r\n\r\n1,2\r\n\
             --B--\r\n"
        );
        Ok(())
    }

    #[test]
    fn two_bodies_have_two_boundaries() {
        assert_ne!(boundary(), boundary());
        assert_eq!(boundary().len(), 32);
    }

    #[test]
    fn nothing_gets_into_a_head_that_ends_it() {
        assert_eq!(quoted("a\"\r\nb"), "a%22%0D%0Ab");
        let form = Form::new().value("a", &json!(1), Some("text/plain\r\nX-Evil: 1"));
        assert_eq!(
            sent(form).err().as_deref(),
            Some("the media type of the part `a` is not a valid header value")
        );
    }
}
