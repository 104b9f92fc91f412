//! The calls that are served. Nothing outside of this file knows how they are kept.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use uuid::Uuid;

use crate::document::Document;

/// Calls by their id, in memory, each as the bytes that are sent: so what was given with a property missing, with
/// `null`, or with a property that the document doesn't know is served like that.
#[derive(Default)]
pub(crate) struct Store {
    calls: RwLock<HashMap<Uuid, Bytes>>,
}

impl Store {
    pub(crate) fn get(&self, id: Uuid) -> Option<Bytes> {
        let calls = self.calls.read().unwrap_or_else(PoisonError::into_inner);
        calls.get(&id).cloned()
    }

    /// Takes a call in, in place of the one with its id.
    pub(crate) fn put(&self, call: Document) {
        let mut calls = self.calls.write().unwrap_or_else(PoisonError::into_inner);
        calls.insert(call.id, call.json);
    }
}
