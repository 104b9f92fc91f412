//! The state shared by all operations, and the actions on it.

use std::collections::HashMap;
use std::io;
#[cfg(feature = "webhooks")]
use std::sync::Arc;
use std::time::Duration;

use call_api_types::Call;
use chrono::{DateTime, Utc};
#[cfg(feature = "webhooks")]
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::auth::Tokens;
use crate::call_json::CallJson;
use crate::change::Change;
use crate::clock::{Time, system_time};
use crate::cors::Cors;
use crate::fault::{Faults, Injector};
#[cfg(feature = "pages")]
use crate::history::History;
use crate::log::RequestLog;
use crate::operations::Operations;
use crate::script::{RunningScript, Script};
use crate::store::{Store, TenantId};
#[cfg(feature = "webhooks")]
use crate::webhooks::{WebhookDelivery, Webhooks};

/// The state of a sandbox.
pub(crate) struct Api {
    pub(crate) operations: Operations,
    pub(crate) tokens: Tokens,
    /// The token of the control API; `None` if it is for this machine only.
    pub(crate) control_tokens: Option<Tokens>,
    pub(crate) cors: Cors,
    /// True if the public default token is the only one.
    #[cfg_attr(not(feature = "pages"), expect(dead_code, reason = "read by a page"))]
    pub(crate) has_default_token: bool,
    /// The tenants by name.
    pub(crate) tenants: HashMap<String, TenantId>,
    pub(crate) store: Store,
    pub(crate) time: Time,
    pub(crate) faults: Injector,
    pub(crate) log: RequestLog,
    #[cfg(feature = "pages")]
    pub(crate) history: History,
    /// `None` without receivers.
    #[cfg(feature = "webhooks")]
    pub(crate) webhooks: Option<Webhooks>,
    pub(crate) initial: InitialState,
}

/// The calls and faults that a sandbox starts with.
pub(crate) struct InitialState {
    /// The tenant that the methods of `Sandbox` act on.
    pub(crate) default_tenant: TenantId,
    /// Added only to a new store.
    pub(crate) example: (TenantId, CallJson),
    pub(crate) calls: Vec<(TenantId, CallJson)>,
    pub(crate) scripted: Vec<(TenantId, Call, Script)>,
    pub(crate) faults: Faults,
    /// The time of a manual clock.
    pub(crate) time: DateTime<Utc>,
}

impl Api {
    /// Adds the initial calls; the example call only to a new store.
    pub(crate) fn add_initial_calls(&self, is_new: bool) -> io::Result<()> {
        if is_new {
            let (tenant, example) = self.initial.example.clone();
            self.store.put(tenant, example, None)?;
        }
        for (tenant, call) in &self.initial.calls {
            self.store.put(*tenant, call.clone(), None)?;
        }
        for (tenant, call, script) in &self.initial.scripted {
            self.store_scripted(*tenant, call, script.clone())?;
        }
        Ok(())
    }

    /// Restores the initial state: calls, clock, faults, log. Forgets webhooks.
    pub(crate) fn reset(&self) -> io::Result<()> {
        let reset = || {
            let now = match self.time.is_manual() {
                true => self.initial.time,
                false => system_time(),
            };
            self.store.clear()?;
            self.store_time(now)?;
            self.add_initial_calls(true)
        };
        self.observed(&Change::All, reset)?;
        // Infallible: these faults were accepted before.
        let _ = self.faults.set(self.initial.faults.clone());
        self.log.clear();
        Ok(())
    }

    /// Adds a call.
    pub(crate) fn put(&self, tenant: TenantId, call: CallJson) -> io::Result<()> {
        self.observed(&Change::Call(tenant, call.id), || {
            self.store.put(tenant, call, None)
        })
    }

    /// Adds a call that follows a script from now on.
    pub(crate) fn run(&self, tenant: TenantId, call: &Call, script: Script) -> io::Result<()> {
        self.observed(&Change::Call(tenant, call.id), || {
            self.store_scripted(tenant, call, script)
        })
    }

    /// Removes a call. Returns true if there was one.
    pub(crate) fn remove(&self, tenant: TenantId, id: Uuid) -> io::Result<bool> {
        self.observed(&Change::Call(tenant, id), || self.store.remove(tenant, id))
    }

    /// Sets the clock.
    pub(crate) fn set_time(&self, now: DateTime<Utc>) -> io::Result<()> {
        self.observed(&Change::Clock, || self.store_time(now))
    }

    /// Moves the clock forward. Returns the new time.
    pub(crate) fn advance(&self, by: Duration) -> io::Result<DateTime<Utc>> {
        self.observed(&Change::Clock, || {
            let now = self.time.advance(by);
            self.store.set_time(now)?;
            Ok(now)
        })
    }

    /// Runs an action. Remembers the statuses that it replaces, and queues webhooks for the changes that it makes.
    fn observed<T>(&self, change: &Change, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let notifying = || self.notifying(change, act);
        #[cfg(feature = "pages")]
        return self
            .history
            .observe(&self.store, &self.time, change, notifying);
        #[cfg(not(feature = "pages"))]
        notifying()
    }

    /// Runs an action, and queues webhooks for the changes that it makes.
    #[cfg_attr(not(feature = "webhooks"), expect(unused_variables))]
    fn notifying<T>(&self, change: &Change, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        #[cfg(feature = "webhooks")]
        if let Some(webhooks) = &self.webhooks {
            return webhooks.observe(&self.store, &self.time, change, act);
        }
        act()
    }

    /// Starts sending webhooks, if there are receivers. Dropping the tasks stops it.
    #[cfg(feature = "webhooks")]
    pub(crate) fn start_webhooks(self: &Arc<Self>, base_url: &str) -> io::Result<JoinSet<()>> {
        let Some(webhooks) = &self.webhooks else {
            return Ok(JoinSet::new());
        };
        // A fast clock may have passed a step since it was started.
        let mut tasks = webhooks.start(&self.store, self.initial.time, base_url)?;
        let api = Arc::clone(self);
        tasks.spawn(async move {
            if let Some(webhooks) = &api.webhooks {
                webhooks.follow_scripts(&api.time).await;
            }
        });
        Ok(tasks)
    }

    /// Returns the latest deliveries of webhooks, oldest first.
    #[cfg(feature = "webhooks")]
    pub(crate) fn webhook_deliveries(&self) -> Vec<WebhookDelivery> {
        let webhooks = self.webhooks.as_ref();
        webhooks.map(Webhooks::deliveries).unwrap_or_default()
    }

    fn store_scripted(&self, tenant: TenantId, call: &Call, script: Script) -> io::Result<()> {
        let started_at = self.time.now();
        let running = RunningScript { script, started_at };
        self.store
            .put(tenant, CallJson::from(call), Some(running))?;
        // A restarted sandbox must not begin before the start of a script.
        self.store.set_time(started_at)
    }

    fn store_time(&self, now: DateTime<Utc>) -> io::Result<()> {
        self.time.set(now);
        self.store.set_time(now)
    }
}

/// The tenant of an authenticated request. Must precede a handler's other arguments, so that authentication comes first.
#[cfg(feature = "pages")]
pub(crate) struct Authorized(pub(crate) TenantId);

#[cfg(feature = "pages")]
impl axum::extract::FromRequestParts<std::sync::Arc<Api>> for Authorized {
    type Rejection = crate::auth::AuthError;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        api: &std::sync::Arc<Api>,
    ) -> Result<Self, Self::Rejection> {
        crate::auth::authenticate(&parts.headers, &api.tokens).map(Self)
    }
}
