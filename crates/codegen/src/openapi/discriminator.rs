//! Discriminators.

use serde_json::{Map, Value};

use super::Schema;
use crate::pointer::Pointer;

/// The property by whose values the members of a union are distinguished.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Discriminator<'a> {
    pub(crate) property: &'a str,
    /// The schema of values whose tag is missing or unknown (OpenAPI 3.2).
    pub(crate) default_mapping: Option<&'a str>,
    mapping: Option<&'a Map<String, Value>>,
}

pub(super) fn discriminator(object: &Value) -> Option<Discriminator<'_>> {
    Some(Discriminator {
        property: object.text("propertyName")?,
        default_mapping: object.text("defaultMapping"),
        mapping: object.get("mapping").and_then(Value::as_object),
    })
}

impl<'a> Discriminator<'a> {
    /// Returns the values in the mapping, each with the schema that it selects. A schema without a value has its name as
    /// value (OpenAPI 3.1, section 4.8.25).
    pub(crate) fn mapping(&self) -> impl Iterator<Item = (&'a String, Pointer)> + use<'a> {
        let mapping = self.mapping.into_iter().flatten();
        mapping.filter_map(|(value, target)| Some((value, mapped(target.as_str()?))))
    }

    /// Returns the values that select the schema at `target`.
    pub(crate) fn values(&self, target: &Pointer) -> impl Iterator<Item = &'a String> {
        let mapping = self.mapping();
        mapping.filter_map(move |(value, mapped)| (mapped == *target).then_some(value))
    }

    /// Returns the schema that a value selects by the mapping.
    pub(crate) fn target(&self, value: &str) -> Option<Pointer> {
        self.mapping?.get(value)?.as_str().map(mapped)
    }
}

/// Returns the schema that a mapping names by a reference, or by its name alone.
fn mapped(target: &str) -> Pointer {
    match Pointer::from_ref(target) {
        Some(place) if place.is_schema() => place,
        _ => Pointer::schema(target.rsplit('/').next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mapping_names_schemas_by_reference_or_by_name() {
        let schema = json!({"discriminator": {"propertyName": "kind", "mapping": {
            "a": "#/components/schemas/Cat", "b": "Cat", "c": "#/components/schemas/Dog",
        }}});
        let found = schema.discriminator();
        let mapping: Vec<_> = found.iter().flat_map(Discriminator::mapping).collect();
        let names = mapping
            .iter()
            .map(|(value, target)| format!("{value} {target}"));
        assert_eq!(
            names.collect::<Vec<_>>(),
            [
                "a /components/schemas/Cat",
                "b /components/schemas/Cat",
                "c /components/schemas/Dog",
            ]
        );
        assert!(json!({"discriminator": {}}).discriminator().is_none());
    }
}
