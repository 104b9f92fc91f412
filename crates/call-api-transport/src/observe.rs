//! Observing requests: metrics, and `tracing`.

use std::sync::Arc;

use crate::attempt_log::{Attempt, AttemptLog};
use crate::operation::Operation;

/// Observes every attempt and every request, for metrics. It runs inside the request, so it should be quick.
///
/// Nothing that it is given shows a token, a query or a body.
pub trait Observer: Send + Sync + 'static {
    /// Called when an attempt has ended, before the delay that follows it is known. `resends` is the number of attempts
    /// before it.
    fn attempt(&self, operation: &Operation, attempt: &Attempt, resends: usize) {
        let _ = (operation, attempt, resends);
    }

    /// Called when a request has ended, successfully or not. Not called if its future was dropped.
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
pub(crate) use with_tracing::{attempt_event, request_ended, request_span};

#[cfg(feature = "tracing")]
mod with_tracing {
    use http::Method;
    use tracing::{Span, debug, field, info_span, warn};
    use url::Url;

    use crate::attempt_log::Attempt;
    use crate::operation::Operation;
    use crate::outcome::Outcome;

    /// The target of all spans and events, so that filters survive a change of modules.
    const TARGET: &str = "call_api_transport";

    /// Returns one span for a request, with the names of OpenTelemetry's semantic conventions for HTTP clients (1.27). The
    /// path is that of the template: a parameter may be private, and would make each request a series of its own.
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
                error.type = error_type(attempt),
                elapsed_ms = u64::try_from(attempt.elapsed.as_millis()).unwrap_or(u64::MAX),
                request_id = attempt.request_id.as_deref(),
            },
            "attempt ended: {}", attempt.outcome
        );
    }

    /// Completes the span. `error` is the kind of error that the request ends with; without one, an error status is.
    pub(crate) fn request_ended(span: &Span, attempts: &[Attempt], error: Option<&'static str>) {
        let last = attempts.last();
        if let Some(status) = last.and_then(|last| last.status) {
            span.record("http.response.status_code", status.as_u16());
        }
        let resends = attempts.len().saturating_sub(1);
        if resends > 0 {
            span.record("http.request.resend_count", resends);
        }
        let Some(error_type) = error.or_else(|| last.and_then(error_type)) else {
            return;
        };
        span.record("error.type", error_type);
        span.in_scope(|| {
            warn!(
                target: TARGET,
                { error.type = error_type, attempts = attempts.len() },
                "request failed: {error_type}"
            );
        });
    }

    /// Returns an error status if there is one, else the name of the outcome.
    fn error_type(attempt: &Attempt) -> Option<&str> {
        match (attempt.outcome, &attempt.status) {
            (Outcome::Success, _) => None,
            (_, Some(status)) if status.as_u16() >= 400 => Some(status.as_str()),
            (outcome, _) => Some(outcome.name()),
        }
    }
}
