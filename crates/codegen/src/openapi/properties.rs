//! Properties of compositions.

use serde_json::Value;

use super::Schema;
use crate::walk;

/// A property: its name, its schema, and true if the schema that defines it requires it.
pub(crate) type Property<'a> = (&'a String, &'a Value, bool);

/// The maximum nesting of `allOf`. Beyond it, a schema contains itself, and has no further properties.
const MAX_DEPTH: usize = 16;

/// Returns the properties of a schema and of its parts, those of the parts first. One that several define is there as often.
pub(crate) fn all_properties<'a>(document: &'a Value, schema: &'a Value) -> Vec<Property<'a>> {
    let mut found = Vec::new();
    collect(document, schema, 0, &mut found);
    found
}

fn collect<'a>(
    document: &'a Value,
    schema: &'a Value,
    depth: usize,
    found: &mut Vec<Property<'a>>,
) {
    let Some(schema) = walk::follow(document, schema).filter(|_| depth < MAX_DEPTH) else {
        return;
    };
    for part in schema.parts() {
        collect(document, part, depth + 1, found);
    }
    let own = schema.properties();
    found.extend(own.map(|(name, property)| (name, property, schema.requires(name))));
}
