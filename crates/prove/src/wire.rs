//! Independent decoding of parameters: RFC 6570 and the styles of OpenAPI, from the wire to values.
//!
//! It uses only the document and the received bytes, not the client's encoder.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::body;
use crate::compare::same_scalar;
use crate::document::Document;
use crate::left_out;
use crate::operations::{Operation, Parameter};
use crate::received::{Received, Wrong};

/// Decodes a request, and compares it with its arguments.
pub fn wrong(
    document: &Document,
    operation: &Operation,
    arguments: &Map<String, Value>,
    received: &Received,
) -> Vec<Wrong> {
    let mut found = Vec::new();
    if received.method != operation.method {
        found.push((
            operation.pointer.clone(),
            format!("the method is {}", received.method),
        ));
    }
    let pairs = read_path(operation, arguments, received, &mut found);
    read_query(operation, arguments, &pairs, &mut found);
    read_headers(operation, arguments, received, &mut found);
    read_cookies(operation, arguments, received, &mut found);
    body::wrong(
        document,
        operation,
        left_out::sent(arguments).as_ref(),
        received,
        &mut found,
    );
    found
}

/// Decodes the path. Returns the pairs of the query that the template does not have.
fn read_path<'r>(
    operation: &Operation,
    arguments: &Map<String, Value>,
    received: &'r Received,
    found: &mut Vec<Wrong>,
) -> Vec<&'r str> {
    let (path, query) = received
        .target
        .split_once('?')
        .unwrap_or((&received.target, ""));
    let (template, query_template) = operation
        .path
        .split_once('?')
        .unwrap_or((&operation.path, ""));
    let mut pairs: Vec<&str> = pairs(query).collect();
    let values = path_values(template, path).and_then(|mut values| {
        for template in self::pairs(query_template) {
            let values_of_pair = |pair: &&str| path_values(template, pair);
            let at = pairs
                .iter()
                .position(|pair| values_of_pair(pair).is_some())?;
            values.extend(values_of_pair(&pairs.remove(at))?);
        }
        Some(values)
    });
    match values {
        Some(values) => {
            for parameter in located(operation, "path") {
                let raw = values.iter().find(|(name, _)| *name == parameter.name);
                let raw = raw.map_or("", |(_, raw)| raw.as_str());
                let argument = arguments.get(&parameter.key());
                check(
                    parameter,
                    argument,
                    raw,
                    &in_path(parameter, raw, argument),
                    found,
                );
            }
        }
        None => found.push((
            operation.pointer.clone(),
            format!("the target {:?} is none of the template's", received.target),
        )),
    }
    pairs
}

fn read_headers(
    operation: &Operation,
    arguments: &Map<String, Value>,
    received: &Received,
    found: &mut Vec<Wrong>,
) {
    for parameter in located(operation, "header") {
        let argument = arguments.get(&parameter.key());
        if argument.is_none() && is_made(&parameter.name) {
            continue;
        }
        let raw = received.header(&parameter.name);
        // OpenAPI does not define whether the value of a header is percent-encoded.
        let mut readings = Vec::new();
        if let Some(raw) = raw {
            readings.extend(styled(
                parameter,
                raw,
                &[","],
                &|raw| Some(raw.to_owned()),
                argument,
            ));
            readings.extend(styled(parameter, raw, &[","], &lenient, argument));
        }
        check(
            parameter,
            argument,
            raw.unwrap_or_default(),
            &readings,
            found,
        );
    }
}

/// Returns true for a header of which the client sends a value of its own if none is given.
fn is_made(header: &str) -> bool {
    let made = ["user-agent", "idempotency-key"];
    made.iter().any(|name| header.eq_ignore_ascii_case(name))
}

fn read_cookies(
    operation: &Operation,
    arguments: &Map<String, Value>,
    received: &Received,
    found: &mut Vec<Wrong>,
) {
    for parameter in located(operation, "cookie") {
        let pairs = received
            .header("cookie")
            .into_iter()
            .flat_map(|line| line.split(';'));
        let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        let raw = pairs
            .find(|(name, _)| *name == parameter.name)
            .map(|(_, raw)| raw);
        let argument = arguments.get(&parameter.key());
        let readings = raw.and_then(|raw| styled(parameter, raw, &[","], &lenient, argument));
        let readings: Vec<Value> = readings.into_iter().collect();
        check(
            parameter,
            argument,
            raw.unwrap_or_default(),
            &readings,
            found,
        );
    }
}

fn located<'o>(operation: &'o Operation, location: &str) -> impl Iterator<Item = &'o Parameter> {
    let location = location.to_owned();
    let parameters = operation.parameters.iter();
    parameters
        .filter(move |parameter| parameter.location == location && !parameter.setters.is_empty())
}

/// Compares the possible values of a parameter with its argument; an empty list or object may be omitted.
fn check(
    parameter: &Parameter,
    argument: Option<&Value>,
    raw: &str,
    readings: &[Value],
    found: &mut Vec<Wrong>,
) {
    let is_empty = |value: &Value| match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    };
    let is_same = match argument {
        None => readings.is_empty(),
        Some(argument) if is_empty(argument) => raw.is_empty(),
        Some(argument) => readings.iter().any(|read| same(argument, read)),
    };
    if !is_same {
        let read = readings
            .first()
            .map_or_else(|| "nothing".to_owned(), Value::to_string);
        let Parameter { location, name, .. } = parameter;
        let cause =
            format!("the {location} parameter `{name}` is sent as {raw:?}, which reads {read}");
        found.push((parameter.pointer.clone(), cause));
    }
}

/// Returns true for equal lists, objects and scalars; the decoded value has texts for all scalars.
pub fn same(argument: &Value, read: &Value) -> bool {
    match (argument, read) {
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len()
                && before
                    .iter()
                    .zip(after)
                    .all(|(before, after)| same(before, after))
        }
        (Value::Object(before), Value::Object(after)) => {
            let before: Vec<_> = before
                .iter()
                .filter(|(_, value)| !value.is_null())
                .collect();
            before.len() == after.len()
                && before
                    .iter()
                    .all(|(name, value)| after.get(*name).is_some_and(|after| same(value, after)))
        }
        (scalar, Value::String(text)) => same_scalar(scalar, text),
        (before, after) => before == after,
    }
}

fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|pair| !pair.is_empty())
}

/// Returns the raw values of a path or of a pair in a query, by the template; `None` if it does not match.
fn path_values(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut values = Vec::new();
    let (mut template, mut path) = (template, path);
    loop {
        let (literal, rest) = template.split_once('{').unwrap_or((template, ""));
        let length = literal_length(literal, path)?;
        path = path.get(length..)?;
        if rest.is_empty() {
            return path.is_empty().then_some(values);
        }
        let (name, after) = rest.split_once('}')?;
        let next = after.split('{').next().unwrap_or_default();
        let end = match next {
            "" => path.len(),
            // An encoded literal may be a part of the value, so it counts only if there is no other.
            next => path.find(next).or_else(|| {
                (0..path.len()).find(|at| {
                    let rest = path.get(*at..);
                    rest.is_some_and(|rest| literal_length(next, rest).is_some())
                })
            })?,
        };
        values.push((name.to_owned(), path.get(..end)?.to_owned()));
        path = path.get(end..)?;
        template = after;
    }
}

/// Returns the length of the prefix of a path that matches a literal of the template, encoded or not.
fn literal_length(literal: &str, path: &str) -> Option<usize> {
    let mut length = 0;
    for byte in literal.bytes() {
        let rest = path.as_bytes().get(length..)?;
        let encoded = format!("%{byte:02X}");
        let is_encoded = rest
            .get(..3)
            .is_some_and(|rest| rest.eq_ignore_ascii_case(encoded.as_bytes()));
        length += match rest.first() {
            Some(first) if *first == byte => 1,
            // An encoded slash is part of a value.
            _ if is_encoded && byte != b'/' => 3,
            _ => return None,
        };
    }
    Some(length)
}

/// Decodes a part of a path, in which only unreserved characters may be unencoded.
fn strict(raw: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    if raw.bytes().all(is_plain) {
        lenient(raw)
    } else {
        None
    }
}

fn lenient(raw: &str) -> Option<String> {
    let text = percent_decode_str(raw).decode_utf8().ok()?;
    Some(text.into_owned())
}

/// Decodes a part of a query, in which a plus sign can be a space.
fn in_query(raw: &str) -> Option<String> {
    lenient(&raw.replace('+', " "))
}

/// Decodes a text as a value of the same kind as the argument.
fn styled(
    parameter: &Parameter,
    raw: &str,
    separators: &[&str],
    decode: &dyn Fn(&str) -> Option<String>,
    argument: Option<&Value>,
) -> Option<Value> {
    if parameter.is_content && !argument.is_some_and(Value::is_string) {
        return serde_json::from_str(&decode(raw)?).ok();
    }
    let separator = separators
        .iter()
        .find(|separator| raw.contains(**separator));
    let parts: Vec<&str> = match separator {
        Some(separator) => raw.split(separator).map(str::trim).collect(),
        None => vec![raw],
    };
    match argument {
        Some(Value::Array(_)) => {
            let items = parts.iter().map(|part| decode(part).map(Value::String));
            items.collect::<Option<Vec<_>>>().map(Value::Array)
        }
        Some(Value::Object(_)) if parameter.explode => {
            let pairs = parts.iter().map(|part| {
                let (name, value) = part.split_once('=')?;
                Some((decode(name)?, json!(decode(value)?)))
            });
            pairs.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        Some(Value::Object(_)) => {
            let pairs = parts.chunks(2).map(|pair| match pair {
                [name, value] => Some((decode(name)?, json!(decode(value)?))),
                _ => None,
            });
            pairs.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        _ => decode(raw).map(Value::String),
    }
}

fn in_path(parameter: &Parameter, raw: &str, argument: Option<&Value>) -> Vec<Value> {
    let read = |raw: &str, separator: &str| styled(parameter, raw, &[separator], &strict, argument);
    let reading = match parameter.style.as_str() {
        "label" => raw
            .strip_prefix('.')
            .and_then(|raw| read(raw, if parameter.explode { "." } else { "," })),
        "matrix" => raw.strip_prefix(';').and_then(|raw| {
            let of_name = |part: &str| match part.split_once('=') {
                Some((name, value)) if name == parameter.name && !value.is_empty() => {
                    Some(value.to_owned())
                }
                None if part == parameter.name => Some(String::new()),
                _ => None,
            };
            match argument {
                Some(Value::Object(_)) if parameter.explode => read(raw, ";"),
                Some(Value::Array(_)) if parameter.explode => {
                    let items = raw
                        .split(';')
                        .map(|part| Some(json!(strict(&of_name(part)?)?)));
                    items.collect::<Option<Vec<_>>>().map(Value::Array)
                }
                _ => read(&of_name(raw)?, ","),
            }
        }),
        _ => read(raw, ","),
    };
    reading.into_iter().collect()
}

fn read_query(
    operation: &Operation,
    arguments: &Map<String, Value>,
    pairs: &[&str],
    found: &mut Vec<Wrong>,
) {
    let mut pairs: Vec<(String, &str)> = pairs
        .iter()
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (in_query(name).unwrap_or_default(), value)
        })
        .collect();
    for parameter in located(operation, "query") {
        let argument = arguments.get(&parameter.key());
        let mut take = |wanted: &dyn Fn(&str) -> bool| {
            let (taken, rest) = std::mem::take(&mut pairs)
                .into_iter()
                .partition(|(name, _)| wanted(name));
            pairs = rest;
            taken
        };
        let taken: Vec<(String, &str)> = match argument {
            Some(Value::Object(object))
                if parameter.style == "form" && parameter.explode && !parameter.is_content =>
            {
                take(&|name| object.contains_key(name))
            }
            _ if parameter.style == "deepObject" => {
                take(&|name| name.starts_with(&format!("{}[", parameter.name)))
            }
            _ => take(&|name| name == parameter.name),
        };
        let raw: Vec<String> = taken
            .iter()
            .map(|(name, raw)| format!("{name}={raw}"))
            .collect();
        let raw = raw.join("&");
        check(
            parameter,
            argument,
            &raw,
            &query_readings(parameter, argument, &taken),
            found,
        );
    }
    for (name, _) in pairs {
        found.push((
            operation.pointer.clone(),
            format!("the query has `{name}`, which is none of the parameters"),
        ));
    }
}

fn query_readings(
    parameter: &Parameter,
    argument: Option<&Value>,
    taken: &[(String, &str)],
) -> Vec<Value> {
    let object = |key: &dyn Fn(&str) -> Option<String>| {
        let pairs = taken
            .iter()
            .map(|(name, raw)| Some((key(name)?, json!(in_query(raw)?))));
        pairs.collect::<Option<Map<_, _>>>().map(Value::Object)
    };
    let single = |separators: &[&str], decode: &dyn Fn(&str) -> Option<String>| match taken {
        [(_, raw)] => styled(parameter, raw, separators, decode, argument),
        _ => None,
    };
    let is_whole = parameter.is_content || taken.is_empty();
    let readings = match (parameter.style.as_str(), argument) {
        _ if is_whole => vec![single(&[], &in_query)],
        ("deepObject", _) => {
            let prefix = format!("{}[", parameter.name);
            let key = |name: &str| Some(name.strip_prefix(&prefix)?.strip_suffix(']')?.to_owned());
            vec![object(&key)]
        }
        (_, Some(Value::Array(_))) if parameter.explode => {
            let items = taken
                .iter()
                .map(|(_, raw)| in_query(raw).map(Value::String));
            vec![items.collect::<Option<Vec<_>>>().map(Value::Array)]
        }
        (_, Some(Value::Object(_))) if parameter.explode => {
            vec![object(&|name| Some(name.to_owned()))]
        }
        ("spaceDelimited" | "pipeDelimited", _) => {
            let separators: &[&str] = if parameter.style == "spaceDelimited" {
                &["%20", "+"]
            } else {
                &["|", "%7C", "%7c"]
            };
            // If the separator is encoded, the items may be encoded twice.
            let twice = |raw: &str| lenient(&lenient(raw)?);
            vec![single(separators, &lenient), single(separators, &twice)]
        }
        _ => vec![single(&[","], &in_query)],
    };
    readings.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::Setter;

    fn parameter(location: &str, style: &str, explode: bool) -> Parameter {
        Parameter {
            pointer: "/parameter".to_owned(),
            name: "x".to_owned(),
            location: location.to_owned(),
            required: false,
            style: style.to_owned(),
            explode,
            schema: String::new(),
            is_content: false,
            setters: vec![(
                None,
                Setter::new("x".to_owned(), &syn::parse_quote!(String), None),
            )],
            is_reported: false,
        }
    }

    /// Returns true if the target encodes the argument, in a request without other parameters.
    fn carries(parameter: Parameter, target: &str, argument: Value) -> bool {
        let path = if parameter.location == "path" {
            "/a/{x}/b"
        } else {
            "/a"
        };
        carries_in(path, parameter, target, argument)
    }

    fn carries_in(path: &str, parameter: Parameter, target: &str, argument: Value) -> bool {
        let arguments = Map::from_iter([(parameter.key(), argument)]);
        is_right(path, parameter, target, &arguments)
    }

    fn is_right(
        path: &str,
        parameter: Parameter,
        target: &str,
        arguments: &Map<String, Value>,
    ) -> bool {
        let header = (parameter.name.to_ascii_lowercase(), target.to_owned());
        let operation = Operation {
            pointer: "/operation".to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            function: String::new(),
            parameters: vec![parameter],
            body: None,
        };
        let received = Received {
            method: "GET".to_owned(),
            target: target.to_owned(),
            headers: vec![header],
            body: String::new(),
        };
        let document = Document::new(json!({}));
        wrong(&document, &operation, arguments, &received).is_empty()
    }

    #[test]
    fn path_value_must_be_fully_encoded() {
        let simple = || parameter("path", "simple", false);
        assert!(carries(simple(), "/a/b%3Bc/b", json!("b;c")));
        assert!(!carries(simple(), "/a/b;c/b", json!("b;c")));
        assert!(!carries(simple(), "/a/x/b/b", json!("x")));
        assert!(carries(simple(), "/a/%2Fb/b", json!("/b")));
        assert!(carries(simple(), "/a/1,2/b", json!([1, 2])));
        assert!(!carries(simple(), "/a/1%2C2/b", json!([1, 2])));
        assert!(carries(
            parameter("path", "simple", true),
            "/a/k=1,l=2/b",
            json!({"k": 1, "l": 2})
        ));
        assert!(carries(
            parameter("path", "label", true),
            "/a/.1.2/b",
            json!([1, 2])
        ));
    }

    #[test]
    fn literal_of_the_path_is_not_found_in_a_value() {
        let of = |path: &str| path_values("/{kind};{tail}", path);
        let values = |kind: &str| {
            let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            Some(vec![named("kind", kind), named("tail", "7")])
        };
        assert_eq!(of("/%3B;7"), values("%3B"));
        assert_eq!(of("/a%3B7"), values("a"));
    }

    #[test]
    fn value_in_the_query_of_a_path_does_not_add_a_parameter() {
        let with = |target: &str| {
            let parameter = parameter("path", "simple", false);
            carries_in("/a?x={x}&y=1", parameter, target, json!("b&c=d"))
        };
        assert!(with("/a?x=b%26c%3Dd&y=1"));
        assert!(!with("/a?x=b&c=d&y=1"));
        assert!(!with("/a?x=b%26c%3Dd"));
    }

    #[test]
    fn empty_matrix_value_has_no_equals_sign() {
        let matrix = || parameter("path", "matrix", true);
        assert!(carries(matrix(), "/a/;x/b", json!("")));
        assert!(!carries(matrix(), "/a/;x=/b", json!("")));
        assert!(carries(matrix(), "/a/;x=1;x=2/b", json!([1, 2])));
    }

    #[test]
    fn query_value_does_not_add_a_parameter() {
        let form = || parameter("query", "form", true);
        assert!(carries(form(), "/a?x=b%26c%3Dd", json!("b&c=d")));
        assert!(!carries(form(), "/a?x=b&c=d", json!("b&c=d")));
        assert!(carries(form(), "/a?x=1&x=2", json!([1, 2])));
        assert!(carries(form(), "/a?k=1", json!({"k": 1})));
        assert!(!carries(form(), "/a?x=+", json!("+")));
        assert!(carries(form(), "/a", json!([])));
        assert!(carries(
            parameter("query", "deepObject", true),
            "/a?x%5Bk%5D=1",
            json!({"k": 1})
        ));
    }

    #[test]
    fn delimiter_within_an_item_is_not_a_separator() {
        let piped = || parameter("query", "pipeDelimited", false);
        assert!(carries(piped(), "/a?x=b%257Cc%7Cd", json!(["b|c", "d"])));
        assert!(!carries(piped(), "/a?x=b%7Cc%7Cd", json!(["b|c", "d"])));
    }

    #[test]
    fn header_list_is_split_at_commas() {
        let header = || parameter("header", "simple", false);
        let with = |target: &str, argument| carries(header(), target, argument);
        assert!(!with("/a", json!(["b"])));
        assert!(with("/a", json!("/a")));
    }

    #[test]
    fn header_without_an_argument_may_be_one_that_the_client_makes() {
        let is_right = |name: &str| {
            let parameter = Parameter {
                name: name.to_owned(),
                ..parameter("header", "simple", false)
            };
            is_right("/a", parameter, "/a", &Map::new())
        };
        assert!(is_right("Idempotency-Key"));
        assert!(is_right("User-Agent"));
        assert!(!is_right("X-Key"));
    }
}
