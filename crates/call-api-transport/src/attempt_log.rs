//! The log of a request: its attempts, their outcomes, and the delays between them.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};
use url::Position;

use crate::operation::Auth;
use crate::outcome::Outcome;
use crate::request_summary::RequestSummary;
use crate::retry::{RetryDelay, StopReason};

/// The attempts of one request, in order, and the reason why there was no further one.
///
/// ```
/// use std::time::Duration;
///
/// use call_api_transport::{Auth, Delivery, Operation, Outcome, ResponseBody, StopReason, Transport};
///
/// const GET_PET: Operation =
///     Operation { id: "get_pet", path: "/v1/pets/{id}", auth: Auth::None, body: ResponseBody::Buffered };
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     // A port without a listener.
///     let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
///     let url = format!("http://{}", listener.local_addr()?);
///     drop(listener);
///     let transport = Transport::builder(url).backoff(Duration::ZERO, Duration::ZERO).max_attempts(3).build()?;
///     let request = transport.http_client().get(format!("{}/v1/pets/7", transport.base_url())).build()?;
///     let error = transport.send(&GET_PET, request, None).await.unwrap_err();
///     let attempt_log = error.attempt_log();
///     for attempt in attempt_log.attempts() {
///         println!("{:?} after {:?}: {}", attempt.started, attempt.elapsed, attempt.outcome);
///         assert_eq!(attempt.outcome, Outcome::ConnectFailed);
///     }
///     assert_eq!((attempt_log.operation(), attempt_log.host(), attempt_log.stop_reason()), ("get_pet", "127.0.0.1", &StopReason::AttemptsExhausted));
///     assert_eq!((attempt_log.status(), attempt_log.request_id(), attempt_log.retry_after()), (None, None, None));
///     assert_eq!(attempt_log.delivery(), Delivery::NotSent);
///     println!("{} {} took {:?}, {:?} of it in a queue", attempt_log.method(), attempt_log.url(), attempt_log.elapsed(), attempt_log.queued());
///     assert!(attempt_log.to_curl().starts_with("curl "));
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct AttemptLog {
    pub(crate) operation: &'static str,
    pub(crate) request: Arc<RequestSummary>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) stop: StopReason,
    /// The kind of error, unless it is the one of the last attempt.
    pub(crate) error: Option<&'static str>,
    pub(crate) queued: Duration,
    pub(crate) elapsed: Duration,
}

impl AttemptLog {
    /// Returns the id of the operation.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns the method of the request.
    pub fn method(&self) -> &Method {
        &self.request.method
    }

    /// Returns the URL of the request without its query and credentials.
    pub fn url(&self) -> &str {
        &self.request.url[..Position::AfterPath]
    }

    /// Returns the host of the request.
    pub fn host(&self) -> &str {
        self.request.url.host_str().unwrap_or_default()
    }

    /// Returns the attempts in order. Empty if the request ended before anything was sent: a refused URL, no token, or no
    /// time left.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Returns the reason why there was no further attempt.
    pub fn stop_reason(&self) -> &StopReason {
        &self.stop
    }

    /// Returns the kind of error that the request ended with, in the words of OpenTelemetry's `error.type`: an error status
    /// such as `503`, or a short name such as `connect_failed` or `decode`. `None` if it succeeded.
    pub fn error_type(&self) -> Option<&str> {
        if self.stop == StopReason::Success {
            return None;
        }
        self.error.or_else(|| self.attempts.last()?.error_type())
    }

    /// Returns how far the last attempt came that may have reached the service.
    pub fn delivery(&self) -> Delivery {
        let mut sent = self.attempts.iter().rev().filter(|attempt| {
            let outcome = attempt.outcome;
            !outcome.was_not_sent()
                && !matches!(outcome, Outcome::TlsRejected | Outcome::Unsendable)
        });
        match sent.next() {
            None => Delivery::NotSent,
            Some(attempt) if attempt.status.is_some() => Delivery::Answered,
            Some(_) => Delivery::Unknown,
        }
    }

    /// Returns the total time that the request waited for the rate limit of the client.
    pub fn queued(&self) -> Duration {
        self.queued
    }

    /// Returns the total time: token, attempts, delays and body.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns the status of the last attempt that has one.
    pub fn status(&self) -> Option<StatusCode> {
        self.attempts
            .iter()
            .rev()
            .find_map(|attempt| attempt.status)
    }

    /// Returns the request id of the last attempt that has one.
    pub fn request_id(&self) -> Option<&str> {
        self.attempts
            .iter()
            .rev()
            .find_map(|attempt| attempt.request_id.as_deref())
    }

    /// Returns the delay that the service asked for in the last attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        self.attempts.last().and_then(|attempt| attempt.retry_after)
    }

    /// Returns the request as a `curl` command for a POSIX shell.
    ///
    /// The token is `$TOKEN`, and further credentials that the operation takes are `$TOKEN_2` and so on, whether or not they
    /// were set. Sensitive headers and the query of a download are omitted, and a body is `@request-body`. A key in the query
    /// needs curl 7.87.
    pub fn to_curl(&self) -> String {
        let mut url = self.request.url.to_string();
        let mut command = String::from("curl");
        match self.request.method {
            Method::GET => {}
            // With `-X HEAD`, curl waits for a body.
            Method::HEAD => command.push_str(" --head"),
            _ => {
                let _ = write!(command, " -X {}", self.request.method);
            }
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.request.headers {
            headers.append(name, value.clone());
        }
        self.request.settings.add_headers(&mut headers);
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
        let auth = self.request.auth;
        add_credential(&mut command, auth, "TOKEN");
        for (other, number) in auth.others().iter().zip(2..) {
            add_credential(&mut command, *other, &format!("TOKEN_{number}"));
        }
        if self.request.has_body {
            command.push_str(" --data-binary @request-body");
        }
        // Fragments are not sent.
        if let Some(end) = url.find('#') {
            url.truncate(end);
        }
        let _ = write!(command, " {}", quoted(&url));
        command
    }
}

/// Adds a credential to a `curl` command, as this variable of the shell. The document chooses the names: they are quoted.
fn add_credential(command: &mut String, auth: Auth, variable: &str) {
    let (option, before) = match auth.place() {
        Auth::None | Auth::Scheme(..) | Auth::Each(_) => return,
        Auth::Bearer => ("-H", "authorization: Bearer ".to_owned()),
        Auth::Basic => ("-u", String::new()),
        Auth::ApiKeyHeader(name) => ("-H", format!("{name}: ")),
        // In the URL, whatever the body is.
        Auth::ApiKeyQuery(name) => ("--url-query", format!("{name}=")),
        Auth::ApiKeyCookie(name) => ("-b", format!("{name}=")),
    };
    let before = match before.is_empty() {
        true => before,
        false => quoted(&before),
    };
    let _ = write!(command, " {option} {before}\"${variable}\"");
}

/// The arrival of a request at the service, as far as the client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// Nothing reached the service: the request can be sent again, whatever it does.
    NotSent,
    /// The request was sent, and no response arrived: the service may have processed it.
    Unknown,
    /// A response arrived, at least its status. An earlier attempt may have been processed as well: of requests that may be
    /// repeated, which are idempotent or have an idempotency key.
    Answered,
}

/// Quotes text for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl fmt::Debug for AttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptLog")
            .field("operation", &self.operation)
            .field("method", &self.request.method)
            .field("url", &self.url())
            .field("attempts", &self.attempts)
            .field("stop", &self.stop)
            .field("error_type", &self.error_type())
            .field("queued", &self.queued)
            .field("elapsed", &self.elapsed)
            .finish_non_exhaustive()
    }
}

/// One transmission of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Attempt {
    /// The time it waited for the rate limit of the client before it began.
    pub queued: Duration,
    /// Its start, counted from the start of the request.
    pub started: Duration,
    /// Its duration, body included.
    pub elapsed: Duration,
    /// Its outcome.
    pub outcome: Outcome,
    /// The status, if a response began.
    pub status: Option<StatusCode>,
    /// The `x-request-id` (or `request-id`) of the response.
    pub request_id: Option<String>,
    /// The delay that the service asked for.
    pub retry_after: Option<Duration>,
    /// The bytes of the body that were received, after decompression.
    pub body_bytes: u64,
    /// The delay after it, if another attempt followed.
    pub retry_delay: Option<RetryDelay>,
}

impl Attempt {
    /// Returns the error status if there is one, else the name of the outcome; `None` for a success.
    pub(crate) fn error_type(&self) -> Option<&str> {
        match (self.outcome, &self.status) {
            (Outcome::Success, _) => None,
            (_, Some(status)) if status.as_u16() >= 400 => Some(status.as_str()),
            (outcome, _) => Some(outcome.name()),
        }
    }
}
