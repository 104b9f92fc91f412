//! The client and its builder.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use call_api_transport::{
    Auth, Clock, HttpSettings, Observer, Token, TokenError, TokenProvider, Transport,
    TransportBuilder,
};
use http::{HeaderName, HeaderValue};

use crate::drift::{Drift, DriftDetector, DriftMode, DriftSettings};
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::generated::{SECURITY_SCHEMES, SERVERS, TOKEN_IS_OPTIONAL};

/// The environment variable that [`Client::from_env`] reads the base URL from.
pub const BASE_URL_VARIABLE: &str = "CALL_API_BASE_URL";

/// The environment variable that [`Client::from_env`] reads the token from.
pub const TOKEN_VARIABLE: &str = "CALL_API_TOKEN";

/// The first server of the document with a URL of its own; `None` if the document names none.
pub const DEFAULT_BASE_URL: Option<&str> = default_base_url();

const fn default_base_url() -> Option<&'static str> {
    match SERVERS {
        // A URL that begins with a slash is relative to where the document was read from.
        [first, ..] if !first.is_empty() && first.as_bytes()[0] != b'/' => Some(*first),
        _ => None,
    }
}

/// A client of the API. Cheap to clone: clones share connections, token and retry budget.
///
/// Each operation of the document is a method that returns a request. A request owns its client: it can be awaited,
/// given options, or spawned. Every request has one deadline (45 s) for all it does, is retried where that is safe, and
/// sends the token only to the base URL's host. [`Client::builder`] changes these defaults for the client, and
/// [`RequestOptions`](crate::RequestOptions) for one request.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    shared: Arc<Shared>,
}

/// The state that a client shares with its clones, besides the transport.
#[derive(Default)]
struct Shared {
    drift: Option<DriftDetector>,
    /// True if no base URL was set.
    uses_default_base_url: bool,
    #[cfg(feature = "blocking")]
    runtime: Arc<crate::blocking::LazyRuntime>,
}

impl Client {
    /// Returns a client configured from the environment: the token from [`TOKEN_VARIABLE`] and the base URL from
    /// [`BASE_URL_VARIABLE`], or else [`DEFAULT_BASE_URL`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if one of the two is unusable, or the token is missing while an
    /// operation requires a [credential](crate::SECURITY_SCHEMES).
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build()
    }

    /// Returns a builder, to configure a client in code.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Returns a client that sends its requests through `transport`.
    pub fn new(transport: Transport) -> Self {
        Self::of(transport, Shared::default())
    }

    fn of(transport: Transport, shared: Shared) -> Self {
        Self {
            transport,
            shared: Arc::new(shared),
        }
    }

    /// The transport that sends this client's requests.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Returns a client that sends its requests through `transport` and shares everything else with this one.
    #[must_use]
    pub fn with_transport(&self, transport: Transport) -> Self {
        Self {
            transport,
            shared: Arc::clone(&self.shared),
        }
    }

    /// Returns each kind of drift seen so far and how often, in order; empty unless
    /// [drift detection](ClientBuilder::drift) is on.
    pub fn drifts(&self) -> Vec<(Drift, u64)> {
        self.drift_detector()
            .map(DriftDetector::counts)
            .unwrap_or_default()
    }

    /// Reports drift that was found by other means than reading a response. Returns false if drift detection is off.
    ///
    /// # Errors
    /// [`ErrorKind::Drift`](crate::ErrorKind::Drift) in [`DriftMode::Strict`].
    pub fn report_drift(&self, drift: Drift) -> Result<bool, Error> {
        let Some(detector) = self.drift_detector() else {
            return Ok(false);
        };
        match detector.report(vec![drift]) {
            Ok(_) => Ok(true),
            Err(drifts) => Err(Error::from_drift(&drifts)),
        }
    }

    /// Names the setting that is missing, if that may be why a request of this kind failed.
    pub(crate) fn explain(&self, error: Error, auth: Auth) -> Error {
        if error.kind() == ErrorKind::Unauthorized {
            let all = match auth {
                Auth::Each(all) => all,
                _ => std::slice::from_ref(&auth),
            };
            let missing: Vec<String> = (all.iter())
                .filter(|auth| !self.transport.has_credential(**auth))
                .map(|auth| match auth {
                    Auth::Scheme(scheme, _) => {
                        format!("set the credential of the scheme {scheme} with `ClientBuilder::credential`")
                    }
                    _ => format!(
                        "set the token with `ClientBuilder::token`, or `{TOKEN_VARIABLE}` for `from_env`"
                    ),
                })
                .collect();
            if !missing.is_empty() {
                let has_some = missing.len() < all.len();
                let check = match has_some {
                    true => "check the credential that was sent, or ",
                    false => "",
                };
                return error.with_advice(format!("{check}{}", missing.join(", and ")));
            }
        }
        if error.kind() == ErrorKind::Connect && self.shared.uses_default_base_url {
            return error.with_advice(format!(
                "no base URL was set, so the first server of the API's document was used: set it with \
                 `ClientBuilder::base_url`, or `{BASE_URL_VARIABLE}` for `from_env`"
            ));
        }
        error
    }

    pub(crate) fn drift_detector(&self) -> Option<&DriftDetector> {
        self.shared.drift.as_ref()
    }

    /// Blocks the thread until a request, or another future with such a result, is done.
    ///
    /// # Errors
    /// The request's, and [`ErrorKind::Config`] if the system has no thread for the connections.
    #[cfg(feature = "blocking")]
    pub fn block_on<T>(
        &self,
        future: impl IntoFuture<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.shared.runtime.block_on(future)
    }

    /// Returns an iterator of the stream's items, which blocks the thread until the next one is there.
    ///
    /// # Errors
    /// As [`block_on`](Self::block_on).
    #[cfg(feature = "blocking")]
    pub fn block_on_stream<S: futures_core::Stream + Unpin>(
        &self,
        stream: S,
    ) -> Result<crate::blocking::BlockingStream<S>, Error> {
        crate::blocking::BlockingStream::new(stream, &self.shared.runtime, None)
    }

    /// Returns an iterator of a list, which yields the error if there is one in its place.
    #[cfg(feature = "blocking")]
    pub(crate) fn block_on_list<T, S: futures_core::Stream<Item = Result<T, Error>> + Unpin>(
        &self,
        list: S,
    ) -> Result<crate::blocking::BlockingStream<S>, Error> {
        crate::blocking::BlockingStream::new(list, &self.shared.runtime, Some(Err))
    }

    /// The base URL, for generated code.
    pub(crate) fn base_url(&self) -> &str {
        self.transport.base_url()
    }

    /// The HTTP client that generated code builds requests with.
    pub(crate) fn http(&self) -> &reqwest::Client {
        self.transport.http_client()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// Builds a client. `C` is the type of the client: this crate's, or a wrapper with more methods.
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder<C = Client> {
    base_url: Option<String>,
    token_error: Option<TokenError>,
    /// The security schemes whose credential was set, each with its error.
    credentials: BTreeMap<String, Option<TokenError>>,
    drift: Option<DriftSettings>,
    configure: Box<dyn FnOnce(TransportBuilder) -> TransportBuilder + Send>,
    client: PhantomData<fn() -> C>,
}

impl<C> Default for ClientBuilder<C> {
    fn default() -> Self {
        Self {
            base_url: None,
            token_error: None,
            credentials: BTreeMap::new(),
            drift: None,
            configure: Box::new(|transport| transport),
            client: PhantomData,
        }
    }
}

impl<C> fmt::Debug for ClientBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the token nor the URL: a token may have been pasted into the place of the URL.
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

impl<C: From<Client>> ClientBuilder<C> {
    /// Returns a builder configured as [`Client::from_env`] configures its client.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the base URL is not UTF-8. A missing token is reported by
    /// [`build`](Self::build), unless one is set until then.
    pub fn from_env() -> Result<Self, Error> {
        let mut builder = Self::default();
        match std::env::var(BASE_URL_VARIABLE) {
            Ok(url) => builder = builder.base_url(url),
            Err(std::env::VarError::NotPresent) => {}
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(Error::config(format!(
                    "the environment variable {BASE_URL_VARIABLE} is not UTF-8; set it to the service's base URL"
                )));
            }
        }
        match Token::from_env(TOKEN_VARIABLE) {
            Err(TokenError::NotSet { .. }) if TOKEN_IS_OPTIONAL => Ok(builder),
            token => Ok(builder.with_token(token)),
        }
    }

    /// Sets where the service is: an https URL, or http to this machine. A path is kept as a prefix of every
    /// operation's. [`DEFAULT_BASE_URL`] by default.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets the token that the service issued. The last setter wins between this and
    /// [`token_provider`](Self::token_provider).
    pub fn token(self, token: impl Into<String>) -> Self {
        self.with_token(Token::new(token))
    }

    fn with_token(mut self, token: Result<Token, TokenError>) -> Self {
        match token {
            Ok(token) => {
                self.token_error = None;
                self.transport(|transport| transport.token(token))
            }
            Err(error) => {
                self.token_error = Some(error);
                self
            }
        }
    }

    /// Sets the credential of a security scheme, by its name in the API's document. That of the first scheme is the
    /// [token](Self::token). It is sent only to operations of that scheme. [`build`](Self::build) fails if no operation has
    /// the scheme.
    pub fn credential(mut self, scheme: impl Into<String>, credential: impl Into<String>) -> Self {
        let scheme = scheme.into();
        if SECURITY_SCHEMES.first() == Some(&scheme.as_str()) {
            return self.token(credential);
        }
        match Token::new(credential) {
            Ok(credential) => {
                self.credentials.insert(scheme.clone(), None);
                self.transport(|transport| transport.credential(scheme, credential))
            }
            Err(error) => {
                self.credentials.insert(scheme, Some(error));
                self
            }
        }
    }

    /// Sets a source of tokens, in place of a fixed one: a closure, a [`TokenFile`](call_api_transport::TokenFile), or
    /// a type of your own.
    pub fn token_provider(mut self, provider: impl TokenProvider) -> Self {
        self.token_error = None;
        self.transport(|transport| transport.token_provider(provider))
    }

    /// Limits a whole request: token, attempts, waits and body. 45 s by default.
    pub fn deadline(self, deadline: Duration) -> Self {
        self.transport(move |transport| transport.deadline(deadline))
    }

    /// Limits one attempt; never longer than what is left of the deadline. 15 s by default.
    pub fn attempt_timeout(self, timeout: Duration) -> Self {
        self.transport(move |transport| transport.attempt_timeout(timeout))
    }

    /// Limits connecting, TLS included. 5 s by default.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.transport(move |transport| transport.connect_timeout(timeout))
    }

    /// Sets the interval of HTTP/2 pings, and the time in which each must be answered, or else the connection is closed.
    /// 10 s and 5 s by default.
    pub fn http2_pings(self, interval: Duration, timeout: Duration) -> Self {
        self.transport(move |transport| transport.http2_pings(interval, timeout))
    }

    /// Trusts further root certificates, in PEM, in addition to those of the system.
    pub fn root_certificates(self, pem: impl Into<Vec<u8>>) -> Self {
        let pem = pem.into();
        self.transport(move |transport| transport.root_certificates(pem))
    }

    /// Trusts the given [`root_certificates`](Self::root_certificates) only, and not those of the system.
    pub fn only_given_roots(self) -> Self {
        self.transport(TransportBuilder::only_given_roots)
    }

    /// Sets the certificate by which the client authenticates itself (mutual TLS): a chain and its private key, in PEM.
    pub fn client_certificate(self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        let (chain, key) = (chain.into(), key.into());
        self.transport(move |transport| transport.client_certificate(chain, key))
    }

    /// Changes the HTTP client: a proxy, a name resolved by hand, HTTP/2 settings. It runs again when frozen HTTP/2
    /// connections are replaced.
    pub fn configure_http(
        self,
        configure: impl Fn(HttpSettings) -> HttpSettings + Send + Sync + 'static,
    ) -> Self {
        self.transport(|transport| transport.configure_http(configure))
    }

    /// Changes the HTTP clients for downloads from other hosts, to which [`configure_http`](Self::configure_http) does not
    /// apply.
    pub fn configure_download_http(
        self,
        configure: impl Fn(HttpSettings) -> HttpSettings + Send + Sync + 'static,
    ) -> Self {
        self.transport(|transport| transport.configure_download_http(configure))
    }

    /// Sets the maximum number of attempts of a request; 1 turns retries off, and 0 counts as 1.
    ///
    /// The default is 3. If an earlier request succeeded, it is 20 while connections fail or the service responds with 503,
    /// so that requests outlast a restart, within the deadline and the retry budget. Attempts that the server certainly did
    /// not process do not count.
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.transport(move |transport| transport.max_attempts(attempts))
    }

    /// Sets the backoff: the longest delay before the second attempt, which doubles with each further one up to `cap`.
    /// The delay is a random part of that (full jitter). 250 ms and 8 s by default.
    pub fn backoff(self, first: Duration, cap: Duration) -> Self {
        self.transport(move |transport| transport.backoff(first, cap))
    }

    /// Sets the retry budget that all clones share: a retry takes 5 after a 429 and 14 after any other error; a success
    /// gives back what its retry took, or 1. 500 by default; 0 turns retries off.
    pub fn retry_budget(self, tokens: u32) -> Self {
        self.transport(move |transport| transport.retry_budget(tokens))
    }

    /// Limits the length of a response in bytes, after decompression. 1 MiB by default.
    pub fn body_limit(self, bytes: u64) -> Self {
        self.transport(move |transport| transport.body_limit(bytes))
    }

    /// Sets how long a streamed body may be idle; by default 60 s for [`Events`](crate::Events) and
    /// [`JsonLines`](crate::JsonLines), and the attempt timeout for a [`ByteStream`](crate::ByteStream).
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.transport(move |transport| transport.idle_timeout(timeout))
    }

    /// Allows plain http to other machines. Anyone on the way can then read the token.
    pub fn allow_insecure_http(self, allow: bool) -> Self {
        self.transport(move |transport| transport.allow_insecure_http(allow))
    }

    /// Sets the `User-Agent`; the SDK's name and version by default.
    pub fn user_agent(self, user_agent: impl Into<String>) -> Self {
        let user_agent = user_agent.into();
        self.transport(move |transport| transport.user_agent(user_agent))
    }

    /// Adds a header to every request. Mark secrets with [`HeaderValue::set_sensitive`], so that
    /// [`AttemptLog::to_curl`](call_api_transport::AttemptLog::to_curl) leaves them out.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.transport(|transport| transport.header(name, value))
    }

    /// Sets an observer that is notified of every attempt and request: for metrics.
    pub fn observer(self, observer: impl Observer) -> Self {
        self.transport(|transport| transport.observer(observer))
    }

    /// Limits the attempts per second, over all clones. A request waits for its turn as long as its deadline allows.
    #[cfg(feature = "rate-limit")]
    pub fn rate_limit(self, attempts_per_second: std::num::NonZeroU32) -> Self {
        self.transport(move |transport| transport.rate_limit(attempts_per_second))
    }

    /// Sets the clock: for tests.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.transport(|transport| transport.clock(clock))
    }

    /// Sets the source of jitter, a function that returns numbers from 0 up to 1: for tests.
    pub fn jitter(self, jitter: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.transport(|transport| transport.jitter(jitter))
    }

    /// Turns drift detection on: responses are compared with the document. Each kind of drift is reported once, to
    /// [`on_drift`](Self::on_drift) and, with the feature `tracing`, as a warning; [`Client::drifts`] counts them. In
    /// [`DriftMode::Strict`] drift fails its request. Off by default, which costs nothing.
    pub fn drift(mut self, mode: DriftMode) -> Self {
        self.drift.get_or_insert_default().mode = mode;
        self
    }

    /// Sets a callback that is given each kind of drift once. It runs inside the request, so it should return quickly.
    /// Turns drift detection on in [`DriftMode::Watch`] unless another mode is set.
    pub fn on_drift(mut self, on_drift: impl Fn(&Drift) + Send + Sync + 'static) -> Self {
        self.drift.get_or_insert_default().on_drift = Some(Arc::new(on_drift));
        self
    }

    /// Configures the transport below, for instance with a whole HTTP client of your own
    /// ([`http_client`](TransportBuilder::http_client)).
    pub fn transport(
        mut self,
        configure: impl FnOnce(TransportBuilder) -> TransportBuilder + Send + 'static,
    ) -> Self {
        let before = self.configure;
        self.configure = Box::new(move |transport| configure(before(transport)));
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if no base URL is known, if the base URL or the token is unusable,
    /// or if the document has no security scheme for a [credential](Self::credential).
    pub fn build(self) -> Result<C, Error> {
        let is_unknown = |scheme: &&String| !SECURITY_SCHEMES.contains(&scheme.as_str());
        if let Some(scheme) = self.credentials.keys().find(is_unknown) {
            let schemes = match SECURITY_SCHEMES {
                [] => "there is none".to_owned(),
                schemes => format!("those in use are: {}", schemes.join(", ")),
            };
            return Err(Error::config(format!(
                "no operation uses the security scheme `{scheme}`; {schemes}"
            )));
        }
        let mut credential_errors = self.credentials.into_values().flatten();
        if let Some(error) = self.token_error.or_else(|| credential_errors.next()) {
            return Err(Error::from_config(error));
        }
        let Some(base_url) = self.base_url.as_deref().or(DEFAULT_BASE_URL) else {
            let path = SERVERS.first().filter(|path| path.len() > 1);
            let path = path.map_or(String::new(), |path| {
                format!(", whose URL ends with `{path}`")
            });
            return Err(Error::config(format!(
                "no base URL was set, and the API's document has no host of a server{path}: call `base_url`, or set the \
                 environment variable {BASE_URL_VARIABLE} for `from_env`"
            )));
        };
        let transport = Transport::builder(base_url)
            .user_agent(concat!("call-api-rust/", env!("CARGO_PKG_VERSION")));
        let transport = (self.configure)(transport)
            .build()
            .map_err(Error::from_build)?;
        let shared = Shared {
            drift: self.drift.map(DriftDetector::new),
            uses_default_base_url: self.base_url.is_none(),
            #[cfg(feature = "blocking")]
            runtime: Arc::default(),
        };
        Ok(Client::of(transport, shared).into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    fn built(builder: ClientBuilder) -> Client {
        builder.base_url("http://localhost:1").build().unwrap()
    }

    #[test]
    fn missing_base_url_is_named_where_no_connection_is_made() {
        let no_connection = || Error::builder(ErrorKind::Connect).build();
        let shared = Shared {
            uses_default_base_url: true,
            ..Shared::default()
        };
        let transport = built(Client::builder()).transport().clone();
        let error = Client::of(transport, shared).explain(no_connection(), Auth::Bearer);
        assert!(error.advice().contains(BASE_URL_VARIABLE), "{error}");
        let error = built(Client::builder()).explain(no_connection(), Auth::Bearer);
        assert!(!error.advice().contains(BASE_URL_VARIABLE), "{error}");
    }

    #[test]
    fn missing_credential_is_named_where_it_is_asked_for() {
        const PARTNER: Auth = Auth::Scheme("partner", &Auth::Bearer);
        let refused = || Error::builder(ErrorKind::Unauthorized).build();
        let client = built(Client::builder().token("t"));
        let error = client.explain(refused(), PARTNER);
        assert!(
            error
                .advice()
                .starts_with("set the credential of the scheme partner"),
            "{error}"
        );
        assert_eq!(
            client.explain(refused(), Auth::Bearer).to_string(),
            refused().to_string()
        );
        let error = built(Client::builder()).explain(refused(), Auth::Bearer);
        assert!(error.advice().contains(TOKEN_VARIABLE), "{error}");
    }

    #[test]
    fn last_credential_of_a_scheme_wins_and_leaves_others_alone() {
        let build = |builder: ClientBuilder| builder.base_url("http://localhost:1").build();
        for scheme in SECURITY_SCHEMES {
            let bad = || Client::builder().credential(*scheme, "Bearer x");
            assert!(build(bad()).is_err());
            // The credential of the first scheme is the token.
            let is_token = SECURITY_SCHEMES.first() == Some(scheme);
            assert_eq!(build(bad().token("t")).is_ok(), is_token);
            assert!(build(bad().credential(*scheme, "x")).is_ok());
        }
        let unknown = build(Client::builder().credential("no scheme", "x"));
        let message = unknown.unwrap_err().to_string();
        assert!(message.contains("`no scheme`"), "{message}");
    }
}
