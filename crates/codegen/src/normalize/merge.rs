//! `allOf`: an object that is composed of others is one object with all their properties.
//!
//! typify merges, too, but panics on what it finds contradictory, and makes new types of what has a name.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Changes;
use crate::pointer::Pointer;
use crate::walk;
use crate::{lower, names};

/// What composes deeper than this composes itself.
const DEEPEST: usize = 32;

/// What is composed of more parts than this is left to typify: a lattice of parts has a number of paths that no document
/// means.
const MOST: usize = 10_000;

/// Merges each component that is composed of objects.
pub(super) fn merged_objects(document: &mut Value, changes: &mut Changes) {
    let composed: Vec<String> = walk::schemas(document)
        .filter(|(_, schema)| {
            schema
                .get("allOf")
                .and_then(Value::as_array)
                .is_some_and(|members| members.len() > 1 || schema.get("properties").is_some())
        })
        .map(|(name, _)| name.clone())
        .collect();
    let mut taken = walk::schemas(document)
        .map(|(name, _)| names::type_name(name))
        .collect();
    for name in composed {
        let place = Pointer::schema(&name);
        let Some(schema) = document.pointer(place.as_str()).cloned() else {
            continue;
        };
        let mut merge = Merge {
            document,
            taken: &mut taken,
            new: Vec::new(),
            clashes: Vec::new(),
            steps: 0,
            owner: &name,
        };
        let Some(merged) = merge.object(&schema, 0) else {
            if is_of_several_types(document, &schema) {
                let description = schema.get("description").cloned();
                if let Some(at) = document.pointer_mut(place.as_str()) {
                    *at = json!({});
                    if let Some(description) = description {
                        at["description"] = description;
                    }
                }
                changes.at(&place.join("allOf"));
                let what = "what its parts say together, for which there is no type";
                changes.lost(&place.join("allOf"), what, "it is read as any JSON value");
            }
            continue;
        };
        let Merge { new, clashes, .. } = merge;
        for property in clashes {
            let what = format!("one of the two things that are said of the property `{property}`");
            changes.lost(&place.join("allOf"), what, "the last one holds");
        }
        if let Some(at) = document.pointer_mut(place.as_str()) {
            *at = Value::Object(merged);
        }
        for (component, _) in &new {
            changes.moved(&place.join("allOf"), &Pointer::schema(component));
        }
        if let Some(schemas) = lower::schemas_mut(document) {
            schemas.extend(new);
        }
        changes.at(&place.join("allOf"));
    }
}

/// Whether the parts are of several types: they contradict each other, or one of them is a union.
fn is_of_several_types(document: &Value, schema: &Value) -> bool {
    let parts = schema.get("allOf").and_then(Value::as_array);
    let mut types: Vec<&str> = parts
        .into_iter()
        .flatten()
        .chain([schema])
        .filter_map(|part| walk::follow(document, part)?.get("type")?.as_str())
        // A number may be an integer.
        .map(|name| if name == "integer" { "number" } else { name })
        .collect();
    types.sort_unstable();
    types.dedup();
    types.len() > 1
}

struct Merge<'a> {
    document: &'a Value,
    taken: &'a mut BTreeSet<String>,
    /// Components that came of merging two objects of one property.
    new: Vec<(String, Value)>,
    clashes: Vec<String>,
    steps: usize,
    owner: &'a str,
}

impl Merge<'_> {
    /// The object that the schema is composed to; `None` where a part of it is no object.
    fn object(&mut self, schema: &Value, depth: usize) -> Option<Map<String, Value>> {
        let schema = walk::follow(self.document, schema)?.as_object()?.clone();
        let other = ["anyOf", "oneOf", "enum", "items", "x-codegen"]
            .iter()
            .any(|key| schema.contains_key(*key));
        let is_object = schema.get("type").is_none_or(|name| name == "object");
        self.steps += 1;
        if other || !is_object || depth > DEEPEST || self.steps > MOST {
            return None;
        }
        let mut merged = Map::new();
        for member in schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let mut member = self.object(member, depth + 1)?;
            // What is said of a part isn't said of the whole.
            for annotation in [
                "title",
                "description",
                "deprecated",
                "nullable",
                "example",
                "default",
            ] {
                member.remove(annotation);
            }
            self.add(&mut merged, member);
        }
        let own = schema
            .into_iter()
            .filter(|(key, _)| key != "allOf")
            .collect();
        self.add(&mut merged, own);
        merged.insert("type".to_owned(), json!("object"));
        Some(merged)
    }

    fn add(&mut self, merged: &mut Map<String, Value>, member: Map<String, Value>) {
        for (key, value) in member {
            match (key.as_str(), merged.get_mut(&key), value) {
                ("properties", Some(Value::Object(properties)), Value::Object(more)) => {
                    for (name, schema) in more {
                        let both = match properties.get(&name) {
                            Some(known) => self.property(&name, known, &schema),
                            None => schema,
                        };
                        properties.insert(name, both);
                    }
                }
                ("required", Some(Value::Array(required)), Value::Array(more)) => {
                    for name in more {
                        if !required.contains(&name) {
                            required.push(name);
                        }
                    }
                }
                (_, _, value) => {
                    merged.insert(key, value);
                }
            }
        }
    }

    /// What two parts say of one property: where both are objects, all of it; else what the last one says, unless it says
    /// nothing of what the value is.
    fn property(&mut self, name: &str, known: &Value, new: &Value) -> Value {
        let meaning = |schema: &Value| {
            walk::follow(self.document, schema).map(super::responses::without_annotations)
        };
        let (old_meaning, new_meaning) = (meaning(known), meaning(new));
        if old_meaning == new_meaning {
            return new.clone();
        }
        let says_nothing = |meaning: &Option<Value>| *meaning == Some(json!({}));
        if says_nothing(&new_meaning) {
            return known.clone();
        }
        if says_nothing(&old_meaning) {
            return new.clone();
        }
        let both = json!({"allOf": [unwrapped(known), unwrapped(new)]});
        if let Some(merged) = self.object(&both, DEEPEST / 2)
            && merged.contains_key("properties")
        {
            let words = [names::type_name(self.owner), names::type_name(name)];
            let component = names::unique(&names::join(&words), self.taken);
            let reference = Pointer::schema(&component).to_ref();
            self.new.push((component, Value::Object(merged)));
            return json!({"$ref": reference});
        }
        self.clashes.push(name.to_owned());
        new.clone()
    }
}

/// A reference with annotations beside it is an `allOf` of one.
fn unwrapped(schema: &Value) -> &Value {
    match schema
        .get("allOf")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        Some([only]) => only,
        _ => schema,
    }
}
