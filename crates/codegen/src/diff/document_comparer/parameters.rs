//! Parameters of operations.

use super::operations::Matched;
use super::{DocumentComparer, Usage, WIRE};
use crate::diff::change::{Direction, Impact, Renamed};
use crate::diff::pair::Pair;
use crate::diff::spec::Spec;
use crate::names;
use crate::openapi::{
    ResolvedParameter, Schema as _, explodes, of_operation, style_name, template_names,
};
use crate::rename;
use crate::walk::Operation;

/// A parameter with the name by which [`rename::pair`] compares it.
struct Named<'p, 'a>(&'p ResolvedParameter<'a>);

impl AsRef<str> for Named<'_, '_> {
    fn as_ref(&self) -> &str {
        self.0.name()
    }
}

/// Returns true if an old and a new parameter are the same.
type IsSame<'f, 'a> = dyn Fn(&ResolvedParameter<'a>, &ResolvedParameter<'a>) -> bool + 'f;

/// The parameters of an operation of both documents.
struct Matches<'a> {
    pairs: Vec<(ResolvedParameter<'a>, ResolvedParameter<'a>)>,
    removed: Vec<ResolvedParameter<'a>>,
    added: Vec<ResolvedParameter<'a>>,
}

impl<'a> Matches<'a> {
    /// Pairs the remaining parameters that are the same.
    fn pair_by(&mut self, is_same: &IsSame<'_, 'a>) {
        for old in std::mem::take(&mut self.removed) {
            match self.added.iter().position(|new| is_same(&old, new)) {
                Some(position) => {
                    let new = self.added.remove(position);
                    self.pairs.push((old, new));
                }
                None => self.removed.push(old),
            }
        }
    }
}

impl<'a> DocumentComparer<'_, 'a> {
    pub(super) fn parameters(&mut self, operation: Matched<'_, 'a>) {
        let matches = self.match_parameters(operation);
        for (old, new) in &matches.pairs {
            self.parameter(operation.index, old, new);
        }
        let usage = Usage::request(operation.index);
        for parameter in matches.removed {
            let (location, name) = (parameter.location(), parameter.name());
            self.record(
                "parameter-removed",
                format!("the {location} parameter `{name}` was removed"),
                (Some(parameter.place.clone()), None),
                usage,
                Impact::breaking("code that sets it no longer compiles"),
            );
        }
        for parameter in matches.added {
            let (location, name) = (parameter.location(), parameter.name());
            let (required, impact) = if parameter.is_required() {
                ("required ", Impact::breaking("requests without it fail"))
            } else {
                (
                    "",
                    Impact::addition("an additional builder method breaks no code"),
                )
            };
            self.record(
                "parameter-added",
                format!("the {required}{location} parameter `{name}` was added"),
                (None, Some(parameter.place.clone())),
                usage,
                impact,
            );
        }
    }

    fn match_parameters(&self, operation: Matched<'_, 'a>) -> Matches<'a> {
        let of = |spec: &Spec<'a>, operation: &Operation<'a>| {
            let mut parameters = of_operation(spec.document, operation);
            parameters.retain(|parameter| {
                !parameter.name().is_empty() && !parameter.location().is_empty()
            });
            parameters
        };
        let mut matches = Matches {
            pairs: Vec::new(),
            removed: of(&self.specs.old, operation.old),
            added: of(&self.specs.new, operation.new),
        };
        matches.pair_by(&|a, b| {
            let has_same_name = if a.location() == "header" {
                // Field names are case-insensitive (RFC 9110, section 5.1).
                a.name().eq_ignore_ascii_case(b.name())
            } else {
                a.name() == b.name()
            };
            has_same_name && a.location() == b.location()
        });
        let before = template_names(operation.old.path);
        let after = template_names(operation.new.path);
        matches.pair_by(&|a, b| {
            let position = |names: &[&str], parameter: &ResolvedParameter<'a>| {
                names.iter().position(|name| *name == parameter.name())
            };
            let (a_position, b_position) = (position(&before, a), position(&after, b));
            a.location() == "path"
                && b.location() == "path"
                && a_position.is_some()
                && a_position == b_position
                && before.len() == after.len()
        });
        matches.pair_by(&|a, b| a.name() == b.name());
        self.pair_renamed(&mut matches);
        matches
    }

    /// Pairs parameters with similar names and the same schema.
    fn pair_renamed(&self, matches: &mut Matches<'a>) {
        let removed: Vec<_> = matches.removed.iter().map(Named).collect();
        let added: Vec<_> = matches.added.iter().map(Named).collect();
        let pairs = rename::pair(&removed, &added, |Named(a), Named(b)| {
            let similarity = rename::similarity(a.name(), b.name());
            let is_same = similarity >= rename::SIMILAR
                && a.location() == b.location()
                && self.specs.old_shape(&a.place.join("schema"))
                    == self.specs.new_shape(&b.place.join("schema"));
            is_same.then_some(similarity)
        });
        let names: Vec<_> = pairs
            .into_iter()
            .map(|(i, j)| {
                let (a, b) = (&matches.removed[i], &matches.added[j]);
                (a.place.clone(), b.place.clone())
            })
            .collect();
        matches.pair_by(&|a, b| names.iter().any(|(x, y)| a.place == *x && b.place == *y));
    }

    fn parameter(
        &mut self,
        index: usize,
        old: &ResolvedParameter<'a>,
        new: &ResolvedParameter<'a>,
    ) {
        let usage = Usage::request(index);
        let pair = Pair {
            old: (old.place.clone(), old.object),
            new: (new.place.clone(), new.object),
        };
        let label = format!("the parameter `{}`", new.name());
        for (kind, what, impact) in parameter_changes(old, new) {
            self.record(kind, what, pair.locations(), usage, impact);
            if kind == "parameter-renamed" {
                self.mark_renamed(Renamed {
                    is_positional: new.location() == "path",
                    ..Renamed::new(old.name(), new.name())
                });
            }
        }
        self.texts(&pair, &label, Usage::operation(index));
        match pair.get("schema") {
            (Some(_), Some(_)) => {
                let (old, new) = pair.join("schema");
                self.graph
                    .compare(old, new, Some((index, Direction::Request)));
            }
            (None, None) => self.content(&pair, &label, index, Direction::Request),
            _ => self.schema_presence(&pair, &label, index, Direction::Request),
        }
    }
}

/// Compares two parameters, except for their texts and schemas.
fn parameter_changes(
    old: &ResolvedParameter<'_>,
    new: &ResolvedParameter<'_>,
) -> Vec<(&'static str, String, Impact)> {
    let mut changes = Vec::new();
    let (name, location) = (new.name(), new.location());
    let label = format!("the parameter `{name}`");
    if old.location() != location {
        let what = format!("{label} moved from {} to {location}", old.location());
        changes.push(("parameter-moved", what, Impact::breaking(WIRE)));
    }
    if names::method_name(old.name()) != names::method_name(name) {
        // The position in the path identifies a path parameter.
        let (adverb, why) = if location == "path" {
            (
                "",
                "the names of its argument and of the mock's matcher change",
            )
        } else {
            ("probably ", "the name of its builder method changes")
        };
        let what = format!(
            "the parameter `{}` was {adverb}renamed to `{name}`",
            old.name()
        );
        changes.push(("parameter-renamed", what, Impact::breaking(why)));
    } else if old.name() != name && location != "path" && location != "header" {
        let what = format!("the parameter `{}` was renamed to `{name}`", old.name());
        changes.push(("parameter-renamed", what, Impact::breaking(WIRE)));
    }
    match (old.is_required(), new.is_required()) {
        (false, true) => changes.push((
            "parameter-required",
            format!("{label} is now required"),
            Impact::breaking("requests without it fail"),
        )),
        (true, false) => changes.push((
            "parameter-optional",
            format!("{label} is now optional"),
            Impact::addition("requests with it work as before"),
        )),
        _ => {}
    }
    let (a, b) = (style(old), style(new));
    if old.location() == location && a != b {
        let what = format!("the style of {label} changed from {a} to {b}");
        changes.push(("style-changed", what, Impact::breaking(WIRE)));
    }
    changes
}

/// Describes the serialization of a parameter: `style`, `explode` and `allowReserved`.
fn style(parameter: &ResolvedParameter<'_>) -> String {
    let mut phrase = format!("`{}`", style_name(parameter.object));
    if explodes(parameter.object) {
        phrase.push_str(", exploded");
    }
    if parameter.object.has_flag("allowReserved") {
        phrase.push_str(", not percent-encoded");
    }
    phrase
}
