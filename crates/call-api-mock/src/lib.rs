//! Typed mocks of the API's operations, for tests: `httpmock` with one method for each operation.
//!
//! [`MockServerExt`] adds them to [`MockServer`]. What a request has to be is said by `when`, with a method for each
//! parameter and for the body; what it is answered with by `then`, with a method for each status that the document names.
//! Both take the document's types, so a mock that no longer fits the API doesn't compile:
//!
//! ```text
//! let server = MockServer::start_async().await;
//! let mock = server.get_thing(|when, then| {
//!     when.id(&id);
//!     then.ok(&thing);
//! });
//! // … a client whose base URL is `server.base_url()` …
//! mock.assert();
//! ```
//!
//! A parameter of which `when` says nothing may be anything. What the document doesn't say (another status, a body that
//! breaks off, a delay) is said by `into_inner`, which gives `httpmock`'s own [`When`](httpmock::When) and
//! [`Then`](httpmock::Then):
//!
//! ```text
//! server.get_thing(|_, then| {
//!     then.into_inner().status(503).header("retry-after", "1");
//! });
//! ```
//!
//! An operation that is called like one of [`MockServer`]'s own methods is reached as `MockServerExt::reset(&server, …)`.
//! A WebSocket can't be mocked: its `then` has no status.
//!
//! `generated.rs` is written by `cargo xtask codegen` from the OpenAPI document; by hand are this file, and `when` and
//! `then`, which it calls.

#[rustfmt::skip]
#[allow(clippy::all, dead_code, deprecated, unused_imports, reason = "generated")]
mod generated;
#[allow(dead_code, reason = "which of it is used is the document's to say")]
mod then;
#[allow(dead_code, reason = "which of it is used is the document's to say")]
mod when;

use call_api_client::types;
pub use generated::*;
pub use httpmock::{self, Mock, MockServer};
