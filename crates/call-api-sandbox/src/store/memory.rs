//! Calls in memory.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Stored, TenantId};
use crate::document::Document;
use crate::script::Life;

#[derive(Default)]
pub(crate) struct Memory {
    kept: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    tenants: Vec<String>,
    calls: HashMap<(TenantId, Uuid), (i64, Stored)>,
    /// In the order in which they were taken in.
    order: BTreeMap<i64, (TenantId, Uuid)>,
    time: Option<DateTime<Utc>>,
}

// The signatures are those of the store in a file, where each of these can fail.
#[expect(clippy::unnecessary_wraps, reason = "see above")]
impl Memory {
    pub(super) fn is_new(&self) -> bool {
        self.read().tenants.is_empty()
    }

    pub(super) fn tenant(&self, name: &str) -> io::Result<TenantId> {
        let mut kept = self.write();
        let known = kept.tenants.iter().position(|known| known == name);
        let at = known.unwrap_or_else(|| {
            kept.tenants.push(name.to_owned());
            kept.tenants.len() - 1
        });
        i64::try_from(at).map(TenantId).map_err(io::Error::other)
    }

    pub(super) fn get(&self, tenant: TenantId, id: Uuid) -> io::Result<Option<Stored>> {
        let kept = self.read();
        Ok(kept.calls.get(&(tenant, id)).map(|(_, call)| call.clone()))
    }

    pub(super) fn put(
        &self,
        tenant: TenantId,
        call: Document,
        life: Option<Life>,
    ) -> io::Result<()> {
        let stored = Stored::new(call.json, life);
        let mut kept = self.write();
        let last = kept.order.last_key_value().map_or(0, |(number, _)| *number);
        let (key, number) = ((tenant, call.id), last + 1);
        if let Some((before, _)) = kept.calls.insert(key, (number, stored)) {
            kept.order.remove(&before);
        }
        kept.order.insert(number, key);
        Ok(())
    }

    pub(super) fn remove(&self, tenant: TenantId, id: Uuid) -> io::Result<bool> {
        let mut kept = self.write();
        let Some((number, _)) = kept.calls.remove(&(tenant, id)) else {
            return Ok(false);
        };
        kept.order.remove(&number);
        Ok(true)
    }

    pub(super) fn list(
        &self,
        tenant: TenantId,
        before: i64,
        limit: usize,
    ) -> io::Result<Vec<(i64, Stored)>> {
        let kept = self.read();
        let own = kept.order.range(..before).rev();
        let own = own.filter(|(_, key)| key.0 == tenant);
        let calls = own.filter_map(|(_, key)| kept.calls.get(key).cloned());
        Ok(calls.take(limit).collect())
    }

    pub(super) fn clear(&self) -> io::Result<()> {
        let mut kept = self.write();
        kept.calls.clear();
        kept.order.clear();
        Ok(())
    }

    pub(super) fn time(&self) -> io::Result<Option<DateTime<Utc>>> {
        Ok(self.read().time)
    }

    pub(super) fn set_time(&self, now: DateTime<Utc>) -> io::Result<()> {
        self.write().time = Some(now);
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}
