//! SDK for a phone-call API. It fetches a call: who, which agent, which phone, its status, times and recording.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let sandbox = call_api_sandbox::Sandbox::start().await?;
//! # // Nobody reads the environment meanwhile: this is the one thread.
//! # unsafe { std::env::set_var("CALL_API_BASE_URL", sandbox.base_url()) };
//! # unsafe { std::env::set_var("CALL_API_TOKEN", sandbox.token()) };
//! // The token from `CALL_API_TOKEN`, and where the service is from `CALL_API_BASE_URL`.
//! let client = call_api::Client::from_env()?;
//! let id = "3c90c3cc-0d44-4b50-8888-8dd25736052a".parse()?;
//! let call = client.get_call(id).await?;
//! println!("{}, {}", call.contact.identifier, call.status);
//! if let Some(time) = call.talk_time() {
//!     println!("talked for {} s", time.num_seconds());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What lies where
//! - [`Client`] is what you use: short methods, and one [`Error`]. It fetches [a call](Client::get_call) or
//!   [many](Client::get_calls), [waits](Client::wait_until_ended) until one has ended, and fetches its
//!   [recording](Client::recording).
//! - [`types`] is the data ([`Call`], [`CallStatus`] …), generated from the API's OpenAPI document.
//! - [`transport`] is what may be set, given and seen of a request on its way: tokens, options, attempts, a clock.
//! - [`raw`] is what all this is built on: the generated client, with a builder for every operation of the document
//!   ([`Client::raw`]), and the transport as a whole.
//!
//! Types of `reqwest` and progenitor are seen under [`raw`] and nowhere else, so that what lies beneath may change.
//! [`Client::raw`], [`Client::from_transport`] and [`ClientBuilder::transport`] are the doors to it.
//!
//! # What each sends
//! | | sends | how often |
//! |---|---|---|
//! | [`get_call`](Client::get_call) | `GET /v1/call/{id}` | once |
//! | [`wait_until_ended`](Client::wait_until_ended) | the same | at once, then every 1 to 5 s while the call is dialed, and every 5 to 30 s afterwards |
//! | [`get_calls`](Client::get_calls) | the same | once for each id, eight at a time |
//! | [`recording`](Client::recording) | `GET` of the recording's URL | once |
//! | | `GET /v1/call/{id}`, where the call given has none yet | at once, then every 2 to 30 s |
//!
//! Where that is safe, each of them is sent again when it fails in a way that may pass: three times at most, no sooner than
//! a `Retry-After` asks. All have `options`, for settings of their own, and may be dropped at any point: nothing of them
//! goes on behind your back.
//!
//! # Features
//! `rustls` (default) or `native-tls` for https; `gzip` for compressed responses; `tracing` for a span a call and an
//! event an attempt; `rate-limit` for a limit on the client's side; `blocking` for a client without `async`.

#[cfg(feature = "blocking")]
pub mod blocking;
mod cadence;
mod change;
mod client;
mod detail;
mod drift;
mod error;
mod many;
pub mod raw;
mod recording;
mod request;
pub mod transport;
pub mod types;
mod wait;

pub use cadence::Cadence;
pub use change::{Change, ImpossibleStep};
pub use chrono;
pub use client::{BASE_URL_VARIABLE, Client, ClientBuilder, DEFAULT_BASE_URL, TOKEN_VARIABLE};
pub use detail::{Detail, FieldError};
pub use drift::{Drift, DriftKind, DriftMode};
pub use error::{Error, ErrorKind};
pub use http;
pub use many::GetCalls;
pub use recording::{FetchRecording, Recording, SavedRecording};
pub use request::{GetCall, Response, WithMeta};
pub use transport::{AttemptLog, Progress, RequestOptions, Token, TokenProvider};
pub use types::{Call, CallStatus, CallType, Contact, ContactType, Unmasked, unmasked};
pub use uuid::Uuid;
pub use wait::{Updates, WaitUntilEnded};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
