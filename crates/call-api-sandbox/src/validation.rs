//! Validation of requests by the document, with the errors of a FastAPI service.

use axum::response::Response;
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde_json::{Value, json};

use crate::call_id::{self, InvalidUuid};
use crate::operations::{Kind, Location, Operation, Parameter, RequestBody, ValueType, is_json};
use crate::responses::{self, Invalid, Step};

/// Checks the parameters and the body of a request. Errors with what is invalid.
pub(crate) fn validate(
    operation: &Operation,
    captured: &[(String, String)],
    query: &[(String, String)],
    parts: &Parts,
    body: &Bytes,
) -> Result<(), Vec<Invalid>> {
    let body = match &operation.body {
        Some(expected) => Some((expected, parse(parts, body)?)),
        None => None,
    };
    let captured = [captured, &operation.captures_in_query(query)].concat();
    let mut invalid = Vec::new();
    for location in [Location::Path, Location::Query, Location::Header] {
        let parameters = operation.parameters.iter();
        for parameter in parameters.filter(|parameter| parameter.location == location) {
            let values: Vec<&str> = match location {
                Location::Path => named(&captured, &parameter.name),
                Location::Query => named(query, &parameter.name),
                Location::Header => {
                    let all = parts.headers.get_all(parameter.name.as_str());
                    all.iter().filter_map(|value| value.to_str().ok()).collect()
                }
            };
            check_parameter(parameter, &values, &mut invalid);
        }
    }
    if let Some((expected, body)) = body {
        check_body(expected, body.as_ref(), &mut invalid);
    }
    match invalid.is_empty() {
        true => Ok(()),
        false => Err(invalid),
    }
}

/// Returns the error response for an id in the path that is not a UUID.
pub(crate) fn invalid_id(parameter: &str, input: &str, error: &InvalidUuid) -> Response {
    let at = vec![
        Step::Name(Location::Path.name().to_owned()),
        Step::Name(parameter.to_owned()),
    ];
    responses::unprocessable(&[uuid_error(error).at(at, input)])
}

fn named<'a>(pairs: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let named = pairs.iter().filter(|(other, _)| other == name);
    named.map(|(_, value)| value.as_str()).collect()
}

fn check_parameter(parameter: &Parameter, values: &[&str], invalid: &mut Vec<Invalid>) {
    let at = || {
        let place = Step::Name(parameter.location.name().to_owned());
        vec![place, Step::Name(parameter.name.clone())]
    };
    // Of a scalar, the last one counts.
    let Some(last) = values.last() else {
        if parameter.required {
            invalid.push(Invalid::missing(at(), Value::Null));
        }
        return;
    };
    let items = match (&parameter.ty.items, parameter.encoding.as_deref()) {
        (None, _) => {
            let value = single(parameter, last);
            invalid.extend(check_text(&parameter.ty, value).map(|error| error.at(at(), value)));
            return;
        }
        (Some(items), None) => (items, values.to_vec()),
        (Some(items), Some("comma" | "simple" | "simple_exploded")) => {
            (items, last.split(',').collect())
        }
        // The delimiters of other styles depend on escapes.
        _ => return,
    };
    let (ty, values) = items;
    for (index, value) in values.into_iter().enumerate() {
        let mut at = at();
        at.push(Step::Index(index));
        invalid.extend(check_text(ty, value).map(|error| error.at(at, value)));
    }
}

/// Returns a single value without what its style adds.
fn single<'a>(parameter: &Parameter, text: &'a str) -> &'a str {
    let value = match parameter.encoding.as_deref() {
        Some("label" | "label_exploded") => text.strip_prefix('.'),
        Some("matrix" | "matrix_exploded") => text
            .strip_prefix(';')
            .and_then(|pair| pair.strip_prefix(parameter.name.as_str()))
            .map(|value| value.strip_prefix('=').unwrap_or(value)),
        _ => None,
    };
    value.unwrap_or(text)
}

/// An error in pydantic's words: its type, its message, and the context.
struct TextError(&'static str, String, Option<Value>);

impl TextError {
    fn at(self, at: Vec<Step>, input: &str) -> Invalid {
        let Self(kind, message, context) = self;
        Invalid::new(kind, at, message, input.into(), context)
    }
}

/// Checks the text of a single value.
fn check_text(ty: &ValueType, text: &str) -> Option<TextError> {
    if !ty.values.is_empty() {
        return check_listed(&ty.values, text);
    }
    match (ty.kind, ty.format.as_deref()) {
        (Kind::Integer, _) => match text.trim().parse::<i64>() {
            Ok(_) => check_bounds(ty, text.trim().parse().ok()?),
            Err(_) => Some(TextError(
                "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer".to_owned(),
                None,
            )),
        },
        (Kind::Number, _) => match text.trim().parse::<f64>() {
            Ok(value) => check_bounds(ty, value),
            Err(_) => Some(TextError(
                "float_parsing",
                "Input should be a valid number, unable to parse string as a number".to_owned(),
                None,
            )),
        },
        (Kind::Boolean, _) => {
            const BOOLEANS: [&str; 12] = [
                "true", "false", "1", "0", "on", "off", "yes", "no", "t", "f", "y", "n",
            ];
            let known = BOOLEANS
                .iter()
                .any(|known| text.eq_ignore_ascii_case(known));
            (!known).then(|| {
                TextError(
                    "bool_parsing",
                    "Input should be a valid boolean, unable to interpret input".to_owned(),
                    None,
                )
            })
        }
        (Kind::String, Some("uuid")) => call_id::parse(text).err().as_ref().map(uuid_error),
        (Kind::String, Some("date-time")) => (!is_date_time(text)).then(|| {
            TextError(
                "datetime_from_date_parsing",
                "Input should be a valid datetime or date, input is invalid".to_owned(),
                Some(json!({"error": "input is invalid"})),
            )
        }),
        (Kind::String, Some("date")) => {
            let is_valid = text.parse::<NaiveDate>().is_ok();
            (!is_valid).then(|| {
                TextError(
                    "date_from_datetime_parsing",
                    "Input should be a valid date or datetime, input is invalid".to_owned(),
                    Some(json!({"error": "input is invalid"})),
                )
            })
        }
        _ => None,
    }
}

fn uuid_error(error: &InvalidUuid) -> TextError {
    let error = error.to_string();
    TextError(
        "uuid_parsing",
        format!("Input should be a valid UUID, {error}"),
        Some(json!({ "error": error })),
    )
}

fn is_date_time(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok()
        || text.parse::<NaiveDateTime>().is_ok()
        || text.parse::<NaiveDate>().is_ok()
}

fn check_listed(values: &[Value], text: &str) -> Option<TextError> {
    let is_listed = values.iter().any(|value| match value {
        Value::String(value) => value == text,
        other => serde_json::from_str::<Value>(text).is_ok_and(|given| given == *other),
    });
    if is_listed {
        return None;
    }
    let shown: Vec<String> = values
        .iter()
        .map(|value| match value {
            Value::String(text) => format!("'{text}'"),
            other => other.to_string(),
        })
        .collect();
    let expected = match shown.as_slice() {
        [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        all => all.concat(),
    };
    Some(TextError(
        "enum",
        format!("Input should be {expected}"),
        Some(json!({ "expected": expected })),
    ))
}

fn check_bounds(ty: &ValueType, value: f64) -> Option<TextError> {
    let is_beyond = |bound: &Option<serde_json::Number>, beyond: fn(f64, f64) -> bool| {
        let number = bound.as_ref().and_then(serde_json::Number::as_f64)?;
        bound.as_ref().filter(|_| beyond(value, number)).cloned()
    };
    if let Some(least) = is_beyond(&ty.minimum, |value, least| value < least) {
        return Some(TextError(
            "greater_than_equal",
            format!("Input should be greater than or equal to {least}"),
            Some(json!({ "ge": least })),
        ));
    }
    is_beyond(&ty.maximum, |value, most| value > most).map(|most| {
        TextError(
            "less_than_equal",
            format!("Input should be less than or equal to {most}"),
            Some(json!({ "le": most })),
        )
    })
}

/// The body of a request.
enum SentBody {
    Json(Value),
    /// Not JSON, which is not validated.
    Other(String),
}

/// Reads the body. As in FastAPI, the JSON of a body is read before anything else is validated.
fn parse(parts: &Parts, body: &Bytes) -> Result<Option<SentBody>, Vec<Invalid>> {
    if body.is_empty() {
        return Ok(None);
    }
    let media_type = parts.headers.get(CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    if !media_type.is_some_and(is_json) {
        let text = String::from_utf8_lossy(body).into_owned();
        return Ok(Some(SentBody::Other(text)));
    }
    match serde_json::from_slice(body) {
        Ok(value) => Ok(Some(SentBody::Json(value))),
        Err(error) => {
            let at = vec![Step::Name("body".to_owned()), Step::Index(error.column())];
            let context = Some(json!({"error": error.to_string()}));
            let message = "JSON decode error".to_owned();
            let input = json!({});
            Err(vec![Invalid::new(
                "json_invalid",
                at,
                message,
                input,
                context,
            )])
        }
    }
}

fn check_body(expected: &RequestBody, body: Option<&SentBody>, invalid: &mut Vec<Invalid>) {
    let at = || vec![Step::Name("body".to_owned())];
    let takes_json = expected
        .media_types
        .iter()
        .any(|media_type| is_json(media_type));
    let not_an_object = |input: Value| {
        let message =
            "Input should be a valid dictionary or object to extract fields from".to_owned();
        Invalid::new("model_attributes_type", at(), message, input, None)
    };
    match body {
        None if expected.required => invalid.push(Invalid::missing(at(), Value::Null)),
        None => {}
        Some(SentBody::Json(Value::Object(object))) => {
            let properties = expected.properties.iter();
            for property in properties.filter(|property| property.required) {
                if !object.contains_key(&property.name) {
                    let mut at = at();
                    at.push(Step::Name(property.name.clone()));
                    invalid.push(Invalid::missing(at, Value::Object(object.clone())));
                }
            }
        }
        Some(SentBody::Json(other)) if !expected.properties.is_empty() => {
            invalid.push(not_an_object(other.clone()));
        }
        // A FastAPI service reads a body as JSON only if its media type says so.
        Some(SentBody::Other(text)) if takes_json && expected.media_types.len() == 1 => {
            invalid.push(not_an_object(text.as_str().into()));
        }
        Some(_) => {}
    }
}
