//! The address of a download, and the end of one of its attempts.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use url::Url;

use crate::operation::Operation;
use crate::outcome::Outcome;
use crate::request_kind::AttemptError;

/// The address of the content.
pub(super) struct Address {
    pub(super) operation: &'static Operation,
    pub(super) url: Url,
    pub(super) allow_insecure_http: bool,
    pub(super) is_api: bool,
}

/// A response without content.
pub(crate) struct ErrorResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) is_truncated: bool,
}

/// The end of one attempt.
pub(super) enum Ended {
    Complete,
    /// The rest can be requested.
    Interrupted(Outcome, AttemptError),
    /// Boxed, since it is far larger than the others.
    Rejected(Box<ErrorResponse>),
    /// The service has other content than the sink: everything is requested, without a range.
    Restart(&'static str),
    /// Another attempt would fail the same way.
    Final(Outcome, AttemptError),
}
