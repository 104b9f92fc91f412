//! What happens to a request on its way.
//!
//! A generated client knows what to say; this crate knows how to say it to a network that fails. It knows no operation
//! and no type of any API, so that each operation a document gains has all of it:
//!
//! - one [deadline](TransportBuilder::deadline) over token, attempts, waits and body;
//! - retries with full jitter that honour `Retry-After`, within a [budget](TransportBuilder::retry_budget) that all clones share;
//! - the body read inside the attempt and [capped](TransportBuilder::body_limit) after decompression;
//! - a [`Token`] that goes to the base URL and nowhere else, and is shown nowhere;
//! - a [`AttemptLog`] of what was tried, on success and on every [`TransportError`].
//!
//! What is large and lies elsewhere is [fetched](Transport::fetch): streamed to a file, gone on with where it broke off, and
//! without the token.
//!
//! ```no_run
//! use call_api_transport::{Auth, Operation, ResponseBody, Token, Transport};
//!
//! const GET_PET: Operation = Operation {
//!     id: "get_pet",
//!     path: "/v1/pets/{id}",
//!     auth: Auth::Bearer,
//!     body: ResponseBody::Buffered,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = Transport::builder("https://pets.example/api")
//!     .token(Token::from_env("PETS_TOKEN")?)
//!     .build()?;
//! let url = format!("{}/v1/pets/7", transport.base_url());
//! let request = transport.http_client().get(url).build()?;
//! let response = transport.execute(&GET_PET, request).await?;
//! println!("{}", response.status());
//! # Ok(())
//! # }
//! ```
//!
//! # What is a failure
//! Every response is handed on with its body, whatever its status, once retries are at their end: also a 503, so that
//! the caller can read what the service says in it. What has no such response is a [`TransportError`]: no connection, no time,
//! a body that breaks off or is too long, a redirect. Why there was no further attempt is in [`AttemptLog::stop`], for
//! responses in the [`Recording`].

// None of them shows a token; a type without one would have its user print its parts.
#![deny(missing_debug_implementations)]

mod attempt;
mod attempt_log;
mod base_url;
mod body;
mod budget;
#[cfg(test)]
mod budget_tests;
mod builder;
mod clock;
mod download;
mod engine;
mod error;
mod exchange;
mod http_client;
mod observe;
mod operation;
#[cfg(feature = "rate-limit")]
mod rate_limit;
mod redact;
mod response;
mod retry;
mod single_flight;
mod sync;
mod throttle;
mod token;

/// What the fuzz targets under `fuzz/` reach into; `cfg(fuzzing)` is set by cargo-fuzz and nobody else.
#[cfg(fuzzing)]
#[doc(hidden)]
#[allow(missing_docs)]
pub mod fuzzing {
    pub use url::Url;

    #[derive(Debug)]
    pub struct BaseUrl(crate::base_url::BaseUrl);

    impl BaseUrl {
        pub fn parse(given: &str, allow_insecure_http: bool) -> Result<Self, crate::BuildError> {
            crate::base_url::BaseUrl::parse(given, allow_insecure_http).map(Self)
        }

        pub fn as_str(&self) -> &str {
            self.0.as_str()
        }

        pub fn check(&self, url: &Url, template: &str) -> Result<(), &'static str> {
            self.0.check(url, template)
        }
    }

    pub fn retry_after(
        headers: &http::HeaderMap,
        now: impl Fn() -> std::time::SystemTime,
    ) -> Option<std::time::Duration> {
        crate::retry::retry_after(headers, now)
    }
}

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use attempt_log::{Attempt, AttemptLog, DelayReason, RetryDelay};
pub use body::Stalled;
pub use builder::{BuildError, RequestOptions, TransportBuilder};
pub use clock::{Clock, SleepFuture};
pub use download::{Download, DownloadError, Downloaded, Progress};
pub use error::{Limit, Phase, TransportError, TransportErrorKind};
pub use exchange::{Exchange, Recording};
pub use observe::Observer;
pub use operation::{Auth, Operation, ResponseBody};
pub use response::{BodyStream, BufferedBody, RawBody, RawResponse};
pub use retry::{Outcome, StopReason};
pub use token::{BoxError, Token, TokenError, TokenFile, TokenFuture, TokenProvider};

use builder::Settings;

/// Sends requests to one API. Cheap to clone; clones share connections, token, retry budget and rate limit.
#[derive(Clone)]
pub struct Transport {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
    recording: Option<Recording>,
    throttle: Option<Arc<throttle::Throttle>>,
}

/// What all clones share.
struct Shared {
    base_url: base_url::BaseUrl,
    http: reqwest::Client,
    foreign_clients: download::ForeignClients,
    credentials: token::Credentials,
    backoff: retry::Backoff,
    budget: budget::Budget,
    observer: Option<Arc<dyn Observer>>,
    #[cfg(feature = "rate-limit")]
    rate: Option<rate_limit::Rate>,
    time: clock::Time,
    jitter: clock::Jitter,
}

impl Transport {
    /// Begins a transport for the API at that URL: https, or http to this machine (`localhost`, `127.0.0.1`, `[::1]`).
    /// A path is kept as a prefix of every operation's.
    pub fn builder(base_url: impl AsRef<str>) -> TransportBuilder {
        TransportBuilder::new(base_url.as_ref())
    }

    /// The base URL, without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.shared.base_url.as_str()
    }

    /// The client to build requests with. Only [`execute`](Self::execute) should send them: what this client sends by
    /// itself has no token, no deadline and no cap.
    pub fn http_client(&self) -> &reqwest::Client {
        &self.shared.http
    }

    /// Sends a request of that operation, as often as the rules for retries allow, and reads the response.
    ///
    /// Headers of this transport and its call options replace those of the request; the token replaces both.
    ///
    /// Dropping the future ends the call at once: it leaves no task and no lock behind, and what it took from the retry
    /// budget goes back.
    ///
    /// # Errors
    /// [`TransportError`] where there is no response. A response with an error status is `Ok`; see the crate's documentation.
    // Not an `async fn`, which would hold the request twice: as it was given, and in the call.
    pub fn execute<'a>(
        &'a self,
        operation: &'a Operation,
        request: reqwest::Request,
    ) -> impl Future<Output = Result<reqwest::Response, TransportError>> + Send + 'a {
        let settings = Arc::clone(&self.settings);
        let mut in_flight = engine::InFlightRequest::new(self, operation, request, settings);
        async move { in_flight.execute().await }
    }

    /// Sends a request of `operation`, retries it where the rules allow, and returns the response, whatever its status.
    ///
    /// Headers of this transport and of `options` replace those of the request; the token replaces both. Dropping the
    /// future ends the request at once: it leaves no task and no lock behind.
    ///
    /// # Errors
    /// [`TransportError`] if there is no response.
    pub fn send<'a>(
        &'a self,
        operation: &'a Operation,
        request: reqwest::Request,
        options: Option<&RequestOptions>,
    ) -> impl Future<Output = Result<RawResponse, TransportError>> + Send + use<'a> {
        let settings = match options {
            Some(options) => Arc::new(options.apply(&self.settings)),
            None => Arc::clone(&self.settings),
        };
        let mut in_flight = engine::InFlightRequest::new(self, operation, request, settings);
        async move { in_flight.send().await }
    }

    /// A clone whose calls have other settings.
    #[must_use]
    pub fn with_options(&self, options: RequestOptions) -> Self {
        Self {
            settings: Arc::new(options.apply(&self.settings)),
            ..self.clone()
        }
    }

    /// A clone that writes each of its calls, when it ends, into the recording, over the one before. The headers of the
    /// response are then in the recording, and no longer in the response.
    pub fn recorded(&self) -> (Self, Recording) {
        let recording = Recording::default();
        let recorded = Self {
            recording: Some(recording.clone()),
            ..self.clone()
        };
        (recorded, recording)
    }

    /// A clone with a gate before each attempt, which its own clones share: a 429 closes it for as long as the service
    /// asks, or as long as the throttled call waits by itself, but for an hour at most. For many calls at once, so that
    /// not each of them has to be told.
    #[must_use]
    pub fn throttled(&self) -> Self {
        Self {
            throttle: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// Waits until the [gate](Self::throttled) is open; at once where there is none. A call waits for it by itself, but
    /// within its deadline: what was waited before it begins is not counted.
    pub async fn throttle_lifted(&self) {
        while let Some(remaining) = self.throttled_for() {
            self.sleep(remaining).await;
        }
    }

    fn throttled_for(&self) -> Option<Duration> {
        self.throttle.as_ref()?.remaining(self.now())
    }

    /// The limit of a whole call: the client's, or that of its [options](Self::with_options).
    pub fn deadline(&self) -> Duration {
        self.settings.deadline
    }

    /// The moment, by the transport's clock: for what waits between calls.
    pub fn now(&self) -> Instant {
        self.shared.time.now()
    }

    /// Waits, by the transport's clock.
    pub async fn sleep(&self, duration: Duration) {
        self.shared.time.sleep(duration).await;
    }

    /// A part of `whole` by chance, from nothing to all of it: jitter, from the transport's source of it.
    pub fn jitter(&self, whole: Duration) -> Duration {
        self.shared.jitter.part_of(whole)
    }

    /// The date, by the transport's clock.
    pub fn system_now(&self) -> std::time::SystemTime {
        self.shared.time.system_now()
    }

    /// What is left of the retry budget: for metrics.
    pub fn retry_budget_left(&self) -> u32 {
        self.shared.budget.left()
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("base_url", &self.base_url())
            .field("token", &self.shared.credentials.token)
            .field("deadline", &self.settings.deadline)
            .field("attempt_timeout", &self.settings.attempt_timeout)
            .field("max_attempts", &self.settings.max_attempts)
            .field("body_limit", &self.settings.body_limit)
            .field("retry_budget_left", &self.retry_budget_left())
            .finish_non_exhaustive()
    }
}
