//! Bounds of numbers.

use serde_json::{Number, Value};

use super::{JsonType, Schema};

/// The side of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Lower,
    Upper,
}

impl Side {
    /// Returns the keyword of the inclusive bound, and that of the exclusive one.
    pub(crate) fn keywords(self) -> (&'static str, &'static str) {
        match self {
            Self::Lower => ("minimum", "exclusiveMinimum"),
            Self::Upper => ("maximum", "exclusiveMaximum"),
        }
    }
}

/// A bound of numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) number: Number,
    /// The number itself is not valid.
    pub(crate) is_exclusive: bool,
}

impl Bound {
    /// Returns the number, as far as a float is as precise.
    pub(crate) fn value(&self) -> f64 {
        self.number.as_f64().unwrap_or_default()
    }

    /// Returns true if this bound on a side allows fewer numbers than the other one.
    pub(crate) fn is_tighter(&self, other: &Self, side: Side) -> bool {
        let (own, others) = (self.value(), other.value());
        let is_further = match side {
            Side::Lower => own > others,
            Side::Upper => own < others,
        };
        is_further || own == others && self.is_exclusive && !other.is_exclusive
    }
}

/// Returns the tighter one of both bounds on a side. That of integers is inclusive.
pub(super) fn bound(schema: &(impl Schema + ?Sized), side: Side) -> Option<Bound> {
    let (inclusive, exclusive) = side.keywords();
    let number = |keyword, is_exclusive| match schema.keyword(keyword)? {
        Value::Number(number) => Some(Bound {
            number: number.clone(),
            is_exclusive,
        }),
        _ => None,
    };
    // In 3.0, `exclusiveMinimum` is a flag of `minimum`.
    let included = number(inclusive, schema.has_flag(exclusive));
    let excluded = number(exclusive, true);
    let bound = match (included, excluded) {
        (Some(a), Some(b)) if a.is_tighter(&b, side) => a,
        (a, b) => b.or(a)?,
    };
    let step = match side {
        Side::Lower => 1,
        Side::Upper => -1,
    };
    match bound.number.as_i64() {
        Some(number) if bound.is_exclusive && schema.types().contains(&JsonType::Integer) => {
            Some(Bound {
                number: number.saturating_add(step).into(),
                is_exclusive: false,
            })
        }
        _ => Some(bound),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bound_of_3_0_equals_that_of_3_1() {
        let of = |schema: Value| {
            let bound = bound(&schema, Side::Lower)?;
            Some((bound.value(), bound.is_exclusive))
        };
        for (schema, expected) in [
            (
                json!({"type": "number", "exclusiveMinimum": 3}),
                (3.0, true),
            ),
            (
                json!({"type": "number", "minimum": 3, "exclusiveMinimum": true}),
                (3.0, true),
            ),
            (
                json!({"type": "integer", "exclusiveMinimum": 3}),
                (4.0, false),
            ),
            (
                json!({"type": "integer", "minimum": 3, "exclusiveMinimum": true}),
                (4.0, false),
            ),
            (
                json!({"type": "number", "minimum": 5, "exclusiveMinimum": 3}),
                (5.0, false),
            ),
            (
                json!({"type": "number", "minimum": 3, "exclusiveMinimum": false}),
                (3.0, false),
            ),
        ] {
            assert_eq!(of(schema.clone()), Some(expected), "{schema}");
        }
        assert_eq!(of(json!({"exclusiveMinimum": true})), None);
    }
}
