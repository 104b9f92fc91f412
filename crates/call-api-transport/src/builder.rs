//! Building a transport.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use crate::Transport;
use crate::base_url::BaseUrl;
use crate::budget::Budget;
use crate::build_error::BuildError;
use crate::clients::{Clients, ForeignClients};
use crate::clock::{Clock, Jitter, Time};
use crate::http_client::{ClientProfile, Configure, HttpClientSettings};
use crate::http_settings::HttpSettings;
use crate::observe::Observer;
use crate::retry::Backoff;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::tls::{ClientIdentity, TlsSettings};
use crate::token::{Credentials, Source, Token, TokenProvider};

/// Settings of a [`Transport`]; made by [`Transport::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct TransportBuilder {
    base_url: String,
    allow_insecure_http: bool,
    credentials: Credentials,
    settings: Settings,
    connect_timeout: Duration,
    pings: Option<(Duration, Duration)>,
    tls: TlsSettings,
    backoff: Backoff,
    retry_budget: u32,
    user_agent: HeaderValue,
    user_agent_is_bad: bool,
    client: ClientChoice,
    configure_download: Option<Configure>,
    observers: Vec<Arc<dyn Observer>>,
    time: Time,
    jitter: Jitter,
    #[cfg(feature = "rate-limit")]
    rate_limit: Option<std::num::NonZeroU32>,
}

enum ClientChoice {
    Built(Option<Configure>),
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
                max_attempts: None,
                body_limit: 1 << 20,
                idle_timeout: None,
                headers: HeaderMap::new(),
                has_invalid_key: false,
            },
            connect_timeout: Duration::from_secs(5),
            pings: Some((Duration::from_secs(10), Duration::from_secs(5))),
            tls: TlsSettings::default(),
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
            client: ClientChoice::Built(None),
            configure_download: None,
            observers: Vec::new(),
            time: Time::default(),
            jitter: Jitter::default(),
            #[cfg(feature = "rate-limit")]
            rate_limit: None,
        }
    }

    /// Sets the token of every request. Without one, requests carry none.
    pub fn token(mut self, token: Token) -> Self {
        self.credentials.token = Source::fixed(token);
        self
    }

    /// Sets a provider of tokens, in place of a fixed one: a closure, or a [`TokenFile`](crate::TokenFile).
    pub fn token_provider(mut self, provider: impl TokenProvider) -> Self {
        self.credentials.token = Source::provider(provider);
        self
    }

    /// Sets the credential of one more security scheme of the API, by its name in the document. It is sent to the operations
    /// of that scheme, and the token to those of the first.
    pub fn credential(mut self, scheme: impl Into<String>, credential: Token) -> Self {
        let source = Source::fixed(credential);
        self.credentials.by_scheme.insert(scheme.into(), source);
        self
    }

    /// Sets the limit of a whole request: token, attempts, delays and body. 45 s by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// Sets the limit of one attempt, which shrinks to the rest of the deadline. 15 s by default.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = timeout;
        self
    }

    /// Sets the limit of making a connection, TLS included. 5 s by default. No effect on a client that was
    /// [given](Self::http_client).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the interval of HTTP/2 pings, and the time in which each must be answered: a connection that does not is
    /// closed. 10 s and 5 s by default. No effect on a client that was [given](Self::http_client).
    pub fn http2_pings(mut self, interval: Duration, timeout: Duration) -> Self {
        self.pings = Some((interval, timeout));
        self
    }

    /// Sets the maximum number of attempts of a request; 0 counts as 1.
    ///
    /// The default is 3. If an earlier request succeeded, it is 20 while connections fail or the service responds with 503,
    /// so that requests outlast a restart, within the deadline and the retry budget. Attempts that the server certainly did
    /// not process do not count.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.settings.max_attempts = Some(attempts);
        self
    }

    /// Sets the longest delay before the second attempt, which doubles with each further one up to `cap`; the delay itself
    /// is a random part of it. 250 ms and 8 s by default.
    pub fn backoff(mut self, first: Duration, cap: Duration) -> Self {
        self.backoff = Backoff { first, cap };
        self
    }

    /// Sets the size of the retry budget that all clones share: a retry takes 5 after a 429 and 14 after anything else, and
    /// a success returns what its retry took, or 1. 500 by default; 0 means no retries.
    ///
    /// One event that breaks many requests at once is charged once, if the service worked before. A retry of a request
    /// that the server has certainly not processed is free.
    pub fn retry_budget(mut self, tokens: u32) -> Self {
        self.retry_budget = tokens;
        self
    }

    /// Sets the maximum length of a successful response's body, in bytes after decompression. 1 MiB by default. Bodies of
    /// error responses are always cut at 64 KiB.
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.settings.body_limit = bytes;
        self
    }

    /// Sets how long a streamed body may be idle; the attempt timeout by default.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = Some(timeout);
        self
    }

    /// Allows plain http to another machine. Anyone on the network path can then read the token.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.allow_insecure_http = allow;
        self
    }

    /// Trusts further root certificates, given in PEM, in addition to those of the system. Downloads from other hosts trust them,
    /// too. On a machine without certificates of its own, only they are trusted.
    ///
    /// No effect on a client that was [given](Self::http_client).
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.roots.push(pem.into());
        self
    }

    /// Trusts the given [`root_certificates`](Self::root_certificates) only, and not those of the system.
    pub fn only_given_roots(mut self) -> Self {
        self.tls.only_given_roots = true;
        self
    }

    /// Sets the certificate by which the client authenticates itself (mutual TLS): a chain and its private key, in PEM.
    /// Downloads from other hosts do not show it.
    pub fn client_certificate(
        mut self,
        chain: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        self.tls.identity = Some(ClientIdentity {
            chain: chain.into(),
            key: Arc::new(Zeroizing::new(key.into())),
        });
        self
    }

    /// Sets the `User-Agent`; by default this crate's name and version.
    pub fn user_agent(mut self, user_agent: impl AsRef<str>) -> Self {
        match HeaderValue::from_str(user_agent.as_ref()) {
            Ok(value) => self.user_agent = value,
            Err(_) => self.user_agent_is_bad = true,
        }
        self
    }

    /// Sets a header of every request, in place of one of that name that the request has. Mark secret values with
    /// [`HeaderValue::set_sensitive`], so that [`to_curl`](crate::AttemptLog::to_curl) omits them.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.settings.headers.insert(name, value);
        self
    }

    /// Changes the HTTP client that this builder makes: a proxy, a name resolved by hand, HTTP/2 settings. It runs
    /// again when frozen HTTP/2 connections are replaced.
    ///
    /// The last of this and [`http_client`](Self::http_client) wins.
    pub fn configure_http(
        mut self,
        configure: impl Fn(HttpSettings) -> HttpSettings + Send + Sync + 'static,
    ) -> Self {
        self.client = ClientChoice::Built(Some(Arc::new(configure)));
        self
    }

    /// Changes the HTTP clients for [downloads](Transport::download) from hosts other than the API's. Nothing that
    /// [`configure_http`](Self::configure_http) or [`http_client`](Self::http_client) sets applies to these, since it may
    /// carry secrets. They are built when they are first needed; a download fails as
    /// [`InvalidOptions`](crate::TransportErrorKind::InvalidOptions) if they cannot be.
    pub fn configure_download_http(
        mut self,
        configure: impl Fn(HttpSettings) -> HttpSettings + Send + Sync + 'static,
    ) -> Self {
        self.configure_download = Some(Arc::new(configure));
        self
    }

    /// Sets the HTTP client, which is used as it is: with its own TLS, proxies, pool and timeouts. A
    /// [`client_certificate`](Self::client_certificate) beside it is refused; roots apply to downloads from other hosts.
    ///
    /// It must be built with `redirect(Policy::none())`. A redirect that it follows nevertheless fails the request, but by
    /// then a header with an API key was sent along (not `Authorization`, which reqwest drops on the way to another host).
    /// `configure_http` has no such condition.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.client = ClientChoice::Given(client);
        self
    }

    /// Adds an observer of every attempt and request, for metrics.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Limits the attempts in a second, over all clones. A request waits its turn as long as its deadline allows.
    #[cfg(feature = "rate-limit")]
    pub fn rate_limit(mut self, attempts_per_second: std::num::NonZeroU32) -> Self {
        self.rate_limit = Some(attempts_per_second);
        self
    }

    /// Sets another clock, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.time = Time::Set(clock);
        self
    }

    /// Sets another source of jitter, which returns numbers from 0 up to 1, for tests.
    pub fn jitter(mut self, jitter: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.jitter = Jitter(Arc::new(jitter));
        self
    }

    /// Builds the transport. Nothing is sent, and nothing runs in the background.
    ///
    /// # Errors
    /// [`BuildError`] if a token must not be sent to the base URL, a setting cannot be used, or the HTTP client cannot be
    /// built.
    pub fn build(self) -> Result<Transport, BuildError> {
        let base_url = BaseUrl::parse(&self.base_url, self.allow_insecure_http)?;
        if self.user_agent_is_bad {
            return Err(BuildError::UserAgent);
        }
        if let Some(reason) = self.settings.problem() {
            return Err(BuildError::Setting { reason });
        }
        if matches!(self.client, ClientChoice::Given(_)) && self.tls.identity.is_some() {
            let reason = "the given HTTP client has its own TLS; give it the client certificate";
            return Err(BuildError::Setting { reason });
        }
        let download_tls = TlsSettings {
            identity: None,
            ..self.tls.clone()
        };
        let settings = |tls, tls_is_own, configure| HttpClientSettings {
            connect_timeout: self.connect_timeout,
            pings: self.pings,
            tls,
            tls_is_own,
            configure,
        };
        let foreign =
            ForeignClients::new(settings(download_tls, false, None), self.configure_download);
        let clients = match self.client {
            ClientChoice::Given(client) => Clients::new(client, None, foreign),
            ClientChoice::Built(configure) => {
                let profile = ClientProfile {
                    https: base_url.https,
                    loopback: base_url.loopback,
                };
                let settings = settings(self.tls, true, configure);
                Clients::new(settings.build(profile)?, Some((profile, settings)), foreign)
            }
        };
        let mut settings = self.settings;
        settings
            .headers
            .entry(header::USER_AGENT)
            .or_insert(self.user_agent);
        Ok(Transport {
            shared: Arc::new(Shared {
                base_url,
                clients,
                credentials: self.credentials,
                backoff: self.backoff,
                budget: Budget::new(self.retry_budget),
                observers: self.observers,
                #[cfg(feature = "rate-limit")]
                rate_limit: self
                    .rate_limit
                    .map(|rate| crate::rate_limit::Rate::per_second(rate, self.time.clone())),
                built: self.time.now(),
                time: self.time,
                jitter: self.jitter,
            }),
            settings: Arc::new(settings),
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
