//! What others may see of a call while it runs: metrics, and `tracing`.

use crate::attempt_log::{Attempt, AttemptLog};
use crate::operation::Operation;

/// Told about every attempt and every call: the place for metrics. It runs inside the call, so it should only count.
///
/// Nothing that it is given shows a token, a query or a body.
pub trait Observer: Send + Sync + 'static {
    /// An attempt has ended; what wait follows is not known yet. `resends` is how many attempts were made before it.
    fn attempt(&self, operation: &Operation, attempt: &Attempt, resends: usize) {
        let _ = (operation, attempt, resends);
    }

    /// A call has ended, well or not. A call whose future was dropped has not, and is not told of.
    fn request(&self, operation: &Operation, attempt_log: &AttemptLog) {
        let _ = (operation, attempt_log);
    }
}

#[cfg(feature = "tracing")]
pub(crate) use with_tracing::{attempt_event, request_ended, request_span};

#[cfg(feature = "tracing")]
mod with_tracing {
    use http::Method;
    use tracing::{Span, debug, field, info_span};
    use url::Url;

    use crate::attempt_log::Attempt;
    use crate::operation::Operation;
    use crate::retry::Outcome;

    /// One span for a call, with the names of OpenTelemetry's semantic conventions for HTTP clients (1.27). The path is
    /// there as its template: a parameter may be private, and would make each call a series of its own.
    pub(crate) fn request_span(operation: &Operation, method: &Method, url: &Url) -> Span {
        info_span!(
            "call",
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
            http.request.resend_count = resends,
            http.response.status_code = attempt.status.map(|status| status.as_u16()),
            error.type = error_type(attempt),
            elapsed_ms = u64::try_from(attempt.elapsed.as_millis()).unwrap_or(u64::MAX),
            request_id = attempt.request_id.as_deref(),
            "attempt ended: {}", attempt.outcome
        );
    }

    pub(crate) fn request_ended(span: &Span, attempts: &[Attempt]) {
        if let Some(last) = attempts.last() {
            if let Some(status) = last.status {
                span.record("http.response.status_code", status.as_u16());
            }
            if let Some(name) = error_type(last) {
                span.record("error.type", name);
            }
        }
        let resends = attempts.len().saturating_sub(1);
        if resends > 0 {
            span.record("http.request.resend_count", resends);
        }
    }

    /// The status where there is an error status, else the name of the outcome.
    fn error_type(attempt: &Attempt) -> Option<&str> {
        match (attempt.outcome, &attempt.status) {
            (Outcome::Success, _) => None,
            (_, Some(status)) if status.as_u16() >= 400 => Some(status.as_str()),
            (outcome, _) => Some(outcome.name()),
        }
    }
}
