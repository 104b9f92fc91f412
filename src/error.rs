//! One error for everything that can go wrong, with a kind to match on.

use std::fmt;
use std::time::Duration;

use call_api_transport::{
    AttemptLog, DownloadError, Exchange, StopReason, TransportError, TransportErrorKind,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::detail::Detail;
use crate::drift::Drift;
use crate::{Call, raw};

/// Why a call of the API has no result. One line of text says what happened, where, and what to do next. Neither it nor
/// `{:?}` holds the token or a query, and of a body no more than the first 200 characters of what the service says there
/// about the error.
///
/// ```
/// use call_api::ErrorKind;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// match client.get_call(id).await {
///     Ok(call) => println!("{}", call.status),
///     Err(error) if error.kind() == ErrorKind::NotFound => println!("no such call"),
///     Err(error) if error.is_retryable() => println!("later: {error}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
///
/// What else it knows:
///
/// ```
/// use std::time::Duration;
///
/// use call_api::ErrorKind;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// # let away = call_api_sandbox::Fault::retry_after(axum::http::StatusCode::TOO_MANY_REQUESTS, "60");
/// # sandbox.set_faults(call_api_sandbox::Faults::default().rule(away))?;
/// // The service asks for a minute's rest, which is longer than a call may take.
/// let error = client.get_call(id).await.unwrap_err();
/// assert_eq!((error.kind(), error.status()), (ErrorKind::RateLimited, Some(429)));
/// assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
/// assert!(!error.is_timeout() && !error.is_connect());
/// if let (Some(said), Some(attempt_log)) = (error.detail(), error.attempt_log()) {
///     println!("{said}, after {} attempts, request {:?}", attempt_log.attempts().len(), error.request_id());
/// }
/// # assert!(error.detail().is_some() && error.attempt_log().is_some());
/// # Ok(())
/// # }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    /// What to say where there is no exchange to say it of, or what couldn't be decoded.
    message: String,
    status: Option<u16>,
    detail: Option<Detail>,
    json_path: Option<String>,
    attempt_log: Option<AttemptLog>,
    last_call: Option<Call>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client can't be made: a base URL or a token that can't be used.
    Config,
    /// The service doesn't accept the token (401).
    Unauthorized,
    /// The token is accepted, but not for this (403).
    Forbidden,
    /// There is no such thing (404, 410).
    NotFound,
    /// The service doesn't accept the request (another 4xx), or it can't be sent as it is.
    InvalidRequest,
    /// There were too many requests (429): see [`Error::retry_after`].
    RateLimited,
    /// The service, or what stands before it, failed (5xx).
    Server,
    /// Time was over: the deadline, an attempt's time-out, the connect time-out, or the service's patience (408).
    Timeout,
    /// No connection could be made, or none that is trusted.
    Connect,
    /// The connection broke, or what came over it was no HTTP.
    Interrupted,
    /// The response is not what the API's document says: see [`Error::json_path`].
    Decode,
    /// The response says something that the API's document doesn't, and that was to be an error: see
    /// [`DriftMode::Strict`](crate::DriftMode::Strict).
    Drift,
    /// The response is longer than the limit.
    BodyTooLarge,
    /// What was downloaded can't be taken for the whole: another digest, another part, no end. None of it is left.
    Corrupt,
    /// What was downloaded could not be written to where it should go.
    Io,
    /// The service answered with a redirect, which is not followed.
    Redirected,
    /// The source of the token gave none.
    Token,
    /// A status that the API's document doesn't know and that is no error by itself, such as 202.
    UnexpectedStatus,
}

impl ErrorKind {
    fn of_status(status: u16) -> Self {
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

    fn of_failure(failure: &TransportError) -> Self {
        match failure.kind() {
            TransportErrorKind::TokenUnavailable => Self::Token,
            TransportErrorKind::Connect { timed_out: true }
            | TransportErrorKind::TimedOut { .. } => Self::Timeout,
            TransportErrorKind::Connect { .. } | TransportErrorKind::Tls => Self::Connect,
            TransportErrorKind::Interrupted { .. } | TransportErrorKind::Malformed { .. } => {
                Self::Interrupted
            }
            TransportErrorKind::BodyTooLarge { .. } => Self::BodyTooLarge,
            TransportErrorKind::IntegrityMismatch { .. } => Self::Corrupt,
            TransportErrorKind::WriteFailed => Self::Io,
            TransportErrorKind::Redirected { .. } => Self::Redirected,
            // `RefusedUrl`, `InvalidRequest`, and what a later transport may refuse.
            _ => Self::InvalidRequest,
        }
    }

    /// What to do about an error status.
    fn advice(self) -> &'static str {
        match self {
            Self::Unauthorized => "check the token: it may be wrong, revoked or of another service",
            Self::Forbidden => "ask the service's owner for what this token may do",
            Self::NotFound => "check the id, and that the base URL names the right service",
            Self::InvalidRequest => "check the parameters of the call",
            Self::RateLimited => "send fewer requests, or try later",
            Self::Server | Self::Timeout => "try later",
            _ => "check that the base URL names the service and that this SDK knows its version",
        }
    }
}

impl Error {
    /// What went wrong, to match on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The HTTP status of the response, where there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What the service said about it.
    pub fn detail(&self) -> Option<&Detail> {
        self.0.detail.as_ref()
    }

    /// Where in the response lies what couldn't be decoded, such as `contact.created_date`; `.` is the whole of it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # let id = sandbox.put_json(&call_api_sandbox::Sandbox::EXAMPLE_JSON.replace("123", "\"long\""))?;
    /// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// let error = client.get_call(id).await.unwrap_err();
    /// assert_eq!(error.json_path(), Some("duration"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn json_path(&self) -> Option<&str> {
        self.0.json_path.as_deref()
    }

    /// The id by which the service knows the request, where it names one.
    pub fn request_id(&self) -> Option<&str> {
        self.0.attempt_log.as_ref().and_then(AttemptLog::request_id)
    }

    /// How long the service asked to wait before another try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0
            .attempt_log
            .as_ref()
            .and_then(AttemptLog::retry_after)
    }

    /// What was tried: each attempt, its length, how it ended, and why there was no further one. `None` where nothing was
    /// to be sent yet.
    pub fn attempt_log(&self) -> Option<&AttemptLog> {
        self.0.attempt_log.as_ref()
    }

    /// The call as it was last seen, where it was a [wait](crate::Client::wait_until_ended) that failed and that had seen
    /// it.
    ///
    /// ```
    /// use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// let error = client.wait_until_ended(id).deadline(Duration::from_millis(50)).await.unwrap_err();
    /// assert_eq!(error.last_call().map(|call| call.status.as_str()), Some("dialing"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn last_call(&self) -> Option<&Call> {
        self.0.last_call.as_ref()
    }

    /// Whether time was over.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Whether no connection could be made, so that the request surely never left.
    pub fn is_connect(&self) -> bool {
        self.kind() == ErrorKind::Connect
    }

    /// Whether the same call may succeed at another time. The SDK has retried it already, as far as that was safe.
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            ErrorKind::RateLimited
            | ErrorKind::Server
            | ErrorKind::Timeout
            | ErrorKind::Interrupted
            | ErrorKind::Token => true,
            // A certificate that is not trusted now won't be soon.
            ErrorKind::Connect => self
                .failure()
                .is_none_or(|failure| *failure.kind() != TransportErrorKind::Tls),
            _ => false,
        }
    }

    pub(crate) fn failure(&self) -> Option<&TransportError> {
        self.0
            .source
            .as_deref()
            .and_then(|source| source.downcast_ref())
    }

    fn new(kind: ErrorKind, message: String) -> Self {
        Self(Box::new(Inner {
            kind,
            message,
            status: None,
            detail: None,
            json_path: None,
            attempt_log: None,
            last_call: None,
            source: None,
        }))
    }

    /// The client can't be made.
    pub(crate) fn config(message: String) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// The client can't be made, by what lies below.
    pub(crate) fn from_config(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        let mut this = Self::config(error.to_string());
        this.0.source = Some(Box::new(error));
        this
    }

    /// The transport hands out every exchange it had; this is said if one day it doesn't.
    pub(crate) fn without_exchange() -> Self {
        let message = "the transport kept no record of the call; report this as a fault of the SDK";
        Self::new(ErrorKind::InvalidRequest, message.to_owned())
    }

    pub(crate) fn with_last_call(mut self, call: Option<Call>) -> Self {
        self.0.last_call = call;
        self
    }

    /// The call has not ended in time. `failed` is why the last look at it found nothing, if so.
    pub(crate) fn waited(
        id: Uuid,
        deadline: Duration,
        last: Option<Call>,
        failed: Option<Self>,
    ) -> Self {
        let mut message = format!(
            "call {id} has not ended within {} s",
            deadline.as_secs_f64()
        );
        match &last {
            Some(call) => {
                let status = escaped(call.status.as_str());
                message.push_str(&format!("; its last status is {status}"));
            }
            None => message.push_str("; it was never seen"),
        }
        if let Some(failed) = &failed {
            message.push_str(&format!("; the last look at it failed: {failed}"));
        }
        message.push_str("; wait again, or longer");
        let mut this = Self::new(ErrorKind::Timeout, message).with_last_call(last);
        this.0.source = failed.map(Into::into);
        this
    }

    /// Makes one error of what the generated client says and of what passed over the wire.
    pub(crate) fn from_raw<T: DeserializeOwned, E>(
        error: raw::Error<E>,
        exchange: Option<Exchange>,
    ) -> Self {
        if let raw::Error::UnexpectedResponse(response) = &error
            && let Some(failure) = TransportError::from_response(response)
        {
            return Self::from_failure(failure.clone());
        }
        let Some(exchange) = exchange else {
            let message = match error {
                raw::Error::InvalidRequest(message) | raw::Error::Custom(message) => message,
                _ => return Self::without_exchange(),
            };
            let message =
                format!("the request can't be made: {message}; check the parameters of the call");
            return Self::new(ErrorKind::InvalidRequest, message);
        };
        match (&error, exchange.status) {
            (raw::Error::InvalidResponsePayload(body, _), Some(status)) if status.is_success() => {
                Self::from_decode::<T>(body, status.as_u16(), exchange.attempt_log)
            }
            _ => Self::from_answer(exchange),
        }
    }

    /// The service answered with a status that is no success.
    fn from_answer(exchange: Exchange) -> Self {
        let Some(status) = exchange.status else {
            return Self::without_exchange();
        };
        let mut this = Self::new(ErrorKind::of_status(status.as_u16()), String::new());
        this.0.status = Some(status.as_u16());
        // What comes with another status is data, and says nothing about an error.
        if status.as_u16() >= 400 {
            this.0.detail = Detail::read(&exchange.body);
        }
        this.0.attempt_log = Some(exchange.attempt_log);
        this
    }

    /// A recording was not fetched.
    pub(crate) fn from_fetch(error: DownloadError) -> Self {
        match error {
            DownloadError::Failed(failure) => Self::from_failure(failure),
            DownloadError::Refused(exchange) => Self::from_answer(*exchange),
            // What a later transport may say.
            _ => Self::without_exchange(),
        }
    }

    /// The service said what the document doesn't; of several the first one is named.
    pub(crate) fn from_drift(drifts: &[Drift], exchange: Option<Exchange>) -> Self {
        let mut message = drifts.first().map(ToString::to_string).unwrap_or_default();
        if drifts.len() > 1 {
            message.push_str(&format!(", and {} more", drifts.len() - 1));
        }
        let mut this = Self::new(ErrorKind::Drift, message);
        this.0.json_path = drifts.first().map(|drift| drift.place.clone());
        if exchange.is_none() {
            this.0.message = format!(
                "the service says what the API's document doesn't: {}; update the SDK, or tell the service's owner",
                this.0.message
            );
        }
        if let Some(exchange) = exchange {
            this.0.status = exchange.status.map(|status| status.as_u16());
            this.0.attempt_log = Some(exchange.attempt_log);
        }
        this
    }

    /// What a call has for its recording's URL is none.
    pub(crate) fn no_recording_url() -> Self {
        let message = "the recording can't be fetched: the call's recording_url is no absolute URL; \
                       ask the service's owner what it means";
        Self::new(ErrorKind::InvalidRequest, message.to_owned())
    }

    fn from_failure(failure: TransportError) -> Self {
        let mut this = Self::new(ErrorKind::of_failure(&failure), failure.to_string());
        this.0.status = failure.attempt_log().status().map(|status| status.as_u16());
        this.0.attempt_log = Some(failure.attempt_log().clone());
        this.0.source = Some(Box::new(failure));
        this
    }

    /// Decodes once more, now with the path: it costs nothing where all is well.
    fn from_decode<T: DeserializeOwned>(body: &[u8], status: u16, attempt_log: AttemptLog) -> Self {
        let deserializer = &mut serde_json::Deserializer::from_slice(body);
        let (path, cause) = match serde_path_to_error::deserialize::<_, T>(deserializer) {
            Err(error) => (
                error.path().to_string(),
                redacted(&error.inner().to_string()),
            ),
            // The value is sound, so what follows it isn't.
            Ok(_) => (
                ".".to_owned(),
                "there is more after the end of the value".to_owned(),
            ),
        };
        // Names and characters of the body are in both, and an error is one line of plain text.
        let message = escaped(&format!("{path}: {cause}"));
        let mut this = Self::new(ErrorKind::Decode, message);
        this.0.status = Some(status);
        this.0.json_path = Some(path);
        this.0.attempt_log = Some(attempt_log);
        this
    }
}

/// serde quotes the value that it couldn't use, which may be a phone number: what stands between quotes goes, and the
/// numbers that it puts between backticks. Names of properties, in backticks too, stay.
fn redacted(message: &str) -> String {
    let mut result = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.find(['"', '`']) {
        let quote = if rest[start..].starts_with('"') {
            '"'
        } else {
            '`'
        };
        let inner = &rest[start + 1..];
        let mut escaped = false;
        let end = inner.find(|c| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { break };
        let before = &rest[..start];
        let value = [
            "integer ",
            "floating point ",
            "boolean ",
            "character ",
            "found ",
        ]
        .iter()
        .any(|kind| before.ends_with(kind));
        result.push_str(before);
        result.push(quote);
        result.push_str(if quote == '"' || value {
            "…"
        } else {
            &inner[..end]
        });
        result.push(quote);
        rest = &inner[end + 1..];
    }
    result.push_str(rest);
    result
}

/// The text with each control character as an escape.
fn escaped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => result.extend(c.escape_default()),
            false => result.push(c),
        }
    }
    result
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        let (Some(attempt_log), None) = (&inner.attempt_log, self.failure()) else {
            return f.write_str(&inner.message);
        };
        let (method, url) = (attempt_log.method(), attempt_log.url());
        match (inner.kind, inner.status) {
            (ErrorKind::Decode | ErrorKind::Drift, _) => {
                write!(
                    f,
                    "the response to {method} {url} is not what the API's document says: {}",
                    inner.message
                )?;
            }
            (_, Some(status)) => {
                write!(f, "{method} {url} was answered with {status}")?;
                if let Some(detail) = &inner.detail {
                    write!(f, ": {detail}")?;
                }
            }
            (_, None) => f.write_str(&inner.message)?,
        }
        let attempts = attempt_log.attempts().len();
        write!(
            f,
            " ({attempts} attempt{}",
            if attempts == 1 { "" } else { "s" }
        )?;
        if !matches!(
            attempt_log.stop_reason(),
            StopReason::Success | StopReason::NotRetryable | StopReason::AttemptsExhausted
        ) {
            write!(f, "; {}", attempt_log.stop_reason())?;
        }
        f.write_str(")")?;
        if let Some(id) = attempt_log.request_id() {
            write!(f, "; request id {}", id.escape_debug())?;
        }
        let advice = match inner.kind {
            ErrorKind::Decode | ErrorKind::Drift => {
                "update the SDK, or check that the base URL names the service"
            }
            _ if attempt_log.operation() == crate::recording::OPERATION.id => {
                "fetch the call anew: its recording may be gone, or the URL expired"
            }
            kind => kind.advice(),
        };
        write!(f, "; {advice}")
    }
}

/// The same line as `Display`, since that is what a `main` that returns the error prints; `{:#?}` shows the parts.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        let inner = &self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("status", &inner.status)
            .field("detail", &inner.detail)
            .field("attempt_log", &inner.attempt_log)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The message is that of the source, so what follows it in a chain is what lies below the source.
        match self.failure() {
            Some(failure) => std::error::Error::source(failure),
            None => self.0.source.as_deref().and_then(std::error::Error::source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_redacted_and_names_stay() {
        for (message, expected) in [
            (
                "missing field `created_date` at line 1 column 5",
                "missing field `created_date` at line 1 column 5",
            ),
            (
                r#"invalid type: string "+34 600", expected i64"#,
                r#"invalid type: string "…", expected i64"#,
            ),
            (
                r#"invalid type: string "a\"b", expected u8"#,
                r#"invalid type: string "…", expected u8"#,
            ),
            (
                "invalid type: integer `34600`, expected a string",
                "invalid type: integer `…`, expected a string",
            ),
            (
                "invalid character: expected 0-9, found `\u{b}` at 3",
                "invalid character: expected 0-9, found `…` at 3",
            ),
            (r#"an unclosed " quote"#, r#"an unclosed " quote"#),
        ] {
            assert_eq!(redacted(message), expected);
        }
    }

    #[test]
    fn a_name_of_the_body_does_not_break_the_line() {
        assert_eq!(escaped("a\nb\u{b}é: c"), "a\\nb\\u{b}é: c");
        let mut call = Call::sample();
        call.status = "on\nhold".into();
        let error = Error::waited(call.id, Duration::from_secs(1), Some(call), None);
        assert!(
            error.to_string().contains("status is on\\nhold;"),
            "{error}"
        );
    }
}
