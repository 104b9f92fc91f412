//! Unions of which several members may match a value at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::{Kinds, Model, Type, Union};
use crate::openapi::{Schema as _, all_properties};
use crate::pointer::{Lookup as _, Pointer};
use crate::subdocument::transitive_refs;
use crate::walk::{self, Kind};

/// Returns true if an object may match several members at once, because only its properties distinguish them.
///
/// It is false if a property that members share leads back to the union. Each of the members would decode the value of this
/// property, so the time would double with each level.
pub(super) fn may_match(document: &Value, model: &Model, name: &str, union: &Union) -> bool {
    let objects = union.members.iter();
    let objects: Vec<&Type> = objects
        .filter(|member| member.kinds.has(Kinds::OBJECT))
        .map(|member| &member.ty)
        .collect();
    let has_tag = union.tag.as_ref().is_some_and(|tag| tag.required);
    if !union.any || has_tag || objects.len() < 2 {
        return false;
    }
    let mut shared: BTreeMap<&str, (usize, BTreeSet<Pointer>)> = BTreeMap::new();
    for ty in objects {
        for (property, references) in properties(document, model, ty, &mut BTreeSet::new()) {
            let (count, all) = shared.entry(property).or_default();
            *count += 1;
            all.extend(references);
        }
    }
    let shared = shared.into_values().filter(|(count, _)| *count > 1);
    let shared: BTreeSet<Pointer> = shared.flat_map(|(_, references)| references).collect();
    !reached(document, model, shared).contains(&Pointer::schema(name))
}

/// Returns the properties of the objects of a type, with the schemas to which each refers directly.
fn properties<'a>(
    document: &'a Value,
    model: &'a Model,
    ty: &'a Type,
    seen: &mut BTreeSet<&'a str>,
) -> BTreeMap<&'a str, BTreeSet<Pointer>> {
    let mut found: BTreeMap<&str, BTreeSet<Pointer>> = BTreeMap::new();
    let name = match ty {
        Type::Optional(inner) => return properties(document, model, inner, seen),
        Type::Schema(name) if seen.insert(name) => name,
        _ => return found,
    };
    let members = model.unions.get(name).into_iter();
    for member in members.flat_map(|union| &union.members) {
        for (property, references) in properties(document, model, &member.ty, seen) {
            found.entry(property).or_default().extend(references);
        }
    }
    let schema = document.at(Pointer::schema(name).as_str());
    for (property, schema, _) in schema
        .into_iter()
        .flat_map(|schema| all_properties(document, schema))
    {
        let references = found.entry(property).or_default();
        walk::walk_from(
            Kind::Schema,
            &Pointer::root(),
            schema,
            &mut |_, _, schema: &Value| references.extend(schema.reference()),
        );
    }
    found
}

/// Returns the schemas that these refer to, directly or indirectly. The document has placeholders for unions, so their
/// members are those of the model.
fn reached(document: &Value, model: &Model, roots: BTreeSet<Pointer>) -> BTreeSet<Pointer> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<Pointer> = roots.into_iter().collect();
    while !waiting.is_empty() {
        let new: BTreeSet<Pointer> = transitive_refs(document, &waiting);
        let new: Vec<Pointer> = new.difference(&reached).cloned().collect();
        waiting.clear();
        for (name, union) in &model.unions {
            if new.contains(&Pointer::schema(name)) {
                let members = union.members.iter();
                waiting.extend(members.filter_map(|member| schema(&member.ty)));
            }
        }
        reached.extend(new);
        waiting.retain(|place| !reached.contains(place));
    }
    reached
}

/// Returns the schema of a type, or of its items or values.
fn schema(ty: &Type) -> Option<Pointer> {
    match ty {
        Type::Schema(name) => Some(Pointer::schema(name)),
        Type::Optional(inner) | Type::List(inner) | Type::Map(inner) => schema(inner),
        _ => None,
    }
}
