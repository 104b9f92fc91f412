//! The client: one method of [`Client`] for each operation of the API's document.
//!
//! A method returns a request, which has a setter for each optional parameter. A request is sent by awaiting it for the
//! decoded value, or by `send` for a [`Response`] with status, headers and attempt log. [`RequestOptions`] and its
//! shorthands (`deadline`, `max_attempts`) apply to one request, [`Client::builder`] to all. Whatever goes wrong is an
//! [`Error`].
//!
//! `generated.rs` is written by `cargo xtask codegen` from the OpenAPI document; the rest of this crate is the same for
//! every document. A request passes through `generated.rs` (its builder), `request.rs` (sending and decoding) and
//! [`Transport`]: authentication, deadline, retries and limits.
//!
//! # Features
//! `blocking` for requests without `async`; `rate-limit` for a limit on the client's side; `tracing` for a span per
//! request, an event per attempt, and a warning per kind of drift.

#![deny(missing_debug_implementations)]
// docs.rs marks what needs a feature.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod cursor;
mod detail;
mod drift;
// Public for `call-api-mock`, which expects what this crate sends.
#[doc(hidden)]
pub mod encode;
mod error;
mod error_bodies;
mod error_kind;
mod events;
#[rustfmt::skip]
#[allow(clippy::all, dead_code, deprecated, irrefutable_let_patterns, unused_imports, unused_variables, reason = "generated")]
mod generated;
mod item_error;
mod multipart;
mod paging;
mod plain_text;
pub mod raw;
mod request;
mod sealed;
mod stream;
pub mod webhooks;

pub use call_api_transport::{self as transport, AttemptLog, Delivery, RequestOptions, Transport};
/// The types of parameters, bodies and responses.
pub use call_api_types as types;
pub use client::{BASE_URL_VARIABLE, Client, ClientBuilder, DEFAULT_BASE_URL, TOKEN_VARIABLE};
pub use cursor::Cursor;
pub use detail::{Detail, FieldError};
pub use drift::{Drift, DriftKind, DriftMode};
pub use error::{Error, ErrorBuilder};
pub use error_bodies::ErrorBodies;
pub use error_kind::ErrorKind;
pub use events::{Event, EventData, Events, JsonLines, Streamed};
pub use generated::*;
pub use item_error::ItemError;
pub use paging::{Collected, Items, NextPage, Page, Paged, Pages, Paging, PropertyPath};
// For generated code alone.
#[doc(hidden)]
pub use request::{InvalidRequest, Prepared, Received, Undecoded, error_body};
pub use request::{Operation, RequestFuture, Response};
pub use stream::{ByteStream, Upgrade};
