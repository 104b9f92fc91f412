//! The decision after a failed attempt: a delay before the next one, or the reason for stopping.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use crate::clock::Jitter;
use crate::outcome::{Outcome, Retryability};

/// The delay between two attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RetryDelay {
    /// Its length.
    pub duration: Duration,
    /// The reason for its length.
    pub reason: DelayReason,
}

impl RetryDelay {
    pub(crate) fn none(reason: DelayReason) -> Self {
        Self {
            duration: Duration::ZERO,
            reason,
        }
    }
}

/// The reason for the length of a [`RetryDelay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DelayReason {
    /// Exponential backoff with full jitter.
    Backoff,
    /// The service named it (`Retry-After`), plus a little jitter.
    RetryAfter,
    /// A download that is not ready yet is polled with increasing delays.
    NotReady,
    /// The server has not processed the request: it is sent again at once, on another connection.
    NotProcessed,
    /// The service has other content than the bytes received so far: a download starts over, without delay.
    Restart,
    /// The token was renewed, without delay.
    FreshToken,
}

/// The reason why there was no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The request succeeded.
    Success,
    /// Nothing was sent.
    NotSent,
    /// Another attempt would end the same way.
    NotRetryable,
    /// The request is not idempotent and may have been processed. An idempotency key would have allowed another attempt.
    NotIdempotent,
    /// The request body is a stream, which can be sent only once.
    BodyIsStream,
    /// The maximum number of attempts was reached.
    AttemptsExhausted,
    /// This was the second attempt to run into the attempt timeout.
    TimeoutsExhausted,
    /// The retry budget of the client is exhausted: too many of its recent requests failed.
    BudgetExhausted,
    /// The service sent `x-should-retry: false`.
    RetryForbidden,
    /// The service asked for a longer delay than the deadline allows.
    RetryAfterTooLong {
        /// The requested delay.
        retry_after: Duration,
        /// The rest of the deadline.
        left: Duration,
    },
    /// The deadline leaves no time for a delay and another attempt.
    DeadlineTooNear,
    /// There was no token for another attempt.
    NoToken,
    /// A writer has received a part, and the service gives no validator to request the rest with.
    NotResumable,
    /// The content was not ready within the time it was waited for.
    NotReady,
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
            Self::BodyIsStream => f.write_str("not retried: the request body is a stream"),
            Self::AttemptsExhausted => f.write_str("all attempts were made"),
            Self::TimeoutsExhausted => {
                f.write_str("not retried: two attempts reached the attempt timeout")
            }
            Self::BudgetExhausted => f.write_str("not retried: the retry budget of the client is exhausted"),
            Self::RetryForbidden => {
                f.write_str("not retried: the service sent x-should-retry: false")
            }
            Self::RetryAfterTooLong { retry_after, left } => write!(
                f,
                "not retried: the service asks to wait {} and {} are left of the deadline",
                Seconds(*retry_after),
                Seconds(*left)
            ),
            Self::DeadlineTooNear => f.write_str("not retried: the deadline leaves no time"),
            Self::NotResumable => f.write_str(
                "not retried: the writer has received a part, and the service gives no validator for the rest",
            ),
            Self::NotReady => f.write_str("it was not there within the time it was waited for"),
            Self::NoToken => f.write_str("not retried: there was no token for another attempt"),
        }
    }
}

/// Displays a duration in seconds without trailing zeros: `0.25 s`.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let text = format!("{}.{:03}", millis / 1000, millis % 1000);
        write!(f, "{} s", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Exponential backoff with full jitter: a random part of a ceiling that doubles. Of the forms compared by Marc Brooker
/// ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015), this one puts the least load on a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) cap: Duration,
}

impl Backoff {
    /// The longest delay after that many attempts.
    fn ceiling(&self, attempts: u32) -> Duration {
        let doubled = 1_u32
            .checked_shl(attempts.saturating_sub(1))
            .unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.cap)
    }
}

/// The headers of an error response that steer retries.
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
/// date. The longest of several wins; values that cannot be parsed are ignored. A date is compared to the `Date` of the
/// response if there is one, so that a wrong local clock does no harm.
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

/// Parses an unsigned decimal number in units of `unit_millis`, rounded up to the millisecond. A number that overflows is
/// the longest duration: it must not be read as none.
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
    // Digits beyond the sixth are below the resolution.
    let micros = format!("{fraction:0<6.6}").parse::<u64>().unwrap_or(0);
    let part = (micros * unit_millis).div_ceil(1_000_000);
    Some(Duration::from_millis(whole.saturating_add(part)))
}

/// Returns true for idempotent methods (RFC 9110, section 9.2.2) and for any request with an idempotency key.
pub(crate) fn is_repeatable(method: &Method, headers: &HeaderMap) -> bool {
    method.is_idempotent() || headers.contains_key(IDEMPOTENCY_KEY)
}

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The input of the retry decision, except for the budget.
pub(crate) struct RetryContext<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<StatusCode>,
    /// Attempts that the server may have processed, this one included.
    pub(crate) attempts: u32,
    /// Consecutive attempts that the server has not processed, this one included.
    pub(crate) unprocessed: u32,
    /// `None` for the default, which depends on the outcome.
    pub(crate) max_attempts: Option<u32>,
    /// Attempts that reached the attempt timeout, this one included.
    pub(crate) timeouts: u32,
    pub(crate) repeatable: bool,
    pub(crate) body_is_stream: bool,
    pub(crate) hint: ServerHint,
    /// True if a throttle paces the retries.
    pub(crate) is_throttle_shared: bool,
    /// True if the service has answered a request of this client before.
    pub(crate) worked_before: bool,
    /// The rest of the deadline.
    pub(crate) left: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) jitter: &'a Jitter,
}

/// The default maximum of attempts.
const MAX_ATTEMPTS: u32 = 3;

/// The default maximum where a restart of the service is the likely cause. The deadline usually ends the request first.
const MAX_ATTEMPTS_DURING_RESTART: u32 = 20;

impl RetryContext<'_> {
    /// Returns the delay before another attempt, or the reason for stopping.
    pub(crate) fn decide(&self) -> Result<RetryDelay, StopReason> {
        let retryability = match (self.outcome.retryability(), self.hint.should_retry) {
            _ if self.outcome == Outcome::DeadlineReached => {
                return Err(StopReason::DeadlineTooNear);
            }
            (_, Some(false)) => return Err(StopReason::RetryForbidden),
            // A proxy may have sent it, so it does not make a request repeatable.
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
        if self.attempts >= self.max_attempts() {
            return Err(StopReason::AttemptsExhausted);
        }
        if self.outcome == Outcome::AttemptTimedOut && self.timeouts > 1 {
            return Err(StopReason::TimeoutsExhausted);
        }
        let Some(retry_after) = self.hint.retry_after else {
            if self.outcome == Outcome::NotProcessed && self.unprocessed <= 1 {
                return Ok(RetryDelay::none(DelayReason::NotProcessed));
            }
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
        // Many clients receive the same value: without jitter, all would retry at once. Never past the deadline.
        let jitter = self
            .jitter
            .part_of(self.backoff.first.min(self.left - retry_after) / 2);
        Ok(RetryDelay {
            duration: retry_after + jitter,
            reason: DelayReason::RetryAfter,
        })
    }

    fn max_attempts(&self) -> u32 {
        let max_attempts = self.max_attempts.map(|most| most.max(1));
        max_attempts.unwrap_or_else(|| match self.outcome {
            Outcome::ConnectFailed | Outcome::ConnectTimedOut if self.worked_before => {
                MAX_ATTEMPTS_DURING_RESTART
            }
            Outcome::Throttled if self.is_throttle_shared => MAX_ATTEMPTS_DURING_RESTART,
            Outcome::ServerError
                if (self.worked_before || self.is_throttle_shared)
                    && self.status == Some(StatusCode::SERVICE_UNAVAILABLE) =>
            {
                MAX_ATTEMPTS_DURING_RESTART
            }
            _ => MAX_ATTEMPTS,
        })
    }

    /// The delay if the service names none.
    pub(crate) fn backoff(&self) -> Duration {
        let failed = self.attempts + self.unprocessed.saturating_sub(1);
        self.jitter.part_of(self.backoff.ceiling(failed))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
mod tests {
    use std::sync::Arc;

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn milliseconds(max: u64) -> impl Strategy<Value = Duration> {
        (0..=max).prop_map(Duration::from_millis)
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
        fn delay_respects_all_limits(
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
                outcome, status: None, attempts, unprocessed: 0, max_attempts: Some(max_attempts), timeouts, repeatable, body_is_stream, hint, is_throttle_shared: false, worked_before: false, left, backoff,
                jitter: &jitter,
            };
            match context.decide() {
                Ok(wait) => {
                    prop_assert!(wait.duration < left, "past the deadline");
                    prop_assert!(attempts < max_attempts.max(1) && !body_is_stream);
                    prop_assert!(repeatable || outcome.was_not_sent());
                    prop_assert!(should_retry != Some(false));
                    prop_assert!(outcome.is_retried() || should_retry == Some(true));
                    match retry_after {
                        Some(requested) => prop_assert!(wait.duration >= requested && wait.duration <= requested + first / 2),
                        None => prop_assert!(wait.duration <= cap, "above the cap"),
                    }
                }
                Err(StopReason::RetryAfterTooLong { retry_after: requested, left: reported }) => {
                    prop_assert!(requested >= left && reported == left && retry_after == Some(requested));
                }
                Err(_) => {}
            }
        }

        #[test]
        fn any_retry_after_header_is_parsed_or_ignored(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..3)) {
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
                status: None,
                attempts: 1,
                unprocessed: 0,
                max_attempts: Some(2),
                timeouts: 0,
                repeatable: true,
                body_is_stream: false,
                hint: ServerHint {
                    retry_after: Some(Duration::from_millis(990)),
                    should_retry: None,
                },
                is_throttle_shared: false,
                worked_before: false,
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
    fn default_attempts_reach_the_deadline_only_if_a_working_service_restarts() {
        let jitter = Jitter::default();
        for (outcome, status, worked_before, wanted) in [
            (Outcome::ConnectFailed, None, true, 20),
            (Outcome::ConnectTimedOut, None, true, 20),
            (Outcome::ServerError, Some(503), true, 20),
            (Outcome::ConnectFailed, None, false, 3),
            (Outcome::ServerError, Some(503), false, 3),
            (Outcome::ServerError, Some(500), true, 3),
            (Outcome::Interrupted, None, true, 3),
        ] {
            let mut context = RetryContext {
                outcome,
                status: status.map(|status| StatusCode::from_u16(status).unwrap()),
                attempts: 1,
                unprocessed: 0,
                max_attempts: None,
                timeouts: 0,
                repeatable: true,
                body_is_stream: false,
                hint: ServerHint::default(),
                is_throttle_shared: false,
                worked_before,
                left: Duration::from_secs(45),
                backoff: Backoff {
                    first: Duration::from_millis(250),
                    cap: Duration::from_secs(8),
                },
                jitter: &jitter,
            };
            while context.decide().is_ok() {
                context.attempts += 1;
            }
            assert_eq!(
                context.attempts, wanted,
                "{outcome} {status:?} {worked_before}"
            );
        }
    }

    #[test]
    fn ceiling_doubles_up_to_the_cap() {
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
    fn decimals_are_rounded_up_and_other_texts_ignored() {
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

    #[test]
    fn seconds_have_no_trailing_zeros() {
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
