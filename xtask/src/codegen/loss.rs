//! What the SDK does not honour of the document: nothing is left out in silence.

use crate::pointer::Pointer;

/// One thing that the document says and the SDK does not do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// Where the document says it.
    pub pointer: Pointer,
    /// What is not honoured, such as `` `if`, `then`, `else` ``.
    pub what: String,
    /// What happens instead.
    pub instead: String,
}

impl Loss {
    /// A loss at `pointer`.
    pub fn new(pointer: &Pointer, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self {
            pointer: pointer.clone(),
            what: what.into(),
            instead: instead.into(),
        }
    }
}
