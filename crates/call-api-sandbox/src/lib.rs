//! The call API on your own machine: the server side of `spec/openapi.json`, for tests and for trying things out.
//!
//! ```
//! use call_api_sandbox::Sandbox;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let _ = rustls::crypto::ring::default_provider().install_default();
//! let sandbox = Sandbox::start().await?;
//!
//! // Any client: here one that knows nothing of the API.
//! let url = format!("{}/v1/call/{}", sandbox.base_url(), Sandbox::EXAMPLE_ID);
//! let response = reqwest::Client::new().get(url).bearer_auth(sandbox.token()).send().await?;
//! assert_eq!(response.status(), 200);
//! let call: call_api_types::Call = response.json().await?;
//! assert_eq!(call, Sandbox::example_call());
//!
//! assert_eq!(sandbox.requests().len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! It serves the example call of the API's reference and every call that is [`put`](Sandbox::put) into it, and says what
//! is wrong as a FastAPI service does, which the real one is taken for: no or a wrong token 401, an unknown id 404, an id
//! that is no uuid 422 with pydantic's list, another path 404, another method 405. `tests/fastapi` holds answers of a
//! real FastAPI that this is compared with.
//!
//! Beside that, calls [live](Script) by a [clock](Clock), [faults](Faults) happen, and each [tenant](Tenant) sees its own
//! calls only.
//!
//! `cargo run -p call-api-sandbox` runs it as a program, on `127.0.0.1:3000` as in the reference.

mod answer;
mod auth;
mod builder;
mod call_id;
mod clock;
mod control;
mod document;
mod fault;
#[cfg(feature = "sqlite")]
mod import;
mod log;
#[cfg(feature = "pages")]
mod pages;
mod recording;
mod routes;
mod script;
mod seconds;
mod server;
mod store;
mod tenant;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use call_api_types::Call;
use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use builder::SandboxBuilder;
pub use clock::Clock;
pub use document::InvalidCall;
pub use fault::{Fault, FaultRule, Faults, InvalidFaults};
#[cfg(feature = "sqlite")]
pub use import::{BadLine, Progress, import};
pub use log::Request;
pub use script::Script;
pub use tenant::Tenant;

use document::Document;
use routes::{Api, Extras, Service};
use server::Limits;

/// Whose calls are those that nobody is named for.
const DEFAULT_TENANT: &str = "default";

/// The API, listening. Dropping it ends it.
///
/// # Recordings
/// A call that [runs](Self::run) gets a `recording_url` in its script's time, at the sandbox itself, on the host that the
/// call was asked from: `{base_url}/recordings/{id}/{seconds}.wav`. There it serves a WAV file of so many seconds, 8,000
/// bytes each, to anybody: no token is asked for, and none should be sent. It has a `Content-Type`, a `Content-Length`
/// and a strong `ETag`, and knows `Range`, `If-Range` and `If-None-Match`.
pub struct Sandbox {
    api: Arc<Api>,
    /// The first tenant's, for its owner; the API has only its hash.
    token: String,
    address: SocketAddr,
    base_url: String,
    /// The server ends once this is gone.
    running: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Sandbox {
    /// The id of the call that the API's reference gives as its example, and that every sandbox serves.
    pub const EXAMPLE_ID: Uuid = Uuid::from_u128(0x3c90c3cc_0d44_4b50_8888_8dd25736052a);

    /// That call's JSON, as it stands in the reference.
    pub const EXAMPLE_JSON: &str = include_str!("example.json");

    /// The token where none is given. Everybody knows it, so it is for loopback addresses only.
    pub const DEFAULT_TOKEN: &str = "sandbox-token";

    /// How many requests [`requests`](Self::requests) goes back.
    pub const LOGGED: usize = 10_000;

    /// Starts a sandbox with the example call on a free port of `127.0.0.1`.
    ///
    /// # Errors
    /// Whatever the system says to listening there.
    ///
    /// # Panics
    /// Outside of a Tokio runtime: see [`SandboxBuilder::start`].
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Sets a sandbox up: its calls, its token, its address.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::new()
    }

    /// The call that the API's reference gives as its example.
    pub fn example_call() -> Call {
        #[expect(clippy::expect_used, reason = "a constant that a test reads")]
        serde_json::from_str(Self::EXAMPLE_JSON).expect("the example is a call")
    }

    /// Where the API is, without a slash at the end: `http://127.0.0.1:49152`.
    ///
    /// Where the sandbox listens on all addresses of the machine, this is the loopback one.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The address that the sandbox listens on, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The Bearer token to ask with: the tenant `default`'s, or the first that was given where it has none.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Serves this call from now on, in place of the one with its id, if there is one.
    ///
    /// Of the properties that the document lets be absent or `null`, those that are `None` are absent.
    /// [`put_json`](Self::put_json) has a say in that.
    pub fn put(&self, call: Call) {
        self.own().put(call);
    }

    /// Serves this call from now on as its script has it, which begins now.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use call_api_sandbox::{Clock, Sandbox, Script};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// // An hour of calls in a minute; `Clock::stepped()` is for tests.
    /// let sandbox = Sandbox::builder().clock(Clock::times(60)).start().await?;
    /// sandbox.run(Sandbox::example_call(), Script::completed());
    /// # Ok(())
    /// # }
    /// ```
    pub fn run(&self, call: Call, script: Script) {
        self.own().run(call, script);
    }

    /// Serves the call no more. Returns whether it was served.
    pub fn remove(&self, id: Uuid) -> bool {
        self.own().remove(id)
    }

    /// The calls of a tenant that [`SandboxBuilder::tenant`] named. Those of the sandbox's own methods are the tenant
    /// `default`'s.
    ///
    /// ```
    /// use call_api_sandbox::Sandbox;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let sandbox = Sandbox::builder().tenant("acme", "token-of-acme").start().await?;
    /// if let Some(acme) = sandbox.tenant("acme") {
    ///     // Only who asks with `token-of-acme` is given it; to others it is a 404.
    ///     acme.put(Sandbox::example_call());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn tenant(&self, name: &str) -> Option<Tenant<'_>> {
        let id = *self.api.tenants.get(name)?;
        Some(Tenant { api: &self.api, id })
    }

    /// The default tenant.
    fn own(&self) -> Tenant<'_> {
        Tenant {
            api: &self.api,
            id: self.api.start.example.0,
        }
    }

    /// What time it is for calls that live: see [`Clock`].
    pub fn now(&self) -> DateTime<Utc> {
        self.api.time.now()
    }

    /// Moves the time on at once, whatever the [`Clock`]. Returns the time it is then.
    ///
    /// # Panics
    /// Where the calls are kept in a file, and it can't be written.
    pub fn advance(&self, by: Duration) -> DateTime<Utc> {
        tenant::kept(self.api.advance(by))
    }

    /// Has these faults happen from now on, in place of those before: see [`Faults`]. None happen after
    /// `Faults::default()`.
    ///
    /// # Errors
    /// Where a rule can't be followed: a share that is none, a status below 200, an operation that there isn't.
    pub fn set_faults(&self, faults: Faults) -> Result<(), InvalidFaults> {
        self.api.faults.set(faults)
    }

    /// Serves this JSON from now on as the call whose id it has: as it is, be it with `null`, with values or properties
    /// that the document doesn't know, or without ones that it asks for. Only spaces between its tokens are left out.
    ///
    /// ```
    /// # use call_api_sandbox::{InvalidCall, Sandbox};
    /// # fn put(sandbox: &Sandbox) -> Result<(), InvalidCall> {
    /// let id = sandbox.put_json(r#"{"id": "00000000-0000-0000-0000-000000000007", "status": "on_hold"}"#)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Where it is no JSON object with a uuid as its `id`: nobody could ask for it.
    pub fn put_json(&self, json: &str) -> Result<Uuid, InvalidCall> {
        self.own().put_json(json)
    }

    /// The requests so far, also the refused ones, oldest first: the latest [`LOGGED`](Self::LOGGED) of them. A request
    /// is in here before it is answered.
    pub fn requests(&self) -> Vec<Request> {
        self.api.log.requests()
    }

    /// Stops listening, and waits until the requests that came are answered; for two seconds at most.
    ///
    /// Dropping the sandbox does the same without waiting.
    pub async fn shutdown(self) {
        let Self {
            running, server, ..
        } = self;
        drop(running);
        let _ = server.await;
    }

    async fn serve(
        api: Arc<Api>,
        extras: Extras,
        token: String,
        listen: SocketAddr,
        limits: Limits,
    ) -> io::Result<Self> {
        let at = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"))
        };
        let listener = TcpListener::bind(listen).await.map_err(at)?;
        let address = listener.local_addr().map_err(at)?;
        let (running, ended) = oneshot::channel::<()>();
        let service = Service::new(Arc::clone(&api), extras);
        let server = tokio::spawn(server::serve(listener, service, limits, ended));
        Ok(Self {
            api,
            token,
            address,
            base_url: format!("http://{}", reachable(address)),
            running,
            server,
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

/// The address to connect to, where "all addresses" is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        _ => address,
    }
}

/// The code in the README, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

fn example_document() -> Document {
    #[expect(clippy::expect_used, reason = "a constant that a test reads")]
    Document::parse(Sandbox::EXAMPLE_JSON).expect("the example is a call")
}
