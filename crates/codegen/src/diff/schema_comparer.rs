//! Compares two schemas.

mod annotations;
mod constraints;
mod properties;
mod unions;
mod values;

use std::collections::BTreeMap;

use super::change::{Difference, DirectionalImpact, Impact, Renamed};
use super::label::label;
use super::pair::Locations;
use super::schema::{self, Object};
use super::spec::Spec;
use super::specs::Specs;
use crate::names;
use crate::openapi::{self, ResolvedSchema, Schema as _, Target};
use crate::pointer::{Lookup as _, Pointer};

/// The maximum number of inline schemas around a schema. Deeper ones are only compared for equality.
const MAX_DEPTH: usize = 200;

const SERVICE_DEFAULT: &str = "the service fills it in, the SDK does not";

const TYPE_CHANGES: &str = "its Rust type changes";

/// The locations of two schemas to compare.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) old: Pointer,
    pub(super) new: Pointer,
    /// The schemas are properties. The comparison of the objects around them covers null and defaults.
    pub(super) is_property: bool,
}

/// A schema with its location.
type Schema<'p, 'a> = (&'p Pointer, &'a Object);

/// The result of comparing two schemas.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) differences: Vec<Difference>,
    /// The pairs of schemas inside, with their depths.
    pub(super) children: Vec<(Key, usize)>,
}

impl Compared {
    fn add(
        &mut self,
        kind: &'static str,
        what: String,
        (old, new): Locations,
        impact: impl Into<DirectionalImpact>,
    ) {
        self.differences.push(Difference {
            kind,
            what,
            old,
            new,
            impact: impact.into(),
            renamed: None,
        });
    }

    /// Marks the difference that was added last as a renaming.
    fn mark_renamed(&mut self, from: &str, to: &str) {
        if let Some(last) = self.differences.last_mut() {
            last.renamed = Some(Renamed::new(from, to));
        }
    }
}

/// Compares the schemas at two locations.
pub(super) fn compare(specs: &Specs<'_>, key: &Key, depth: usize) -> Compared {
    let mut comparer = SchemaComparer {
        specs,
        label: label(&specs.new, &key.new),
        depth: depth + 1,
        compared: Compared::default(),
    };
    if depth > MAX_DEPTH {
        comparer.compare_deep(key);
    } else {
        comparer.compare(key);
    }
    comparer.compared
}

struct SchemaComparer<'s, 'a> {
    specs: &'s Specs<'a>,
    /// The name of the new location in reports.
    label: String,
    /// The depth of the schemas inside.
    depth: usize,
    compared: Compared,
}

impl<'a> SchemaComparer<'_, 'a> {
    fn child(&mut self, old: Pointer, new: Pointer) {
        let key = Key {
            old,
            new,
            is_property: false,
        };
        self.compared.children.push((key, self.depth));
    }

    fn compare_deep(&mut self, key: &Key) {
        let old = self.specs.old.document.at(key.old.as_str());
        let new = self.specs.new.document.at(key.new.as_str());
        if old != new {
            self.compared.add(
                "type-changed",
                format!("a schema at depth {MAX_DEPTH} in {} changed", self.label),
                key.locations(),
                Impact::breaking("changes at that depth are not classified"),
            );
        }
    }

    fn compare(&mut self, key: &Key) {
        let Some((old, new)) = resolve_both(self.specs, &key.old, &key.new) else {
            return;
        };
        if !key.is_property && old.nullable != new.nullable {
            self.nullable(key, new.nullable);
        }
        self.annotations(&old, &new, key);
        match (&old.target, &new.target) {
            (Target::Named(a, old), Target::Named(b, new)) => {
                if self.specs.schemas.new_name(a) == b || names::type_name(a) == names::type_name(b)
                {
                    let key = Key {
                        old: old.clone(),
                        new: new.clone(),
                        is_property: false,
                    };
                    self.compared.children.push((key, 0));
                } else {
                    let what = format!("{} changed from `{a}` to `{b}`", self.label);
                    self.compared.add(
                        "type-changed",
                        what,
                        key.locations(),
                        Impact::breaking(TYPE_CHANGES),
                    );
                }
            }
            (Target::Inline(old, old_object), Target::Inline(new, new_object)) => {
                self.type_name(key, old_object, new_object);
                self.inline((old, old_object), (new, new_object));
            }
            // `resolve_both` resolves both names or neither.
            _ => {}
        }
    }

    fn nullable(&mut self, key: &Key, now: bool) {
        let (kind, verb, why) = if now {
            (
                "nullable",
                "is now nullable",
                "its Rust type becomes an `Option`",
            )
        } else {
            (
                "not-nullable",
                "is no longer nullable",
                "its Rust type is no longer an `Option`",
            )
        };
        let what = format!("{} {verb}", self.label);
        self.compared
            .add(kind, what, key.locations(), Impact::breaking(why));
    }

    /// Reports a named schema that became inline, or an inline one that became named, since the Rust type gets another name.
    fn type_name(&mut self, key: &Key, old: &Object, new: &Object) {
        let is_union = |object: &Object| schema::union(object).is_some();
        if !has_own_type(old) || !has_own_type(new) || is_union(old) != is_union(new) {
            return;
        }
        let old = reference_name(&self.specs.old, &key.old);
        let new = reference_name(&self.specs.new, &key.new);
        let what = match (old, new) {
            (Some(name), None) => format!("{} is now inline instead of `{name}`", self.label),
            (None, Some(name)) => format!("{} is now `{name}` instead of inline", self.label),
            _ => return,
        };
        self.compared.add(
            "type-renamed",
            what,
            key.locations(),
            Impact::breaking("its Rust type has another name"),
        );
    }

    fn inline(&mut self, old: Schema<'_, 'a>, new: Schema<'_, 'a>) {
        match (schema::union(old.1), schema::union(new.1)) {
            (Some(a), Some(b)) => {
                self.union((old.0, a), (new.0, b));
                self.discriminator(old, new);
            }
            (None, None) => {}
            _ => return self.type_changed(old, new),
        }
        let (a, b) = (schema::all_of(old.0, old.1), schema::all_of(new.0, new.1));
        if a.is_empty() && b.is_empty() {
            let are_unions = schema::union(old.1).is_some() && schema::union(new.1).is_some();
            // The members of a union have types of their own.
            if !are_unions
                && (schema::types(old.1) != schema::types(new.1)
                    || old.1.listed().is_some() != new.1.listed().is_some())
            {
                return self.type_changed(old, new);
            }
            let (a, b) = (schema::own(old.0, old.1), schema::own(new.0, new.1));
            self.object(old, new, &a, &b);
        } else if let Some(members) = self.match_members(&a, &b) {
            for (a, b) in members {
                self.child(a, b);
            }
            let (a, b) = (schema::own(old.0, old.1), schema::own(new.0, new.1));
            self.object(old, new, &a, &b);
        } else {
            // The members differ, so the resulting properties are compared.
            let a = schema::flatten(self.specs.old.document, old.0, old.1);
            let b = schema::flatten(self.specs.new.document, new.0, new.1);
            if a.properties.is_empty() != b.properties.is_empty() {
                return self.type_changed(old, new);
            }
            self.object(old, new, &a, &b);
        }
        self.values(old, new);
        self.format(old, new);
        self.bounds(old, new);
        self.items(old, new);
        self.other_keywords(old, new);
    }

    fn type_changed(&mut self, old: Schema<'_, 'a>, new: Schema<'_, 'a>) {
        let what = format!(
            "{} changed from {} to {}",
            self.label,
            schema::phrase(old.1),
            schema::phrase(new.1)
        );
        self.compared.add(
            "type-changed",
            what,
            both(old, new),
            Impact::breaking(TYPE_CHANGES),
        );
    }

    /// Pairs the members of two compositions, if they have the same named schemas and the same number of inline ones.
    fn match_members(&self, old: &[Pointer], new: &[Pointer]) -> Option<Vec<(Pointer, Pointer)>> {
        let split = |spec: &Spec<'a>, members: &[Pointer], new_name: &dyn Fn(&str) -> String| {
            let mut named = BTreeMap::new();
            let mut inline = Vec::new();
            for member in members {
                match component_name(spec, member) {
                    Some(name) => {
                        named.insert(new_name(&name), member.clone());
                    }
                    None => inline.push(member.clone()),
                }
            }
            (named, inline)
        };
        let old = split(&self.specs.old, old, &|name| {
            self.specs.schemas.new_name(name).to_owned()
        });
        let new = split(&self.specs.new, new, &str::to_owned);
        if !old.0.keys().eq(new.0.keys()) || old.1.len() != new.1.len() {
            return None;
        }
        let named = old.0.into_values().zip(new.0.into_values());
        Some(named.chain(old.1.into_iter().zip(new.1)).collect())
    }
}

impl Key {
    fn locations(&self) -> Locations {
        (Some(self.old.clone()), Some(self.new.clone()))
    }
}

/// Resolves the schemas at two locations. A named schema is only resolved if the other one is inline.
fn resolve_both<'a>(
    specs: &Specs<'a>,
    old: &Pointer,
    new: &Pointer,
) -> Option<(ResolvedSchema<'a>, ResolvedSchema<'a>)> {
    let a = openapi::resolve(specs.old.document, old, true)?;
    let b = openapi::resolve(specs.new.document, new, true)?;
    match (&a.target, &b.target) {
        (Target::Named(..), Target::Inline(..)) => {
            Some((openapi::resolve(specs.old.document, old, false)?, b))
        }
        (Target::Inline(..), Target::Named(..)) => {
            Some((a, openapi::resolve(specs.new.document, new, false)?))
        }
        _ => Some((a, b)),
    }
}

/// Returns the locations of both schemas.
fn both(old: Schema<'_, '_>, new: Schema<'_, '_>) -> Locations {
    (Some(old.0.clone()), Some(new.0.clone()))
}

/// Returns the locations of a keyword, or of the schema if it does not have the keyword.
fn at_keyword(old: Schema<'_, '_>, new: Schema<'_, '_>, keyword: &str) -> Locations {
    let location = |(location, object): Schema<'_, '_>| {
        Some(if object.contains_key(keyword) {
            location.join(keyword)
        } else {
            location.clone()
        })
    };
    (location(old), location(new))
}

/// Returns true if the generator makes a struct or an enum of the schema.
fn has_own_type(object: &Object) -> bool {
    object.contains_key("properties")
        || schema::union(object).is_some()
        || object.listed().is_some()
}

/// Returns the name of the schema that a reference leads to.
fn reference_name(spec: &Spec<'_>, location: &Pointer) -> Option<String> {
    let resolved = openapi::resolve(spec.document, location, true)?;
    match resolved.target {
        Target::Named(name, _) => Some(name),
        Target::Inline(..) => resolved.via,
    }
}

fn component_name(spec: &Spec<'_>, location: &Pointer) -> Option<String> {
    openapi::component(location).or_else(|| {
        match openapi::resolve(spec.document, location, true)?.target {
            Target::Named(name, _) => Some(name),
            Target::Inline(..) => None,
        }
    })
}
