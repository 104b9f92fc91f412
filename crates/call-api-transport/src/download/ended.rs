//! What a download requests, and how one attempt of it ends.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use url::Url;

use crate::engine::AttemptError;
use crate::operation::Operation;
use crate::outcome::Outcome;

/// What is downloaded, and from where.
pub(super) struct Address {
    pub(super) operation: &'static Operation,
    pub(super) url: Url,
    pub(super) allow_insecure_http: bool,
    pub(super) is_api: bool,
}

/// A response without content.
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) is_truncated: bool,
}

/// The end of one attempt.
pub(super) enum Ended {
    Complete,
    /// The rest can be requested.
    Broken(Outcome, AttemptError),
    /// Boxed, since it is far larger than the others.
    Refused(Box<Refusal>),
    /// The service has something else than what the sink has: everything is requested, without a range.
    Restart(&'static str),
    /// Another attempt is no use.
    Final(Outcome, AttemptError),
}
