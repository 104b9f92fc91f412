//! Objects and their properties.

use std::collections::HashMap;

use super::{Key, Schema, SchemaComparer, TYPE_CHANGES, both, resolve_both};
use crate::diff::change::{DirectionalImpact, Impact};
use crate::diff::label::{label, show};
use crate::diff::pair::{Locations, change_phrase};
use crate::diff::rust::{Form, Presence};
use crate::diff::schema::Properties;
use crate::names;
use crate::openapi::{self, Additional, JsonType, ResolvedSchema, Schema as _};
use crate::pointer::Pointer;
use crate::rename;

/// A property: its location, and true if the object lists it as required.
type Property<'p> = (&'p Pointer, bool);

/// A property of both objects.
struct PropertyPair {
    label: String,
    locations: Locations,
    old: Presence,
    new: Presence,
    /// The new property is used in one direction only, which makes it optional.
    is_one_directional: bool,
}

impl<'a> SchemaComparer<'_, 'a> {
    pub(super) fn object(
        &mut self,
        old: Schema<'_, 'a>,
        new: Schema<'_, 'a>,
        a: &Properties,
        b: &Properties,
    ) {
        let is_object = |(_, object): Schema<'_, 'a>| object.types().contains(&JsonType::Object);
        let (was_map, is_map) = (a.properties.is_empty(), b.properties.is_empty());
        if was_map != is_map && is_object(old) && is_object(new) {
            let phrase = |is_map: bool| {
                if is_map {
                    "a map"
                } else {
                    "an object with properties"
                }
            };
            let (from, to) = (phrase(was_map), phrase(is_map));
            self.compared.add(
                "type-changed",
                format!("{} changed from {from} to {to}", self.label),
                both(old, new),
                Impact::breaking(TYPE_CHANGES),
            );
            return;
        }
        self.properties(a, b);
        self.additional_properties(old, new, is_map);
    }

    fn properties(&mut self, a: &Properties, b: &Properties) {
        let old: HashMap<&String, &Pointer> = a.properties.iter().map(|(n, l)| (n, l)).collect();
        let new: HashMap<&String, &Pointer> = b.properties.iter().map(|(n, l)| (n, l)).collect();
        let only_in = |properties: &'_ Properties, other: &HashMap<&String, &Pointer>| {
            let names = properties.properties.iter().map(|(name, _)| name);
            let names = names.filter(|name| !other.contains_key(*name)).cloned();
            names.collect::<Vec<String>>()
        };
        let (removed, added) = (only_in(a, &new), only_in(b, &old));
        let pairs = self.renamed_properties((a, &removed), (b, &added), &old, &new);
        for (i, j) in &pairs {
            let (x, y) = (&removed[*i], &added[*j]);
            self.property_renamed((x, old[x]), (y, new[y]));
            self.property(
                (old[x], a.required.contains(x)),
                (new[y], b.required.contains(y)),
            );
        }
        for (index, name) in removed.iter().enumerate() {
            if pairs.iter().all(|(i, _)| *i != index) {
                let what = format!("{} was removed", label(&self.specs.old, old[name]));
                self.compared.add(
                    "property-removed",
                    what,
                    (Some(old[name].clone()), None),
                    Impact::breaking("code that uses its field no longer compiles"),
                );
            }
        }
        for (index, name) in added.iter().enumerate() {
            if pairs.iter().all(|(_, j)| *j != index) {
                self.property_added((new[name], b.required.contains(name)));
            }
        }
        for (name, location) in &a.properties {
            if let Some(new) = new.get(name) {
                self.property(
                    (location, a.required.contains(name)),
                    (new, b.required.contains(name)),
                );
            }
        }
    }

    /// Pairs removed with added properties: those with similar names, or the only ones at the same position, if the schemas
    /// are equal. Names that only differ in spelling match in any case.
    fn renamed_properties(
        &self,
        (a, removed): (&Properties, &[String]),
        (b, added): (&Properties, &[String]),
        old: &HashMap<&String, &Pointer>,
        new: &HashMap<&String, &Pointer>,
    ) -> Vec<(usize, usize)> {
        let position = |properties: &Properties, name: &String| {
            let mut names = properties.properties.iter().map(|(name, _)| name);
            names.position(|known| known == name)
        };
        let is_single = removed.len() == 1 && added.len() == 1;
        rename::pair(removed, added, |x, y| {
            let similarity = rename::similarity(x, y);
            let is_in_place = is_single && position(a, x) == position(b, y);
            if similarity < rename::SIMILAR && !is_in_place {
                return None;
            }
            let is_same =
                similarity >= 1.0 || self.specs.old_shape(old[x]) == self.specs.new_shape(new[y]);
            is_same.then_some(similarity)
        })
    }

    fn property_renamed(&mut self, old: (&str, &Pointer), new: (&str, &Pointer)) {
        let label = label(&self.specs.old, old.1);
        let impact = if names::method_name(old.0) == names::method_name(new.0) {
            Impact::breaking("its field keeps its name, but released versions use the old property")
        } else {
            Impact::breaking("the name of its field changes")
        };
        self.compared.add(
            "property-renamed",
            format!("{label} was probably renamed to `{}`", new.0),
            (Some(old.1.clone()), Some(new.1.clone())),
            impact,
        );
        self.compared.mark_renamed(old.0, new.0);
    }

    fn property_added(&mut self, (location, is_listed): Property<'_>) {
        let label = label(&self.specs.new, location);
        let resolved = openapi::resolve(self.specs.new.document, location, true);
        let is = |direction| {
            resolved
                .as_ref()
                .is_some_and(|resolved| resolved.is(direction))
        };
        const NEEDED: &str = "the service refuses requests without it";
        const BUILT: &str = "builders of its struct fail without it";
        const NEW: &str = "structs are non-exhaustive and made with builders";
        let (what, impact) = if is_listed {
            // In a struct that is used in both directions, the field of a property of one direction is an `Option`.
            let impact = match (is("readOnly"), is("writeOnly")) {
                (true, _) => {
                    let impact =
                        DirectionalImpact::new(Impact::addition(NEW), Impact::breaking(BUILT));
                    impact.in_both(Impact::addition(NEW))
                }
                (false, true) => {
                    DirectionalImpact::new(Impact::breaking(NEEDED), Impact::addition(NEW))
                }
                (false, false) => {
                    DirectionalImpact::new(Impact::breaking(NEEDED), Impact::breaking(BUILT))
                }
            };
            (format!("{label} was added and is required"), impact)
        } else {
            (format!("{label} was added"), Impact::addition(NEW).into())
        };
        self.compared.add(
            "property-added",
            what,
            (None, Some(location.clone())),
            impact,
        );
    }

    /// Compares a property of both objects: first its presence, then its schema.
    fn property(&mut self, old: Property<'_>, new: Property<'_>) {
        let key = Key {
            old: old.0.clone(),
            new: new.0.clone(),
            is_property: true,
        };
        let locations = key.locations();
        self.compared.children.push((key, self.depth));
        let Some((a, b)) = resolve_both(self.specs, old.0, new.0) else {
            return;
        };
        let pair = PropertyPair {
            label: label(&self.specs.new, new.0),
            locations,
            old: presence(&a, old.1),
            new: presence(&b, new.1),
            is_one_directional: b.is_one_directional(),
        };
        if a.is_one_directional() && pair.is_one_directional {
            self.required_in_a_direction(&pair, (old.1, new.1), b.is("writeOnly"));
        } else {
            self.required(&pair);
        }
        self.property_nullable(&pair);
        self.property_default(&pair, &a, &b);
    }

    fn required(&mut self, pair: &PropertyPair) {
        let label = &pair.label;
        let (kind, what, impact) = match (pair.old.required, pair.new.required) {
            (false, true) => (
                "property-required",
                format!("{label} is now required"),
                DirectionalImpact::new(
                    Impact::breaking("the service refuses requests without it"),
                    pair.impact(
                        false,
                        Impact::breaking("builders of its struct fail without it"),
                    ),
                ),
            ),
            (true, false) => {
                let reason = if pair.is_one_directional {
                    ", since it is used in one direction only"
                } else {
                    ""
                };
                (
                    "property-optional",
                    format!("{label} is now optional{reason}"),
                    pair.impact_or_addition(),
                )
            }
            _ => return,
        };
        self.compared
            .add(kind, what, pair.locations.clone(), impact);
    }

    /// Compares the presence of a property that is used in one direction only, before and after. The field is an `Option` in
    /// a struct that is used in both directions.
    fn required_in_a_direction(
        &mut self,
        pair: &PropertyPair,
        (was_required, is_required): (bool, bool),
        is_sent: bool,
    ) {
        if was_required == is_required {
            return;
        }
        let (kind, word) = if is_required {
            ("property-required", "required")
        } else {
            ("property-optional", "optional")
        };
        let of_type = if is_required {
            "the type of its field changes from Option<T> to T"
        } else {
            "the type of its field changes from T to Option<T>"
        };
        let of_type = Impact::breaking(of_type);
        let (place, impact) = if is_sent {
            let in_both = if is_required {
                Impact::breaking("the service refuses requests without it")
            } else {
                Impact::addition("the service accepts requests without it")
            };
            let unused = Impact::documentation("responses do not have it");
            let impact = DirectionalImpact::new(of_type, unused);
            ("requests", impact.in_both(in_both))
        } else {
            let in_both = Impact::addition(if is_required {
                "its field stays an Option, and a response without it is an error"
            } else {
                "its field stays an Option, and a response without it is no longer an error"
            });
            let unused = Impact::documentation("requests do not have it");
            let impact = DirectionalImpact::new(unused, of_type);
            ("responses", impact.in_both(in_both))
        };
        let what = format!("{} is now {word} in {place}", pair.label);
        self.compared
            .add(kind, what, pair.locations.clone(), impact);
    }

    fn property_nullable(&mut self, pair: &PropertyPair) {
        let label = &pair.label;
        let (kind, what, impact) = match (pair.old.nullable, pair.new.nullable) {
            (false, true) => (
                "property-nullable",
                format!("{label} is now nullable"),
                pair.impact_or_addition(),
            ),
            (true, false) => (
                "property-not-nullable",
                format!("{label} is no longer nullable"),
                DirectionalImpact::new(
                    Impact::breaking("the service refuses null"),
                    pair.impact(false, Impact::addition(KEEPS_TYPE)),
                ),
            ),
            _ => return,
        };
        self.compared
            .add(kind, what, pair.locations.clone(), impact);
    }

    fn property_default(
        &mut self,
        pair: &PropertyPair,
        old: &ResolvedSchema<'a>,
        new: &ResolvedSchema<'a>,
    ) {
        let default = |resolved: &ResolvedSchema<'a>| {
            let (location, value) = resolved.annotation("default")?;
            Some((location, show(value)))
        };
        let (a, b) = (default(old), default(new));
        let shown = |default: &Option<(Pointer, String)>| {
            let (_, shown) = default.as_ref()?;
            Some(shown.clone())
        };
        let (from, to) = (shown(&a), shown(&b));
        if from == to {
            return;
        }
        let (old, new) = pair.locations.clone();
        let what = format!("the default of {} {}", pair.label, change_phrase(from, to));
        let locations = (
            a.map(|(location, _)| location).or(old),
            b.map(|(location, _)| location).or(new),
        );
        let impact = Impact::documentation(super::SERVICE_DEFAULT);
        self.compared
            .add("default-changed", what, locations, impact);
    }

    fn additional_properties(&mut self, old: Schema<'_, 'a>, new: Schema<'_, 'a>, is_map: bool) {
        const KEYWORD: &str = "additionalProperties";
        let has_schema =
            |schema: Schema<'_, 'a>| matches!(schema.1.additional(), Additional::Of(_));
        let is_closed = |schema: Schema<'_, 'a>| schema.1.additional() == Additional::Forbidden;
        let locations = (Some(old.0.join(KEYWORD)), Some(new.0.join(KEYWORD)));
        let label = &self.label;
        match (has_schema(old), has_schema(new)) {
            (true, true) => self.child(old.0.join(KEYWORD), new.0.join(KEYWORD)),
            (false, false) if is_closed(old) == is_closed(new) => {}
            (false, false) => {
                let (kind, what) = if is_closed(new) {
                    (
                        "closed",
                        format!("{label} no longer allows additional properties"),
                    )
                } else {
                    (
                        "opened",
                        format!("{label} now allows additional properties"),
                    )
                };
                let impact = if is_closed(new) && is_map {
                    DirectionalImpact::new(
                        Impact::breaking("the service refuses every property"),
                        Impact::addition("the service sends fewer properties"),
                    )
                } else {
                    Impact::documentation("the SDK sends and reads the documented properties only")
                        .into()
                };
                self.compared.add(kind, what, locations, impact);
            }
            (_, is_described) => {
                let why = if is_map {
                    "the Rust type of its values changes"
                } else {
                    "its struct gains or loses the field for additional properties"
                };
                let verb = if is_described { "now" } else { "no longer" };
                self.compared.add(
                    "type-changed",
                    format!("the additional properties of {label} {verb} have a schema"),
                    locations,
                    Impact::breaking(why),
                );
            }
        }
    }
}

const KEEPS_TYPE: &str = "the type of its field does not change";

impl PropertyPair {
    /// Returns the impact of a changed type of the field, or `otherwise`.
    fn impact(&self, is_sent: bool, otherwise: Impact) -> Impact {
        let type_of = |form: Form| match form {
            Form::Plain => "T",
            Form::Option => "Option<T>",
            Form::ThreeState => "Nullable<T>",
        };
        let (from, to) = (self.old.form(is_sent), self.new.form(is_sent));
        if from == to {
            return otherwise;
        }
        Impact::breaking(format!(
            "the type of its field changes from {} to {}",
            type_of(from),
            type_of(to)
        ))
    }

    fn impact_or_addition(&self) -> DirectionalImpact {
        let impact = |is_sent| self.impact(is_sent, Impact::addition(KEEPS_TYPE));
        DirectionalImpact::new(impact(true), impact(false))
    }
}

fn presence(resolved: &ResolvedSchema<'_>, is_listed: bool) -> Presence {
    Presence {
        required: is_listed && !resolved.is_one_directional(),
        nullable: resolved.nullable,
    }
}
