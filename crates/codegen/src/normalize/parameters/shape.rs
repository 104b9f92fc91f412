//! The shapes of parameter values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::text;
use crate::openapi::{Additional, Schema as _};
use crate::walk;

/// Returns true if the schema does not constrain the type of a value.
pub(in crate::normalize) fn is_anything(schema: &Value) -> bool {
    ![
        "$ref",
        "type",
        "enum",
        "allOf",
        "anyOf",
        "oneOf",
        "properties",
        "items",
        "format",
        "additionalProperties",
    ]
    .iter()
    .any(|keyword| schema.get(*keyword).is_some())
}

/// The shape of a value, as far as its encoding in URLs and headers depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::normalize) enum Shape {
    /// A string, number or boolean that is encoded by `Display`.
    Plain,
    /// A single value that is not encoded by `Display`: a date with time, a union of scalars.
    Single,
    /// A list of single values.
    List,
    /// An object with these properties; none of an object within another value.
    Object(Vec<Property>),
    /// An object with any properties.
    Map,
    /// A nested list or object, or a union of scalars and structures.
    Nested,
}

/// A property of an object parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::normalize) struct Property {
    pub(in crate::normalize) name: String,
    pub(in crate::normalize) schema: Value,
    pub(in crate::normalize) required: bool,
    pub(in crate::normalize) shape: Shape,
}

/// The maximum nesting of schemas. A deeper one contains itself.
const MAX_DEPTH: usize = 16;

pub(in crate::normalize) fn shape(document: &Value, schema: &Value) -> Shape {
    shape_at(document, schema, 0)
}

fn shape_at(document: &Value, schema: &Value, depth: usize) -> Shape {
    let Some(followed) = walk::follow(document, schema).filter(|_| depth < MAX_DEPTH) else {
        return Shape::Nested;
    };
    let shape = shape_of(document, followed, depth);
    let is_reference = schema.reference().is_some();
    if shape == Shape::Plain && is_reference && followed.has_flag("nullable") {
        // Its type is a struct of an option, which has no `Display`.
        return Shape::Single;
    }
    shape
}

/// Returns the shape of a schema that is not a reference.
fn shape_of(document: &Value, schema: &Value, depth: usize) -> Shape {
    let is_single = |schema: &Value| {
        matches!(
            shape_at(document, schema, depth + 1),
            Shape::Plain | Shape::Single
        )
    };
    if let Some((_, members)) = schema.union() {
        let all = members.iter().all(is_single);
        return if all { Shape::Single } else { Shape::Nested };
    }
    let kind = text(schema, "type");
    match kind {
        "string" if text(schema, "format") == "date-time" && schema.get("enum").is_none() => {
            Shape::Single
        }
        "string" | "integer" | "number" | "boolean" => Shape::Plain,
        "array" => match schema.get("items") {
            Some(items) if is_single(items) => Shape::List,
            None => Shape::List,
            Some(items) if is_anything(items) => Shape::List,
            Some(_) => Shape::Nested,
        },
        _ => {
            let mut found = BTreeMap::new();
            let mut order = Vec::new();
            let mut open = false;
            if depth == 0 {
                let mut seen = BTreeSet::new();
                properties(
                    document, schema, depth, &mut seen, &mut order, &mut found, &mut open,
                );
            } else if has_properties(document, schema, depth, &mut open) {
                // Their shapes do not matter, and schemas that contain each other have a great many of them.
                return Shape::Object(Vec::new());
            }
            if !order.is_empty() {
                let list = order
                    .into_iter()
                    .filter_map(|name| found.remove(&name))
                    .collect();
                return Shape::Object(list);
            }
            if kind == "object" || open {
                return match schema.additional() {
                    Additional::Of(values) if !is_anything(values) => {
                        if is_single(values) {
                            Shape::Map
                        } else {
                            Shape::Nested
                        }
                    }
                    _ => Shape::Map,
                };
            }
            match schema.parts() {
                [] => Shape::Single,
                [only] => shape_at(document, only, depth + 1),
                parts if parts.iter().any(is_single) => Shape::Single,
                _ => Shape::Nested,
            }
        }
    }
}

/// Returns the list of a union of a list and single values, such as a string or a list of strings. An exploded list with one
/// item is encoded like the item itself.
pub(super) fn one_or_many(document: &Value, schema: &Value) -> Option<Value> {
    let mut union = walk::follow(document, schema)?;
    // A reference with a default is the only part of a schema.
    for _ in 0..MAX_DEPTH {
        match union.only_part().filter(|_| union.union().is_none()) {
            Some(only) => union = walk::follow(document, only)?,
            None => break,
        }
    }
    let (_, members) = union.union()?;
    let (lists, mut items): (Vec<&Value>, Vec<&Value>) = members
        .iter()
        .partition(|member| shape(document, member) == Shape::List);
    let [list] = lists.as_slice() else {
        return None;
    };
    let of_list = walk::follow(document, list)?.get("items")?;
    let mut all = of_list.clone();
    if items.iter().any(|item| *item != of_list) {
        items.push(of_list);
        let kind = |item: &Value| {
            let item = walk::follow(document, item)?;
            match shape_of(document, item, 0) {
                Shape::Plain => item.get("type").cloned(),
                _ => None,
            }
        };
        let mut kinds = items.iter().copied().map(kind);
        all = match kinds.next().flatten() {
            Some(first) if kinds.all(|other| other.as_ref() == Some(&first)) => {
                json!({"type": first})
            }
            _ => json!({"anyOf": items}),
        };
    }
    Some(json!({"type": "array", "items": all}))
}

/// Returns true if an object or one of its parts has properties. Otherwise, sets `open` if it may have any.
fn has_properties(document: &Value, schema: &Value, depth: usize, open: &mut bool) -> bool {
    let Some(schema) = walk::follow(document, schema).filter(|_| depth < MAX_DEPTH) else {
        return false;
    };
    *open |= schema.additional() != Additional::Unmentioned;
    let mut parts = schema.parts().iter();
    schema.properties().next().is_some()
        || parts.any(|part| has_properties(document, part, depth + 1, open))
}

/// Collects the properties of an object and of its parts, each of which counts once.
fn properties(
    document: &Value,
    schema: &Value,
    depth: usize,
    seen: &mut BTreeSet<*const Value>,
    order: &mut Vec<String>,
    found: &mut BTreeMap<String, Property>,
    open: &mut bool,
) {
    let schema = walk::follow(document, schema).filter(|_| depth < MAX_DEPTH);
    let Some(schema) = schema.filter(|schema| seen.insert(std::ptr::from_ref(*schema))) else {
        return;
    };
    *open |= schema.additional() != Additional::Unmentioned;
    for member in schema.parts() {
        properties(document, member, depth + 1, seen, order, found, open);
    }
    for (name, value) in schema.properties() {
        if !found.contains_key(name) {
            order.push(name.clone());
        }
        let property = Property {
            name: name.clone(),
            schema: value.clone(),
            required: false,
            shape: shape_at(document, value, depth + 1),
        };
        found.insert(name.clone(), property);
    }
    for name in schema.required() {
        if let Some(property) = found.get_mut(name) {
            property.required = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_another_part_does_not_reset_what_that_requires() {
        let base = json!({"$ref": "#/components/schemas/Base"});
        let child = json!({"allOf": [base], "required": ["a"]});
        let document = json!({"components": {"schemas": {
            "Base": {"properties": {"a": {"type": "string"}}},
        }}});
        let Shape::Object(properties) = shape(&document, &json!({"allOf": [child, base]})) else {
            panic!("no object")
        };
        let required: Vec<bool> = properties
            .iter()
            .map(|property| property.required)
            .collect();
        assert_eq!(required, [true]);
    }
}
