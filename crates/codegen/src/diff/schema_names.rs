//! Matches the named schemas of two documents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::schema;
use crate::names;
use crate::openapi::{self, Schema as _};
use crate::pointer::Pointer;
use crate::rename;
use crate::walk;

/// The named schemas that differ between the documents.
pub(super) struct SchemaNames {
    /// The renamed schemas, from old to new name.
    pub(super) renamed: BTreeMap<String, String>,
    /// The names that only the old document has, including renamed ones.
    pub(super) removed: Vec<String>,
    /// The names that only the new document has, including renamed ones.
    pub(super) added: Vec<String>,
}

impl SchemaNames {
    pub(super) fn new(old: &Value, new: &Value) -> Self {
        let (removed, added) = (only_in(old, new), only_in(new, old));
        let (before, after) = (signatures(old, &removed), signatures(new, &added));
        let pairs = rename::pair(&removed, &added, |a, b| {
            if names::type_name(a) == names::type_name(b) {
                return Some(3.0);
            }
            let name = rename::similarity(a, b);
            let content = before[a].similarity(&after[b]);
            let is_renamed = (content >= 1.0 && before[a].is_distinctive())
                || (content >= 0.5 && name >= rename::SIMILAR);
            is_renamed.then_some(content + name)
        });
        let renamed = pairs
            .into_iter()
            .map(|(i, j)| (removed[i].clone(), added[j].clone()))
            .collect();
        Self {
            renamed,
            removed,
            added,
        }
    }

    /// Returns the new name of an old schema.
    pub(super) fn new_name<'n>(&'n self, name: &'n str) -> &'n str {
        self.renamed.get(name).map_or(name, String::as_str)
    }
}

fn only_in(document: &Value, other: &Value) -> Vec<String> {
    let known: BTreeSet<&String> = walk::schemas(other).map(|(name, _)| name).collect();
    let names = walk::schemas(document).map(|(name, _)| name);
    names
        .filter(|name| !known.contains(name))
        .cloned()
        .collect()
}

fn signatures(document: &Value, names: &[String]) -> BTreeMap<String, Signature> {
    let signatures = names.iter().map(|name| {
        let signature = Signature::of(document, &Pointer::schema(name));
        (name.clone(), signature)
    });
    signatures.collect()
}

/// The content by which a schema is recognized under another name.
struct Signature {
    /// The names of the properties, and the enum values.
    members: BTreeSet<String>,
    /// The schema without annotations, for schemas without members.
    canonical: Value,
}

impl Signature {
    fn of(document: &Value, location: &Pointer) -> Self {
        let Some((location, object)) = openapi::inline(document, location) else {
            return Self {
                members: BTreeSet::new(),
                canonical: Value::Null,
            };
        };
        let flat = schema::flatten(document, &location, object);
        let properties = flat
            .properties
            .into_iter()
            .map(|(name, _)| format!(".{name}"));
        let values = object.listed().unwrap_or_default();
        let values = values.iter().map(|value| value.to_string());
        Self {
            members: properties.chain(values).collect(),
            canonical: schema::canonical(&Value::Object(object.clone())),
        }
    }

    /// Returns true if an equal signature is proof enough of a rename.
    fn is_distinctive(&self) -> bool {
        self.members.len() > 1
    }

    /// Returns the share of common members, from 0 to 1.
    fn similarity(&self, other: &Self) -> f32 {
        if self.members.is_empty() || other.members.is_empty() {
            return if self.canonical == other.canonical {
                1.0
            } else {
                0.0
            };
        }
        let common = self.members.intersection(&other.members).count();
        let all = self.members.union(&other.members).count();
        common as f32 / all as f32
    }
}
