//! Makes components of schemas that references refer to.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::names;
use crate::origin::Origins;
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

/// Returns the old and the new location of each schema. Deeper ones come first: once they are moved, the locations of the
/// enclosing ones are still valid.
pub(crate) fn locations(document: &Value, schemas: BTreeSet<Pointer>) -> Vec<(Pointer, Pointer)> {
    let mut schemas: Vec<Pointer> = schemas.into_iter().collect();
    schemas.sort_by_key(|schema| Reverse(schema.tokens().count()));
    let mut taken = names::type_names(document);
    let named = schemas.into_iter().map(|schema| {
        let name = names::unique(&names::for_place(document, &schema), &mut taken);
        (schema, Pointer::schema(&name))
    });
    named.collect()
}

/// Moves each schema to its new location, and leaves a reference to it.
pub(crate) fn make(document: &mut Value, locations: &[(Pointer, Pointer)], origins: &mut Origins) {
    for (old, new) in locations {
        let Some(place) = document.at_mut(old.as_str()) else {
            continue;
        };
        let schema = std::mem::replace(place, json!({"$ref": new.to_ref()}));
        origins.moved(old, new);
        let name = new.tokens().last();
        if let (Some(name), Some(schemas)) = (name, walk::schemas_mut(document)) {
            schemas.insert(name, schema);
        }
    }
}
