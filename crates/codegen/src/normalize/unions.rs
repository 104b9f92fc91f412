//! Unions whose members are told apart by a tag: a `discriminator`, or a property that has another single value in each.
//!
//! typify ignores discriminators and takes the first member that fits. So the union is shown to it as something
//! else, and an `x-codegen` object beside it keeps the table of tags, from which `postprocess` writes the enum.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Changes;
use super::enums::locate;
use crate::pointer::Pointer;
use crate::walk::{self, Kind};
use crate::{lower, names};

/// A member of a union: its schema's name, and the tags that mean it.
type Member = (String, Vec<String>);

/// The keywords of an object that may stand beside the members of a union.
const OF_OBJECTS: [&str; 5] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "allOf",
];

/// What stands beside the members of a union holds for each of them, so each says it itself. Members that only say which
/// of the properties stand together are the service's to check.
pub(super) fn siblings(document: &mut Value, changes: &mut Changes) {
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
        let says_nothing = own.keys().all(|key| key == "type");
        if says_nothing || (union.contains_key("oneOf") && union.contains_key("anyOf")) {
            continue;
        }
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
        let objects = members.iter().all(|member| {
            walk::follow(document, member).is_some_and(|member| {
                is_object(member) && member.get("oneOf").is_none() && member.get("anyOf").is_none()
            })
        });
        if !objects {
            continue;
        }
        let itself = json!({"$ref": pointer.to_ref()});
        let members: Vec<Value> = members
            .into_iter()
            .map(|member| {
                // A member that is composed of the union means what stands beside the members.
                let composed = walk::locate(document, &place_of(&member)).map(|(place, _)| place);
                let base = composed
                    .and_then(|place| document.pointer_mut(place.as_str()))
                    .and_then(|schema| schema.get_mut("allOf"))
                    .and_then(Value::as_array_mut)
                    .and_then(|parts| parts.iter_mut().find(|part| **part == itself));
                match base {
                    Some(base) => {
                        *base = Value::Object(own.clone());
                        member
                    }
                    None => json!({"allOf": [own, member]}),
                }
            })
            .collect();
        if let Some(union) = document
            .pointer_mut(pointer.as_str())
            .and_then(Value::as_object_mut)
        {
            union.retain(|key, _| !OF_OBJECTS.contains(&key.as_str()));
            union.insert(combinator.to_owned(), Value::Array(members));
        }
        changes.at(&place);
    }
}

/// Where the schema is that a reference names; nowhere for what is none.
fn place_of(member: &Value) -> Pointer {
    let reference = member.get("$ref").and_then(Value::as_str);
    reference
        .and_then(Pointer::from_ref)
        .unwrap_or_else(|| Pointer::root().join("$ref"))
}

/// Whether the member says of its properties no more than which it must have.
fn only_requires(member: &Value) -> bool {
    member.as_object().is_some_and(|member| {
        let kind = member.get("type");
        let words = ["required", "type", "title", "description"];
        kind.is_none_or(|kind| kind == "object")
            && member.keys().all(|key| words.contains(&key.as_str()))
    })
}

fn is_object(schema: &Value) -> bool {
    ["properties", "allOf", "x-codegen"]
        .iter()
        .any(|key| schema.get(key).is_some())
        || schema.get("type") == Some(&json!("object"))
}

/// A union with a name that may be null: where it is used, is where it may be null.
pub(super) fn nullable(document: &mut Value, changes: &mut Changes) {
    loop {
        let found = unions(document, 1).into_iter().map(|(pointer, _)| pointer);
        let nullable: BTreeSet<String> = found
            .filter(Pointer::is_schema)
            .filter(|pointer| {
                let union = document.pointer_mut(pointer.as_str());
                let nullable = union
                    .and_then(Value::as_object_mut)
                    .and_then(|union| union.remove("nullable"));
                nullable == Some(json!(true))
            })
            .map(|pointer| {
                changes.at(&pointer.join("nullable"));
                pointer.to_ref()
            })
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
            let may_be_null = parts("allOf")
                .is_some_and(|parts| parts.len() == 1 && parts.iter().any(names))
                || ["oneOf", "anyOf"]
                    .iter()
                    .any(|key| parts(key).is_some_and(|members| members.iter().any(names)));
            let tokens: Vec<_> = pointer.tokens().collect();
            let is_part = matches!(tokens.as_slice(), [.., key, _] if ["allOf", "oneOf", "anyOf"].contains(&key.as_str()));
            if may_be_null {
                schema["nullable"] = json!(true);
            } else if names(schema) && !is_part {
                *schema = json!({"allOf": [schema.take()], "nullable": true});
            }
        });
    }
}

/// The first member that fits is taken, so one that asks for more properties stands before one that asks for fewer.
pub(super) fn particular_first(document: &mut Value, changes: &mut Changes) {
    for (pointer, combinator) in unions(document, 2) {
        let members = document
            .pointer(pointer.as_str())
            .and_then(|union| union.get(combinator)?.as_array());
        let members = members.cloned().unwrap_or_default();
        // No object fits a member that is none, so those stay where they are.
        let objects: Vec<(usize, usize)> = members
            .iter()
            .enumerate()
            .filter_map(|(index, member)| {
                let schema = walk::follow(document, member).filter(|schema| is_object(schema))?;
                let required = schema.get("required").and_then(Value::as_array);
                Some((index, required.map_or(0, Vec::len)))
            })
            .collect();
        let mut asked = objects.clone();
        asked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        if asked == objects {
            continue;
        }
        let mut sorted = members.clone();
        for ((place, _), (index, _)) in objects.iter().zip(&asked) {
            sorted[*place] = members[*index].clone();
        }
        if let Some(union) = document.pointer_mut(pointer.as_str()) {
            union[combinator] = Value::Array(sorted);
            changes.at(&pointer.join(combinator));
        }
    }
}

/// The unions of at least `least` members, the inner ones first: one that stands inline moves away when it gets its name.
fn unions(document: &Value, least: usize) -> Vec<(Pointer, &'static str)> {
    let mut unions = Vec::new();
    walk::walk(document, &mut |kind, pointer, value| {
        if kind == Kind::Schema
            && let Some(combinator) = ["oneOf", "anyOf"].into_iter().find(|combinator| {
                let members = value.get(combinator).and_then(Value::as_array);
                members.is_some_and(|members| members.len() >= least)
            })
        {
            unions.push((pointer.clone(), combinator));
        }
    });
    unions.sort_by_key(|(pointer, _)| std::cmp::Reverse(pointer.tokens().count()));
    unions
}

/// Applies to each union with tags, whether it has a name or stands inline.
pub(super) fn by_tag(document: &mut Value, changes: &mut Changes) {
    let mut taken: BTreeSet<String> = walk::schemas(document)
        .map(|(name, _)| names::type_name(name))
        .collect();
    for (pointer, combinator) in unions(document, 2) {
        let Some(tag) = tag(document, &pointer, combinator) else {
            continue;
        };
        let Some(members) = members(document, &pointer, combinator, &tag, &mut taken, changes)
        else {
            continue;
        };
        let variants: Vec<_> = members
            .iter()
            .map(|(name, values)| {
                let tagged = property_type(document, &Pointer::schema(name), &tag, 0).is_some();
                json!({"schema": name, "values": values, "tagged": tagged})
            })
            .collect();
        let Some(union) = document.pointer(pointer.as_str()).cloned() else {
            continue;
        };
        // A list of strings: typify makes a type of it that has neither builder nor `Display`.
        let mut placeholder = json!({
            "type": "array",
            "items": {"type": "string"},
            "x-codegen": {"tag": tag, "variants": variants},
        });
        for annotation in ["title", "description", "deprecated"] {
            if let Some(value) = union.get(annotation) {
                placeholder[annotation] = value.clone();
            }
        }
        changes.at(&pointer);
        let nullable = union.get("nullable") == Some(&json!(true));
        if pointer.is_schema() {
            if nullable {
                changes.lost(
                    &pointer.join("nullable"),
                    "that the union may be null",
                    "null is kept as an unknown member",
                );
            }
            if let Some(place) = document.pointer_mut(pointer.as_str()) {
                *place = placeholder;
            }
            continue;
        }
        let name = names::unique(&names::for_place(document, &pointer), &mut taken);
        changes.moved(&pointer, &Pointer::schema(&name));
        let reference = Pointer::schema(&name).to_ref();
        if let Some(place) = document.pointer_mut(pointer.as_str()) {
            *place = json!({"allOf": [{"$ref": reference}]});
            for (annotation, value) in union.as_object().into_iter().flatten() {
                if ["title", "description", "nullable", "deprecated"].contains(&annotation.as_str())
                {
                    place[annotation] = value.clone();
                }
            }
        }
        if let Some(schemas) = lower::schemas_mut(document) {
            schemas.insert(name, placeholder);
        }
    }
    drop_discriminators(document, changes);
}

/// Where a discriminator stands on anything else, nothing is decided by it.
fn drop_discriminators(document: &mut Value, changes: &mut Changes) {
    walk::walk_mut(document, &mut |kind, pointer, value| {
        if kind == Kind::Schema
            && value
                .as_object_mut()
                .and_then(|object| object.remove("discriminator"))
                .is_some()
        {
            let place = pointer.join("discriminator");
            changes.lost(
                &place,
                "the discriminator",
                "the first member that fits is taken, or the object is read as it is",
            );
        }
    });
}

/// The property that tells the members apart: the one that the discriminator names, or the one that each member has with
/// a single value of its own.
fn tag(document: &Value, union: &Pointer, combinator: &str) -> Option<String> {
    let value = document.pointer(union.as_str())?;
    if let Some(name) = value
        .get("discriminator")
        .and_then(|discriminator| discriminator.get("propertyName"))
    {
        return name.as_str().map(str::to_owned);
    }
    let members = value.get(combinator)?.as_array()?;
    let places: Vec<_> = (0..members.len())
        .map(|index| union.join(combinator).join(index))
        .collect();
    let mut candidates: Vec<String> = Vec::new();
    collect_properties(document, places.first()?, &mut candidates, 0);
    candidates.into_iter().find(|name| {
        let mut seen = BTreeSet::new();
        places
            .iter()
            .all(|place| match values(document, place, name, 0).as_slice() {
                [value] => seen.insert(value.clone()),
                _ => false,
            })
    })
}

fn collect_properties(document: &Value, member: &Pointer, found: &mut Vec<String>, depth: usize) {
    let Some((place, schema)) = locate(document, member) else {
        return;
    };
    found.extend(
        schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone()),
    );
    if depth < 8 {
        for index in 0..schema
            .get("allOf")
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
        {
            collect_properties(document, &place.join("allOf").join(index), found, depth + 1);
        }
    }
}

/// The strings that a property of a member may be, where the document lists them.
fn values(document: &Value, member: &Pointer, property: &str, depth: usize) -> Vec<String> {
    let Some((place, schema)) = locate(document, member) else {
        return Vec::new();
    };
    if let Some(variants) = schema
        .get("x-codegen")
        .and_then(|union| union.get("variants"))
        .and_then(Value::as_array)
    {
        // A union within the union: what any of its members may be.
        let values = variants
            .iter()
            .filter_map(|variant| variant.get("values")?.as_array())
            .flatten();
        return values
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
    }
    if schema
        .get("properties")
        .and_then(|properties| properties.get(property))
        .is_some()
        && let Some((_, schema)) = locate(document, &place.join("properties").join(property))
    {
        // A reference with a description beside it is an `allOf` of one.
        let listed = schema.get("enum").or_else(|| {
            let only = schema.get("allOf")?.as_array()?.first()?;
            walk::follow(document, only)?.get("enum")
        });
        return listed
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
    }
    if depth < 8 {
        for index in 0..schema
            .get("allOf")
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
        {
            let values = values(
                document,
                &place.join("allOf").join(index),
                property,
                depth + 1,
            );
            if !values.is_empty() {
                return values;
            }
        }
    }
    Vec::new()
}

/// The type of a property of a member, where the member has it and says so.
fn property_type(
    document: &Value,
    member: &Pointer,
    property: &str,
    depth: usize,
) -> Option<String> {
    let (place, schema) = locate(document, member)?;
    if schema.get("x-codegen").is_some() {
        return Some("string".to_owned());
    }
    if schema
        .get("properties")
        .and_then(|properties| properties.get(property))
        .is_some()
    {
        let (_, schema) = locate(document, &place.join("properties").join(property))?;
        let schema = schema
            .get("allOf")
            .and_then(Value::as_array)
            .and_then(|all| all.first())
            .unwrap_or(schema);
        let name = walk::follow(document, schema)?
            .get("type")
            .and_then(Value::as_str);
        return Some(name.unwrap_or("string").to_owned());
    }
    (0..schema
        .get("allOf")
        .and_then(Value::as_array)
        .map_or(0, Vec::len))
        .filter(|_| depth < 8)
        .find_map(|index| {
            property_type(
                document,
                &place.join("allOf").join(index),
                property,
                depth + 1,
            )
        })
}

/// The members by name, each with its tags; one that stands inline gets a name. `None` where a tag can't decide: a member
/// is no object, or two have the same tag.
fn members(
    document: &mut Value,
    union: &Pointer,
    combinator: &str,
    tag: &str,
    taken: &mut BTreeSet<String>,
    changes: &mut Changes,
) -> Option<Vec<Member>> {
    let value = document.pointer(union.as_str())?.clone();
    // What stands beside the members belongs to each of them, and an enum of the members has no place for it.
    if ["properties", "required", "allOf", "additionalProperties"]
        .iter()
        .any(|key| value.get(key).is_some())
    {
        return None;
    }
    let mapping: BTreeMap<&String, &str> = value
        .pointer("/discriminator/mapping")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(tag, target)| Some((tag, target.as_str()?.rsplit('/').next()?)))
        .collect();
    let count = value.get(combinator)?.as_array()?.len();
    let mut found: Vec<(Option<String>, Vec<String>)> = Vec::new();
    for index in 0..count {
        let place = union.join(combinator).join(index);
        let (target, schema) = locate(document, &place)?;
        if !is_object(schema) {
            return None;
        }
        // What stood beside the members has made one that has a name part of another; it is known by its name.
        let part = schema
            .get("allOf")
            .and_then(Value::as_array)
            .and_then(|parts| parts.last())
            .map(place_of)
            .filter(Pointer::is_schema)
            .and_then(|place| place.tokens().last());
        let name = target.is_schema().then(|| target.tokens().last()).flatten();
        let mapped: Vec<String> = mapping
            .iter()
            .filter(|(_, target)| {
                name.as_ref()
                    .or(part.as_ref())
                    .is_some_and(|name| name == *target)
            })
            .map(|(tag, _)| (*tag).clone())
            .collect();
        let listed = values(document, &place, tag, 0);
        let property = property_type(document, &place, tag, 0);
        if property.as_deref().is_some_and(|name| name != "string") {
            return None;
        }
        let values = match (
            mapped.is_empty(),
            listed.is_empty(),
            name.as_ref().or(part.as_ref()),
        ) {
            (false, ..) => {
                let others = listed
                    .into_iter()
                    .filter(|value| !mapped.contains(value))
                    .collect::<Vec<_>>();
                [mapped, others].concat()
            }
            (true, false, _) => listed,
            // Without either, the schema's name is the tag (OpenAPI 3.1, section 4.8.25).
            (true, true, Some(name)) => vec![name.clone()],
            (true, true, None) => return None,
        };
        found.push((name, values));
    }
    let mut seen = BTreeSet::new();
    if !found
        .iter()
        .flat_map(|(_, values)| values)
        .all(|value| seen.insert(value.clone()))
    {
        return None;
    }
    let enclosing = names::for_place(document, union);
    let mut members = Vec::new();
    for (index, (name, values)) in found.into_iter().enumerate() {
        let name = match name {
            Some(name) => name,
            None => {
                let place = union.join(combinator).join(index);
                let words = [
                    enclosing.clone(),
                    names::type_name(values.first().map_or("", String::as_str)),
                ];
                let name = names::unique(&names::join(&words), taken);
                let schema = std::mem::replace(
                    document.pointer_mut(place.as_str())?,
                    json!({"$ref": Pointer::schema(&name).to_ref()}),
                );
                changes.moved(&place, &Pointer::schema(&name));
                lower::schemas_mut(document)?.insert(name.clone(), schema);
                name
            }
        };
        members.push((name, values));
    }
    Some(members)
}
