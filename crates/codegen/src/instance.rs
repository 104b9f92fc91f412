//! Values of schemas that a document gives: examples and defaults.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::normalize::has_form;
use crate::openapi::{Additional, COMBINATORS, DIRECTIONS, Schema as _};
use crate::walk;

/// The direction in which a value is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To the service: without `readOnly` properties.
    Sent,
    /// From the service: without `writeOnly` properties.
    Received,
}

impl Direction {
    /// Returns the keyword of the properties that values in this direction lack.
    pub(crate) fn hidden(self) -> &'static str {
        let [received_only, sent_only] = DIRECTIONS;
        match self {
            Self::Sent => received_only,
            Self::Received => sent_only,
        }
    }
}

/// Returns a value that the document gives for a schema, with the nulls that it lacks; `None` if it is not valid.
pub(crate) fn given(
    document: &Value,
    schema: &Value,
    value: Value,
    direction: Direction,
) -> Option<Value> {
    let value = with_nulls(document, schema, value, direction);
    let instances = Instances {
        document,
        direction,
        known: RefCell::default(),
    };
    let is_valid = instances.is_valid(schema, &value, MOST_NESTED);
    is_valid.then_some(value)
}

/// Returns a value with null for the required properties that are missing and nullable: FastAPI drops nulls from documents,
/// also those in examples.
pub(crate) fn with_nulls(
    document: &Value,
    schema: &Value,
    mut value: Value,
    direction: Direction,
) -> Value {
    let instances = Instances {
        document,
        direction,
        known: RefCell::default(),
    };
    instances.add_nulls(schema, &mut value, MOST_NESTED, &mut BTreeSet::new());
    value
}

/// The values of a document's schemas in one direction.
struct Instances<'a> {
    document: &'a Value,
    direction: Direction,
    /// The schemas and values that were compared: a schema can be a part of many others.
    known: RefCell<BTreeMap<(*const Value, *const Value), bool>>,
}

impl Instances<'_> {
    /// Adds the nulls that a schema requires. `seen` has the schemas whose nulls were added to the value.
    fn add_nulls(
        &self,
        schema: &Value,
        value: &mut Value,
        depth: usize,
        seen: &mut BTreeSet<*const Value>,
    ) {
        let document = self.document;
        let (Some(schema), Some(depth)) = (walk::follow(document, schema), depth.checked_sub(1))
        else {
            return;
        };
        if !seen.insert(std::ptr::from_ref(schema)) {
            return;
        }
        for part in schema.parts() {
            self.add_nulls(part, value, depth, seen);
        }
        // Of a union, the member is not known; but `anyOf: [T, null]` has only one.
        if let Some((_, members)) = schema.union() {
            let mut members = members.iter().filter(|member| !member.is_only_null());
            if let (Some(member), None) = (members.next(), members.next()) {
                self.add_nulls(member, value, depth, seen);
            }
        }
        match value {
            Value::Array(items) => {
                for item in items {
                    self.add_nulls(&schema["items"], item, depth, &mut BTreeSet::new());
                }
            }
            Value::Object(values) => {
                let is_nullable = |property| {
                    walk::follow(document, property).is_some_and(|property| property.is_nullable())
                };
                for (name, property) in schema.properties() {
                    match values.get_mut(name) {
                        Some(value) => self.add_nulls(property, value, depth, &mut BTreeSet::new()),
                        None if self.requires(schema, name) && is_nullable(property) => {
                            values.insert(name.clone(), Value::Null);
                        }
                        None => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// Returns true if generated code decodes the value of this schema. Bounds, patterns and listed values are not checked.
    fn is_valid(&self, schema: &Value, value: &Value, depth: usize) -> bool {
        let document = self.document;
        let (Some(schema), Some(depth)) = (walk::follow(document, schema), depth.checked_sub(1))
        else {
            return false;
        };
        let key = (std::ptr::from_ref(schema), std::ptr::from_ref(value));
        if let Some(known) = self.known.borrow().get(&key) {
            return *known;
        }
        let is_valid = self.has(schema, value, depth);
        self.known.borrow_mut().insert(key, is_valid);
        is_valid
    }

    /// Returns true if the schema, which is no reference, has the value.
    fn has(&self, schema: &Value, value: &Value, depth: usize) -> bool {
        if value.is_null() && schema.is_nullable() {
            return true;
        }
        let fits = |member: &Value| self.is_valid(member, value, depth);
        if !schema.parts().iter().all(fits)
            || COMBINATORS.iter().any(|keyword| {
                let members = schema.list(keyword);
                !members.is_empty() && !members.iter().any(fits)
            })
        {
            return false;
        }
        let types = schema.types();
        if !types.is_empty() && !types.iter().any(|kind| kind.is_of(value)) {
            return false;
        }
        match value {
            Value::String(text) => is_formatted(schema.format(), text),
            Value::Array(items) => schema
                .get("items")
                .is_none_or(|schema| items.iter().all(|item| self.is_valid(schema, item, depth))),
            Value::Object(properties) => {
                let mut required = schema.required();
                required.all(|name| properties.contains_key(name) || !self.requires(schema, name))
                    && properties.iter().all(|(name, value)| {
                        let own = schema.get("properties").and_then(|own| own.get(name));
                        let schema = match (own, schema.additional()) {
                            (None, Additional::Of(schema)) => Some(schema),
                            (own, _) => own.filter(|own| own.is_object()),
                        };
                        schema.is_none_or(|schema| self.is_valid(schema, value, depth))
                    })
            }
            _ => true,
        }
    }

    /// Returns true if values in this direction must have the property.
    fn requires(&self, schema: &Value, name: &str) -> bool {
        let property = schema.get("properties").and_then(|own| own.get(name));
        let property = property.and_then(|property| walk::follow(self.document, property));
        schema.requires(name)
            && property.is_none_or(|property| !property.has_flag(self.direction.hidden()))
    }
}

/// The greatest depth of schemas in a valid example: parts of a schema may be the schema itself.
const MOST_NESTED: usize = 100;

/// Returns true if a string has the form of the formats that have a type of their own.
fn is_formatted(format: Option<&str>, text: &str) -> bool {
    match format {
        Some("uuid") => has_form(text, "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        Some("date-time") => text
            .get(..19)
            .is_some_and(|start| has_form(start, "0000-00-00T00:00:00")),
        Some("date") => has_form(text, "0000-00-00"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn example_of_a_schema_whose_parts_share_parts_is_compared_once() {
        let levels = 40;
        let schemas = (0..levels).map(|level| {
            let below = json!({"$ref": format!("#/components/schemas/L{}", level + 1)});
            (format!("L{level}"), json!({"allOf": [below, below]}))
        });
        let nullable = json!({"type": "string", "nullable": true});
        let last = json!({"type": "object", "required": ["a"], "properties": {"a": nullable}});
        let last = (format!("L{levels}"), last);
        let schemas: Map<String, Value> = schemas.chain([last]).collect();
        let document = json!({"components": {"schemas": schemas}});
        let given = |value| given(&document, &schemas["L0"], value, Direction::Received);
        assert_eq!(given(json!({})), Some(json!({"a": null})));
        assert_eq!(given(json!({"a": 1})), None);
    }
}
