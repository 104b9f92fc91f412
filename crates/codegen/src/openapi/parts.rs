//! The schemas that a composition consists of, and their properties.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Schema;
use crate::pointer::Pointer;
use crate::walk;

/// A property: its name, its schema, and true if the schema that defines it requires it.
pub(crate) type Property<'a> = (&'a String, &'a Value, bool);

/// Returns a schema and all that it is composed of, by `$ref` and `allOf`, in the order of the document, each before its
/// parts. A schema that is a part several times is there once.
pub(crate) fn parts<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    reached(document, schema, true, |schema| schema.parts().iter())
}

/// Does the same as [`parts`], each schema after its parts.
pub(crate) fn parts_first<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    reached(document, schema, false, |schema| schema.parts().iter())
}

/// Does the same as [`parts`], without the parts of the schemas for which `is_end` is true.
pub(crate) fn parts_until<'a>(
    document: &'a Value,
    schema: &'a Value,
    is_end: impl Fn(&Value) -> bool,
) -> Vec<&'a Value> {
    reached(document, schema, true, |schema| {
        let parts = if is_end(schema) { &[] } else { schema.parts() };
        parts.iter()
    })
}

/// Returns a schema and all that it leads to, by `$ref` and by `inner`, each once. `own_first` says if a schema comes before
/// or after those that it leads to.
pub(crate) fn reached<'a, I>(
    document: &'a Value,
    schema: &'a Value,
    own_first: bool,
    inner: impl Fn(&'a Value) -> I,
) -> Vec<&'a Value>
where
    I: DoubleEndedIterator<Item = &'a Value>,
{
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![(schema, false)];
    while let Some((schema, is_done)) = waiting.pop() {
        if is_done {
            found.push(schema);
            continue;
        }
        // To visit a schema again would take exponential time where many parts share their own parts.
        if !seen.insert(std::ptr::from_ref(schema)) {
            continue;
        }
        match own_first {
            true => found.push(schema),
            false => waiting.push((schema, true)),
        }
        waiting.extend(inner(schema).rev().map(|inner| (inner, false)));
        let target = schema.text("$ref");
        let target = target.and_then(|reference| walk::resolve(document, reference));
        waiting.extend(target.map(|target| (target, false)));
    }
    found
}

/// Does the same as [`parts`] for the schema at a location, without the references. Returns the locations, too.
pub(crate) fn located_parts<'a>(document: &'a Value, place: &Pointer) -> Vec<(Pointer, &'a Value)> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![place.clone()];
    while let Some(place) = waiting.pop() {
        let Some((place, schema)) = walk::locate(document, &place) else {
            continue;
        };
        if seen.insert(std::ptr::from_ref(schema)) {
            let all = place.join("allOf");
            waiting.extend((0..schema.parts().len()).rev().map(|index| all.join(index)));
            found.push((place, schema));
        }
    }
    found
}

/// Returns the properties of a schema and of its parts, those of the parts first. One that several schemas define is there as
/// often; a schema that is a part several times has its properties once.
pub(crate) fn all_properties<'a>(document: &'a Value, schema: &'a Value) -> Vec<Property<'a>> {
    let parts = parts_first(document, schema).into_iter();
    let of_part = |part: &'a Value| {
        let properties = part.properties();
        properties.map(move |(name, property)| (name, property, part.requires(name)))
    };
    parts.flat_map(of_part).collect()
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
