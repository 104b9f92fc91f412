//! Reads unions into the model: their members, and the property that distinguishes them.

use serde_json::{Value, json};

use super::shapes::{kinds, shape, shapes};
use super::{MAX_DEPTH, is_scalar, unions};
use crate::model::{Details, Kinds, Member, Shape, Tag, Union};
use crate::names;
use crate::normalize::{Changes, replace, types};
use crate::openapi::{COMBINATORS, Discriminator, Schema as _};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk::{self, Kind};

/// Reads each union into the model, and leaves a placeholder for typify.
pub(in crate::normalize) fn model(document: &mut Value, changes: &mut Changes) {
    let mut model = std::mem::take(&mut changes.model);
    let mut placeholders = Vec::new();
    // The shape of a value is that on the wire.
    let received = model.on_the_wire(document);
    // A document may have a single webhook, or a single schema that inherits, but its service may send others.
    let webhooks = model.webhooks.as_ref();
    let webhooks = webhooks.map(|webhooks| Pointer::schema(&webhooks.schema));
    let all = unions(document, 1)
        .into_iter()
        .filter(|(pointer, combinator)| {
            let union = document.at(pointer.as_str());
            let members = union.and_then(|union| union.get(combinator)?.as_array());
            let is_single = members.is_some_and(|members| members.len() == 1);
            let is_open = union.is_some_and(|union| union.discriminator().is_some());
            !is_single || is_open || webhooks.as_ref() == Some(pointer)
        });
    for (pointer, _) in all {
        let (Some(schema), Some(name)) = (
            received.at(pointer.as_str()),
            pointer
                .is_schema()
                .then(|| pointer.tokens().last())
                .flatten(),
        ) else {
            continue;
        };
        let union = read(&received, &pointer, schema);
        let lost = COMBINATORS
            .iter()
            .all(|combinator| schema.get(combinator).is_some());
        if lost {
            changes.lost(
                &pointer.join("anyOf"),
                "`anyOf` next to `oneOf`",
                "the value matches a member of `oneOf`",
            );
        }
        // For a list of strings, typify generates a type without a builder and without `Display`.
        let mut placeholder = json!({"type": "array", "items": {"type": "string"}});
        for annotation in ["title", "description", "deprecated"] {
            if let Some(value) = schema.get(annotation) {
                placeholder[annotation] = value.clone();
            }
        }
        model.unions.insert(name, union);
        placeholders.push((pointer, placeholder));
    }
    model.shapes = shapes(&received, &model);
    replace(document, placeholders, changes);
    walk::walk_mut(document, &mut |kind, _, value| {
        if let (Kind::Schema, Some(object)) = (kind, value.as_object_mut()) {
            object.remove("discriminator");
        }
    });
    changes.model = model;
}

fn read(document: &Value, pointer: &Pointer, schema: &Value) -> Union {
    let Some((combinator, all)) = schema.union() else {
        return Union {
            members: Vec::new(),
            tag: None,
            any: false,
            nullable: false,
        };
    };
    let mut found: Vec<Member> = Vec::new();
    let mut places = Vec::new();
    for (index, member) in all.iter().enumerate() {
        let ty = types::rust_type(member, 0);
        let shape = shape(document, member);
        match found.iter_mut().find(|known| known.ty == ty) {
            // Two members of the same type are one variant. Its shape is that of both.
            Some(known) => {
                let mut both = Details {
                    kinds: known.kinds,
                    ..Details::default()
                };
                both.members = vec![known.shape.clone(), shape];
                known.shape = Shape::Is(Box::new(both));
            }
            None => {
                let kinds = kinds(document, member, 0);
                found.push(Member { ty, kinds, shape });
                places.push(pointer.join(combinator).join(index));
            }
        }
    }
    Union {
        tag: tag(document, schema, &found, &places),
        members: found,
        any: combinator == "anyOf",
        nullable: schema.is_nullable(),
    }
}

/// Returns a name for an inline member: that of its union, with the value that distinguishes the member.
pub(in crate::normalize) fn member_name(document: &Value, member: &Pointer) -> Option<String> {
    let tokens: Vec<String> = member.tokens().collect();
    let [above @ .., combinator, index] = tokens.as_slice() else {
        return None;
    };
    let index: usize = index.parse().ok()?;
    let union = above
        .iter()
        .fold(Pointer::root(), |at, token| at.join(token));
    let (name, all) = document.at(union.as_str())?.union()?;
    if name != combinator {
        return None;
    }
    let places: Vec<Pointer> = (0..all.len())
        .map(|index| union.join(name).join(index))
        .collect();
    let mut candidates = Vec::new();
    properties(document, member, &mut candidates, 0);
    let value = candidates.iter().find_map(|property| {
        let values: Vec<Vec<Value>> = places
            .iter()
            .map(|place| values(document, place, property, 0))
            .collect();
        let [only] = values[index].as_slice() else {
            return None;
        };
        let is_alone = values.iter().filter(|values| values.contains(only)).count() == 1;
        only.as_str().filter(|_| is_alone).map(names::type_name)
    })?;
    Some(names::join(&[names::for_place(document, &union), value]))
}

/// Returns the property that distinguishes the members that are objects: the one of the discriminator, or else the
/// first with disjoint sets of values.
fn tag(document: &Value, union: &Value, members: &[Member], places: &[Pointer]) -> Option<Tag> {
    let objects: Vec<usize> = (0..members.len())
        .filter(|index| members[*index].kinds.has(Kinds::OBJECT))
        .collect();
    if objects.len() < 2 && union.get("discriminator").is_none() {
        return None;
    }
    let discriminator = union.discriminator();
    let table = |property: &str, mapping: Option<Discriminator<'_>>| -> Option<Tag> {
        let mut table = vec![Vec::new(); members.len()];
        let mut seen: Vec<Value> = Vec::new();
        for index in &objects {
            let place = &places[*index];
            let target = component(document.at(place.as_str())?);
            let mut own = mapped(mapping, target.as_ref());
            let listed = values(document, place, property, 0);
            // A value that the mapping assigns to another member is not a value of this one.
            let elsewhere = |value: &Value| {
                let known = value.as_str().and_then(|value| mapping?.target(value));
                known.is_some() && known != target
            };
            for value in listed.into_iter().filter(|value| !elsewhere(value)) {
                if !own.contains(&value) {
                    own.push(value);
                }
            }
            if own.is_empty() || own.iter().any(|value| seen.contains(value)) {
                return None;
            }
            seen.extend(own.iter().cloned());
            table[*index] = own;
        }
        let has = |index: usize| {
            !objects.contains(&index) || has_property(document, &places[index], property, 0)
        };
        let required = mapping.is_some()
            || objects
                .iter()
                .all(|index| is_required(document, &places[*index], property, 0));
        Some(Tag {
            property: property.to_owned(),
            values: table,
            required,
            own: (0..members.len()).map(has).collect(),
        })
    };
    if let Some(found) = discriminator
        && let Some(tag) = table(found.property, Some(found))
    {
        return Some(tag);
    }
    let mut candidates: Vec<String> = Vec::new();
    properties(document, places.get(*objects.first()?)?, &mut candidates, 0);
    let mut tables = candidates.iter().filter_map(|name| table(name, None));
    let first = tables.next()?;
    // A required property is better than an optional one.
    if first.required {
        return Some(first);
    }
    Some(tables.find(|tag| tag.required).unwrap_or(first))
}

/// Returns the component that a member refers to.
fn component(member: &Value) -> Option<Pointer> {
    types::component(member).map(|name| Pointer::schema(&name))
}

/// Returns the values for which a discriminator selects a component.
fn mapped(discriminator: Option<Discriminator<'_>>, target: Option<&Pointer>) -> Vec<Value> {
    let (Some(discriminator), Some(target)) = (discriminator, target) else {
        return Vec::new();
    };
    discriminator
        .values(target)
        .map(|value| json!(value))
        .collect()
}

/// Collects the properties of a member and of its parts.
fn properties(document: &Value, member: &Pointer, found: &mut Vec<String>, depth: usize) {
    let Some((place, schema)) = walk::locate(document, member).filter(|_| depth < MAX_DEPTH) else {
        return;
    };
    found.extend(schema.properties().map(|(name, _)| name.clone()));
    for inner in parts(&place, schema).chain(alternatives(&place, schema).take(1)) {
        properties(document, &inner, found, depth + 1);
    }
}

/// Returns the locations of the parts of a schema.
fn parts(place: &Pointer, schema: &Value) -> impl Iterator<Item = Pointer> {
    let count = schema.parts().len();
    let all = place.join("allOf");
    (0..count).map(move |index| all.join(index))
}

/// Returns the locations of the members of a union.
fn alternatives(place: &Pointer, schema: &Value) -> impl Iterator<Item = Pointer> {
    let (combinator, count) = schema
        .union()
        .map_or(("oneOf", 0), |(name, all)| (name, all.len()));
    let all = place.join(combinator);
    (0..count).map(move |index| all.join(index))
}

/// Returns the listed values of a property of a member. For a nested union, these are the values of all its members.
pub(super) fn values(
    document: &Value,
    member: &Pointer,
    property: &str,
    depth: usize,
) -> Vec<Value> {
    let Some((place, schema)) = walk::locate(document, member).filter(|_| depth < MAX_DEPTH) else {
        return Vec::new();
    };
    if schema
        .get("properties")
        .is_some_and(|all| all.get(property).is_some())
    {
        let listed = listed(document, &place.join("properties").join(property), 0);
        if !listed.is_empty() {
            return listed;
        }
    }
    for part in parts(&place, schema) {
        let values = values(document, &part, property, depth + 1);
        if !values.is_empty() {
            return values;
        }
    }
    let discriminator = schema.discriminator();
    let discriminator = discriminator.filter(|found| found.property == property);
    let mut any = Vec::new();
    for alternative in alternatives(&place, schema) {
        let target = document.at(alternative.as_str()).and_then(component);
        let mut own = mapped(discriminator, target.as_ref());
        own.extend(values(document, &alternative, property, depth + 1));
        if own.is_empty() {
            return Vec::new();
        }
        any.extend(own);
    }
    any
}

/// Returns the scalars that a schema lists.
fn listed(document: &Value, place: &Pointer, depth: usize) -> Vec<Value> {
    let Some((place, schema)) = walk::locate(document, place).filter(|_| depth < MAX_DEPTH) else {
        return Vec::new();
    };
    match schema.get("enum").and_then(Value::as_array) {
        Some(values) if values.iter().all(is_scalar) => values.clone(),
        Some(_) => Vec::new(),
        None => parts(&place, schema)
            .map(|part| listed(document, &part, depth + 1))
            .find(|values| !values.is_empty())
            .unwrap_or_default(),
    }
}

fn has_property(document: &Value, member: &Pointer, property: &str, depth: usize) -> bool {
    let Some((place, schema)) = walk::locate(document, member).filter(|_| depth < MAX_DEPTH) else {
        return false;
    };
    schema
        .get("properties")
        .is_some_and(|all| all.get(property).is_some())
        || parts(&place, schema)
            .chain(alternatives(&place, schema))
            .any(|inner| has_property(document, &inner, property, depth + 1))
}

fn is_required(document: &Value, member: &Pointer, property: &str, depth: usize) -> bool {
    let Some((place, schema)) = walk::locate(document, member).filter(|_| depth < MAX_DEPTH) else {
        return false;
    };
    schema.requires(property)
        || parts(&place, schema).any(|part| is_required(document, &part, property, depth + 1))
        || (schema.union().is_some()
            && alternatives(&place, schema)
                .all(|inner| is_required(document, &inner, property, depth + 1)))
}
