//! The builder of a sandbox.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use call_api_types::Call;

use crate::api::{Api, InitialState};
use crate::auth::{InvalidToken, Tokens};
use crate::call_json::CallJson;
use crate::clock::{Clock, Time, system_time};
use crate::cors::Cors;
use crate::fault::{Faults, Injector};
#[cfg(feature = "pages")]
use crate::history::History;
use crate::log::RequestLog;
use crate::operations::Operations;
use crate::routes::{self, OptionalRoutes};
use crate::script::Script;
use crate::server::Limits;
use crate::store::Store;

use crate::{DEFAULT_TENANT, Sandbox};

/// Configures a [`Sandbox`]: its calls, tokens, clock, faults and address.
///
/// ```
/// use call_api_sandbox::Sandbox;
///
/// #[tokio::main]
/// async fn main() -> std::io::Result<()> {
///     let sandbox = Sandbox::builder().token("a-token-of-mine").start().await?;
///     assert_eq!(sandbox.token(), "a-token-of-mine");
///     Ok(())
/// }
/// ```
#[must_use = "a builder does nothing until it is started"]
pub struct SandboxBuilder {
    tenants: Vec<(String, String)>,
    control_token: Option<String>,
    cors: Vec<String>,
    listen: SocketAddr,
    #[cfg(feature = "sqlite")]
    database: Option<std::path::PathBuf>,
    optional: OptionalRoutes,
    logged: usize,
    logs_headers: bool,
    /// The calls with their tenants.
    calls: Vec<(String, CallJson)>,
    scripted: Vec<(String, Call, Script)>,
    clock: Clock,
    faults: Faults,
    limits: Limits,
    operations: Operations,
    #[cfg(feature = "webhooks")]
    webhooks: Vec<crate::Webhook>,
}

impl SandboxBuilder {
    pub(crate) fn new() -> Self {
        Self {
            tenants: Vec::new(),
            control_token: None,
            cors: Vec::new(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            #[cfg(feature = "sqlite")]
            database: None,
            optional: OptionalRoutes::default(),
            logged: Sandbox::MAX_LOGGED,
            logs_headers: true,
            calls: Vec::new(),
            scripted: Vec::new(),
            clock: Clock::default(),
            faults: Faults::default(),
            limits: Limits {
                connections: 1_024,
                client_timeout: None,
            },
            operations: Operations::of_document(),
            #[cfg(feature = "webhooks")]
            webhooks: Vec::new(),
        }
    }

    /// The Bearer token of the tenant `default`, instead of [`Sandbox::DEFAULT_TOKEN`]. Visible ASCII without spaces.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.tenants.retain(|(name, _)| name != DEFAULT_TENANT);
        self.tenant(DEFAULT_TENANT, token)
    }

    /// Adds a token that gives access to the calls of one tenant: see [`Sandbox::tenant`]. A tenant may have several tokens.
    /// [`Sandbox::DEFAULT_TOKEN`] is accepted only when no token is configured.
    pub fn tenant(mut self, name: impl Into<String>, token: impl Into<String>) -> Self {
        self.tenants.push((name.into(), token.into()));
        self
    }

    /// Stores the calls in this SQLite file instead of memory, creating it if it does not exist. A stored call survives a
    /// crash of the program. Methods of the sandbox that add or remove calls panic when the file cannot be read or written.
    #[cfg(feature = "sqlite")]
    pub fn database(mut self, file: impl Into<std::path::PathBuf>) -> Self {
        self.database = Some(file.into());
        self
    }

    /// Serves the control API under `/_sandbox`, which gives programs in other languages the methods of [`Sandbox`]. Its
    /// OpenAPI document is `/_sandbox/openapi.json`. Unless a [token](Self::control_token) is set, it requires none, so the
    /// sandbox must listen on loopback.
    pub fn control(mut self, control: bool) -> Self {
        self.optional.control = control;
        self
    }

    /// Serves the [control API](Self::control) to any machine that sends this Bearer token, and to no request without it, so
    /// that the sandbox can listen beyond loopback, as in a container.
    ///
    /// ```
    /// use call_api_sandbox::Sandbox;
    ///
    /// #[tokio::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let sandbox = Sandbox::builder().token("of-calls").control_token("of-control").listen(([0, 0, 0, 0], 0)).start().await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn control_token(mut self, token: impl Into<String>) -> Self {
        self.optional.control = true;
        self.control_token = Some(token.into());
        self
    }

    /// Lets web pages of this origin, such as `http://localhost:5173`, read responses (CORS). `*` allows all. The
    /// [control API](Self::control) takes part if it has a [token](Self::control_token).
    ///
    /// ```
    /// use call_api_sandbox::Sandbox;
    ///
    /// #[tokio::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let sandbox = Sandbox::builder().cors_origin("http://localhost:5173").start().await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn cors_origin(mut self, origin: impl Into<String>) -> Self {
        self.cors.push(origin.into());
        self
    }

    /// Serves web pages below `/_sandbox/`: the calls with their histories and the requests, updated live, the interactive API
    /// reference at `docs`, the OpenAPI document at `docs/openapi.json`, and a health check at `healthz`. `/` and `/docs`
    /// redirect there, unless the document has them. With the default token, the lists are for loopback hosts only.
    #[cfg(feature = "pages")]
    pub fn pages(mut self, pages: bool) -> Self {
        self.optional.pages = pages;
        self
    }

    /// The number of requests that [`Sandbox::requests`] keeps, instead of [`Sandbox::MAX_LOGGED`].
    pub fn max_logged(mut self, requests: usize) -> Self {
        self.logged = requests;
        self
    }

    /// Keeps this number of requests for the pages only.
    #[cfg(feature = "program")]
    pub(crate) fn max_logged_for_pages(mut self, requests: usize) -> Self {
        self.logs_headers = false;
        self.max_logged(requests)
    }

    /// The maximum number of open connections, instead of 1,024. At the maximum, a new client replaces the one that
    /// has been idle for the longest time, or waits while all are busy.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections;
        self
    }

    /// Closes a connection when a request head, or the wait for one, takes longer, or when the client reads nothing of a
    /// response for this long. By default there is no such limit.
    pub fn client_timeout(mut self, timeout: Duration) -> Self {
        self.limits.client_timeout = Some(timeout);
        self
    }

    /// Adds a call to the example call. A later call replaces an earlier one with the same id.
    pub fn call(self, call: Call) -> Self {
        self.calls(std::iter::once(call))
    }

    /// Adds calls, like [`call`](Self::call).
    pub fn calls(mut self, calls: impl IntoIterator<Item = Call>) -> Self {
        let calls = calls.into_iter().map(|call| CallJson::from(&call));
        self.calls
            .extend(calls.map(|call| (DEFAULT_TENANT.to_owned(), call)));
        self
    }

    /// Adds calls of tenants as raw JSON.
    #[cfg(feature = "program")]
    pub(crate) fn raw_calls(mut self, calls: impl IntoIterator<Item = (String, CallJson)>) -> Self {
        self.calls.extend(calls);
        self
    }

    /// Adds a call of a tenant that follows a script from the start.
    #[cfg(feature = "program")]
    pub(crate) fn run_for(mut self, tenant: String, call: Call, script: Script) -> Self {
        self.scripted.push((tenant, call, script));
        self
    }

    /// Adds a call that follows a script from the start: see [`Sandbox::run`].
    pub fn run(mut self, call: Call, script: Script) -> Self {
        self.scripted
            .push((DEFAULT_TENANT.to_owned(), call, script));
        self
    }

    /// The clock of scripted calls, instead of [`Clock::wall`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Faults that are active from the start: see [`Sandbox::set_faults`].
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Serves the operations of another document, instead of those of the call API: the description that codegen writes as
    /// `operations.json` into the workspace of an SDK. Each request is validated, and answered with the document's example or
    /// a sample.
    ///
    /// # Errors
    /// [`InvalidDescription`] if it is not such a description.
    pub fn operations(mut self, description: &str) -> Result<Self, InvalidDescription> {
        self.operations = serde_json::from_str(description).map_err(InvalidDescription)?;
        Ok(self)
    }

    /// Adds a receiver of webhooks. Each change of a call's status is sent to it, signed as
    /// [Standard Webhooks](https://www.standardwebhooks.com) specifies:
    ///
    /// ```json
    /// {"type": "call.status_changed", "timestamp": "2026-01-01T00:00:02Z", "data": {"id": "…", "status": "in_progress"}}
    /// ```
    ///
    /// `timestamp` is the time of the change on the sandbox's [`Clock`], and `data` is the call as the API returned it then.
    /// Changes are those of scripts, and those by methods that add or replace a call; a new call is a change. Initial calls
    /// do not send webhooks, nor do those of a reset.
    ///
    /// A response other than a success, no response within 5 s, and a failed connection are retried after 0.5, 1, 2 and 4 s of
    /// real time. Webhooks about one call are sent one after another. Up to 1,000 wait for each receiver; further ones are
    /// dropped. A receiver never delays a response of the sandbox. [`Sandbox::webhook_deliveries`] has the results.
    ///
    /// ```
    /// use call_api_sandbox::{Sandbox, Webhook};
    ///
    /// #[tokio::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let webhook = Webhook::new("http://127.0.0.1:8080/webhooks")?
    ///         .secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    ///     let sandbox = Sandbox::builder().webhook(webhook).start().await?;
    ///     Ok(())
    /// }
    /// ```
    #[cfg(feature = "webhooks")]
    pub fn webhook(mut self, webhook: crate::Webhook) -> Self {
        self.webhooks.push(webhook);
        self
    }

    /// The address to listen on, instead of a free port of `127.0.0.1`. Port 0 selects a free port.
    ///
    /// An address beyond loopback requires a [`token`](Self::token), because the default one is public.
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> Self {
        self.listen = address.into();
        self
    }

    /// Starts the server. It runs until the [`Sandbox`] is dropped or [shut down](Sandbox::shutdown).
    ///
    /// # Errors
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): a token or an origin that a header cannot carry, the default token or
    ///   the control API without a token on an address beyond loopback, or invalid faults.
    /// - The operating system's error when it cannot listen there, with the address: for example
    ///   [`AddrInUse`](io::ErrorKind::AddrInUse) when another program uses the port.
    ///
    /// # Panics
    /// Panics outside of a Tokio runtime with an I/O driver.
    pub async fn start(self) -> io::Result<Sandbox> {
        let listen = self.listen;
        let is_loopback = listen.ip().to_canonical().is_loopback();
        let has_known_token = self
            .tenants
            .iter()
            .any(|(_, token)| token == Sandbox::DEFAULT_TOKEN);
        if (self.tenants.is_empty() || has_known_token) && !is_loopback {
            return Err(InvalidToken::Public(listen).into());
        }
        if self.optional.control && self.control_token.is_none() && !is_loopback {
            return Err(invalid(&format!(
                "cannot listen on {listen}: other machines could reach the control API, which requires no token; listen on 127.0.0.1 or [::1], or set a control token"
            )));
        }
        let (limits, optional, token) = (self.limits, self.optional, self.first_token());
        Sandbox::serve(self.build_api()?, optional, token, listen, limits).await
    }

    /// Returns the API as an axum router, to be mounted in another server.
    ///
    /// ```
    /// use call_api_sandbox::Sandbox;
    ///
    /// fn main() -> std::io::Result<()> {
    ///     let app: axum::Router = axum::Router::new()
    ///         .nest("/calls", Sandbox::builder().token("a-token-of-mine").into_router()?);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput): a token that a header cannot carry, invalid faults, the control API
    /// without a token, because a router does not know who connects, or a webhook.
    pub fn into_router(self) -> io::Result<axum::Router> {
        if self.optional.control && self.control_token.is_none() {
            return Err(invalid(
                "a router cannot serve the control API: it cannot tell who connects; use `start`, or set a control token",
            ));
        }
        #[cfg(feature = "webhooks")]
        if !self.webhooks.is_empty() {
            return Err(invalid("a router cannot send webhooks; use `start`"));
        }
        let optional = self.optional;
        Ok(routes::router(self.build_api()?, optional))
    }

    /// The token that [`Sandbox::token`] returns.
    fn first_token(&self) -> String {
        let default = self.tenants.iter().find(|(name, _)| name == DEFAULT_TENANT);
        let token = default
            .or(self.tenants.first())
            .map(|(_, token)| token.as_str());
        token.unwrap_or(Sandbox::DEFAULT_TOKEN).to_owned()
    }

    fn build_api(self) -> io::Result<Arc<Api>> {
        let has_default_token = self.tenants.is_empty();
        let first = (DEFAULT_TENANT.to_owned(), Sandbox::DEFAULT_TOKEN.to_owned());
        let tenant_tokens = if has_default_token {
            vec![first]
        } else {
            self.tenants
        };
        let faults = Injector::new(
            self.operations.names(),
            tenant_tokens.iter().map(|(name, _)| name.as_str()),
        );
        faults.set(self.faults.clone())?;

        #[cfg(feature = "sqlite")]
        let store = match self.database {
            Some(file) => Store::Sqlite(crate::store::Sqlite::open(&file)?),
            None => Store::default(),
        };
        #[cfg(not(feature = "sqlite"))]
        let store = Store::default();
        let is_new = store.is_new();

        let default_tenant = store.tenant(DEFAULT_TENANT)?;
        let mut tenants = HashMap::from([(DEFAULT_TENANT.to_owned(), default_tenant)]);
        let mut tokens = Tokens::default();
        // The token that `Sandbox::token` returns must give access to the example call.
        let mut example_tenant = None;
        for (name, token) in tenant_tokens {
            let tenant = store.tenant(&name)?;
            tokens.add(&token, tenant)?;
            if name == DEFAULT_TENANT || example_tenant.is_none() {
                example_tenant = Some(tenant);
            }
            tenants.insert(name, tenant);
        }
        let example_tenant = example_tenant.unwrap_or(default_tenant);
        let tenant_of = |name: &str| {
            let tenant = tenants.get(name).copied();
            tenant.ok_or_else(|| InvalidToken::Missing(name.to_owned()))
        };
        let calls = self.calls.into_iter();
        let calls = calls.map(|(tenant, call)| Ok((tenant_of(&tenant)?, call)));
        let calls = calls.collect::<io::Result<_>>()?;
        let scripted = self.scripted.into_iter();
        let scripted =
            scripted.map(|(tenant, call, script)| Ok((tenant_of(&tenant)?, call, script)));
        let scripted = scripted.collect::<io::Result<_>>()?;
        // Scripted calls must not go back in time after a restart. A manual clock continues where it stopped.
        let start = match store.time()? {
            Some(stored) if self.clock == Clock::manual() => stored,
            Some(stored) => stored.max(system_time()),
            None => system_time(),
        };
        let control_tokens = self.control_token.as_deref();
        let control_tokens = control_tokens.map(|token| Tokens::of(token, default_tenant));
        let cors = Cors::new(self.cors).map_err(|error| invalid(&error))?;
        let api = Api {
            operations: self.operations,
            tokens,
            control_tokens: control_tokens.transpose()?,
            cors,
            has_default_token,
            tenants,
            store,
            time: Time::new(self.clock, start),
            faults,
            log: RequestLog::new(self.logged, self.logs_headers),
            #[cfg(feature = "pages")]
            history: History::new(self.optional.pages),
            #[cfg(feature = "webhooks")]
            webhooks: match self.webhooks.is_empty() {
                true => None,
                false => Some(crate::webhooks::Webhooks::new(self.webhooks)),
            },
            initial: InitialState {
                default_tenant,
                example: (example_tenant, CallJson::from(&Sandbox::example_call())),
                calls,
                scripted,
                faults: self.faults,
                time: start,
            },
        };
        api.add_initial_calls(is_new)?;
        Ok(Arc::new(api))
    }
}

/// A text that is not a description of operations.
#[derive(Debug, thiserror::Error)]
#[error("not a description of operations: {0}; use the operations.json that codegen writes")]
pub struct InvalidDescription(serde_json::Error);

impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxBuilder")
            .field("listen", &self.listen)
            .field("calls", &(self.calls.len() + self.scripted.len()))
            .finish_non_exhaustive()
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
