//! The parts of an operation by which a list is recognized.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{PageShape, Property, QueryParameter, ValueKind};
use crate::openapi::{
    self, COMBINATORS, Schema as _, Style, json_schema, of_operation, parts, reached, successes,
};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

/// The greatest depth of properties, as in `_links.next.href`.
const MAX_DEPTH: usize = 3;

/// Returns the shape of each GET whose response is JSON.
pub(super) fn shapes(document: &Value) -> BTreeMap<Pointer, PageShape> {
    let operations = walk::operations(document).into_iter();
    let gets = operations.filter(|operation| operation.method == "get");
    gets.filter_map(|operation| {
        let (response, body) = body(document, &operation)?;
        let mut shape = PageShape {
            query: query(document, &operation),
            headers: headers(response),
            properties: Vec::new(),
        };
        let schema = document.at(body.as_str())?;
        properties(document, schema, &[], true, &mut shape.properties);
        let is_list = |property: &Property| matches!(property.kind, ValueKind::List(_));
        shape
            .properties
            .iter()
            .any(is_list)
            .then_some((operation.pointer, shape))
    })
    .collect()
}

/// Returns the first success with JSON, and the location of its schema.
pub(super) fn body<'a>(
    document: &'a Value,
    operation: &walk::Operation<'_>,
) -> Option<(&'a Value, Pointer)> {
    let responses = operation.pointer.join("responses");
    let all = document.at(responses.as_str())?.as_object()?;
    successes(all).find_map(|status| {
        let response = responses.join(status);
        let schema = json_schema(document, &response)?;
        Some((walk::locate(document, &response)?.1, schema))
    })
}

fn headers(response: &Value) -> Vec<String> {
    let headers = response.get("headers").and_then(Value::as_object);
    let names = headers.into_iter().flatten().map(|(name, _)| name);
    names.map(|name| name.to_ascii_lowercase()).collect()
}

fn query(document: &Value, operation: &walk::Operation<'_>) -> Vec<QueryParameter> {
    let mut query = Vec::new();
    for parameter in of_operation(document, operation) {
        if parameter.location() != "query" {
            continue;
        }
        let name = parameter.name();
        let Some(schema) = parameter.object.get("schema") else {
            continue;
        };
        let is_deep = Style::of(parameter.object) == Style::DeepObject;
        let inner = members(document, schema);
        if inner.is_empty() {
            query.push(QueryParameter {
                is_required: parameter.is_required(),
                ..read_parameter(document, name.to_owned(), schema)
            });
        }
        for (property, schema, _) in inner {
            let name = match is_deep {
                true => format!("{name}[{property}]"),
                false => property.clone(),
            };
            query.push(read_parameter(document, name, schema));
        }
    }
    query
}

fn read_parameter(document: &Value, name: String, schema: &Value) -> QueryParameter {
    let keyword = |key| keyword(document, schema, key);
    let whole = |value: &Value| match value.as_f64() {
        Some(value) if value.fract() == 0.0 && value >= 0.0 => Some(value as u64),
        _ => None,
    };
    let number = |key| keyword(key).and_then(|value| value.as_u64().or_else(|| whole(value)));
    QueryParameter {
        name,
        kind: kind(document, schema),
        // A minimum of 0 says only that the number is not negative.
        first: number("default").or_else(|| number("minimum").filter(|minimum| *minimum > 0)),
        is_required: false,
    }
}

/// Collects a property, those of its properties that are nested in it, and so on.
fn properties(
    document: &Value,
    schema: &Value,
    path: &[String],
    is_required: bool,
    found: &mut Vec<Property>,
) {
    let is_required = is_required && !is_nullable(document, schema);
    let mut kind = kind(document, schema);
    if let (ValueKind::List(names), Some(items)) = (&mut kind, keyword(document, schema, "items")) {
        let scalars = scalars(document, items, &mut BTreeMap::new()).into_iter();
        *names = scalars.cloned().collect();
    }
    found.push(Property {
        path: path.to_vec(),
        kind,
        is_required,
    });
    if path.len() == MAX_DEPTH {
        return;
    }
    for (name, schema, is_listed) in members(document, schema) {
        let mut path = path.to_vec();
        path.push(name.clone());
        properties(document, schema, &path, is_required && is_listed, found);
    }
}

/// Returns the properties that a schema and its parts have, each as it is first defined.
fn members<'a>(document: &'a Value, schema: &'a Value) -> Vec<openapi::Property<'a>> {
    let mut found: Vec<openapi::Property<'a>> = Vec::new();
    for part in parts(document, schema) {
        for (name, property) in part.properties() {
            if !found.iter().any(|(other, ..)| *other == name) {
                found.push((name, property, part.requires(name)));
            }
        }
    }
    found
}

/// Returns a keyword of a schema, or of one of its parts.
fn keyword<'a>(document: &'a Value, schema: &'a Value, key: &str) -> Option<&'a Value> {
    let mut parts = parts(document, schema).into_iter();
    parts.find_map(|part| part.get(key))
}

/// Returns true if null is a valid value, by the schema or by one that it refers to.
fn is_nullable(document: &Value, schema: &Value) -> bool {
    let all = reached(document, schema, true, |schema| {
        schema.only_part().into_iter()
    });
    all.into_iter().any(|schema| schema.is_nullable())
}

fn kind(document: &Value, schema: &Value) -> ValueKind {
    let text = |key| keyword(document, schema, key).and_then(Value::as_str);
    match (text("type"), text("format")) {
        (Some("string"), Some("uri" | "url" | "uri-reference" | "iri" | "iri-reference")) => {
            ValueKind::Url
        }
        (Some("string"), Some(format)) if format.starts_with("date") || format == "time" => {
            ValueKind::Other
        }
        (Some("string"), _) => ValueKind::Text,
        // NestJS declares every number as `number`.
        (Some("integer" | "number"), _) => ValueKind::Integer,
        (Some("boolean"), _) => ValueKind::Boolean,
        (Some("array"), _) => ValueKind::List(Vec::new()),
        _ => ValueKind::Other,
    }
}

/// The names of properties, by item.
type Known<'a> = BTreeMap<*const Value, Vec<&'a String>>;

/// Returns the strings and integers among the properties of an item; those that all members have of a union.
fn scalars<'a>(document: &'a Value, item: &'a Value, known: &mut Known<'a>) -> Vec<&'a String> {
    let Some(item) = walk::follow(document, item) else {
        return Vec::new();
    };
    if let Some(names) = known.get(&std::ptr::from_ref(item)) {
        return names.clone();
    }
    // An item within itself has none.
    known.insert(item, Vec::new());
    let own = members(document, item).into_iter();
    let is_scalar = |schema| matches!(kind(document, schema), ValueKind::Text | ValueKind::Integer);
    let own = own.filter(|(_, schema, _)| is_scalar(schema));
    let mut names: Vec<&String> = own.map(|(name, ..)| name).collect();
    for key in COMBINATORS {
        let members = item.list(key).iter();
        let shared = members
            .map(|member| scalars(document, member, known))
            .reduce(|mut shared, other| {
                shared.retain(|name| other.contains(name));
                shared
            });
        let mut shared = shared.unwrap_or_default();
        shared.retain(|name| !names.contains(name));
        names.append(&mut shared);
    }
    known.insert(item, names.clone());
    names
}
