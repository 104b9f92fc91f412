//! Public names that `[names]` of `codegen.toml` keeps. A rule takes the pins that it applies, so those that remain pin
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Changes;
use crate::names;
use crate::pins::Group;
use crate::pointer::{Lookup as _, Pointer};
use crate::walk::{self, Kind};

/// Renames the schemas that have a pin.
///
/// A discriminator without a mapping compares with the names of schemas, so it gets a mapping to the document's names.
pub(super) fn schemas(document: &mut Value, changes: &mut Changes) {
    let pins = std::mem::take(&mut changes.pins.schemas);
    let (renamed, unused) = applicable(pins, names::type_name, || {
        walk::schemas(document)
            .map(|(name, _)| name.clone())
            .collect()
    });
    changes.pins.schemas = unused;
    if renamed.is_empty() {
        return;
    }
    for (old, new) in &renamed {
        let place = Pointer::schema(old);
        changes.at(&place);
        changes.moved(&place, &Pointer::schema(new));
    }
    walk::walk_mut(document, &mut |kind, _, value| {
        if kind == Kind::Schema
            && let Some(discriminator) = value
                .get_mut("discriminator")
                .and_then(Value::as_object_mut)
        {
            keep_implicit_values(discriminator, &renamed);
        }
    });
    rename_schemas(document, &renamed);
    changes.renamed = renamed;
}

/// Maps the document's names of renamed schemas in a discriminator, unless it maps another value to them.
fn keep_implicit_values(
    discriminator: &mut Map<String, Value>,
    renamed: &BTreeMap<String, String>,
) {
    let mapping = discriminator.entry("mapping").or_insert_with(|| json!({}));
    let Some(mapping) = mapping.as_object_mut() else {
        return;
    };
    for old in renamed.keys() {
        let target = json!(Pointer::schema(old).to_ref());
        if !mapping
            .values()
            .any(|known| *known == target || *known == json!(old))
        {
            mapping.entry(old.clone()).or_insert(target);
        }
    }
}

/// Renames schemas, and everything in the document that refers to them.
pub(super) fn rename_schemas(document: &mut Value, renamed: &BTreeMap<String, String>) {
    let references: BTreeMap<String, String> = renamed
        .iter()
        .map(|(old, new)| (Pointer::schema(old).to_ref(), Pointer::schema(new).to_ref()))
        .collect();
    let follow = |reference: &mut Value| {
        if let Some(new) = reference
            .as_str()
            .and_then(|old| references.get(old).or_else(|| renamed.get(old)))
        {
            *reference = json!(new);
        }
    };
    walk::walk_mut(document, &mut |kind, _, value| {
        if let Some(reference) = value.get_mut("$ref") {
            follow(reference);
        }
        let mapping = value
            .at_mut("/discriminator/mapping")
            .and_then(Value::as_object_mut);
        if kind == Kind::Schema {
            mapping
                .into_iter()
                .flatten()
                .for_each(|(_, target)| follow(target));
        }
    });
    if let Some(schemas) = walk::schemas_mut(document) {
        *schemas = std::mem::take(schemas)
            .into_iter()
            .map(|(name, schema)| (renamed.get(&name).cloned().unwrap_or(name), schema))
            .collect();
    }
}

/// Gives the operations that have a pin their public name.
pub(super) fn operations(document: &mut Value, changes: &mut Changes) {
    let pins = std::mem::take(&mut changes.pins.operations);
    if pins.is_empty() {
        return;
    }
    let methods: BTreeMap<String, Pointer> = walk::operations(document)
        .iter()
        .filter_map(|operation| {
            let method = names::method_name(operation.id()?);
            Some((method, operation.pointer.join("operationId")))
        })
        .collect();
    let pins = pins
        .into_iter()
        .map(|(method, public)| (names::method_name(&method), public))
        .collect();
    let (renamed, unused) = applicable(pins, names::method_name, || {
        methods.keys().cloned().collect()
    });
    changes.pins.operations = unused;
    for (method, public) in renamed {
        let Some(place) = methods.get(&method) else {
            continue;
        };
        if let Some(id) = document.at_mut(place.as_str()) {
            *id = json!(public);
            changes.at(place);
        }
    }
}

/// Gives the properties that have a pin their public name, and adds their names on the wire to the model.
pub(super) fn properties(document: &mut Value, changes: &mut Changes) {
    for (schema, pins) in std::mem::take(&mut changes.pins.properties) {
        let place = Pointer::schema(&schema);
        let object = document
            .at_mut(place.as_str())
            .and_then(Value::as_object_mut);
        let properties = object
            .as_ref()
            .and_then(|object| object.get("properties")?.as_object());
        let known = || {
            properties
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone())
                .collect()
        };
        let (renamed, unused) = applicable(pins, names::method_name, known);
        if !unused.is_empty() {
            changes.pins.properties.insert(schema, unused);
        }
        let Some(object) = object.filter(|_| !renamed.is_empty()) else {
            continue;
        };
        for wire in renamed.keys() {
            changes.at(&place.join("properties").join(wire));
        }
        walk::rename_properties(object, &renamed);
        changes.model.schema_mut(&place).rename_properties(&renamed);
    }
}

/// Gives the values of string enums that have a pin the variant of their public name.
pub(super) fn values(document: &mut Value, changes: &mut Changes) {
    for (name, pins) in std::mem::take(&mut changes.pins.values) {
        let place = Pointer::schema(&name);
        let listed = document
            .at_mut(place.join("enum").as_str())
            .and_then(Value::as_array_mut);
        let facts = changes.model.schemas.get(&place);
        // The listed values, or the variants in their place, each with its value on the wire.
        let values: Vec<(String, String)> = listed
            .iter()
            .flat_map(|listed| listed.iter())
            .filter_map(Value::as_str)
            .map(|listed| {
                let wire = facts.and_then(|facts| facts.values.get(listed));
                (
                    listed.to_owned(),
                    wire.map_or(listed, String::as_str).to_owned(),
                )
            })
            .collect();
        let known = || values.iter().map(|(_, wire)| wire.clone()).collect();
        let (renamed, unused) = applicable(pins, names::type_name, known);
        if !unused.is_empty() {
            changes.pins.values.insert(name, unused);
        }
        let Some(listed) = listed.filter(|_| !renamed.is_empty()) else {
            continue;
        };
        let variants: Vec<(String, String)> = values
            .into_iter()
            .map(|(listed, wire)| {
                let variant = names::type_name(renamed.get(&wire).unwrap_or(&listed));
                (variant, wire)
            })
            .collect();
        *listed = variants.iter().map(|(variant, _)| json!(variant)).collect();
        changes.model.schema_mut(&place).values = variants.into_iter().collect();
        changes.at(&place.join("enum"));
    }
}

/// Splits pins into those that can be applied and those that cannot: their subject is missing, or another one has the public
/// name.
fn applicable(
    pins: Group,
    ident: impl Fn(&str) -> String,
    known: impl FnOnce() -> BTreeSet<String>,
) -> (BTreeMap<String, String>, Group) {
    if pins.is_empty() {
        return (BTreeMap::new(), pins);
    }
    let known = known();
    let taken: BTreeSet<String> = known
        .iter()
        .filter(|name| !pins.contains_key(*name))
        .map(|name| ident(name))
        .collect();
    pins.into_iter()
        .partition(|(name, public)| known.contains(name) && !taken.contains(&ident(public)))
}
