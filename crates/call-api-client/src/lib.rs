//! The operations of the API, one method of [`Client`] each: it begins a request, whose parameters are set one by one and
//! which `send` sends.
//!
//! Two halves make this crate. `generated.rs` is written by `cargo xtask codegen` from the OpenAPI document; by hand are
//! this file, `encode`, which writes lists and objects into a URL, a header or a form in the style that the document asks
//! for, `multipart`, which writes the parts of a form, `exchange` and `decode`, which make a response of a request and a
//! value of a response, and `hooks`, through which every request goes to the [`Transport`]: it has the token, the
//! deadline, the retries and the limits. There is no way around it, so a client is made from a transport and from nothing else:
//!
//! ```no_run
//! use call_api_client::Client;
//! use call_api_transport::{Token, Transport};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = Transport::builder("https://api.example")
//!     .token(Token::from_env("API_TOKEN")?)
//!     .build()?;
//! let client = Client::new(transport);
//! # Ok(())
//! # }
//! ```

mod decode;
// Public for `call-api-mock`, which expects what this crate sends.
#[doc(hidden)]
pub mod encode;
mod exchange;
#[rustfmt::skip]
#[allow(clippy::all, dead_code, deprecated, irrefutable_let_patterns, unused_imports, reason = "generated")]
mod generated;
mod hooks;
mod multipart;

use call_api_transport::Transport;

pub use generated::*;

impl Client {
    /// A client whose requests go through `transport`, to its base URL.
    pub fn new(transport: Transport) -> Self {
        Self {
            baseurl: transport.base_url().to_owned(),
            client: transport.http_client().clone(),
            inner: transport,
        }
    }

    /// The transport that this client's requests go through.
    pub fn transport(&self) -> &Transport {
        &self.inner
    }
}
