//! The client and how it is made.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use call_api_transport::{Clock, Observer, Token, TokenError, TokenProvider};
use futures_core::Stream;
use futures_util::stream;
use http::{HeaderName, HeaderValue};
use uuid::Uuid;

use crate::change::ImpossibleStep;
use crate::drift::{Drift, DriftMode, Sentinel, SentinelSettings};
use crate::error::Error;
use crate::many::GetCalls;
use crate::raw::transport::{Transport, TransportBuilder};
use crate::recording::FetchRecording;
use crate::request::GetCall;
use crate::wait::WaitUntilEnded;
use crate::{Call, raw};

/// The environment variable with the base URL, which [`Client::from_env`] reads.
pub const BASE_URL_VARIABLE: &str = "CALL_API_BASE_URL";

/// The environment variable with the token, which [`Client::from_env`] reads.
pub const TOKEN_VARIABLE: &str = "CALL_API_TOKEN";

/// The server that the API's document names, where no other is given.
pub const DEFAULT_BASE_URL: &str = "http://localhost:3000";

/// A client of the call API. Cheap to clone; clones share connections, token and retry budget.
///
/// Every call has one deadline (45 s) over everything it does, is retried where that is safe, and sends the token to the
/// base URL's host only. [`Client::builder`] changes these for the client, and the methods of a request, such as
/// [`GetCall::deadline`], for one call.
///
/// ```
/// use call_api::Client;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// let clone = client.clone();
/// let task = tokio::spawn(async move { clone.get_call(id).await });
/// assert_eq!(client.get_call(id).await?, task.await??);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    raw: raw::Client,
    drift: Option<Arc<Sentinel>>,
}

impl Client {
    /// A client from the environment: the token from `CALL_API_TOKEN`, the base URL from `CALL_API_BASE_URL`, or
    /// [`DEFAULT_BASE_URL`] where that is not set.
    ///
    /// ```
    /// use call_api::{BASE_URL_VARIABLE, Client, DEFAULT_BASE_URL, TOKEN_VARIABLE};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # // Nobody reads the environment meanwhile: this is the one thread.
    /// # unsafe { std::env::set_var("CALL_API_BASE_URL", sandbox.base_url()) };
    /// # unsafe { std::env::set_var("CALL_API_TOKEN", sandbox.token()) };
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// let client = Client::from_env()?;
    /// let asked = std::env::var(BASE_URL_VARIABLE).unwrap_or(DEFAULT_BASE_URL.to_owned());
    /// println!("asking {asked} with the token in {TOKEN_VARIABLE}");
    /// assert_eq!(client.get_call(id).await?.id, id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where the token is missing, or one of the two can't be used.
    pub fn from_env() -> Result<Self, Error> {
        let mut builder = Self::builder();
        match std::env::var(BASE_URL_VARIABLE) {
            Ok(url) => builder = builder.base_url(url),
            Err(std::env::VarError::NotPresent) => {}
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(Error::config(format!(
                    "the environment variable {BASE_URL_VARIABLE} is not UTF-8; set it to the service's base URL"
                )));
            }
        }
        builder.with_token(Token::from_env(TOKEN_VARIABLE)).build()
    }

    /// Begins a client with other settings than [`Client::from_env`]'s.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client whose requests go through a transport of your own making: a door to [`raw`].
    ///
    /// ```
    /// use call_api::raw::transport::Transport;
    /// use call_api::{Client, Token};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// let transport = Transport::builder(sandbox.base_url()).token(Token::new(sandbox.token())?).build()?;
    /// let client = Client::from_transport(transport);
    /// assert_eq!(client.get_call(id).await?.id, id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_transport(transport: Transport) -> Self {
        Self {
            raw: raw::Client::new(transport),
            drift: None,
        }
    }

    /// Fetches a call: `GET /v1/call/{id}`, once, or again where that fails in a way that may pass.
    ///
    /// Await the request as it is, or set something for this call alone first:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// let call = client.get_call(id).await?;
    /// let call = client.get_call(id).deadline(Duration::from_secs(2)).await?;
    /// assert_eq!(call.id, id);
    /// # Ok(())
    /// # }
    /// ```
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) where there is no such call,
    /// [`ErrorKind::Unauthorized`](crate::ErrorKind::Unauthorized) where the token isn't accepted, and whatever else
    /// [`ErrorKind`](crate::ErrorKind) lists.
    pub fn get_call(&self, id: Uuid) -> GetCall<'_> {
        GetCall::new(self, id)
    }

    /// Waits until a call has ended: `GET /v1/call/{id}`, at once and then again and again; see [`WaitUntilEnded`] for how
    /// often, and for what the wait survives.
    ///
    /// Await it for the ended call, or read its [`updates`](WaitUntilEnded::updates) for each change on the way:
    ///
    /// ```
    /// # use call_api::Client;
    /// # use call_api_sandbox::Sandbox;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = Sandbox::start().await?;
    /// # let mut call = Sandbox::example_call();
    /// # let id = call.id;
    /// # call.status = call_api::CallStatus::Completed;
    /// # sandbox.put(call);
    /// # let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// use std::time::Duration;
    ///
    /// let call = client
    ///     .wait_until_ended(id)
    ///     .deadline(Duration::from_secs(15 * 60))
    ///     .on_change(|change| println!("{}", change.call.status))
    ///     .await?;
    /// assert!(call.is_ended());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) where the call has not ended in time, with the
    /// [last state](Error::last_call) that was seen, and whatever ends a single look for good, such as
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    pub fn wait_until_ended(&self, id: Uuid) -> WaitUntilEnded {
        WaitUntilEnded::new(self, id)
    }

    /// Fetches many calls: `GET /v1/call/{id}` for each id, eight at a time; see [`GetCalls`] for what else can be set,
    /// and for what becomes of duplicates and of a 429.
    ///
    /// ```
    /// # use call_api::{Client, Uuid};
    /// # use call_api_sandbox::Sandbox;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = Sandbox::start().await?;
    /// # let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// let ids = [Sandbox::EXAMPLE_ID, Uuid::nil(), Sandbox::EXAMPLE_ID];
    /// let mut calls = client.get_calls(ids);
    /// let mut lines = Vec::new();
    /// while let Some((id, result)) = calls.next().await {
    ///     match result {
    ///         Ok(call) => lines.push(format!("{id} {}", call.status)),
    ///         Err(error) => lines.push(format!("{id} {:?}", error.kind())),
    ///     }
    /// }
    /// assert_eq!(lines, [
    ///     "3c90c3cc-0d44-4b50-8888-8dd25736052a dialing",
    ///     "00000000-0000-0000-0000-000000000000 NotFound",
    /// ]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_calls<'a, I>(&self, ids: I) -> GetCalls<'a>
    where
        I: IntoIterator<Item: Borrow<Uuid>, IntoIter: Send + 'a>,
    {
        self.get_calls_from(stream::iter(ids.into_iter().map(|id| *id.borrow())))
    }

    /// As [`get_calls`](Self::get_calls), for ids that come one by one from elsewhere.
    ///
    /// ```
    /// # use call_api::Client;
    /// # use call_api_sandbox::Sandbox;
    /// use futures_util::stream;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = Sandbox::start().await?;
    /// # let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// let ids = stream::once(async { Sandbox::EXAMPLE_ID });
    /// let mut calls = client.get_calls_from(ids);
    /// assert!(matches!(calls.next().await, Some((Sandbox::EXAMPLE_ID, Ok(_)))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_calls_from<'a>(&self, ids: impl Stream<Item = Uuid> + Send + 'a) -> GetCalls<'a> {
        GetCalls::new(self, ids)
    }

    /// Fetches the recording of a call, whole or not at all: streamed to a file or a writer, gone on with where it broke
    /// off, waited for while it is still being made. That a call was not recorded is a [result](crate::Recording), not
    /// an error. What it asks, and how often: [`FetchRecording`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # sandbox.run(call_api_sandbox::Sandbox::example_call(), call_api_sandbox::Script::completed());
    /// # sandbox.advance(Duration::from_secs(60));
    /// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// let call = client.get_call(id).await?;
    /// let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("call-api-doc-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// if let Some(saved) = client.recording(&call).to_folder(&folder).await?.saved() {
    ///     println!("{} bytes in {:?}", saved.bytes, saved.path);
    /// #   assert!(saved.bytes > 0);
    /// }
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn recording<'a>(&'a self, call: &'a Call) -> FetchRecording<'a> {
        FetchRecording::new(self, call)
    }

    /// The generated client: every operation of the API's document, each with a builder for its parameters.
    ///
    /// Its requests go the same way, with token, deadline and retries; its errors are progenitor's, which have no room for
    /// drift, so that is [looked for](ClientBuilder::drift) in what the client's own methods fetch and not in this.
    ///
    /// Settings for some of its requests are those of another client over the same transport:
    ///
    /// ```
    /// use call_api::{RequestOptions, raw};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// let response = client.raw().get_call().id(id).send().await?;
    /// assert_eq!(response.status(), 200);
    ///
    /// let once = RequestOptions::new().max_attempts(1);
    /// let raw = raw::Client::new(client.raw().transport().with_options(once));
    /// assert_eq!(raw.get_call().id(id).send().await?.into_inner().id, id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn raw(&self) -> &raw::Client {
        &self.raw
    }

    /// What the service said that the document doesn't, so far, and how often; by operation and place. Empty unless it is
    /// [looked for](ClientBuilder::drift).
    ///
    /// ```
    /// use call_api::{Client, DriftMode};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # let id = sandbox.put_json(&call_api_sandbox::Sandbox::EXAMPLE_JSON.replace("dialing", "on_hold"))?;
    /// let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).drift(DriftMode::Watch).build()?;
    /// client.get_call(id).await?;
    /// client.get_call(id).await?;
    /// for (drift, count) in client.drifts() {
    ///     println!("{} times: {drift}", count);
    /// #   assert_eq!(count, 2);
    /// }
    /// # assert_eq!(client.drifts().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drifts(&self) -> Vec<(Drift, u64)> {
        match &self.drift {
            Some(sentinel) => sentinel.counts(),
            None => Vec::new(),
        }
    }

    pub(crate) fn sentinel(&self) -> Option<&Sentinel> {
        self.drift.as_deref()
    }

    /// The same client over another transport: what it looks for, and whom it tells, stays.
    pub(crate) fn over(&self, transport: Transport) -> Self {
        Self {
            raw: raw::Client::new(transport),
            ..self.clone()
        }
    }

    /// A call was seen in one status and then in another that can't follow it. Where nobody looks for drift, `tracing` is
    /// told all the same.
    ///
    /// # Errors
    /// [`ErrorKind::Drift`](crate::ErrorKind::Drift), where drift is an error.
    pub(crate) fn impossible_step(&self, step: &ImpossibleStep) -> Result<(), Error> {
        match &self.drift {
            Some(sentinel) => sentinel
                .impossible_step("get_call", step)
                .map_err(|drifts| Error::from_drift(&drifts, None)),
            None => {
                step.report();
                Ok(())
            }
        }
    }
}

/// The settings of a [`Client`] that is to be made.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use call_api::http::{HeaderValue, header};
/// # use call_api::transport::{Clock, Observer, SleepFuture};
///
/// # struct Metrics;
/// # impl Observer for Metrics {}
/// # struct PausedClock;
/// # impl Clock for PausedClock {
/// #     fn now(&self) -> std::time::Instant { std::time::Instant::now() }
/// #     fn sleep(&self, duration: Duration) -> SleepFuture<'_> { Box::pin(tokio::time::sleep(duration)) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// let seconds = Duration::from_secs;
/// let client = call_api::Client::builder()
///     .base_url(sandbox.base_url())
///     .token(sandbox.token())
///     .deadline(seconds(20))
///     .attempt_timeout(seconds(5))
///     .connect_timeout(seconds(2))
///     .max_attempts(5)
///     .backoff(Duration::from_millis(100), seconds(2))
///     .retry_budget(1_000)
///     .body_limit(4 << 20)
///     .allow_insecure_http(false)
///     .user_agent("call-report/1.0")
///     .header(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en"))
///     // An `Observer` of your own, and for tests a `Clock`: see `call_api::transport`.
///     .observer(Metrics)
///     .clock(Arc::new(PausedClock))
///     .jitter(|| 1.0)
///     .build()?;
/// assert_eq!(client.get_call(id).await?.id, id);
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientBuilder {
    base_url: String,
    /// Why a token that was given is none.
    no_token: Option<TokenError>,
    drift: Option<SentinelSettings>,
    configure: Box<dyn FnOnce(TransportBuilder) -> TransportBuilder + Send>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            base_url: DEFAULT_BASE_URL.to_owned(),
            no_token: None,
            drift: None,
            configure: Box::new(|transport| transport),
        }
    }
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither token nor URL: what was pasted into the wrong one of the two must not be seen.
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Where the service is: https, or http on this machine. A path is kept before every operation's.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// The token that the service issued; it goes into the `Authorization` header of each request. Last wins between this
    /// and [`token_provider`](Self::token_provider).
    pub fn token(self, token: impl Into<String>) -> Self {
        self.with_token(Token::new(token))
    }

    fn with_token(mut self, token: Result<Token, TokenError>) -> Self {
        match token {
            Ok(token) => self.transport(|transport| transport.token(token)),
            Err(error) => {
                self.no_token = Some(error);
                self
            }
        }
    }

    /// Sets the credential of one more security scheme, by its name in the API's document; the token is that of the first.
    /// It is sent to the operations of that scheme alone.
    pub fn credential(mut self, scheme: impl Into<String>, credential: impl Into<String>) -> Self {
        let scheme = scheme.into();
        match Token::new(credential) {
            Ok(credential) => self.transport(|transport| transport.credential(scheme, credential)),
            Err(error) => {
                self.no_token = Some(error);
                self
            }
        }
    }

    /// Something to ask for tokens, in place of a fixed one: a closure, a [`TokenFile`](crate::transport::TokenFile), or
    /// a type of your own.
    ///
    /// ```
    /// use call_api::transport::BoxError;
    /// use call_api::{Client, Token};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # let issued = sandbox.token().to_owned();
    /// let ask_the_store = move || {
    ///     let secret = issued.clone();
    ///     async { Ok::<_, BoxError>(Token::new(secret)?) }
    /// };
    /// let client = Client::builder().base_url(sandbox.base_url()).token_provider(ask_the_store).build()?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// assert_eq!(client.get_call(id).await?.id, id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn token_provider(self, provider: impl TokenProvider) -> Self {
        self.transport(|transport| transport.token_provider(provider))
    }

    /// The limit on everything that one call does: 45 s where none is set.
    pub fn deadline(self, deadline: Duration) -> Self {
        self.transport(move |transport| transport.deadline(deadline))
    }

    /// The limit of one attempt, which shrinks to what is left of the deadline: 15 s where none is set.
    pub fn attempt_timeout(self, timeout: Duration) -> Self {
        self.transport(move |transport| transport.attempt_timeout(timeout))
    }

    /// The limit of making a connection, TLS included: 5 s where none is set.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.transport(move |transport| transport.connect_timeout(timeout))
    }

    /// How often at the most a request is sent: 3 times where nothing is set; with 1 it is not retried, and 0 is read
    /// as 1.
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.transport(move |transport| transport.max_attempts(attempts))
    }

    /// The longest wait before the second attempt, which doubles with each further one up to `cap`; the wait itself is
    /// any part of it by chance. 250 ms and 8 s where nothing is set.
    pub fn backoff(self, first: Duration, cap: Duration) -> Self {
        self.transport(move |transport| transport.backoff(first, cap))
    }

    /// What all clones may spend on retries together, so that they don't add to a service's trouble: a retry takes 5 after
    /// a 429 and 14 after anything else, and success gives back what its retry took, or 1. 500 where none is set; 0 means
    /// no retries.
    pub fn retry_budget(self, tokens: u32) -> Self {
        self.transport(move |transport| transport.retry_budget(tokens))
    }

    /// The longest response, in bytes after decompression: 1 MiB where none is set.
    pub fn body_limit(self, bytes: u64) -> Self {
        self.transport(move |transport| transport.body_limit(bytes))
    }

    /// Allows plain http to another machine. The token can then be read by anyone on the way.
    pub fn allow_insecure_http(self, allow: bool) -> Self {
        self.transport(move |transport| transport.allow_insecure_http(allow))
    }

    /// The `User-Agent`; where none is set, this SDK's name and version.
    pub fn user_agent(self, user_agent: impl Into<String>) -> Self {
        let user_agent = user_agent.into();
        self.transport(move |transport| transport.user_agent(user_agent))
    }

    /// A header for every request. Mark secret values with [`HeaderValue::set_sensitive`], so that
    /// [`AttemptLog::to_curl`](crate::AttemptLog::to_curl) leaves them out.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.transport(|transport| transport.header(name, value))
    }

    /// Someone to tell about every attempt and call: for metrics. [`transport`](crate::transport) has an example.
    pub fn observer(self, observer: impl Observer) -> Self {
        self.transport(|transport| transport.observer(observer))
    }

    /// At most so many attempts in a second, over all clones. A call waits its turn as long as its deadline allows.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # let builder = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token());
    /// let fifty = std::num::NonZeroU32::new(50).ok_or("nothing could be sent")?;
    /// let client = builder.rate_limit(fifty).build()?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// assert_eq!(client.get_call(id).await?.id, id);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "rate-limit")]
    pub fn rate_limit(self, attempts_per_second: std::num::NonZeroU32) -> Self {
        self.transport(move |transport| transport.rate_limit(attempts_per_second))
    }

    /// Another clock: for tests. [`transport`](crate::transport) has an example.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.transport(|transport| transport.clock(clock))
    }

    /// Another source of jitter, which returns numbers from 0 up to 1: for tests.
    pub fn jitter(self, chance: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.transport(|transport| transport.jitter(chance))
    }

    /// Looks for what the service says and the document doesn't: values, properties and types. Each kind is told of once,
    /// to [`on_drift`](Self::on_drift) and as a warning where the feature `tracing` is on, and counted in
    /// [`Client::drifts`]; in [`DriftMode::Strict`] each makes its call fail. Not looked for by default, which costs
    /// nothing; where it is, a response is read twice. What goes through [`Client::raw`] is not looked at.
    ///
    /// ```
    /// use call_api::{Client, DriftMode, ErrorKind};
    /// use call_api_sandbox::Sandbox;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = Sandbox::start().await?;
    /// let json = Sandbox::EXAMPLE_JSON.replace("dialing", "on_hold");
    /// let id = sandbox.put_json(&json)?;
    /// let builder = || Client::builder().base_url(sandbox.base_url()).token(sandbox.token());
    ///
    /// let client = builder().on_drift(|drift| eprintln!("{drift}")).build()?;
    /// client.get_call(id).await?;
    /// assert_eq!(client.drifts()[0].0.place, "status");
    ///
    /// let strict = builder().drift(DriftMode::Strict).build()?;
    /// assert_eq!(strict.get_call(id).await.unwrap_err().kind(), ErrorKind::Drift);
    /// # Ok(())
    /// # }
    /// ```
    pub fn drift(mut self, mode: DriftMode) -> Self {
        self.drift.get_or_insert_default().mode = mode;
        self
    }

    /// Is told of each kind of drift once. It runs inside the call, so it should only note it. Looks for it as
    /// [`DriftMode::Watch`] does, where no other mode is set.
    pub fn on_drift(mut self, on_drift: impl Fn(&Drift) + Send + Sync + 'static) -> Self {
        self.drift.get_or_insert_default().on_drift = Some(Arc::new(on_drift));
        self
    }

    /// What else can be set for the transport: a door to [`raw`], to the HTTP client that the SDK is built on. Proxies, own
    /// roots and client certificates go in here ([`TransportBuilder::configure_http`], and
    /// [`configure_download_http`](TransportBuilder::configure_download_http) for recordings that lie elsewhere), and so does a
    /// whole HTTP client of your own ([`TransportBuilder::http_client`]).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// # let builder = || call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token());
    /// let client = builder()
    ///     .transport(|transport| {
    ///         transport.configure_http(|http| http.no_proxy()).configure_download_http(|http| http.no_proxy())
    ///     })
    ///     .build()?;
    /// assert_eq!(client.get_call(id).await?.id, id);
    ///
    /// # // The features of reqwest that are on here bring no cryptography; a program's own bring one.
    /// # let _ = rustls::crypto::ring::default_provider().install_default();
    /// let own = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    /// let client = builder().transport(|transport| transport.http_client(own)).build()?;
    /// assert_eq!(client.get_call(id).await?.id, id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn transport(
        mut self,
        configure: impl FnOnce(TransportBuilder) -> TransportBuilder + Send + 'static,
    ) -> Self {
        let before = self.configure;
        self.configure = Box::new(move |transport| configure(before(transport)));
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where the base URL, or a token that was given, can't be used.
    pub fn build(self) -> Result<Client, Error> {
        if let Some(error) = self.no_token {
            return Err(Error::from_config(error));
        }
        let transport = Transport::builder(&self.base_url)
            .user_agent(concat!("call-api-rust/", env!("CARGO_PKG_VERSION")));
        let transport = (self.configure)(transport)
            .build()
            .map_err(Error::from_config)?;
        let drift = self.drift.map(|settings| Arc::new(Sentinel::new(settings)));
        Ok(Client {
            drift,
            ..Client::from_transport(transport)
        })
    }

    /// The client for code without `async`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = tokio::runtime::Runtime::new()?;
    /// # let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    /// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    /// let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build_blocking()?;
    /// assert_eq!(client.get_call(id).wait()?.id, id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`build`](Self::build), and where the system has no thread to give.
    #[cfg(feature = "blocking")]
    pub fn build_blocking(self) -> Result<crate::blocking::Client, Error> {
        crate::blocking::Client::new(self.build()?)
    }
}
