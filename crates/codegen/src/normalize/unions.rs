//! Unions (`oneOf`, `anyOf`): reads how to distinguish the members, and adds it to the model.
//!
//! typify ignores discriminators, tries one member after the other, and makes structs of some unions that no value
//! decodes into. It gets a placeholder, and `postprocess` writes the enum from the model.

mod model;
mod shapes;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::types::component;
use super::{Changes, schemas};
use crate::names;
use crate::openapi::{self, COMBINATORS, Schema as _, all_properties, is_annotation};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk::{self, Kind};

use model::values;
pub(super) use model::{member_name, model};

/// The keywords of an object that may occur next to the members of a union.
const OF_OBJECTS: [&str; 5] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "allOf",
];

/// Returns the unions with at least `least` members. Inner ones come first, because an inline union moves when it gets
/// a name.
fn unions(document: &Value, least: usize) -> Vec<(Pointer, &'static str)> {
    let mut unions = Vec::new();
    walk::walk(document, &mut |kind, pointer, value| {
        if kind == Kind::Schema
            && let Some((combinator, members)) = value.union()
            && members.len() >= least
        {
            unions.push((pointer.clone(), combinator));
        }
    });
    unions.sort_by_key(|(pointer, _)| std::cmp::Reverse(pointer.tokens().count()));
    unions
}

/// Returns true for a schema of null: `{"enum": [null]}`, and within a union `{"nullable": true}`.
fn is_null(schema: &Value) -> bool {
    let annotations = ["nullable", "title", "description"];
    let says_nothing = schema.as_object().is_some_and(|schema| {
        schema.has_flag("nullable") && schema.keys().all(|key| annotations.contains(&key.as_str()))
    });
    schema.is_only_null() || says_nothing
}

/// Simplifies unions: several members that list strings become one; with null, a union becomes nullable; members that are the
/// union itself are removed; a union of one member becomes that member.
pub(super) fn plain_unions(document: &mut Value, changes: &mut Changes) {
    one_enum(document, changes);
    for (pointer, combinator) in unions(document, 1) {
        let Some(union) = document.at(pointer.as_str()).cloned() else {
            continue;
        };
        let Some((_, all)) = union.union() else {
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
                    "a member that is the union itself",
                    "the value matches another member",
                );
            } else {
                let mut member = member.clone();
                if let Some(object) = member.as_object_mut()
                    && object.has_flag("nullable")
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
            .at_mut(pointer.as_str())
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

/// Takes unions out of the members that are composed of them: springdoc lists the subtypes in `oneOf` of the base, which is a
/// part of each. A member is composed of the keywords beside the union.
pub(super) fn union_bases(document: &mut Value, changes: &mut Changes) {
    let bases: Vec<String> = walk::schemas(document)
        .filter(|(_, schema)| schema.union().is_some())
        .map(|(name, _)| name.clone())
        .collect();
    for base in bases {
        let place = Pointer::schema(&base);
        let itself = json!({"$ref": place.to_ref()});
        let Some(Value::Object(union)) = document.at(place.as_str()).cloned() else {
            continue;
        };
        let mut own = union.clone();
        own.retain(|key, _| OF_OBJECTS.contains(&key.as_str()));
        let says_nothing = own.keys().all(|key| key == "type");
        let tag = union.discriminator().map(|tag| tag.property.to_owned());
        let mut composed = BTreeSet::new();
        for name in within(document, &union) {
            let place = Pointer::schema(&name);
            let Some(schema) = document.at(place.as_str()) else {
                continue;
            };
            let parts = schema.parts();
            let others = parts.iter().filter(|part| **part != itself);
            let mut new: Vec<Value> = others.cloned().collect();
            if new.len() == parts.len() {
                continue;
            }
            let has_tag = |tag: &str| {
                let properties = all_properties(document, schema);
                properties.into_iter().any(|(name, ..)| name == tag)
            };
            match &tag {
                _ if !says_nothing => new.insert(0, Value::Object(own.clone())),
                Some(tag) if !has_tag(tag) => new.insert(
                    0,
                    json!({"type": "object", "required": [tag], "properties": {tag: {"type": "string"}}}),
                ),
                // Another name of the union.
                _ if new.is_empty() => continue,
                _ => {}
            }
            let place = place.join("allOf");
            if let Some(parts) = document.at_mut(place.as_str()) {
                *parts = Value::Array(new);
            }
            changes.at(&place);
            composed.insert(name);
        }
        let members = union.union().map(|(_, members)| members);
        let mut members = members.into_iter().flatten().map(component);
        if members.all(|name| name.is_some_and(|name| composed.contains(&name)))
            && let Some(Value::Object(union)) = document.at_mut(place.as_str())
        {
            union.retain(|key, _| !OF_OBJECTS.contains(&key.as_str()));
        }
    }
}

/// Returns the components that a union leads to through members, parts and references.
fn within(document: &Value, union: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let members = |schema: &Value| {
        let members = schema.union().map(|(_, members)| members.to_vec());
        [members.unwrap_or_default(), schema.parts().to_vec()].concat()
    };
    let mut waiting: Vec<Value> = match union.union() {
        Some((_, members)) => members.to_vec(),
        None => Vec::new(),
    };
    while let Some(member) = waiting.pop() {
        waiting.extend(members(&member));
        if let Some(name) = member.reference().as_ref().and_then(openapi::component)
            && found.insert(name.clone())
            && let Some(schema) = document.at(Pointer::schema(&name).as_str())
        {
            waiting.push(schema.clone());
        }
    }
    found
}

/// Makes one enum of inline members that list strings, next to members of other kinds. serde's enums are such unions: a string
/// for each variant without data.
fn one_enum(document: &mut Value, changes: &mut Changes) {
    for (pointer, combinator) in unions(document, 3) {
        let place = pointer.join(combinator);
        let Some(Value::Array(members)) = document.at_mut(place.as_str()) else {
            continue;
        };
        let is_inline = |member: &Value| {
            let plain = ["type", "enum", "title", "description"];
            let mut keywords = member.as_object().into_iter().flat_map(Map::keys);
            keywords.all(|keyword| plain.contains(&keyword.as_str()))
                && member.list("enum").iter().all(Value::is_string)
                && !member.list("enum").is_empty()
        };
        let mut words: Vec<Value> = Vec::new();
        for word in members
            .iter()
            .filter(|member| is_inline(member))
            .flat_map(|member| member.list("enum"))
        {
            if !words.contains(word) {
                words.push(word.clone());
            }
        }
        let is_described = members
            .iter()
            .any(|member| is_inline(member) && member.get("description").is_some());
        let others = members
            .iter()
            .filter(|member| !is_inline(member) && !is_null(member));
        if members.iter().filter(|member| is_inline(member)).count() < 2 || others.count() == 0 {
            continue;
        }
        let first = members.iter().position(is_inline);
        let mut index = 0;
        members.retain(|member| {
            index += 1;
            !is_inline(member) || Some(index - 1) == first
        });
        if let Some(member) = first.and_then(|first| members.get_mut(first)) {
            *member = json!({"type": "string", "enum": words});
        }
        changes.at(&place);
        if is_described {
            changes.lost(
                &place,
                "the descriptions of single values",
                "they are values of one enum",
            );
        }
    }
}

/// Replaces a union by its only member.
fn single(document: &mut Value, pointer: &Pointer, combinator: &str, only: Value) {
    let Some(at) = document
        .at_mut(pointer.as_str())
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

/// Returns true if a member is the union itself, through references and unions only.
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
        let Some(target) = document.at(place.as_str()) else {
            continue;
        };
        let inner = target.union().map(|(_, members)| members);
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

/// Completes the mappings of discriminators, and makes a base schema with a discriminator the union of the schemas
/// composed of it. Removes discriminators that distinguish nothing.
pub(super) fn discriminators(document: &mut Value, changes: &mut Changes) {
    inheritance(document, changes);
    for (pointer, combinator) in unions(document, 1) {
        let Some(union) = document.at(pointer.as_str()) else {
            continue;
        };
        let Some(discriminator) = union.discriminator() else {
            continue;
        };
        let property = discriminator.property.to_owned();
        let refs: Vec<String> = union
            .list(combinator)
            .iter()
            .filter_map(component)
            .collect();
        let is_member = |target: &Pointer| refs.iter().any(|name| Pointer::schema(name) == *target);
        let given = discriminator
            .mapping()
            .filter(|(_, target)| is_member(target));
        let mut mapping: Map<String, Value> = given
            .map(|(value, target)| (value.clone(), json!(target.to_ref())))
            .collect();
        for name in refs {
            let target = json!(Pointer::schema(&name).to_ref());
            let member = document.at(Pointer::schema(&name).as_str());
            let listed =
                member.is_some_and(|member| !values(document, member, &property).is_empty());
            // Without a mapping or a listed value, the value is the name of the schema (OpenAPI 3.1, section 4.8.25).
            if !listed
                && !mapping.values().any(|known| *known == target)
                && !mapping.contains_key(&name)
            {
                mapping.insert(name, target);
            }
        }
        let new = json!({"propertyName": property, "mapping": mapping});
        if let Some(union) = document.at_mut(pointer.as_str())
            && union.get("discriminator") != Some(&new)
        {
            union["discriminator"] = new;
            changes.at(&pointer.join("discriminator"));
        }
    }
    walk::walk_mut(document, &mut |kind, pointer, value| {
        if kind == Kind::Schema
            && value.union().is_none()
            && value
                .as_object_mut()
                .and_then(|object| object.remove("discriminator"))
                .is_some()
        {
            let place = pointer.join("discriminator");
            changes.at(&place);
            changes.lost(
                &place,
                "the discriminator, which distinguishes no schemas",
                "the schema is read without it",
            );
        }
    });
}

/// Makes a schema with a discriminator that others are composed of the union of those (OpenAPI 3.0, section 4.7.25).
/// The schema itself gets a new name.
fn inheritance(document: &mut Value, changes: &mut Changes) {
    let bases: Vec<String> = walk::schemas(document)
        .filter(|(_, schema)| schema.discriminator().is_some() && schema.union().is_none())
        .map(|(name, _)| name.clone())
        .collect();
    let mut taken = names::type_names(document);
    for base in bases {
        let mut children: Vec<String> = Vec::new();
        let mut composed = vec![base.clone()];
        // A schema composed of a child is also a child.
        while let Some(of) = composed.pop() {
            let reference = json!({"$ref": Pointer::schema(&of).to_ref()});
            for (name, schema) in walk::schemas(document) {
                if schema.parts().contains(&reference) && *name != base && !children.contains(name)
                {
                    children.push(name.clone());
                    composed.push(name.clone());
                }
            }
        }
        let place = Pointer::schema(&base);
        let Some(mut own) = document.at(place.as_str()).cloned() else {
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
                .at_mut(Pointer::schema(child).join("allOf").as_str())
                .and_then(Value::as_array_mut);
            for part in parts.into_iter().flatten().filter(|part| **part == old) {
                *part = json!({"$ref": Pointer::schema(&fields).to_ref()});
            }
        }
        if let Some(at) = document.at_mut(place.as_str()) {
            *at = union;
        }
        if let Some(schemas) = walk::schemas_mut(document) {
            schemas.insert(fields, own);
        }
        changes.at(&place.join("discriminator"));
    }
}

/// Updates the mapping of a discriminator when a member becomes a schema with another name.
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

/// Removes unions whose members only constrain which properties occur together, which is left to the service. A property that
/// only they name is declared: typify would drop it.
fn combinations(document: &mut Value, changes: &mut Changes) {
    schemas::each_schema(document, |pointer, object| {
        for combinator in COMBINATORS {
            let members = object.list(combinator);
            if members.is_empty() || !members.iter().all(only_requires) {
                continue;
            }
            let required = members.iter().flat_map(|member| member.required());
            let required: Vec<String> = required.map(str::to_owned).collect();
            object.remove(combinator);
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                for name in required {
                    properties.entry(name).or_insert_with(|| json!({}));
                }
            }
            let place = pointer.join(combinator);
            changes.at(&place);
            changes.lost(
                &place,
                "the allowed combinations of properties",
                "the service checks it",
            );
        }
    });
}

/// Moves keywords next to the members of a union into each member.
pub(super) fn siblings(document: &mut Value, changes: &mut Changes) {
    combinations(document, changes);
    let mut taken = names::type_names(document);
    for (pointer, combinator) in unions(document, 1) {
        let Some(union) = document.at(pointer.as_str()).and_then(Value::as_object) else {
            continue;
        };
        let own: Map<String, Value> = union
            .iter()
            .filter(|(key, _)| OF_OBJECTS.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let members = union.list(combinator).to_vec();
        let place = pointer.join(combinator);
        let says_nothing = own.keys().all(|key| key == "type");
        if says_nothing || (union.contains_key("oneOf") && union.contains_key("anyOf")) {
            continue;
        }
        let objects = members.iter().all(|member| {
            walk::follow(document, member)
                .is_some_and(|member| is_object(member) && member.union().is_none())
        });
        if !objects {
            continue;
        }
        let (members, renamed) = distribute(document, &pointer, &own, members, &mut taken);
        if let Some(union) = document
            .at_mut(pointer.as_str())
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

/// Returns the members of the union at `pointer`, each with the keywords `own`. Also returns the old and new names of
/// components.
fn distribute(
    document: &mut Value,
    pointer: &Pointer,
    own: &Map<String, Value>,
    members: Vec<Value>,
    taken: &mut BTreeSet<String>,
) -> (Vec<Value>, Vec<(String, String)>) {
    let enclosing = names::for_place(document, pointer);
    let own_part = Value::Object(own.clone());
    let mut renamed = Vec::new();
    let members = members
        .into_iter()
        .map(|member| match component(&member) {
            None => json!({"allOf": [own, member]}),
            Some(name) if is_composed(document, &name, &own_part) => member,
            Some(name) => {
                let words = [enclosing.clone(), names::type_name(&name)];
                let new = names::unique(&names::join(&words), taken);
                if let Some(schemas) = walk::schemas_mut(document) {
                    schemas.insert(new.clone(), json!({"allOf": [own, member]}));
                }
                let reference = json!({"$ref": Pointer::schema(&new).to_ref()});
                renamed.push((name, new));
                reference
            }
        })
        .collect();
    (members, renamed)
}

/// Returns true for a member that [`union_bases`] has composed of the keywords beside the union.
fn is_composed(document: &Value, name: &str, own: &Value) -> bool {
    let schema = document.at(Pointer::schema(name).as_str());
    schema.is_some_and(|schema| schema.parts().contains(own))
}

/// Returns true if the member only lists required properties.
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

/// Replaces the only part of a nullable component by its keywords.
fn only_parts(document: &mut Value, changes: &mut Changes) {
    let schemas = walk::schemas_mut(document).into_iter().flatten();
    for (name, schema) in schemas {
        let place = Pointer::schema(name);
        let Some(object) = schema.as_object_mut() else {
            continue;
        };
        while object.has_flag("nullable")
            && object
                .keys()
                .all(|key| ["allOf", "nullable"].contains(&key.as_str()) || is_annotation(key))
            && let Some(Value::Object(part)) = object.only_part().cloned()
            && !part.contains_key("$ref")
        {
            object.remove("allOf");
            for (key, value) in part {
                object.entry(key).or_insert(value);
            }
            let old = place.join("allOf");
            changes.moved(&old.join(0), &place);
            changes.at(&old);
        }
    }
}

/// Makes references to a nullable named union nullable instead of the union.
pub(super) fn nullable(document: &mut Value, changes: &mut Changes) {
    only_parts(document, changes);
    let nullable: BTreeSet<String> = unions(document, 1)
        .into_iter()
        .map(|(pointer, _)| pointer)
        .filter(|pointer| {
            pointer.is_schema()
                && document
                    .at(pointer.as_str())
                    .is_some_and(|union| union.is_nullable())
        })
        .map(|pointer| pointer.to_ref())
        .collect();
    if nullable.is_empty() {
        return;
    }
    let names = |schema: &Value| {
        schema
            .text("$ref")
            .is_some_and(|reference| nullable.contains(reference))
    };
    walk::walk_mut(document, &mut |kind, pointer, schema| {
        if kind != Kind::Schema {
            return;
        }
        // A nullable part does not make a composition of several parts nullable.
        let may_be_null = schema.only_part().is_some_and(names);
        let tokens: Vec<_> = pointer.tokens().collect();
        let is_part = matches!(tokens.as_slice(), [.., key, _] if ["allOf", "oneOf", "anyOf"].contains(&key.as_str()));
        if schema.is_nullable() {
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

fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}
