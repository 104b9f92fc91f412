//! Reports of document features that the SDK does not support. Nothing is dropped silently.

use crate::pointer::Pointer;

/// A feature of the document that the SDK does not support.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unsupported {
    /// The file that has it, or `None` if it is in the document itself.
    pub file: Option<String>,
    /// The location in the file.
    pub pointer: Pointer,
    /// The feature, such as `` `if`, `then`, `else` ``.
    pub what: String,
    /// The behavior of the SDK instead.
    pub instead: String,
    /// True if progenitor does not support the object, so all of it is left out.
    pub left_out: bool,
}

impl Unsupported {
    /// Creates a report for the document itself.
    pub fn new(pointer: &Pointer, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self {
            file: None,
            pointer: pointer.clone(),
            what: what.into(),
            instead: instead.into(),
            left_out: false,
        }
    }

    /// Returns the pointer, prefixed with the file if it is not the document itself.
    pub fn location(&self) -> String {
        match &self.file {
            Some(file) => format!("{file}#{}", self.pointer),
            None => self.pointer.to_string(),
        }
    }
}
