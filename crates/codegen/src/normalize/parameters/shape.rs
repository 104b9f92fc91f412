//! The shapes of parameter values.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::text;
use crate::openapi::{Additional, Schema as _, parts, parts_first, reached};
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

pub(in crate::normalize) fn shape(document: &Value, schema: &Value) -> Shape {
    let known = BTreeMap::new();
    Shapes { document, known }.shape(schema, true)
}

/// Finds the shapes of the schemas within one.
struct Shapes<'a> {
    document: &'a Value,
    /// The shapes of schemas within others.
    known: BTreeMap<*const Value, Shape>,
}

impl<'a> Shapes<'a> {
    /// Returns the shape of a schema. `is_outer` says if it is within no other.
    fn shape(&mut self, schema: &'a Value, is_outer: bool) -> Shape {
        let Some(followed) = walk::follow(self.document, schema) else {
            return Shape::Nested;
        };
        let key = std::ptr::from_ref(followed);
        let known = self.known.get(&key).filter(|_| !is_outer).cloned();
        let shape = known.unwrap_or_else(|| {
            if is_outer {
                return self.shape_of(followed, true);
            }
            // A schema within itself is nested.
            self.known.insert(key, Shape::Nested);
            let shape = self.shape_of(followed, false);
            self.known.insert(key, shape.clone());
            shape
        });
        let is_reference = schema.reference().is_some();
        if shape == Shape::Plain && is_reference && followed.has_flag("nullable") {
            // Its type is a struct of an option, which has no `Display`.
            return Shape::Single;
        }
        shape
    }

    fn is_single(&mut self, schema: &'a Value) -> bool {
        matches!(self.shape(schema, false), Shape::Plain | Shape::Single)
    }

    /// Returns the shape of a schema that is not a reference.
    fn shape_of(&mut self, schema: &'a Value, is_outer: bool) -> Shape {
        if let Some((_, members)) = schema.union() {
            let all = members.iter().all(|member| self.is_single(member));
            return if all { Shape::Single } else { Shape::Nested };
        }
        let kind = text(schema, "type");
        match kind {
            "string" if text(schema, "format") == "date-time" && schema.get("enum").is_none() => {
                Shape::Single
            }
            "string" | "integer" | "number" | "boolean" => Shape::Plain,
            "array" => match schema.get("items") {
                Some(items) if self.is_single(items) => Shape::List,
                None => Shape::List,
                Some(items) if is_anything(items) => Shape::List,
                Some(_) => Shape::Nested,
            },
            _ => {
                let all = parts(self.document, schema);
                if all.iter().any(|part| part.properties().next().is_some()) {
                    // The shapes of properties do not matter in an object within another value.
                    return Shape::Object(match is_outer {
                        true => self.properties(schema),
                        false => Vec::new(),
                    });
                }
                let mut all = all.into_iter();
                if kind == "object" || all.any(|part| part.additional() != Additional::Unmentioned)
                {
                    return match schema.additional() {
                        Additional::Of(values) if !is_anything(values) => {
                            if self.is_single(values) {
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
                    [only] => self.shape(only, false),
                    parts if parts.iter().any(|part| self.is_single(part)) => Shape::Single,
                    _ => Shape::Nested,
                }
            }
        }
    }

    /// Returns the properties of an object and of its parts.
    fn properties(&mut self, schema: &'a Value) -> Vec<Property> {
        let mut found: Vec<Property> = Vec::new();
        for part in parts_first(self.document, schema) {
            for (name, value) in part.properties() {
                let property = Property {
                    name: name.clone(),
                    schema: value.clone(),
                    required: false,
                    shape: self.shape(value, false),
                };
                match found.iter_mut().find(|known| known.name == *name) {
                    Some(known) => *known = property,
                    None => found.push(property),
                }
            }
            for property in &mut found {
                property.required |= part.requires(&property.name);
            }
        }
        found
    }
}

/// Returns the list of a union of a list and single values, such as a string or a list of strings. An exploded list with one
/// item is encoded like the item itself.
pub(super) fn one_or_many(document: &Value, schema: &Value) -> Option<Value> {
    // A reference with a default is the only part of a schema.
    let wrapped = reached(document, schema, true, |schema| {
        let only = schema.only_part().filter(|_| schema.union().is_none());
        only.into_iter()
    });
    let union = wrapped.last()?;
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
            match shape(document, item) {
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
