//! What the SDK is built on: the generated client, with a builder for every operation of the document, and the
//! [`transport`] that its requests go through.
//!
//! Here, and nowhere else, are types of `reqwest` and progenitor seen: a new major version of theirs changes this module.
//!
//! ```
//! use call_api::raw;
//! use call_api::raw::transport::Transport;
//! use call_api::{RequestOptions, Client, Token};
//! # use call_api_sandbox::Sandbox;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let sandbox = Sandbox::start().await?;
//! # let id = Sandbox::EXAMPLE_ID;
//! let transport = Transport::builder(sandbox.base_url()).token(Token::new(sandbox.token())?).build()?;
//! let client = raw::Client::new(transport);
//! let response: raw::ResponseValue<call_api::Call> = client.get_call().id(id).send().await?;
//! println!("{}: {}", response.status(), response.into_inner().status);
//!
//! let once = client.transport().with_options(RequestOptions::new().max_attempts(1));
//! let error = raw::Client::new(once).get_call().id(call_api::Uuid::nil()).send().await.unwrap_err();
//! assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
//!
//! // The same transport, for the client with the short methods.
//! let client = Client::from_transport(client.transport().clone());
//! assert_eq!(client.get_call(id).await?.id, id);
//! # Ok(())
//! # }
//! ```

pub use call_api_client::*;
pub use call_api_transport as transport;
