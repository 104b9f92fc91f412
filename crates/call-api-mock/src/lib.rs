//! Typed mocks of the API's operations, for tests: `httpmock` with one method for each operation.
//!
//! [`MockServerExt`] adds them to [`MockServer`]. `when` has a method for each parameter and for the body, and describes
//! the request; `then` has a method for each documented status, and sets the response. Both take the document's types, so
//! a mock that no longer matches the document does not compile:
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
//! A parameter that `when` does not mention may have any value. `into_inner` returns `httpmock`'s own
//! [`When`](httpmock::When) and [`Then`](httpmock::Then), for what the document does not describe, such as another status
//! or a delay:
//!
//! ```text
//! server.get_thing(|_, then| {
//!     then.into_inner().status(503).header("retry-after", "1");
//! });
//! ```
//!
//! An operation with the name of a method of [`MockServer`] is reached as `MockServerExt::reset(&server, …)`. WebSockets
//! cannot be mocked: their `then` has no status.
//!
//! `cargo xtask codegen` writes `generated.rs` from the OpenAPI document. This file, and `when` and `then`, which the
//! generated code uses, are written by hand.

// docs.rs marks what needs a feature.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[rustfmt::skip]
#[allow(clippy::all, clippy::return_self_not_must_use, dead_code, deprecated, unused_imports, reason = "generated")]
mod generated;
#[allow(dead_code, reason = "the document decides which parts are used")]
mod then;
#[allow(dead_code, reason = "the document decides which parts are used")]
mod when;

use call_api_client::types;
pub use generated::*;
pub use httpmock::{self, Mock, MockServer};
