//! How a sandbox is set up.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use call_api_types::Call;

use crate::auth::Token;
use crate::clock::{Clock, Time, time_of_day};
use crate::document::Document;
use crate::fault::{Faults, Injector};
use crate::log::Log;
use crate::routes::{self, Api};
use crate::script::Script;
use crate::server::Limits;
use crate::store::Store;
use crate::{Sandbox, example_document};

/// Sets up a [`Sandbox`]: which calls it has, who may ask, where it listens.
///
/// ```
/// use call_api_sandbox::Sandbox;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let sandbox = Sandbox::builder().token("a-token-of-mine").start().await?;
/// assert_eq!(sandbox.token(), "a-token-of-mine");
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing listens before `start`"]
pub struct SandboxBuilder {
    token: Option<String>,
    listen: SocketAddr,
    calls: Vec<Document>,
    scripted: Vec<(Call, Script)>,
    clock: Clock,
    faults: Faults,
    limits: Limits,
}

impl SandboxBuilder {
    pub(crate) fn new() -> Self {
        Self {
            token: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            calls: Vec::new(),
            scripted: Vec::new(),
            clock: Clock::default(),
            faults: Faults::default(),
            limits: Limits {
                connections: 1_024,
                head: None,
            },
        }
    }

    /// The Bearer token to ask with, in place of [`Sandbox::DEFAULT_TOKEN`]. Visible ASCII without spaces.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// A call to serve, beside the reference's example and others. Of two with the same id the later one is served.
    pub fn call(mut self, call: Call) -> Self {
        self.calls.push(Document::from(&call));
        self
    }

    /// Calls to serve, each as with [`call`](Self::call).
    pub fn calls(mut self, calls: impl IntoIterator<Item = Call>) -> Self {
        self.calls
            .extend(calls.into_iter().map(|call| Document::from(&call)));
        self
    }

    /// A call that lives from the start on: see [`Sandbox::run`].
    pub fn run(mut self, call: Call, script: Script) -> Self {
        self.scripted.push((call, script));
        self
    }

    /// How time passes for calls that live, in place of [`Clock::wall`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Faults that happen from the start on: see [`Sandbox::set_faults`].
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// The address to listen on, in place of a free port of `127.0.0.1`. Port 0 is any free port.
    ///
    /// Beyond loopback a [`token`](Self::token) of your own is needed: everybody knows the default one.
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> Self {
        self.listen = address.into();
        self
    }

    /// Listens, and serves until the [`Sandbox`] is dropped or [shut down](Sandbox::shutdown).
    ///
    /// # Errors
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): a token that no header can carry, the default one for an address
    ///   beyond loopback, or faults that can't happen.
    /// - Whatever the system says to listening there, with the address: [`AddrInUse`](io::ErrorKind::AddrInUse) where
    ///   another program has the port.
    ///
    /// # Panics
    /// Outside of a Tokio runtime with its I/O driver on, as all of Tokio's networking does.
    pub async fn start(self) -> io::Result<Sandbox> {
        let listen = self.listen;
        if self.token.is_none() && !listen.ip().to_canonical().is_loopback() {
            return Err(invalid(&format!(
                "others could reach {listen}, and everybody knows the default token; give the sandbox a token of your own"
            )));
        }
        let limits = self.limits;
        Sandbox::serve(self.api()?, listen, limits).await
    }

    /// The API as an axum service, to be served or mounted by a program that has a server already.
    ///
    /// ```
    /// use call_api_sandbox::Sandbox;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let app: axum::Router = axum::Router::new()
    ///     .nest("/calls", Sandbox::builder().token("a-token-of-mine").into_router()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput): a token that no header can carry, or faults that can't happen.
    pub fn into_router(self) -> io::Result<axum::Router> {
        Ok(routes::router(self.api()?))
    }

    fn api(self) -> io::Result<Arc<Api>> {
        let token = self
            .token
            .unwrap_or_else(|| Sandbox::DEFAULT_TOKEN.to_owned());
        let token = Token::new(token).map_err(invalid)?;
        let store = Store::default();
        store.put(example_document(), None);
        for call in self.calls {
            store.put(call, None);
        }
        let faults = Injector::default();
        faults.set(self.faults)?;
        let api = Api {
            token,
            store,
            time: Time::new(self.clock, time_of_day()),
            faults,
            log: Log::new(Sandbox::LOGGED),
        };
        for (call, script) in self.scripted {
            api.run(&call, script);
        }
        Ok(Arc::new(api))
    }
}

impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxBuilder")
            .field("listen", &self.listen)
            .field("calls", &(self.calls.len() + self.scripted.len()))
            .finish_non_exhaustive()
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
