//! Validation of values with the `jsonschema` crate, and the invalid values that a decoder must reject.

use jsonschema::{Draft, Registry, Validator};
use serde_json::{Map, Value, json};

use crate::directions::Directions;
use crate::document::Document;
use crate::lowered;
use crate::sampler::UNKNOWN;
use crate::shape::{Shape, Union};

/// Judges values of a document's schemas.
#[derive(Debug)]
pub struct Judge<'r> {
    registry: &'r Registry<'r>,
}

/// Prepares the lowered schemas at these references for a [`Judge`].
///
/// # Errors
/// They are not valid JSON Schemas.
pub fn registry(document: &Document, references: Vec<String>) -> Result<Registry<'static>, String> {
    let lowered = lowered::lower(document, references);
    Registry::new()
        .draft(Draft::Draft202012)
        .add(lowered::ID, lowered)
        .and_then(jsonschema::RegistryBuilder::prepare)
        .map_err(|error| error.to_string())
}

impl<'r> Judge<'r> {
    /// Returns a judge with these schemas.
    pub fn new(registry: &'r Registry<'r>) -> Self {
        Self { registry }
    }

    /// Returns the validator of the schema at a reference, which must be one of those in the registry.
    ///
    /// # Errors
    /// It is not a valid JSON Schema.
    pub fn validator(&self, reference: &str) -> Result<Validator, String> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(self.registry)
            .should_validate_formats(false)
            .build(&json!({"$ref": lowered::absolute(reference)}))
            .map_err(|error| error.to_string())
    }
}

/// The fault of an invalid sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A required property is missing.
    Missing,
    /// A required property of the other direction is missing: a read-only one of a request, or a write-only one of a
    /// response.
    MissingOneWay,
    /// A property has another type.
    Type,
    /// The value has another type.
    Kind,
    /// The values of an object are in an array.
    Sequence,
    /// The value was changed at random, so it may be valid.
    Random,
}

impl Fault {
    /// Returns the name of the fault in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "required property left out",
            Self::MissingOneWay => "property of the other direction left out",
            Self::Type => "property of another type",
            Self::Kind => "value of another type",
            Self::Sequence => "array of the values in order",
            Self::Random => "random body",
        }
    }
}

/// Returns invalid variants of a valid sample, one for each applicable fault.
pub fn spoiled(
    document: &Document,
    directions: &Directions,
    reference: &str,
    validator: &Validator,
    valid: &Value,
    random: &mut fastrand::Rng,
) -> Vec<(Fault, Value)> {
    let mut candidates = match valid {
        Value::Object(object) => {
            let mut object = object.clone();
            object.remove(UNKNOWN);
            let schema = document.resolve(reference).unwrap_or(&Value::Null);
            let is_only_sent = directions.is_only_sent(reference);
            spoiled_object(document, schema, &object, is_only_sent, random)
        }
        Value::String(_) => vec![(Fault::Kind, json!(5)), (Fault::Kind, json!({"x": 1}))],
        Value::Array(_) => vec![
            (Fault::Kind, json!("a string")),
            (Fault::Kind, json!({"x": 1})),
        ],
        Value::Null => Vec::new(),
        Value::Number(_) | Value::Bool(_) => {
            vec![
                (Fault::Kind, json!({"x": 1})),
                (Fault::Kind, json!("not a number")),
            ]
        }
    };
    candidates.retain(|(_, value)| !validator.is_valid(value));
    candidates
}

fn spoiled_object(
    document: &Document,
    schema: &Value,
    object: &Map<String, Value>,
    is_only_sent: bool,
    random: &mut fastrand::Rng,
) -> Vec<(Fault, Value)> {
    let shape = Shape::of(document, schema).unwrap_or_default();
    let mut candidates = Vec::new();
    let mut required: Vec<&str> = shape.required.iter().copied().collect();
    required.retain(|name| object.contains_key(*name));
    random.shuffle(&mut required);
    for name in required.into_iter().take(3) {
        let mut without = object.clone();
        without.remove(name);
        let optional = if is_only_sent {
            &shape.read_only
        } else {
            &shape.write_only
        };
        let fault = if optional.contains(name) {
            Fault::MissingOneWay
        } else {
            Fault::Missing
        };
        candidates.push((fault, Value::Object(without)));
    }
    let mut known: Vec<(&String, &Value)> = object
        .iter()
        .filter(|(name, value)| shape.properties.contains_key(name.as_str()) && !value.is_null())
        .collect();
    random.shuffle(&mut known);
    for (name, value) in known.into_iter().take(3) {
        let others = match value {
            Value::String(_) => [json!(5), json!({"x": 1})],
            Value::Bool(_) => [json!("yes"), json!(7)],
            Value::Number(_) => [json!("not a number"), json!({"x": 1})],
            _ => [json!("a string"), json!(5)],
        };
        for other in others {
            let mut changed = object.clone();
            changed.insert(name.clone(), other);
            candidates.push((Fault::Type, Value::Object(changed)));
        }
    }
    candidates.push((Fault::Kind, json!("a string")));
    candidates.push((Fault::Kind, json!([])));
    candidates.push((Fault::Sequence, object.values().cloned().collect()));
    candidates
}

/// Returns true if the type of the schema keeps objects that fit no member: a union, also through references and `allOf`,
/// or a base whose discriminator distinguishes the schemas that inherit from it.
pub fn is_union(document: &Document, schema: &Value) -> bool {
    document.is_base(schema)
        || Shape::of(document, schema).is_ok_and(|shape| {
            let mut unions = shape.unions.iter();
            unions.any(|union| !is_optional(document, union))
        })
}

/// Returns true if the schema or a member of its unions lists strings: its type keeps other strings, too.
pub fn keeps_unlisted(document: &Document, schema: &Value) -> bool {
    let lists_strings = |shape: &Shape<'_>| {
        let mut values = shape.values.iter().flatten();
        values.any(|value| value.is_string())
    };
    Shape::of(document, schema).is_ok_and(|shape| {
        let mut members = shape.unions.iter().flat_map(|union| union.members);
        lists_strings(&shape)
            || members.any(|member| {
                Shape::of(document, member).is_ok_and(|member| lists_strings(&member))
            })
    })
}

/// Returns true for `anyOf: [T, null]`, which is an optional `T`, not a union.
fn is_optional(document: &Document, union: &Union<'_>) -> bool {
    let is_null = |member: &&Value| {
        document.is_null_member(member) || member.get("type") == Some(&json!("null"))
    };
    union
        .members
        .iter()
        .filter(|member| !is_null(member))
        .count()
        < 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enum_with_strings_keeps_unlisted_strings() {
        let document = Document::new(json!({"openapi": "3.1.0"}));
        let object = json!({"type": "object"});
        let keeps = |text: Value| keeps_unlisted(&document, &json!({"oneOf": [text, object]}));
        assert!(keeps(json!({"type": "string", "enum": ["a"]})));
        assert!(!keeps(json!({"type": "string"})));
        assert!(!keeps(json!({"type": "integer", "enum": [1]})));
        assert!(keeps_unlisted(&document, &json!({"enum": [1, "a", true]})));
        assert!(!keeps_unlisted(&document, &json!({"enum": [1, 2]})));
    }

    #[test]
    fn base_with_a_discriminator_and_children_is_a_union() {
        let document = Document::new(json!({
            "openapi": "3.0.3",
            "components": {"schemas": {
                "Vehicle": {"type": "object", "discriminator": {"propertyName": "kind"}},
                "Bicycle": {"allOf": [{"$ref": "#/components/schemas/Vehicle"}]},
                "Childless": {"type": "object", "discriminator": {"propertyName": "kind"}},
                "Alias": {"$ref": "#/components/schemas/Vehicle"},
            }},
        }));
        let is_union = |name: &str| {
            let schema = document.resolve(&format!("#/components/schemas/{name}"));
            is_union(&document, schema.unwrap_or(&Value::Null))
        };
        assert!(is_union("Vehicle") && is_union("Alias"));
        assert!(!is_union("Bicycle") && !is_union("Childless"));
    }
}
