//! Why a call has no response.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::attempt_log::AttemptLog;
use crate::retry::{Seconds, StopReason};

/// A call that ended without a response. Cheap to clone.
///
/// A response with an error status is not a failure here: it is handed on, so that what the service says in it can be
/// read.
#[derive(Clone)]
pub struct TransportError(Arc<Inner>);

struct Inner {
    kind: TransportErrorKind,
    attempt_log: AttemptLog,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The request's URL is not one that this client may send its token to.
    RefusedUrl {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The request can't be sent: a header or URL that HTTP does not allow.
    InvalidRequest,
    /// The source of the token gave none.
    TokenUnavailable,
    /// No connection could be made; the request never left.
    Connect {
        /// Whether it was the connect time-out that ended it.
        timed_out: bool,
    },
    /// The other side's certificate was not accepted; the request never left.
    Tls,
    /// The time was over.
    TimedOut {
        /// What was under way.
        phase: Phase,
        /// The limit that was reached.
        limit: Limit,
        /// How long that limit is, where it was not cut short by the deadline.
        after: Duration,
    },
    /// The connection broke.
    Interrupted {
        /// What was under way: the head or the body.
        phase: Phase,
        /// The bytes of the body that had come.
        received: u64,
    },
    /// What came was no HTTP, or its body could not be decompressed.
    Malformed {
        /// What was under way: the head or the body.
        phase: Phase,
    },
    /// The body is longer than the limit.
    BodyTooLarge {
        /// The limit in bytes, counted after decompression.
        limit: u64,
        /// The bytes that had come when reading stopped.
        received: u64,
        /// The length that the head announced, where that was reason enough.
        announced: Option<u64>,
    },
    /// What was fetched can't be taken for the whole: another digest, another part, no end.
    IntegrityMismatch {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What was fetched could not be written where it should go.
    WriteFailed,
    /// The service answered with a redirect, which is not followed: the token would go with it.
    Redirected {
        /// The redirect's status.
        status: StatusCode,
        /// The host, with its port where one is given, that it points to.
        to: Option<String>,
    },
}

/// A part of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Fetching the token.
    Token,
    /// Waiting for the client-side rate limit.
    RateLimit,
    /// Waiting because the service throttled another call: see [`Transport::throttled`](crate::Transport::throttled).
    Throttle,
    /// Connecting, sending, and waiting for the head of the response.
    Head,
    /// Reading the body of the response.
    Body,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "fetching the token",
            Self::RateLimit => "waiting for the client's own rate limit",
            Self::Throttle => "waiting, as the service throttled another call",
            Self::Head => "waiting for the response",
            Self::Body => "reading the response body",
        })
    }
}

/// A limit in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// That of one attempt.
    Attempt,
    /// That of a body which brings nothing.
    Stall,
    /// That of the whole call.
    Deadline,
}

impl TransportError {
    pub(crate) fn new(
        kind: TransportErrorKind,
        attempt_log: AttemptLog,
        source: Option<Arc<dyn Error + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            attempt_log,
            source,
        }))
    }

    /// What went wrong.
    pub fn kind(&self) -> &TransportErrorKind {
        &self.0.kind
    }

    /// What was tried.
    pub fn attempt_log(&self) -> &AttemptLog {
        &self.0.attempt_log
    }

    /// Whether time was over: the connect time-out, an attempt's or the deadline.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.kind(),
            TransportErrorKind::TimedOut { .. } | TransportErrorKind::Connect { timed_out: true }
        )
    }

    /// Whether no connection could be made, so that the request surely never left.
    pub fn is_connect(&self) -> bool {
        matches!(
            self.kind(),
            TransportErrorKind::Connect { .. } | TransportErrorKind::Tls
        )
    }

    /// Whether the same call may succeed at another time. It says nothing about whether the service acted on this one:
    /// that is for the caller of a method that is not idempotent to find out.
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            TransportErrorKind::Connect { .. }
            | TransportErrorKind::TimedOut { .. }
            | TransportErrorKind::Interrupted { .. }
            | TransportErrorKind::TokenUnavailable => true,
            TransportErrorKind::RefusedUrl { .. }
            | TransportErrorKind::InvalidRequest
            | TransportErrorKind::Tls
            | TransportErrorKind::Malformed { .. }
            | TransportErrorKind::BodyTooLarge { .. }
            | TransportErrorKind::IntegrityMismatch { .. }
            | TransportErrorKind::WriteFailed
            | TransportErrorKind::Redirected { .. } => false,
        }
    }

    /// This failure as a response, for code that can hand on nothing else, such as the hooks of a generated client. Its
    /// status is 599, which no server sends by any standard; [`TransportError::from_response`] finds the failure in it.
    pub fn into_response(self) -> reqwest::Response {
        let mut response = http::Response::new(reqwest::Body::default());
        *response.status_mut() =
            StatusCode::from_u16(599).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(self);
        response.into()
    }

    /// The failure inside a response that [`TransportError::into_response`] made.
    pub fn from_response(response: &reqwest::Response) -> Option<&Self> {
        response.extensions().get::<Self>()
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempt_log = self.attempt_log();
        let (method, url) = (attempt_log.method(), attempt_log.url());
        let hint: &str = match self.kind() {
            TransportErrorKind::RefusedUrl { reason } => {
                write!(f, "refused to send {method} {url}: {reason}")?;
                "check the call's parameters"
            }
            TransportErrorKind::InvalidRequest => {
                write!(f, "{method} {url} is no request that can be sent")?;
                "check the headers and parameters of the call"
            }
            TransportErrorKind::TokenUnavailable => {
                write!(f, "no token for {method} {url}")?;
                "check where the client's token comes from"
            }
            TransportErrorKind::Connect { timed_out } => {
                let how = if *timed_out { "in time" } else { "made" };
                write!(f, "no connection {how} for {method} {url}")?;
                "check that the service runs and that the base URL names it"
            }
            TransportErrorKind::Tls => {
                write!(f, "no trusted connection for {method} {url}")?;
                "check the service's certificate, and the roots that this machine trusts"
            }
            TransportErrorKind::TimedOut {
                phase,
                limit,
                after,
            } => {
                let after = Seconds(*after);
                let limit = match limit {
                    Limit::Attempt => "the attempt time-out",
                    Limit::Stall => "the stall time-out",
                    Limit::Deadline => "the deadline",
                };
                write!(
                    f,
                    "{limit} of {after} passed while {phase}, for {method} {url}"
                )?;
                "try later, or set a longer one"
            }
            TransportErrorKind::Interrupted { phase, received } => {
                write!(f, "the connection broke while {phase} of {method} {url}")?;
                if *phase == Phase::Body {
                    write!(f, ", after {received} bytes")?;
                }
                "try later"
            }
            TransportErrorKind::Malformed { phase } => {
                write!(
                    f,
                    "what came while {phase} of {method} {url} is no HTTP, or its compression is broken"
                )?;
                "check that the base URL names the service, and what stands between"
            }
            TransportErrorKind::BodyTooLarge {
                limit,
                received,
                announced,
            } => {
                match announced {
                    Some(announced) => write!(f, "the response body of {announced} bytes")?,
                    None => write!(f, "the response body (at least {received} bytes)")?,
                }
                write!(f, " to {method} {url} is over the limit of {limit} bytes")?;
                "set a larger body limit if that size is right"
            }
            TransportErrorKind::IntegrityMismatch { reason } => {
                write!(
                    f,
                    "what {method} {url} brought is not taken for the whole: {reason}"
                )?;
                "try again, and tell the service's owner if that doesn't help"
            }
            TransportErrorKind::WriteFailed => {
                write!(f, "what {method} {url} brought could not be written")?;
                "check where it is to go"
            }
            TransportErrorKind::Redirected { status, to } => {
                let to = to.as_deref().unwrap_or("nowhere");
                write!(
                    f,
                    "the redirect ({}) of {method} {url} to {to} is not followed",
                    status.as_u16()
                )?;
                "set the base URL to where the service is"
            }
        };
        // Of an HTTP error the first cause says least and the last one most; a provider words its own.
        let mut said = self.source();
        while self.kind() != &TransportErrorKind::TokenUnavailable
            && let Some(deeper) = said.and_then(Error::source)
        {
            said = Some(deeper);
        }
        if let Some(said) = said {
            write!(f, ": {}", OneLine(said))?;
        }
        let attempts = attempt_log.attempts().len();
        if attempts > 0 {
            let plural = if attempts == 1 { "" } else { "s" };
            write!(
                f,
                " ({attempts} attempt{plural} in {}",
                Seconds(attempt_log.elapsed())
            )?;
            if !matches!(
                attempt_log.stop_reason(),
                StopReason::NotRetryable | StopReason::AttemptsExhausted
            ) {
                write!(f, "; {}", attempt_log.stop_reason())?;
            }
            f.write_str(")")?;
        }
        if let Some(id) = attempt_log.request_id() {
            write!(f, "; request id {}", id.escape_debug())?;
        }
        write!(f, "; {hint}")
    }
}

/// An error's text with a space for each line break or other control character: a log line stays one line.
struct OneLine<'a>(&'a dyn Error);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let parts: Vec<_> = text.split(char::is_control).map(str::trim).collect();
        f.write_str(parts.join(" ").trim())
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportError")
            .field("kind", &self.0.kind)
            .field("attempt_log", &self.0.attempt_log)
            .field("source", &self.0.source)
            .finish()
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
