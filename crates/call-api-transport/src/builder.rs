//! Making a transport, and the settings of one call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::base_url::BaseUrl;
use crate::budget::Budget;
use crate::clock::{Clock, Jitter, Time};
use crate::download::{ConfigureEach, ForeignClients};
use crate::observe::Observer;
use crate::retry::{Backoff, IDEMPOTENCY_KEY};
use crate::token::{Credentials, Source, Token, TokenProvider};
use crate::{Shared, Transport, http_client};

/// What may differ from call to call.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) deadline: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) max_attempts: u32,
    pub(crate) body_limit: u64,
    pub(crate) headers: HeaderMap,
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
}

/// Settings of a [`Transport`]; made by [`Transport::builder`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct TransportBuilder {
    base_url: String,
    allow_insecure_http: bool,
    credentials: Credentials,
    settings: Settings,
    connect_timeout: Duration,
    backoff: Backoff,
    retry_budget: u32,
    user_agent: HeaderValue,
    user_agent_is_bad: bool,
    client: ClientChoice,
    configure_download: Option<ConfigureEach>,
    observer: Option<Arc<dyn Observer>>,
    time: Time,
    jitter: Jitter,
    #[cfg(feature = "rate-limit")]
    rate: Option<std::num::NonZeroU32>,
}

pub(crate) type Configure =
    Box<dyn FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send>;

enum ClientChoice {
    Ours(Option<Configure>),
    Given(reqwest::Client),
}

impl TransportBuilder {
    pub(crate) fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            allow_insecure_http: false,
            credentials: Credentials::default(),
            settings: Settings {
                deadline: Duration::from_secs(45),
                attempt_timeout: Duration::from_secs(15),
                max_attempts: 3,
                body_limit: 1 << 20,
                headers: HeaderMap::new(),
            },
            connect_timeout: Duration::from_secs(5),
            backoff: Backoff {
                first: Duration::from_millis(250),
                cap: Duration::from_secs(8),
            },
            retry_budget: 500,
            user_agent: HeaderValue::from_static(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION")
            )),
            user_agent_is_bad: false,
            client: ClientChoice::Ours(None),
            configure_download: None,
            observer: None,
            time: Time::default(),
            jitter: Jitter::default(),
            #[cfg(feature = "rate-limit")]
            rate: None,
        }
    }

    /// The token for every call. Without one, requests carry none.
    pub fn token(mut self, token: Token) -> Self {
        self.credentials.token = Source::Fixed(token);
        self
    }

    /// Something to ask for tokens, in place of a fixed one: a closure, or a [`TokenFile`](crate::TokenFile).
    pub fn token_provider(mut self, provider: impl TokenProvider) -> Self {
        self.credentials.token = Source::provider(provider);
        self
    }

    /// Sets the credential of one more security scheme of the API, by its name in the document. It is sent to the operations
    /// of that scheme, and the token to those of the first.
    pub fn credential(mut self, scheme: impl Into<String>, credential: Token) -> Self {
        let source = Source::Fixed(credential);
        self.credentials.by_scheme.insert(scheme.into(), source);
        self
    }

    /// The limit of a whole call: token, attempts, waits and body. 45 s by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// The limit of one attempt, which shrinks to what is left of the deadline. 15 s by default.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = timeout;
        self
    }

    /// The limit of making a connection, TLS included. 5 s by default. No effect on a client that was
    /// [given](Self::http_client).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How often a request is sent at most; 1 sends it once and 0 is read as 1. 3 by default.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.settings.max_attempts = attempts;
        self
    }

    /// The longest wait before the second attempt, which doubles with each further one up to `cap`; the wait itself is
    /// any part of it by chance. 250 ms and 8 s by default.
    pub fn backoff(mut self, first: Duration, cap: Duration) -> Self {
        self.backoff = Backoff { first, cap };
        self
    }

    /// The size of the retry budget that all clones share: a retry takes 5 after a 429 and 14 after anything else, and
    /// success gives back what its retry took, or 1. 500 by default; 0 means no retries.
    pub fn retry_budget(mut self, tokens: u32) -> Self {
        self.retry_budget = tokens;
        self
    }

    /// The longest body of a successful response, in bytes after decompression. 1 MiB by default. Bodies of error
    /// responses are cut at 64 KiB whatever this says.
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.settings.body_limit = bytes;
        self
    }

    /// Allows plain http to another machine. The token can then be read by anyone on the way.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.allow_insecure_http = allow;
        self
    }

    /// The `User-Agent`; by default this crate's name and version.
    pub fn user_agent(mut self, user_agent: impl AsRef<str>) -> Self {
        match HeaderValue::from_str(user_agent.as_ref()) {
            Ok(value) => self.user_agent = value,
            Err(_) => self.user_agent_is_bad = true,
        }
        self
    }

    /// A header for every request, in place of one of that name that the request has. Mark secret values with
    /// [`HeaderValue::set_sensitive`], so that [`to_curl`](crate::AttemptLog::to_curl) leaves them out.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.settings.headers.insert(name, value);
        self
    }

    /// Changes the HTTP client that this builder makes: a proxy, a name resolved by hand, HTTP/2 settings, a TLS
    /// configuration of one's own (`tls_backend_preconfigured`, for mTLS and own roots). What keeps the token at home is
    /// set afterwards and can't be undone here: no redirects, no `Referer`, no hidden retries, no bytes in the log.
    ///
    /// Last wins between this and [`http_client`](Self::http_client).
    pub fn configure_http(
        mut self,
        configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + 'static,
    ) -> Self {
        self.client = ClientChoice::Ours(Some(Box::new(configure)));
        self
    }

    /// Changes the HTTP clients with which other hosts than the API's are asked for what is
    /// [fetched](Transport::fetch): a proxy, own roots. Nothing that [`configure_http`](Self::configure_http) or
    /// [`http_client`](Self::http_client) sets holds for these, since it may carry secrets. They are made when they are
    /// first needed; one that can't be made fails the fetch as [`InvalidRequest`](crate::TransportErrorKind::InvalidRequest).
    pub fn configure_download_http(
        mut self,
        configure: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Self {
        self.configure_download = Some(Arc::new(configure));
        self
    }

    /// A client of one's own, used as it is: its TLS, proxies, pool and time-outs are its owner's business.
    ///
    /// It must be built with `redirect(Policy::none())`. A redirect that it follows all the same fails the call, but by
    /// then a header with an API key has gone along (`Authorization` has not: reqwest drops that on the way to another
    /// host). `configure_http` has no such condition.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.client = ClientChoice::Given(client);
        self
    }

    /// Someone to tell about every attempt and call: for metrics.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// At most so many attempts in a second, over all clones. A call waits its turn as long as its deadline allows.
    #[cfg(feature = "rate-limit")]
    pub fn rate_limit(mut self, attempts_per_second: std::num::NonZeroU32) -> Self {
        self.rate = Some(attempts_per_second);
        self
    }

    /// Another clock: for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.time = Time::Set(clock);
        self
    }

    /// Another source of jitter, which returns numbers from 0 up to 1: for tests.
    pub fn jitter(mut self, jitter: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.jitter = Jitter(Arc::new(jitter));
        self
    }

    /// Makes the transport. Nothing is sent yet, and nothing runs.
    ///
    /// # Errors
    /// [`BuildError`] where the base URL is not one that a token may be sent to, or the HTTP client can't be made.
    pub fn build(self) -> Result<Transport, BuildError> {
        let base = BaseUrl::parse(&self.base_url, self.allow_insecure_http)?;
        if self.user_agent_is_bad {
            return Err(BuildError::UserAgent);
        }
        let http = match self.client {
            ClientChoice::Given(client) => client,
            ClientChoice::Ours(configure) => {
                let reach = http_client::ClientProfile {
                    https: base.https,
                    loopback: base.loopback,
                };
                http_client::build(reach, self.connect_timeout, configure)?
            }
        };
        let mut settings = self.settings;
        settings
            .headers
            .entry(header::USER_AGENT)
            .or_insert(self.user_agent);
        Ok(Transport {
            shared: Arc::new(Shared {
                base_url: base,
                http,
                foreign_clients: ForeignClients::new(self.connect_timeout, self.configure_download),
                credentials: self.credentials,
                backoff: self.backoff,
                budget: Budget::new(self.retry_budget),
                observer: self.observer,
                #[cfg(feature = "rate-limit")]
                rate: self
                    .rate
                    .map(|rate| crate::rate_limit::Rate::per_second(rate, self.time.clone())),
                time: self.time,
                jitter: self.jitter,
            }),
            settings: Arc::new(settings),
            recording: None,
            throttle: None,
        })
    }
}

impl fmt::Debug for TransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportBuilder")
            .field("token", &self.credentials.token)
            .field("deadline", &self.settings.deadline)
            .finish_non_exhaustive()
    }
}

/// Why there is no transport.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The base URL is not one that a token may be sent to.
    #[error("base URL{} refused: {reason}", given.as_ref().map(|given| format!(" {given:?}")).unwrap_or_default())]
    BaseUrl {
        /// The URL as it was given, without its query; `None` where it may hold a password.
        given: Option<String>,
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// The user agent can't be sent as a header.
    #[error("the user agent holds a control or non-ASCII character; leave that out")]
    UserAgent,
    /// The base URL is https, and neither of the features `rustls` and `native-tls` is compiled in.
    #[error(
        "no TLS is compiled in; enable the feature `rustls` or `native-tls`, or give an own http_client"
    )]
    NoTls,
    /// The HTTP client can't be made.
    #[error(
        "the HTTP client cannot be made; check its TLS settings and the system's certificate store"
    )]
    HttpClient(#[source] crate::BoxError),
}

/// Settings for single calls; see [`Transport::with_options`].
///
/// ```
/// use std::time::Duration;
///
/// use call_api_transport::RequestOptions;
/// use http::{HeaderValue, header};
/// # use call_api_transport::Transport;
///
/// # let transport = Transport::builder("https://calls.example").build()?;
/// let hurried = RequestOptions::new().deadline(Duration::from_secs(2)).max_attempts(1);
/// let large = RequestOptions::new().attempt_timeout(Duration::from_secs(40)).body_limit(64 << 20);
/// let once = RequestOptions::new()
///     .idempotency_key(HeaderValue::from_static("7e2f"))
///     .header(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en"));
///
/// assert_eq!(transport.with_options(hurried).deadline(), Duration::from_secs(2));
/// # let _ = (transport.with_options(large), transport.with_options(once));
/// # Ok::<(), call_api_transport::BuildError>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "options do nothing until they are given to `with_options`"]
pub struct RequestOptions {
    deadline: Option<Duration>,
    attempt_timeout: Option<Duration>,
    max_attempts: Option<u32>,
    body_limit: Option<u64>,
    headers: HeaderMap,
}

impl RequestOptions {
    /// No changes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The limit of the whole call.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The limit of one attempt.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// How often the request is sent at most; 0 is read as 1.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// The longest body of a successful response, in bytes after decompression.
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = Some(bytes);
        self
    }

    /// Sent as `Idempotency-Key`, and makes the call one that may be sent more than once whatever its method. Give it
    /// only where the service honours it, and a new one for each call.
    pub fn idempotency_key(self, key: HeaderValue) -> Self {
        self.header(IDEMPOTENCY_KEY, key)
    }

    /// A header for the call, in place of one of that name that the request or the client has. The token's own header
    /// can't be replaced.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn apply(&self, settings: &Settings) -> Settings {
        let mut headers = settings.headers.clone();
        headers.extend(self.headers.clone());
        Settings {
            deadline: self.deadline.unwrap_or(settings.deadline),
            attempt_timeout: self.attempt_timeout.unwrap_or(settings.attempt_timeout),
            max_attempts: self.max_attempts.unwrap_or(settings.max_attempts),
            body_limit: self.body_limit.unwrap_or(settings.body_limit),
            headers,
        }
    }
}

impl fmt::Debug for RequestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestOptions")
            .field("deadline", &self.deadline)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("max_attempts", &self.max_attempts)
            .field("body_limit", &self.body_limit)
            .field(
                "headers",
                &self
                    .headers
                    .keys()
                    .map(|name| name.as_str())
                    .collect::<Vec<_>>(),
            )
            .finish()
    }
}
