//! Streams: responses of server-sent events or JSON lines, whose items have types.
//!
//! A stream's Media Type object has its items in `itemSchema` (OpenAPI 3.2). In other documents `schema` describes an item,
//! or an array of them. An event is described by the JSON or the text of its `data`, or as an object with the fields of an
//! event: `data`, `event`, `id` and `retry`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::media_type::{essence, is_json};
use crate::model::{EventData, Model, Stream, StreamFormat};
use crate::names;
use crate::normalize::types;
use crate::openapi::{COMBINATORS, Schema as _, successes};
use crate::origin::Origins;
use crate::pointer::{Lookup as _, Pointer};
use crate::unsupported::Unsupported;
use crate::walk::{self, Kind};

/// The media type of server-sent events.
const EVENTS: &str = "text/event-stream";

/// The media types that have one JSON value on each line.
const JSON_LINES: [&str; 6] = [
    "application/jsonl",
    "application/x-jsonl",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonlines",
    "application/x-jsonlines",
];

/// The fields of a server-sent event.
const FIELDS: [&str; 4] = ["data", "event", "id", "retry"];

/// The greatest number of kinds of events that are distinguished by their fields, and of schemas that are read for them.
const MAX_KINDS: usize = 500;

/// The greatest number of schemas that contain each other.
const MAX_DEPTH: usize = 16;

/// A stream in a document.
pub(crate) struct Found {
    /// The status, as the document writes it.
    pub(crate) status: String,
    /// The media type, as the document writes it.
    pub(crate) media_type: String,
    pub(crate) format: StreamFormat,
    /// The Media Type object.
    media: Pointer,
    /// The schema of an item, which may refer to others; `None` if the document has none.
    pub(crate) item: Option<Value>,
    /// The location of that schema, if the document has it as it is.
    place: Option<Pointer>,
}

/// Returns true for a media type whose content is a stream of items.
pub(crate) fn is_stream(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence == EVENTS || JSON_LINES.contains(&essence.as_str())
}

/// Returns the first success of an operation that is a stream.
pub(crate) fn find(document: &Value, operation: &Value, pointer: &Pointer) -> Option<Found> {
    let responses = operation.get("responses")?.as_object()?;
    successes(responses).find_map(|status| {
        let place = pointer.join("responses").join(status);
        let (place, response) = walk::locate(document, &place)?;
        let content = response.get("content")?.as_object()?;
        let (media_type, is_events) = content
            .keys()
            .find(|name| is_stream(name))
            .map(|name| (name, essence(name) == EVENTS))?;
        let (media, object) = walk::locate(document, &place.join("content").join(media_type))?;
        let (item, place) = item(document, object, &media);
        let mut found = Found {
            status: status.clone(),
            media_type: media_type.clone(),
            format: StreamFormat::Lines,
            media,
            item,
            place,
        };
        if is_events {
            let data = found.read_event(document, object.get("itemSchema").is_some());
            found.format = StreamFormat::Events(data);
        }
        Some(found)
    })
}

/// Returns the schema of an item of a Media Type object, with its location.
fn item(document: &Value, object: &Value, media: &Pointer) -> (Option<Value>, Option<Pointer>) {
    if let Some(item) = object.get("itemSchema") {
        return (Some(item.clone()), Some(media.join("itemSchema")));
    }
    let Some(schema) = object.get("schema").filter(|schema| **schema != json!({})) else {
        return (None, None);
    };
    let place = media.join("schema");
    let (place, target) = match walk::locate(document, &place) {
        Some((place, target)) if target.get("type") == Some(&json!("array")) => (place, target),
        _ => return (Some(schema.clone()), Some(place)),
    };
    match target.get("items") {
        Some(items) => (Some(items.clone()), Some(place.join("items"))),
        None => (None, None),
    }
}

impl Found {
    /// Returns the content of the events, and makes the item that of `data` where the events have only one kind.
    fn read_event(&mut self, document: &Value, is_item_schema: bool) -> EventData {
        let Some(item) = &self.item else {
            return EventData::Text;
        };
        let Some(kinds) = kinds(document, item, is_item_schema) else {
            return data(document, item).0;
        };
        if let [only] = kinds.as_slice() {
            let data_schema = only.properties.get("data").cloned().unwrap_or(json!({}));
            let (data, schema) = data(document, &data_schema);
            self.item = schema;
            self.place = None;
            return data;
        }
        let contents: Vec<(EventData, Option<Value>)> = kinds
            .iter()
            .map(|kind| match kind.properties.get("data") {
                Some(schema) => data(document, schema),
                None => (EventData::Text, None),
            })
            .collect();
        let json: Vec<&EventKind> = kinds
            .iter()
            .zip(&contents)
            .filter(|(_, (data, _))| *data == EventData::Json)
            .map(|(kind, _)| kind)
            .collect();
        let names: Option<Vec<String>> = if json.len() == kinds.len() {
            None
        } else {
            // A kind of event without a name has JSON wherever its data is.
            json.iter()
                .map(|kind| kind.names(document))
                .collect::<Option<Vec<_>>>()
                .map(|names| names.concat())
        };
        let is_content = |kind: &EventKind| {
            let data = kind.properties.get("data");
            data.is_some_and(|data| data.get("contentSchema").is_some())
        };
        if kinds.iter().any(is_content) {
            let members: Vec<Value> = kinds
                .into_iter()
                .zip(contents)
                .map(|(mut kind, (_, schema))| {
                    if let Some(schema) = schema {
                        kind.properties.insert("data".to_owned(), schema);
                    }
                    json!({"type": "object", "required": kind.required, "properties": kind.properties})
                })
                .collect();
            self.item = Some(json!({"oneOf": members}));
            self.place = None;
        }
        EventData::Fields(names)
    }
}

/// A kind of event: its fields.
#[derive(Clone, Default)]
struct EventKind {
    properties: Map<String, Value>,
    required: BTreeSet<String>,
}

impl EventKind {
    /// Returns the names of the events; `None` if they may have any.
    fn names(&self, document: &Value) -> Option<Vec<String>> {
        let event = walk::follow(document, self.properties.get("event")?)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        event.listed()?.into_iter().map(text).collect()
    }
}

/// Returns the kinds of events, if the schema describes the fields of an event.
fn kinds(document: &Value, schema: &Value, is_item_schema: bool) -> Option<Vec<EventKind>> {
    let kinds = alternatives(document, schema, MAX_DEPTH, &mut { MAX_KINDS })?;
    let has = |kind: &EventKind, field: &str| kind.properties.contains_key(field);
    let is_event = |kind: &EventKind| {
        // Without another field, an object with `data` may be that of a payload.
        (has(kind, "data") || has(kind, "event")) && (is_item_schema || kind.properties.len() > 1)
    };
    (kinds.iter().all(is_event) && kinds.iter().any(|kind| has(kind, "data"))).then_some(kinds)
}

/// Returns the objects that a schema allows: its own properties, those of its parts, and those of each of its members.
/// `None` if one has other properties than an event has fields, or if there are too many.
fn alternatives(
    document: &Value,
    schema: &Value,
    depth: usize,
    left: &mut usize,
) -> Option<Vec<EventKind>> {
    let depth = depth.checked_sub(1)?;
    *left = left.checked_sub(1)?;
    let object = schema.as_object()?;
    let mut names = object.properties().map(|(name, _)| name.as_str());
    if !names.all(|name| FIELDS.contains(&name)) {
        return None;
    }
    let mut found = vec![EventKind::default()];
    let mut join = |others: Vec<EventKind>| {
        if found.len() * others.len() > MAX_KINDS {
            return None;
        }
        found = found
            .iter()
            .flat_map(|kind| others.iter().map(|other| kind.with(other)))
            .collect();
        Some(())
    };
    if object.contains_key("$ref") {
        let target = walk::follow(document, schema)?;
        join(alternatives(document, target, depth, left)?)?;
    }
    for part in object.parts() {
        join(alternatives(document, part, depth, left)?)?;
    }
    let own = object.properties();
    join(vec![EventKind {
        properties: own
            .map(|(name, schema)| (name.clone(), schema.clone()))
            .collect(),
        required: object.required().map(str::to_owned).collect(),
    }])?;
    for members in COMBINATORS.map(|keyword| object.list(keyword)) {
        if !members.is_empty() {
            let members = members
                .iter()
                .map(|member| alternatives(document, member, depth, left))
                .collect::<Option<Vec<_>>>()?;
            join(members.concat())?;
        }
    }
    Some(found)
}

impl EventKind {
    /// Returns the fields of both. Of a field that both have, each keyword of the other one wins.
    fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.required.extend(other.required.iter().cloned());
        for (name, schema) in &other.properties {
            match (both.properties.get_mut(name), schema) {
                (Some(Value::Object(own)), Value::Object(schema))
                    if !own.contains_key("$ref") && !schema.contains_key("$ref") =>
                {
                    own.extend(
                        schema
                            .iter()
                            .map(|(key, value)| (key.clone(), value.clone())),
                    );
                }
                _ => {
                    both.properties.insert(name.clone(), schema.clone());
                }
            }
        }
        both
    }
}

/// Returns the content of `data` with this schema, and the schema of what is decoded.
fn data(document: &Value, schema: &Value) -> (EventData, Option<Value>) {
    let target = walk::follow(document, schema).unwrap_or(schema);
    let media_type = target.get("contentMediaType").and_then(Value::as_str);
    let is_json = media_type.is_some_and(is_json);
    match target.get("contentSchema") {
        Some(content) if is_json || media_type.is_none() => {
            return (EventData::Json, Some(content.clone()));
        }
        None if is_json => return (EventData::Json, Some(json!({}))),
        _ => {}
    }
    match target.text("type") {
        Some("string") => (EventData::Text, Some(schema.clone())),
        _ => (EventData::Json, Some(schema.clone())),
    }
}

/// Moves the items of each stream to the components, where they become types, and leaves `schema` with their reference.
/// Returns the streams by the locations of their operations.
pub(crate) fn hoist(
    document: &mut Value,
    unsupported: &mut Vec<Unsupported>,
    origins: &mut Origins,
) -> BTreeMap<Pointer, Found> {
    let mut streams = BTreeMap::new();
    for operation in walk::operations(document) {
        if let Some(found) = find(document, operation.object, &operation.pointer) {
            streams.insert(operation.pointer, found);
        }
    }
    let mut taken = names::type_names(document);
    // Several operations may share a response.
    let mut done = BTreeSet::new();
    for found in streams.values() {
        if !done.insert(found.media.clone()) {
            continue;
        }
        let schema = match &found.item {
            Some(item) if !is_plain(item) => {
                let name = names::for_place(document, &found.media.join("items"));
                let name = names::unique(&name, &mut taken);
                let new = Pointer::schema(&name);
                origins.moved(found.place.as_ref().unwrap_or(&found.media), &new);
                if let Some(schemas) = walk::schemas_mut(document) {
                    schemas.insert(name, item.clone());
                }
                Some(json!({"$ref": new.to_ref()}))
            }
            item => item.clone(),
        };
        if let Some(media) = document
            .at_mut(found.media.as_str())
            .and_then(Value::as_object_mut)
        {
            media.remove("itemSchema");
            media.remove("schema");
            media.extend(schema.map(|schema| ("schema".to_owned(), schema)));
        }
    }
    walk::walk(document, &mut |kind, pointer, value| {
        if kind == Kind::MediaType && value.get("itemSchema").is_some() {
            unsupported.push(Unsupported::new(
                &pointer.join("itemSchema"),
                "`itemSchema`",
                "the items have no types: the body is passed on unchanged",
            ));
        }
    });
    streams
}

/// Returns true for a schema whose Rust type needs no name.
fn is_plain(schema: &Value) -> bool {
    let Some(object) = schema.as_object() else {
        return schema.is_boolean();
    };
    let has = |keys: &[&str]| keys.iter().any(|key| object.contains_key(*key));
    if has(&["$ref"]) {
        let mut others = object.keys().filter(|key| *key != "$ref");
        return others.all(|key| ["summary", "description"].contains(&key.as_str()));
    }
    if has(&[
        "enum",
        "const",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "properties",
        "patternProperties",
    ]) {
        return false;
    }
    match object.get("type").and_then(Value::as_str) {
        Some("array") => object.get("items").is_none_or(is_plain),
        Some("object") => object.get("additionalProperties").is_none_or(is_plain),
        Some(_) => true,
        None => !object.contains_key("type"),
    }
}

/// Adds the streams to the model. `document` is lowered, which changes references.
pub(crate) fn model(document: &Value, streams: BTreeMap<Pointer, Found>, model: &mut Model) {
    for (operation, found) in streams {
        let schema = document.at(found.media.join("schema").as_str());
        // Lowering inlines shared Media Type objects.
        let inline = operation.join("responses").join(&found.status);
        let inline = walk::locate(document, &inline).and_then(|(_, response)| {
            response
                .get("content")?
                .get(&found.media_type)?
                .get("schema")
        });
        let item = match schema.or(inline) {
            Some(schema) => types::type_of(schema),
            None if found.format == StreamFormat::Lines => crate::model::Type::Any,
            None => crate::model::Type::Text,
        };
        model.operation_mut(&operation).stream = Some(Stream {
            status: found.status,
            media_type: found.media_type,
            format: found.format,
            item,
        });
    }
}
