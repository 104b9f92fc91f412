//! The one error type, with a kind to match on.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use call_api_transport::{
    AttemptLog, BuildError, Delivery, DownloadError, Outcome, StopReason, TransportError,
};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::detail::Detail;
use crate::drift::Drift;
use crate::error_bodies::ErrorBodies;
use crate::error_kind::ErrorKind;
use crate::item_error::ItemError;
use crate::plain_text::{escaped, redacted};

type Source = Arc<dyn std::error::Error + Send + Sync>;

/// The reason why a request has no result. Its text is one line that says what failed, why, and what to do. Neither
/// `Display` nor `Debug` shows the token, the query, or more of a body than the first 200 characters of its error
/// message.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    /// The whole text where nothing was sent or received, else what follows the description of the request.
    message: String,
    advice: Cow<'static, str>,
    operation: Option<&'static str>,
    status: Option<u16>,
    headers: HeaderMap,
    body: Bytes,
    detail: Option<Detail>,
    json_path: Option<String>,
    cursor: Option<Cursor>,
    attempt_log: Option<AttemptLog>,
    retry_after: Option<Duration>,
    last_seen: Option<Arc<dyn Any + Send + Sync>>,
    source: Option<Source>,
}

impl Error {
    /// Begins an error of that kind: for wrappers of this client, and for fakes in tests.
    pub fn builder(kind: ErrorKind) -> ErrorBuilder {
        ErrorBuilder(Self::new(kind, String::new()))
    }

    /// Returns the kind of the error, to match on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The HTTP status of the response, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The headers of the response; empty if there was none.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// Returns the service's own message, read from the body of an error response.
    pub fn detail(&self) -> Option<&Detail> {
        self.0.detail.as_ref()
    }

    /// Decodes the error body that the document describes for the operation `O` and this status. Returns `None` if the
    /// error is not a response of that operation, or its body is not what the document describes.
    pub fn body<O: ErrorBodies>(&self) -> Option<O::ErrorBody> {
        let status = self.0.status?;
        let is_own = self.0.operation.is_none_or(|id| id == O::OPERATION);
        if !is_own || self.0.json_path.is_some() {
            return None;
        }
        O::decode_error(status, &self.0.body)
    }

    /// The unmodified body of the error response, up to 64 KiB; empty if there was none.
    pub fn raw_body(&self) -> &[u8] {
        &self.0.body
    }

    /// The place in the response that could not be decoded, such as `owner.name`; `.` is all of it.
    pub fn json_path(&self) -> Option<&str> {
        self.0.json_path.as_deref()
    }

    /// Returns the item of a list or a stream that could not be decoded, if that is the error. The other items are
    /// delivered.
    pub fn item(&self) -> Option<&ItemError> {
        self.0.source.as_deref()?.downcast_ref()
    }

    /// Returns the cursor of the page of a list that could not be fetched or followed, to resume from; `None` if it was the
    /// first.
    pub fn cursor(&self) -> Option<&Cursor> {
        self.0.cursor.as_ref()
    }

    /// The id by which the service knows the request, if it sent one.
    pub fn request_id(&self) -> Option<&str> {
        self.attempt_log().and_then(AttemptLog::request_id)
    }

    /// The delay that the service asked for before another request.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0
            .retry_after
            .or_else(|| self.attempt_log().and_then(AttemptLog::retry_after))
    }

    /// Returns what to do about the error: the end of `{}`, which `{:#}` leaves out. May be empty.
    pub fn advice(&self) -> &str {
        &self.0.advice
    }

    /// Every attempt: its duration, its outcome, and why there was no further one. `None` if there was nothing to send.
    pub fn attempt_log(&self) -> Option<&AttemptLog> {
        self.0.attempt_log.as_ref()
    }

    /// The last state that was seen of what was waited for, if waiting for it failed.
    pub fn last_seen<T: Any>(&self) -> Option<&T> {
        self.0
            .last_seen
            .as_deref()
            .and_then(|seen| seen.downcast_ref())
    }

    /// Returns how far the request came: the last of its attempts that may have reached the service.
    ///
    /// ```
    /// use call_api_client::{Delivery, Error, ErrorKind};
    ///
    /// fn can_be_repeated(error: &Error) -> bool {
    ///     error.delivery() == Delivery::NotSent
    /// }
    /// assert!(can_be_repeated(&Error::builder(ErrorKind::Connect).build()));
    /// assert!(!can_be_repeated(&Error::builder(ErrorKind::Timeout).build()));
    /// ```
    pub fn delivery(&self) -> Delivery {
        match (self.attempt_log(), self.status(), self.kind()) {
            (Some(attempt_log), ..) => attempt_log.delivery(),
            (None, Some(_), _) => Delivery::Answered,
            (None, None, ErrorKind::Timeout | ErrorKind::Interrupted) => Delivery::Unknown,
            (None, None, _) => Delivery::NotSent,
        }
    }

    /// Returns true if a deadline or timeout passed.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Returns true if the last attempt could not connect. An earlier one may have reached the service: see
    /// [`delivery`](Self::delivery).
    pub fn is_connect(&self) -> bool {
        self.kind() == ErrorKind::Connect
    }

    /// Returns true if the same request may succeed later. The client has already retried it as far as that was safe.
    pub fn is_retryable(&self) -> bool {
        if let Some(error) = self.transport_error() {
            return error.is_retryable();
        }
        if let Some(status) = self
            .status()
            .and_then(|status| StatusCode::from_u16(status).ok())
        {
            return Outcome::of_status(status).is_transient();
        }
        matches!(
            self.kind(),
            ErrorKind::RateLimited
                | ErrorKind::Server
                | ErrorKind::Timeout
                | ErrorKind::Interrupted
                | ErrorKind::Connect
                | ErrorKind::Token
        )
    }

    /// The transport's error, if the request failed without a response.
    pub fn transport_error(&self) -> Option<&TransportError> {
        self.0
            .source
            .as_deref()
            .and_then(|source| source.downcast_ref())
    }

    /// Finds an error of type `E` among the causes, such as that of your own token provider.
    pub fn find_source<E: std::error::Error + 'static>(&self) -> Option<&E> {
        let first = self.0.source.as_deref().map(|source| source as _);
        let causes = std::iter::successors(first, |cause: &&(dyn std::error::Error + 'static)| {
            cause.source()
        });
        causes.into_iter().find_map(|cause| cause.downcast_ref())
    }

    /// Returns the error with other advice.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.0.advice = advice.into();
        self
    }

    /// Returns the error with the last state that was seen of what was waited for.
    #[must_use]
    pub fn with_last_seen<T: Any + Send + Sync>(mut self, seen: T) -> Self {
        self.0.last_seen = Some(Arc::new(seen));
        self
    }

    fn new(kind: ErrorKind, message: String) -> Self {
        Self(Box::new(Inner {
            kind,
            message,
            advice: Cow::Borrowed(kind.advice()),
            operation: None,
            status: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            detail: None,
            json_path: None,
            cursor: None,
            attempt_log: None,
            retry_after: None,
            last_seen: None,
            source: None,
        }))
    }

    /// The client cannot be built; `message` says what to do.
    pub(crate) fn config(message: String) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// The transport cannot be built.
    pub(crate) fn from_build(error: BuildError) -> Self {
        let mut this = Self::config(format!("{error:#}"));
        this.0.advice = Cow::Borrowed(error.advice());
        this.0.source = Some(Arc::new(error));
        this
    }

    /// The client cannot be built, for a reason given by a layer below, which says what to do.
    pub(crate) fn from_config(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        let mut this = Self::config(error.to_string());
        this.0.source = Some(Arc::new(error));
        this
    }

    /// A parameter or body cannot be sent.
    pub(crate) fn invalid_request(message: &str) -> Self {
        Self::new(
            ErrorKind::InvalidRequest,
            format!("the request cannot be built: {message}"),
        )
    }

    /// The status is not a success.
    pub(crate) fn from_status(status: u16, body: Bytes) -> Self {
        let mut this = Self::new(ErrorKind::from_status(status), String::new());
        if (200..300).contains(&status) {
            this.0.advice = Cow::Borrowed(
                "the request succeeded, with a status that the API's document does not list: do not repeat it, and update the \
                 SDK",
            );
        }
        this.with_body(status, body)
    }

    fn with_body(mut self, status: u16, body: Bytes) -> Self {
        // The body of any other status is data, and says nothing about an error.
        if status >= 400 {
            self.0.detail = Detail::read(&body);
        }
        self.0.status = Some(status);
        self.0.body = body;
        self
    }

    /// The response differs from the document; the first of several differences is named.
    pub(crate) fn from_drift(drifts: &[Drift]) -> Self {
        let mut message = drifts.first().map(ToString::to_string).unwrap_or_default();
        if drifts.len() > 1 {
            message.push_str(&format!(", and {} more", drifts.len() - 1));
        }
        let mut this = Self::new(ErrorKind::Drift, message);
        this.0.json_path = drifts.first().map(|drift| drift.place.clone());
        this
    }

    /// The response is about something else than what was requested.
    pub(crate) fn unexpected_id(requested: Uuid, received: Uuid) -> Self {
        let message = format!("is about {received}, not about {requested}");
        Self::new(ErrorKind::UnexpectedId, message)
    }

    /// The body at `path` does not match the document.
    pub(crate) fn decode(path: String, cause: &str) -> Self {
        // Both hold names and characters of the body, and an error is one line of plain text.
        let message = escaped(&format!("{path}: {}", redacted(cause)));
        let mut this = Self::new(ErrorKind::Decode, message);
        this.0.json_path = Some(path);
        this
    }

    /// The error is about an item of a page or a stream.
    pub(crate) fn with_item(mut self, item: ItemError) -> Self {
        self.0.source = Some(Arc::new(item));
        self
    }

    /// The error is about the page of this cursor.
    pub(crate) fn with_cursor(mut self, cursor: Option<Cursor>) -> Self {
        self.0.cursor = cursor;
        self
    }

    /// Adds what is known of the response that the error is about.
    /// Adds the content type of a body that could not be decoded, unless it is JSON.
    pub(crate) fn with_content_type(mut self, headers: &HeaderMap) -> Self {
        let media_type = headers.get(CONTENT_TYPE).map(HeaderValue::to_str);
        if self.0.kind == ErrorKind::Decode
            && let Some(Ok(media_type)) = media_type
            && !media_type.to_ascii_lowercase().contains("json")
        {
            let message = &mut self.0.message;
            message.push_str(&format!("; its content type is `{media_type}`"));
        }
        self
    }

    pub(crate) fn with_response(
        mut self,
        status: u16,
        headers: HeaderMap,
        attempt_log: AttemptLog,
    ) -> Self {
        self.0.status = Some(status);
        self.0.headers = headers;
        self.0.operation = Some(attempt_log.operation());
        self.0.attempt_log = Some(attempt_log);
        self
    }
}

impl From<DownloadError> for Error {
    fn from(error: DownloadError) -> Self {
        match error {
            DownloadError::Refused(response) => {
                let status = response.status.as_u16();
                Self::from_status(status, response.body.bytes).with_response(
                    status,
                    response.headers,
                    response.attempt_log,
                )
            }
            DownloadError::Failed(error) => error.into(),
            // A later transport may have more.
            other => Self::builder(ErrorKind::Interrupted)
                .message(other.to_string())
                .source(other)
                .build(),
        }
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        let mut this = Self::new(ErrorKind::of_transport(&error), format!("{error:#}"));
        this.0.advice = Cow::Borrowed(error.advice());
        this.0.status = error.attempt_log().status().map(|status| status.as_u16());
        this.0.attempt_log = Some(error.attempt_log().clone());
        this.0.source = Some(Arc::new(error));
        this
    }
}

impl Error {
    /// Writes the advice, which the alternate form leaves out.
    fn write_advice(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.advice() {
            advice if f.alternate() || advice.is_empty() => Ok(()),
            advice => write!(f, "; {advice}"),
        }
    }
}

/// Makes an [`Error`] by hand: see [`Error::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ErrorBuilder(Error);

impl ErrorBuilder {
    /// Sets what failed and why.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.0.0.message = message.into();
        self
    }

    /// Sets what to do about it.
    pub fn advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.0.0.advice = advice.into();
        self
    }

    /// Sets the error response: its status and its body.
    pub fn response(mut self, status: u16, body: impl Into<Vec<u8>>) -> Self {
        self.0 = self.0.with_body(status, Bytes::from(body.into()));
        self
    }

    /// Sets the delay that the service asked for.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.0.retry_after = Some(delay);
        self
    }

    /// Sets the cause.
    pub fn source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.0.source = Some(Arc::new(source));
        self
    }

    pub(crate) fn boxed_source(mut self, source: call_api_transport::BoxError) -> Self {
        self.0.0.source = Some(source.into());
        self
    }

    /// Returns the error.
    pub fn build(self) -> Error {
        self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if self.transport_error().is_some() {
            // It describes the request itself.
            f.write_str(&inner.message)?;
            return self.write_advice(f);
        }
        match (&inner.attempt_log, inner.kind, inner.status) {
            (Some(log), ErrorKind::Decode | ErrorKind::Drift, _) => {
                let (method, url) = (log.method(), log.url());
                write!(
                    f,
                    "the response to {method} {url} is not what the API's document says: {}",
                    inner.message
                )?;
            }
            (Some(log), ErrorKind::Paging, _) => {
                let (method, url) = (log.method(), log.url());
                write!(
                    f,
                    "no page can follow that of {method} {url}: {}",
                    inner.message
                )?;
            }
            (Some(log), ErrorKind::UnexpectedId, _) => {
                let (method, url) = (log.method(), log.url());
                write!(f, "the response to {method} {url} {}", inner.message)?;
            }
            // The body of a stream.
            (
                Some(log),
                ErrorKind::Interrupted | ErrorKind::Timeout | ErrorKind::BodyTooLarge,
                _,
            ) if !inner.message.is_empty() => {
                write!(f, "{} {}: {}", log.method(), log.url(), inner.message)?;
            }
            (Some(log), _, Some(status)) => {
                write!(
                    f,
                    "{} {} was answered with {status}",
                    log.method(),
                    log.url()
                )?;
            }
            (None, ErrorKind::Drift, _) => {
                write!(
                    f,
                    "the response differs from the API's document: {}",
                    inner.message
                )?;
            }
            _ if inner.message.is_empty() => write!(f, "{}", inner.kind)?,
            _ => f.write_str(&inner.message)?,
        }
        if let Some(detail) = &inner.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(log) = &inner.attempt_log {
            let attempts = log.attempts().len();
            let plural = if attempts == 1 { "" } else { "s" };
            write!(f, " ({attempts} attempt{plural}")?;
            if !matches!(
                log.stop_reason(),
                StopReason::Success | StopReason::NotRetryable | StopReason::AttemptsExhausted
            ) {
                write!(f, "; {}", log.stop_reason())?;
            }
            f.write_str(")")?;
            if let Some(id) = log.request_id() {
                write!(f, "; request id {}", id.escape_debug())?;
            }
        }
        self.write_advice(f)
    }
}

/// Prints the same line as `Display`, since that is what a `main` that returns the error prints; `{:#?}` shows the parts.
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
        // The text includes that of the direct cause, so the chain continues below it.
        self.0.source.as_deref().and_then(std::error::Error::source)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn error_response_is_retryable_exactly_if_the_transport_retries_it() {
        for code in 100..=999 {
            let status = StatusCode::from_u16(code).unwrap();
            let error = Error::from_status(code, Bytes::new());
            let is_transient = Outcome::of_status(status).is_transient();
            assert_eq!(error.is_retryable(), is_transient, "{code}");
        }
        let not_implemented = Error::from_status(501, Bytes::new());
        assert_eq!(not_implemented.kind(), ErrorKind::Server);
        assert!(!not_implemented.is_retryable());
    }

    #[test]
    fn undocumented_success_is_not_to_be_repeated() {
        let error = Error::from_status(201, Bytes::new());
        assert_eq!(error.kind(), ErrorKind::UnexpectedStatus);
        assert!(error.advice().contains("do not repeat it"));
        let redirect = Error::from_status(304, Bytes::new());
        assert_eq!(redirect.advice(), ErrorKind::UnexpectedStatus.advice());
    }

    #[test]
    fn built_error_has_what_it_was_built_with() {
        #[derive(Debug, thiserror::Error)]
        #[error("locked")]
        struct Locked;

        let error = Error::builder(ErrorKind::RateLimited)
            .response(429, r#"{"detail": "Slow down"}"#)
            .retry_after(Duration::from_secs(60))
            .source(Locked)
            .build()
            .with_last_seen(7_u8);
        assert_eq!(
            (error.kind(), error.status(), error.retry_after()),
            (
                ErrorKind::RateLimited,
                Some(429),
                Some(Duration::from_secs(60))
            )
        );
        assert_eq!(
            error.to_string(),
            "rate limited: Slow down; send fewer requests, or try later"
        );
        assert!(error.is_retryable() && error.find_source::<Locked>().is_some());
        assert_eq!(
            (error.last_seen(), error.last_seen::<u16>()),
            (Some(&7_u8), None)
        );
    }
}
