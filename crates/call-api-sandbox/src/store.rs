//! The calls that are served. Nothing outside of this module knows how they are kept.

mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::document::Document;
use crate::script::Life;

#[cfg(feature = "sqlite")]
pub(crate) use sqlite::Sqlite;

/// Whose calls: a number that the store gives out for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TenantId(i64);

/// Calls by their tenant and id, each as the bytes that are sent: so what was given with a property missing, with `null`,
/// or with a property that the document doesn't know is served like that.
pub(crate) enum Store {
    Memory(memory::Memory),
    #[cfg(feature = "sqlite")]
    Sqlite(Sqlite),
}

/// A call as it was given, and the script that it follows, if any.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) json: Bytes,
    pub(crate) life: Option<Arc<Life>>,
}

impl Stored {
    fn new(json: Bytes, life: Option<Life>) -> Self {
        Self {
            json,
            life: life.map(Arc::new),
        }
    }

    /// The call's JSON as it is `now`, with what it refers to under `origin`; most calls ask for neither.
    pub(crate) fn json(
        self,
        now: impl FnOnce() -> DateTime<Utc>,
        origin: impl FnOnce() -> String,
    ) -> Bytes {
        match self.life {
            None => self.json,
            Some(life) => life.json(&self.json, now(), &origin()),
        }
    }
}

/// Does the same with each kind of store.
macro_rules! each {
    ($store:expr, $kind:ident => $do:expr) => {
        match $store {
            Self::Memory($kind) => $do,
            #[cfg(feature = "sqlite")]
            Self::Sqlite($kind) => $do,
        }
    };
}

impl Store {
    /// Whether nothing was ever kept in it.
    pub(crate) fn is_new(&self) -> bool {
        each!(self, store => store.is_new())
    }

    /// The number of the tenant of this name, who may be new.
    pub(crate) fn tenant(&self, name: &str) -> io::Result<TenantId> {
        each!(self, store => store.tenant(name))
    }

    pub(crate) fn get(&self, tenant: TenantId, id: Uuid) -> io::Result<Option<Stored>> {
        each!(self, store => store.get(tenant, id))
    }

    /// Takes a call in, in place of the tenant's one with its id. Once it is in, the end of the program doesn't matter to
    /// it, if it is kept in a file.
    pub(crate) fn put(
        &self,
        tenant: TenantId,
        call: Document,
        life: Option<Life>,
    ) -> io::Result<()> {
        each!(self, store => store.put(tenant, call, life))
    }

    /// Whether there was one.
    pub(crate) fn remove(&self, tenant: TenantId, id: Uuid) -> io::Result<bool> {
        each!(self, store => store.remove(tenant, id))
    }

    /// The tenant's calls, the latest taken in first, from the one before the number `before`.
    pub(crate) fn list(
        &self,
        tenant: TenantId,
        before: Option<i64>,
        limit: usize,
    ) -> io::Result<Vec<(i64, Stored)>> {
        let before = before.unwrap_or(i64::MAX);
        each!(self, store => store.list(tenant, before, limit))
    }

    /// Removes all calls of all tenants.
    pub(crate) fn clear(&self) -> io::Result<()> {
        each!(self, store => store.clear())
    }

    /// The latest time that was noted.
    pub(crate) fn time(&self) -> io::Result<Option<DateTime<Utc>>> {
        each!(self, store => store.time())
    }

    /// Notes what time it is for calls that live.
    pub(crate) fn set_time(&self, now: DateTime<Utc>) -> io::Result<()> {
        each!(self, store => store.set_time(now))
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

    /// The same for each kind of store.
    fn keeps_calls(store: &Store) {
        let document = |id: u128, text: &str| Document {
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

        let begun = DateTime::UNIX_EPOCH;
        let script = Script::completed();
        let life = Life { script, begun };
        store
            .put(one, document(2, "e"), Some(life.clone()))
            .unwrap();
        let stored = store.get(one, Uuid::from_u128(2)).unwrap().unwrap();
        assert_eq!(stored.life.as_deref(), Some(&life));

        assert_eq!(store.time().unwrap(), None);
        store.set_time(begun).unwrap();
        assert_eq!(store.time().unwrap(), Some(begun));
        store.clear().unwrap();
        assert_eq!((get(one, 1), get(two, 1)), (None, None));
        assert_eq!(list(one, None, 9), []);
    }

    #[test]
    fn memory_keeps_calls() {
        keeps_calls(&Store::default());
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn a_file_keeps_calls() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Sqlite::open(&folder.path().join("calls.sqlite")).map(Store::Sqlite);
        keeps_calls(&open().unwrap());
        // And it keeps tenants and the time.
        let store = open().unwrap();
        assert!(!store.is_new());
        assert_eq!(store.time().unwrap(), Some(DateTime::UNIX_EPOCH));
        let (two, one) = (store.tenant("two").unwrap(), store.tenant("one").unwrap());
        assert_eq!((one, two), (TenantId(1), TenantId(2)));
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn a_file_of_somebody_elses_is_left_alone() {
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
            "{path} is a database of another program; give the sandbox a file of its own"
        );
        assert_eq!(std::fs::read(&path).unwrap(), before);

        std::fs::write(&path, "no database at all, but for its length").unwrap();
        assert_eq!(
            refused(),
            "cannot use the database {path}: file is not a database"
        );
    }
}
