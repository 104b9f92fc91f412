//! Named schemas, and components that no operation uses.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::DocumentComparer;
use crate::diff::change::{Impact, Renamed};
use crate::diff::pair::change_verb;
use crate::names;
use crate::openapi::Schema as _;
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

const UNUSED: &str = "no operation uses it";

impl<'a> DocumentComparer<'_, 'a> {
    pub(super) fn schemas(&mut self) {
        let specs = self.specs;
        let names = &specs.schemas;
        for name in &names.removed {
            let old = Pointer::schema(name);
            let Some(renamed) = names.renamed.get(name) else {
                self.record(
                    "schema-removed",
                    format!("the schema `{name}` was removed"),
                    (Some(old), None),
                    None,
                    Impact::breaking("code that uses its type no longer compiles"),
                );
                continue;
            };
            let new = Pointer::schema(renamed);
            let (adverb, impact) = if names::type_name(name) == names::type_name(renamed) {
                ("", Impact::documentation("its type keeps its name"))
            } else {
                (
                    "probably ",
                    Impact::breaking("the name of its type changes"),
                )
            };
            self.record(
                "schema-renamed",
                format!("the schema `{name}` was {adverb}renamed to `{renamed}`"),
                (Some(old.clone()), Some(new.clone())),
                None,
                impact,
            );
            self.mark_renamed(Renamed::new(name, renamed));
            self.graph.compare(old, new, None);
        }
        let renamed: BTreeSet<&String> = names.renamed.values().collect();
        for name in names.added.iter().filter(|name| !renamed.contains(name)) {
            self.record(
                "schema-added",
                format!("the schema `{name}` was added"),
                (None, Some(Pointer::schema(name))),
                None,
                Impact::addition("an additional type breaks no code"),
            );
        }
        let added: BTreeSet<&String> = names.added.iter().collect();
        for (name, _) in walk::schemas(specs.new.document) {
            if !added.contains(name) {
                self.graph
                    .compare(Pointer::schema(name), Pointer::schema(name), None);
            }
        }
    }

    /// Reports changes of components other than schemas that nothing refers to. Used ones are compared where they are used.
    pub(super) fn other_components(&mut self) {
        let used = self.referenced();
        for (section, noun) in [
            ("parameters", "parameter"),
            ("responses", "response"),
            ("requestBodies", "request body"),
            ("headers", "header"),
            ("examples", "example"),
            ("links", "link"),
            ("callbacks", "callback"),
        ] {
            let location = Pointer::root().join("components").join(section);
            let all = |document: &'a Value| {
                let all = document.at(location.as_str());
                all.and_then(Value::as_object)
            };
            let (old, new) = (all(self.specs.old.document), all(self.specs.new.document));
            let both = [old, new].into_iter().flatten();
            let names: BTreeSet<&String> = both.flat_map(Map::keys).collect();
            for name in names {
                let (a, b) = (
                    old.and_then(|all| all.get(name)),
                    new.and_then(|all| all.get(name)),
                );
                let component = location.join(name);
                if a == b || used.contains(&component) {
                    continue;
                }
                self.record(
                    "unused-changed",
                    format!("the {noun} `{name}` {}", change_verb(&a, &b)),
                    (a.map(|_| component.clone()), b.map(|_| component.clone())),
                    None,
                    Impact::documentation(UNUSED),
                );
            }
        }
    }

    /// Returns the targets of all references outside of schemas.
    fn referenced(&self) -> BTreeSet<Pointer> {
        let mut referenced = BTreeSet::new();
        for document in [self.specs.old.document, self.specs.new.document] {
            walk::walk(document, &mut |kind, _, value| {
                if kind != walk::Kind::Schema
                    && let Some(target) = value.reference()
                {
                    referenced.insert(target);
                }
            });
        }
        referenced
    }
}
