//! Reads unions into the model: their members, and the property that distinguishes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::shapes::{kinds, shape, shapes};
use super::{is_scalar, unions};
use crate::model::{Details, Kinds, Member, Shape, Tag, Union};
use crate::names;
use crate::normalize::{Changes, replace, types};
use crate::openapi::{COMBINATORS, Discriminator, Schema as _, parts, reached};
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
        let union = read(&received, schema);
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

fn read(document: &Value, schema: &Value) -> Union {
    let Some((combinator, all)) = schema.union() else {
        return Union {
            members: Vec::new(),
            tag: None,
            any: false,
            nullable: false,
        };
    };
    let mut found: Vec<Member> = Vec::new();
    let mut distinct = Vec::new();
    for member in all {
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
                let kinds = kinds(document, member);
                found.push(Member { ty, kinds, shape });
                distinct.push(member);
            }
        }
    }
    Union {
        tag: tag(document, schema, &found, &distinct),
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
    let candidates = properties(document, all.get(index)?);
    let value = candidates.iter().find_map(|property| {
        let values = all.iter().map(|member| values(document, member, property));
        let values: Vec<Vec<Value>> = values.collect();
        let [only] = values[index].as_slice() else {
            return None;
        };
        let is_alone = values.iter().filter(|values| values.contains(only)).count() == 1;
        only.as_str().filter(|_| is_alone).map(names::type_name)
    });
    // serde writes a variant with data as an object whose only property is the variant.
    let value = value.or_else(|| {
        let only = only_property(all.get(index)?)?;
        let same = all
            .iter()
            .filter(|member| only_property(member) == Some(only));
        (same.count() == 1).then(|| names::type_name(only))
    })?;
    Some(names::join(&[names::for_place(document, &union), value]))
}

/// Returns the property of an object that requires one property and has no other.
fn only_property(schema: &Value) -> Option<&str> {
    let mut properties = schema.properties().map(|(name, _)| name.as_str());
    let mut required = schema.required();
    match (properties.next(), properties.next(), required.next()) {
        (Some(only), None, Some(required)) if only == required => Some(only),
        _ => None,
    }
}

/// Returns the property that distinguishes the members that are objects: the one of the discriminator, or else the
/// first with disjoint sets of values.
fn tag(document: &Value, union: &Value, members: &[Member], schemas: &[&Value]) -> Option<Tag> {
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
            let target = component(schemas[*index]);
            let mut own = mapped(mapping, target.as_ref());
            let listed = values(document, schemas[*index], property);
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
            !objects.contains(&index) || has_property(document, schemas[index], property)
        };
        let required = mapping.is_some()
            || objects.iter().all(|index| {
                is_required(document, schemas[*index], property, &mut BTreeMap::new())
            });
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
    let candidates = properties(document, schemas.get(*objects.first()?)?);
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

/// Returns the properties of a member and of its parts.
fn properties<'a>(document: &'a Value, member: &'a Value) -> Vec<&'a String> {
    let all = reached(document, member, true, |schema| {
        schema.parts().iter().chain(alternatives(schema).first())
    });
    let properties = all.into_iter().flat_map(|schema| schema.properties());
    properties.map(|(name, _)| name).collect()
}

/// Returns the members of a union.
fn alternatives(schema: &Value) -> &[Value] {
    schema
        .union()
        .map(|(_, members)| members)
        .unwrap_or_default()
}

/// Returns the listed values of a property of a member. For a nested union, these are the values of all its members.
pub(super) fn values(document: &Value, member: &Value, property: &str) -> Vec<Value> {
    values_of(document, member, property, &mut BTreeMap::new())
}

/// `known` has the values of each schema.
fn values_of(
    document: &Value,
    member: &Value,
    property: &str,
    known: &mut BTreeMap<*const Value, Vec<Value>>,
) -> Vec<Value> {
    let Some(schema) = walk::follow(document, member) else {
        return Vec::new();
    };
    if let Some(values) = known.get(&std::ptr::from_ref(schema)) {
        return values.clone();
    }
    // A schema within itself has none, so no property distinguishes it.
    known.insert(schema, Vec::new());
    let own = schema.get("properties").and_then(|all| all.get(property));
    let own = own.map(|property| listed(document, property));
    let mut values = own.unwrap_or_default();
    let mut parts = schema.parts().iter();
    while let (true, Some(part)) = (values.is_empty(), parts.next()) {
        values = values_of(document, part, property, known);
    }
    if values.is_empty() {
        let discriminator = schema.discriminator();
        let discriminator = discriminator.filter(|found| found.property == property);
        for alternative in alternatives(schema) {
            let mut own = mapped(discriminator, component(alternative).as_ref());
            own.extend(values_of(document, alternative, property, known));
            if own.is_empty() {
                values.clear();
                break;
            }
            own.retain(|value| !values.contains(value));
            values.append(&mut own);
        }
    }
    known.insert(schema, values.clone());
    values
}

/// Returns the scalars that a schema lists.
fn listed(document: &Value, schema: &Value) -> Vec<Value> {
    let parts = parts(document, schema).into_iter();
    let mut lists = parts.map(|part| part.list("enum"));
    let listed = lists.find(|values| !values.is_empty() && values.iter().all(is_scalar));
    listed.unwrap_or_default().to_vec()
}

fn has_property(document: &Value, member: &Value, property: &str) -> bool {
    let all = reached(document, member, true, |schema| {
        schema.parts().iter().chain(alternatives(schema))
    });
    let has = |schema: &Value| schema.get("properties")?.get(property).map(|_| ());
    all.into_iter().any(|schema| has(schema).is_some())
}

/// `known` has true for each schema that requires the property, and false for one that does not or that is being looked at.
fn is_required(
    document: &Value,
    member: &Value,
    property: &str,
    known: &mut BTreeMap<*const Value, bool>,
) -> bool {
    let Some(schema) = walk::follow(document, member) else {
        return false;
    };
    if let Some(is_required) = known.get(&std::ptr::from_ref(schema)) {
        return *is_required;
    }
    known.insert(schema, false);
    let mut parts = parts(document, schema).into_iter();
    let is_found = parts.any(|part| {
        let mut members = alternatives(part).iter();
        part.requires(property)
            || part.union().is_some()
                && members.all(|member| is_required(document, member, property, known))
    });
    known.insert(schema, is_found);
    is_found
}
