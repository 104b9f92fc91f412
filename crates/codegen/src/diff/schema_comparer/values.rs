//! Enum values.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Schema, SchemaComparer};
use crate::diff::change::{DirectionalImpact, Impact};
use crate::diff::label::show;
use crate::diff::pair::Locations;
use crate::openapi::Schema as _;
use crate::pointer::Pointer;
use crate::rename;

impl<'a> SchemaComparer<'_, 'a> {
    pub(super) fn values(&mut self, old: Schema<'_, 'a>, new: Schema<'_, 'a>) {
        let (Some(a), Some(b)) = (old.1.listed(), new.1.listed()) else {
            return;
        };
        let locations: Locations = (Some(location(old)), Some(location(new)));
        let (removed, added) = (only_in(&a, &b), only_in(&b, &a));
        if removed.is_empty() && added.is_empty() && a != b {
            self.compared.add(
                "enum-reordered",
                format!("the order of the values of {} changed", self.label),
                locations.clone(),
                Impact::documentation("only the order of the variants changes"),
            );
        }
        let are_strings = a.iter().chain(&b).all(|value| value.is_string());
        let pairs = rename::pair(&removed, &added, |a, b| {
            let similarity = rename::similarity(a, b);
            (are_strings && similarity >= rename::SIMILAR).then_some(similarity)
        });
        for (i, j) in &pairs {
            let what = format!(
                "the value {} of {} was probably renamed to {}",
                removed[*i], self.label, added[*j]
            );
            let why = "code that uses the variant no longer compiles, and the old value is no longer valid";
            self.compared.add(
                "enum-value-renamed",
                what,
                locations.clone(),
                Impact::breaking(why),
            );
            if let (Some(from), Some(to)) = (string(&removed[*i]), string(&added[*j])) {
                self.compared.mark_renamed(&from, &to);
            }
        }
        for (index, value) in removed.iter().enumerate() {
            if pairs.iter().all(|(i, _)| *i != index) {
                self.compared.add(
                    "enum-value-removed",
                    format!("the value {value} of {} was removed", self.label),
                    locations.clone(),
                    removed_impact(are_strings),
                );
            }
        }
        for (index, value) in added.iter().enumerate() {
            if pairs.iter().all(|(_, j)| *j != index) {
                self.compared.add(
                    "enum-value-added",
                    format!("the value {value} was added to {}", self.label),
                    locations.clone(),
                    added_impact(are_strings),
                );
            }
        }
    }
}

/// Returns the string that is shown as `value`, unless it is too long to be shown whole.
fn string(value: &str) -> Option<String> {
    serde_json::from_str(value).ok()
}

fn removed_impact(are_strings: bool) -> DirectionalImpact {
    if are_strings {
        Impact::breaking("code that uses the variant no longer compiles").into()
    } else {
        DirectionalImpact::new(
            Impact::breaking("the service refuses the value"),
            Impact::addition("the service sends fewer values"),
        )
    }
}

fn added_impact(are_strings: bool) -> DirectionalImpact {
    let sent = Impact::addition("one more value can be sent");
    if are_strings {
        let received = Impact::addition("string enums are open: it was `Unknown` before");
        DirectionalImpact::new(sent, received)
    } else {
        let received = Impact::breaking("the service sends a value that it did not send before");
        DirectionalImpact::new(sent, received)
    }
}

/// Returns the values that are missing in `other`, as shown in reports.
fn only_in(values: &[&Value], other: &[&Value]) -> Vec<String> {
    let known: BTreeSet<String> = other.iter().map(|value| value.to_string()).collect();
    values
        .iter()
        .filter(|value| !known.contains(&value.to_string()))
        .map(|value| show(value))
        .collect()
}

fn location((location, object): Schema<'_, '_>) -> Pointer {
    let keyword = if object.contains_key("const") {
        "const"
    } else {
        "enum"
    };
    location.join(keyword)
}
