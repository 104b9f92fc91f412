//! What passed between client and service, for those who build a richer result or error from it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::attempt_log::AttemptLog;

/// A call that has ended: its ledger, and the response where there was one.
#[derive(Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// What was tried.
    pub attempt_log: AttemptLog,
    /// The status of the response; `None` where the call failed without one that was handed on.
    pub status: Option<StatusCode>,
    /// The headers of that response, which are no longer in itself.
    pub headers: HeaderMap,
    /// Its body, decompressed. Empty where it is [streamed](crate::ResponseBody::Streamed).
    pub body: Bytes,
    /// Whether the body of an error response was cut, at 64 KiB or where the connection broke.
    pub body_is_cut: bool,
}

impl Exchange {
    /// The id by which the service knows the request.
    pub fn request_id(&self) -> Option<&str> {
        self.attempt_log.request_id()
    }

    /// How long the service asked to wait before another try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.attempt_log.retry_after()
    }

    /// The URL of the request without its query.
    pub fn url(&self) -> &str {
        self.attempt_log.url()
    }
}

impl fmt::Debug for Exchange {
    /// Without the body, and of the headers only the names: either may hold what must not be in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("attempt_log", &self.attempt_log)
            .field("status", &self.status)
            .field(
                "headers",
                &self
                    .headers
                    .keys()
                    .map(|name| name.as_str())
                    .collect::<Vec<_>>(),
            )
            .field("body_bytes", &self.body.len())
            .field("body_is_cut", &self.body_is_cut)
            .finish()
    }
}

/// Where a transport made by [`Transport::recorded`](crate::Transport::recorded) writes the exchange of its last call.
#[derive(Clone, Debug, Default)]
pub struct Recording(Arc<Mutex<Option<Exchange>>>);

impl Recording {
    /// Takes the exchange; `None` where no call has ended since the last time.
    pub fn take(&self) -> Option<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn put(&self, exchange: Exchange) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(exchange);
    }
}
