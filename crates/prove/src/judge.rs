//! Which values are valid, by the `jsonschema` crate; and which invalid ones a decoder has to refuse.

use jsonschema::{Draft, Registry, Validator};
use serde_json::{Map, Value, json};

use crate::document::Document;
use crate::lowered;
use crate::sampler::UNKNOWN;
use crate::shape::{Shape, Union};

/// Judges values of a document's schemas.
#[derive(Debug)]
pub struct Judge<'r> {
    registry: &'r Registry<'r>,
}

/// The lowered schemas at these references, prepared for a [`Judge`].
///
/// # Errors
/// They are no JSON Schema.
pub fn registry(document: &Document, references: Vec<String>) -> Result<Registry<'static>, String> {
    let lowered = lowered::lower(document, references);
    Registry::new()
        .draft(Draft::Draft202012)
        .add(lowered::ID, lowered)
        .and_then(jsonschema::RegistryBuilder::prepare)
        .map_err(|error| error.to_string())
}

impl<'r> Judge<'r> {
    /// A judge by these schemas.
    pub fn new(registry: &'r Registry<'r>) -> Self {
        Self { registry }
    }

    /// The validator of the schema at a reference, which is one of those that the registry was made for.
    ///
    /// # Errors
    /// It is no JSON Schema.
    pub fn validator(&self, reference: &str) -> Result<Validator, String> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(self.registry)
            .should_validate_formats(false)
            .build(&json!({"$ref": lowered::absolute(reference)}))
            .map_err(|error| error.to_string())
    }
}

/// What is wrong with an invalid sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A required property is left out.
    Missing,
    /// A required property that is readable or writable only is left out: a type that is sent and received allows that.
    MissingOneWay,
    /// A property is of another type.
    Type,
    /// The whole is of another type.
    Kind,
    /// The values of an object stand in an array.
    Sequence,
}

impl Fault {
    /// The name of the fault in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "required property left out",
            Self::MissingOneWay => "one-way property left out",
            Self::Type => "property of another type",
            Self::Kind => "value of another type",
            Self::Sequence => "array of the values in order",
        }
    }
}

/// Spoils a valid sample in each way that makes it invalid.
pub fn spoiled(
    document: &Document,
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
            spoiled_object(document, schema, &object, random)
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
        let fault = if shape.one_way.contains(name) {
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

/// Returns true for a schema that keeps an object that none of its members fits: a union, also through references and
/// `allOf`, or a base whose discriminator tells apart the schemas that inherit from it.
pub fn is_union(document: &Document, schema: &Value) -> bool {
    document.is_base(schema)
        || Shape::of(document, schema).is_ok_and(|shape| {
            let mut unions = shape.unions.iter();
            unions.any(|union| !is_optional(document, union))
        })
}

/// Returns true for `anyOf: [T, null]`, which is an optional `T` and no union.
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
