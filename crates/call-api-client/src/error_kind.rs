//! The kinds of errors.

use std::fmt;

use call_api_transport::{TransportError, TransportErrorKind};

/// The kind of an [`Error`](crate::Error).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client cannot be built: the base URL or the token is missing or unusable.
    Config,
    /// The service does not accept the token (401).
    Unauthorized,
    /// The token is accepted, but does not permit this (403).
    Forbidden,
    /// Not found (404, 410).
    NotFound,
    /// The service does not accept the request (another 4xx), or the request cannot be sent.
    InvalidRequest,
    /// Too many requests were sent (429): see [`Error::retry_after`](crate::Error::retry_after).
    RateLimited,
    /// The service, or a gateway in front of it, failed (5xx).
    Server,
    /// A deadline or timeout passed, or the service gave up waiting (408).
    Timeout,
    /// No connection could be made, or its certificate was not accepted.
    Connect,
    /// The connection broke, or what arrived was not HTTP.
    Interrupted,
    /// The response does not match the API's document: see [`Error::json_path`](crate::Error::json_path).
    Decode,
    /// The response differs from the API's document, in
    /// [`DriftMode::Strict`](crate::DriftMode::Strict).
    Drift,
    /// The response is longer than the limit.
    BodyTooLarge,
    /// A download is not what the service announced: another digest, another part, no end.
    Corrupt,
    /// A download could not be written to its destination.
    Io,
    /// The service answered with a redirect, which is not followed.
    Redirected,
    /// The token provider returned no token.
    Token,
    /// The pages of a list form a cycle, or a page says that more follow, but not where: see
    /// [`Pages`](crate::Pages).
    Paging,
    /// The response has a status that the API's document does not list and that is not an error, such as 202.
    UnexpectedStatus,
    /// The response is about another object than the requested one: a service or a proxy mixed up responses.
    UnexpectedId,
}

impl ErrorKind {
    /// Returns the kind of an error response.
    pub fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 | 410 => Self::NotFound,
            408 => Self::Timeout,
            429 => Self::RateLimited,
            400..=499 => Self::InvalidRequest,
            500..=599 => Self::Server,
            _ => Self::UnexpectedStatus,
        }
    }

    pub(crate) fn of_transport(error: &TransportError) -> Self {
        match error.kind() {
            TransportErrorKind::TokenUnavailable => Self::Token,
            TransportErrorKind::Connect { timed_out: true }
            | TransportErrorKind::TimedOut { .. } => Self::Timeout,
            TransportErrorKind::Connect { .. } | TransportErrorKind::Tls => Self::Connect,
            TransportErrorKind::Interrupted { .. }
            | TransportErrorKind::Malformed { .. }
            | TransportErrorKind::NotProcessed => Self::Interrupted,
            TransportErrorKind::NoRuntime => Self::Config,
            TransportErrorKind::BodyTooLarge { .. } => Self::BodyTooLarge,
            TransportErrorKind::IntegrityMismatch { .. } => Self::Corrupt,
            TransportErrorKind::WriteFailed => Self::Io,
            TransportErrorKind::Redirected { .. } => Self::Redirected,
            // `RefusedUrl`, `InvalidRequest`, and what a later transport may refuse.
            _ => Self::InvalidRequest,
        }
    }

    /// Returns the advice for an error of this kind.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Config => "",
            Self::Unauthorized => "check the token: it may be wrong, revoked or of another service",
            Self::Forbidden => "ask the service's owner for what this token may do",
            Self::NotFound => "check the id, and that the base URL names the right service",
            Self::InvalidRequest => "check the parameters of the request",
            Self::RateLimited => "send fewer requests, or try later",
            Self::Server | Self::Timeout => "try later",
            Self::Paging => {
                "report it to the service's owner, with the request id; the pages before are complete"
            }
            Self::UnexpectedId => "report this to the owner of the service",
            Self::Decode | Self::Drift => {
                "update the SDK, or check that the base URL names the service"
            }
            _ => "check that the base URL names the service and that this SDK knows its version",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config => "invalid configuration",
            Self::Unauthorized => "token not accepted",
            Self::Forbidden => "not permitted",
            Self::NotFound => "not found",
            Self::InvalidRequest => "invalid request",
            Self::RateLimited => "rate limited",
            Self::Server => "server error",
            Self::Timeout => "timed out",
            Self::Connect => "no connection",
            Self::Interrupted => "connection interrupted",
            Self::Decode => "undecodable response",
            Self::Drift => "response differs from the document",
            Self::BodyTooLarge => "response too large",
            Self::Corrupt => "corrupt download",
            Self::Io => "download not written",
            Self::Redirected => "redirect not followed",
            Self::Token => "no token available",
            Self::Paging => "invalid pagination",
            Self::UnexpectedStatus => "unexpected status",
            Self::UnexpectedId => "unexpected id",
        })
    }
}
