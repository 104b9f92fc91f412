//! A local server for the call API: the server side of `spec/openapi.json`, for tests and local development.
//!
//! ```
//! use call_api_sandbox::Sandbox;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let _ = rustls::crypto::ring::default_provider().install_default();
//!     let sandbox = Sandbox::start().await?;
//!
//!     // Any HTTP client works; this one knows nothing about the API.
//!     let url = format!("{}/v1/call/{}", sandbox.base_url(), Sandbox::EXAMPLE_ID);
//!     let response = reqwest::Client::new().get(url).bearer_auth(sandbox.token()).send().await?;
//!     assert_eq!(response.status(), 200);
//!     let call: call_api_types::Call = response.json().await?;
//!     assert_eq!(call, Sandbox::example_call());
//!
//!     assert_eq!(sandbox.requests().len(), 1);
//!     Ok(())
//! }
//! ```
//!
//! A sandbox serves the example call of the API reference and every call added with [`put`](Sandbox::put). Errors follow
//! FastAPI, which the real service appears to use: 401 for a missing or wrong token, 404 for an unknown id or path, 422
//! with pydantic's error list for an id that is not a UUID, 405 for another method. `tests/fastapi` holds recorded
//! responses of a FastAPI service; a test compares the sandbox with each of them.
//!
//! Every other operation of the document is validated and answered with the document's example, or a sample of its schema. Of a
//! list, that is the first page; later ones are empty. Routes that are not in the document are below `/_sandbox`.
//!
//! Calls can follow a [script](Script) on a controllable [clock](Clock), requests can be answered with
//! [faults](Faults), and each [tenant](Tenant) sees only its own calls.
//!
//! With the feature `webhooks`, a sandbox sends a signed request to a receiver when the status of a call changes.
//!
//! With the feature `program`, `call-api-sandbox` is a program that listens on `127.0.0.1:3000`, the address in the API
//! reference.

// docs.rs marks what needs a feature.
#![cfg_attr(docsrs, feature(doc_cfg))]
// It computes with lengths, offsets and times that a client chooses.
#![warn(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]

mod api;
mod auth;
mod body;
mod builder;
mod call_id;
mod call_json;
mod change;
mod clock;
mod connection;
mod control;
mod cors;
mod fault;
#[cfg(feature = "pages")]
mod history;
#[cfg(feature = "sqlite")]
mod import;
mod integer;
mod log;
mod operations;
mod origin;
#[cfg(feature = "pages")]
mod pages;
mod paging;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod program;
mod recording;
mod responses;
mod routes;
mod script;
mod seconds;
mod server;
mod store;
mod tenant;
mod validation;
#[cfg(feature = "webhooks")]
mod webhooks;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use call_api_types::{Call, CallStatus, CallType, ContactType};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use builder::{InvalidDescription, SandboxBuilder};
pub use call_json::InvalidCall;
pub use clock::{Clock, InvalidTime};
pub use fault::{Fault, FaultRule, Faults, InvalidFaults};
#[cfg(feature = "sqlite")]
pub use import::{InvalidLine, Progress, import};
pub use log::Request;
pub use script::Script;
pub use tenant::Tenant;
#[cfg(feature = "webhooks")]
pub use webhooks::{InvalidWebhook, Webhook, WebhookDelivery, WebhookOutcome};

use api::Api;
use routes::{OptionalRoutes, Service};
use server::Limits;

/// The tenant used when none is named.
const DEFAULT_TENANT: &str = "default";

/// A running sandbox. Dropping it stops the server.
///
/// # Recordings
/// A call that follows a [script](Self::run) gets a `recording_url` when the script says so. The URL points to the
/// sandbox, on the host of the request: `{base_url}/_sandbox/recordings/{id}/{seconds}.wav`. It serves a WAV file of that
/// length, 8,000 bytes per second, and requires no token. The response has a `Content-Type`, a `Content-Length` and a
/// strong `ETag`, and supports `Range`, `If-Range` and `If-None-Match`.
pub struct Sandbox {
    api: Arc<Api>,
    /// The token for [`Sandbox::token`]; `api` holds only hashes.
    token: String,
    address: SocketAddr,
    base_url: String,
    /// Stops the server when dropped.
    shutdown: oneshot::Sender<()>,
    server: JoinHandle<()>,
    /// Sends webhooks until it is dropped.
    #[cfg(feature = "webhooks")]
    webhooks: tokio::task::JoinSet<()>,
}

impl Sandbox {
    /// The id of the [example call](Self::example_call), which every sandbox serves.
    pub const EXAMPLE_ID: Uuid = Uuid::from_u128(0x3c90c3cc_0d44_4b50_8888_8dd25736052a);

    /// The token used when none is configured. It is public, so it is accepted on loopback addresses only.
    pub const DEFAULT_TOKEN: &str = "sandbox-token";

    /// The default number of requests that [`requests`](Self::requests) returns.
    pub const MAX_LOGGED: usize = 10_000;

    /// Starts a sandbox with the example call on a free port of `127.0.0.1`.
    ///
    /// # Errors
    /// The operating system's error when it cannot listen there.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime: see [`SandboxBuilder::start`].
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Returns a builder for the sandbox's calls, tokens and address.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::new()
    }

    /// Returns the example call: an inbound one that is being dialed, with the values of the API reference. Properties that
    /// a later document adds have the values of its own example.
    pub fn example_call() -> Call {
        let mut call = Call::sample();
        // 2023-11-07 05:31:56 UTC
        let time = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_699_335_116);
        call.id = Self::EXAMPLE_ID;
        call.agent_id = Some(Self::EXAMPLE_ID);
        call.status = CallStatus::Dialing;
        call.type_ = CallType::Inbound;
        call.contact.id = Self::EXAMPLE_ID;
        call.contact.created_date = time;
        call.contact.identifier = "<string>".to_owned();
        call.contact.contact_type = ContactType::Call;
        call.phone_id = Some(Self::EXAMPLE_ID);
        call.created_date = time;
        call.recording_url = Some("<string>".to_owned());
        call.start_time = Some(time);
        call.end_time = Some(time);
        call.duration = Some(123);
        call.end_reason = Some("<string>".to_owned());
        call
    }

    /// The base URL of the API, without a trailing slash, such as `http://127.0.0.1:49152`.
    ///
    /// If the sandbox listens on all addresses of the machine, this is the loopback address.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The address that the sandbox listens on, with the port that the system assigned.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A Bearer token that the sandbox accepts: that of the tenant `default`, else the first that was configured.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Adds a call, replacing one with the same id.
    ///
    /// Optional properties that are `None` are left out where the document allows it, and `null` otherwise.
    /// [`put_json`](Self::put_json) controls this per property.
    pub fn put(&self, call: Call) {
        self.default_tenant().put(call);
    }

    /// Adds a call that follows a script, starting now. Replaces a call with the same id.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use call_api_sandbox::{Clock, Sandbox, Script};
    ///
    /// #[tokio::main]
    /// async fn main() -> std::io::Result<()> {
    ///     // An hour of calls takes a minute. Tests use `Clock::manual()`.
    ///     let sandbox = Sandbox::builder().clock(Clock::scaled(60)).start().await?;
    ///     sandbox.run(Sandbox::example_call(), Script::completed());
    ///     Ok(())
    /// }
    /// ```
    pub fn run(&self, call: Call, script: Script) {
        self.default_tenant().run(call, script);
    }

    /// Removes a call. Returns true if there was one.
    pub fn remove(&self, id: Uuid) -> bool {
        self.default_tenant().remove(id)
    }

    /// Returns a tenant configured with [`SandboxBuilder::tenant`]. The methods of [`Sandbox`] itself act on the tenant
    /// `default`.
    ///
    /// ```
    /// use call_api_sandbox::Sandbox;
    ///
    /// #[tokio::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let sandbox = Sandbox::builder().tenant("acme", "token-of-acme").start().await?;
    ///     if let Some(acme) = sandbox.tenant("acme") {
    ///         // Requests with `token-of-acme` see this call; others get a 404.
    ///         acme.put(Sandbox::example_call());
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn tenant(&self, name: &str) -> Option<Tenant<'_>> {
        let id = *self.api.tenants.get(name)?;
        Some(Tenant { api: &self.api, id })
    }

    /// The tenant that the methods of `Sandbox` act on.
    fn default_tenant(&self) -> Tenant<'_> {
        Tenant {
            api: &self.api,
            id: self.api.initial.default_tenant,
        }
    }

    /// The current time of the sandbox's [`Clock`].
    pub fn now(&self) -> DateTime<Utc> {
        self.api.time.now()
    }

    /// Sets the clock, also to an earlier time.
    ///
    /// # Errors
    /// Errors if the time is not within the years 1 to 9999.
    ///
    /// # Panics
    /// Panics if the calls are in a database that cannot be written.
    pub fn set_time(&self, time: DateTime<Utc>) -> Result<(), InvalidTime> {
        let time = clock::check_time(time)?;
        tenant::expect_stored(self.api.set_time(time));
        Ok(())
    }

    /// Moves the clock forward, whatever its [`Clock`]. Returns the new time.
    ///
    /// # Panics
    /// Panics if the calls are in a database that cannot be written.
    pub fn advance(&self, by: Duration) -> DateTime<Utc> {
        tenant::expect_stored(self.api.advance(by))
    }

    /// Replaces all faults: see [`Faults`]. `Faults::default()` removes them.
    ///
    /// # Errors
    /// Errors if a rule is invalid: a share outside of 0 to 1, a status below 200, an unknown operation or
    /// tenant.
    pub fn set_faults(&self, faults: Faults) -> Result<(), InvalidFaults> {
        self.api.faults.set(faults)
    }

    /// Adds a call as raw JSON, replacing one with the same id. The JSON is served as it is, except for white space between
    /// tokens, so it may have `null`s, unknown values and unknown properties, and may lack required ones.
    ///
    /// ```
    /// use call_api_sandbox::{InvalidCall, Sandbox};
    ///
    /// fn put(sandbox: &Sandbox) -> Result<(), InvalidCall> {
    ///     let call = r#"{"id": "00000000-0000-0000-0000-000000000007", "status": "on_hold"}"#;
    ///     let id = sandbox.put_json(call)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// Errors if it is not a JSON object with a UUID as its `id`.
    pub fn put_json(&self, json: &str) -> Result<Uuid, InvalidCall> {
        self.default_tenant().put_json(json)
    }

    /// The requests received so far, including rejected ones, oldest first; at most the latest
    /// [`MAX_LOGGED`](Self::MAX_LOGGED). A request is logged before it is answered.
    pub fn requests(&self) -> Vec<Request> {
        self.api.log.requests()
    }

    /// The deliveries of webhooks, oldest first; at most the latest 2,000 for each receiver. A webhook that is sent to
    /// several [receivers](SandboxBuilder::webhook) has a delivery to each.
    #[cfg(feature = "webhooks")]
    pub fn webhook_deliveries(&self) -> Vec<WebhookDelivery> {
        self.api.webhook_deliveries()
    }

    /// Stops listening and waits for requests in flight, for at most two seconds. Webhooks that are not delivered are
    /// canceled.
    ///
    /// Dropping the sandbox does the same without waiting.
    pub async fn shutdown(self) {
        let Self {
            shutdown,
            server,
            #[cfg(feature = "webhooks")]
            mut webhooks,
            ..
        } = self;
        drop(shutdown);
        #[cfg(feature = "webhooks")]
        webhooks.shutdown().await;
        let _ = server.await;
    }

    async fn serve(
        api: Arc<Api>,
        optional: OptionalRoutes,
        token: String,
        listen: SocketAddr,
        limits: Limits,
    ) -> io::Result<Self> {
        let at = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"))
        };
        let listener = TcpListener::bind(listen).await.map_err(at)?;
        let address = listener.local_addr().map_err(at)?;
        let base_url = format!("http://{}", reachable(address));
        #[cfg(feature = "webhooks")]
        let webhooks = api.start_webhooks(&base_url)?;
        let (shutdown, stopped) = oneshot::channel::<()>();
        let service = Service::new(Arc::clone(&api), optional);
        let server = tokio::spawn(server::serve(listener, service, limits, stopped));
        Ok(Self {
            api,
            token,
            address,
            base_url,
            shutdown,
            server,
            #[cfg(feature = "webhooks")]
            webhooks,
        })
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// The address to connect to: loopback when the sandbox listens on all addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        _ => address,
    }
}

/// Runs the code in the README as a test. Some of it needs the feature.
#[cfg(all(doctest, feature = "webhooks"))]
#[doc = include_str!("../README.md")]
struct Readme;
