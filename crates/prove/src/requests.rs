//! The proof of the generated client: each request on the wire decodes to its arguments.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Map, Value, json};

use crate::body;
use crate::document::Document;
use crate::files;
use crate::judge::{Judge, registry};
use crate::left_out;
use crate::media_type::BodyKind;
use crate::operations::{Operation, Parameter, Setter};
use crate::received::Received;
use crate::report::{Failure, FailureKind, Row};
use crate::sampler::{Mode, Sampler};
use crate::scalar;
use crate::session::{Answer, Question, Session};
use crate::shape::Shape;
use crate::shrink::{shrink, sign};
use crate::wire::wrong;

/// The number of requests of each operation.
const MODES: [Mode; 8] = [
    Mode::Full,
    Mode::Least,
    Mode::Full,
    Mode::Random,
    Mode::Random,
    Mode::Random,
    Mode::Full,
    Mode::Random,
];

/// The attempts to sample an argument that can be sent.
const ATTEMPTS: [Mode; 7] = [
    Mode::Full,
    Mode::Random,
    Mode::Full,
    Mode::Random,
    Mode::Random,
    Mode::Random,
    Mode::Random,
];

/// Sends requests of each operation, and adds the results to the row; runs `done` once for each operation.
///
/// # Errors
/// The driver does not start, or a schema is not a valid JSON Schema.
pub(crate) fn prove(
    document: &Document,
    operations: &[Operation],
    session: &Session,
    row: &mut Row,
    done: &dyn Fn(),
) -> io::Result<()> {
    let references = operations.iter().flat_map(|operation| {
        let parameters = operation
            .parameters
            .iter()
            .map(|parameter| parameter.schema.clone());
        let bodies = operation.body.iter().flat_map(|body| &body.content);
        parameters.chain(bodies.map(|(_, schema)| schema.clone()))
    });
    let registry = registry(document, references.collect()).map_err(io::Error::other)?;
    let judge = Judge::new(&registry);
    let mut sampler = Sampler::new(document);
    let mut random = fastrand::Rng::with_seed(5);
    for (index, operation) in operations.iter().enumerate() {
        let mut requests: Vec<Value> = Vec::new();
        for mode in MODES {
            if let Some(arguments) =
                arguments(document, operation, &judge, &mut sampler, &mut random, mode)
                && !requests.contains(&arguments)
            {
                requests.push(arguments);
            }
        }
        unsettable(operation, row);
        if requests.is_empty() {
            row.unsent.push(operation.pointer.clone());
        }
        row.requests += requests.len();
        prove_operation(document, index, operation, session, requests, row)?;
        done();
    }
    Ok(())
}

/// Adds a failure for each parameter without a setter, unless the report of unsupported features mentions it, or it is
/// determined by the body or the credential (OpenAPI 3.1, section 4.8.12.1).
fn unsettable(operation: &Operation, row: &mut Row) {
    let implied = ["accept", "content-type", "authorization"];
    for parameter in &operation.parameters {
        let is_implied = parameter.location == "header"
            && implied.contains(&parameter.name.to_ascii_lowercase().as_str());
        if parameter.setters.is_empty() && !parameter.is_reported && !is_implied {
            row.count(FailureKind::Wire, 1);
            row.failures.push(Failure {
                pointer: parameter.pointer.clone(),
                kind: FailureKind::Wire,
                detail: "the client has no setter for it, and the report doesn't say so".to_owned(),
                count: 1,
                sample: json!({}),
                answer: None,
            });
        }
    }
}

fn prove_operation(
    document: &Document,
    index: usize,
    operation: &Operation,
    session: &Session,
    requests: Vec<Value>,
    row: &mut Row,
) -> io::Result<()> {
    let judged = |requests: &[Value]| -> io::Result<Vec<Vec<(String, String)>>> {
        let questions: Vec<_> = requests
            .iter()
            .map(|request| Question::Request(index, request))
            .collect();
        let answers = session.ask(&questions, &mut || ())?;
        let judged = requests.iter().zip(answers);
        Ok(judged
            .map(|(request, answer)| judge(document, operation, request, &answer))
            .collect())
    };
    let mut groups: BTreeMap<(String, Option<String>), (usize, Value)> = BTreeMap::new();
    for (request, wrongs) in requests.iter().zip(judged(&requests)?) {
        row.count(FailureKind::Wire, usize::from(!wrongs.is_empty()));
        for (pointer, cause) in wrongs {
            let key = (pointer, refusal(&cause));
            groups.entry(key).or_insert((0, request.clone())).0 += 1;
        }
    }
    for (key, (count, request)) in groups {
        let is_alike =
            |(pointer, cause): &(String, String)| *pointer == key.0 && refusal(cause) == key.1;
        let smallest = shrink(request, |requests| {
            let verdicts = requests.iter().zip(judged(requests)?);
            let verdicts = verdicts.map(|(_, wrongs)| wrongs.iter().any(is_alike));
            Ok::<_, io::Error>(verdicts.collect())
        })?;
        let wrongs = judged(std::slice::from_ref(&smallest))?;
        let detail = wrongs.into_iter().flatten().find(is_alike);
        row.failures.push(Failure {
            pointer: key.0,
            kind: FailureKind::Wire,
            detail: detail.map(|(_, cause)| cause).unwrap_or_default(),
            count,
            sample: smallest,
            answer: None,
        });
    }
    Ok(())
}

/// The prefix of the cause of a request that was not sent.
const NOT_SENT: &str = "it was not sent";

/// Returns the reason why a request was not sent, if that is the failure. Failures with other reasons are separate ones.
fn refusal(cause: &str) -> Option<String> {
    // Each URL is another one: the port differs in each process, and the path in each request.
    let words = cause.split(' ').filter(|word| !word.starts_with("http://"));
    let cause = words.collect::<Vec<_>>().join(" ");
    cause.starts_with(NOT_SENT).then(|| sign(&cause))
}

fn judge(
    document: &Document,
    operation: &Operation,
    request: &Value,
    answer: &Answer,
) -> Vec<(String, String)> {
    let whole = |cause: String| vec![(operation.pointer.clone(), cause)];
    let text = match answer {
        Answer::Ok { text, .. } => text,
        Answer::Refused(why) | Answer::Crash(why) => {
            return whole(format!("{NOT_SENT}: {why}"));
        }
        other => return whole(format!("{NOT_SENT}: {other:?}")),
    };
    let empty = Map::new();
    let arguments = request.as_object().unwrap_or(&empty);
    match serde_json::from_str::<Received>(text) {
        Ok(received) => wrong(document, operation, arguments, &received),
        Err(error) => whole(error.to_string()),
    }
}

/// Returns the arguments of a request: samples of the parameters and the body, in the given mode.
fn arguments(
    document: &Document,
    operation: &Operation,
    judge: &Judge<'_>,
    sampler: &mut Sampler<'_>,
    random: &mut fastrand::Rng,
    mode: Mode,
) -> Option<Value> {
    let mut arguments = Map::new();
    for parameter in &operation.parameters {
        if parameter.setters.is_empty() || mode == Mode::Least && !parameter.required {
            continue;
        }
        let sendable = |value: &Value| is_sendable(parameter, value);
        let sample = match untyped(document, parameter) {
            Some(shape) => (0..ATTEMPTS.len())
                .find_map(|_| scalar::string(&shape, random).ok().filter(sendable)),
            None => sample(judge, sampler, &parameter.schema, &sendable),
        };
        match sample {
            Some(value) => {
                arguments.insert(parameter.key(), settable(parameter, value));
            }
            None if parameter.required => return None,
            None => {}
        }
    }
    if let Some(body) = &operation.body
        && body.setter.is_some()
        && (mode != Mode::Least || body.required)
        && let Some((media_type, schema)) = body::preferred(body)
    {
        let value = body_argument(document, judge, sampler, random, media_type, schema);
        match value {
            Some(value) => {
                arguments.insert("body".to_owned(), value);
                if random.bool() {
                    left_out::add(operation, &mut arguments);
                }
            }
            None if body.required => return None,
            None => {}
        }
    }
    Some(Value::Object(arguments))
}

/// Returns the shape of a parameter whose schema states no type, if its setter takes a text.
fn untyped<'d>(document: &'d Document, parameter: &Parameter) -> Option<Shape<'d>> {
    let mut setters = parameter.setters.iter();
    if !setters.any(|(property, setter)| property.is_none() && setter.takes(&["String"])) {
        return None;
    }
    let Some(schema) = document.resolve(&parameter.schema) else {
        return Some(Shape::default());
    };
    let shape = Shape::of(document, schema).ok()?;
    let is_typed = shape.types.is_some() || !shape.unions.is_empty() || shape.values.is_some();
    // The text of `content` is the JSON of a sample.
    (!is_typed && !parameter.is_content).then_some(shape)
}

/// Returns a sample of the body at a reference, as its setter accepts it: bytes are a list of numbers.
fn body_argument(
    document: &Document,
    judge: &Judge<'_>,
    sampler: &mut Sampler<'_>,
    random: &mut fastrand::Rng,
    media_type: &str,
    schema: &str,
) -> Option<Value> {
    let kind = BodyKind::of(media_type);
    if kind == BodyKind::Bytes {
        return Some(files::bytes(random));
    }
    if document.resolve(schema).is_none() {
        return match kind {
            BodyKind::Text => Some(files::text(random)),
            BodyKind::Json | BodyKind::PlusJson => Some(json!({"any": [1, "value"]})),
            _ => None,
        };
    }
    let mut value = sample(judge, sampler, schema, &|_| true)?;
    match (kind, &mut value) {
        (BodyKind::Multipart, Value::Object(form)) => files::fill(document, schema, form, random),
        (BodyKind::Text, value) if !value.is_string() => return Some(json!(value.to_string())),
        _ => {}
    }
    Some(value)
}

/// Returns the part of a sample that the setters of a parameter accept.
fn settable(parameter: &Parameter, value: Value) -> Value {
    let mut value = whole(value);
    let takes_text = |(_, setter): &(_, Setter)| setter.takes(&["String"]);
    if parameter.is_content && !value.is_string() && parameter.setters.iter().any(takes_text) {
        return json!(value.to_string());
    }
    let takes_list = |(_, setter): &(_, Setter)| setter.takes(&["Vec"]);
    // For a union of a list and its items, the setter takes the list.
    if !value.is_array() && parameter.setters.iter().all(takes_list) {
        return json!([value]);
    }
    if let Value::Object(object) = &mut value
        && parameter
            .setters
            .iter()
            .all(|(property, _)| property.is_some())
    {
        object.retain(|name, _| {
            let mut setters = parameter.setters.iter();
            setters.any(|(property, _)| property.as_ref() == Some(name))
        });
    }
    value
}

/// Returns the value with numbers such as `120.0` as integers: they are integers in JSON Schema, but not in Rust, where
/// the arguments of a request are integers.
fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                json!(float as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(whole).collect(),
        Value::Object(object) => {
            let properties = object.into_iter();
            properties
                .map(|(name, value)| (name, whole(value)))
                .collect()
        }
        other => other,
    }
}

/// Returns a valid sample for which `sendable` returns true.
fn sample(
    judge: &Judge<'_>,
    sampler: &mut Sampler<'_>,
    schema: &str,
    sendable: &dyn Fn(&Value) -> bool,
) -> Option<Value> {
    let validator = judge.validator(schema).ok()?;
    ATTEMPTS.into_iter().find_map(|mode| {
        let value = sampler.sample(schema, mode).ok()?;
        (validator.is_valid(&value) && sendable(&value)).then_some(value)
    })
}

/// Returns true if the value can be sent at the place of a parameter: OpenAPI defines a style for it, it is not empty in a
/// path, and has no character that is invalid in a header.
fn is_sendable(parameter: &Parameter, value: &Value) -> bool {
    let text_fits = |value: &Value| match (parameter.location.as_str(), value) {
        (_, Value::Null | Value::Array(_) | Value::Object(_)) => false,
        ("path", Value::String(text)) => {
            // The label of an empty text is `.`.
            let may_be_empty = parameter.style == "matrix";
            (may_be_empty || !text.is_empty()) && text != "." && text != ".."
        }
        ("header" | "cookie", Value::String(text)) => {
            let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            printable
                && !text.is_empty()
                && text.trim() == text
                && !text.contains([',', ';', '%', '"', '\\'])
        }
        _ => true,
    };
    let in_part = |value: &Value| {
        // Empty items are ambiguous: a list with a single one looks like an empty list.
        text_fits(value) && value != &json!("")
    };
    match value {
        _ if parameter.is_content => {
            parameter.location == "query" || text_fits(&json!(value.to_string()))
        }
        Value::Array(items) => {
            items.iter().all(in_part) && (parameter.location != "path" || !items.is_empty())
        }
        Value::Object(object) => {
            object
                .iter()
                .all(|(name, value)| in_part(value) && in_part(&json!(name)))
                && (parameter.location != "path" || !object.is_empty())
        }
        scalar => text_fits(scalar),
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn parameter(takes: &syn::Type, is_content: bool) -> Parameter {
        Parameter {
            pointer: String::new(),
            name: "limit".to_owned(),
            location: "query".to_owned(),
            required: false,
            style: "form".to_owned(),
            explode: true,
            schema: String::new(),
            is_content,
            setters: vec![(None, Setter::new("limit".to_owned(), takes, None))],
            is_reported: false,
        }
    }

    #[test]
    fn argument_with_a_zero_fraction_becomes_an_integer() {
        let sample = json!({"limit": 120.0, "list": [1.0, 0.5], "large": 1e300, "text": "1.0"});
        let argument = settable(&parameter(&parse_quote!(types::Limit), false), sample);
        let expected = json!({"limit": 120, "list": [1, 0.5], "large": 1e300, "text": "1.0"});
        assert_eq!(argument, expected);
    }

    #[test]
    fn item_becomes_a_list_if_the_setter_takes_one() {
        let list = parameter(&parse_quote!(::std::vec::Vec<String>), false);
        assert_eq!(settable(&list, json!("a")), json!(["a"]));
        assert_eq!(settable(&list, json!(["a"])), json!(["a"]));
    }

    #[test]
    fn content_argument_set_as_text_has_integers() {
        let argument = settable(
            &parameter(&parse_quote!(String), true),
            json!({"limit": 120.0}),
        );
        assert_eq!(argument, json!(r#"{"limit":120}"#));
    }

    #[test]
    fn refusals_with_other_urls_are_alike() {
        let cause =
            |url: &str| refusal(&format!("{NOT_SENT}: refused to send GET {url}: its path"));
        assert_eq!(
            cause("http://127.0.0.1:34049/a/1"),
            cause("http://127.0.0.1:8/b")
        );
        assert_ne!(cause("http://127.0.0.1:34049/a/1"), refusal(NOT_SENT));
    }

    #[test]
    fn empty_text_in_a_path_is_sendable_only_as_a_matrix() {
        let is_sendable = |style: &str| {
            let parameter = Parameter {
                location: "path".to_owned(),
                style: style.to_owned(),
                ..parameter(&parse_quote!(::std::string::String), false)
            };
            is_sendable(&parameter, &json!(""))
        };
        assert!(is_sendable("matrix"));
        assert!(!is_sendable("label") && !is_sendable("simple"));
    }

    #[test]
    fn parameter_without_a_type_is_sampled_as_text() {
        let parameters = json!([{"schema": {}}, {"schema": {"minimum": 1}}, {}]);
        let document = Document::new(json!({"parameters": parameters}));
        let references = (0..3).map(|index| format!("#/parameters/{index}/schema"));
        let registry = registry(&document, references.collect()).unwrap();
        let judge = Judge::new(&registry);
        let mut sampler = Sampler::new(&document);
        let mut random = fastrand::Rng::with_seed(1);
        for index in 0..3 {
            let operation = Operation {
                pointer: String::new(),
                method: "GET".to_owned(),
                path: "/{limit}".to_owned(),
                function: String::new(),
                parameters: vec![Parameter {
                    location: "path".to_owned(),
                    required: true,
                    schema: format!("#/parameters/{index}/schema"),
                    ..parameter(&parse_quote!(::std::string::String), false)
                }],
                body: None,
            };
            for mode in MODES {
                let made = arguments(
                    &document,
                    &operation,
                    &judge,
                    &mut sampler,
                    &mut random,
                    mode,
                );
                let value = made.and_then(|made| made.get("path:limit").cloned());
                assert!(
                    value.as_ref().is_some_and(Value::is_string),
                    "{index}: {value:?}"
                );
            }
        }
    }
}
