//! Properties of compositions.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Schema;
use crate::walk;

/// A property: its name, its schema, and true if the schema that defines it requires it.
pub(crate) type Property<'a> = (&'a String, &'a Value, bool);

/// The maximum nesting of `allOf`. Beyond it, a schema contains itself, and has no further properties.
const MAX_DEPTH: usize = 16;

/// Returns the properties of a schema and of its parts, those of the parts first. One that several schemas define is there as
/// often; a schema that is a part several times has its properties once.
pub(crate) fn all_properties<'a>(document: &'a Value, schema: &'a Value) -> Vec<Property<'a>> {
    let mut found = Vec::new();
    collect(document, schema, 0, &mut BTreeSet::new(), &mut found);
    found
}

fn collect<'a>(
    document: &'a Value,
    schema: &'a Value,
    depth: usize,
    seen: &mut BTreeSet<*const Value>,
    found: &mut Vec<Property<'a>>,
) {
    let schema = walk::follow(document, schema).filter(|_| depth < MAX_DEPTH);
    let Some(schema) = schema.filter(|schema| seen.insert(std::ptr::from_ref(*schema))) else {
        return;
    };
    for part in schema.parts() {
        collect(document, part, depth + 1, seen, found);
    }
    let own = schema.properties();
    found.extend(own.map(|(name, property)| (name, property, schema.requires(name))));
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn part_of_several_parts_has_its_properties_once() {
        let levels = 16;
        let schemas = (0..levels).map(|level| {
            let below = json!({"$ref": format!("#/components/schemas/L{}", level + 1)});
            let own = json!({format!("p{level}"): {}});
            let schema = json!({"allOf": [below, below], "properties": own});
            (format!("L{level}"), schema)
        });
        let schemas: Map<String, Value> = schemas.collect();
        let document = json!({"components": {"schemas": schemas}});
        let found = all_properties(&document, &schemas["L0"]).into_iter();
        let names: Vec<&String> = found.map(|(name, ..)| name).collect();
        let expected: Vec<String> = (0..levels).rev().map(|level| format!("p{level}")).collect();
        assert_eq!(names, expected.iter().collect::<Vec<_>>());
    }
}
