//! The schemas of the places in a value.

use call_api_codegen::pointer::Pointer;
use serde_json::Value;

use crate::document::Document;

/// Returns the schemas at a place in a value of a schema, those of all members of unions; none where any value is valid.
/// `None` if the place is in a property that no schema mentions.
pub(crate) fn schemas<'d>(
    document: &'d Document,
    schema: &'d Value,
    place: &str,
) -> Option<Vec<&'d Value>> {
    let mut found = vec![schema];
    for name in Pointer::root().append(place).tokens() {
        let all = composed(document, found);
        let has_properties = all.iter().any(|schema| schema.get("properties").is_some());
        let is_required = all.iter().any(|schema| requires(schema, &name));
        let inner = all.into_iter().flat_map(|schema| inner(schema, &name));
        found = inner.collect();
        if found.is_empty() && has_properties && !is_required {
            return None;
        }
    }
    Some(found)
}

/// Adds the schemas that these refer to, are composed of, or are the base of.
fn composed<'d>(document: &'d Document, mut found: Vec<&'d Value>) -> Vec<&'d Value> {
    let mut next = 0;
    while let Some(schema) = found.get(next).copied() {
        next += 1;
        let references = ["$ref", "$dynamicRef"].into_iter();
        let references = references.filter_map(|key| document.resolve(schema.get(key)?.as_str()?));
        let lists = ["allOf", "anyOf", "oneOf"].into_iter();
        let lists = lists.filter_map(|key| schema.get(key)?.as_array());
        let conditional = ["then", "else"].into_iter();
        let conditional = conditional.filter_map(|key| schema.get(key));
        let dependent = schema.get("dependentSchemas").and_then(Value::as_object);
        let dependent = dependent
            .into_iter()
            .flat_map(|dependent| dependent.values());
        let heirs = document.heirs(schema);
        let parts = references
            .chain(lists.flatten())
            .chain(conditional)
            .chain(dependent);
        for schema in parts.chain(heirs) {
            if !found.iter().any(|other| std::ptr::eq(*other, schema)) {
                found.push(schema);
            }
        }
    }
    // OpenAPI 3.0 ignores what is beside a reference.
    found.retain(|schema| !document.is_30() || schema.get("$ref").is_none());
    found
}

fn requires(schema: &Value, name: &str) -> bool {
    let names = schema.get("required").and_then(Value::as_array);
    names.is_some_and(|names| names.iter().any(|required| required == name))
}

/// Returns the schemas that a schema itself has for a property or an item.
fn inner<'d>(schema: &'d Value, name: &str) -> Vec<&'d Value> {
    if let Some(property) = schema.get("properties").and_then(|all| all.get(name)) {
        return vec![property];
    }
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let others = ["additionalProperties", "items"].into_iter();
    let others = others.filter_map(|key| schema.get(key));
    let others = others.filter(|schema| **schema != Value::Bool(false));
    let prefix = schema.get("prefixItems").and_then(Value::as_array);
    let patterns = patterns.into_iter().flat_map(|patterns| patterns.values());
    patterns
        .chain(others)
        .chain(prefix.into_iter().flatten())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn place_has_the_schemas_of_compositions_unions_and_heirs() {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let has = |name: &str, minimum: u8| json!({"properties": {name: {"minimum": minimum}}});
        let document = Document::new(json!({
            "openapi": "3.1.0",
            "components": {"schemas": {
                "Pet": {"properties": {"a/b": {"minimum": 1}}, "discriminator": {"propertyName": "kind"}},
                "Cat": {"allOf": [reference("Pet"), has("purrs", 2)]},
                "Either": {"oneOf": [has("x", 3), has("x", 4)]},
                "Pets": {"properties": {"all": {"items": reference("Pet")}, "map": {"additionalProperties": has("m", 5)}}},
                "Any": {"type": "object"},
                "Named": {"properties": {"a": {}}, "anyOf": [{"required": ["b"]}], "then": has("c", 6), "dependentSchemas": {"a": has("d", 7)}},
            }},
        }));
        let minima = |name: &str, place: &str| {
            let schema = document.resolve(&format!("#/components/schemas/{name}"))?;
            let found = schemas(&document, schema, place)?.into_iter();
            let minima = found.filter_map(|schema| schema.get("minimum")?.as_u64());
            Some(minima.collect::<Vec<_>>())
        };
        assert_eq!(minima("Cat", "/a~1b"), Some(vec![1]));
        assert_eq!(minima("Pet", "/purrs"), Some(vec![2]));
        assert_eq!(minima("Either", "/x"), Some(vec![3, 4]));
        assert_eq!(minima("Pets", "/all/0/purrs"), Some(vec![2]));
        assert_eq!(minima("Pets", "/map/key/m"), Some(vec![5]));
        assert_eq!(minima("Any", "/key/other"), Some(Vec::new()));
        assert_eq!(minima("Named", "/b"), Some(Vec::new()));
        assert_eq!(minima("Named", "/c"), Some(vec![6]));
        assert_eq!(minima("Named", "/d"), Some(vec![7]));
        assert_eq!(minima("Named", "/e"), None);
        assert_eq!(minima("Cat", "/x"), None);
        assert_eq!(minima("Pets", "/all/0/x"), None);
    }
}
