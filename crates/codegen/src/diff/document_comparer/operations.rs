//! Matches and compares operations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{DocumentComparer, Usage, WIRE};
use crate::diff::change::{Impact, Renamed};
use crate::diff::pair::Pair;
use crate::diff::spec::Spec;
use crate::openapi::{Schema as _, is_success, template_names};
use crate::pointer::Lookup as _;
use crate::rename;
use crate::walk::{self, Operation};

/// An operation of both documents.
#[derive(Clone, Copy)]
pub(super) struct Matched<'o, 'a> {
    /// The index of the new operation.
    pub(super) index: usize,
    pub(super) old: &'o Operation<'a>,
    pub(super) new: &'o Operation<'a>,
}

impl<'a> Matched<'_, 'a> {
    /// Returns the Operation objects.
    pub(super) fn pair(self) -> Pair<'a> {
        Pair {
            old: (self.old.pointer.clone(), self.old.object),
            new: (self.new.pointer.clone(), self.new.object),
        }
    }
}

/// A key by which operations are matched.
type KeyOf<'a> = dyn Fn(&Spec<'a>, &Operation<'a>) -> Option<String>;

/// An operation without a match: its index and the name of its method.
struct Unmatched(usize, String);

impl AsRef<str> for Unmatched {
    fn as_ref(&self) -> &str {
        &self.1
    }
}

impl<'a> DocumentComparer<'_, 'a> {
    pub(super) fn operations(&mut self) {
        let specs = self.specs;
        let old = walk::operations(specs.old.document);
        let new = walk::operations(specs.new.document);
        let names = new.iter().map(|new| specs.new.method(&new.pointer));
        self.operations = names.collect();
        let matches = self.match_operations(&old, &new);
        for (i, operation) in old.iter().enumerate() {
            let Some(index) = matches.get(&i) else {
                self.operation_removed(operation);
                continue;
            };
            self.operation(Matched {
                index: *index,
                old: operation,
                new: &new[*index],
            });
        }
        let matched: BTreeSet<usize> = matches.into_values().collect();
        for (j, operation) in new.iter().enumerate() {
            if !matched.contains(&j) {
                let name = specs.new.method(&operation.pointer);
                let method = operation.method.to_uppercase();
                self.record(
                    "operation-added",
                    format!(
                        "the operation `{name}` was added: {method} {}",
                        operation.path
                    ),
                    (None, Some(operation.pointer.clone())),
                    Usage::operation(j),
                    Impact::addition("an additional method breaks no code"),
                );
            }
        }
    }

    fn operation_removed(&mut self, operation: &Operation<'a>) {
        let name = self.specs.old.method(&operation.pointer);
        let method = operation.method.to_uppercase();
        let what = format!(
            "the operation `{name}` was removed: {method} {}",
            operation.path
        );
        self.operations.push(name);
        self.record(
            "operation-removed",
            what,
            (Some(operation.pointer.clone()), None),
            Usage::operation(self.operations.len() - 1),
            Impact::breaking("code that calls its method no longer compiles"),
        );
    }

    /// Matches operations by method and path, then by method name, then by similarity. Returns new indices by old ones.
    fn match_operations(
        &self,
        old: &[Operation<'a>],
        new: &[Operation<'a>],
    ) -> BTreeMap<usize, usize> {
        let mut matches = BTreeMap::new();
        let mut matched = BTreeSet::new();
        let keys: [&KeyOf<'a>; 3] = [
            &|_, operation| Some(format!("{} {}", operation.method, operation.path)),
            &|_, operation| Some(format!("{} {}", operation.method, template(operation.path))),
            &|spec, operation| operation.id().map(|_| spec.method(&operation.pointer)),
        ];
        for key in keys {
            let mut by_key = BTreeMap::new();
            for (j, operation) in new.iter().enumerate() {
                if !matched.contains(&j)
                    && let Some(key) = key(&self.specs.new, operation)
                {
                    by_key.entry(key).or_insert(j);
                }
            }
            for (i, operation) in old.iter().enumerate() {
                if !matches.contains_key(&i)
                    && let Some(key) = key(&self.specs.old, operation)
                    && let Some(j) = by_key.remove(&key)
                {
                    matches.insert(i, j);
                    matched.insert(j);
                }
            }
        }
        let unmatched =
            |spec: &Spec<'a>, operations: &[Operation<'a>], is_matched: &dyn Fn(usize) -> bool| {
                let operations = operations.iter().enumerate();
                operations
                    .filter(|(index, _)| !is_matched(*index))
                    .map(|(index, operation)| Unmatched(index, spec.method(&operation.pointer)))
                    .collect::<Vec<_>>()
            };
        let removed = unmatched(&self.specs.old, old, &|i| matches.contains_key(&i));
        let added = unmatched(&self.specs.new, new, &|j| matched.contains(&j));
        let pairs = rename::pair(&removed, &added, |a, b| {
            self.similarity(a, &old[a.0], b, &new[b.0])
        });
        matches.extend(pairs.into_iter().map(|(i, j)| (removed[i].0, added[j].0)));
        matches
    }

    /// Returns the similarity of the names of two operations, if they are likely the same.
    fn similarity(
        &self,
        old_name: &Unmatched,
        old: &Operation<'a>,
        new_name: &Unmatched,
        new: &Operation<'a>,
    ) -> Option<f32> {
        let names = rename::similarity(&old_name.1, &new_name.1);
        let paths = rename::similarity(&template(old.path), &template(new.path));
        let is_same = old.method == new.method
            && template_names(old.path).len() == template_names(new.path).len()
            && names >= rename::SIMILAR
            && paths >= rename::SIMILAR
            && self.successes(old, true) == self.successes(new, false);
        is_same.then_some(names)
    }

    /// Returns the shapes of the bodies of successful responses.
    fn successes(&self, operation: &Operation<'a>, is_old: bool) -> Vec<Value> {
        self.response_shapes(operation, is_old)
            .into_iter()
            .filter(|(status, _)| is_success(status))
            .map(|(_, shape)| shape)
            .collect()
    }

    fn operation(&mut self, operation: Matched<'_, 'a>) {
        self.operation_names(operation);
        let pair = operation.pair();
        let usage = Usage::operation(operation.index);
        let label = format!("`{}`", self.specs.new.method(&operation.new.pointer));
        self.texts(&pair, &label, usage);
        let (old, new) = (operation.old.path_item(), operation.new.path_item());
        let (a, b) = (
            self.specs.old.document.at(old.as_str()),
            self.specs.new.document.at(new.as_str()),
        );
        if let (Some(a), Some(b)) = (a, b) {
            let item = Pair {
                old: (old, a),
                new: (new, b),
            };
            let label = format!("the path `{}`", operation.new.path);
            self.texts(&item, &label, usage);
        }
        for (key, why) in [
            ("callbacks", "the SDK has no code for callbacks"),
            ("servers", "the SDK uses one server for all operations"),
        ] {
            let (a, b) = pair.get(key);
            if a != b {
                self.record(
                    "unused-changed",
                    format!("`{key}` of {label} changed"),
                    pair.locations_of(key),
                    usage,
                    Impact::documentation(why),
                );
            }
        }
        self.parameters(operation);
        self.request_body(operation, &pair);
        self.responses(operation);
        self.security(operation);
    }

    /// Compares the HTTP method, the path and the id of an operation.
    fn operation_names(&mut self, operation: Matched<'_, 'a>) {
        let Matched { index, old, new } = operation;
        let usage = Usage::operation(index);
        let pair = operation.pair();
        let (old_name, new_name) = (
            self.specs.old.method(&old.pointer),
            self.specs.new.method(&new.pointer),
        );
        if old.method != new.method {
            let (a, b) = (old.method.to_uppercase(), new.method.to_uppercase());
            let what = format!("the HTTP method of `{new_name}` changed from {a} to {b}");
            self.record(
                "method-changed",
                what,
                pair.locations(),
                usage,
                Impact::breaking(WIRE),
            );
        }
        if template(old.path) != template(new.path) {
            let what = format!(
                "the path of `{new_name}` changed from {} to {}",
                old.path, new.path
            );
            self.record(
                "path-changed",
                what,
                pair.locations(),
                usage,
                Impact::breaking(WIRE),
            );
        }
        let [old_id, new_id] = [old, new].map(|operation| operation.object.text("operationId"));
        let has_same_id = old_id == new_id;
        if !has_same_id || old_id.is_some() && old_name != new_name {
            let (what, impact) = if has_same_id {
                (
                    format!(
                        "the method `{old_name}` was renamed to `{new_name}`: the short form of an operationId is its name while \
                         it is unique"
                    ),
                    Impact::breaking("the name of its method changes"),
                )
            } else if old_name == new_name {
                (
                    format!("the operationId of `{new_name}` changed"),
                    Impact::documentation("its method keeps its name"),
                )
            } else {
                (
                    format!("the operation `{old_name}` was renamed to `{new_name}`"),
                    Impact::breaking("the name of its method changes"),
                )
            };
            self.record(
                "operation-renamed",
                what,
                pair.locations_of("operationId"),
                usage,
                impact,
            );
            self.mark_renamed(Renamed::new(&old_name, &new_name));
        }
    }
}

/// Returns a path without the names of its parameters.
fn template(path: &str) -> String {
    let mut template = String::new();
    let mut in_braces = false;
    for c in path.chars() {
        in_braces = (in_braces || c == '{') && c != '}';
        if !in_braces {
            template.push(c);
        }
    }
    template
}
