//! How a sandbox is set up.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use call_api_types::Call;

use crate::auth::Tokens;
use crate::clock::{Clock, Time, time_of_day};
use crate::document::Document;
use crate::fault::{Faults, Injector};
use crate::log::Log;
use crate::routes::{self, Api, Extras, Start};
use crate::script::Script;
use crate::server::Limits;
use crate::store::Store;
use crate::{DEFAULT_TENANT, Sandbox, example_document};

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
    tenants: Vec<(String, String)>,
    listen: SocketAddr,
    #[cfg(feature = "sqlite")]
    database: Option<std::path::PathBuf>,
    extras: Extras,
    logged: usize,
    calls: Vec<Document>,
    scripted: Vec<(Call, Script)>,
    clock: Clock,
    faults: Faults,
    limits: Limits,
}

impl SandboxBuilder {
    pub(crate) fn new() -> Self {
        Self {
            tenants: Vec::new(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            #[cfg(feature = "sqlite")]
            database: None,
            extras: Extras::default(),
            logged: Sandbox::LOGGED,
            calls: Vec::new(),
            scripted: Vec::new(),
            clock: Clock::default(),
            faults: Faults::default(),
            limits: Limits {
                connections: 1_024,
                patience: None,
            },
        }
    }

    /// The Bearer token to ask with, in place of [`Sandbox::DEFAULT_TOKEN`]. Visible ASCII without spaces.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.tenants.retain(|(name, _)| name != DEFAULT_TENANT);
        self.tenant(DEFAULT_TENANT, token)
    }

    /// A further token, which shows the calls of this tenant and no others: see [`Sandbox::tenant`]. A tenant may have
    /// several. [`Sandbox::DEFAULT_TOKEN`] opens only a sandbox that no token is given for.
    pub fn tenant(mut self, name: impl Into<String>, token: impl Into<String>) -> Self {
        self.tenants.push((name.into(), token.into()));
        self
    }

    /// Keeps the calls in this SQLite file, which is made if there is none, in place of memory. What was put is there when
    /// the file is opened again, however the program ended. Where the file can't be written or read, what puts calls into
    /// the sandbox panics.
    #[cfg(feature = "sqlite")]
    pub fn database(mut self, file: impl Into<std::path::PathBuf>) -> Self {
        self.database = Some(file.into());
        self
    }

    /// Whether to serve the sandbox's own operations under `/_sandbox`, which do from outside what the methods of
    /// [`Sandbox`] do; `/_sandbox/openapi.json` is their document. They ask for no token, so they are for programs on this
    /// machine: the sandbox has to listen on loopback.
    pub fn control(mut self, control: bool) -> Self {
        self.extras.control = control;
        self
    }

    /// Whether to serve what there is to look at: the calls as they change at `/`, the API's reference to try out at
    /// `/docs`, its document at `/openapi.json`, and `/healthz`.
    #[cfg(feature = "pages")]
    pub fn pages(mut self, pages: bool) -> Self {
        self.extras.pages = pages;
        self
    }

    /// How many requests [`Sandbox::requests`] goes back, in place of [`Sandbox::LOGGED`].
    pub fn logged(mut self, requests: usize) -> Self {
        self.logged = requests;
        self
    }

    /// How many connections there are at most, in place of 1,024. Others wait until one ends.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections;
        self
    }

    /// Ends a connection on which a request's head, or the wait for it, takes longer, or which takes nothing of an answer
    /// for so long. Without, clients may take their time.
    pub fn client_timeout(mut self, timeout: Duration) -> Self {
        self.limits.patience = Some(timeout);
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
    ///   beyond loopback, control beyond loopback, or faults that can't happen.
    /// - Whatever the system says to listening there, with the address: [`AddrInUse`](io::ErrorKind::AddrInUse) where
    ///   another program has the port.
    ///
    /// # Panics
    /// Outside of a Tokio runtime with its I/O driver on, as all of Tokio's networking does.
    pub async fn start(self) -> io::Result<Sandbox> {
        let listen = self.listen;
        let is_loopback = listen.ip().to_canonical().is_loopback();
        let has_known_token = self
            .tenants
            .iter()
            .any(|(_, token)| token == Sandbox::DEFAULT_TOKEN);
        if (self.tenants.is_empty() || has_known_token) && !is_loopback {
            return Err(invalid(&format!(
                "others could reach {listen}, and everybody knows the default token; give the sandbox a token of your own"
            )));
        }
        if self.extras.control && !is_loopback {
            return Err(invalid(&format!(
                "others could reach {listen}, and its control asks for no token; have the sandbox listen on 127.0.0.1 or [::1]"
            )));
        }
        let (limits, extras, token) = (self.limits, self.extras, self.first_token());
        Sandbox::serve(self.api()?, extras, token, listen, limits).await
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
    /// [`InvalidInput`](io::ErrorKind::InvalidInput): a token that no header can carry, faults that can't happen, or
    /// control, as another's server doesn't tell who is asking.
    pub fn into_router(self) -> io::Result<axum::Router> {
        if self.extras.control {
            return Err(invalid(
                "another's server doesn't tell who asks the sandbox's control; `start` it instead",
            ));
        }
        let extras = self.extras;
        Ok(routes::router(self.api()?, extras))
    }

    /// The token of the sandbox's owner.
    fn first_token(&self) -> String {
        let own = self.tenants.iter().find(|(name, _)| name == DEFAULT_TENANT);
        let token = own
            .or(self.tenants.first())
            .map(|(_, token)| token.as_str());
        token.unwrap_or(Sandbox::DEFAULT_TOKEN).to_owned()
    }

    fn api(self) -> io::Result<Arc<Api>> {
        let has_default_token = self.tenants.is_empty();
        let first = (DEFAULT_TENANT.to_owned(), Sandbox::DEFAULT_TOKEN.to_owned());
        let given = if has_default_token {
            vec![first]
        } else {
            self.tenants
        };
        let faults = Injector::default();
        faults.set(self.faults.clone())?;

        #[cfg(feature = "sqlite")]
        let store = match self.database {
            Some(file) => Store::Sqlite(crate::store::Sqlite::open(&file)?),
            None => Store::default(),
        };
        #[cfg(not(feature = "sqlite"))]
        let store = Store::default();
        let is_new = store.is_new();

        // The example is the default tenant's, also where nobody asks for it.
        let own = store.tenant(DEFAULT_TENANT)?;
        let mut tenants = HashMap::from([(DEFAULT_TENANT.to_owned(), own)]);
        let mut tokens = Tokens::default();
        for (name, token) in given {
            let tenant = store.tenant(&name)?;
            tokens.add(&token, tenant).map_err(invalid)?;
            tenants.insert(name, tenant);
        }
        // Calls don't grow younger from one run to the next; by hand, time goes on from where it was.
        let start = match store.time()? {
            Some(noted) if self.clock == Clock::stepped() => noted,
            Some(noted) => noted.max(time_of_day()),
            None => time_of_day(),
        };
        let api = Api {
            tokens,
            has_default_token,
            tenants,
            store,
            time: Time::new(self.clock, start),
            faults,
            log: Log::new(self.logged),
            start: Start {
                example: (own, example_document()),
                calls: self.calls.into_iter().map(|call| (own, call)).collect(),
                scripted: self
                    .scripted
                    .into_iter()
                    .map(|(call, script)| (own, call, script))
                    .collect(),
                faults: self.faults,
            },
        };
        api.begin(is_new)?;
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
