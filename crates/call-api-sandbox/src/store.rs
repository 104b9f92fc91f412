//! Storage of calls, in memory or in a database.

mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::call_json::CallJson;
use crate::script::RunningScript;

#[cfg(feature = "sqlite")]
pub(crate) use sqlite::Sqlite;

/// A tenant's number in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TenantId(i64);

/// Calls by tenant and id, as the bytes to send. Missing properties, `null`s and unknown properties are therefore served
/// as they were given.
pub(crate) enum Store {
    Memory(memory::Memory),
    #[cfg(feature = "sqlite")]
    Sqlite(Sqlite),
}

/// A stored call, and its script if it has one.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) json: Bytes,
    pub(crate) script: Option<Arc<RunningScript>>,
}

impl Stored {
    fn new(json: Bytes, script: Option<RunningScript>) -> Self {
        Self {
            json,
            script: script.map(Arc::new),
        }
    }

    /// Returns the call's JSON at the time `now`, with its recording's URL under `base_url`. Calls without a script need
    /// neither.
    pub(crate) fn json(
        self,
        now: impl FnOnce() -> DateTime<Utc>,
        base_url: impl FnOnce() -> String,
    ) -> Bytes {
        match self.script {
            None => self.json,
            Some(script) => script.json(&self.json, now(), &base_url()),
        }
    }
}

/// Dispatches to the kind of store.
macro_rules! dispatch {
    ($store:expr, $kind:ident => $action:expr) => {
        match $store {
            Self::Memory($kind) => $action,
            #[cfg(feature = "sqlite")]
            Self::Sqlite($kind) => $action,
        }
    };
}

impl Store {
    /// Returns true if the store has never held anything.
    pub(crate) fn is_new(&self) -> bool {
        dispatch!(self, store => store.is_new())
    }

    /// Returns true if the calls survive the program.
    pub(crate) fn is_database(&self) -> bool {
        !matches!(self, Self::Memory(_))
    }

    /// Returns the number of the tenant with this name, creating it if needed.
    pub(crate) fn tenant(&self, name: &str) -> io::Result<TenantId> {
        dispatch!(self, store => store.tenant(name))
    }

    pub(crate) fn get(&self, tenant: TenantId, id: Uuid) -> io::Result<Option<Stored>> {
        dispatch!(self, store => store.get(tenant, id))
    }

    /// Stores a call, replacing the tenant's call with the same id. In a database it survives a crash of the program from
    /// then on.
    pub(crate) fn put(
        &self,
        tenant: TenantId,
        call: CallJson,
        script: Option<RunningScript>,
    ) -> io::Result<()> {
        dispatch!(self, store => store.put(tenant, call, script))
    }

    /// Removes a call. Returns true if there was one.
    pub(crate) fn remove(&self, tenant: TenantId, id: Uuid) -> io::Result<bool> {
        dispatch!(self, store => store.remove(tenant, id))
    }

    /// Returns the tenant's calls, newest first, starting below the number `before`.
    pub(crate) fn list(
        &self,
        tenant: TenantId,
        before: Option<i64>,
        limit: usize,
    ) -> io::Result<Vec<(i64, Stored)>> {
        let before = before.unwrap_or(i64::MAX);
        dispatch!(self, store => store.list(tenant, before, limit))
    }

    /// Returns all scripted calls of all tenants. It reads the whole store.
    #[cfg(feature = "webhooks")]
    pub(crate) fn scripted(&self) -> io::Result<Vec<((TenantId, Uuid), Stored)>> {
        dispatch!(self, store => store.scripted())
    }

    /// Removes all calls of all tenants.
    pub(crate) fn clear(&self) -> io::Result<()> {
        dispatch!(self, store => store.clear())
    }

    /// The stored time of the clock.
    pub(crate) fn time(&self) -> io::Result<Option<DateTime<Utc>>> {
        dispatch!(self, store => store.time())
    }

    /// Stores the time of the clock.
    pub(crate) fn set_time(&self, now: DateTime<Utc>) -> io::Result<()> {
        dispatch!(self, store => store.set_time(now))
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::Memory(memory::Memory::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Script;

    /// The behavior that all kinds of store share.
    fn keeps_calls(store: &Store) {
        let document = |id: u128, text: &str| CallJson {
            id: Uuid::from_u128(id),
            json: Bytes::copy_from_slice(text.as_bytes()),
        };
        let get = |tenant, id| {
            let stored = store.get(tenant, Uuid::from_u128(id)).unwrap();
            stored.map(|stored| String::from_utf8(stored.json.to_vec()).unwrap())
        };
        let list = |tenant, before, limit| -> Vec<(i64, String)> {
            let calls = store.list(tenant, before, limit).unwrap().into_iter();
            calls
                .map(|(number, call)| (number, String::from_utf8(call.json.to_vec()).unwrap()))
                .collect()
        };
        assert!(store.is_new());
        let (one, two) = (store.tenant("one").unwrap(), store.tenant("two").unwrap());
        assert_ne!(one, two);
        assert_eq!(store.tenant("one").unwrap(), one);

        for (id, text) in [(1, "a"), (2, "b"), (3, "c"), (1, "d")] {
            store.put(one, document(id, text), None).unwrap();
        }
        store.put(two, document(1, "other"), None).unwrap();
        assert_eq!(get(one, 1).as_deref(), Some("d"));
        assert_eq!(get(two, 1).as_deref(), Some("other"));
        assert_eq!(get(two, 2), None);

        let texts = |calls: &[(i64, String)]| -> String {
            calls.iter().map(|(_, text)| text.as_str()).collect()
        };
        let first = list(one, None, 2);
        assert_eq!(texts(&first), "dc");
        assert_eq!(texts(&list(one, Some(first[1].0), 2)), "b");
        assert_eq!(texts(&list(two, None, 9)), "other");

        assert!(store.remove(one, Uuid::from_u128(2)).unwrap());
        assert!(!store.remove(one, Uuid::from_u128(2)).unwrap());
        assert_eq!(texts(&list(one, None, 9)), "dc");

        let started_at = DateTime::UNIX_EPOCH;
        let script = Script::completed();
        let script = RunningScript { script, started_at };
        store
            .put(one, document(2, "e"), Some(script.clone()))
            .unwrap();
        let stored = store.get(one, Uuid::from_u128(2)).unwrap().unwrap();
        assert_eq!(stored.script.as_deref(), Some(&script));
        #[cfg(feature = "webhooks")]
        {
            let scripted = store.scripted().unwrap();
            let [((tenant, id), stored)] = &scripted[..] else {
                panic!("{scripted:?}");
            };
            assert_eq!((*tenant, *id), (one, Uuid::from_u128(2)));
            assert_eq!(stored.script.as_deref(), Some(&script));
        }

        assert_eq!(store.time().unwrap(), None);
        store.set_time(started_at).unwrap();
        assert_eq!(store.time().unwrap(), Some(started_at));
        store.clear().unwrap();
        assert_eq!((get(one, 1), get(two, 1)), (None, None));
        assert_eq!(list(one, None, 9), []);
    }

    #[test]
    fn memory_store_keeps_calls() {
        keeps_calls(&Store::default());
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn sqlite_store_keeps_calls_across_openings() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Sqlite::open(&folder.path().join("calls.sqlite")).map(Store::Sqlite);
        keeps_calls(&open().unwrap());
        // Tenants and the time are kept too.
        let store = open().unwrap();
        assert!(!store.is_new());
        assert_eq!(store.time().unwrap(), Some(DateTime::UNIX_EPOCH));
        let (two, one) = (store.tenant("two").unwrap(), store.tenant("one").unwrap());
        assert_eq!((one, two), (TenantId(1), TenantId(2)));
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn foreign_database_is_rejected_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.sqlite");
        let refused = || {
            let error = Sqlite::open(&path).err().unwrap().to_string();
            error.replace(&path.display().to_string(), "{path}")
        };
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE other (a)")
            .unwrap();
        let before = std::fs::read(&path).unwrap();
        assert_eq!(
            refused(),
            "{path} is a database of another program; use another file"
        );
        assert_eq!(std::fs::read(&path).unwrap(), before);

        std::fs::write(&path, "not a database, but long enough to be read").unwrap();
        assert_eq!(
            refused(),
            "cannot use the database {path}: file is not a database"
        );
    }
}
