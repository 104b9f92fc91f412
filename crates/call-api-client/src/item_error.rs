//! An item of a list or a stream that cannot be decoded.

use std::fmt;

use bytes::Bytes;

/// An item of a list or a stream that is not what the API's document says. The other items are delivered.
#[derive(Clone)]
pub struct ItemError {
    index: usize,
    json_path: String,
    message: String,
    raw: Bytes,
}

impl ItemError {
    pub(crate) fn new(index: usize, json_path: String, message: String, raw: &[u8]) -> Self {
        Self {
            index,
            json_path,
            message,
            // A part of the body would keep all of it in memory.
            raw: Bytes::copy_from_slice(raw),
        }
    }

    /// Returns the index of the item in its page or stream, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the place in the item that could not be decoded, such as `owner.id`; `.` is all of it.
    pub fn json_path(&self) -> &str {
        &self.json_path
    }

    /// Returns the item as the service sent it: JSON, which may be private, so that neither `Display` nor `Debug` shows it.
    /// Empty for an item of a stream that is longer than the body limit.
    pub fn json(&self) -> &[u8] {
        &self.raw
    }
}

impl fmt::Display for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            index,
            json_path,
            message,
            ..
        } = self;
        write!(f, "item {index}: {json_path}: {message}")
    }
}

impl fmt::Debug for ItemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemError")
            .field("index", &self.index)
            .field("json_path", &self.json_path)
            .field("message", &self.message)
            .field("raw", &format_args!("{} bytes", self.raw.len()))
            .finish()
    }
}

impl std::error::Error for ItemError {}
