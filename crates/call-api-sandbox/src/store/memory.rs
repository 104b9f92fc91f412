//! Storage of calls in memory.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Stored, TenantId};
use crate::call_json::CallJson;
use crate::script::RunningScript;

#[derive(Default)]
pub(crate) struct Memory {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    tenants: Vec<String>,
    calls: HashMap<(TenantId, Uuid), (i64, Stored)>,
    /// Keys by number, in the order of insertion.
    order: BTreeMap<i64, (TenantId, Uuid)>,
    time: Option<DateTime<Utc>>,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signatures are those of the SQLite store, where each of these can fail"
)]
impl Memory {
    pub(super) fn is_new(&self) -> bool {
        self.read().tenants.is_empty()
    }

    pub(super) fn tenant(&self, name: &str) -> io::Result<TenantId> {
        let mut state = self.write();
        let known = state.tenants.iter().position(|known| known == name);
        let at = known.unwrap_or_else(|| {
            state.tenants.push(name.to_owned());
            state.tenants.len() - 1
        });
        i64::try_from(at).map(TenantId).map_err(io::Error::other)
    }

    pub(super) fn get(&self, tenant: TenantId, id: Uuid) -> io::Result<Option<Stored>> {
        let state = self.read();
        Ok(state.calls.get(&(tenant, id)).map(|(_, call)| call.clone()))
    }

    pub(super) fn put(
        &self,
        tenant: TenantId,
        call: CallJson,
        script: Option<RunningScript>,
    ) -> io::Result<()> {
        let stored = Stored::new(call.json, script);
        let mut state = self.write();
        let last = state
            .order
            .last_key_value()
            .map_or(0, |(number, _)| *number);
        let (key, number) = ((tenant, call.id), last + 1);
        if let Some((before, _)) = state.calls.insert(key, (number, stored)) {
            state.order.remove(&before);
        }
        state.order.insert(number, key);
        Ok(())
    }

    pub(super) fn remove(&self, tenant: TenantId, id: Uuid) -> io::Result<bool> {
        let mut state = self.write();
        let Some((number, _)) = state.calls.remove(&(tenant, id)) else {
            return Ok(false);
        };
        state.order.remove(&number);
        Ok(true)
    }

    pub(super) fn list(
        &self,
        tenant: TenantId,
        before: i64,
        limit: usize,
    ) -> io::Result<Vec<(i64, Stored)>> {
        let state = self.read();
        let own = state.order.range(..before).rev();
        let own = own.filter(|(_, key)| key.0 == tenant);
        let calls = own.filter_map(|(_, key)| state.calls.get(key).cloned());
        Ok(calls.take(limit).collect())
    }

    #[cfg(feature = "webhooks")]
    pub(super) fn scripted(&self) -> io::Result<Vec<((TenantId, Uuid), Stored)>> {
        let state = self.read();
        let calls = state.calls.iter();
        let scripted = calls.filter(|(_, (_, call))| call.script.is_some());
        Ok(scripted
            .map(|(key, (_, call))| (*key, call.clone()))
            .collect())
    }

    pub(super) fn clear(&self) -> io::Result<()> {
        let mut state = self.write();
        state.calls.clear();
        state.order.clear();
        Ok(())
    }

    pub(super) fn time(&self) -> io::Result<Option<DateTime<Utc>>> {
        Ok(self.read().time)
    }

    pub(super) fn set_time(&self, now: DateTime<Utc>) -> io::Result<()> {
        self.write().time = Some(now);
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
