//! Unions and discriminators.

use std::collections::BTreeMap;

use super::{Schema, SchemaComparer, at_keyword};
use crate::diff::change::Impact;
use crate::diff::label::describe;
use crate::diff::pair::{Locations, change_phrase};
use crate::diff::schema::{self, Union};
use crate::diff::spec::Spec;
use crate::openapi::{self, Discriminator, Schema as _, Target};
use crate::pointer::{Lookup as _, Pointer};

impl<'a> SchemaComparer<'_, 'a> {
    pub(super) fn union(&mut self, old: (&Pointer, Union<'a>), new: (&Pointer, Union<'a>)) {
        let (old_keyword, new_keyword) = (old.1.0, new.1.0);
        if old_keyword != new_keyword {
            self.compared.add(
                "union-changed",
                format!(
                    "{} changed from `{old_keyword}` to `{new_keyword}`",
                    self.label
                ),
                (Some(old.0.join(old_keyword)), Some(new.0.join(new_keyword))),
                Impact::documentation("its Rust type stays the same"),
            );
        }
        // A union with a discriminator is non-exhaustive and keeps members with an unknown tag.
        let is_open =
            has_discriminator(&self.specs.old, old.0) && has_discriminator(&self.specs.new, new.0);
        let mut removed = member_locations(old);
        let mut added = member_locations(new);
        for exact in [true, false] {
            removed.retain(|a| {
                let Some(position) = added.iter().position(|b| self.is_same_member(a, b, exact))
                else {
                    return true;
                };
                let b = added.remove(position);
                self.child(a.clone(), b);
                false
            });
        }
        for member in removed {
            let description = describe(&self.specs.old, &member);
            self.compared.add(
                "variant-removed",
                format!("the variant {description} of {} was removed", self.label),
                (Some(member), None),
                Impact::breaking("code that uses the variant no longer compiles"),
            );
        }
        for member in added {
            let description = describe(&self.specs.new, &member);
            let impact = if is_open {
                Impact::addition("the union keeps unknown variants and is non-exhaustive")
            } else {
                Impact::breaking("a `match` on the union no longer covers all variants")
            };
            self.compared.add(
                "variant-added",
                format!("the variant {description} was added to {}", self.label),
                (None, Some(member)),
                impact,
            );
        }
    }

    /// Returns true if two members have the same schema or, unless `exact`, are inline schemas of the same type.
    fn is_same_member(&self, old: &Pointer, new: &Pointer, exact: bool) -> bool {
        if exact {
            return self.specs.old_shape(old) == self.specs.new_shape(new);
        }
        let types = |spec: &Spec<'a>, member: &Pointer| match openapi::resolve(
            spec.document,
            member,
            true,
        )?
        .target
        {
            Target::Named(..) => None,
            Target::Inline(_, object) => Some(schema::types(object)),
        };
        let old = types(&self.specs.old, old);
        old.is_some() && old == types(&self.specs.new, new)
    }

    pub(super) fn discriminator(&mut self, old: Schema<'_, 'a>, new: Schema<'_, 'a>) {
        let (before, after) = (old.1.discriminator(), new.1.discriminator());
        let property = |found: &Option<Discriminator<'a>>| found.map(|found| found.property);
        let (a, b) = (property(&before), property(&after));
        if a != b {
            let quoted = |tag: Option<&str>| tag.map(|tag| format!("`{tag}`"));
            self.compared.add(
                "discriminator-changed",
                format!(
                    "the discriminator of {} {}",
                    self.label,
                    change_phrase(quoted(a), quoted(b))
                ),
                at_keyword(old, new, "discriminator"),
                Impact::breaking("the variants are chosen in another way"),
            );
        }
        let mapping = |found: Option<Discriminator<'a>>| -> BTreeMap<&'a String, Pointer> {
            found.iter().flat_map(Discriminator::mapping).collect()
        };
        let (a, b) = (mapping(before), mapping(after));
        for name in a.keys().filter(|name| !b.contains_key(*name)) {
            self.compared.add(
                "tag-removed",
                format!("the tag `{name}` of {} was removed", self.label),
                (Some(tag_location(old.0, name)), None),
                Impact::breaking("values with that tag no longer select a variant"),
            );
        }
        for (name, target) in &b {
            let new = Some(tag_location(new.0, name));
            match a.get(name) {
                None => self.compared.add(
                    "tag-added",
                    format!("the tag `{name}` was added to {}", self.label),
                    (None, new),
                    Impact::addition("values with other tags are decoded as before"),
                ),
                Some(before) if self.renamed(before) != *target => {
                    let locations: Locations = (Some(tag_location(old.0, name)), new);
                    self.compared.add(
                        "tag-changed",
                        format!("the tag `{name}` of {} selects another schema", self.label),
                        locations,
                        Impact::breaking("values with that tag become another variant"),
                    );
                }
                Some(_) => {}
            }
        }
    }

    /// Returns the location of an old schema under its new name.
    fn renamed(&self, schema: &Pointer) -> Pointer {
        match openapi::component(schema) {
            Some(name) => Pointer::schema(self.specs.schemas.new_name(&name)),
            None => schema.clone(),
        }
    }
}

fn member_locations((location, (keyword, members)): (&Pointer, Union<'_>)) -> Vec<Pointer> {
    let members = members.iter();
    members
        .map(|(index, _)| location.join(keyword).join(index))
        .collect()
}

fn has_discriminator(spec: &Spec<'_>, union: &Pointer) -> bool {
    let union = spec.document.at(union.as_str());
    union.is_some_and(|union| union.discriminator().is_some())
}

fn tag_location(union: &Pointer, name: &str) -> Pointer {
    union.join("discriminator").join("mapping").join(name)
}
