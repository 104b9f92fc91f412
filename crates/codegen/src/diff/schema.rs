//! Schemas as a whole: their phrases, their equality, and the properties of compositions.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::rust;
use crate::normalize::types;
use crate::openapi::{JsonType, Schema as _, Target, inline, is_annotation, resolve};
use crate::pointer::Pointer;

/// A Schema object. A boolean schema is represented by the equivalent object.
pub(super) type Object = Map<String, Value>;

/// The keyword of a union, and its members other than null with their indices.
pub(super) type Union<'a> = (&'static str, Vec<(usize, &'a Value)>);

/// Returns the union of a schema, if it is one.
pub(super) fn union(object: &Object) -> Option<Union<'_>> {
    let (keyword, members) = object.union()?;
    let members = members.iter().enumerate();
    let real: Vec<_> = members
        .filter(|(_, member)| !member.is_only_null())
        .collect();
    (!real.is_empty()).then_some((keyword, real))
}

/// Returns the locations of the schemas that `object` is composed of, by `$ref` or `allOf`.
pub(super) fn all_of(location: &Pointer, object: &Object) -> Vec<Pointer> {
    let parts = 0..object.parts().len();
    let parts = parts.map(|index| location.join("allOf").join(index));
    object.reference().into_iter().chain(parts).collect()
}

/// Returns the types of a schema, in alphabetical order.
pub(super) fn types(object: &Object) -> BTreeSet<JsonType> {
    object.types().into_iter().collect()
}

/// Returns the Rust type of a string, an integer or a number.
pub(super) fn scalar(object: &Object) -> Option<&'static str> {
    let [only] = object.types()[..] else {
        return None;
    };
    if object.listed().is_some() {
        return Some("an enum");
    }
    match only {
        JsonType::String => Some(rust::string(object.format())),
        JsonType::Integer => Some(types::integer(object.format())),
        JsonType::Number => Some("f64"),
        _ => None,
    }
}

/// Describes the type of a schema.
pub(super) fn phrase(object: &Object) -> String {
    if let Some((keyword, members)) = union(object) {
        return format!("a union ({keyword}) of {}", members.len());
    }
    if object.contains_key("allOf") || object.contains_key("$ref") {
        return "a composition (allOf)".to_owned();
    }
    let types = types(object);
    if types.is_empty() {
        return "any value".to_owned();
    }
    let names = types.into_iter().map(JsonType::name);
    let mut phrase = names.collect::<Vec<_>>().join(" or ");
    if let Some(format) = object.format() {
        phrase.push_str(&format!(" ({format})"));
    }
    if object.listed().is_some() {
        phrase.push_str(" enum");
    }
    phrase
}

/// Returns the schema without annotations and `nullable`, to compare schemas as a whole.
pub(super) fn canonical(value: &Value) -> Value {
    let Some(object) = value.as_object() else {
        return value.clone();
    };
    let mut bare = Object::new();
    for (key, value) in object {
        if is_annotation(key) || key == "nullable" {
            continue;
        }
        let value = match (key.as_str(), value) {
            (
                "properties" | "patternProperties" | "$defs" | "definitions",
                Value::Object(inner),
            ) => {
                let inner = inner
                    .iter()
                    .map(|(key, value)| (key.clone(), canonical(value)));
                Value::Object(inner.collect())
            }
            ("enum" | "const" | "required", value) => value.clone(),
            (_, Value::Array(items)) => items.iter().map(canonical).collect(),
            (_, value) => canonical(value),
        };
        bare.insert(key.clone(), value);
    }
    Value::Object(bare)
}

/// Returns a value that is equal for equal schemas: the reference to a named schema, or the canonical schema without null.
/// `rename` maps the names of referenced schemas.
pub(super) fn shape(
    document: &Value,
    location: &Pointer,
    rename: impl Fn(&str) -> String,
) -> Value {
    match resolve(document, location, true).map(|schema| schema.target) {
        Some(Target::Named(name, _)) => json!({"$ref": rename(&name)}),
        Some(Target::Inline(_, object)) => {
            let mut shape = canonical(&Value::Object(object.clone()));
            if let Some(shape) = shape.as_object_mut() {
                let types: Vec<_> = types(object).into_iter().map(JsonType::name).collect();
                shape.insert("type".to_owned(), json!(types));
            }
            shape
        }
        None => Value::Null,
    }
}

/// The properties of an object, including those of the schemas that it is composed of.
#[derive(Debug, Default)]
pub(super) struct Properties {
    /// The names and locations, in order.
    pub(super) properties: Vec<(String, Pointer)>,
    /// The names of required properties.
    pub(super) required: BTreeSet<String>,
    known: BTreeSet<String>,
}

/// Returns the properties of `object` itself.
pub(super) fn own(location: &Pointer, object: &Object) -> Properties {
    let mut properties = Properties::default();
    properties.add(location, object);
    properties
}

/// Returns the properties of `object` and of the schemas that it is composed of.
pub(super) fn flatten(document: &Value, location: &Pointer, object: &Object) -> Properties {
    let mut properties = Properties::default();
    let mut visited = BTreeSet::new();
    let mut pending = vec![(location.clone(), object)];
    while let Some((location, object)) = pending.pop() {
        if !visited.insert(location.clone()) {
            continue;
        }
        properties.add(&location, object);
        let members = all_of(&location, object).into_iter().rev();
        pending.extend(members.filter_map(|member| inline(document, &member)));
    }
    properties
}

impl Properties {
    fn add(&mut self, location: &Pointer, object: &Object) {
        for (name, _) in object.properties() {
            if self.known.insert(name.clone()) {
                let property = location.join("properties").join(name);
                self.properties.push((name.clone(), property));
            }
        }
        self.required.extend(object.required().map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flatten_terminates_on_cycles() {
        let document = json!({"c": {"allOf": [{"$ref": "#/c"}]}});
        let location = Pointer::root().join("c");
        let object = document["c"].as_object().unwrap();
        assert!(flatten(&document, &location, object).properties.is_empty());
    }
}
