//! HTTP transport: authentication, deadlines, retries, limits and downloads.
//!
//! This crate sends the requests of a generated client. It knows no operation and no type. For each request it provides:
//!
//! - one [deadline](TransportBuilder::deadline) over token, attempts, delays and body;
//! - retries with full jitter that honor `Retry-After`, within a [budget](TransportBuilder::retry_budget) that all clones
//!   share;
//! - the body read inside the attempt and [limited](TransportBuilder::body_limit) after decompression;
//! - a [`Token`] that is sent to the base URL only, and never printed;
//! - an [`AttemptLog`] of what was tried, on success and in every [`TransportError`].
//!
//! Large content, often on another host, is [downloaded](Transport::download): streamed to a file, resumed where it broke
//! off, verified, and without the token.
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
//! async fn example() -> Result<(), Box<dyn std::error::Error>> {
//!     let transport = Transport::builder("https://pets.example/api")
//!         .token(Token::from_env("PETS_TOKEN")?)
//!         .build()?;
//!     let url = format!("{}/v1/pets/7", transport.base_url());
//!     let request = transport.http_client().get(url).build()?;
//!     let response = transport.send(&GET_PET, request, None).await?;
//!     println!("{} after {:?}", response.status, response.attempt_log.elapsed());
//!     Ok(())
//! }
//! ```
//!
//! # Errors
//! Once retries have ended, a response is returned whatever its status, with its body: also a 503, so that the program
//! can read it. A request without such a response is a [`TransportError`]: no connection, no time, a body that is
//! interrupted or too long, a redirect. The reason why there was no further attempt is [`AttemptLog::stop_reason`].
//!
//! # Features
//! `rustls` (default) or `native-tls` for https; `gzip` for compressed responses; `rate-limit` for a limit on the client's
//! side; `tracing` for a span per request, an event at `DEBUG` per attempt, and one at `WARN` per request that fails. Their
//! target is `call_api_transport`.

// docs.rs marks what needs a feature.
#![cfg_attr(docsrs, feature(doc_cfg))]
// A type without `Debug` would have its user print its parts; no `Debug` here shows a token.
#![deny(missing_debug_implementations)]

mod attempt;
mod attempt_log;
mod base_url;
mod body;
mod budget;
#[cfg(test)]
mod budget_tests;
mod build_error;
mod builder;
mod clients;
mod clock;
#[cfg(feature = "gzip")]
mod decompress;
mod download;
mod engine;
mod error;
mod http_client;
mod http_settings;
mod observe;
mod operation;
mod outcome;
#[cfg(feature = "rate-limit")]
mod rate_limit;
mod redact;
mod request;
mod request_kind;
mod request_summary;
mod response;
mod retry;
mod settings;
mod shared;
mod single_flight;
mod sync;
mod throttle;
mod tls;
mod token;

/// Access for the fuzz targets under `fuzz/`; `cfg(fuzzing)` is set by cargo-fuzz only.
#[cfg(fuzzing)]
#[doc(hidden)]
#[allow(missing_docs)]
pub mod fuzzing {
    pub use url::Url;

    #[derive(Debug)]
    pub struct Base(crate::base_url::BaseUrl);

    impl Base {
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

pub use attempt_log::{Attempt, AttemptLog, Delivery};
pub use body::Stalled;
pub use build_error::{BaseUrlProblem, BuildError};
pub use builder::TransportBuilder;
pub use clock::{Clock, SleepFuture};
pub use download::{Download, DownloadError, Downloaded, Progress};
pub use error::{Limit, Phase, RedirectTarget, TransportError, TransportErrorKind};
pub use http_settings::HttpSettings;
pub use observe::Observer;
pub use operation::{Auth, Operation, ResponseBody};
pub use outcome::Outcome;
pub use response::{
    BodyStream, BufferedBody, BufferedResponse, PendingEnd, PendingResponse, RawBody, RawResponse,
};
pub use retry::{DelayReason, RetryDelay, StopReason};
pub use settings::RequestOptions;
pub use token::{BoxError, Token, TokenError, TokenFile, TokenFuture, TokenProvider};

use attempt::ReceivedBody;
use body::StallTimeoutBody;
use engine::Engine;
use request::ApiRequest;
use request_summary::RequestSummary;
use response::Pending;
use settings::Settings;
use shared::Shared;
use throttle::Throttle;

/// Sends requests to one API. Cheap to clone; clones share connections, token, retry budget and rate limit.
#[derive(Clone)]
pub struct Transport {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
    throttle: Option<Arc<Throttle>>,
}

impl Transport {
    /// Returns a builder for the API at that URL: https, or http to this machine (`localhost`, `127.0.0.1`, `[::1]`).
    /// A path is a prefix of every operation's.
    pub fn builder(base_url: impl AsRef<str>) -> TransportBuilder {
        TransportBuilder::new(base_url.as_ref())
    }

    /// Returns the base URL, without a slash at its end.
    pub fn base_url(&self) -> &str {
        self.shared.base_url.as_str()
    }

    /// Returns the client to build requests with. Only [`send`](Self::send) should send them: this client by itself adds no
    /// token, deadline or limit.
    pub fn http_client(&self) -> &reqwest::Client {
        self.shared.clients.builder()
    }

    /// Sends a request of `operation`, retries it as the rules allow, and returns the response, whatever its status.
    ///
    /// Headers of this transport and of `options` replace those of the request; the token replaces both.
    ///
    /// Dropping the future ends the request at once: it leaves no task and no lock behind, and what it took from the retry
    /// budget is returned.
    ///
    /// # Errors
    /// [`TransportError`] if there is no response.
    pub fn send<'a>(
        &'a self,
        operation: &'a Operation,
        request: reqwest::Request,
        options: Option<&RequestOptions>,
    ) -> impl Future<Output = Result<RawResponse, TransportError>> + Send + use<'a> {
        let is_streamed = match operation.body {
            ResponseBody::Buffered => |_| false,
            ResponseBody::Streamed => |_| true,
        };
        // Not an `async fn`: its future would keep room for the request, which `receive` moves into a box.
        let receiving = self.receive(operation, request, options, is_streamed);
        async { Ok(receiving.await?.accept()) }
    }

    /// Sends a request, as [`send`](Self::send), for code that decodes the response: the request has not ended until
    /// [`PendingEnd`] says if it could be decoded. `is_streamed` returns true for each status with which a success is
    /// returned as a stream, in place of [`Operation::body`].
    ///
    /// # Errors
    /// [`TransportError`] if there is no response.
    pub fn receive<'a>(
        &'a self,
        operation: &'a Operation,
        request: reqwest::Request,
        options: Option<&RequestOptions>,
        is_streamed: fn(u16) -> bool,
    ) -> impl Future<Output = Result<PendingResponse<'a>, TransportError>> + Send + use<'a> {
        let settings = match options {
            Some(options) => Arc::new(options.apply(&self.settings)),
            None => Arc::clone(&self.settings),
        };
        // Allocated before their parts are there, and then written in place: `Box::new` would build them on the stack, and
        // copy them.
        let (end, running) = (Box::new_uninit(), Box::new_uninit());
        let summary = RequestSummary::of(operation, &request, Arc::clone(&settings));
        let end = PendingEnd(Box::write(
            end,
            Pending {
                engine: Engine::new(&self.shared, self.throttle.as_deref(), operation, settings),
                request: ApiRequest::new(operation, request, summary, is_streamed),
            },
        ));
        // Boxed, so that the futures around it stay small.
        Box::into_pin(Box::write(running, self.run(end)))
    }

    async fn run<'a>(
        &'a self,
        mut end: PendingEnd<'a>,
    ) -> Result<PendingResponse<'a>, TransportError> {
        let Pending { engine, request } = &mut *end.0;
        engine.start(
            #[cfg(feature = "tracing")]
            request.span(),
        );
        let received = match engine.run(request).await {
            Ok(received) => received,
            Err(error) => return Err(engine.fail(request, error)),
        };
        let body = match received.body {
            ReceivedBody::Buffered {
                bytes,
                is_truncated,
            } => RawBody::Buffered(BufferedBody {
                bytes,
                is_truncated,
            }),
            ReceivedBody::Streamed(stream) => {
                let time = self.shared.time.clone();
                let stall_timeout = engine.stall_timeout();
                RawBody::Streamed(BodyStream {
                    body: Box::new(StallTimeoutBody::new(stream, time, stall_timeout)),
                    #[cfg(feature = "tracing")]
                    span: engine.span(),
                })
            }
        };
        Ok(PendingResponse {
            status: received.status,
            headers: received.headers,
            body,
            extensions: received.extensions,
            end,
        })
    }

    /// Returns a clone with other settings.
    #[must_use]
    pub fn with_options(&self, options: RequestOptions) -> Self {
        Self {
            settings: Arc::new(options.apply(&self.settings)),
            ..self.clone()
        }
    }

    /// Returns a clone with a throttle that its own clones share, for many requests at once.
    ///
    /// A 429 or a 503 pauses all of them: for its `Retry-After`, or else for the backoff of the request that received it, and
    /// for an hour at most. It lowers their rate, which successes raise again. As the throttle bounds the load,
    /// these retries take nothing from the retry budget.
    #[must_use]
    pub fn throttled(&self) -> Self {
        Self {
            throttle: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// Waits until the [throttle](Self::throttled) lets a request start. A request waits by itself, too, but within its
    /// deadline.
    pub async fn throttle_lifted(&self) {
        let Some(throttle) = &self.throttle else {
            return;
        };
        loop {
            let wait = throttle.next_turn(self.now());
            if wait.is_zero() {
                return;
            }
            self.sleep(wait).await;
        }
    }

    /// Returns true if the client has a credential that such an operation takes: a token, or what provides one.
    pub fn has_credential(&self, auth: Auth) -> bool {
        auth == Auth::None || self.shared.credentials.have(auth)
    }

    /// Returns the limit of a whole request: the client's, or that of its [options](Self::with_options).
    pub fn deadline(&self) -> Duration {
        self.settings.deadline
    }

    /// Returns the limit of a body that is read into memory.
    pub fn body_limit(&self) -> u64 {
        self.settings.body_limit
    }

    /// Returns how long a streamed body may be idle, if that is set.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.settings.idle_timeout
    }

    /// Returns the current time of the transport's clock.
    pub fn now(&self) -> Instant {
        self.shared.time.now()
    }

    /// Waits, on the transport's clock.
    pub async fn sleep(&self, duration: Duration) {
        self.shared.time.sleep(duration).await;
    }

    /// Returns a random part of `whole`, from the transport's source of jitter.
    pub fn jitter(&self, whole: Duration) -> Duration {
        self.shared.jitter.part_of(whole)
    }

    /// Returns the current date of the transport's clock.
    pub fn system_now(&self) -> std::time::SystemTime {
        self.shared.time.system_now()
    }

    /// Returns the rest of the retry budget, for metrics.
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
