//! Unions (`oneOf`, `anyOf`): which member a value is of is read from the document here, and written into the model.
//!
//! typify ignores discriminators, tries one member after the other, and makes a struct of some unions that nothing
//! decodes into. It is shown a placeholder instead, and `postprocess` writes the enum from the [model](crate::model).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Changes;
use crate::model::{Details, Kinds, Member, Model, Shape, Tag, Type, Union};
use crate::names;
use crate::pointer::Pointer;
use crate::walk::{self, Kind};

const COMBINATORS: [&str; 2] = ["oneOf", "anyOf"];

/// The keywords of an object that may stand beside the members of a union.
const OF_OBJECTS: [&str; 5] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "allOf",
];

/// The maximum number of schemas that wrap another.
const DEEPEST: usize = 12;

/// The unions of at least `least` members, the inner ones first: one that stands inline moves away when it gets its name.
fn unions(document: &Value, least: usize) -> Vec<(Pointer, &'static str)> {
    let mut unions = Vec::new();
    walk::walk(document, &mut |kind, pointer, value| {
        if kind == Kind::Schema
            && let Some((combinator, members)) = members(value)
            && members.len() >= least
        {
            unions.push((pointer.clone(), combinator));
        }
    });
    unions.sort_by_key(|(pointer, _)| std::cmp::Reverse(pointer.tokens().count()));
    unions
}

/// The combinator of a union, and its members.
pub(super) fn members(schema: &Value) -> Option<(&'static str, &Vec<Value>)> {
    COMBINATORS
        .into_iter()
        .find_map(|combinator| Some((combinator, schema.get(combinator)?.as_array()?)))
        .filter(|(_, members)| !members.is_empty())
}

/// The component that a reference names, through the `allOf` of one that annotations are wrapped in.
pub(super) fn component(schema: &Value) -> Option<String> {
    let target = match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => Pointer::from_ref(reference)?,
        None => match schema.get("allOf")?.as_array()?.as_slice() {
            [only] => return component(only),
            _ => return None,
        },
    };
    target.is_schema().then(|| target.tokens().last()).flatten()
}

/// Returns true for a schema that is met by null only: `{"enum": [null]}`, and within a union `{"nullable": true}`.
fn is_null(schema: &Value) -> bool {
    let listed = schema.get("enum").and_then(Value::as_array);
    let only_null = listed.is_some_and(|values| values.iter().all(Value::is_null));
    let annotations = ["nullable", "title", "description"];
    let says_nothing = schema.as_object().is_some_and(|schema| {
        schema.get("nullable") == Some(&json!(true))
            && schema.keys().all(|key| annotations.contains(&key.as_str()))
    });
    only_null || says_nothing
}

/// A union of a schema and null may be null; a union with itself is what its other members are; a union of one member is
/// that member.
pub(super) fn plain_unions(document: &mut Value, changes: &mut Changes) {
    for (pointer, combinator) in unions(document, 1) {
        let Some(union) = document.pointer(pointer.as_str()).cloned() else {
            continue;
        };
        let Some((_, all)) = members(&union) else {
            continue;
        };
        let place = pointer.join(combinator);
        let mut kept: Vec<Value> = Vec::new();
        let mut nullable = false;
        for (index, member) in all.iter().enumerate() {
            if is_null(member) {
                nullable = true;
            } else if leads_to(document, member, &pointer) {
                changes.lost(
                    &place.join(index),
                    "the member that is the union itself",
                    "the value is what another member says",
                );
            } else {
                let mut member = member.clone();
                if let Some(object) = member.as_object_mut()
                    && object.get("nullable") == Some(&json!(true))
                {
                    object.remove("nullable");
                    nullable = true;
                }
                if !kept.contains(&member) {
                    kept.push(member);
                }
            }
        }
        if kept == *all {
            if let [only] = kept.as_slice()
                && !union.get("allOf").is_some_and(Value::is_array)
                && !union
                    .as_object()
                    .is_some_and(|union| union.contains_key("discriminator"))
            {
                let only = only.clone();
                single(document, &pointer, combinator, only);
                changes.at(&place);
            }
            continue;
        }
        changes.at(&place);
        let Some(at) = document
            .pointer_mut(pointer.as_str())
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        if nullable {
            at.insert("nullable".to_owned(), json!(true));
        }
        match kept.len() {
            0 if nullable => {
                at.remove(combinator);
                at.remove("nullable");
                at.insert("enum".to_owned(), json!([null]));
            }
            0 => {
                at.remove(combinator);
            }
            1 => {
                let only = kept.remove(0);
                single(document, &pointer, combinator, only);
            }
            _ => {
                at.insert(combinator.to_owned(), Value::Array(kept));
            }
        }
    }
}

/// Puts the only member of a union in its place.
fn single(document: &mut Value, pointer: &Pointer, combinator: &str, only: Value) {
    let Some(at) = document
        .pointer_mut(pointer.as_str())
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    at.remove(combinator);
    at.remove("discriminator");
    let annotations = [
        "nullable",
        "title",
        "description",
        "deprecated",
        "default",
        "example",
        "readOnly",
        "writeOnly",
        "type",
    ];
    let alone = at.keys().all(|key| annotations.contains(&key.as_str()));
    match only {
        Value::Object(only) if alone && !only.contains_key("$ref") => {
            for (key, value) in only {
                if key == "type" {
                    at.insert(key, value);
                } else {
                    at.entry(key).or_insert(value);
                }
            }
        }
        only => {
            if alone {
                at.remove("type");
            }
            match at.get_mut("allOf") {
                Some(Value::Array(all)) => all.push(only),
                _ => {
                    at.insert("allOf".to_owned(), json!([only]));
                }
            }
        }
    }
}

/// Returns true if a member is the union itself, through nothing but references and other unions.
fn leads_to(document: &Value, member: &Value, union: &Pointer) -> bool {
    let mut waiting: Vec<String> = component(member).into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        let place = Pointer::schema(&name);
        if place == *union {
            return true;
        }
        if !seen.insert(name) {
            continue;
        }
        let Some(target) = document.pointer(place.as_str()) else {
            continue;
        };
        let inner = members(target).map(|(_, members)| members);
        waiting.extend(
            inner
                .into_iter()
                .flatten()
                .chain([target])
                .filter_map(component),
        );
    }
    false
}

/// Says of each discriminator which schema each value means, and makes a union of a schema whose discriminator tells
/// apart the schemas that are composed of it. A discriminator that tells nothing apart is dropped.
pub(super) fn discriminators(document: &mut Value, changes: &mut Changes) {
    inheritance(document, changes);
    for (pointer, combinator) in unions(document, 1) {
        let Some(union) = document.pointer(pointer.as_str()) else {
            continue;
        };
        let Some(property) = tag_name(union) else {
            continue;
        };
        let refs: Vec<String> = union[combinator]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(component)
            .collect();
        let given = union
            .pointer("/discriminator/mapping")
            .and_then(Value::as_object);
        let mut mapping = Map::new();
        for (value, target) in given.into_iter().flatten() {
            let name = target
                .as_str()
                .map(|target| match Pointer::from_ref(target) {
                    Some(place) if place.is_schema() => place.tokens().last().unwrap_or_default(),
                    _ => target.rsplit('/').next().unwrap_or_default().to_owned(),
                });
            if let Some(name) = name.filter(|name| refs.contains(name)) {
                mapping.insert(value.clone(), json!(Pointer::schema(&name).to_ref()));
            }
        }
        for name in refs {
            let target = json!(Pointer::schema(&name).to_ref());
            let place = Pointer::schema(&name);
            let listed = !values(document, &place, &property, 0).is_empty();
            // Without a mapping and a list of values, the schema's name is the value (OpenAPI 3.1, section 4.8.25).
            if !listed
                && !mapping.values().any(|known| *known == target)
                && !mapping.contains_key(&name)
            {
                mapping.insert(name, target);
            }
        }
        let new = json!({"propertyName": property, "mapping": mapping});
        if let Some(union) = document.pointer_mut(pointer.as_str())
            && union.get("discriminator") != Some(&new)
        {
            union["discriminator"] = new;
            changes.at(&pointer.join("discriminator"));
        }
    }
    walk::walk_mut(document, &mut |kind, pointer, value| {
        if kind == Kind::Schema
            && members(value).is_none()
            && value
                .as_object_mut()
                .and_then(|object| object.remove("discriminator"))
                .is_some()
        {
            let place = pointer.join("discriminator");
            changes.at(&place);
            changes.lost(
                &place,
                "the discriminator, which tells no schemas apart",
                "the object is read as it is",
            );
        }
    });
}

fn tag_name(union: &Value) -> Option<String> {
    let name = union.get("discriminator")?.get("propertyName")?;
    name.as_str().map(str::to_owned)
}

/// A schema that has a discriminator and that others are composed of is, where it is used, one of those (OpenAPI 3.0,
/// section 4.7.25): it becomes their union, and what they are composed of gets a name of its own.
fn inheritance(document: &mut Value, changes: &mut Changes) {
    let bases: Vec<String> = walk::schemas(document)
        .filter(|(_, schema)| tag_name(schema).is_some() && members(schema).is_none())
        .map(|(name, _)| name.clone())
        .collect();
    let mut taken: BTreeSet<String> = walk::schemas(document)
        .map(|(name, _)| names::type_name(name))
        .collect();
    for base in bases {
        let mut children: Vec<String> = Vec::new();
        let mut composed = vec![base.clone()];
        // What is composed of a child is a child, too.
        while let Some(of) = composed.pop() {
            let reference = json!({"$ref": Pointer::schema(&of).to_ref()});
            for (name, schema) in walk::schemas(document) {
                let parts = schema.get("allOf").and_then(Value::as_array);
                if parts.is_some_and(|parts| parts.contains(&reference))
                    && *name != base
                    && !children.contains(name)
                {
                    children.push(name.clone());
                    composed.push(name.clone());
                }
            }
        }
        let place = Pointer::schema(&base);
        let Some(mut own) = document.pointer(place.as_str()).cloned() else {
            continue;
        };
        if children.is_empty() {
            continue;
        }
        let fields = names::unique(&format!("{base}Base"), &mut taken);
        let references: Vec<Value> = children
            .iter()
            .map(|name| json!({"$ref": Pointer::schema(name).to_ref()}))
            .collect();
        let mut union = json!({"oneOf": references});
        if let Some(own) = own.as_object_mut()
            && let Some(discriminator) = own.remove("discriminator")
        {
            union["discriminator"] = discriminator;
            for annotation in ["title", "description", "deprecated", "nullable"] {
                if let Some(value) = own.get(annotation) {
                    union[annotation] = value.clone();
                }
            }
            own.remove("nullable");
        }
        let old = json!({"$ref": place.to_ref()});
        for child in &children {
            let parts = document
                .pointer_mut(Pointer::schema(child).join("allOf").as_str())
                .and_then(Value::as_array_mut);
            for part in parts.into_iter().flatten().filter(|part| **part == old) {
                *part = json!({"$ref": Pointer::schema(&fields).to_ref()});
            }
        }
        if let Some(at) = document.pointer_mut(place.as_str()) {
            *at = union;
        }
        if let Some(schemas) = walk::schemas_mut(document) {
            schemas.insert(fields, own);
        }
        changes.at(&place.join("discriminator"));
    }
}

/// Where a member of a union becomes a schema of another name, the discriminator means that one.
pub(super) fn remap(union: &mut Map<String, Value>, old: &str, new: &str) {
    let mapping = union
        .get_mut("discriminator")
        .and_then(|discriminator| discriminator.get_mut("mapping")?.as_object_mut());
    let old = Pointer::schema(old).to_ref();
    for (_, target) in mapping.into_iter().flatten() {
        if *target == json!(old) {
            *target = json!(Pointer::schema(new).to_ref());
        }
    }
}

/// What stands beside the members of a union holds for each of them, so each says it itself. Members that only say which
/// of the properties stand together are the service's to check.
pub(super) fn siblings(document: &mut Value, changes: &mut Changes) {
    let mut taken: BTreeSet<String> = walk::schemas(document)
        .map(|(name, _)| names::type_name(name))
        .collect();
    for (pointer, combinator) in unions(document, 1) {
        let Some(union) = document
            .pointer(pointer.as_str())
            .and_then(Value::as_object)
        else {
            continue;
        };
        let own: Map<String, Value> = union
            .iter()
            .filter(|(key, _)| OF_OBJECTS.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let members = union.get(combinator).and_then(Value::as_array);
        let members = members.cloned().unwrap_or_default();
        let place = pointer.join(combinator);
        if members.iter().all(only_requires) {
            if let Some(union) = document
                .pointer_mut(pointer.as_str())
                .and_then(Value::as_object_mut)
            {
                union.remove(combinator);
            }
            changes.at(&place);
            changes.lost(
                &place,
                "which of the properties stand together",
                "the service checks it",
            );
            continue;
        }
        let says_nothing = own.keys().all(|key| key == "type");
        if says_nothing || (union.contains_key("oneOf") && union.contains_key("anyOf")) {
            continue;
        }
        let objects = members.iter().all(|member| {
            walk::follow(document, member).is_some_and(|member| {
                is_object(member) && member.get("oneOf").is_none() && member.get("anyOf").is_none()
            })
        });
        if !objects {
            continue;
        }
        let itself = json!({"$ref": pointer.to_ref()});
        let enclosing = names::for_place(document, &pointer);
        let mut renamed = Vec::new();
        let members: Vec<Value> = members
            .into_iter()
            .map(|member| {
                let name = component(&member);
                // A member that is composed of the union means what stands beside the members.
                let parts = name
                    .as_ref()
                    .and_then(|name| {
                        document.pointer_mut(Pointer::schema(name).join("allOf").as_str())
                    })
                    .and_then(Value::as_array_mut);
                let base = parts.and_then(|parts| parts.iter_mut().find(|part| **part == itself));
                match (base, name) {
                    (Some(base), _) => {
                        *base = Value::Object(own.clone());
                        member
                    }
                    (None, None) => json!({"allOf": [own, member]}),
                    (None, Some(name)) => {
                        let words = [enclosing.clone(), names::type_name(&name)];
                        let new = names::unique(&names::join(&words), &mut taken);
                        if let Some(schemas) = walk::schemas_mut(document) {
                            schemas.insert(new.clone(), json!({"allOf": [own, member]}));
                        }
                        let reference = json!({"$ref": Pointer::schema(&new).to_ref()});
                        renamed.push((name, new));
                        reference
                    }
                }
            })
            .collect();
        if let Some(union) = document
            .pointer_mut(pointer.as_str())
            .and_then(Value::as_object_mut)
        {
            union.retain(|key, _| !OF_OBJECTS.contains(&key.as_str()));
            union.insert(combinator.to_owned(), Value::Array(members));
            for (old, new) in renamed {
                remap(union, &old, &new);
            }
        }
        changes.at(&place);
    }
}

/// Returns true if the member says of its properties no more than which it must have.
fn only_requires(member: &Value) -> bool {
    member.as_object().is_some_and(|member| {
        let kind = member.get("type");
        let words = ["required", "type", "title", "description"];
        kind.is_none_or(|kind| kind == "object")
            && member.contains_key("required")
            && member.keys().all(|key| words.contains(&key.as_str()))
    })
}

fn is_object(schema: &Value) -> bool {
    ["properties", "allOf"]
        .iter()
        .any(|key| schema.get(key).is_some())
        || schema.get("type") == Some(&json!("object"))
}

/// A union with a name that may be null: where it is used, is where it may be null.
pub(super) fn nullable(document: &mut Value, changes: &mut Changes) {
    let nullable: BTreeSet<String> = unions(document, 1)
        .into_iter()
        .map(|(pointer, _)| pointer)
        .filter(|pointer| {
            pointer.is_schema()
                && document
                    .pointer(pointer.as_str())
                    .is_some_and(|union| union.get("nullable") == Some(&json!(true)))
        })
        .map(|pointer| pointer.to_ref())
        .collect();
    if nullable.is_empty() {
        return;
    }
    let names = |schema: &Value| {
        let reference = schema.get("$ref").and_then(Value::as_str);
        reference.is_some_and(|reference| nullable.contains(reference))
    };
    walk::walk_mut(document, &mut |kind, pointer, schema| {
        if kind != Kind::Schema {
            return;
        }
        let parts = |key: &str| schema.get(key).and_then(Value::as_array);
        // A part that may be null says nothing of a whole of several parts.
        let may_be_null =
            parts("allOf").is_some_and(|parts| parts.len() == 1 && parts.iter().any(names));
        let tokens: Vec<_> = pointer.tokens().collect();
        let is_part = matches!(tokens.as_slice(), [.., key, _] if ["allOf", "oneOf", "anyOf"].contains(&key.as_str()));
        if schema.get("nullable") == Some(&json!(true)) {
            return;
        }
        if may_be_null {
            schema["nullable"] = json!(true);
            changes.at(pointer);
        } else if names(schema) && !is_part && !pointer.is_schema() {
            *schema = json!({"allOf": [schema.take()], "nullable": true});
            changes.at(pointer);
        }
    });
}

/// Reads each union into the model, and shows typify something else in its place.
pub(super) fn model(document: &mut Value, changes: &mut Changes) {
    let mut model = std::mem::take(&mut changes.model);
    let mut placeholders = Vec::new();
    for (pointer, _) in unions(document, 2) {
        let (Some(schema), Some(name)) = (
            document.pointer(pointer.as_str()),
            pointer
                .is_schema()
                .then(|| pointer.tokens().last())
                .flatten(),
        ) else {
            continue;
        };
        let union = read(document, &pointer, schema);
        let lost = COMBINATORS
            .iter()
            .all(|combinator| schema.get(combinator).is_some());
        if lost {
            changes.lost(
                &pointer.join("anyOf"),
                "`anyOf` beside `oneOf`",
                "the value is what a member of `oneOf` says",
            );
        }
        // A list of texts: typify makes a type of it that has neither builder nor `Display`.
        let mut placeholder = json!({"type": "array", "items": {"type": "string"}});
        for annotation in ["title", "description", "deprecated"] {
            if let Some(value) = schema.get(annotation) {
                placeholder[annotation] = value.clone();
            }
        }
        model.unions.insert(name, union);
        placeholders.push((pointer, placeholder));
    }
    model.shapes = shapes(document, &model);
    super::replace(document, placeholders, changes);
    walk::walk_mut(document, &mut |kind, _, value| {
        if let (Kind::Schema, Some(object)) = (kind, value.as_object_mut()) {
            object.remove("discriminator");
        }
    });
    changes.model = model;
}

/// The shapes of all components that the members of unions refer to, directly or not.
fn shapes(document: &Value, model: &Model) -> BTreeMap<String, Details> {
    let mut shapes: BTreeMap<String, Details> = BTreeMap::new();
    let mut waiting: Vec<String> = Vec::new();
    for union in model.unions.values() {
        for shape in union.shapes() {
            let mut found = Vec::new();
            shape.references(&mut found);
            waiting.extend(found.into_iter().map(str::to_owned));
        }
    }
    while let Some(name) = waiting.pop() {
        if shapes.contains_key(&name) {
            continue;
        }
        let details = document
            .pointer(Pointer::schema(&name).as_str())
            .map(|schema| details(document, schema, 0))
            .unwrap_or_default();
        let mut found = Vec::new();
        details.references(&mut found);
        waiting.extend(found.into_iter().map(str::to_owned));
        shapes.insert(name, details);
    }
    shapes
}

fn read(document: &Value, pointer: &Pointer, schema: &Value) -> Union {
    let Some((combinator, all)) = members(schema) else {
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
        let ty = rust_type(member, 0);
        let shape = shape(document, member);
        match found.iter_mut().find(|known| known.ty == ty) {
            // Two members of one type are one variant: what it lists no longer tells it from others.
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
        nullable: schema.get("nullable") == Some(&json!(true)),
    }
}

/// A name for a member that stands inline: its union's, and the value that it alone has.
pub(super) fn member_name(document: &Value, member: &Pointer) -> Option<String> {
    let tokens: Vec<String> = member.tokens().collect();
    let [above @ .., combinator, index] = tokens.as_slice() else {
        return None;
    };
    let index: usize = index.parse().ok()?;
    let union = above
        .iter()
        .fold(Pointer::root(), |at, token| at.join(token));
    let (name, all) = members(document.pointer(union.as_str())?)?;
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

/// The property that tells the members that are objects apart: the one that the discriminator names, or the first whose sets
/// of values are disjoint.
fn tag(document: &Value, union: &Value, members: &[Member], places: &[Pointer]) -> Option<Tag> {
    let objects: Vec<usize> = (0..members.len())
        .filter(|index| members[*index].kinds.has(Kinds::OBJECT))
        .collect();
    if objects.len() < 2 && union.get("discriminator").is_none() {
        return None;
    }
    let table = |property: &str, mapping: Option<&Map<String, Value>>| -> Option<Tag> {
        let mut table = vec![Vec::new(); members.len()];
        let mut seen: Vec<Value> = Vec::new();
        for index in &objects {
            let place = &places[*index];
            let target = component(document.pointer(place.as_str())?)
                .map(|name| json!(Pointer::schema(&name).to_ref()));
            let mapped = mapping
                .into_iter()
                .flatten()
                .filter(|(_, known)| Some(*known) == target.as_ref())
                .map(|(value, _)| json!(value));
            let mut own: Vec<Value> = mapped.collect();
            let listed = values(document, place, property, 0);
            // What the mapping gives to another member isn't this one's, whatever its schema lists.
            let elsewhere = |value: &Value| {
                let known = value.as_str().and_then(|value| mapping?.get(value));
                known.is_some_and(|known| Some(known) != target.as_ref())
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
    if let Some(property) = tag_name(union) {
        let empty = Map::new();
        let mapping = union
            .pointer("/discriminator/mapping")
            .and_then(Value::as_object);
        if let Some(tag) = table(&property, Some(mapping.unwrap_or(&empty))) {
            return Some(tag);
        }
    }
    let mut candidates: Vec<String> = Vec::new();
    properties(document, places.get(*objects.first()?)?, &mut candidates, 0);
    let mut tables = candidates.iter().filter_map(|name| table(name, None));
    let first = tables.next()?;
    // One that is always there is worth more than one that may be.
    if first.required {
        return Some(first);
    }
    Some(tables.find(|tag| tag.required).unwrap_or(first))
}

/// The names of the properties of a member, and of what it is composed of.
fn properties(document: &Value, member: &Pointer, found: &mut Vec<String>, depth: usize) {
    let Some((place, schema)) = walk::locate(document, member).filter(|_| depth < DEEPEST) else {
        return;
    };
    let own = schema.get("properties").and_then(Value::as_object);
    found.extend(own.into_iter().flatten().map(|(name, _)| name.clone()));
    for inner in parts(&place, schema).chain(alternatives(&place, schema).take(1)) {
        properties(document, &inner, found, depth + 1);
    }
}

/// The places of what a schema is composed of.
fn parts(place: &Pointer, schema: &Value) -> impl Iterator<Item = Pointer> {
    let count = schema
        .get("allOf")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let all = place.join("allOf");
    (0..count).map(move |index| all.join(index))
}

/// The places of the members of a union.
fn alternatives(place: &Pointer, schema: &Value) -> impl Iterator<Item = Pointer> {
    let (combinator, count) = members(schema).map_or(("oneOf", 0), |(name, all)| (name, all.len()));
    let all = place.join(combinator);
    (0..count).map(move |index| all.join(index))
}

/// The values that a property of a member may have, where the document lists them: of a union within the union, what any of
/// its members may have.
fn values(document: &Value, member: &Pointer, property: &str, depth: usize) -> Vec<Value> {
    let Some((place, schema)) = walk::locate(document, member).filter(|_| depth < DEEPEST) else {
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
    let mapping = schema
        .pointer("/discriminator/mapping")
        .and_then(Value::as_object);
    let mapping = mapping.filter(|_| tag_name(schema).as_deref() == Some(property));
    let mut any = Vec::new();
    for alternative in alternatives(&place, schema) {
        let reference = document
            .pointer(alternative.as_str())
            .and_then(component)
            .map(|name| json!(Pointer::schema(&name).to_ref()));
        let mapped = mapping
            .into_iter()
            .flatten()
            .filter(|(_, target)| Some(*target) == reference.as_ref())
            .map(|(value, _)| json!(value));
        let mut own: Vec<Value> = mapped.collect();
        own.extend(values(document, &alternative, property, depth + 1));
        if own.is_empty() {
            return Vec::new();
        }
        any.extend(own);
    }
    any
}

/// The values that a schema lists, if it lists scalars.
fn listed(document: &Value, place: &Pointer, depth: usize) -> Vec<Value> {
    let Some((place, schema)) = walk::locate(document, place).filter(|_| depth < DEEPEST) else {
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

fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

fn has_property(document: &Value, member: &Pointer, property: &str, depth: usize) -> bool {
    let Some((place, schema)) = walk::locate(document, member).filter(|_| depth < DEEPEST) else {
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
    let Some((place, schema)) = walk::locate(document, member).filter(|_| depth < DEEPEST) else {
        return false;
    };
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|required| required.contains(&json!(property)))
        || parts(&place, schema).any(|part| is_required(document, &part, property, depth + 1))
        || (members(schema).is_some()
            && alternatives(&place, schema)
                .all(|inner| is_required(document, &inner, property, depth + 1)))
}

/// Returns the Rust type of a value of the schema, null included.
pub(super) fn type_of(schema: &Value) -> Type {
    type_at(schema, 0)
}

fn type_at(schema: &Value, depth: usize) -> Type {
    let ty = rust_type(schema, depth);
    if schema.get("nullable") == Some(&json!(true)) {
        Type::Optional(Box::new(ty))
    } else {
        ty
    }
}

/// Returns the Rust type of a value of the schema, except null.
fn rust_type(schema: &Value, depth: usize) -> Type {
    if let Some(name) = component(schema) {
        return Type::Schema(name);
    }
    if depth > DEEPEST {
        return Type::Any;
    }
    let inner = |schema: &Value| Box::new(type_at(schema, depth + 1));
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => match parsed(schema) {
            Some(path) => Type::Parsed(path),
            None => Type::Text,
        },
        Some("integer") => Type::Integer(integer(schema)),
        Some("number") => Type::Number,
        Some("boolean") => Type::Boolean,
        Some("array") => Type::List(schema.get("items").map_or(Box::new(Type::Any), inner)),
        Some("object") => match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => Type::Map(inner(values)),
            _ => Type::Map(Box::new(Type::Any)),
        },
        _ => match schema
            .get("allOf")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
        {
            Some([only]) => rust_type(only, depth + 1),
            _ => Type::Any,
        },
    }
}

/// The type in Rust of a text of this format.
fn parsed(schema: &Value) -> Option<&'static str> {
    Some(match schema.get("format")?.as_str()? {
        "uuid" => "::uuid::Uuid",
        "date" => "::chrono::naive::NaiveDate",
        "date-time" => "::chrono::DateTime<::chrono::offset::Utc>",
        "ipv4" => "::std::net::Ipv4Addr",
        _ => return None,
    })
}

fn integer(schema: &Value) -> &'static str {
    match schema.get("format").and_then(Value::as_str) {
        Some("int8") => "i8",
        Some("uint8") => "u8",
        Some("int16") => "i16",
        Some("uint16") => "u16",
        Some("int32") => "i32",
        Some("uint32") => "u32",
        Some("uint64") => "u64",
        _ => "i64",
    }
}

/// The kinds of values that a schema allows.
fn kinds(document: &Value, schema: &Value, depth: usize) -> Kinds {
    let Some(schema) = walk::follow(document, schema).filter(|_| depth < DEEPEST) else {
        return Kinds::ALL;
    };
    let inner = |schema: &Value| kinds(document, schema, depth + 1);
    let own = if let Some((_, members)) = members(schema) {
        members.iter().map(inner).fold(Kinds::default(), Kinds::and)
    } else if let Some(only) = single_part(schema) {
        inner(only)
    } else {
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => Kinds::TEXT,
            Some("integer") => Kinds::INTEGER,
            Some("number") => Kinds::NUMBER,
            Some("boolean") => Kinds::BOOLEAN,
            Some("array") => Kinds::LIST,
            Some("object") => Kinds::OBJECT,
            _ if is_object(schema) => Kinds::OBJECT,
            _ if schema.get("enum") == Some(&json!([null])) => Kinds::NULL,
            _ => Kinds::ALL,
        }
    };
    if schema.get("nullable") == Some(&json!(true)) {
        own.and(Kinds::NULL)
    } else {
        own
    }
}

fn single_part(schema: &Value) -> Option<&Value> {
    match schema.get("allOf")?.as_array()?.as_slice() {
        [only] if schema.get("properties").is_none() => Some(only),
        _ => None,
    }
}

/// The shape of a schema; that of a component is known by its name.
fn shape(document: &Value, schema: &Value) -> Shape {
    match component(schema) {
        Some(name) => Shape::Of(name),
        None => Shape::Is(Box::new(details(document, schema, 0))),
    }
}

/// The shape of a property, of an item: a union there chooses for itself, so that nothing is looked at twice.
fn inner_shape(document: &Value, schema: &Value, depth: usize) -> Shape {
    let target = walk::follow(document, schema);
    let target = target.and_then(|target| {
        single_part(target)
            .and_then(|part| walk::follow(document, part))
            .or(Some(target))
    });
    if target.is_none_or(|target| members(target).is_some()) {
        let kinds = kinds(document, schema, 0);
        return Shape::Is(Box::new(Details {
            kinds,
            ..Details::default()
        }));
    }
    let nullable = schema.get("nullable") == Some(&json!(true));
    match component(schema).filter(|_| !nullable) {
        Some(name) => Shape::Of(name),
        None => Shape::Is(Box::new(details(document, schema, depth))),
    }
}

fn details(document: &Value, schema: &Value, depth: usize) -> Details {
    let kinds = kinds(document, schema, 0);
    let plain = Details {
        kinds,
        ..Details::default()
    };
    let Some(target) = walk::follow(document, schema).filter(|_| depth < DEEPEST) else {
        return plain;
    };
    if let Some((_, members)) = members(target) {
        return Details {
            members: members
                .iter()
                .map(|member| shape(document, member))
                .collect(),
            ..plain
        };
    }
    if let Some(only) = single_part(target) {
        return Details {
            kinds,
            ..details(document, only, depth + 1)
        };
    }
    let inner = |schema: &Value| inner_shape(document, schema, depth + 1);
    let list = target.get("enum").and_then(Value::as_array);
    let list = list.filter(|values| values.iter().all(is_scalar));
    let required = target.get("required").and_then(Value::as_array);
    let properties = target.get("properties").and_then(Value::as_object);
    let mut properties: Vec<(String, Shape)> = properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.clone(), inner(schema)))
        .collect();
    properties.sort_by(|a, b| a.0.cmp(&b.0));
    let anything = || {
        Shape::Is(Box::new(Details {
            kinds: Kinds::ALL,
            ..Details::default()
        }))
    };
    let rest = match target.get("additionalProperties") {
        Some(schema @ Value::Object(_)) => Some(inner(schema)),
        Some(Value::Bool(true)) => Some(anything()),
        // An object that says nothing of its properties keeps all.
        None if kinds.has(Kinds::OBJECT) && properties.is_empty() => Some(anything()),
        _ => None,
    };
    Details {
        kinds,
        values: list.cloned().unwrap_or_default(),
        format: parsed(target).filter(|_| target.get("type") == Some(&json!("string"))),
        required: required
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        properties,
        rest,
        items: target.get("items").map(inner),
        members: Vec::new(),
    }
}
