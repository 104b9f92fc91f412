//! Samples of strings and numbers: ordinary ones, and edge cases of encoders.

use serde_json::{Number, Value, json};

use crate::pattern;
use crate::shape::{Shape, Unsatisfiable};

const STRINGS: [&str; 15] = [
    "",
    "a",
    "text",
    "Some words",
    "ünï ✓ \"q\" \\ \n",
    "12",
    "true",
    "null",
    "1.5",
    "2024-01-02T03:04:05Z",
    "2024-01-02",
    "d3b07384-d9a0-4c9b-8f5a-0d7a7e8d8f11",
    "[1]",
    "{}",
    "a,b;c|d e/f?g#h&i=j%25k+l~",
];

/// The formats whose Rust types refuse other texts.
const TYPED: [&str; 3] = ["date-time", "date", "uuid"];

/// Returns a string that fits the format, the pattern or the length.
///
/// # Errors
/// None was found.
pub(crate) fn string(
    shape: &Shape<'_>,
    random: &mut fastrand::Rng,
) -> Result<Value, Unsatisfiable> {
    // A text that fits the pattern of a date can be a day that does not exist. The validator finds those that do not fit.
    let has_type = shape.format.is_some_and(|format| TYPED.contains(&format));
    if let Some(pattern) = shape.pattern.filter(|_| !has_type) {
        return pattern::matching(pattern, random)
            .map(Value::String)
            .ok_or(Unsatisfiable);
    }
    let formatted = shape.format.map(formatted).unwrap_or_default();
    if let Some(text) = random.choice(formatted) {
        return Ok(json!(text));
    }
    let least = shape.count("minLength").unwrap_or(0);
    let most = shape.count("maxLength").unwrap_or(usize::MAX);
    let text = random.choice(STRINGS).unwrap_or_default();
    let mut text: Vec<char> = text.chars().take(most).collect();
    while text.len() < least {
        text.push(random.alphanumeric());
    }
    Ok(json!(text.iter().collect::<String>()))
}

fn formatted(format: &str) -> &'static [&'static str] {
    match format {
        "date-time" => &[
            "2024-01-02T03:04:05Z",
            "2024-02-29T23:59:59.123Z",
            "1999-12-31T10:00:00.123456+02:00",
            "2031-07-08T09:10:11-07:30",
            "2024-01-02T03:04:05+00:00",
        ],
        "date" => &["2024-02-29", "1999-12-31", "2031-07-08"],
        "time" => &["03:04:05Z", "23:59:59.5+02:00", "10:00:00Z"],
        "duration" => &["P1D", "PT1H30M", "P3Y6M4DT12H30M5S"],
        "uuid" | "uuid4" => &[
            "d3b07384-d9a0-4c9b-8f5a-0d7a7e8d8f11",
            "00000000-0000-4000-8000-000000000000",
            "0F8FAD5B-D9CB-469F-A165-70867728950E",
        ],
        "uri" | "url" | "iri" | "uri-template" => &[
            "https://example.com",
            "http://example.com/a?b=c#d",
            "urn:a:b",
        ],
        "uri-reference" | "iri-reference" => &["/a/b"],
        "email" | "idn-email" => &["a.b+c@example.com"],
        "hostname" | "idn-hostname" => &["a.example.com"],
        "ipv4" | "ip" => &["192.0.2.1", "255.255.255.255"],
        "ipv6" => &[
            "2001:db8::1",
            "::1",
            "2001:0db8:0000:0000:0000:0000:0000:0001",
        ],
        "byte" | "base64" => &["aGk=", "AAECAw==", ""],
        "decimal" => &["1.50", "0", "-2"],
        "regex" => &["^a+$"],
        "json-pointer" => &["/a/b"],
        "int32" | "int64" => &["12"],
        _ => &[],
    }
}

/// Returns an integer within the bounds.
///
/// # Errors
/// None was found.
pub(crate) fn integer(
    shape: &Shape<'_>,
    random: &mut fastrand::Rng,
) -> Result<Value, Unsatisfiable> {
    let (low, high) = bounds(shape);
    let (least, most) = shape
        .format
        .map_or((f64::NEG_INFINITY, f64::INFINITY), representable);
    let (low, high) = (low.max(least), high.min(most));
    let mut candidates: Vec<Number> = [
        0,
        1,
        -1,
        2,
        17,
        100,
        86_400,
        i64::from(i32::MAX),
        1_704_164_645_123,
        9_007_199_254_740_993,
        i64::MIN,
        i64::MAX,
    ]
    .map(Number::from)
    .into();
    // Integers as defined by JSON Schema, which include `1.0`.
    candidates.extend([1.0, 120.0].into_iter().filter_map(Number::from_f64));
    // Only if the document has such bounds: an integer without bounds is a signed one of 64 bits.
    if high.is_finite() && high > i64::MAX as f64 {
        candidates.push(u64::MAX.into());
    }
    for bound in [low.ceil(), high.floor()] {
        if bound.abs() < 9e15 {
            candidates.push((bound as i64).into());
        }
    }
    if let Some(step) = shape.bounds.get("multipleOf") {
        let multiples = [0.0, 1.0, 2.0, 3.0].map(|times| (times * step) as i64);
        candidates.extend(multiples.map(Number::from));
        candidates.retain(|number| number.as_f64().is_some_and(|value| value % step == 0.0));
    }
    candidates.retain(|number| {
        let value = number.as_f64().unwrap_or(f64::NAN);
        low <= value && value <= high
    });
    random
        .choice(&candidates)
        .map(|number| json!(number))
        .ok_or(Unsatisfiable)
}

/// Returns the bounds of the integers of a format.
fn representable(format: &str) -> (f64, f64) {
    match format {
        "int8" => (-128.0, 127.0),
        "int16" => (-32_768.0, 32_767.0),
        "int32" => (f64::from(i32::MIN), f64::from(i32::MAX)),
        "uint8" => (0.0, 255.0),
        "uint16" => (0.0, 65_535.0),
        "uint32" => (0.0, f64::from(u32::MAX)),
        "uint" | "uint64" => (0.0, u64::MAX as f64),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    }
}

/// Returns a number within the bounds.
///
/// # Errors
/// None was found.
pub(crate) fn number(
    shape: &Shape<'_>,
    random: &mut fastrand::Rng,
) -> Result<Value, Unsatisfiable> {
    let (low, high) = bounds(shape);
    let mut candidates = vec![
        0.0,
        1.0,
        -1.0,
        0.5,
        -0.25,
        2.5e-3,
        0.1,
        1e10,
        1_704_164_645.123,
        12_345.678,
        16_777_217.0,
        1.797_693_134_862_315_7e308,
        5e-324,
        2.225_073_858_507_201e-308,
    ];
    candidates.extend([low, high].into_iter().filter(|bound| bound.is_finite()));
    if low.is_finite() && high.is_finite() {
        candidates.push(low / 2.0 + high / 2.0);
    }
    if let Some(step) = shape.bounds.get("multipleOf") {
        candidates.extend([*step, 2.0 * step]);
        candidates.retain(|value| (value / step).fract() == 0.0);
    }
    candidates.retain(|value| low <= *value && *value <= high);
    let value = *random.choice(&candidates).ok_or(Unsatisfiable)?;
    // An integer is a number as well, and is encoded without a fraction.
    if value.fract() == 0.0 && value.abs() < 1e15 && random.bool() {
        Ok(json!(value as i64))
    } else {
        Ok(json!(value))
    }
}

fn bounds(shape: &Shape<'_>) -> (f64, f64) {
    let get = |key: &str| shape.bounds.get(key).copied();
    let step = |key: &str| {
        if shape.exclusive.contains(key) {
            1e-3
        } else {
            0.0
        }
    };
    let low = get("minimum").map_or(f64::NEG_INFINITY, |bound| bound + step("exclusiveMinimum"));
    let high = get("maximum").map_or(f64::INFINITY, |bound| bound - step("exclusiveMaximum"));
    let low = get("exclusiveMinimum").map_or(low, |bound| low.max(bound + 1e-3));
    let high = get("exclusiveMaximum").map_or(high, |bound| high.min(bound - 1e-3));
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_a_format_and_a_pattern_is_of_the_type() {
        let shape = Shape {
            format: Some("date"),
            pattern: Some(r"^\d{4}-\d{2}-\d{2}$"),
            ..Shape::default()
        };
        let text = string(&shape, &mut fastrand::Rng::with_seed(1)).unwrap();
        assert!(formatted("date").iter().any(|date| text == *date), "{text}");
    }
}
