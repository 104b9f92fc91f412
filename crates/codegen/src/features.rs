//! Cargo features of a large SDK: one for each group of operations, so that a program compiles only those that it uses.
//!
//! A group is the first tag of its operations, or the first part of their path if they have none.

use std::collections::{BTreeMap, BTreeSet};

use heck::ToKebabCase;
use serde_json::Value;

use crate::layout::PROJECT;
use crate::names;
use crate::walk::{self, Operation};

/// The feature with those of all groups. It is on by default.
pub(crate) const ALL: &str = "all-operations";

/// An SDK with fewer operations compiles quickly enough as a whole.
const LEAST_OPERATIONS: usize = 100;

/// The maximum number of features that an item needs one of. What more groups use is always compiled.
const MOST_OF_ITEM: usize = 8;

/// The maximum number of features: crates.io accepts 300 in a crate.
const MOST: usize = 280;

/// The features that the crates of an SDK have for other reasons.
const TAKEN: [&str; 9] = [
    ALL,
    "blocking",
    "default",
    "gzip",
    "native-tls",
    "rate-limit",
    "rustls",
    "tokio",
    "tracing",
];

/// The features of an SDK, and the operations that need them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// The features, in order.
    names: Vec<String>,
    /// The feature of each method of the client, as an index of `names`.
    methods: BTreeMap<String, usize>,
}

impl Features {
    /// Returns the features for the operations of a document: none if there are few operations, or only one group.
    pub(crate) fn of(document: &Value) -> Self {
        let operations = walk::operations(document);
        if operations.len() <= LEAST_OPERATIONS {
            return Self::default();
        }
        let grouped: Vec<(String, String)> = operations
            .iter()
            .filter_map(|operation| Some((names::method_name(operation.id()?), group(operation))))
            .collect();
        let names: BTreeSet<&str> = grouped.iter().map(|(_, group)| group.as_str()).collect();
        if !(2..=MOST).contains(&names.len()) {
            return Self::default();
        }
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let methods = grouped
            .iter()
            .filter_map(|(method, group)| Some((method.clone(), names.binary_search(group).ok()?)));
        Self {
            methods: methods.collect(),
            names,
        }
    }

    /// Returns true if everything is compiled always.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the names of the features.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns when a method is compiled, and what it needs.
    pub(crate) fn condition(&self, method: &str) -> Condition {
        match self.methods.get(method) {
            Some(feature) => Condition::Any([*feature].into()),
            None => Condition::Always,
        }
    }

    /// Returns the builders of requests, each with the condition of its method.
    pub(crate) fn builders(&self) -> BTreeMap<String, Condition> {
        let methods = self.methods.keys();
        methods
            .map(|method| (names::builder_name(method), self.condition(method)))
            .collect()
    }

    /// Returns the attribute of an item that is compiled on a condition.
    pub(crate) fn attribute(&self, condition: &Condition) -> Option<String> {
        let Condition::Any(features) = condition else {
            return None;
        };
        let features = features.iter().filter_map(|index| self.names.get(*index));
        let features: Vec<String> = features
            .map(|name| format!("feature = \"{name}\""))
            .collect();
        Some(match features.as_slice() {
            [one] => format!("#[cfg({one})]"),
            several => format!("#[cfg(any({}))]", several.join(", ")),
        })
    }
}

/// The features of which an item needs one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The item is always compiled.
    Always,
    /// It is compiled with any of these features, which are indices of [`Features::names`].
    Any(BTreeSet<usize>),
}

impl Default for Condition {
    fn default() -> Self {
        Self::Any(BTreeSet::new())
    }
}

impl Condition {
    /// Adds a condition on which the item is needed, too. Returns false if that changes nothing.
    pub(crate) fn add(&mut self, other: &Self) -> bool {
        match (&mut *self, other) {
            (Self::Always, _) => false,
            (Self::Any(_), Self::Always) => {
                *self = Self::Always;
                true
            }
            (Self::Any(features), Self::Any(others)) => {
                let before = features.len();
                features.extend(others);
                let after = features.len();
                if after > MOST_OF_ITEM {
                    *self = Self::Always;
                }
                after != before
            }
        }
    }
}

/// Returns the group of an operation as the name of a feature.
fn group(operation: &Operation<'_>) -> String {
    let tag = operation.object.get("tags").and_then(|tags| tags.get(0));
    let part = || {
        let mut parts = operation.path.split('/');
        parts.find(|part| !part.is_empty() && !part.starts_with('{') && !is_prefix(part))
    };
    let group = tag.and_then(Value::as_str).or_else(part);
    let group = group.unwrap_or_default().to_kebab_case();
    let group: String = group
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    // The manifests are renamed as text: see `workspace::publish`.
    let group = group.trim_matches('-').replace(PROJECT, "api");
    let group = group.as_str();
    if group.is_empty() {
        "other".to_owned()
    } else if TAKEN.contains(&group) || group.starts_with(|first: char| first.is_ascii_digit()) {
        format!("operations-{group}")
    } else {
        group.to_owned()
    }
}

/// Returns true for a part of a path that all operations have, such as `api` or `v1`.
fn is_prefix(part: &str) -> bool {
    let version = part.strip_prefix('v').unwrap_or_default();
    part == "api" || version.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    /// Returns a document with the operations, and others so that there are many.
    fn document(operations: &[(&str, &str, Value)]) -> Value {
        let mut paths = Map::new();
        for (id, path, tags) in operations {
            paths.insert(
                (*path).to_owned(),
                json!({"get": {"operationId": id, "tags": tags}}),
            );
        }
        for index in 0..LEAST_OPERATIONS {
            let operation = json!({"operationId": format!("other{index}"), "tags": ["Other"]});
            paths.insert(format!("/other/{index}"), json!({"get": operation}));
        }
        json!({"paths": paths})
    }

    #[test]
    fn features_are_tags_or_the_beginning_of_the_path() {
        let features = Features::of(&document(&[
            ("getCall", "/v1/x/{id}", json!(["Phone Calls", "Other"])),
            ("listAgents", "/api/v2/agents", json!([])),
            ("root", "/{id}", Value::Null),
            ("trace", "/trace", json!(["Tracing"])),
            ("fax", "/fax", json!(["2Fax 📠"])),
            ("fails", "/fails", json!(["📠"])),
            ("project", "/project", json!(["Call API"])),
        ]));
        assert_eq!(
            features.names(),
            [
                "agents",
                "api",
                "operations-2fax",
                "operations-tracing",
                "other",
                "phone-calls"
            ]
        );
        let attribute = |method: &str| features.attribute(&features.condition(method));
        assert_eq!(
            attribute("get_call").as_deref(),
            Some("#[cfg(feature = \"phone-calls\")]")
        );
        assert_eq!(attribute("root"), attribute("fails"));
        assert_eq!(attribute("unknown"), None);
        let mut both = features.condition("get_call");
        assert!(both.add(&features.condition("list_agents")));
        assert!(!both.add(&features.condition("get_call")));
        assert_eq!(
            features.attribute(&both).as_deref(),
            Some("#[cfg(any(feature = \"agents\", feature = \"phone-calls\"))]")
        );
        assert!(both.add(&Condition::Always));
        assert_eq!(features.attribute(&both), None);
    }

    #[test]
    fn few_operations_or_one_group_have_no_features() {
        assert!(Features::of(&document(&[])).is_empty());
        let mut few = document(&[("a", "/a", json!(["A"]))]);
        assert!(!Features::of(&few).is_empty());
        few["paths"].as_object_mut().unwrap().remove("/other/0");
        assert!(Features::of(&few).is_empty());
    }
}
