//! The calls that are served. Nothing outside of this file knows how they are kept.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::document::Document;
use crate::script::Life;

/// Calls by their id, in memory, each as the bytes that are sent: so what was given with a property missing, with
/// `null`, or with a property that the document doesn't know is served like that.
#[derive(Default)]
pub(crate) struct Store {
    calls: RwLock<HashMap<Uuid, Stored>>,
}

/// A call as it was given, and the script that it follows, if any.
#[derive(Clone)]
pub(crate) struct Stored {
    json: Bytes,
    life: Option<Arc<Life>>,
}

impl Stored {
    /// The call's JSON as it is at a time, with what it refers to under `origin`.
    pub(crate) fn json(self, now: DateTime<Utc>, origin: impl FnOnce() -> String) -> Bytes {
        match self.life {
            None => self.json,
            Some(life) => life.json(&self.json, now, &origin()),
        }
    }
}

impl Store {
    pub(crate) fn get(&self, id: Uuid) -> Option<Stored> {
        let calls = self.calls.read().unwrap_or_else(PoisonError::into_inner);
        calls.get(&id).cloned()
    }

    /// Takes a call in, in place of the one with its id.
    pub(crate) fn put(&self, call: Document, life: Option<Life>) {
        let stored = Stored {
            json: call.json,
            life: life.map(Arc::new),
        };
        let mut calls = self.calls.write().unwrap_or_else(PoisonError::into_inner);
        calls.insert(call.id, stored);
    }
}
