//! The statuses that calls had.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

use call_api_types::Call;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::change::{Change, read_or_log};
use crate::clock::Time;
use crate::store::{Store, Stored, TenantId};

/// The number of statuses to remember, of all calls together.
const LIMIT: usize = 10_000;

/// The consequence of a status that cannot be read.
const UNKNOWN: &str = "its history lacks a status";

/// A tenant and the id of its call.
type CallKey = (TenantId, Uuid);

/// A status of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DatedStatus {
    /// The time on the sandbox's clock. `None` if the call had the status when it was first seen.
    pub(crate) at: Option<DateTime<Utc>>,
    /// `None` if the call was removed.
    pub(crate) status: Option<String>,
}

/// The statuses of replaced and removed calls. Those of a script are computed from it as long as the call has it.
pub(crate) struct History {
    is_enabled: bool,
    statuses: Mutex<VecDeque<(CallKey, DatedStatus)>>,
}

impl History {
    pub(crate) fn new(is_enabled: bool) -> Self {
        Self {
            is_enabled,
            statuses: Mutex::default(),
        }
    }

    /// Runs an action, and remembers the statuses that it replaces. If they cannot be read, logs the error: the action is done.
    pub(crate) fn observe<T>(
        &self,
        store: &Store,
        time: &Time,
        change: &Change,
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        if !self.is_enabled {
            return act();
        }
        // Held during the action, so that statuses are in the order of actions.
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        match *change {
            Change::Clock => act(),
            Change::All => {
                statuses.clear();
                act()
            }
            Change::Call(tenant, id) => {
                let key = (tenant, id);
                let before = read_or_log(store.get(tenant, id), UNKNOWN);
                let now = time.now();
                let result = act()?;
                let after = read_or_log(store.get(tenant, id), UNKNOWN);
                let is_known = statuses.iter().any(|(other, _)| *other == key);
                let replaced = before.as_ref().map(|call| of_call(call, None, now));
                let replaced = replaced.unwrap_or_default().into_iter();
                let replaced = replaced.filter(|status| status.at.is_some() || !is_known);
                statuses.extend(replaced.map(|status| (key, status)));
                match &after {
                    // The statuses of a script are added when it is replaced.
                    Some(call) if call.script.is_some() => {}
                    Some(call) => {
                        let added = of_call(call, Some(now), now);
                        statuses.extend(added.into_iter().map(|status| (key, status)));
                    }
                    None if before.is_some() => {
                        let (at, status) = (Some(now), None);
                        statuses.push_back((key, DatedStatus { at, status }));
                    }
                    None => {}
                }
                let surplus = statuses.len().saturating_sub(LIMIT);
                statuses.drain(..surplus);
                Ok(result)
            }
        }
    }

    /// Returns the statuses of an existing call in the order of its changes, and those of the remaining steps of its script. A
    /// status that was set twice is listed once.
    pub(crate) fn of(&self, tenant: TenantId, id: Uuid, call: &Stored) -> Vec<DatedStatus> {
        let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let own = statuses.iter().filter(|(key, _)| *key == (tenant, id));
        let mut all: Vec<_> = own.map(|(_, status)| status.clone()).collect();
        if all.is_empty() || call.script.is_some() {
            all.extend(of_call(call, None, DateTime::<Utc>::MAX_UTC));
        }
        all.dedup_by(|next, previous| next.status == previous.status);
        all
    }
}

/// Returns the statuses of a stored call: those of its script up to a time, or the only one, which it has since `set_at`.
fn of_call(call: &Stored, set_at: Option<DateTime<Utc>>, until: DateTime<Utc>) -> Vec<DatedStatus> {
    if let Some(script) = &call.script {
        let changes = script.changes(None, until);
        let dated = changes.map(|(at, state)| DatedStatus {
            at: Some(at),
            status: Some(state.status.to_string()),
        });
        return dated.collect();
    }
    let call: Map<String, Value> = serde_json::from_slice(&call.json).unwrap_or_default();
    let status = call.get(Call::name_in_json("status"));
    let status = status.and_then(Value::as_str).unwrap_or_default();
    vec![DatedStatus {
        at: set_at,
        status: Some(status.to_owned()),
    }]
}
