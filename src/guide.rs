//! Settings, requests, errors, drift detection and requests without `async`, by example.
//!
//! # Settings
//! [`ClientBuilder`](crate::ClientBuilder) has the settings for all requests of a client:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use call_api::http::{HeaderValue, header};
//! use call_api::transport::{Clock, Observer, SleepFuture};
//! use call_api::{Client, ClientBuilder};
//!
//! struct Metrics;
//! impl Observer for Metrics {}
//! struct PausedClock;
//! impl Clock for PausedClock {
//!     fn now(&self) -> std::time::Instant { std::time::Instant::now() }
//!     fn sleep(&self, duration: Duration) -> SleepFuture<'_> { Box::pin(tokio::time::sleep(duration)) }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = call_api_sandbox::Sandbox::start().await?;
//!     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
//!     let seconds = Duration::from_secs;
//!     let per_second = std::num::NonZeroU32::new(50).ok_or("zero")?;
//!     let builder: ClientBuilder = Client::builder()
//!         .base_url(sandbox.base_url())
//!         // By the name of its security scheme in the API's document. That of the first scheme is the token.
//!         .credential("HTTPBearer", "replaced by the next line")
//!         .token(sandbox.token())
//!         .deadline(seconds(20))
//!         .attempt_timeout(seconds(5))
//!         .connect_timeout(seconds(2))
//!         .max_attempts(5)
//!         .backoff(Duration::from_millis(100), seconds(2))
//!         .retry_budget(1_000)
//!         .rate_limit(per_second)
//!         .body_limit(4 << 20)
//!         .idle_timeout(seconds(30))
//!         .allow_insecure_http(false)
//!         .user_agent("call-report/1.0")
//!         .header(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en"))
//!         // An `Observer` of your own and, for tests, a `Clock`: see `call_api::transport`.
//!         .observer(Metrics)
//!         .clock(Arc::new(PausedClock))
//!         .jitter(|| 1.0);
//!     let client = builder.build()?;
//!     assert_eq!(client.get_call(id).await?.id, id);
//!
//!     // A client with the same drift counts over another transport.
//!     let once = client.transport().with_options(call_api::RequestOptions::new().max_attempts(1));
//!     let client = client.with_transport(once);
//!     assert_eq!(client.get_call(id).await?.id, id);
//!     Ok(())
//! }
//! ```
//!
//! A token that changes comes from a provider: see [`transport`](crate::transport#tokens). `from_env` reads the
//! environment, of which settings in code replace a part:
//!
//! ```
//! use call_api::transport::BoxError;
//! use call_api::{BASE_URL_VARIABLE, ClientBuilder, DEFAULT_BASE_URL, SECURITY_SCHEMES, TOKEN_VARIABLE, Token};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = call_api_sandbox::Sandbox::start().await?;
//!     let issued = sandbox.token().to_owned();
//!     let ask_the_store = move || {
//!         let secret = issued.clone();
//!         async { Ok::<_, BoxError>(Token::new(secret)?) }
//!     };
//!     // The token is for the first scheme; `credential` takes those of further ones.
//!     assert_eq!(SECURITY_SCHEMES.len(), 1);
//!     println!("reading {TOKEN_VARIABLE} and {BASE_URL_VARIABLE}, or else {DEFAULT_BASE_URL:?}");
//!     let client = ClientBuilder::from_env()?.base_url(sandbox.base_url()).token_provider(ask_the_store).build()?;
//!     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
//!     assert_eq!(client.get_call(id).await?.id, id);
//!     Ok(())
//! }
//! ```
//!
//! Certificates are given in PEM:
//!
//! ```
//! use std::time::Duration;
//!
//! use call_api::{Client, ErrorKind};
//! use call_api_sandbox::Sandbox;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let builder = Client::builder().base_url(sandbox.base_url()).token(sandbox.token());
//!     let client = builder
//!         .root_certificates("not PEM")
//!         .only_given_roots()
//!         .client_certificate("neither", "nor")
//!         .http2_pings(Duration::from_secs(20), Duration::from_secs(5))
//!         .build();
//!     assert_eq!(client.unwrap_err().kind(), ErrorKind::Config);
//!     Ok(())
//! }
//! ```
//!
//! [`configure_http`](crate::ClientBuilder::configure_http) changes the HTTP client, for instance its proxies, and
//! [`transport`](crate::ClientBuilder::transport) sets an HTTP client of your own:
//!
//! ```
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = call_api_sandbox::Sandbox::start().await?;
//!     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
//!     let builder = || call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token());
//!     let client = builder()
//!         .configure_http(|http| http.no_proxy())
//!         .configure_download_http(|http| http.no_proxy())
//!         .build()?;
//!     assert_eq!(client.get_call(id).await?.id, id);
//!
//! # // The features of reqwest enabled here bring no cryptography provider; a program's own features do.
//! # let _ = rustls::crypto::ring::default_provider().install_default();
//!     let own = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
//!     let client = builder().transport(|transport| transport.http_client(own)).build()?;
//!     assert_eq!(client.get_call(id).await?.id, id);
//!     Ok(())
//! }
//! ```
//!
//! # Requests
//! An operation returns a request that owns its client. Awaiting it gives the decoded value; [`send`] gives a
//! [`Response`](crate::Response) with status, headers and attempt log. Options apply to this request alone:
//!
//! ```
//! use std::time::Duration;
//!
//! use call_api::builder::GetCall;
//! use call_api::{Call, Error, RequestFuture, RequestOptions, Response};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = call_api_sandbox::Sandbox::start().await?;
//!     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
//!     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
//!     let request: GetCall = client.get_call(id).deadline(Duration::from_secs(2)).max_attempts(1);
//!     let call = request.clone().await?;
//!
//!     let slow = RequestOptions::new().attempt_timeout(Duration::from_secs(10));
//!     let response: Response<Call> = request.options(slow).send().await?;
//!     assert_eq!((response.status, &response.value), (200, &call));
//!     println!("{:?}, request id {:?}", response.headers.get("date"), response.request_id());
//!     assert_eq!(response.map(|call| call.id).value, id);
//!
//!     // Requests are futures, and can be spawned and collected.
//!     let future: RequestFuture<Call> = client.get_call(id).into_future();
//!     assert_eq!(future.await?.id, id);
//!     let mut tasks = tokio::task::JoinSet::new();
//!     for _ in 0..3 {
//!         tasks.spawn(client.get_call(id).send());
//!     }
//!     let results: Vec<Result<Response<Call>, Error>> = tasks.join_all().await;
//!     assert!(results.iter().all(Result::is_ok));
//!     Ok(())
//! }
//! ```
//!
//! # Errors
//! An [`Error`](crate::Error) has a kind to match on, and a text that says what failed, why, and what to do:
//!
//! ```
//! use call_api::ErrorKind;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = call_api_sandbox::Sandbox::start().await?;
//!     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
//!     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
//!     match client.get_call(id).await {
//!         Ok(call) => println!("{}", call.status),
//!         Err(error) if error.kind() == ErrorKind::NotFound => println!("no such call"),
//!         Err(error) if error.is_retryable() => println!("later: {error}"),
//!         Err(error) => return Err(error.into()),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! It has what the service said, the attempts, and the documented body of the error response, typed by the operation:
//!
//! ```
//! use std::time::Duration;
//!
//! use call_api::builder::GetCall;
//! use call_api::{Call, Delivery, Detail, ErrorKind, FieldError, Uuid};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = call_api_sandbox::Sandbox::start().await?;
//!     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
//!     let error = client.get_call(Uuid::nil()).await.unwrap_err();
//!     assert_eq!((error.kind(), error.status()), (ErrorKind::NotFound, Some(404)));
//!     assert!(!error.is_timeout() && !error.is_connect() && error.transport_error().is_none());
//!     // The service answered. It may also be unknown if it received the request.
//!     assert_eq!(error.delivery(), Delivery::Answered);
//!     let said = match error.detail() {
//!         Some(Detail::Message(text)) => text.clone(),
//!         Some(Detail::Fields(fields)) => fields.iter().map(FieldError::to_string).collect::<Vec<_>>().join("; "),
//!         Some(other) => other.to_string(),
//!         None => String::new(),
//!     };
//!     assert!(!said.is_empty());
//!     assert_eq!(error.advice(), "check the id, and that the base URL names the right service");
//!     // The body of the error, if the document describes one for this status.
//!     println!("{:?}", error.body::<GetCall>());
//!     // Those of lists say where to resume, and which item could not be decoded.
//!     assert!(error.cursor().is_none() && error.item().is_none());
//!     println!("{:?} {:?}", error.headers().get("content-type"), error.raw_body());
//!     if let Some(log) = error.attempt_log() {
//!         println!("{} attempts, request id {:?}", log.attempts().len(), error.request_id());
//!     }
//!
//!     let unavailable = call_api_sandbox::Fault::retry_after(axum::http::StatusCode::TOO_MANY_REQUESTS, "60");
//!     sandbox.set_faults(call_api_sandbox::Faults::default().rule(unavailable))?;
//!     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
//!     // The service asks for a minute's delay, which is longer than the deadline of a request.
//!     let error = client.get_call(id).await.unwrap_err();
//!     assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(Duration::from_secs(60))));
//!     sandbox.set_faults(call_api_sandbox::Faults::default())?;
//!
//!     let error = client.wait_until_ended(id).deadline(Duration::from_millis(50)).await.unwrap_err();
//!     assert_eq!(error.last_seen::<Call>().map(|call| call.status.as_str()), Some("dialing"));
//!     let id = sandbox.put_json(&serde_json::to_string(&call_api_sandbox::Sandbox::example_call())?.replace("123", "\"long\""))?;
//!
//!     // The service answers with a text for the duration.
//!     let error = client.get_call(id).await.unwrap_err();
//!     assert_eq!((error.kind(), error.json_path()), (ErrorKind::Decode, Some(Call::name_in_json("duration"))));
//!     Ok(())
//! }
//! ```
//!
//! Fakes in tests make errors by hand, and wrappers of the client add to them:
//!
//! ```
//! use std::time::Duration;
//!
//! use call_api::{Call, Client, Error, ErrorBuilder, ErrorKind, Operation, Uuid};
//! use call_api_sandbox::Sandbox;
//!
//! /// The code under test.
//! fn line(result: Result<Call, Error>) -> String {
//!     result.map_or_else(|error| error.kind().to_string(), |call| call.status.to_string())
//! }
//!
//! /// Error bodies of any operation.
//! fn body<O: Operation>(error: &Error) -> Option<O::ErrorBody> {
//!     error.body::<O>()
//! }
//!
//! #[derive(Debug)]
//! struct Locked;
//!
//! impl std::fmt::Display for Locked {
//!     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
//!         f.write_str("the store is locked")
//!     }
//! }
//!
//! impl std::error::Error for Locked {}
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
//!     assert_eq!(line(client.get_call(Uuid::nil()).await), "not found");
//!
//!     let builder: ErrorBuilder = Error::builder(ErrorKind::RateLimited)
//!         .message("no more calls today")
//!         .advice("try tomorrow")
//!         .response(429, r#"{"detail": "Quota used up"}"#)
//!         .retry_after(Duration::from_secs(3600))
//!         .source(Locked);
//!     let error = builder.build();
//!     assert_eq!(error.to_string(), "no more calls today: Quota used up; try tomorrow");
//!     assert!(error.is_retryable() && error.find_source::<Locked>().is_some());
//!     println!("{:?}", body::<call_api::builder::GetCall>(&error));
//!     assert_eq!(line(Err(error.clone())), "rate limited");
//!     let error = error.with_advice("try next week").with_last_seen("the last state");
//!     assert_eq!((error.advice(), error.last_seen()), ("try next week", Some(&"the last state")));
//!     assert_eq!(ErrorKind::from_status(404).to_string(), "not found");
//!     Ok(())
//! }
//! ```
//!
//! # Drift
//! Drift detection compares responses with the API's document. Each kind of drift is reported once and counted, and in
//! strict mode it fails its request:
//!
//! ```
//! use call_api::{Client, Drift, DriftKind, DriftMode, ErrorKind};
//! use call_api_sandbox::Sandbox;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let json = serde_json::to_string(&Sandbox::example_call())?.replace("dialing", "on_hold");
//!     let id = sandbox.put_json(&json)?;
//!     let builder = || Client::builder().base_url(sandbox.base_url()).token(sandbox.token());
//!
//!     let report = |drift: &Drift| match &drift.kind {
//!         DriftKind::UnknownValue(value) => println!("{}: {} may be {value}", drift.operation, drift.place),
//!         _ => println!("{drift}"),
//!     };
//!     let client = builder().drift(DriftMode::Watch).on_drift(report).build()?;
//!     client.get_call(id).await?;
//!     for (drift, count) in client.drifts() {
//!         println!("{count} times: {drift}");
//!     }
//!     assert_eq!(client.drifts()[0].0.kind, DriftKind::UnknownValue("on_hold".to_owned()));
//!
//!     // Drift found by other means is counted with the rest.
//!     let found = Drift::new("get_call", "status", DriftKind::UnknownValue("lost".to_owned()));
//!     assert!(client.report_drift(found)?);
//!
//!     let strict = builder().drift(DriftMode::Strict).build()?;
//!     assert_eq!(strict.get_call(id).await.unwrap_err().kind(), ErrorKind::Drift);
//!     Ok(())
//! }
//! ```
//!
//! # Without `async`
//! With the feature `blocking`, `wait` blocks the thread where `.await` would suspend the task, and `send_blocking`
//! where `send` would; [`block_on_stream`](crate::Client#method.block_on_stream) makes an iterator of a stream. It works in
//! a plain `main`, on any thread, and inside a Tokio runtime.
//!
//! ```
//! use std::time::Duration;
//!
//! use call_api::blocking::BlockingStream;
//! use call_api::{Client, ErrorKind, GetCalls, PollSchedule, Uuid};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let runtime = tokio::runtime::Runtime::new()?;
//!     let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
//!     sandbox.run(call_api_sandbox::Sandbox::example_call(), call_api_sandbox::Script::completed());
//!     sandbox.advance(Duration::from_secs(60));
//!     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
//!     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
//!     let call = client.get_call(id).wait()?;
//!     let response = client.get_call(id).deadline(Duration::from_secs(2)).send_blocking()?;
//!     assert_eq!(response.value, call);
//!
//!     let call = client.wait_until_ended(id).poll_schedule(PollSchedule::every(Duration::from_secs(2))).wait()?;
//!     for change in client.block_on_stream(client.wait_until_ended(id).updates())? {
//!         assert_eq!(change?.call, call);
//!     }
//!     let calls: BlockingStream<GetCalls> = client.block_on_stream(client.get_calls([id, Uuid::nil()]).concurrency(16))?;
//!     for (id, result) in calls {
//!         match result {
//!             Ok(call) => println!("{id}: {}", call.status),
//!             Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
//!         }
//!     }
//!
//!     // Any other future of this client.
//!     let statuses = client.block_on(async {
//!         let (a, b) = tokio::try_join!(client.get_call(id).send(), client.get_call(id).send())?;
//!         Ok([a.status, b.status])
//!     })?;
//!     assert_eq!(statuses, [200, 200]);
//!     Ok(())
//! }
//! ```
//!
//! [`send`]: crate::builder::GetCall::send
