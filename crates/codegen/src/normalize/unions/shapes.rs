//! Shapes of schemas, which distinguish the members of a union without a distinguishing property.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{is_object, is_scalar};
use crate::model::{Details, Kinds, Model, Shape};
use crate::normalize::types::{component, integer, parsed};
use crate::openapi::{Additional, Schema as _, reached};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

/// The maximum number of nested wrapper schemas.
const MAX_DEPTH: usize = 12;

/// Returns the shapes of all components that union members refer to, directly or indirectly.
pub(super) fn shapes(document: &Value, model: &Model) -> BTreeMap<String, Details> {
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
            .at(Pointer::schema(&name).as_str())
            .map(|schema| details(document, schema, 0))
            .unwrap_or_default();
        let mut found = Vec::new();
        details.references(&mut found);
        waiting.extend(found.into_iter().map(str::to_owned));
        shapes.insert(name, details);
    }
    shapes
}

/// Returns the kinds of values that a schema allows.
pub(super) fn kinds(document: &Value, schema: &Value) -> Kinds {
    let all = reached(document, schema, true, |schema| {
        let members = schema.union().map(|(_, members)| members);
        let members = members.unwrap_or_default().iter();
        let only = single_part(schema).filter(|_| schema.union().is_none());
        members.chain(only)
    });
    let own = |schema: &&Value| match schema.get("type").and_then(Value::as_str) {
        _ if schema.union().is_some() || single_part(schema).is_some() => Kinds::default(),
        Some("string") => Kinds::TEXT,
        Some("integer") => Kinds::INTEGER,
        Some("number") => Kinds::NUMBER,
        Some("boolean") => Kinds::BOOLEAN,
        Some("array") => Kinds::LIST,
        Some("object") => Kinds::OBJECT,
        _ if is_object(schema) => Kinds::OBJECT,
        _ if schema.is_only_null() => Kinds::NULL,
        _ => Kinds::ALL,
    };
    let targets = all.iter().filter(|schema| schema.get("$ref").is_none());
    let kinds = targets.fold(Kinds::default(), |kinds, schema| {
        let null = if schema.is_nullable() {
            Kinds::NULL
        } else {
            Kinds::default()
        };
        kinds.and(own(schema)).and(null)
    });
    // Members that are the union itself add nothing; nothing else is known of a schema of only those.
    if kinds == Kinds::default() {
        Kinds::ALL
    } else {
        kinds
    }
}

fn single_part(schema: &Value) -> Option<&Value> {
    schema
        .only_part()
        .filter(|_| schema.get("properties").is_none())
}

/// Returns the shape of a schema. Components are referred to by name.
pub(super) fn shape(document: &Value, schema: &Value) -> Shape {
    match component(schema) {
        Some(name) => Shape::Of(name),
        None => Shape::Is(Box::new(details(document, schema, 0))),
    }
}

/// Returns the shape of a property or an item. Nested unions choose for themselves, so no value is inspected twice.
fn inner_shape(document: &Value, schema: &Value, depth: usize) -> Shape {
    let target = walk::follow(document, schema);
    let target = target.and_then(|target| {
        single_part(target)
            .and_then(|part| walk::follow(document, part))
            .or(Some(target))
    });
    if target.is_none_or(|target| target.union().is_some()) {
        let kinds = kinds(document, schema);
        return Shape::Is(Box::new(Details {
            kinds,
            ..Details::default()
        }));
    }
    match component(schema) {
        Some(name) if !schema.is_nullable() => Shape::Of(name),
        // Objects can contain each other: their shapes are referred to.
        Some(name) if target.is_some_and(is_object) => {
            let null = Details {
                kinds: Kinds::NULL,
                ..Details::default()
            };
            Shape::Is(Box::new(Details {
                kinds: kinds(document, schema),
                members: vec![Shape::Of(name), Shape::Is(Box::new(null))],
                ..Details::default()
            }))
        }
        _ => Shape::Is(Box::new(details(document, schema, depth))),
    }
}

fn details(document: &Value, schema: &Value, depth: usize) -> Details {
    let kinds = kinds(document, schema);
    let plain = Details {
        kinds,
        ..Details::default()
    };
    let Some(target) = walk::follow(document, schema).filter(|_| depth < MAX_DEPTH) else {
        return plain;
    };
    if let Some((_, members)) = target.union() {
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
    let mut properties: Vec<(String, Shape)> = target
        .properties()
        .map(|(name, schema)| (name.clone(), inner(schema)))
        .collect();
    properties.sort_by(|a, b| a.0.cmp(&b.0));
    let anything = || {
        Shape::Is(Box::new(Details {
            kinds: Kinds::ALL,
            ..Details::default()
        }))
    };
    let rest = match target.additional() {
        Additional::Of(schema) => Some(inner(schema)),
        Additional::Any => Some(anything()),
        // An object without properties keeps all.
        Additional::Unmentioned if kinds.has(Kinds::OBJECT) && properties.is_empty() => {
            Some(anything())
        }
        _ => None,
    };
    Details {
        kinds,
        values: list.cloned().unwrap_or_default(),
        format: parsed(target).filter(|_| target.get("type") == Some(&json!("string"))),
        integer: (target.get("type") == Some(&json!("integer")))
            .then(|| integer(target.get("format").and_then(Value::as_str))),
        required: target.required().map(str::to_owned).collect(),
        properties,
        rest,
        items: target.get("items").map(inner),
        members: Vec::new(),
    }
}
