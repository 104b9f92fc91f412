//! Observing requests: metrics, and `tracing`.

use std::sync::Arc;

use crate::attempt_log::{Attempt, AttemptLog};
use crate::operation::Operation;

/// Observes every attempt and every request, for metrics. It runs inside the request, so it should be quick.
///
/// Nothing that it is given shows a token, a body or the query of a download; [`AttemptLog::to_curl`] shows the query of
/// another request.
pub trait Observer: Send + Sync + 'static {
    /// Runs when an attempt has ended, before the delay that follows it is known. `resends` is the number of attempts
    /// before it.
    fn attempt(&self, operation: &Operation, attempt: &Attempt, resends: usize) {
        let _ = (operation, attempt, resends);
    }

    /// Runs when a request has ended, successfully or not: [`AttemptLog::error_type`] says which. It ends when its response
    /// is decoded; one that is returned as a stream ends with its head, and a download with its last byte. Does not run
    /// if its future was dropped.
    fn request(&self, operation: &Operation, attempt_log: &AttemptLog) {
        let _ = (operation, attempt_log);
    }
}

impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn attempt(&self, operation: &Operation, attempt: &Attempt, resends: usize) {
        (**self).attempt(operation, attempt, resends);
    }

    fn request(&self, operation: &Operation, attempt_log: &AttemptLog) {
        (**self).request(operation, attempt_log);
    }
}

impl<T: Observer + ?Sized> Observer for Box<T> {
    fn attempt(&self, operation: &Operation, attempt: &Attempt, resends: usize) {
        (**self).attempt(operation, attempt, resends);
    }

    fn request(&self, operation: &Operation, attempt_log: &AttemptLog) {
        (**self).request(operation, attempt_log);
    }
}

#[cfg(feature = "tracing")]
pub(crate) use with_tracing::{attempt_event, request_ended, request_failed, request_span};

#[cfg(feature = "tracing")]
mod with_tracing {
    use http::Method;
    use tracing::{Span, debug, field, info_span, warn};
    use url::Url;

    use crate::attempt_log::{Attempt, AttemptLog};
    use crate::operation::Operation;

    /// The target of all spans and events, so that filters survive a change of modules.
    const TARGET: &str = "call_api_transport";

    /// Returns one span for a request, with the names of OpenTelemetry's semantic conventions for HTTP clients (1.27). The
    /// path is the template, because a parameter can be private, and would make each request a separate time series.
    pub(crate) fn request_span(operation: &Operation, method: &Method, url: &Url) -> Span {
        info_span!(
            target: TARGET,
            "request",
            otel.kind = "client",
            operation = operation.id,
            http.request.method = method.as_str(),
            url.template = operation.path,
            server.address = url.host_str(),
            server.port = url.port_or_known_default(),
            http.response.status_code = field::Empty,
            http.request.resend_count = field::Empty,
            error.type = field::Empty,
        )
    }

    pub(crate) fn attempt_event(attempt: &Attempt, resends: usize) {
        debug!(
            target: TARGET,
            {
                http.request.resend_count = resends,
                http.response.status_code = attempt.status.map(|status| status.as_u16()),
                error.type = attempt.error_type(),
                elapsed_ms = u64::try_from(attempt.elapsed.as_millis()).unwrap_or(u64::MAX),
                request_id = attempt.request_id.as_deref(),
            },
            "attempt ended: {}", attempt.outcome
        );
    }

    /// Completes the span, and warns if the request failed.
    pub(crate) fn request_ended(span: &Span, log: &AttemptLog) {
        if let Some(status) = log.attempts.last().and_then(|last| last.status) {
            span.record("http.response.status_code", status.as_u16());
        }
        let resends = log.attempts.len().saturating_sub(1);
        if resends > 0 {
            span.record("http.request.resend_count", resends);
        }
        if let Some(error_type) = log.error_type() {
            request_failed(span, error_type, Some(log.attempts.len()));
        }
    }

    /// Marks the span as that of a failed request: the one event at `WARN` that a request can have.
    pub(crate) fn request_failed(span: &Span, error_type: &str, attempts: Option<usize>) {
        span.record("error.type", error_type);
        span.in_scope(|| {
            warn!(
                target: TARGET,
                { error.type = error_type, attempts },
                "request failed: {error_type}"
            );
        });
    }
}
