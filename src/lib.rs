//! SDK for a phone-call API: fetch calls, wait until they have ended, download their recordings.
//!
//! `Cargo.toml`:
//!
//! ```toml
//! [dependencies]
//! call-api = "0.1"
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//!
//! [dev-dependencies]
//! call-api-sandbox = "0.1"
//! ```
//!
//! `src/main.rs`:
//!
//! ```no_run
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Reads the token from `CALL_API_TOKEN`, and the base URL from `CALL_API_BASE_URL`.
//!     let client = call_api::Client::from_env()?;
//!     let id = "3c90c3cc-0d44-4b50-8888-8dd25736052a".parse()?;
//!     let call = client.get_call(id).await?;
//!     println!("{}, {}", call.id, call.status);
//!     if let Some(time) = call.talk_time() {
//!         println!("talked for {} s", time.num_seconds());
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A test, with the API on this machine:
//!
//! ```
//! use call_api::{CallStatus, Client};
//! use call_api_sandbox::Sandbox;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
//!     let call = client.get_call(Sandbox::EXAMPLE_ID).await?;
//!     assert_eq!(call.status, CallStatus::Dialing);
//!     Ok(())
//! }
//! ```
//!
//! # Contents
//! - [`Client`] has every operation of the API, such as [`get_call`](call_api_client::Client::get_call), and the helpers
//!   for phone calls: [many calls](Client::get_calls), waiting until one [has ended](Client::wait_until_ended) or
//!   [is settled](Client::wait_until_settled), and its [recording](Client::recording). Whatever goes wrong is one [`Error`].
//! - [`guide`] shows settings, errors, drift detection and requests without `async`.
//! - [`types`] is the data ([`Call`], [`CallStatus`] …), generated from the API's OpenAPI document.
//! - [`transport`] is what can be set and observed of HTTP: tokens, options, attempts, a clock.
//!
//! # Requests
//! | | sends | how often |
//! |---|---|---|
//! | [`get_call`](call_api_client::Client::get_call) | `GET /v1/call/{id}` | once |
//! | [`wait_until_ended`](Client::wait_until_ended) | the same | at once, then every 1 to 5 s while the call is dialed, and every 5 to 30 s afterwards |
//! | [`wait_until_settled`](Client::wait_until_settled) | the same | as above, and on until nothing is missing |
//! | [`get_calls`](Client::get_calls) | the same | once for each id, eight at a time |
//! | [`recording`](Client::recording) | `GET` of the recording's URL | once |
//! | | `GET /v1/call/{id}`, if the given call has no recording yet | at once, then every 2 to 30 s |
//!
//! Each is retried on transient errors if that is safe, three attempts in all, and honors `Retry-After`. All have
//! `options`, and can be dropped at any point: nothing continues in the background.
//!
//! # Features
//! `rustls` (default) or `native-tls` for https; `gzip` for compressed responses; `tracing` for a span per request and an
//! event per attempt; `rate-limit` for a limit on the client's side; `blocking` for requests without `async`.
//!
//! The targets of spans and events are `call_api`, `call_api_client` and `call_api_transport`, whatever module they are
//! from. A request that fails is one event at `WARN`, inside its span, which then has `error.type`.
//!
//! # Minimum Rust version
//! Rust 1.95, the one that CI tests with; older ones are not tested.

#![deny(missing_debug_implementations)]
// docs.rs marks what needs a feature.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod change;
mod client;
pub mod guide;
mod many;
mod poll;
mod recording;
#[cfg(doctest)]
mod reference;
pub mod transport;
pub mod types;
mod wait;

#[cfg(feature = "blocking")]
#[doc(inline)]
pub use call_api_client::blocking;
#[doc(inline)]
pub use call_api_client::{
    AttemptLog, BASE_URL_VARIABLE, ByteStream, Collected, Cursor, DEFAULT_BASE_URL, Delivery,
    Detail, Drift, DriftKind, DriftMode, Error, ErrorBodies, ErrorBuilder, ErrorKind, Event,
    EventData, Events, FieldError, ItemError, Items, JsonLines, NextPage, Operation, Page, Paged,
    Pages, Paging, PropertyPath, RequestFuture, RequestOptions, Response, SECURITY_SCHEMES,
    SERVERS, Streamed, TOKEN_VARIABLE, builder,
};
#[doc(inline)]
pub use call_api_client::{raw, response, webhooks};
pub use change::{Change, InvalidTransition};
pub use chrono;
pub use client::{Client, ClientBuilder};
pub use http;
pub use many::GetCalls;
pub use poll::PollSchedule;
pub use recording::{FetchRecording, Recording, SavedRecording};
pub use transport::{Progress, Token, TokenProvider};
pub use types::{Call, CallStatus, CallType, Contact, ContactType, Unmasked, unmasked};
pub use uuid::Uuid;
pub use wait::{LateProperty, Settled, Updates, WaitUntilEnded, WaitUntilSettled};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
