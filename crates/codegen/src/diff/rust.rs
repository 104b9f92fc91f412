//! What the generator makes of a schema, as far as a comparison has to know: two schemas that differ may be the same
//! Rust type, and two that hold the same values may not be.
//!
//! `tests/diff.rs` holds this against the generator itself.

use serde_json::Value;

/// What decides, beside its schema, how a property is written in Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Presence {
    /// Whether the property is always there.
    pub(super) required: bool,
    /// Whether it may be null.
    pub(super) nullable: bool,
    /// Whether it has a default that isn't null.
    pub(super) default: bool,
    /// Whether it is a plain list or map, which is empty where it is absent from what is received.
    pub(super) collection: bool,
}

/// How a property of type `T` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `T`.
    Plain,
    /// `Option<T>`.
    Option,
    /// `Nullable<T>`, which can say absent, null and a value.
    ThreeState,
}

impl Presence {
    /// The form; only what is sent has to tell absent from null, from empty and from the default.
    pub(super) fn form(self, sent: bool) -> Form {
        match (self.required, self.nullable) {
            (true, false) => Form::Plain,
            (false, true) if sent => Form::ThreeState,
            (_, true) => Form::Option,
            (false, false) if !sent && (self.default || self.collection) => Form::Plain,
            (false, false) => Form::Option,
        }
    }
}

/// The formats of integers with the range of their Rust types; the later ones win where a range fits several.
const INTEGERS: [(&str, &str, f64, f64); 10] = [
    ("int8", "i8", i8::MIN as f64, i8::MAX as f64),
    ("uint8", "u8", u8::MIN as f64, u8::MAX as f64),
    ("int16", "i16", i16::MIN as f64, i16::MAX as f64),
    ("uint16", "u16", u16::MIN as f64, u16::MAX as f64),
    ("int", "i32", i32::MIN as f64, i32::MAX as f64),
    ("int32", "i32", i32::MIN as f64, i32::MAX as f64),
    ("uint", "u32", u32::MIN as f64, u32::MAX as f64),
    ("uint32", "u32", u32::MIN as f64, u32::MAX as f64),
    ("int64", "i64", i64::MIN as f64, i64::MAX as f64),
    ("uint64", "u64", u64::MIN as f64, u64::MAX as f64),
];

/// The Rust type of an integer with this format and these inclusive bounds.
pub(super) fn integer(format: Option<&str>, min: Option<f64>, max: Option<f64>) -> String {
    let same = |a: f64, b: f64| (a - b).abs() <= f64::EPSILON;
    let non_zero = |name: &str| format!("NonZeroU{}", name.trim_start_matches(['i', 'u']));
    let (mut min, mut max) = (min, max);
    if let Some((_, name, low, high)) = INTEGERS.iter().find(|(known, ..)| Some(*known) == format) {
        if min.is_none_or(|min| min >= *low) && max.is_none_or(|max| max <= *high) {
            return if min == Some(1.0) {
                non_zero(name)
            } else {
                (*name).to_owned()
            };
        }
        min = min.or(Some(*low));
        max = max.or(Some(*high));
    }
    if min == Some(1.0) {
        return non_zero("u64");
    }
    let fits = |low: f64, high: f64| match (min, max) {
        (None, None) => false,
        (min, max) => min.is_none_or(|min| same(min, low)) && max.is_none_or(|max| same(max, high)),
    };
    let fitting = INTEGERS
        .iter()
        .rev()
        .find(|(_, _, low, high)| fits(*low, *high));
    fitting.map_or("i64", |(_, name, ..)| name).to_owned()
}

/// The Rust type of a string without an enum; `checked` where a bound or a pattern makes it one of its own.
pub(super) fn string(format: Option<&str>, checked: bool) -> &'static str {
    match format {
        Some("uuid") => "Uuid",
        Some("date") => "NaiveDate",
        Some("date-time") => "DateTime<Utc>",
        Some("ip") => "IpAddr",
        Some("ipv4") => "Ipv4Addr",
        Some("ipv6") => "Ipv6Addr",
        _ if checked => "a checked string type of its own",
        _ => "String",
    }
}

/// The Rust type of a number.
pub(super) fn number(format: Option<&str>) -> &'static str {
    if format == Some("float") {
        "f32"
    } else {
        "f64"
    }
}

/// The media types of a body that the SDK can speak, the preferred one first.
pub(super) fn preference(media: &str) -> u8 {
    let media = media
        .split(';')
        .next()
        .unwrap_or(media)
        .trim()
        .to_ascii_lowercase();
    match media.as_str() {
        "application/json" => 0,
        other if other.ends_with("+json") => 1,
        "application/x-www-form-urlencoded" => 2,
        "multipart/form-data" => 3,
        other if other.starts_with("text/") => 4,
        _ => 5,
    }
}

/// The statuses that an operation answers with, in capitals, each with the shape of its body: null where it has none,
/// [`BYTES`] where it isn't JSON.
pub(super) type Answers = [(String, Value)];

/// The shape of a body that is handed on as it comes.
pub(super) const BYTES: &str = "bytes";

/// Whether a status is a success to the generated client.
pub(super) fn is_success(status: &str) -> bool {
    status.starts_with('2') || status == "101"
}

/// What a method returns, or what its error holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answered<'a> {
    /// Nothing.
    Nothing,
    /// The bytes as they come.
    Bytes,
    /// A type for all statuses.
    One(&'a Value),
    /// A type for all statuses but for those without a body.
    Optional(&'a Value),
    /// A non-exhaustive enum with a variant for each status.
    ByStatus,
}

/// What is made of the statuses of one side: the successes, or the errors.
pub(super) fn answered(answers: &Answers, success: bool) -> Answered<'_> {
    let any_success = answers.iter().any(|(status, _)| is_success(status));
    let of_side = answers.iter().filter(|(status, _)| match status.as_str() {
        // Beside a success it is an error, and else both.
        "DEFAULT" => !success || !any_success,
        status if is_success(status) => success,
        status => !success && !status.starts_with(['1', '3']),
    });
    let (mut nothing, mut bytes, mut typed) = (false, false, Vec::new());
    for (_, shape) in of_side {
        if shape.is_null() {
            nothing = true;
        } else if shape == BYTES {
            bytes = true;
        } else if !typed.contains(&shape) {
            typed.push(shape);
        }
    }
    match (typed.as_slice(), nothing, bytes) {
        ([], _, false) => Answered::Nothing,
        ([], false, true) => Answered::Bytes,
        ([one], false, false) => Answered::One(one),
        ([one], true, false) if success => Answered::Optional(one),
        _ => Answered::ByStatus,
    }
}

/// A default that isn't null.
pub(super) fn fills_in(default: Option<&Value>) -> bool {
    default.is_some_and(|default| !default.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_the_type_that_fits_their_range() {
        assert_eq!(integer(None, None, None), "i64");
        assert_eq!(integer(None, Some(0.0), None), "u64");
        assert_eq!(integer(None, Some(1.0), Some(100.0)), "NonZeroU64");
        assert_eq!(integer(None, Some(0.0), Some(255.0)), "u8");
        assert_eq!(integer(Some("int32"), None, None), "i32");
        assert_eq!(integer(Some("int64"), Some(0.0), None), "i64");
        assert_eq!(integer(Some("uint32"), None, Some(7.0)), "u32");
        assert_eq!(integer(Some("duration"), None, None), "i64");
    }

    #[test]
    fn answers_of_one_shape_are_one_type_and_others_are_told_apart_by_status() {
        let (a, b) = (Value::from("a"), Value::from("b"));
        let answers = |list: &[(&str, &Value)]| -> Vec<(String, Value)> {
            let owned = list
                .iter()
                .map(|(status, shape)| ((*status).to_owned(), (*shape).clone()));
            owned.collect()
        };
        let null = Value::Null;
        let same = answers(&[("200", &a), ("404", &b), ("4XX", &b), ("302", &a)]);
        assert_eq!(answered(&same, true), Answered::One(&a));
        assert_eq!(answered(&same, false), Answered::One(&b));
        let mixed = answers(&[("200", &a), ("204", &null), ("404", &b), ("409", &null)]);
        assert_eq!(answered(&mixed, true), Answered::Optional(&a));
        assert_eq!(answered(&mixed, false), Answered::ByStatus);
        let alone = answers(&[("DEFAULT", &a)]);
        assert_eq!(answered(&alone, true), Answered::One(&a));
        assert_eq!(answered(&alone, false), Answered::One(&a));
        assert_eq!(answered(&[], false), Answered::Nothing);
    }

    #[test]
    fn only_what_is_sent_tells_absent_from_null() {
        let presence = Presence {
            required: false,
            nullable: true,
            default: false,
            collection: false,
        };
        assert_eq!(presence.form(true), Form::ThreeState);
        assert_eq!(presence.form(false), Form::Option);
        let list = Presence {
            nullable: false,
            default: true,
            collection: true,
            ..presence
        };
        assert_eq!(list.form(true), Form::Option);
        assert_eq!(list.form(false), Form::Plain);
    }
}
