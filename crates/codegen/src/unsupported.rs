//! What the SDK does not honor of the document: nothing is left out in silence.

use crate::pointer::Pointer;

/// One thing that the document says and the SDK does not do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unsupported {
    /// The file that says it, where that is not the document itself but one that it refers to.
    pub file: Option<String>,
    /// Where it says it.
    pub pointer: Pointer,
    /// What is not honored, such as `` `if`, `then`, `else` ``.
    pub what: String,
    /// What happens instead.
    pub instead: String,
}

impl Unsupported {
    /// A loss at `pointer`.
    pub fn new(pointer: &Pointer, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self {
            file: None,
            pointer: pointer.clone(),
            what: what.into(),
            instead: instead.into(),
        }
    }

    /// The place, after the file where it is in another one than the document.
    pub fn place(&self) -> String {
        match &self.file {
            Some(file) => format!("{file}#{}", self.pointer),
            None => self.pointer.to_string(),
        }
    }
}
