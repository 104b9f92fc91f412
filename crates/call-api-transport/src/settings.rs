//! The settings that may differ between requests.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::retry::IDEMPOTENCY_KEY;

/// The settings of one request.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) deadline: Duration,
    pub(crate) attempt_timeout: Duration,
    /// `None` for the default, which depends on the outcome of the attempts.
    pub(crate) max_attempts: Option<u32>,
    pub(crate) body_limit: u64,
    /// `None` for the attempt timeout.
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) headers: HeaderMap,
    /// True if the idempotency key is not a valid header.
    pub(crate) has_invalid_key: bool,
}

impl Settings {
    /// Adds the headers to those of a request, in place of those of the same name. A `User-Agent` that the request has
    /// stays: the operation has a parameter for it.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            if *name != header::USER_AGENT || !headers.contains_key(name) {
                headers.insert(name, value.clone());
            }
        }
    }

    /// Returns the rest of the deadline of a request, this long after its start.
    pub(crate) fn left(&self, passed: Duration) -> Duration {
        self.deadline.saturating_sub(passed)
    }

    /// Returns the reason why no request can be sent with these settings, if there is one.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.deadline.is_zero() {
            return Some("the deadline is zero; set one that a request can meet");
        }
        if self.attempt_timeout.is_zero() {
            return Some("the attempt timeout is zero; set one that an attempt can meet");
        }
        if self.idle_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Some("the idle timeout is zero; set one that a stream can meet");
        }
        if self
            .headers
            .keys()
            .any(|name| *name == header::AUTHORIZATION)
        {
            return Some("an `Authorization` header is set; give the token to the client instead");
        }
        if self.has_invalid_key {
            return Some("the idempotency key is empty or has characters that no header may have");
        }
        None
    }
}

/// Settings of single requests, in place of those of the [`Transport`](crate::Transport).
///
/// ```
/// use std::time::Duration;
///
/// use call_api_transport::RequestOptions;
/// use http::{HeaderValue, header};
/// use call_api_transport::Transport;
///
/// let transport = Transport::builder("https://pets.example").build()?;
/// let hurried = RequestOptions::new().deadline(Duration::from_secs(2)).max_attempts(1);
/// let large = RequestOptions::new().attempt_timeout(Duration::from_secs(40)).body_limit(64 << 20);
/// let once = RequestOptions::new()
///     .idempotency_key("7e2f")
///     .header(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en"));
///
/// assert_eq!(transport.with_options(hurried).deadline(), Duration::from_secs(2));
/// # let _ = (transport.with_options(large), transport.with_options(once));
/// # Ok::<(), call_api_transport::BuildError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use = "options do nothing until they are given to a request"]
pub struct RequestOptions {
    deadline: Option<Duration>,
    attempt_timeout: Option<Duration>,
    max_attempts: Option<u32>,
    body_limit: Option<u64>,
    idle_timeout: Option<Duration>,
    headers: HeaderMap,
    /// `None` inside for a key that no header can hold.
    idempotency_key: Option<Option<HeaderValue>>,
}

impl RequestOptions {
    /// Returns options that change nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the limit of the whole request.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the limit of one attempt.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Sets the maximum number of attempts; 0 counts as 1.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Sets the maximum length of a successful response's body, in bytes after decompression.
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = Some(bytes);
        self
    }

    /// Sets how long a streamed body may be idle, in place of the attempt timeout.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Sends `Idempotency-Key`, which makes the request repeatable whatever its method. Use it only if the service honors
    /// it, with a new key for each request. A key that no header can hold is refused when the request is sent.
    pub fn idempotency_key(mut self, key: impl AsRef<str>) -> Self {
        let key = HeaderValue::from_str(key.as_ref()).ok();
        self.idempotency_key = Some(key.filter(|key| !key.is_empty()));
        self
    }

    /// Sets a header, in place of one of that name that the request or the client has. `Authorization` is refused when
    /// the request is sent: the token belongs to the client.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Returns these options with those of `other`, which win.
    pub fn merge(mut self, other: Self) -> Self {
        self.headers.extend(other.headers);
        Self {
            deadline: other.deadline.or(self.deadline),
            attempt_timeout: other.attempt_timeout.or(self.attempt_timeout),
            max_attempts: other.max_attempts.or(self.max_attempts),
            body_limit: other.body_limit.or(self.body_limit),
            idle_timeout: other.idle_timeout.or(self.idle_timeout),
            headers: self.headers,
            idempotency_key: other.idempotency_key.or(self.idempotency_key),
        }
    }

    pub(crate) fn apply(&self, settings: &Settings) -> Settings {
        let mut headers = settings.headers.clone();
        headers.extend(self.headers.clone());
        let mut has_invalid_key = settings.has_invalid_key;
        if let Some(key) = &self.idempotency_key {
            has_invalid_key = key.is_none();
            headers.extend(key.clone().map(|key| (IDEMPOTENCY_KEY, key)));
        }
        Settings {
            deadline: self.deadline.unwrap_or(settings.deadline),
            attempt_timeout: self.attempt_timeout.unwrap_or(settings.attempt_timeout),
            max_attempts: self.max_attempts.or(settings.max_attempts),
            body_limit: self.body_limit.unwrap_or(settings.body_limit),
            idle_timeout: self.idle_timeout.or(settings.idle_timeout),
            headers,
            has_invalid_key,
        }
    }
}

/// Omits the values of the headers, which may be secret.
impl fmt::Debug for RequestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().map(HeaderName::as_str).collect();
        f.debug_struct("RequestOptions")
            .field("deadline", &self.deadline)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("max_attempts", &self.max_attempts)
            .field("body_limit", &self.body_limit)
            .field("idle_timeout", &self.idle_timeout)
            .field("headers", &names)
            .field("idempotency_key", &self.idempotency_key.is_some())
            .finish()
    }
}
