//! The documented bodies of error responses.

use bytes::Bytes;

use crate::sealed::Sealed;

/// The documented bodies of an operation's error responses. Sealed: the builder of its requests implements it.
pub trait ErrorBodies: Sealed {
    /// The type of the bodies, which [`Error::body`](crate::Error::body) returns. `()` if there are none.
    type ErrorBody;

    /// The id of the operation.
    #[doc(hidden)]
    const OPERATION: &'static str;

    #[doc(hidden)]
    fn decode_error(status: u16, body: &Bytes) -> Option<Self::ErrorBody>;
}
