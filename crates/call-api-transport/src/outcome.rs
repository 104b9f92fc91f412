//! The outcomes of an attempt, and the table of those that are retried.

use std::fmt;

use http::StatusCode;

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// A response with a status below 400, read to its end.
    Success,
    /// No connection: refused, unreachable, or no such host.
    ConnectFailed,
    /// No connection within the connect timeout.
    ConnectTimedOut,
    /// The peer's certificate was not accepted, or the peer did not speak TLS.
    TlsRejected,
    /// The server closed the connection (`GOAWAY`) or refused the stream (`REFUSED_STREAM`) before it processed the request.
    NotProcessed,
    /// The connection broke before the head of a response arrived, or a pooled connection was found closed.
    Interrupted,
    /// The connection broke inside the body.
    Truncated,
    /// The response was not HTTP, or its body could not be decoded.
    Malformed,
    /// The attempt timeout passed.
    AttemptTimedOut,
    /// The deadline of the request passed during the attempt.
    DeadlineReached,
    /// The body is longer than the limit.
    BodyTooLarge,
    /// A redirect, which is not followed.
    Redirected,
    /// 401.
    Unauthorized,
    /// 408.
    RequestTimeout,
    /// 429.
    Throttled,
    /// 500, 502, 503 or 504.
    ServerError,
    /// Any other status from 400 up.
    Rejected,
    /// The HTTP library refused to send the request.
    Unsendable,
    /// The content could not be written to its target.
    WriteFailed,
}

/// The condition for another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retryability {
    Never,
    /// Only if the request may be sent twice.
    IfRepeatable,
    /// Any request: the server has not processed it.
    Always,
}

/// One row of the table.
struct Rule {
    retryability: Retryability,
    /// The cost of a retry.
    cost: u32,
    reason: &'static str,
}

/// Throttling shows that the service works, so its retries cost less (figures of the AWS SDKs).
const THROTTLED: u32 = 5;
const FAILED: u32 = 14;

impl Outcome {
    /// All outcomes, in the order of the table.
    pub const ALL: [Self; 19] = [
        Self::Success,
        Self::ConnectFailed,
        Self::ConnectTimedOut,
        Self::TlsRejected,
        Self::NotProcessed,
        Self::Interrupted,
        Self::Truncated,
        Self::Malformed,
        Self::AttemptTimedOut,
        Self::DeadlineReached,
        Self::BodyTooLarge,
        Self::Redirected,
        Self::Unauthorized,
        Self::RequestTimeout,
        Self::Throttled,
        Self::ServerError,
        Self::Rejected,
        Self::Unsendable,
        Self::WriteFailed,
    ];

    /// The only place that decides which outcomes are retried, and why.
    #[rustfmt::skip]
    const fn rule(self) -> Rule {
        use Retryability::{Always, IfRepeatable, Never};
        let (retryability, cost, reason) = match self {
            Self::Success         => (Never,        0,         "there is nothing left to do"),
            Self::ConnectFailed   => (Always,       FAILED,    "the request was not sent, and a restart or failover is short"),
            Self::ConnectTimedOut => (Always,       FAILED,    "the request was not sent, and another address may answer"),
            Self::TlsRejected     => (Never,        0,         "the next handshake gets the same certificate"),
            Self::NotProcessed    => (Always,       0,         "RFC 9113, section 8.7: the server has not processed the request"),
            Self::Interrupted     => (IfRepeatable, FAILED,    "servers close idle connections; it is unknown if the request was processed"),
            Self::Truncated       => (IfRepeatable, FAILED,    "the service answered; the next response may be complete"),
            Self::Malformed       => (Never,        0,         "the next response is malformed in the same way"),
            Self::AttemptTimedOut => (IfRepeatable, FAILED,    "one slow response may be chance; a second timeout is not retried"),
            Self::DeadlineReached => (Never,        0,         "the time for the whole request is over"),
            Self::BodyTooLarge    => (Never,        0,         "the next body has the same length"),
            Self::Redirected      => (Never,        0,         "the token must not follow a redirect unasked"),
            Self::Unauthorized    => (Never,        0,         "the same token is refused again; a renewed token is tried once, outside of this table"),
            Self::RequestTimeout  => (IfRepeatable, FAILED,    "RFC 9110, section 15.5.9: the client may repeat the request"),
            Self::Throttled       => (IfRepeatable, THROTTLED, "RFC 6585, section 4: the service asks to try later"),
            Self::ServerError     => (IfRepeatable, FAILED,    "deployments and overload are temporary; 501 and 505 are not, and are not in this row"),
            Self::Rejected        => (Never,        0,         "the same request gets the same response"),
            Self::Unsendable      => (Never,        0,         "the same request is as invalid the next time"),
            Self::WriteFailed     => (Never,        0,         "the fault is on this side, and the next bytes meet it too"),
        };
        Rule { retryability, cost, reason }
    }

    /// Returns the outcome of an attempt whose response has this status, and was read to its end.
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthorized,
            408 => Self::RequestTimeout,
            429 => Self::Throttled,
            500 | 502 | 503 | 504 => Self::ServerError,
            400.. => Self::Rejected,
            _ => Self::Success,
        }
    }

    pub(crate) fn retryability(self) -> Retryability {
        self.rule().retryability
    }

    /// Returns the cost of a retry after this outcome.
    pub(crate) fn cost(self) -> u32 {
        match self.rule().cost {
            // `x-should-retry` can make any other outcome retryable.
            0 if self != Self::NotProcessed => FAILED,
            cost => cost,
        }
    }

    /// Returns true if another attempt follows, provided the request may be sent twice.
    pub fn is_retried(self) -> bool {
        !matches!(self.retryability(), Retryability::Never)
    }

    /// Returns true if the same request may succeed later.
    pub fn is_transient(self) -> bool {
        // A malformed response may come from a gateway or from one server of several, which is replaced in time.
        self.is_retried() || matches!(self, Self::DeadlineReached | Self::Malformed)
    }

    /// Returns true if the service has certainly not processed the request.
    pub fn was_not_sent(self) -> bool {
        matches!(self.retryability(), Retryability::Always)
    }

    /// The reason why this outcome is, or is not, retried.
    pub fn reason(self) -> &'static str {
        self.rule().reason
    }

    /// A short name in snake case, as for OpenTelemetry's `error.type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::ConnectFailed => "connect_failed",
            Self::ConnectTimedOut => "connect_timed_out",
            Self::TlsRejected => "tls_rejected",
            Self::NotProcessed => "not_processed",
            Self::Interrupted => "interrupted",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::AttemptTimedOut => "attempt_timed_out",
            Self::DeadlineReached => "deadline_reached",
            Self::BodyTooLarge => "body_too_large",
            Self::Redirected => "redirected",
            Self::Unauthorized => "unauthorized",
            Self::RequestTimeout => "request_timeout",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::Rejected => "rejected",
            Self::Unsendable => "unsendable",
            Self::WriteFailed => "write_failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Outcome::{self, *};

    #[test]
    fn names_and_reasons_are_unique() {
        let names: BTreeSet<_> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
        let reasons: BTreeSet<_> = Outcome::ALL
            .iter()
            .map(|outcome| outcome.reason())
            .collect();
        assert_eq!((names.len(), reasons.len()), (19, 19));
        assert!(names.iter().chain(&reasons).all(|text| !text.is_empty()));
    }

    #[test]
    fn transient_outcomes_are_the_documented_ones() {
        let transient: Vec<_> = Outcome::ALL
            .into_iter()
            .filter(|outcome| outcome.is_transient())
            .collect();
        assert_eq!(
            transient,
            [
                ConnectFailed,
                ConnectTimedOut,
                NotProcessed,
                Interrupted,
                Truncated,
                Malformed,
                AttemptTimedOut,
                DeadlineReached,
                RequestTimeout,
                Throttled,
                ServerError
            ]
        );
    }

    #[test]
    fn only_a_retry_of_an_unprocessed_request_is_free() {
        for outcome in Outcome::ALL {
            let cost = match outcome {
                Throttled => 5,
                NotProcessed => 0,
                _ => 14,
            };
            assert_eq!(outcome.cost(), cost, "{outcome}");
            assert_eq!(
                outcome.was_not_sent(),
                matches!(outcome, ConnectFailed | ConnectTimedOut | NotProcessed),
                "{outcome}"
            );
        }
    }
}
