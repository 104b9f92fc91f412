//! Differences between a sample and the value after decoding and encoding it.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Number, Value};
use uuid::Uuid;

use crate::sampler::UNKNOWN;

/// The difference between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Another value.
    Changed,
    /// A number that was rounded.
    Rounded,
    /// A missing property.
    Dropped,
    /// A missing empty list or object.
    EmptyDropped,
    /// An additional property.
    Added,
    /// A list of another length.
    Length,
    /// A missing or additional null; the judge decides whether the values are equivalent.
    Null,
    /// The same number, instant or UUID in another notation.
    Spelling,
    /// A missing property that no schema mentions.
    Unknown,
}

impl Change {
    /// Returns true if nothing was lost.
    pub fn is_harmless(self) -> bool {
        matches!(self, Self::Null | Self::Spelling | Self::Unknown)
    }

    /// Returns the name of the change in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Rounded => "rounded",
            Self::Dropped => "dropped",
            Self::EmptyDropped => "dropped though empty",
            Self::Added => "added",
            Self::Length => "of another length",
            Self::Null => "null or absent",
            Self::Spelling => "spelled otherwise",
            Self::Unknown => "unknown and dropped",
        }
    }
}

/// Returns the differences between two values, each with its JSON pointer. `known` tests if a schema mentions the property
/// at a JSON pointer.
pub fn changes(
    before: &Value,
    after: &Value,
    known: &dyn Fn(&str) -> bool,
) -> Vec<(String, Change)> {
    let mut comparison = Comparison {
        known,
        found: Vec::new(),
    };
    comparison.compare("", before, after);
    comparison.found
}

struct Comparison<'k> {
    known: &'k dyn Fn(&str) -> bool,
    found: Vec<(String, Change)>,
}

impl Comparison<'_> {
    fn compare(&mut self, at: &str, before: &Value, after: &Value) {
        let change = match (before, after) {
            (Value::Object(before), Value::Object(after)) => {
                for (name, value) in before {
                    let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    match after.get(name) {
                        Some(after) => self.compare(&place, value, after),
                        None => {
                            let change = self.dropped(&place, name, value);
                            self.found.push((place, change));
                        }
                    }
                }
                for (name, value) in after {
                    if !before.contains_key(name) {
                        let change = if value.is_null() {
                            Change::Null
                        } else {
                            Change::Added
                        };
                        self.found.push((format!("{at}/{name}"), change));
                    }
                }
                return;
            }
            (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
                for (index, (before, after)) in before.iter().zip(after).enumerate() {
                    self.compare(&format!("{at}/{index}"), before, after);
                }
                return;
            }
            (Value::Array(_), Value::Array(_)) => Some(Change::Length),
            (Value::Number(before), Value::Number(after)) => number(before, after),
            (Value::String(before), Value::String(after)) => text(before, after),
            (before, after) => (before != after).then_some(Change::Changed),
        };
        if let Some(change) = change {
            self.found.push((at.to_owned(), change));
        }
    }

    fn dropped(&self, place: &str, name: &str, value: &Value) -> Change {
        let is_empty = value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(serde_json::Map::is_empty);
        if value.is_null() {
            Change::Null
        } else if name == UNKNOWN || !(self.known)(place) {
            Change::Unknown
        } else if is_empty {
            Change::EmptyDropped
        } else {
            Change::Dropped
        }
    }
}

fn number(before: &Number, after: &Number) -> Option<Change> {
    if before == after {
        return None;
    }
    let exact = |number: &Number| number.as_i128();
    if let (Some(before), Some(after)) = (exact(before), exact(after)) {
        return (before != after).then_some(Change::Changed);
    }
    let (before, after) = (before.as_f64()?, after.as_f64()?);
    let off = (before - after).abs() / before.abs().max(after.abs());
    Some(if before == after {
        Change::Spelling
    } else if off < 1e-6 {
        Change::Rounded
    } else {
        Change::Changed
    })
}

fn text(before: &str, after: &str) -> Option<Change> {
    if before == after {
        return None;
    }
    // Without an offset, a time is read as UTC.
    let instant = |text: &str| match DateTime::parse_from_rfc3339(text) {
        Ok(time) => Some(time.with_timezone(&Utc)),
        Err(_) => text.parse().ok().map(|time: NaiveDateTime| time.and_utc()),
    };
    let uuid = |text: &str| Uuid::parse_str(text).ok();
    let same_instant = instant(before).is_some_and(|time| instant(after) == Some(time));
    let same_uuid = uuid(before).is_some_and(|id| uuid(after) == Some(id));
    Some(if same_instant || same_uuid {
        Change::Spelling
    } else {
        Change::Changed
    })
}

/// Returns true if nothing was lost between an argument and the JSON that was read.
pub(crate) fn is_same_json(argument: &Value, read: &Value) -> bool {
    let found = changes(argument, read, &|_| true);
    found.iter().all(|(_, change)| change.is_harmless())
}

/// Returns true if a text on the wire represents this string, number or boolean.
pub fn same_scalar(scalar: &Value, written: &str) -> bool {
    match scalar {
        Value::String(before) => text(before, written).is_none_or(Change::is_harmless),
        Value::Number(before) => written
            .parse()
            .is_ok_and(|after| number(before, &after).is_none_or(Change::is_harmless)),
        Value::Null => written.is_empty() || written == "null",
        Value::Bool(before) => written == if *before { "true" } else { "false" },
        Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kinds(before: Value, after: Value) -> Vec<Change> {
        let found = changes(&before, &after, &|place| place != "/new");
        found.into_iter().map(|(_, change)| change).collect()
    }

    #[test]
    fn other_notation_is_not_a_loss() {
        assert_eq!(
            kinds(json!({"a": 1.0, "b": null}), json!({"a": 1, "c": null})),
            [Change::Spelling, Change::Null, Change::Null]
        );
        let (utc, offset) = ("2024-01-02T03:04:05Z", "2024-01-02T04:04:05+01:00");
        assert_eq!(kinds(json!(utc), json!(offset)), [Change::Spelling]);
        assert_eq!(
            kinds(json!(utc), json!("2024-01-02T03:04:06Z")),
            [Change::Changed]
        );
        assert_eq!(
            kinds(json!({"a": 1, "new": 1}), json!({})),
            [Change::Dropped, Change::Unknown]
        );
        assert_eq!(kinds(json!({"a": []}), json!({})), [Change::EmptyDropped]);
        assert_eq!(kinds(json!([1]), json!([])), [Change::Length]);
        assert_eq!(
            kinds(json!(0.1), json!(0.100_000_001_490_116_12)),
            [Change::Rounded]
        );
        assert_eq!(
            kinds(
                json!(9_007_199_254_740_993_u64),
                json!(9_007_199_254_740_992_u64)
            ),
            [Change::Changed]
        );
    }
}
