//! Matchers for requests. The client's own code encodes the values, so a mock expects what the client sends.

use std::fmt::Display;

use httpmock::When;
use progenitor_client::QueryParam;
use regex::Regex;
use serde::Serialize;

use call_api_client::encode;
pub(crate) use call_api_client::encode::Style;

/// An encoded value, or the reason it cannot be encoded. The client rejects such a value, too.
type Text = Result<String, String>;

#[track_caller]
fn encoded<E: Display>(text: Result<String, E>) -> String {
    match text {
        Ok(text) => text,
        #[expect(
            clippy::panic,
            reason = "an invalid mock fails its test, as in httpmock"
        )]
        Err(error) => panic!("a mock expects a value that the client cannot send: {error}"),
    }
}

/// Encodes a path parameter.
pub(crate) fn segment(value: &impl Display) -> Text {
    Ok(encode::path(value))
}

/// Encodes a path parameter with a style.
pub(crate) fn styled_segment(name: &str, value: &impl Serialize, style: Style) -> Text {
    encode::segment(name, value, style)
}

/// Matches the path with a regular expression.
#[track_caller]
pub(crate) fn path(when: When, pattern: &str) -> When {
    when.path_matches(regex(pattern))
}

/// Matches one path parameter. `before` and `after` are regular expressions of the rest of the path.
#[track_caller]
pub(crate) fn parameter(when: When, before: &str, text: Text, after: &str) -> When {
    let text = regex::escape(&encoded(text));
    when.path_matches(regex(&format!("{before}{text}{after}")))
}

#[track_caller]
fn regex(pattern: &str) -> Regex {
    match Regex::new(pattern) {
        Ok(regex) => regex,
        #[expect(
            clippy::panic,
            reason = "an invalid mock fails its test, as in httpmock"
        )]
        Err(error) => panic!("the path of a mock is not a valid pattern: {error}"),
    }
}

/// Matches a query parameter: the request has each of its pairs.
#[track_caller]
pub(crate) fn query(when: When, name: &str, value: &impl Serialize) -> When {
    let text = serde_urlencoded::to_string(QueryParam::new(name, value));
    pairs(when, &encoded(text), When::query_param)
}

/// Matches a query parameter with a style.
#[track_caller]
pub(crate) fn styled_query(when: When, name: &str, value: &impl Serialize, style: Style) -> When {
    let text = encode::query(String::new(), name, value, style);
    pairs(
        when,
        encoded(text).trim_start_matches('?'),
        When::query_param,
    )
}

/// Matches a header.
#[track_caller]
pub(crate) fn header(when: When, name: &str, value: &impl Display) -> When {
    when.header(name, value.to_string())
}

/// Matches a header that is a list or an object. An empty one is absent.
#[track_caller]
pub(crate) fn styled_header(when: When, name: &str, value: &impl Serialize, style: Style) -> When {
    match encode::header(name, value, style).transpose() {
        Some(text) => when.header(name, encoded(text)),
        None => when.header_missing(name),
    }
}

/// Matches a form: the request has each of its fields.
#[track_caller]
pub(crate) fn form(when: When, text: Result<String, impl Display>) -> When {
    pairs(when, &encoded(text), When::form_urlencoded_tuple)
}

/// Encodes a form with styles.
pub(crate) fn styled_form(value: &impl Serialize, styles: &[(&str, Style)]) -> Text {
    encode::form(value, styles)
}

/// Encodes a form without styles.
pub(crate) fn flat_form(value: &impl Serialize) -> Text {
    serde_urlencoded::to_string(value).map_err(|error| error.to_string())
}

/// Matches the bytes of the body.
pub(crate) fn bytes(when: When, bytes: &[u8]) -> When {
    let bytes = bytes.to_vec();
    when.is_true(move |request| request.body_ref() == bytes)
}

#[track_caller]
fn pairs(when: When, text: &str, add: impl Fn(When, String, String) -> When) -> When {
    let pairs: Vec<(String, String)> = match serde_urlencoded::from_str(text) {
        Ok(pairs) => pairs,
        #[expect(
            clippy::panic,
            reason = "an invalid mock fails its test, as in httpmock"
        )]
        Err(error) => panic!("a mock expects invalid pairs: {error}"),
    };
    pairs
        .into_iter()
        .fold(when, |when, (name, value)| add(when, name, value))
}
