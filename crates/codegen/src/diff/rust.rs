//! Predicts the Rust types that the generator chooses. Different schemas may have the same type, and schemas of the same
//! values different ones.
//!
//! `tests/diff.rs` compares the predictions with generated code.

use serde_json::Value;

use crate::openapi::is_success;

/// The facts about a property that decide how its field wraps the type of its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Presence {
    /// The property is required.
    pub(super) required: bool,
    /// The value may be null.
    pub(super) nullable: bool,
}

/// The type of the field for a property of type `T`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `T`.
    Plain,
    /// `Option<T>`.
    Option,
    /// `Nullable<T>`, which is absent, null or a value.
    ThreeState,
}

impl Presence {
    /// Returns the type of the field. Only sent values distinguish absent from null.
    pub(super) fn form(self, sent: bool) -> Form {
        match (self.required, self.nullable) {
            (true, false) => Form::Plain,
            (false, true) if sent => Form::ThreeState,
            (_, true) => Form::Option,
            (false, false) => Form::Option,
        }
    }
}

/// Returns the type of a string without enum values. Bounds and patterns do not matter: the generator drops them.
pub(super) fn string(format: Option<&str>) -> &'static str {
    match format {
        Some("uuid") => "Uuid",
        Some("date") => "NaiveDate",
        Some("date-time") => "DateTime<Utc>",
        Some("ipv4") => "Ipv4Addr",
        _ => "String",
    }
}

/// The statuses of an operation's responses in upper case, each with the shape of its body: null without a body, [`BYTES`]
/// if it is not JSON.
pub(super) type Responses = [(String, Value)];

/// The shape of a body that is not decoded.
pub(super) const BYTES: &str = "bytes";

/// The type of a method's result, or of the body in its error.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum BodyType<'a> {
    /// No body.
    Nothing,
    /// Undecoded bytes.
    Bytes,
    /// One type for all statuses.
    One(&'a Value),
    /// One type for all statuses except those without a body.
    Optional(&'a Value),
    /// A non-exhaustive enum with a variant per status.
    ByStatus,
}

/// Returns the body type of the successes or of the errors.
pub(super) fn body_type(responses: &Responses, success: bool) -> BodyType<'_> {
    let any_success = responses.iter().any(|(status, _)| is_success(status));
    let selected = responses
        .iter()
        .filter(|(status, _)| match status.as_str() {
            // An error if there is a success, else both.
            "DEFAULT" => !success || !any_success,
            status if is_success(status) => success,
            status => !success && !status.starts_with(['1', '3']),
        });
    let (mut nothing, mut bytes, mut typed) = (false, false, Vec::new());
    for (_, shape) in selected {
        if shape.is_null() {
            nothing = true;
        } else if shape == BYTES {
            bytes = true;
        } else if !typed.contains(&shape) {
            typed.push(shape);
        }
    }
    match (typed.as_slice(), nothing, bytes) {
        ([], _, false) => BodyType::Nothing,
        ([], false, true) => BodyType::Bytes,
        ([one], false, false) => BodyType::One(one),
        ([one], true, false) if success => BodyType::Optional(one),
        _ => BodyType::ByStatus,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_type_of_one_shape_is_one_type() {
        let (a, b) = (Value::from("a"), Value::from("b"));
        let responses = |list: &[(&str, &Value)]| -> Vec<(String, Value)> {
            let owned = list
                .iter()
                .map(|(status, shape)| ((*status).to_owned(), (*shape).clone()));
            owned.collect()
        };
        let null = Value::Null;
        let same = responses(&[("200", &a), ("404", &b), ("4XX", &b), ("302", &a)]);
        assert_eq!(body_type(&same, true), BodyType::One(&a));
        assert_eq!(body_type(&same, false), BodyType::One(&b));
        let mixed = responses(&[("200", &a), ("204", &null), ("404", &b), ("409", &null)]);
        assert_eq!(body_type(&mixed, true), BodyType::Optional(&a));
        assert_eq!(body_type(&mixed, false), BodyType::ByStatus);
        let alone = responses(&[("DEFAULT", &a)]);
        assert_eq!(body_type(&alone, true), BodyType::One(&a));
        assert_eq!(body_type(&alone, false), BodyType::One(&a));
        assert_eq!(body_type(&[], false), BodyType::Nothing);
    }

    #[test]
    fn form_of_sent_property_distinguishes_absent_from_null() {
        let presence = Presence {
            required: false,
            nullable: true,
        };
        assert_eq!(presence.form(true), Form::ThreeState);
        assert_eq!(presence.form(false), Form::Option);
    }
}
