//! The error of a request that has no response.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use url::{Position, Url};

use crate::attempt_log::{AttemptLog, Delivery};
use crate::outcome::Outcome;
use crate::retry::{Seconds, StopReason};

/// A request that ended without a response. Cheap to clone. `{}` ends with advice, which `{:#}` leaves out.
///
/// A response with an error status is no such error: it is returned as a response, with its body.
#[derive(Clone)]
pub struct TransportError(Arc<Inner>);

struct Inner {
    kind: TransportErrorKind,
    attempt_log: AttemptLog,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kind of a [`TransportError`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The client must not send its token to the URL of the request.
    RefusedUrl {
        /// The reason.
        reason: &'static str,
    },
    /// The content of a download would come by plain http from another machine.
    PlainHttp,
    /// The request has a header or URL that HTTP does not allow.
    InvalidRequest,
    /// The settings of the client or the options of the request cannot be used.
    InvalidOptions {
        /// The reason.
        reason: &'static str,
    },
    /// The future was polled outside of a tokio runtime.
    NoRuntime,
    /// The token provider failed.
    TokenUnavailable,
    /// No connection could be made; the request was not sent.
    Connect {
        /// True if the connect timeout passed.
        timed_out: bool,
    },
    /// The peer's certificate was not accepted; the request was not sent.
    Tls,
    /// The server refused the request before processing it, and so did further connections.
    NotProcessed,
    /// A time limit passed.
    TimedOut {
        /// The phase of the request.
        phase: Phase,
        /// The limit that passed.
        limit: Limit,
        /// The length of that limit.
        after: Duration,
    },
    /// The connection broke.
    Interrupted {
        /// The head or the body.
        phase: Phase,
        /// The bytes of the body that had been received.
        received: u64,
    },
    /// The response was not HTTP, or its body could not be decompressed.
    Malformed {
        /// The head or the body.
        phase: Phase,
    },
    /// The body is longer than the limit.
    BodyTooLarge {
        /// The limit in bytes, after decompression.
        limit: u64,
        /// The bytes that had been received when reading stopped.
        received: u64,
        /// The `Content-Length`, if that exceeded the limit.
        announced: Option<u64>,
    },
    /// A download is not what the service announced: another digest, another part, or no end.
    IntegrityMismatch {
        /// The difference.
        reason: &'static str,
    },
    /// A download could not be written to its target.
    WriteFailed,
    /// The service answered with a redirect, which is not followed: the token would go with it.
    Redirected {
        /// The status of the redirect.
        status: StatusCode,
        /// Its target. `None` if it has no valid one.
        to: Option<RedirectTarget>,
    },
}

/// The target of a redirect that was not followed.
///
/// A service may answer with a redirect to a signed URL, which a program can download without the token. Only the host of the
/// target is shown, since the rest may be a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedirectTarget(Box<Target>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Target {
    host: String,
    url: Url,
}

impl RedirectTarget {
    /// `None` if the URL has no host.
    pub(crate) fn of(url: Url) -> Option<Self> {
        let host = url[Position::BeforeHost..Position::BeforePath].to_owned();
        (!host.is_empty()).then(|| Self(Box::new(Target { host, url })))
    }

    /// Returns the host, with its port if one is given. Secrets are replaced.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    pub(crate) fn host_mut(&mut self) -> &mut String {
        &mut self.0.host
    }

    /// Returns the whole URL.
    pub fn url(&self) -> &Url {
        &self.0.url
    }
}

impl fmt::Debug for RedirectTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.host.fmt(f)
    }
}

impl fmt::Display for RedirectTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.host)
    }
}

impl TransportErrorKind {
    /// Returns the outcome of an attempt that ends with this kind; `None` if no attempt can.
    fn outcome(&self) -> Option<Outcome> {
        Some(match self {
            Self::TokenUnavailable => return None,
            Self::RefusedUrl { .. }
            | Self::PlainHttp
            | Self::InvalidRequest
            | Self::InvalidOptions { .. }
            | Self::NoRuntime => Outcome::Unsendable,
            Self::Connect { timed_out: true } => Outcome::ConnectTimedOut,
            Self::Connect { timed_out: false } => Outcome::ConnectFailed,
            Self::Tls => Outcome::TlsRejected,
            Self::NotProcessed => Outcome::NotProcessed,
            Self::TimedOut {
                limit: Limit::Deadline,
                ..
            } => Outcome::DeadlineReached,
            Self::TimedOut { .. } => Outcome::AttemptTimedOut,
            Self::Interrupted {
                phase: Phase::Body, ..
            } => Outcome::Truncated,
            Self::Interrupted { .. } => Outcome::Interrupted,
            Self::Malformed { .. } | Self::IntegrityMismatch { .. } => Outcome::Malformed,
            Self::BodyTooLarge { .. } => Outcome::BodyTooLarge,
            Self::WriteFailed => Outcome::WriteFailed,
            Self::Redirected { .. } => Outcome::Redirected,
        })
    }

    /// A short name in snake case, as for OpenTelemetry's `error.type`.
    pub fn name(&self) -> &'static str {
        self.outcome().map_or("token_unavailable", Outcome::name)
    }

    /// Returns true if the same request may succeed later: the table of [`Outcome`] decides.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            // A token provider is another service, which may have been restarted by then.
            Self::TokenUnavailable => true,
            // The service has the content and its digest, and serves the same again.
            Self::IntegrityMismatch { .. } => false,
            _ => self.outcome().is_some_and(Outcome::is_transient),
        }
    }
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Fetching the token.
    Token,
    /// Waiting for the rate limit of the client.
    RateLimit,
    /// Waiting because the service throttled another request: see
    /// [`Transport::throttled`](crate::Transport::throttled).
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
            Self::RateLimit => "waiting for the rate limit of the client",
            Self::Throttle => "waiting, as the service throttled another request",
            Self::Head => "waiting for the response",
            Self::Body => "reading the response body",
        })
    }
}

/// A time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The limit of one attempt.
    Attempt,
    /// The limit of a body that receives no bytes.
    Stall,
    /// The limit of the whole request.
    Deadline,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attempt => "attempt timeout",
            Self::Stall => "stall timeout",
            Self::Deadline => "deadline",
        })
    }
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

    /// Returns the kind of the error.
    pub fn kind(&self) -> &TransportErrorKind {
        &self.0.kind
    }

    /// Returns the attempts that were made.
    pub fn attempt_log(&self) -> &AttemptLog {
        &self.0.attempt_log
    }

    /// Returns true if a time limit passed: the connect timeout, an attempt's, or the deadline.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.kind(),
            TransportErrorKind::TimedOut { .. } | TransportErrorKind::Connect { timed_out: true }
        )
    }

    /// Returns true if the last attempt could not connect. An earlier one may have reached the service: see
    /// [`AttemptLog::delivery`].
    pub fn is_connect(&self) -> bool {
        matches!(
            self.kind(),
            TransportErrorKind::Connect { .. } | TransportErrorKind::Tls
        )
    }

    /// Returns true if the same request may succeed later. The service may have processed this one nevertheless: a user
    /// of a method that is not idempotent has to find out.
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    /// Returns what to do about the error.
    pub fn advice(&self) -> &'static str {
        let attempt_log = self.attempt_log();
        if attempt_log.stop_reason() == &StopReason::NotIdempotent
            && attempt_log.delivery() == Delivery::Unknown
        {
            return "the service may have processed it: check that before you send it again";
        }
        match self.kind() {
            TransportErrorKind::RefusedUrl { .. } => "check the parameters of the request",
            TransportErrorKind::PlainHttp => "use https, or set `allow_insecure_http(true)`",
            TransportErrorKind::InvalidRequest => "check the headers and parameters of the request",
            TransportErrorKind::InvalidOptions { .. } => "change the options",
            TransportErrorKind::NoRuntime => {
                "await it on a tokio runtime, or use the blocking client"
            }
            TransportErrorKind::TokenUnavailable => "check the token provider of the client",
            TransportErrorKind::Connect { .. } => {
                "check that the service runs and that the base URL names it"
            }
            TransportErrorKind::Tls => {
                "check the service's certificate, and the roots that this machine trusts"
            }
            TransportErrorKind::TimedOut { .. } => "try later, or set a longer one",
            TransportErrorKind::NotProcessed | TransportErrorKind::Interrupted { .. } => {
                "try later"
            }
            TransportErrorKind::Malformed { .. } => {
                "check that the base URL names the service, and any proxy in between"
            }
            TransportErrorKind::BodyTooLarge { .. } => {
                "set a larger body limit if that size is right"
            }
            TransportErrorKind::IntegrityMismatch { .. } => {
                "try again, and tell the service's owner if that doesn't help"
            }
            TransportErrorKind::WriteFailed => "check the target, and the space on its disk",
            TransportErrorKind::Redirected { to: None, .. } => {
                "set the base URL to where the service is"
            }
            TransportErrorKind::Redirected { .. } => {
                "set the base URL to where the service is, or request the target without the token"
            }
        }
    }

    fn write_what_failed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, url) = (self.attempt_log().method(), self.attempt_log().url());
        match self.kind() {
            TransportErrorKind::RefusedUrl { reason } => {
                write!(f, "refused to send {method} {url}: {reason}")
            }
            TransportErrorKind::PlainHttp => {
                write!(
                    f,
                    "refused to send {method} {url}: it is plain http to another machine, where anyone on the network path \
                     could read or change the content"
                )
            }
            TransportErrorKind::InvalidRequest => {
                write!(f, "{method} {url} is not a valid request")
            }
            TransportErrorKind::InvalidOptions { reason } => {
                write!(f, "refused to send {method} {url}: {reason}")
            }
            TransportErrorKind::NoRuntime => {
                write!(f, "{method} {url} was not sent: there is no tokio runtime")
            }
            TransportErrorKind::TokenUnavailable => write!(f, "no token for {method} {url}"),
            TransportErrorKind::Connect { timed_out } => {
                write!(f, "cannot connect for {method} {url}")?;
                match timed_out {
                    true => write!(f, ": the connect timeout passed"),
                    false => Ok(()),
                }
            }
            TransportErrorKind::Tls => write!(f, "no trusted connection for {method} {url}"),
            TransportErrorKind::NotProcessed => {
                write!(f, "the server did not process {method} {url}")
            }
            TransportErrorKind::TimedOut {
                phase,
                limit,
                after,
            } => {
                let after = Seconds(*after);
                write!(
                    f,
                    "the {limit} of {after} passed while {phase}, for {method} {url}"
                )
            }
            TransportErrorKind::Interrupted { phase, received } => {
                write!(f, "the connection broke while {phase} of {method} {url}")?;
                if *phase == Phase::Body {
                    write!(f, ", after {received} bytes")?;
                }
                Ok(())
            }
            TransportErrorKind::Malformed { phase: Phase::Body } => write!(
                f,
                "the response body of {method} {url} is malformed, or its compression is broken"
            ),
            TransportErrorKind::Malformed { .. } => {
                write!(f, "the response to {method} {url} is not valid HTTP")
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
                write!(f, " to {method} {url} is over the limit of {limit} bytes")
            }
            TransportErrorKind::IntegrityMismatch { reason } => {
                write!(f, "the content of {method} {url} is damaged: {reason}")
            }
            TransportErrorKind::WriteFailed => {
                write!(f, "the content of {method} {url} could not be written")
            }
            TransportErrorKind::Redirected { status, to } => {
                write!(f, "the redirect ({}) of {method} {url} ", status.as_u16())?;
                match to {
                    Some(to) => write!(f, "to {to} is not followed"),
                    None => write!(f, "has no valid location"),
                }
            }
        }
    }

    /// Returns the source that says most: the last one of an HTTP error, the first one of a token provider.
    fn cause(&self) -> Option<&(dyn Error + 'static)> {
        let mut cause = self.source();
        while self.kind() != &TransportErrorKind::TokenUnavailable
            && let Some(deeper) = cause.and_then(Error::source)
        {
            cause = Some(deeper);
        }
        cause
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempt_log = self.attempt_log();
        self.write_what_failed(f)?;
        if let Some(cause) = self.cause() {
            write!(f, ": {}", OneLine(cause))?;
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
        if f.alternate() {
            return Ok(());
        }
        write!(f, "; {}", self.advice())
    }
}

/// Displays an error with a space for each control character, so that a log line stays one line.
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
