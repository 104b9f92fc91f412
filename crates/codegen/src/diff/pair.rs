//! A value of both documents.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::pointer::Pointer;

/// A value with its location.
pub(super) type Located<'a> = (Pointer, &'a Value);

/// The locations of a change: in the old document unless it was added, and in the new one unless it was removed.
pub(super) type Locations = (Option<Pointer>, Option<Pointer>);

/// Corresponding values of the two documents.
#[derive(Clone)]
pub(super) struct Pair<'a> {
    pub(super) old: Located<'a>,
    pub(super) new: Located<'a>,
}

impl<'a> Pair<'a> {
    /// Returns the locations of both values.
    pub(super) fn locations(&self) -> Locations {
        (Some(self.old.0.clone()), Some(self.new.0.clone()))
    }

    /// Returns the member `key` of both values.
    pub(super) fn get(&self, key: &str) -> (Option<&'a Value>, Option<&'a Value>) {
        (self.old.1.get(key), self.new.1.get(key))
    }

    /// Returns the locations that the member `key` of both values has or would have.
    pub(super) fn join(&self, key: &str) -> (Pointer, Pointer) {
        (self.old.0.join(key), self.new.0.join(key))
    }

    /// Returns the locations of the member `key`, where it exists.
    pub(super) fn locations_of(&self, key: &str) -> Locations {
        let ((a, b), (old, new)) = (self.get(key), self.join(key));
        (a.map(|_| old), b.map(|_| new))
    }

    /// Returns the keys of both values, sorted.
    pub(super) fn keys(&self) -> BTreeSet<&'a String> {
        [self.old.1, self.new.1]
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(Map::keys)
            .collect()
    }
}

/// Describes a change of an optional value.
pub(super) fn change_verb<T>(old: &Option<T>, new: &Option<T>) -> &'static str {
    match (old, new) {
        (None, _) => "was added",
        (_, None) => "was removed",
        _ => "changed",
    }
}

/// Describes a change of an optional value, with the values.
pub(super) fn change_phrase(old: Option<String>, new: Option<String>) -> String {
    match (old, new) {
        (Some(old), Some(new)) => format!("changed from {old} to {new}"),
        (None, Some(new)) => format!("was added: {new}"),
        (Some(old), None) => format!("was removed: {old}"),
        (None, None) => "is not set".to_owned(),
    }
}

/// Iterates over the members of the object at `key`. Empty if there is none.
pub(super) fn entries<'a>(
    object: &'a Value,
    key: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    object
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}
