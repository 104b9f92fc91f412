//! Which attempts are followed by another, and after what wait.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use crate::attempt_log::{DelayReason, RetryDelay};
use crate::clock::Jitter;
use crate::error::TransportErrorKind;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// A response with a status below 400, read to its end.
    Success,
    /// No connection: refused, unreachable, no such host.
    ConnectFailed,
    /// No connection within the connect time-out.
    ConnectTimedOut,
    /// The other side's certificate was not accepted, or it spoke no TLS.
    TlsRejected,
    /// The connection broke before the head of a response had come; a pooled connection found dead is one of these.
    Interrupted,
    /// The connection broke inside the body.
    Truncated,
    /// What came was no HTTP, or its body could not be decoded.
    Malformed,
    /// The attempt time-out.
    AttemptTimedOut,
    /// The deadline of the whole call came during the attempt.
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
    /// The HTTP library would not send the request.
    Unsendable,
    /// What came could not be written where it should go.
    WriteFailed,
}

/// When an outcome is worth another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retryability {
    Never,
    /// Where sending the request twice does no harm.
    IfRepeatable,
    /// The request never left, so any may be sent again.
    Always,
}

/// One row of the table.
struct Rule {
    retryability: Retryability,
    /// What a retry takes from the budget.
    cost: u32,
    reason: &'static str,
}

/// Throttling says that the service lives, so it costs little (the AWS SDKs' figures).
const THROTTLED: u32 = 5;
const FAILED: u32 = 14;

impl Outcome {
    /// Every outcome, in the order of the table.
    pub const ALL: [Self; 18] = [
        Self::Success,
        Self::ConnectFailed,
        Self::ConnectTimedOut,
        Self::TlsRejected,
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

    /// The table: the one place that says what is tried again, and why.
    #[rustfmt::skip]
    const fn rule(self) -> Rule {
        use Retryability::{Always, IfRepeatable, Never};
        let (retryability, cost, reason) = match self {
            Self::Success         => (Never,        0,         "there is nothing left to do"),
            Self::ConnectFailed   => (Always,       FAILED,    "the request never left, and a restart or a failover takes a moment"),
            Self::ConnectTimedOut => (Always,       FAILED,    "the request never left, and another address or moment may answer"),
            Self::TlsRejected     => (Never,        0,         "the next handshake meets the same certificate"),
            Self::Interrupted     => (IfRepeatable, FAILED,    "servers close idle connections; whether they acted on the request is unknown"),
            Self::Truncated       => (IfRepeatable, FAILED,    "the response was on its way; whether the next is whole is worth a try"),
            Self::Malformed       => (Never,        0,         "a server that speaks wrongly does so again"),
            Self::AttemptTimedOut => (IfRepeatable, FAILED,    "one slow answer may be chance, two are not: at most one retry follows these"),
            Self::DeadlineReached => (Never,        0,         "the time for the whole call is over"),
            Self::BodyTooLarge    => (Never,        0,         "the next body is as long"),
            Self::Redirected      => (Never,        0,         "the answer is where it points, and the token must not go there unasked"),
            Self::Unauthorized    => (Never,        0,         "the same token is refused again; a fresh one is tried once, outside of this table"),
            Self::RequestTimeout  => (IfRepeatable, FAILED,    "RFC 9110, section 15.5.9: the client may repeat the request"),
            Self::Throttled       => (IfRepeatable, THROTTLED, "RFC 6585, section 4: later is what the service asks for"),
            Self::ServerError     => (IfRepeatable, FAILED,    "deployments and overload pass; 501 and 505 do not and are not among these"),
            Self::Rejected        => (Never,        0,         "the same request is answered the same way"),
            Self::Unsendable      => (Never,        0,         "the same request is as wrong the next time"),
            Self::WriteFailed      => (Never,        0,         "the fault is on this side, and the next bytes meet it too"),
        };
        Rule { retryability, cost, reason }
    }

    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthorized,
            408 => Self::RequestTimeout,
            429 => Self::Throttled,
            500 | 502 | 503 | 504 => Self::ServerError,
            400.. => Self::Rejected,
            _ => Self::Success,
        }
    }

    /// What a retry after this takes from the budget.
    pub(crate) fn cost(self) -> u32 {
        // `x-should-retry` can make a rejected request one that is retried: no retry is free.
        match self.rule().cost {
            0 => FAILED,
            cost => cost,
        }
    }

    /// Whether another attempt follows by itself, where the request may be sent twice.
    pub fn is_retried(self) -> bool {
        !matches!(self.rule().retryability, Retryability::Never)
    }

    /// Whether the same request may succeed at another time.
    pub fn is_transient(self) -> bool {
        self.is_retried() || self == Self::DeadlineReached
    }

    /// Whether the request surely never left.
    pub fn was_not_sent(self) -> bool {
        matches!(self.rule().retryability, Retryability::Always)
    }

    /// Why it is, or is not, tried again.
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
            Self::WriteFailed => "not_written",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why there was no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// It worked.
    Success,
    /// Nothing was sent.
    NotSent,
    /// Another attempt would end the same way.
    NotRetryable,
    /// The request is not idempotent, and may have been acted on. An idempotency key would have allowed another try.
    NotIdempotent,
    /// The request's body was a stream, which can be sent only once.
    BodyIsStream,
    /// All attempts were made.
    AttemptsExhausted,
    /// This was the second attempt to run into the attempt time-out.
    TimeoutsExhausted,
    /// The client's retry budget is spent: too many of its recent calls failed.
    BudgetExhausted,
    /// The service said `x-should-retry: false`.
    RetryForbidden,
    /// The service asked for a longer wait than the deadline leaves.
    RetryAfterTooLong {
        /// How long it asked to wait.
        retry_after: Duration,
        /// What was left of the deadline.
        left: Duration,
    },
    /// The deadline leaves no time for a wait and another attempt.
    DeadlineTooNear,
    /// There was no token for another attempt.
    NoToken,
    /// What was handed on can't be taken back, and the service gives no validator to ask for the rest by.
    NotResumable,
    /// It was not there within the time that it was waited for.
    NotReady,
}

impl StopReason {
    /// Why there is no further attempt where what comes before one has failed.
    pub(crate) fn before_attempt(kind: &TransportErrorKind) -> Self {
        match kind {
            TransportErrorKind::TokenUnavailable => Self::NoToken,
            _ => Self::DeadlineTooNear,
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("it succeeded"),
            Self::NotSent => f.write_str("nothing was sent"),
            Self::NotRetryable => f.write_str("another attempt would end the same way"),
            Self::NotIdempotent => f.write_str(
                "not retried: the method is not idempotent and there is no idempotency key",
            ),
            Self::BodyIsStream => f.write_str("not retried: the request's body is a stream"),
            Self::AttemptsExhausted => f.write_str("all attempts were made"),
            Self::TimeoutsExhausted => {
                f.write_str("not retried: two attempts ran into the attempt time-out")
            }
            Self::BudgetExhausted => f.write_str("not retried: the client's retry budget is spent"),
            Self::RetryForbidden => {
                f.write_str("not retried: the service said x-should-retry: false")
            }
            Self::RetryAfterTooLong { retry_after, left } => write!(
                f,
                "not retried: the service asks to wait {} and {} are left of the deadline",
                Seconds(*retry_after),
                Seconds(*left)
            ),
            Self::DeadlineTooNear => f.write_str("not retried: the deadline leaves no time"),
            Self::NotResumable => f.write_str(
                "not retried: what came was handed on, and the service gives nothing to ask for the rest by",
            ),
            Self::NotReady => f.write_str("it was not there within the time it was waited for"),
            Self::NoToken => f.write_str("not retried: there was no token for another attempt"),
        }
    }
}

/// A duration as people write it: `0.25 s`.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let text = format!("{}.{:03}", millis / 1000, millis % 1000);
        write!(f, "{} s", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Exponential backoff with full jitter: a part by chance of a ceiling that doubles. (Marc Brooker, "Exponential
/// Backoff And Jitter", AWS Architecture Blog, 2015: of the forms compared, this one loads a server least.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) cap: Duration,
}

impl Backoff {
    /// The longest wait after that many attempts.
    fn ceiling(&self, attempts: u32) -> Duration {
        let doubled = 1_u32
            .checked_shl(attempts.saturating_sub(1))
            .unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.cap)
    }
}

/// What the service said about another attempt, in a response with an error status; elsewhere nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerHint {
    pub(crate) retry_after: Option<Duration>,
    pub(crate) should_retry: Option<bool>,
}

impl ServerHint {
    pub(crate) fn read(headers: &HeaderMap, now: impl Fn() -> SystemTime) -> Self {
        Self {
            retry_after: retry_after(headers, now),
            should_retry: match headers.get("x-should-retry").map(|value| value.as_bytes()) {
                Some(b"true") => Some(true),
                Some(b"false") => Some(false),
                _ => None,
            },
        }
    }
}

/// `retry-after-ms`, or `Retry-After` in seconds (RFC 9110, section 10.2.3; a decimal fraction is taken too) or as a
/// date. Of several the longest; what can't be read is as if it were not there. A date is compared to the response's
/// own `Date` where there is one, so that a wrong clock here does no harm.
pub(crate) fn retry_after(headers: &HeaderMap, now: impl Fn() -> SystemTime) -> Option<Duration> {
    let texts = |name: HeaderName| {
        headers
            .get_all(name)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::trim)
    };
    let millis = texts(HeaderName::from_static("retry-after-ms"))
        .filter_map(|text| decimal(text, 1))
        .max();
    if millis.is_some() {
        return millis;
    }
    texts(header::RETRY_AFTER)
        .filter_map(|text| {
            decimal(text, 1000).or_else(|| {
                let until = httpdate::parse_http_date(text).ok()?;
                let from = texts(header::DATE)
                    .find_map(|date| httpdate::parse_http_date(date).ok())
                    .unwrap_or_else(&now);
                Some(until.duration_since(from).unwrap_or_default())
            })
        })
        .max()
}

/// A decimal number without a sign, times so many milliseconds, rounded up to the millisecond. One too large to count
/// is the longest duration there is: it must not be read as none.
fn decimal(text: &str, unit_millis: u64) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = whole
        .parse::<u64>()
        .unwrap_or(u64::MAX)
        .saturating_mul(unit_millis);
    // Beyond the sixth digit nothing is left of a millisecond but that it has begun.
    let micros = format!("{fraction:0<6.6}").parse::<u64>().unwrap_or(0);
    let part = (micros * unit_millis).div_ceil(1_000_000);
    Some(Duration::from_millis(whole.saturating_add(part)))
}

/// The methods that may be sent twice (RFC 9110, section 9.2.2), or any with an idempotency key.
pub(crate) fn is_repeatable(method: &Method, headers: &HeaderMap) -> bool {
    method.is_idempotent() || headers.contains_key(IDEMPOTENCY_KEY)
}

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// All that decides about another attempt after one that was no success, but for the budget.
pub(crate) struct RetryContext<'a> {
    pub(crate) outcome: Outcome,
    /// Attempts made, this one included.
    pub(crate) attempts: u32,
    pub(crate) max_attempts: u32,
    /// Attempts that ran into the attempt time-out, this one included.
    pub(crate) timeouts: u32,
    pub(crate) repeatable: bool,
    pub(crate) body_is_stream: bool,
    pub(crate) hint: ServerHint,
    /// What is left of the deadline.
    pub(crate) left: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) jitter: &'a Jitter,
}

impl RetryContext<'_> {
    /// The wait before another attempt, or why there is none.
    pub(crate) fn decide(&self) -> Result<RetryDelay, StopReason> {
        let retryability = match (self.outcome.rule().retryability, self.hint.should_retry) {
            _ if self.outcome == Outcome::DeadlineReached => {
                return Err(StopReason::DeadlineTooNear);
            }
            (_, Some(false)) => return Err(StopReason::RetryForbidden),
            // It widens what is retried by status, never by method: a proxy may have said it.
            (Retryability::Never, Some(true)) => Retryability::IfRepeatable,
            (retryability, _) => retryability,
        };
        if retryability == Retryability::Never {
            return Err(StopReason::NotRetryable);
        }
        if retryability == Retryability::IfRepeatable && !self.repeatable {
            return Err(StopReason::NotIdempotent);
        }
        if self.body_is_stream {
            return Err(StopReason::BodyIsStream);
        }
        if self.attempts >= self.max_attempts {
            return Err(StopReason::AttemptsExhausted);
        }
        if self.outcome == Outcome::AttemptTimedOut && self.timeouts > 1 {
            return Err(StopReason::TimeoutsExhausted);
        }
        let Some(retry_after) = self.hint.retry_after else {
            let duration = self.backoff();
            if duration >= self.left {
                return Err(StopReason::DeadlineTooNear);
            }
            return Ok(RetryDelay {
                duration,
                reason: DelayReason::Backoff,
            });
        };
        if retry_after >= self.left {
            return Err(StopReason::RetryAfterTooLong {
                retry_after,
                left: self.left,
            });
        }
        // Many clients were told the same: without jitter they come back as one. Never past the deadline.
        let jitter = self
            .jitter
            .part_of(self.backoff.first.min(self.left - retry_after) / 2);
        Ok(RetryDelay {
            duration: retry_after + jitter,
            reason: DelayReason::RetryAfter,
        })
    }

    /// The wait where the service names none.
    pub(crate) fn backoff(&self) -> Duration {
        self.jitter.part_of(self.backoff.ceiling(self.attempts))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use std::sync::Arc;

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn milliseconds(most: u64) -> impl Strategy<Value = Duration> {
        (0..=most).prop_map(Duration::from_millis)
    }

    fn headers(name: &'static str, values: &[&[u8]]) -> HeaderMap {
        let values = values
            .iter()
            .filter_map(|value| HeaderValue::from_bytes(value).ok());
        values
            .map(|value| (HeaderName::from_static(name), value))
            .collect()
    }

    proptest! {
        #[test]
        fn a_wait_keeps_every_promise(
            outcome in proptest::sample::select(&Outcome::ALL[1..]),
            (attempts, max_attempts, timeouts) in (1_u32..100, 0_u32..100, 0_u32..4),
            (repeatable, body_is_stream) in any::<(bool, bool)>(),
            retry_after in proptest::option::of(milliseconds(100_000)),
            should_retry in any::<Option<bool>>(),
            left in milliseconds(100_000),
            (first, cap) in (milliseconds(10_000), milliseconds(20_000)),
            jitter in any::<f64>(),
        ) {
            let jitter = Jitter(Arc::new(move || jitter));
            let hint = ServerHint { retry_after, should_retry };
            let backoff = Backoff { first, cap };
            let context = RetryContext {
                outcome, attempts, max_attempts, timeouts, repeatable, body_is_stream, hint, left, backoff,
                jitter: &jitter,
            };
            match context.decide() {
                Ok(wait) => {
                    prop_assert!(wait.duration < left, "past the deadline");
                    prop_assert!(attempts < max_attempts && !body_is_stream);
                    prop_assert!(repeatable || outcome.was_not_sent());
                    prop_assert!(should_retry != Some(false));
                    prop_assert!(outcome.is_retried() || should_retry == Some(true));
                    match retry_after {
                        Some(asked) => prop_assert!(wait.duration >= asked && wait.duration <= asked + first / 2),
                        None => prop_assert!(wait.duration <= cap, "above the cap"),
                    }
                }
                Err(StopReason::RetryAfterTooLong { retry_after: asked, left: told }) => {
                    prop_assert!(asked >= left && told == left && retry_after == Some(asked));
                }
                Err(_) => {}
            }
        }

        #[test]
        fn any_header_gives_a_wait_or_none(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..3)) {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            for name in ["retry-after", "retry-after-ms"] {
                let read = retry_after(&headers(name, &values), || SystemTime::UNIX_EPOCH);
                prop_assert!(read.is_none() || !values.is_empty());
            }
        }

        #[test]
        fn decimals_are_read_to_the_millisecond(millis in 0_u64..10_000_000) {
            let text = format!("{}.{:03}", millis / 1000, millis % 1000);
            prop_assert_eq!(decimal(&text, 1000), Some(Duration::from_millis(millis)));
        }
    }

    #[test]
    fn jitter_after_a_retry_after_ends_before_the_deadline() {
        let jitter = Jitter(Arc::new(|| 1.0));
        for (left, wanted) in [
            (990, None),
            (991, Some(990)),
            (1000, Some(995)),
            (9999, Some(1115)),
        ] {
            let context = RetryContext {
                outcome: Outcome::Throttled,
                attempts: 1,
                max_attempts: 2,
                timeouts: 0,
                repeatable: true,
                body_is_stream: false,
                hint: ServerHint {
                    retry_after: Some(Duration::from_millis(990)),
                    should_retry: None,
                },
                left: Duration::from_millis(left),
                backoff: Backoff {
                    first: Duration::from_millis(250),
                    cap: Duration::from_secs(8),
                },
                jitter: &jitter,
            };
            let wait = context.decide().ok().map(|wait| wait.duration.as_millis());
            assert_eq!(wait, wanted, "{left}");
        }
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let backoff = Backoff {
            first: Duration::from_millis(250),
            cap: Duration::from_secs(8),
        };
        let ceilings: Vec<_> = (1..=7)
            .map(|attempts| backoff.ceiling(attempts).as_millis())
            .collect();
        assert_eq!(ceilings, [250, 500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(backoff.ceiling(0).as_millis(), 250);
        assert_eq!(backoff.ceiling(u32::MAX).as_millis(), 8000);
    }

    #[test]
    fn decimals_are_rounded_up_and_nothing_else_is_taken() {
        for (text, unit, wanted) in [
            ("0", 1000, Some(0)),
            ("1.5", 1000, Some(1500)),
            ("1.0005", 1000, Some(1001)),
            ("1.0000001", 1000, Some(1000)),
            ("0.000001", 1000, Some(1)),
            ("40", 1, Some(40)),
            ("40.2", 1, Some(41)),
            ("99999999999999999999", 1000, Some(u64::MAX)),
            ("", 1000, None),
            (".5", 1000, None),
            ("5.", 1000, None),
            ("-1", 1000, None),
            ("+1", 1000, None),
            ("1e3", 1000, None),
            ("1.-5", 1000, None),
            ("0x10", 1000, None),
        ] {
            assert_eq!(
                decimal(text, unit),
                wanted.map(Duration::from_millis),
                "{text}"
            );
        }
    }

    #[test]
    fn jitter_is_a_part_whatever_the_function_returns() {
        let whole = Duration::from_secs(2);
        for (returned, wanted) in [
            (0.0, 0),
            (0.25, 500),
            (1.0, 2000),
            (-3.0, 0),
            (9.0, 2000),
            (f64::NAN, 0),
            (f64::INFINITY, 2000),
        ] {
            let part = Jitter(Arc::new(move || returned)).part_of(whole);
            assert_eq!(part.as_millis(), wanted, "{returned}");
        }
        let system = Jitter::default();
        let parts: Vec<_> = (0..100).map(|_| system.part_of(whole)).collect();
        assert!(
            parts.iter().all(|part| *part < whole) && parts.windows(2).any(|two| two[0] != two[1])
        );
    }

    /// What is documented for metrics: names and reasons differ, and a cost is never nothing.
    #[test]
    fn the_table_is_whole() {
        let names: std::collections::BTreeSet<_> =
            Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
        let reasons: std::collections::BTreeSet<_> = Outcome::ALL
            .iter()
            .map(|outcome| outcome.reason())
            .collect();
        assert_eq!((names.len(), reasons.len()), (18, 18));
        assert!(names.iter().chain(&reasons).all(|text| !text.is_empty()));
        let transient: Vec<_> = Outcome::ALL
            .into_iter()
            .filter(|outcome| outcome.is_transient())
            .collect();
        use Outcome::*;
        assert_eq!(
            transient,
            [
                ConnectFailed,
                ConnectTimedOut,
                Interrupted,
                Truncated,
                AttemptTimedOut,
                DeadlineReached,
                RequestTimeout,
                Throttled,
                ServerError
            ]
        );
        for outcome in Outcome::ALL {
            assert_eq!(
                outcome.cost(),
                if outcome == Throttled { 5 } else { 14 },
                "{outcome}"
            );
            assert_eq!(
                outcome.was_not_sent(),
                matches!(outcome, ConnectFailed | ConnectTimedOut),
                "{outcome}"
            );
        }
    }

    #[test]
    fn durations_are_written_as_people_write_them() {
        for (millis, wanted) in [
            (0, "0 s"),
            (1, "0.001 s"),
            (250, "0.25 s"),
            (1000, "1 s"),
            (10_000, "10 s"),
            (15_200, "15.2 s"),
        ] {
            assert_eq!(Seconds(Duration::from_millis(millis)).to_string(), wanted);
        }
    }
}
