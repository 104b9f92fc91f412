//! HTTP: options, attempts, observers, tokens, clocks, and the transport itself.
//!
//! Settings for all requests are [`ClientBuilder`](crate::ClientBuilder)'s, those of a single request [`RequestOptions`]:
//!
//! ```
//! use std::time::Duration;
//!
//! use call_api::http::{HeaderValue, header};
//! use call_api::transport::RequestOptions;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = call_api_sandbox::Sandbox::start().await?;
//!     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
//!     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
//!     let careful = RequestOptions::new()
//!         .deadline(Duration::from_secs(90))
//!         .attempt_timeout(Duration::from_secs(40))
//!         .max_attempts(5)
//!         .body_limit(64 << 10)
//!         .idle_timeout(Duration::from_secs(30))
//!         .idempotency_key("7e2f")
//!         .header(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en"));
//!     assert_eq!(client.get_call(id).options(careful).await?.id, id);
//!     Ok(())
//! }
//! ```
//!
//! # Attempts
//! An [`AttemptLog`] has each [`Attempt`] with its [`Outcome`], the [`RetryDelay`] that followed it with its
//! [reason](DelayReason), and the reason why there was no further one ([`StopReason`]). Each [response](crate::Response)
//! has one, and each [error](crate::Error::attempt_log).
//!
//! ```
//! use call_api::http::{Method, StatusCode};
//! use call_api::transport::{Attempt, AttemptLog, DelayReason, Delivery, Outcome, RetryDelay, StopReason};
//! use call_api_sandbox::{Fault, FaultRule, Faults, Sandbox};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let unavailable_once = FaultRule::new(Fault::status(StatusCode::SERVICE_UNAVAILABLE)).times(1);
//!     sandbox.set_faults(Faults::default().rule(unavailable_once))?;
//!     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).jitter(|| 0.1).build()?;
//!
//!     let log: AttemptLog = client.get_call(Sandbox::EXAMPLE_ID).send().await?.attempt_log;
//!     let [first, second]: &[Attempt] = log.attempts() else { panic!("it was sent twice") };
//!     assert_eq!((first.outcome, first.status), (Outcome::ServerError, Some(StatusCode::SERVICE_UNAVAILABLE)));
//!     assert!(first.outcome.is_retried() && first.outcome.is_transient() && !first.outcome.was_not_sent());
//!     // For instance, the labels of a metric.
//!     for outcome in Outcome::ALL {
//!         println!("{}: {}", outcome.name(), outcome.reason());
//!     }
//!     let delay: RetryDelay = first.retry_delay.ok_or("another attempt followed")?;
//!     assert_eq!((delay.duration.as_millis(), delay.reason), (25, DelayReason::Backoff));
//!     assert_eq!((second.outcome, log.stop_reason()), (Outcome::Success, &StopReason::Success));
//!     assert_eq!(log.delivery(), Delivery::Answered);
//!     assert_eq!(log.error_type(), None);
//!
//!     assert_eq!((log.operation(), log.method(), log.status()), ("get_call", &Method::GET, Some(StatusCode::OK)));
//!     assert!(log.url().starts_with(sandbox.base_url()) && log.host() == "127.0.0.1");
//!     println!("{:?}, {:?} of it in a queue, {:?}", log.elapsed(), log.queued(), log.retry_after());
//!     println!("to repeat it by hand, request id {:?}: {}", log.request_id(), log.to_curl());
//!     Ok(())
//! }
//! ```
//!
//! An [`Observer`] is notified of the end of each attempt and of each request:
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicUsize, Ordering};
//!
//! use call_api::transport::{Attempt, AttemptLog, Auth, Observer, Operation, ResponseBody};
//! use call_api::{Client, Uuid};
//! use call_api_sandbox::Sandbox;
//!
//! struct Metrics(Arc<AtomicUsize>);
//!
//! impl Observer for Metrics {
//!     fn attempt(&self, operation: &Operation, attempt: &Attempt, resends: usize) {
//!         println!("{}, attempt {}: {}", operation.path, resends + 1, attempt.outcome);
//!         assert_eq!((operation.auth, operation.body), (Auth::Bearer, ResponseBody::Buffered));
//!     }
//!
//!     fn request(&self, operation: &Operation, log: &AttemptLog) {
//!         println!("{}: {:?} after {:?}", operation.id, log.stop_reason(), log.elapsed());
//!         self.0.fetch_add(1, Ordering::Relaxed);
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let requests = Arc::new(AtomicUsize::new(0));
//!     let metrics = Metrics(Arc::clone(&requests));
//!     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).observer(metrics).build()?;
//!     client.get_call(Sandbox::EXAMPLE_ID).await?;
//!     client.get_call(Uuid::nil()).await.unwrap_err();
//!     assert_eq!(requests.load(Ordering::Relaxed), 2);
//!     Ok(())
//! }
//! ```
//!
//! # Tokens
//! A [`Token`] can be given to a client; nothing shows it. One that changes comes from a [`TokenProvider`], such as a
//! [`TokenFile`]:
//!
//! ```
//! use std::time::Duration;
//!
//! use call_api::Client;
//! use call_api::transport::{Token, TokenError, TokenFile, TokenFuture, TokenProvider};
//! use call_api_sandbox::Sandbox;
//!
//! /// A store that issues tokens for ten minutes.
//! struct Store {
//!     secret: String,
//! }
//!
//! impl TokenProvider for Store {
//!     fn token(&self) -> TokenFuture<'_> {
//!         Box::pin(async {
//!             let token = Token::new(self.secret.clone())?;
//!             Ok(token.with_lifetime(Duration::from_secs(600)))
//!         })
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let id = Sandbox::EXAMPLE_ID;
//!     let builder = || Client::builder().base_url(sandbox.base_url());
//!     let store = Store { secret: sandbox.token().to_owned() };
//!     let client = builder().token_provider(store).build()?;
//!     assert_eq!(client.get_call(id).await?.id, id);
//!
//!     let path = std::env::temp_dir().join(format!("call-api-doc-{}.token", std::process::id()));
//!     std::fs::write(&path, sandbox.token())?;
//!     println!("{path:?} is reread after {:?}", TokenFile::REREAD_AFTER);
//!     let client = builder().token_provider(TokenFile::new(&path)).build()?;
//!     assert_eq!(client.get_call(id).await?.id, id);
//!     std::fs::remove_file(path)?;
//!
//!     let error = Token::from_env("NO_SUCH_VARIABLE").unwrap_err();
//!     assert!(matches!(error, TokenError::NotSet { .. }));
//!     Ok(())
//! }
//! ```
//!
//! A closure is a provider, too; its errors are any error ([`BoxError`]), which are the source of the [`Error`](crate::Error):
//!
//! ```
//! use call_api::transport::{BoxError, Token};
//! use call_api::{Client, ErrorKind};
//! use call_api_sandbox::Sandbox;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let locked = || async { Err::<Token, BoxError>("the store is locked".into()) };
//!     let client = Client::builder().base_url(sandbox.base_url()).token_provider(locked).build()?;
//!     let error = client.get_call(Sandbox::EXAMPLE_ID).await.unwrap_err();
//!     assert_eq!(error.kind(), ErrorKind::Token);
//!     assert!(error.to_string().contains("the store is locked"));
//!     Ok(())
//! }
//! ```
//!
//! # Time
//! A [`Clock`] replaces the system's in tests that must not wait:
//!
//! ```
//! use std::sync::{Arc, Mutex, PoisonError};
//! use std::time::{Duration, Instant, SystemTime};
//!
//! use call_api::Client;
//! use call_api::http::StatusCode;
//! use call_api::transport::{Clock, SleepFuture};
//! use call_api_sandbox::{Fault, FaultRule, Faults, Sandbox};
//!
//! /// Time passes only in sleeps, and they end at once.
//! struct Leaps {
//!     start: Instant,
//!     passed: Mutex<Duration>,
//! }
//!
//! impl Leaps {
//!     fn leap(&self, by: Duration) -> Duration {
//!         let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
//!         *passed += by;
//!         *passed
//!     }
//! }
//!
//! impl Clock for Leaps {
//!     fn now(&self) -> Instant {
//!         self.start + self.leap(Duration::ZERO)
//!     }
//!
//!     fn system_now(&self) -> SystemTime {
//!         SystemTime::UNIX_EPOCH + self.leap(Duration::ZERO)
//!     }
//!
//!     fn sleep(&self, duration: Duration) -> SleepFuture<'_> {
//!         self.leap(duration);
//!         Box::pin(std::future::ready(()))
//!     }
//!
//!     /// The limit of an attempt runs beside it, and never passes.
//!     fn limit(&self, _: Duration) -> SleepFuture<'_> {
//!         Box::pin(std::future::pending())
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let throttled = FaultRule::new(Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "30")).times(1);
//!     sandbox.set_faults(Faults::default().rule(throttled))?;
//!     let clock = Arc::new(Leaps { start: Instant::now(), passed: Mutex::default() });
//!     let client = Client::builder()
//!         .base_url(sandbox.base_url())
//!         .token(sandbox.token())
//!         .clock(clock.clone())
//!         .jitter(|| 0.0)
//!         .build()?;
//!     client.get_call(Sandbox::EXAMPLE_ID).await?;
//!     assert_eq!(clock.leap(Duration::ZERO), Duration::from_secs(30));
//!     Ok(())
//! }
//! ```
//!
//! # Downloads
//! The download of a [recording](crate::Client::recording) reports its [`Progress`]:
//!
//! ```
//! use call_api::transport::Progress;
//! use call_api_sandbox::{Sandbox, Script};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     sandbox.run(Sandbox::example_call(), Script::completed());
//!     sandbox.advance(std::time::Duration::from_secs(60));
//!     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
//!     let call = client.get_call(Sandbox::EXAMPLE_ID).await?;
//!     let mut seen = Vec::new();
//!     let mut sound = Vec::new();
//!     let report = |progress: Progress| seen.push((progress.bytes, progress.total));
//!     client.recording(&call).on_progress(report).to_writer(&mut sound).await?;
//!     let whole = sound.len() as u64;
//!     assert_eq!(seen.last(), Some(&(whole, Some(whole))));
//!     Ok(())
//! }
//! ```
//!
//! # The transport
//! [`Transport`] sends the requests of a client, and downloads from any host. It is built on `reqwest`, whose types are seen
//! in [`TransportBuilder`] and [`HttpSettings`] only. It fails with a [`TransportError`], which an [`Error`](crate::Error) has
//! [inside](crate::Error::transport_error):
//!
//! ```
//! use std::num::NonZeroU32;
//! use std::time::Duration;
//!
//! use call_api::{Client, Token};
//! use call_api_sandbox::Sandbox;
//!
//! use call_api::transport::{
//!     BaseUrlProblem, BuildError, HttpSettings, Limit, Phase, RequestOptions, Transport, TransportBuilder, TransportError,
//!     TransportErrorKind,
//! };
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let per_second = NonZeroU32::new(50).ok_or("zero")?;
//!     let builder: TransportBuilder = Transport::builder(sandbox.base_url())
//!         .token(Token::new(sandbox.token())?)
//!         .user_agent("call-report/1.0")
//!         .connect_timeout(Duration::from_secs(2))
//!         .backoff(Duration::from_millis(100), Duration::from_secs(2))
//!         .retry_budget(1_000)
//!         .rate_limit(per_second)
//!         .http2_pings(Duration::from_secs(20), Duration::from_secs(5))
//!         .credential("partner", Token::new("another token")?)
//!         .allow_insecure_http(false)
//!         .configure_http(|http: HttpSettings| http.no_proxy().pool_max_idle_per_host(8))
//!         .configure_download_http(|http| http.no_proxy());
//!     let client = Client::new(builder.build()?);
//!     assert_eq!(client.get_call(Sandbox::EXAMPLE_ID).await?.id, Sandbox::EXAMPLE_ID);
//!     assert!(client.transport().download(&call_api::transport::Operation {
//!         id: "sound",
//!         path: "",
//!         auth: call_api::transport::Auth::None,
//!         body: call_api::transport::ResponseBody::Streamed,
//!     }, "no URL").is_none());
//!
//!     // No time is left for an attempt.
//!     let options = RequestOptions::new().max_attempts(1).merge(RequestOptions::new().deadline(Duration::from_nanos(1)));
//!     let error = client.get_call(Sandbox::EXAMPLE_ID).options(options).await.unwrap_err();
//!     let error: &TransportError = error.transport_error().ok_or("the transport failed")?;
//!     let TransportErrorKind::TimedOut { phase: Phase::Head, limit: Limit::Deadline, .. } = error.kind() else {
//!         return Err(error.clone().into());
//!     };
//!
//! # let _ = rustls::crypto::ring::default_provider().install_default();
//!     let own = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
//!     let refused: Result<Transport, BuildError> = Transport::builder("http://calls.example").http_client(own).build();
//!     assert!(matches!(refused, Err(BuildError::BaseUrl { problem: BaseUrlProblem::PlainHttp, .. })));
//!     let builder = Transport::builder("https://calls.example").root_certificates("not PEM").only_given_roots();
//!     assert!(builder.client_certificate("neither", "nor").build().is_err());
//!     Ok(())
//! }
//! ```

#[doc(inline)]
pub use call_api_transport::{
    Attempt, AttemptLog, Auth, BaseUrlProblem, BoxError, BuildError, Clock, DelayReason, Delivery,
    HttpSettings, Limit, Observer, Operation, Outcome, Phase, Progress, RequestOptions,
    ResponseBody, RetryDelay, SleepFuture, StopReason, Token, TokenError, TokenFile, TokenFuture,
    TokenProvider, Transport, TransportBuilder, TransportError, TransportErrorKind,
};
