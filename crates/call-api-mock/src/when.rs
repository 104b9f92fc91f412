//! What a request has to be. Values are written by the client's own code, so that a mock expects what a client sends.

use std::fmt::Display;

use httpmock::When;
use progenitor_client::QueryParam;
use regex::Regex;
use serde::Serialize;

use call_api_client::encode;
pub(crate) use call_api_client::encode::Style;

/// A text of the request, or why the value can't be written so; a client refuses to send such a value, too.
type Text = Result<String, String>;

#[track_caller]
fn written<E: Display>(text: Result<String, E>) -> String {
    match text {
        Ok(text) => text,
        #[expect(
            clippy::panic,
            reason = "a mock that can't be fails its test, as httpmock's own do"
        )]
        Err(error) => panic!("a mock expects what no client can send: {error}"),
    }
}

/// A value as the client writes it into a path.
pub(crate) fn segment(value: &impl Display) -> Text {
    Ok(encode::path(value))
}

/// A value as the client writes it into a path where the document asks for a style.
pub(crate) fn styled_segment(name: &str, value: &impl Serialize, style: Style) -> Text {
    encode::segment(name, value, style)
}

/// The path is of this shape, whatever its parameters are; `pattern` is a regular expression.
#[track_caller]
pub(crate) fn path(when: When, pattern: &str) -> When {
    when.path_matches(regex(pattern))
}

/// One parameter of the path is this; `before` and `after` are the regular expressions of what stands around it.
#[track_caller]
pub(crate) fn parameter(when: When, before: &str, text: Text, after: &str) -> When {
    let text = regex::escape(&written(text));
    when.path_matches(regex(&format!("{before}{text}{after}")))
}

#[track_caller]
fn regex(pattern: &str) -> Regex {
    match Regex::new(pattern) {
        Ok(regex) => regex,
        #[expect(
            clippy::panic,
            reason = "a mock that can't be fails its test, as httpmock's own do"
        )]
        Err(error) => panic!("a mock's path is no pattern: {error}"),
    }
}

/// A parameter of the query: each of its pairs is in the request.
#[track_caller]
pub(crate) fn query(when: When, name: &str, value: &impl Serialize) -> When {
    let text = serde_urlencoded::to_string(QueryParam::new(name, value));
    pairs(when, &written(text), When::query_param)
}

/// A parameter of the query where the document asks for a style.
#[track_caller]
pub(crate) fn styled_query(when: When, name: &str, value: &impl Serialize, style: Style) -> When {
    let text = encode::query(String::new(), name, value, style);
    pairs(
        when,
        written(text).trim_start_matches('?'),
        When::query_param,
    )
}

/// A header.
#[track_caller]
pub(crate) fn header(when: When, name: &str, value: &impl Display) -> When {
    when.header(name, value.to_string())
}

/// A header whose value is a list or an object; none where it is empty.
#[track_caller]
pub(crate) fn styled_header(when: When, name: &str, value: &impl Serialize, style: Style) -> When {
    match encode::header(name, value, style).transpose() {
        Some(text) => when.header(name, written(text)),
        None => when.header_missing(name),
    }
}

/// A form: each of its fields is in the request's.
#[track_caller]
pub(crate) fn form(when: When, text: Result<String, impl Display>) -> When {
    pairs(when, &written(text), When::form_urlencoded_tuple)
}

/// The fields of a form of which some have a style.
pub(crate) fn styled_form(value: &impl Serialize, styles: &[(&str, Style)]) -> Text {
    encode::form(value, styles)
}

/// The fields of a form that is flat.
pub(crate) fn flat_form(value: &impl Serialize) -> Text {
    serde_urlencoded::to_string(value).map_err(|error| error.to_string())
}

/// The body is these bytes.
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
            reason = "a mock that can't be fails its test, as httpmock's own do"
        )]
        Err(error) => panic!("a mock expects pairs that can't be read: {error}"),
    };
    pairs
        .into_iter()
        .fold(when, |when, (name, value)| add(when, name, value))
}
