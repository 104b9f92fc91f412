//! What was tried, when, and how it went.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::{Position, Url};

use crate::builder::Settings;
use crate::operation::Auth;
use crate::retry::{Outcome, StopReason};

/// The attempts of one call, in order, and why there was no further one.
///
/// ```
/// use std::time::Duration;
///
/// use call_api_transport::{Auth, Operation, Outcome, ResponseBody, StopReason, Transport};
///
/// # const GET_PET: Operation =
/// #     Operation { id: "get_pet", path: "/v1/pets/{id}", auth: Auth::None, body: ResponseBody::Buffered };
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # // Nobody listens there.
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let url = format!("http://{}", listener.local_addr()?);
/// # drop(listener);
/// let transport = Transport::builder(url).backoff(Duration::ZERO, Duration::ZERO).build()?;
/// let request = transport.http_client().get(format!("{}/v1/pets/7", transport.base_url())).build()?;
/// let error = transport.execute(&GET_PET, request).await.unwrap_err();
/// let attempt_log = error.attempt_log();
/// for attempt in attempt_log.attempts() {
///     println!("{:?} after {:?}: {}", attempt.started, attempt.elapsed, attempt.outcome);
///     assert_eq!(attempt.outcome, Outcome::ConnectFailed);
/// }
/// assert_eq!((attempt_log.operation(), attempt_log.host(), attempt_log.stop_reason()), ("get_pet", "127.0.0.1", &StopReason::AttemptsExhausted));
/// assert_eq!((attempt_log.status(), attempt_log.request_id(), attempt_log.retry_after()), (None, None, None));
/// println!("{} {} took {:?}, {:?} of it in a queue", attempt_log.method(), attempt_log.url(), attempt_log.elapsed(), attempt_log.queued());
/// assert!(attempt_log.to_curl().starts_with("curl "));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AttemptLog {
    pub(crate) operation: &'static str,
    pub(crate) auth: Auth,
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// Those of the request; the settings have more. They are put together where someone asks.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) has_body: bool,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) stop: StopReason,
    pub(crate) queued: Duration,
    pub(crate) elapsed: Duration,
}

impl AttemptLog {
    /// The operation's id.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The method of the request.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL of the request without its query.
    pub fn url(&self) -> &str {
        &self.url[..Position::AfterPath]
    }

    /// The host that the request is for.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The attempts, the first one first. Empty where the call ended before anything was sent: a refused URL, no
    /// token, or no time left.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Why the last attempt was the last.
    pub fn stop_reason(&self) -> &StopReason {
        &self.stop
    }

    /// How long the call waited for its turns under the client's own rate limit: before its attempts, and for one that
    /// never came.
    pub fn queued(&self) -> Duration {
        self.queued
    }

    /// How long the call took: token, attempts, waits and body.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The status of the last attempt that had one.
    pub fn status(&self) -> Option<StatusCode> {
        self.attempts
            .iter()
            .rev()
            .find_map(|attempt| attempt.status)
    }

    /// The id by which the service knows the last attempt that was answered with one.
    pub fn request_id(&self) -> Option<&str> {
        self.attempts
            .iter()
            .rev()
            .find_map(|attempt| attempt.request_id.as_deref())
    }

    /// How long the service asked to wait, in the last attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        self.attempts.last().and_then(|attempt| attempt.retry_after)
    }

    /// The request as a `curl` command for a POSIX shell. The token is `$TOKEN` in it, and headers that are sensitive
    /// are left out. The query is in it, and so is nothing of the request's body but that there was one
    /// (`@request-body`).
    pub fn to_curl(&self) -> String {
        let mut url = self.url.to_string();
        let mut command = String::from("curl");
        if self.method != Method::GET {
            let _ = write!(command, " -X {}", self.method);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        self.settings.add_headers(&mut headers);
        for (name, value) in &headers {
            let named_secret = [
                header::AUTHORIZATION,
                header::PROXY_AUTHORIZATION,
                header::COOKIE,
            ]
            .contains(name);
            if !value.is_sensitive()
                && !named_secret
                && let Ok(value) = value.to_str()
            {
                let _ = write!(command, " -H {}", quoted(&format!("{name}: {value}")));
            }
        }
        match self.auth.place() {
            Auth::None | Auth::Scheme(..) => {}
            Auth::Bearer => command.push_str(" -H \"authorization: Bearer $TOKEN\""),
            Auth::Basic => command.push_str(" -u \"$TOKEN\""),
            Auth::ApiKeyHeader(name) => {
                let _ = write!(command, " -H \"{name}: $TOKEN\"");
            }
            Auth::ApiKeyQuery(name) => {
                command.push_str(" -G --data-urlencode ");
                let _ = write!(command, "\"{name}=$TOKEN\"");
            }
        }
        if self.has_body {
            command.push_str(" --data-binary @request-body");
        }
        // A fragment is never sent.
        if let Some(end) = url.find('#') {
            url.truncate(end);
        }
        let _ = write!(command, " {}", quoted(&url));
        command
    }
}

/// In single quotes, in which a POSIX shell reads nothing but the closing one.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl fmt::Debug for AttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptLog")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("url", &self.url())
            .field("attempts", &self.attempts)
            .field("stop", &self.stop)
            .field("queued", &self.queued)
            .field("elapsed", &self.elapsed)
            .finish_non_exhaustive()
    }
}

/// One time that the request was sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// How long it had waited, before it began, for its turn under the client's own rate limit; zero without one.
    pub queued: Duration,
    /// When it began, counted from the start of the call.
    pub started: Duration,
    /// How long it took, body included.
    pub elapsed: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// The status, where a response began.
    pub status: Option<StatusCode>,
    /// The `x-request-id` (or `request-id`) of the response.
    pub request_id: Option<String>,
    /// How long the service asked to wait.
    pub retry_after: Option<Duration>,
    /// The bytes of the body that came, counted after decompression.
    pub body_bytes: u64,
    /// The wait that came after it, where another attempt followed.
    pub retry_delay: Option<RetryDelay>,
}

/// A wait between two attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryDelay {
    /// How long.
    pub duration: Duration,
    /// Why so long.
    pub reason: DelayReason,
}

/// Why a wait was as long as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DelayReason {
    /// Exponential backoff with full jitter.
    Backoff,
    /// The service said how long, plus a little jitter.
    RetryAfter,
    /// It was not there yet, and is asked for again after a while that doubles.
    NotReady,
    /// What is here is no part of what the service has: the whole is asked for, which needs no wait.
    Restart,
    /// A fresh token was asked for; that needs no wait.
    FreshToken,
}
