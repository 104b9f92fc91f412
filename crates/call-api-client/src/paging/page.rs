//! A page of a list.

use std::fmt;

use bytes::Bytes;
use call_api_transport::AttemptLog;
use http::HeaderMap;
use serde::de::DeserializeOwned;

use super::PropertyPath;
use super::body::{Content, list};
use super::engine::RawPage;
use crate::client::Client;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::item_error::ItemError;
use crate::request::{Mismatch, json};

/// A page of a list.
#[derive(Clone)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items. One that does not match the document is an error with an [`ItemError`](Error::item); the others are
    /// delivered nevertheless.
    pub items: Vec<Result<T, Error>>,
    /// The cursor of this page; `None` for the first.
    pub cursor: Option<Cursor>,
    /// The cursor of the next page, to continue with later; `None` if this is the last one, or if the list cannot continue
    /// after it, which is the stream's next error.
    pub next: Option<Cursor>,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as the service sent it, after decompression.
    pub body: Bytes,
    /// Every attempt: its duration, and what went wrong before one succeeded.
    pub attempt_log: AttemptLog,
    items_path: PropertyPath,
}

impl<T> Page<T> {
    /// The id by which the service knows the request, if it sent one.
    pub fn request_id(&self) -> Option<&str> {
        self.attempt_log.request_id()
    }

    /// Decodes everything except the items, such as a total. `R` is the document's type of the whole page, with an empty
    /// list, or a type of your own.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if the page is not of this type.
    pub fn rest<R: DeserializeOwned>(&self) -> Result<R, Error> {
        let list = list(&self.body, self.items_path).ok().flatten();
        let rest = list.map(|list| {
            let start = list.get().as_ptr().addr() - self.body.as_ptr().addr();
            let (before, after) = (&self.body[..start], &self.body[start + list.get().len()..]);
            [before, b"[]", after].concat()
        });
        json(rest.as_deref().unwrap_or(&self.body))
            .map_err(|mismatch| self.to_error(mismatch.into_error()))
    }

    fn to_error(&self, error: Error) -> Error {
        error.with_response(self.status, self.headers.clone(), self.attempt_log.clone())
    }
}

impl<T: DeserializeOwned> Page<T> {
    /// Returns the page with its items. Those that are not decoded yet are decoded one by one, and those that cannot be
    /// decoded are counted as drift, unless the comparison of the page with the document has counted them.
    pub(super) fn new(client: &Client, raw: RawPage, items: Vec<Result<T, Error>>) -> Self {
        let mut page = Self {
            items,
            cursor: raw.cursor,
            next: raw.next,
            status: raw.status,
            headers: raw.headers,
            body: raw.body.bytes,
            attempt_log: raw.attempt_log,
            items_path: raw.items_path,
        };
        let Content::Split(split) = raw.body.content else {
            return page;
        };
        page.items.reserve_exact(split.len());
        for (index, bytes) in split.into_iter().enumerate() {
            let mismatch = match json(&bytes) {
                Ok(item) => {
                    page.items.push(Ok(item));
                    continue;
                }
                Err(mismatch) => mismatch,
            };
            let list = raw.items_path.join(".");
            let path = below(&format!("{list}[{index}]"), &mismatch.path);
            if let Some(detector) = client.drift_detector() {
                detector.report_undecodable(page.attempt_log.operation(), &path, &raw.drifts);
            }
            let message = mismatch.message();
            let Mismatch {
                path: in_item,
                cause,
            } = mismatch;
            let item = ItemError::new(index, in_item, message, &bytes);
            let error = page.to_error(Mismatch { path, cause }.into_error());
            page.items.push(Err(error.with_item(item)));
        }
        page
    }
}

/// Returns the path of a place within the value at another path.
fn below(path: &str, inner: &str) -> String {
    match inner {
        "." => path.to_owned(),
        inner if inner.starts_with('[') => format!("{path}{inner}"),
        inner => format!("{path}.{inner}"),
    }
}

/// Shows the names of the headers, without their values, which may be secret, and without the body.
impl<T: fmt::Debug> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.keys().collect();
        f.debug_struct("Page")
            .field("items", &self.items)
            .field("cursor", &self.cursor)
            .field("next", &self.next)
            .field("status", &self.status)
            .field("headers", &headers)
            .field("attempt_log", &self.attempt_log)
            .finish_non_exhaustive()
    }
}
