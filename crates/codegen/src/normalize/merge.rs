//! `allOf`: an object composed of others becomes one object with all properties.
//!
//! typify merges, too, but panics on contradictions, and creates new types for named ones.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Changes, schemas, types};
use crate::names;
use crate::openapi::{COMBINATORS, JsonType, Schema, component, is_annotation};
use crate::pointer::{Lookup as _, Pointer};
use crate::walk;

/// The maximum nesting of `allOf`. Beyond it, a schema contains itself.
const MAX_DEPTH: usize = 32;

/// The maximum number of parts to merge. Beyond it, typify merges them.
const MAX_STEPS: usize = 10_000;

/// The maximum number of alternatives that a composition of unions may have.
const MOST_ALTERNATIVES: usize = 64;

/// Keywords that describe a part, not the whole.
const ANNOTATIONS: [&str; 6] = [
    "title",
    "description",
    "deprecated",
    "nullable",
    "example",
    "default",
];

/// Merges each component that is composed of objects. A composition with a union becomes a union of the compositions
/// with each member.
pub(super) fn merged_objects(document: &mut Value, changes: &mut Changes) {
    let composed: Vec<String> = walk::schemas(document)
        .filter(|(_, schema)| {
            let has_properties = schema.get("properties").is_some();
            let is_union = schema.union().is_some();
            let are_both = COMBINATORS.iter().all(|key| !schema.list(key).is_empty());
            match schema.parts().len() {
                0 => is_union && (has_properties || are_both),
                1 => has_properties || is_union,
                _ => true,
            }
        })
        .map(|(name, _)| name.clone())
        .collect();
    let mut bases = bases(document);
    let mut taken = names::type_names(document);
    for name in composed {
        let place = Pointer::schema(&name);
        let Some(schema) = document.at(place.as_str()).cloned() else {
            continue;
        };
        let mut merge = Merge {
            document,
            file: changes
                .model
                .file
                .as_ref()
                .and_then(|name| document.at(Pointer::schema(name).as_str())),
            taken: &mut taken,
            new: Vec::new(),
            clashes: Vec::new(),
            parts: BTreeMap::new(),
            known: Vec::new(),
            bases: &mut bases,
            nesting: 0,
            steps: 0,
            owner: &name,
        };
        let Some(merged) = merge.alternatives(&schema, 0) else {
            if is_of_several_types(document, &schema) || is_of_unions(document, &schema) {
                let description = schema.get("description").cloned();
                if let Some(at) = document.at_mut(place.as_str()) {
                    *at = json!({});
                    if let Some(description) = description {
                        at["description"] = description;
                    }
                }
                changes.at(&place.join("allOf"));
                let what = "the composition of its parts, for which there is no type";
                changes.lost(&place.join("allOf"), what, "it is read as any JSON value");
            }
            continue;
        };
        let merged = merge.whole(&schema, merged);
        let Merge { new, clashes, .. } = merge;
        for property in clashes {
            let what = format!("one of two definitions of the property `{property}`");
            changes.lost(&place.join("allOf"), what, "the last one applies");
        }
        if let Some(at) = document.at_mut(place.as_str()) {
            *at = merged;
        }
        for (component, _) in &new {
            changes.moved(&place.join("allOf"), &Pointer::schema(component));
            changes.model.inline.insert(component.clone());
        }
        if let Some(schemas) = walk::schemas_mut(document) {
            schemas.extend(new);
        }
        changes.at(&place.join("allOf"));
    }
    if !changes.places.is_empty() {
        remove_replaced(document, &mut changes.model.inline);
    }
}

/// Removes the components that were inline schemas and whose place is no longer there, because what was merged of them
/// has another type.
fn remove_replaced(document: &mut Value, inline: &mut BTreeSet<String>) {
    loop {
        let mut unused = inline.clone();
        walk::walk(document, &mut |_, _, value| {
            if let Some(name) = value.reference().and_then(|target| component(&target)) {
                unused.remove(&name);
            }
        });
        if unused.is_empty() {
            return;
        }
        inline.retain(|name| !unused.contains(name));
        if let Some(schemas) = walk::schemas_mut(document) {
            schemas.retain(|name, _| !unused.contains(name));
        }
    }
}

/// Returns true if the parts have different types, and thus contradict each other.
fn is_of_several_types(document: &Value, schema: &Value) -> bool {
    let parts = schema.parts().iter();
    let mut types: Vec<&str> = parts
        .chain([schema])
        .filter_map(|part| walk::follow(document, part)?.get("type")?.as_str())
        // A number may be an integer.
        .map(|name| if name == "integer" { "number" } else { name })
        .collect();
    types.sort_unstable();
    types.dedup();
    types.len() > 1
}

fn is_of_unions(document: &Value, schema: &Value) -> bool {
    let mut parts = schema.parts().iter().chain([schema]);
    parts.any(|part| walk::follow(document, part).is_some_and(|part| part.union().is_some()))
}

struct Merge<'a> {
    document: &'a Value,
    /// The schema that stands for a file, which must not be merged.
    file: Option<&'a Value>,
    taken: &'a mut BTreeSet<String>,
    /// New components, from two object schemas for the same property or from members of unions.
    new: Vec<(String, Value)>,
    clashes: Vec<String>,
    /// The alternatives of each referenced part, by its reference and the nesting.
    parts: BTreeMap<(Pointer, usize), Option<Vec<Alternative>>>,
    /// The compositions that became new components or are becoming one, and the names of these.
    known: Vec<(Value, String)>,
    /// The components that each component is composed of. They are read before any of them is merged.
    bases: &'a mut BTreeMap<String, Vec<String>>,
    /// The number of properties, lists and maps that enclose the value.
    nesting: usize,
    steps: usize,
    owner: &'a str,
}

/// One of the alternatives of a composition.
#[derive(Clone, Default)]
struct Alternative {
    object: Map<String, Value>,
    /// The union member that it is instead, if that is not an object.
    other: Option<Value>,
    /// The union members that it is composed of.
    members: Vec<String>,
    /// The discriminating property, and its values for this alternative.
    tag: Option<(String, Vec<String>)>,
}

impl Merge<'_> {
    /// Returns the object that the schema is composed to, or `None` if a part is not an object or there are several
    /// alternatives.
    fn object(&mut self, schema: &Value, depth: usize) -> Option<Map<String, Value>> {
        let mut alternatives = self.alternatives(schema, depth)?;
        let only = alternatives.pop()?;
        (alternatives.is_empty() && only.other.is_none()).then_some(only.object)
    }

    /// Returns what the schema is composed to, or `None` if a part is neither an object nor a union with one.
    fn alternatives(&mut self, schema: &Value, depth: usize) -> Option<Vec<Alternative>> {
        let Some(target) = schema.reference() else {
            return self.alternatives_of(schema, depth);
        };
        let key = (target, self.nesting);
        if let Some(known) = self.parts.get(&key) {
            return known.clone();
        }
        let alternatives = self.alternatives_of(schema, depth);
        self.parts.insert(key, alternatives.clone());
        alternatives
    }

    fn alternatives_of(&mut self, schema: &Value, depth: usize) -> Option<Vec<Alternative>> {
        let followed = self.follow(schema)?;
        if self.file.is_some_and(|file| std::ptr::eq(file, followed)) {
            return None;
        }
        let mut own = followed.as_object()?.clone();
        let other = ["enum", "items"].iter().any(|key| own.contains_key(*key));
        let is_object = own.get("type").is_none_or(|name| name == "object");
        self.steps += 1;
        if other || !is_object || depth > MAX_DEPTH || self.steps > MAX_STEPS {
            return None;
        }
        let mut composed = vec![Alternative::default()];
        if let Some(Value::Array(parts)) = own.remove("allOf") {
            for part in &parts {
                let part = self.alternatives(part, depth + 1)?;
                composed = self.each_with_each(composed, part)?;
            }
        }
        while let Some((combinator, _)) = own.union() {
            let members = self.members(&own, depth)?;
            composed = self.each_with_each(composed, members)?;
            own.remove(combinator);
            // It distinguishes the members of the first union.
            own.remove("discriminator");
        }
        if own.types() == [JsonType::Object] {
            composed.retain(|alternative| alternative.other.is_none());
        }
        for alternative in &mut composed {
            if alternative.other.is_some() {
                continue;
            }
            self.add(&mut alternative.object, own.clone());
            alternative
                .object
                .insert("type".to_owned(), json!("object"));
            // Another part than the one with the properties may allow further ones.
            schemas::keep_further(&mut alternative.object);
        }
        (!composed.is_empty()).then_some(composed)
    }

    /// Returns what the members of a union are composed to, or `None` if there are none.
    fn members(&mut self, union: &Map<String, Value>, depth: usize) -> Option<Vec<Alternative>> {
        let (_, members) = union.union()?;
        let discriminator = union.discriminator();
        let mut all = Vec::new();
        for (index, member) in members.iter().enumerate() {
            let Some(mut alternatives) = self.alternatives(member, depth + 1) else {
                all.push(Alternative {
                    other: Some(member.clone()),
                    ..Alternative::default()
                });
                continue;
            };
            let component = types::component(member);
            let target = component.as_deref().map(Pointer::schema);
            let tag = discriminator.zip(target).map(|(discriminator, target)| {
                let values: Vec<String> = discriminator.values(&target).cloned().collect();
                (discriminator.property.to_owned(), values)
            });
            let tag = tag.filter(|(_, values)| !values.is_empty());
            for alternative in &mut alternatives {
                if alternative.members.is_empty() {
                    let name = component.clone();
                    let name = name.unwrap_or_else(|| format!("Variant{}", index + 1));
                    alternative.members.push(name);
                }
                if tag.is_some() {
                    alternative.tag.clone_from(&tag);
                }
            }
            all.extend(alternatives);
        }
        // Unions within unions may have exponentially many members.
        let most = members.len().max(MOST_ALTERNATIVES);
        (1..=most).contains(&all.len()).then_some(all)
    }

    fn each_with_each(
        &mut self,
        first: Vec<Alternative>,
        second: Vec<Alternative>,
    ) -> Option<Vec<Alternative>> {
        let mut all = Vec::new();
        // With one alternative on a side, there are as many as the document lists.
        let multiplies = first.len() > 1 && second.len() > 1;
        if multiplies && first.len() * second.len() > MOST_ALTERNATIVES {
            return None;
        }
        for one in &first {
            for other in &second {
                // No object is of another type. Of two other types, the first one applies.
                let kept = match (&one.other, &other.other) {
                    (None, None) => None,
                    (Some(_), Some(_)) => Some(one),
                    (None, Some(_)) if one.object.is_empty() => Some(other),
                    _ => continue,
                };
                if let Some(kept) = kept {
                    let is_known = |known: &Alternative| known.other == kept.other;
                    if !all.iter().any(is_known) {
                        all.push(kept.clone());
                    }
                    continue;
                }
                let mut both = one.clone();
                let mut object = other.object.clone();
                object.retain(|key, _| !ANNOTATIONS.contains(&key.as_str()));
                self.add(&mut both.object, object);
                both.members.extend(other.members.iter().cloned());
                both.tag = both.tag.or_else(|| other.tag.clone());
                all.push(both);
            }
        }
        (!all.is_empty()).then_some(all)
    }

    /// Returns the schema of the alternatives: the only one, or a union.
    fn whole(&mut self, schema: &Value, mut alternatives: Vec<Alternative>) -> Value {
        if alternatives.len() == 1
            && let Some(only) = alternatives.pop()
        {
            return only.other.unwrap_or(Value::Object(only.object));
        }
        let mut members = Vec::new();
        let mut mapping = Map::new();
        let mut tags = alternatives.iter().filter_map(|one| one.tag.as_ref());
        let property = tags.next().map(|(property, _)| property.clone());
        for mut alternative in alternatives {
            if let Some(other) = alternative.other {
                members.push(other);
                continue;
            }
            let words = alternative
                .members
                .iter()
                .map(|name| names::type_name(name));
            let words: Vec<String> = std::iter::once(names::type_name(self.owner))
                .chain(words)
                .collect();
            let name = names::unique(&names::join(&words), self.taken);
            let reference = Pointer::schema(&name).to_ref();
            if let Some((_, values)) = &alternative.tag {
                mapping.extend(values.iter().map(|value| (value.clone(), json!(reference))));
            }
            alternative
                .object
                .retain(|key, _| !ANNOTATIONS.contains(&key.as_str()));
            self.new.push((name, Value::Object(alternative.object)));
            members.push(json!({"$ref": reference}));
        }
        let mut union = json!({"oneOf": members});
        if let Some(property) = property {
            union["discriminator"] = json!({"propertyName": property, "mapping": mapping});
        }
        for annotation in ["title", "description", "deprecated", "nullable"] {
            if let Some(value) = schema.get(annotation) {
                union[annotation] = value.clone();
            }
        }
        union
    }

    fn add(&mut self, merged: &mut Map<String, Value>, member: Map<String, Value>) {
        for (key, value) in member {
            match (key.as_str(), merged.get_mut(&key), value) {
                ("properties", Some(Value::Object(properties)), Value::Object(more)) => {
                    for (name, schema) in more {
                        let both = match properties.get(&name) {
                            Some(known) if *known != schema => self.property(&name, known, &schema),
                            _ => schema,
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
                ("additionalProperties", Some(known), new) => {
                    let name = names::join(&[names::type_name(self.owner), "Value".to_owned()]);
                    *known = self.both(&key, &name, known, &new);
                }
                (_, _, value) => {
                    merged.insert(key, value);
                }
            }
        }
    }

    /// Combines two schemas of the same property.
    fn property(&mut self, name: &str, known: &Value, new: &Value) -> Value {
        let words = [names::type_name(self.owner), names::type_name(name)];
        self.both(name, &names::join(&words), known, new)
    }

    /// Combines two schemas of the same value, whose type is named `name`. Objects are merged, and lists and maps by
    /// their items; otherwise the last one applies, unless it does not constrain the value.
    fn both(&mut self, property: &str, name: &str, known: &Value, new: &Value) -> Value {
        let meaning = |schema: &Value| {
            self.follow(schema)
                .map(super::responses::without_annotations)
        };
        let (old_meaning, new_meaning) = (meaning(known), meaning(new));
        if old_meaning == new_meaning {
            return new.clone();
        }
        let says_nothing = |meaning: &Option<Value>| {
            let says_nothing = |meaning: &Value| *meaning == json!({}) || *meaning == json!(true);
            meaning.as_ref().is_some_and(says_nothing)
        };
        if says_nothing(&new_meaning) {
            return known.clone();
        }
        if says_nothing(&old_meaning) {
            return new.clone();
        }
        // `data: {type: object}` of a generic envelope says nothing beside the object that an envelope of it has.
        let is_object = |meaning: &Option<Value>| {
            (meaning.as_ref()).is_some_and(|meaning| meaning.types() == [JsonType::Object])
        };
        let is_any_object = |meaning: &Option<Value>| {
            (meaning.as_ref()).is_some_and(|meaning| *meaning == json!({"type": "object"}))
        };
        if is_any_object(&new_meaning) && is_object(&old_meaning) {
            return known.clone();
        }
        if is_any_object(&old_meaning) && is_object(&new_meaning) {
            return new.clone();
        }
        self.nesting += 1;
        let merged = if self.is_composed_of(new, known) {
            Some(unwrapped(new).clone())
        } else if self.is_composed_of(known, new) {
            Some(unwrapped(known).clone())
        } else if self.nesting > MAX_DEPTH {
            None
        } else {
            self.container(property, name, known, new)
                .or_else(|| self.component(name, known, new))
        };
        self.nesting -= 1;
        match merged {
            Some(merged) => self.annotated(merged, known, new),
            None => {
                self.clashes.push(property.to_owned());
                new.clone()
            }
        }
    }

    /// Combines two lists or two maps.
    fn container(
        &mut self,
        property: &str,
        name: &str,
        known: &Value,
        new: &Value,
    ) -> Option<Value> {
        const CONTAINERS: [(JsonType, &str, &str); 2] = [
            (JsonType::Array, "items", "Item"),
            (JsonType::Object, "additionalProperties", "Value"),
        ];
        let [known, new] = [known, new].map(|schema| self.follow(unwrapped(schema)).cloned());
        let (known, new) = (known?, new?);
        for (kind, key, word) in CONTAINERS {
            if let (Some(known), Some(new)) = (items(&known, kind, key), items(&new, kind, key)) {
                let both = self.both(property, &format!("{name}{word}"), known, new);
                return Some(json!({"type": kind.name(), key: both}));
            }
        }
        None
    }

    /// Makes a component of two objects.
    fn component(&mut self, name: &str, known: &Value, new: &Value) -> Option<Value> {
        let (known, new) = (unwrapped(known), unwrapped(new));
        let both = json!({"allOf": [known, new]});
        let mut compositions = self.known.iter();
        if let Some((_, component)) = compositions.find(|(other, _)| *other == both) {
            return Some(json!({"$ref": Pointer::schema(component).to_ref()}));
        }
        let component = names::unique(name, self.taken);
        let reference = json!({"$ref": Pointer::schema(&component).to_ref()});
        let bases = [known, new].into_iter().filter_map(types::component);
        self.bases.insert(component.clone(), bases.collect());
        let before = (self.new.len(), self.known.len());
        self.known.push((both.clone(), component.clone()));
        let merged = self.object(&both, MAX_DEPTH / 2);
        let is_object = |merged: &Map<String, Value>| {
            merged.contains_key("properties") || merged.contains_key("additionalProperties")
        };
        let Some(merged) = merged.filter(is_object) else {
            // Components that were made on the way may refer to it.
            self.new.truncate(before.0);
            self.known.truncate(before.1);
            self.bases.remove(&component);
            self.taken.remove(&names::type_name(&component));
            return None;
        };
        self.new.push((component, Value::Object(merged)));
        Some(reference)
    }

    /// Returns the merged schema with the annotations of both. It is nullable if both are.
    fn annotated(&self, merged: Value, known: &Value, new: &Value) -> Value {
        let both = [known, new];
        let is_nullable = |schema: &&Value| {
            let target = self.follow(unwrapped(schema));
            schema.is_nullable() || target.is_some_and(Schema::is_nullable)
        };
        let mut annotations: Map<String, Value> = both
            .iter()
            .filter_map(|schema| schema.as_object())
            .flatten()
            .filter(|(key, _)| is_annotation(key) && *key != "title")
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if both.iter().all(is_nullable) {
            annotations.insert("nullable".to_owned(), json!(true));
        }
        match merged {
            Value::Object(mut merged) if !merged.contains_key("$ref") => {
                merged.extend(annotations);
                Value::Object(merged)
            }
            reference if annotations.is_empty() => reference,
            reference => {
                annotations.insert("allOf".to_owned(), json!([reference]));
                Value::Object(annotations)
            }
        }
    }

    /// Follows references, also to new components.
    fn follow<'s>(&'s self, schema: &'s Value) -> Option<&'s Value> {
        let name = schema.reference().and_then(|target| component(&target));
        let new = self.new.iter().find(|(new, _)| Some(new) == name.as_ref());
        match new {
            Some((_, schema)) => Some(schema),
            None => walk::follow(self.document, schema),
        }
    }

    /// Returns true if every value of the component `schema` is one of the component `base`.
    fn is_composed_of(&self, schema: &Value, base: &Value) -> bool {
        let (Some(name), Some(base)) = (types::component(schema), types::component(base)) else {
            return false;
        };
        let mut waiting = vec![&name];
        let mut seen = BTreeSet::new();
        while let Some(name) = waiting.pop() {
            if *name == base {
                return true;
            }
            if seen.insert(name) {
                waiting.extend(self.bases.get(name).into_iter().flatten());
            }
        }
        false
    }
}

/// Returns the components that each component is composed of.
fn bases(document: &Value) -> BTreeMap<String, Vec<String>> {
    let parts = |schema: &Value| schema.parts().iter().filter_map(types::component).collect();
    walk::schemas(document)
        .map(|(name, schema)| (name.clone(), parts(schema)))
        .collect()
}

/// Returns the schema of the items, if the schema is a list or a map of them and nothing else.
fn items<'a>(schema: &'a Value, kind: JsonType, key: &str) -> Option<&'a Value> {
    static ANY: Value = Value::Bool(true);
    let allowed = ["type", "nullable", key];
    let mut keys = schema.as_object()?.keys();
    let is_only = keys.all(|key| allowed.contains(&key.as_str()) || is_annotation(key));
    (is_only && schema.types() == [kind]).then(|| schema.get(key).unwrap_or(&ANY))
}

/// Returns a reference with annotations as an `allOf` with one member.
fn unwrapped(schema: &Value) -> &Value {
    schema.only_part().unwrap_or(schema)
}
