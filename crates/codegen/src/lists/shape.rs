//! The parts of an operation by which a list is recognized.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{PageShape, Property, QueryParameter, ValueKind};
use crate::openapi::{COMBINATORS, Schema as _, Style, json_schema, of_operation, successes};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

/// The greatest depth of properties, as in `_links.next.href`.
const MAX_DEPTH: usize = 3;

/// The greatest number of references and `allOf` around a schema.
const LONGEST: usize = 16;

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
        let mut inner = Vec::new();
        members(document, schema, LONGEST, &mut inner);
        if inner.is_empty() {
            query.push(read_parameter(document, name.to_owned(), schema));
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
    let keyword = |key| keyword(document, schema, key, LONGEST);
    let number = |key| keyword(key).and_then(Value::as_u64);
    QueryParameter {
        name,
        kind: kind(document, schema),
        // A minimum of 0 says only that the number is not negative.
        first: number("default").or_else(|| number("minimum").filter(|minimum| *minimum > 0)),
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
    let is_required = is_required && !is_nullable(document, schema, LONGEST);
    let mut kind = kind(document, schema);
    if let (ValueKind::List(names), Some(items)) =
        (&mut kind, keyword(document, schema, "items", LONGEST))
    {
        *names = scalars(document, items, LONGEST);
    }
    found.push(Property {
        path: path.to_vec(),
        kind,
        is_required,
    });
    if path.len() == MAX_DEPTH {
        return;
    }
    let mut inner = Vec::new();
    members(document, schema, LONGEST, &mut inner);
    for (name, schema, is_listed) in inner {
        let mut path = path.to_vec();
        path.push(name.clone());
        properties(document, schema, &path, is_required && is_listed, found);
    }
}

/// A property: its name, its schema, and true if it is required.
type Member<'a> = (&'a String, &'a Value, bool);

/// Collects the properties that a schema and its `allOf` have.
fn members<'a>(document: &'a Value, schema: &'a Value, fuel: usize, found: &mut Vec<Member<'a>>) {
    let (Some(schema), Some(fuel)) = (walk::follow(document, schema), fuel.checked_sub(1)) else {
        return;
    };
    for (name, property) in schema.properties() {
        if !found.iter().any(|(other, ..)| *other == name) {
            found.push((name, property, schema.requires(name)));
        }
    }
    for part in schema.parts() {
        members(document, part, fuel, found);
    }
}

/// Returns a keyword of a schema, or of one that its `allOf` refers to.
fn keyword<'a>(
    document: &'a Value,
    schema: &'a Value,
    key: &str,
    fuel: usize,
) -> Option<&'a Value> {
    // A reference may have keywords beside it.
    let own = schema.get(key);
    let fuel = fuel.checked_sub(1)?;
    own.or_else(|| match schema.get("$ref") {
        Some(_) => keyword(document, walk::follow(document, schema)?, key, fuel),
        None => {
            let mut parts = schema.parts().iter();
            parts.find_map(|part| keyword(document, part, key, fuel))
        }
    })
}

/// Returns true if null is a valid value, by the schema or by one that it refers to.
fn is_nullable(document: &Value, schema: &Value, fuel: usize) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else {
        return false;
    };
    let target = schema
        .reference()
        .and_then(|_| walk::follow(document, schema));
    schema.is_nullable()
        || target.is_some_and(|target| is_nullable(document, target, fuel))
        || matches!(schema.only_part(), Some(part) if is_nullable(document, part, fuel))
}

fn kind(document: &Value, schema: &Value) -> ValueKind {
    let text = |key| keyword(document, schema, key, LONGEST).and_then(Value::as_str);
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

/// Returns the strings and integers among the properties of an item; those that all members have of a union.
fn scalars(document: &Value, item: &Value, fuel: usize) -> Vec<String> {
    let (Some(item), Some(fuel)) = (walk::follow(document, item), fuel.checked_sub(1)) else {
        return Vec::new();
    };
    let mut inner = Vec::new();
    members(document, item, LONGEST, &mut inner);
    let is_scalar = |schema| matches!(kind(document, schema), ValueKind::Text | ValueKind::Integer);
    let own = inner.iter().filter(|(_, schema, _)| is_scalar(schema));
    let mut names: Vec<String> = own.map(|(name, ..)| (*name).clone()).collect();
    for key in COMBINATORS {
        let shared = item
            .list(key)
            .iter()
            .map(|member| scalars(document, member, fuel))
            .reduce(|shared, other| {
                shared
                    .into_iter()
                    .filter(|name| other.contains(name))
                    .collect()
            });
        names.extend(shared.unwrap_or_default());
    }
    names
}
