//! Formats, bounds, items, and the keywords that the SDK does not use.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Schema, SchemaComparer, TYPE_CHANGES, at_keyword};
use crate::diff::change::{DirectionalImpact, Impact};
use crate::diff::pair::{change_phrase, change_verb};
use crate::diff::schema::{self, Object};
use crate::openapi::{Bound as NumberBound, JsonType, Schema as _, Side, is_annotation, object};

/// Keywords that other comparisons read.
const COMPARED: [&str; 32] = [
    "$ref",
    "type",
    "nullable",
    "enum",
    "const",
    "format",
    "contentEncoding",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "required",
    "properties",
    "additionalProperties",
    "items",
    "allOf",
    "anyOf",
    "oneOf",
    "discriminator",
    "$defs",
    "definitions",
    "$dynamicAnchor",
    "$recursiveAnchor",
];

/// Keywords that may change the Rust type.
const TYPES: [&str; 5] = [
    "prefixItems",
    "patternProperties",
    "not",
    "$dynamicRef",
    "$recursiveRef",
];

/// The lower and upper bounds that are counts: true for a lower bound, the keyword, and the noun.
const COUNTS: [(bool, &str, &str); 6] = [
    (true, "minLength", "minimum length"),
    (false, "maxLength", "maximum length"),
    (true, "minItems", "minimum number of items"),
    (false, "maxItems", "maximum number of items"),
    (true, "minProperties", "minimum number of properties"),
    (false, "maxProperties", "maximum number of properties"),
];

/// A changed bound, with its values as shown in reports.
struct Bound<'k> {
    keyword: &'k str,
    noun: &'k str,
    old: Option<String>,
    new: Option<String>,
    /// True if fewer values are valid, `None` if unknown.
    is_tighter: Option<bool>,
}

impl<'a> SchemaComparer<'_, 'a> {
    pub(super) fn format(&mut self, old: Schema<'_, 'a>, new: Schema<'_, 'a>) {
        const UNCHECKED: &str = "the SDK does not check the format";
        let (a, b) = (old.1.format(), new.1.format());
        if a == b {
            return;
        }
        let quoted = |format: Option<&str>| format.map(|format| format!("`{format}`"));
        let what = format!(
            "the format of {} {}",
            self.label,
            change_phrase(quoted(a), quoted(b))
        );
        let impact = match (schema::scalar(old.1), schema::scalar(new.1)) {
            (Some(old), Some(new)) if old != new => {
                Impact::breaking(format!("its Rust type changes from {old} to {new}")).into()
            }
            // The formats of numbers only choose the Rust type.
            (Some(ty), Some(_))
                if matches!(new.1.types()[..], [JsonType::Integer | JsonType::Number]) =>
            {
                Impact::documentation(format!("its Rust type stays {ty}")).into()
            }
            _ if b.is_none() => DirectionalImpact::new(
                Impact::addition("the service accepts any value"),
                Impact::documentation(UNCHECKED),
            ),
            _ => DirectionalImpact::new(
                Impact::breaking("the service may refuse values that it accepted before"),
                Impact::documentation(UNCHECKED),
            ),
        };
        self.compared.add(
            "format-changed",
            what,
            at_keyword(old, new, "format"),
            impact,
        );
    }

    pub(super) fn bounds(&mut self, old: Schema<'_, 'a>, new: Schema<'_, 'a>) {
        for bound in changed_bounds(old.1, new.1) {
            let what = format!(
                "the {} of {} {}",
                bound.noun,
                self.label,
                change_phrase(bound.old, bound.new)
            );
            let (kind, sent) = match bound.is_tighter {
                Some(true) => (
                    "bound-tightened",
                    Impact::breaking("the service refuses values that it accepted before"),
                ),
                Some(false) => (
                    "bound-loosened",
                    Impact::addition("the service accepts more values"),
                ),
                None => (
                    "bound-changed",
                    Impact::breaking("the service may refuse values that it accepted before"),
                ),
            };
            let received = Impact::documentation("the SDK does not check bounds");
            self.compared.add(
                kind,
                what,
                at_keyword(old, new, bound.keyword),
                DirectionalImpact::new(sent, received),
            );
        }
    }

    pub(super) fn items(&mut self, old: Schema<'_, 'a>, new: Schema<'_, 'a>) {
        let location = |(location, object): Schema<'_, 'a>| {
            let items = object.get("items").and_then(self::object);
            items.map(|_| location.join("items"))
        };
        match (location(old), location(new)) {
            (Some(a), Some(b)) => self.child(a, b),
            (None, None) => {}
            (_, b) => {
                let verb = if b.is_some() { "now" } else { "no longer" };
                self.compared.add(
                    "type-changed",
                    format!("the items of {} {verb} have a schema", self.label),
                    at_keyword(old, new, "items"),
                    Impact::breaking(TYPE_CHANGES),
                );
            }
        }
    }

    /// Compares the keywords that no other comparison reads.
    pub(super) fn other_keywords(&mut self, old: Schema<'_, 'a>, new: Schema<'_, 'a>) {
        let keywords: BTreeSet<&String> = old.1.keys().chain(new.1.keys()).collect();
        for keyword in keywords {
            let (a, b) = (old.1.get(keyword), new.1.get(keyword));
            if a == b || COMPARED.contains(&keyword.as_str()) || is_annotation(keyword) {
                continue;
            }
            let is_equivalent = match (a, b) {
                (Some(a), Some(b)) => schema::canonical(a) == schema::canonical(b),
                _ => false,
            };
            let impact = if is_equivalent {
                Impact::documentation("only its documentation changes").into()
            } else if TYPES.contains(&keyword.as_str()) {
                Impact::breaking("its Rust type may change").into()
            } else {
                DirectionalImpact::new(
                    Impact::breaking("the service may refuse values that it accepted before"),
                    Impact::documentation("the SDK does not check it"),
                )
            };
            self.compared.add(
                "constraint-changed",
                format!("`{keyword}` of {} {}", self.label, change_verb(&a, &b)),
                at_keyword(old, new, keyword),
                impact,
            );
        }
    }
}

fn changed_bounds(old: &Object, new: &Object) -> Vec<Bound<'static>> {
    let mut bounds = Vec::new();
    for side in [Side::Lower, Side::Upper] {
        let (keyword, _) = side.keywords();
        let (a, b) = (old.bound(side), new.bound(side));
        let value = |bound: &NumberBound| (bound.value(), bound.is_exclusive);
        if a.as_ref().map(value) != b.as_ref().map(value) {
            let is_tighter = match (&a, &b) {
                (Some(a), Some(b)) => b.is_tighter(a, side),
                (a, _) => a.is_none(),
            };
            let shown = |bound: NumberBound| match (bound.is_exclusive, side) {
                (false, _) => format!("{}", bound.value()),
                (true, Side::Lower) => format!("more than {}", bound.value()),
                (true, Side::Upper) => format!("less than {}", bound.value()),
            };
            bounds.push(Bound {
                keyword,
                noun: keyword,
                old: a.map(shown),
                new: b.map(shown),
                is_tighter: Some(is_tighter),
            });
        }
    }
    for (is_lower, keyword, noun) in COUNTS {
        let count = |object: &Object| {
            let count = object.get(keyword).and_then(Value::as_f64);
            count.filter(|count| !is_lower || *count > 0.0)
        };
        let (a, b) = (count(old), count(new));
        if a != b {
            let is_tighter = match (a, b) {
                (Some(a), Some(b)) if is_lower => b > a,
                (Some(a), Some(b)) => b < a,
                (a, _) => a.is_none(),
            };
            bounds.push(Bound {
                keyword,
                noun,
                old: a.map(|count| count.to_string()),
                new: b.map(|count| count.to_string()),
                is_tighter: Some(is_tighter),
            });
        }
    }
    bounds.extend(unique_items(old, new));
    bounds.extend(multiple_of(old, new));
    bounds.extend(pattern(old, new));
    bounds
}

fn unique_items(old: &Object, new: &Object) -> Option<Bound<'static>> {
    let is_set = |object: &Object| object.has_flag("uniqueItems");
    let (a, b) = (is_set(old), is_set(new));
    let shown = |is_set: bool| is_set.then(|| "required".to_owned());
    (a != b).then(|| Bound {
        keyword: "uniqueItems",
        noun: "uniqueness of the items",
        old: shown(a),
        new: shown(b),
        is_tighter: Some(b),
    })
}

fn multiple_of(old: &Object, new: &Object) -> Option<Bound<'static>> {
    let step = |object: &Object| object.get("multipleOf").and_then(Value::as_f64);
    let (a, b) = (step(old), step(new));
    let divides = |a: f64, b: f64| a != 0.0 && (b / a).fract().abs() < 1e-9;
    let is_tighter = match (a, b) {
        (Some(a), Some(b)) if divides(a, b) => Some(true),
        (Some(a), Some(b)) if divides(b, a) => Some(false),
        (Some(_), Some(_)) => None,
        (a, _) => Some(a.is_none()),
    };
    (a != b).then(|| Bound {
        keyword: "multipleOf",
        noun: "step",
        old: a.map(|step| step.to_string()),
        new: b.map(|step| step.to_string()),
        is_tighter,
    })
}

fn pattern(old: &Object, new: &Object) -> Option<Bound<'static>> {
    let pattern = |object: &Object| {
        let pattern = object.text("pattern")?;
        Some(format!("`{pattern}`"))
    };
    let (a, b) = (pattern(old), pattern(new));
    let is_tighter = match (&a, &b) {
        (Some(_), Some(_)) => None,
        (a, _) => Some(a.is_none()),
    };
    (a != b).then_some(Bound {
        keyword: "pattern",
        noun: "pattern",
        old: a,
        new: b,
        is_tighter,
    })
}
