//! Comparison of a value with its schema.

use std::collections::HashMap;

use serde_json::Value;

use super::difference::DriftKind;
use super::document::{Document, FUEL, Object};

/// The most characters that are kept of a value or a name.
const MAX_CHARS: usize = 100;

pub(super) type Found = Vec<(String, DriftKind)>;

/// One comparison of a body with the document.
pub(super) struct Comparison<'a> {
    document: &'a Document,
    /// The drift from each member of a choice at each value. Without it, choices that contain each other would be compared
    /// once for each path through them.
    members: HashMap<(*const Value, *const Value), Found>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self {
            document,
            members: HashMap::new(),
        }
    }

    /// Returns the drift of a value from a schema.
    pub(super) fn of(mut self, schema: &Value, value: &Value) -> Found {
        let mut found = Found::new();
        self.compare(schema, value, "", FUEL, &mut found);
        found
    }

    fn compare(
        &mut self,
        schema: &Value,
        value: &Value,
        place: &str,
        fuel: u32,
        found: &mut Found,
    ) {
        let schema = self.document.resolve(schema);
        let (Some(keywords), Some(fuel)) = (schema.as_object(), fuel.checked_sub(1)) else {
            return;
        };
        let members = |key: &str| keywords.get(key).and_then(Value::as_array);
        let has_own = keywords.contains_key("properties") || keywords.contains_key("allOf");
        let mut is_choice = false;
        for members in ["anyOf", "oneOf"].into_iter().filter_map(members) {
            is_choice = true;
            let mut nearest = self.nearest(members, value, place, fuel);
            // A property that no member has may be one beside the choice.
            nearest.retain(|(_, kind)| !has_own || *kind != DriftKind::UnknownProperty);
            found.extend(nearest);
        }
        if let Some(expected) = self.document.wrong_type(schema, value) {
            let found_type = match value {
                Value::String(_) if Document::has_string(schema) => "another string",
                value => type_of(value),
            };
            let kind = DriftKind::WrongType {
                expected,
                found: found_type,
            };
            found.push((at(place), kind));
            return;
        }
        let listed = keywords.get("enum").and_then(Value::as_array);
        if listed.is_some_and(|listed| !listed.contains(value)) {
            let text = match value {
                Value::String(text) => truncate(text),
                other => truncate(&other.to_string()),
            };
            found.push((at(place), DriftKind::UnknownValue(text)));
        }
        match value {
            Value::Array(values) => {
                if let Some(items) = keywords.get("items") {
                    for value in values {
                        self.compare(items, value, &format!("{place}[]"), FUEL, found);
                    }
                }
            }
            Value::Object(_) if is_choice && !has_own => {}
            Value::Object(values) => {
                let mut object = Object::default();
                self.document.gather(schema, &mut object, fuel);
                self.compare_object(&object, values, place, found);
            }
            _ => {
                for member in members("allOf").into_iter().flatten() {
                    self.compare(member, value, place, fuel, found);
                }
            }
        }
    }

    fn compare_object(
        &mut self,
        object: &Object<'_>,
        values: &serde_json::Map<String, Value>,
        place: &str,
        found: &mut Found,
    ) {
        let below = |name: &str| match place {
            "" => truncate(name),
            place => format!("{place}.{}", truncate(name)),
        };
        // What only requests have is not missing from a response.
        let is_sent_only = |name: &str| {
            let mut known = object.properties.iter().filter(|(known, _)| *known == name);
            known.any(|(_, schema)| {
                self.document.resolve(schema).get("writeOnly") == Some(&Value::Bool(true))
            })
        };
        for name in &object.required {
            if !values.contains_key(*name) && !is_sent_only(name) {
                found.push((below(name), DriftKind::MissingProperty));
            }
        }
        for (name, value) in values {
            let known = object.properties.iter().filter(|(known, _)| known == name);
            let mut is_known = false;
            for (_, schema) in known {
                is_known = true;
                self.compare(schema, value, &below(name), FUEL, found);
            }
            match object.others {
                _ if is_known => {}
                // A name that varies is not part of the place.
                Some(schema) => self.compare(schema, value, &below("*"), FUEL, found),
                None if object.properties.is_empty() => {}
                None => found.push((below(name), DriftKind::UnknownProperty)),
            }
        }
    }

    /// Returns the drift from the member of a choice that fits best.
    fn nearest(&mut self, members: &[Value], value: &Value, place: &str, fuel: u32) -> Found {
        let drifts = members
            .iter()
            .map(|member| self.member_drift(member, value, place, fuel));
        // A member of another type is further away than any of the right type.
        let distance = |found: &Found| {
            let is_other = |(at_place, kind): &(String, DriftKind)| {
                matches!(kind, DriftKind::WrongType { .. }) && *at_place == at(place)
            };
            (found.iter().any(is_other), found.len())
        };
        let best = drifts.min_by_key(distance).unwrap_or_default();
        match best.as_slice() {
            // None of several types was right: name all of them.
            [(_, DriftKind::WrongType { found, .. })] if members.len() > 1 && distance(&best).0 => {
                let kind = DriftKind::WrongType {
                    expected: self.document.expected(members),
                    found,
                };
                vec![(at(place), kind)]
            }
            _ => best,
        }
    }

    /// Returns the drift from one member of a choice.
    fn member_drift(&mut self, member: &Value, value: &Value, place: &str, fuel: u32) -> Found {
        let key = (
            std::ptr::from_ref(self.document.resolve(member)),
            std::ptr::from_ref(value),
        );
        if let Some(known) = self.members.get(&key) {
            return known.clone();
        }
        let mut found = Found::new();
        self.compare(member, value, place, fuel, &mut found);
        self.members.insert(key, found.clone());
        found
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn at(place: &str) -> String {
    if place.is_empty() { "." } else { place }.to_owned()
}

fn truncate(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use serde_json::json;

    use super::super::difference::Drift;
    use super::*;

    /// Returns the drift of a value from a schema, one line each.
    fn found(schemas: Value, schema: Value, value: Value) -> Vec<String> {
        let document = Document {
            schemas,
            responses: json!({}),
        };
        let found = Comparison::new(&document).of(&schema, &value);
        let line = |(place, kind)| {
            let operation = "test";
            Drift {
                operation,
                place,
                kind,
            }
            .to_string()
        };
        found.into_iter().map(line).collect()
    }

    #[test]
    fn each_keyword_is_compared() {
        let string = json!({"type": "string"});
        let pet = json!({
            "type": "object",
            "required": ["name"],
            "properties": {"name": string, "owner": {"$ref": "#/components/schemas/Pet"}},
        });
        let all = json!({"allOf": [
            {"$ref": "#/components/schemas/Pet"},
            {"required": ["age"], "properties": {"age": {"type": "integer"}}},
        ]});
        let choice = json!({"oneOf": [{"$ref": "#/components/schemas/Pet"}, {"type": "string"}, {"type": "null"}]});
        let beside = json!({"properties": {"id": true}, "anyOf": [{"properties": {"a": string}}, {"properties": {"b": string}}]});
        let a_string = "the document says string, but the service sent";
        for (schema, value, expected) in [
            (json!({}), json!({"any": [1]}), &[][..]),
            (json!(true), json!(null), &[]),
            (
                pet.clone(),
                json!({"name": "x", "owner": {"name": "y"}}),
                &[],
            ),
            (
                pet.clone(),
                json!({"owner": {"name": 1, "age": 2}}),
                &[
                    "name: the document requires it, and it is missing",
                    "owner.age: the document has no such property",
                    "owner.name: the document says string, but the service sent an integer",
                ],
            ),
            (
                pet,
                json!([]),
                &[".: the document says object, but the service sent an array"],
            ),
            (all.clone(), json!({"name": "x", "age": 1}), &[]),
            (
                all,
                json!({"name": "x", "age": 1.5, "z": 1}),
                &[
                    "age: the document says integer, but the service sent a fraction",
                    "z: the document has no such property",
                ],
            ),
            (choice.clone(), json!({"name": "x"}), &[]),
            (choice.clone(), json!("x"), &[]),
            (choice.clone(), json!(null), &[]),
            (
                choice.clone(),
                json!(7),
                &[".: the document says object or string or null, but the service sent an integer"],
            ),
            (
                choice,
                json!({"name": "x", "z": 1}),
                &["z: the document has no such property"],
            ),
            (beside.clone(), json!({"id": 1, "b": "x"}), &[]),
            (
                beside,
                json!({"id": 1, "z": 1}),
                &["z: the document has no such property"],
            ),
            (
                json!({"type": "array", "items": {"type": "string", "enum": ["a"]}}),
                json!(["a", "b", 1]),
                &[
                    "[]: the document does not list the value \"b\"",
                    "[]: the document says string, but the service sent an integer",
                ],
            ),
            (
                json!({"allOf": [{"enum": ["a"]}]}),
                json!("b"),
                &[".: the document does not list the value \"b\""],
            ),
            (
                json!({"enum": [1]}),
                json!(2),
                &[".: the document does not list the value \"2\""],
            ),
            (json!({"type": ["string", "null"]}), json!(null), &[]),
            (
                json!({"type": ["string", "null"]}),
                json!(true),
                &[".: the document says string or null, but the service sent a boolean"],
            ),
            (
                json!({"properties": {"id": {"type": "string", "format": "uuid"}, "at": {"type": "string", "format": "date-time"}}}),
                json!({"id": "x", "at": "2023-11-07"}),
                &[
                    "at: the document says string (date-time), but the service sent another string",
                    "id: the document says string (uuid), but the service sent another string",
                ],
            ),
            (
                json!({"properties": {"local": {"type": "string", "format": "date-time"}, "spaced": {"type": "string", "format": "date-time"}}}),
                json!({"local": "2023-11-07T10:00:00", "spaced": "2023-11-07 10:00:00Z"}),
                &[
                    "local: the document says string (date-time), but the service sent another string",
                    "spaced: the document says string (date-time), but the service sent another string",
                ],
            ),
            (json!({"type": "integer"}), json!(120.0), &[]),
            (
                json!({"required": ["secret", "name"], "properties": {"secret": {"type": "string", "writeOnly": true}, "name": {}}}),
                json!({}),
                &["name: the document requires it, and it is missing"],
            ),
            (json!({"type": "object"}), json!({"any": 1}), &[]),
            (
                json!({"type": "object", "additionalProperties": string}),
                json!({"a": "x", "b": 1}),
                &[&format!("*: {a_string} an integer")],
            ),
            (json!({"$ref": "#/elsewhere"}), json!(1), &[]),
        ] {
            let pets = json!({"Pet": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "owner": {"$ref": "#/components/schemas/Pet"}},
            }});
            let mut lines = found(pets, schema.clone(), value.clone());
            lines.sort();
            assert_eq!(lines, expected, "{value} of {schema}");
        }
    }

    #[test]
    fn recursive_schema_terminates() {
        let schemas = json!({"A": {"$ref": "#/components/schemas/A"}, "B": {"anyOf": [{"$ref": "#/components/schemas/B"}]}});
        for name in ["A", "B"] {
            let schema = json!({"$ref": format!("#/components/schemas/{name}")});
            assert_eq!(found(schemas.clone(), schema, json!({"x": 1})), [""; 0]);
        }
    }

    /// The depth is the parser's limit. Were each path through the choices compared by itself, there would be 2^126.
    #[test]
    fn drift_is_found_in_the_innermost_of_nested_choices() {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let choice = json!({"oneOf": [reference("A"), reference("B")]});
        let node = |tag: &str| {
            json!({
                "type": "object",
                "properties": {tag: {"type": "string"}, "child": choice},
            })
        };
        let schemas = json!({"A": node("a"), "B": node("b")});
        let (depth, mut body) = (126, r#"{"b": "", "new": 1}"#.to_owned());
        for _ in 0..depth {
            body = format!(r#"{{"a": "", "child": {body}}}"#);
        }
        let value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            found(schemas, choice, value),
            [format!(
                "{}new: the document has no such property",
                "child.".repeat(depth)
            )]
        );
    }

    #[test]
    fn shown_values_are_bounded() {
        let long = json!("x".repeat(10_000));
        let said = &found(json!({}), json!({"enum": []}), long)[0];
        assert_eq!(said.matches('x').count(), MAX_CHARS);
    }
}
