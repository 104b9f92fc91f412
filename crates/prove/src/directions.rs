//! The component schemas of requests and of responses, from the document alone.

use std::collections::BTreeSet;

use call_api_codegen::pointer::Pointer;
use serde_json::{Map, Value};

use crate::document::Document;

/// The component schemas whose values are sent, and those whose values are received, by reference.
#[derive(Debug, Default)]
pub struct Directions {
    sent: BTreeSet<String>,
    received: BTreeSet<String>,
}

impl Directions {
    /// Finds the schemas of request bodies, responses and webhooks.
    pub fn of(document: &Document) -> Self {
        let mut directions = Self::default();
        for operation in operations(document, "paths") {
            let mut sent = Reached::new(document, &mut directions.sent);
            sent.add(operation.get("requestBody"));
            let mut received = Reached::new(document, &mut directions.received);
            received.add(operation.get("responses"));
        }
        for operation in operations(document, "webhooks") {
            let mut received = Reached::new(document, &mut directions.received);
            received.add(operation.get("requestBody"));
        }
        directions
    }

    /// Returns true if values of the component schema at a reference are sent and never received.
    pub fn is_only_sent(&self, reference: &str) -> bool {
        self.sent.contains(reference) && !self.received.contains(reference)
    }

    /// Returns the flags of the properties that no value of the component schema at a reference must have: it is never
    /// received, or never sent.
    pub fn needless(&self, reference: &str) -> impl Iterator<Item = &'static str> {
        let flags = [("readOnly", &self.received), ("writeOnly", &self.sent)].into_iter();
        let flags = flags.filter(|(_, uses)| !uses.contains(reference));
        flags.map(|(flag, _)| flag)
    }
}

fn operations<'d>(document: &'d Document, key: &str) -> impl Iterator<Item = &'d Value> {
    let items = document.value().get(key).and_then(Value::as_object);
    let items = items.into_iter().flat_map(|items| items.values());
    let items = items.filter_map(|item| document.follow(item)?.as_object());
    items.flat_map(|item| item.values())
}

/// The schemas that are reached from some values of a document.
struct Reached<'d, 'f> {
    document: &'d Document,
    found: &'f mut BTreeSet<String>,
    /// The references that were followed, each with true if the target is a type of its own.
    seen: BTreeSet<(String, bool)>,
    /// The values that are still to be searched, each with true if it is a type of its own.
    todo: Vec<(&'d Value, bool)>,
}

impl<'d, 'f> Reached<'d, 'f> {
    fn new(document: &'d Document, found: &'f mut BTreeSet<String>) -> Self {
        Self {
            document,
            found,
            seen: BTreeSet::new(),
            todo: Vec::new(),
        }
    }

    fn add(&mut self, start: Option<&'d Value>) {
        self.todo.extend(start.map(|value| (value, true)));
        while let Some((value, own)) = self.todo.pop() {
            match value {
                Value::Object(object) => self.add_object(object, own),
                Value::Array(items) => self.todo.extend(items.iter().map(|item| (item, true))),
                _ => {}
            }
        }
    }

    fn add_object(&mut self, object: &'d Map<String, Value>, own: bool) {
        for (key, value) in object {
            match (key.as_str(), value) {
                ("example" | "examples" | "enum" | "default" | "const", _) => {}
                ("$ref", Value::String(reference)) => self.follow(reference, own),
                ("properties", Value::Object(properties)) => {
                    let schemas = properties.values().map(|schema| (schema, true));
                    self.todo.extend(schemas);
                }
                // The parts of a composition are not types of their own in it.
                ("allOf", Value::Array(parts)) => {
                    let is_alone = parts.len() == 1 && !object.contains_key("properties");
                    let parts = parts.iter().map(|part| (part, own && is_alone));
                    self.todo.extend(parts);
                }
                _ => self.todo.push((value, true)),
            }
        }
    }

    fn follow(&mut self, reference: &str, own: bool) {
        if !self.seen.insert((reference.to_owned(), own)) {
            return;
        }
        let target = self.document.resolve(reference);
        self.todo.extend(target.map(|target| (target, own)));
        if own {
            self.found.insert(reference.to_owned());
            if target.is_some_and(|target| target.get("discriminator").is_some()) {
                self.follow_children(reference);
            }
        }
    }

    /// Follows the schemas that inherit from one with a discriminator.
    fn follow_children(&mut self, base: &str) {
        for (name, schema) in self.document.schemas() {
            let parts = schema.get("allOf").and_then(Value::as_array);
            let mut parts = parts.into_iter().flatten();
            if parts.any(|part| part.get("$ref").is_some_and(|part| part == base)) {
                self.follow(&Pointer::schema(name).to_ref(), true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn part_of_a_sent_composition_is_not_sent_itself() {
        let schema = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let content =
            |name: &str| json!({"content": {"application/json": {"schema": schema(name)}}});
        let document = Document::new(json!({
            "paths": {"/a": {"post": {
                "requestBody": content("New"),
                "responses": {"200": content("Both")},
            }}},
            "components": {"schemas": {
                "Base": {"properties": {"both": schema("Both"), "inner": schema("Inner")}},
                "New": {"allOf": [schema("Base"), {"properties": {"animal": schema("Animal")}}]},
                "Animal": {"discriminator": {"propertyName": "kind"}},
                "Cat": {"allOf": [schema("Animal"), {}]},
                "Both": {}, "Inner": {}, "Unused": {},
            }},
        }));
        let directions = Directions::of(&document);
        let only_sent = document.schemas().map(|(name, _)| name);
        let only_sent =
            only_sent.filter(|name| directions.is_only_sent(&Pointer::schema(name).to_ref()));
        assert_eq!(
            only_sent.collect::<Vec<_>>(),
            ["New", "Animal", "Cat", "Inner"]
        );
    }
}
