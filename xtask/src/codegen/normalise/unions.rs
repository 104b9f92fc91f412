//! Unions whose members are told apart by a tag: a `discriminator`, or a property that has another single value in each.
//!
//! typify ignores discriminators and takes the first member that fits. So the union is shown to it as something
//! else, and an `x-codegen` object beside it keeps the table of tags, from which `polish` writes the enum.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Changes;
use super::enums::locate;
use crate::codegen::walk::{self, Kind};
use crate::codegen::{lower, names};
use crate::pointer::Pointer;

/// A member of a union: its schema's name, and the tags that mean it.
type Member = (String, Vec<String>);

/// Applies to each union with tags, whether it has a name or stands inline.
pub(super) fn by_tag(document: &mut Value, changes: &mut Changes) {
    let mut unions = Vec::new();
    walk::walk(document, &mut |kind, pointer, value| {
        if kind == Kind::Schema
            && let Some(combinator) = ["oneOf", "anyOf"].into_iter().find(|combinator| {
                value.get(combinator).is_some_and(|members| {
                    members.as_array().is_some_and(|members| members.len() > 1)
                })
            })
        {
            unions.push((pointer.clone(), combinator));
        }
    });
    // The inner ones first: a union that stands inline moves away when it gets its name.
    unions.sort_by_key(|(pointer, _)| std::cmp::Reverse(pointer.tokens().count()));
    let mut taken: BTreeSet<String> = walk::schemas(document)
        .map(|(name, _)| names::type_name(name))
        .collect();
    for (pointer, combinator) in unions {
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
        let is_object = ["properties", "allOf", "x-codegen"]
            .iter()
            .any(|key| schema.get(key).is_some())
            || schema.get("type") == Some(&json!("object"));
        if !is_object {
            return None;
        }
        let name = target.is_schema().then(|| target.tokens().last()).flatten();
        let mapped: Vec<String> = mapping
            .iter()
            .filter(|(_, target)| name.as_deref() == Some(**target))
            .map(|(tag, _)| (*tag).clone())
            .collect();
        let listed = values(document, &place, tag, 0);
        let property = property_type(document, &place, tag, 0);
        if property.as_deref().is_some_and(|name| name != "string") {
            return None;
        }
        let values = match (mapped.is_empty(), listed.is_empty(), &name) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(schemas: Value) -> (Value, Vec<String>) {
        let mut document = json!({"components": {"schemas": schemas}});
        let mut changes = Changes::default();
        by_tag(&mut document, &mut changes);
        let losses = changes
            .losses
            .iter()
            .map(|loss| loss.pointer.to_string())
            .collect();
        (document["components"]["schemas"].take(), losses)
    }

    fn table(schema: &Value) -> Vec<(String, Vec<&str>)> {
        let variants = schema["x-codegen"]["variants"]
            .as_array()
            .into_iter()
            .flatten();
        let entry = |variant: &'_ Value| variant["schema"].as_str().unwrap_or_default().to_owned();
        variants
            .map(|variant| {
                (
                    entry(variant),
                    variant["values"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str)
                        .collect(),
                )
            })
            .collect()
    }

    fn member(tag: &str) -> Value {
        json!({"type": "object", "properties": {"kind": {"type": "string", "enum": [tag]}}})
    }

    #[test]
    fn a_discriminator_decides_by_mapping_by_value_or_by_name() {
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let (schemas, losses) = applied(json!({
            "Event": {
                "oneOf": [reference("Begun"), reference("Ended"), reference("Lost"), reference("Other")],
                "discriminator": {"propertyName": "kind", "mapping": {"start": "#/components/schemas/Begun", "begin": "Begun"}},
            },
            "Begun": {"type": "object"},
            "Ended": member("ended"),
            "Lost": {"allOf": [member("lost")]},
            "Other": {"type": "object"},
        }));
        assert_eq!(
            table(&schemas["Event"]),
            [
                ("Begun".to_owned(), vec!["begin", "start"]),
                ("Ended".to_owned(), vec!["ended"]),
                ("Lost".to_owned(), vec!["lost"]),
                ("Other".to_owned(), vec!["Other"]),
            ]
        );
        assert_eq!(losses, Vec::<String>::new());
    }

    #[test]
    fn a_property_of_one_value_each_is_a_tag_and_inline_members_get_names() {
        let (schemas, _) = applied(json!({
            "Call": {"properties": {"last": {"nullable": true, "description": "d", "anyOf": [member("begun"), member("ended")]}}},
        }));
        assert_eq!(
            schemas["Call"]["properties"]["last"],
            json!({"allOf": [{"$ref": "#/components/schemas/CallLast"}], "nullable": true, "description": "d"})
        );
        assert_eq!(
            table(&schemas["CallLast"]),
            [
                ("CallLastBegun".to_owned(), vec!["begun"]),
                ("CallLastEnded".to_owned(), vec!["ended"])
            ]
        );
        assert_eq!(schemas["CallLastEnded"], member("ended"));
    }

    #[test]
    fn unions_without_tags_are_left() {
        for union in [
            json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
            json!({"oneOf": [member("same"), member("same")]}),
            json!({"oneOf": [member("a"), {"type": "object"}]}),
        ] {
            assert_eq!(applied(json!({"It": union.clone()})).0["It"], union);
        }
        let (schemas, losses) =
            applied(json!({"Base": {"type": "object", "discriminator": {"propertyName": "kind"}}}));
        assert_eq!(schemas["Base"], json!({"type": "object"}));
        assert_eq!(losses, ["/components/schemas/Base/discriminator"]);
    }
}
