//! The structure of an OpenAPI document: the keys that hold schemas, operations, parameters, and so on.
//!
//! A document cannot be searched by key names alone: a property may be called `$ref`, an example may look like a
//! schema. One table has the meaning of each key, after section 4.8 (3.1, 3.2) and section 4.7 (3.0) of the
//! specification, and every step walks by it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::pointer::{Lookup as _, Pointer};

/// The objects of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The OpenAPI object: the document itself.
    Document,
    /// The Paths object.
    Paths,
    /// A Path Item object.
    PathItem,
    /// An Operation object.
    Operation,
    /// A Parameter object.
    Parameter,
    /// A Request Body object.
    RequestBody,
    /// A Response object.
    Response,
    /// A Media Type object.
    MediaType,
    /// An Encoding object.
    Encoding,
    /// A Header object.
    Header,
    /// A Link object.
    Link,
    /// An Example object.
    Example,
    /// A Callback object.
    Callback,
    /// The Components object.
    Components,
    /// A Security Scheme object.
    SecurityScheme,
    /// A Schema object, or the boolean that 3.1 allows in its place.
    Schema,
}

/// The methods of a path item, in the order in which operations are generated.
pub const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// The kind of the children of a key, and their form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChildKind {
    One(Kind),
    Map(Kind),
    List(Kind),
    Nothing,
}

/// Returns the children of a key of an object of that kind.
pub(super) fn child_kind(kind: Kind, key: &str) -> ChildKind {
    use ChildKind::{List, Map, Nothing, One};
    match (kind, key) {
        (Kind::Document, "paths") => One(Kind::Paths),
        (Kind::Document, "webhooks") => Map(Kind::PathItem),
        (Kind::Document, "components") => One(Kind::Components),
        (Kind::Paths, path) if path.starts_with('/') => One(Kind::PathItem),
        (Kind::Callback, key) if !key.starts_with("x-") && key != "$ref" => One(Kind::PathItem),
        (Kind::PathItem, method) if METHODS.contains(&method) => One(Kind::Operation),
        (Kind::PathItem, "query") => One(Kind::Operation),
        (Kind::PathItem, "additionalOperations") => Map(Kind::Operation),
        (Kind::PathItem | Kind::Operation, "parameters") => List(Kind::Parameter),
        (Kind::Operation, "requestBody") => One(Kind::RequestBody),
        (Kind::Operation, "responses") => Map(Kind::Response),
        (Kind::Operation, "callbacks") => Map(Kind::Callback),
        (Kind::Parameter | Kind::Header | Kind::MediaType, "schema") => One(Kind::Schema),
        (Kind::Parameter | Kind::Header | Kind::MediaType, "examples") => Map(Kind::Example),
        (Kind::Parameter | Kind::Header | Kind::RequestBody | Kind::Response, "content") => {
            Map(Kind::MediaType)
        }
        (Kind::MediaType, "itemSchema") => One(Kind::Schema),
        (Kind::MediaType | Kind::Encoding, "encoding") => Map(Kind::Encoding),
        (Kind::MediaType | Kind::Encoding, "prefixEncoding") => List(Kind::Encoding),
        (Kind::MediaType | Kind::Encoding, "itemEncoding") => One(Kind::Encoding),
        (Kind::Response | Kind::Encoding, "headers") => Map(Kind::Header),
        (Kind::Response, "links") => Map(Kind::Link),
        (Kind::Components, "schemas") => Map(Kind::Schema),
        (Kind::Components, "responses") => Map(Kind::Response),
        (Kind::Components, "parameters") => Map(Kind::Parameter),
        (Kind::Components, "examples") => Map(Kind::Example),
        (Kind::Components, "requestBodies") => Map(Kind::RequestBody),
        (Kind::Components, "headers") => Map(Kind::Header),
        (Kind::Components, "securitySchemes") => Map(Kind::SecurityScheme),
        (Kind::Components, "links") => Map(Kind::Link),
        (Kind::Components, "callbacks") => Map(Kind::Callback),
        (Kind::Components, "pathItems") => Map(Kind::PathItem),
        (Kind::Components, "mediaTypes") => Map(Kind::MediaType),
        (
            Kind::Schema,
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas",
        ) => Map(Kind::Schema),
        (Kind::Schema, "allOf" | "anyOf" | "oneOf" | "prefixItems") => List(Kind::Schema),
        (
            Kind::Schema,
            "items"
            | "additionalItems"
            | "additionalProperties"
            | "unevaluatedItems"
            | "unevaluatedProperties"
            | "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames"
            | "contentSchema",
        ) => One(Kind::Schema),
        _ => Nothing,
    }
}

/// Runs `visit` for every object of the document, outer ones first.
pub fn walk<'a>(document: &'a Value, visit: &mut impl FnMut(Kind, &Pointer, &'a Value)) {
    walk_from(Kind::Document, &Pointer::root(), document, visit);
}

/// Runs `visit` for `value`, an object of `kind` at `pointer`, and for every object within it.
pub fn walk_from<'a>(
    kind: Kind,
    pointer: &Pointer,
    value: &'a Value,
    visit: &mut impl FnMut(Kind, &Pointer, &'a Value),
) {
    walk_at(kind, &mut pointer.clone(), value, visit);
}

fn walk_at<'a>(
    kind: Kind,
    at: &mut Pointer,
    value: &'a Value,
    visit: &mut impl FnMut(Kind, &Pointer, &'a Value),
) {
    visit(kind, at, value);
    let Some(object) = value.as_object() else {
        return;
    };
    for (key, value) in object {
        let held = child_kind(kind, key);
        if held == ChildKind::Nothing {
            continue;
        }
        let above = at.down(key);
        match held {
            ChildKind::One(kind) => walk_at(kind, at, value, visit),
            ChildKind::Map(kind) => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    let above = at.down(name);
                    walk_at(kind, at, value, visit);
                    at.up(above);
                }
            }
            ChildKind::List(kind) => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    let above = at.down(&index.to_string());
                    walk_at(kind, at, value, visit);
                    at.up(above);
                }
            }
            ChildKind::Nothing => {}
        }
        at.up(above);
    }
}

/// Runs `visit` for every object of the document, inner ones first, so changes to an object are not visited.
pub fn walk_mut(document: &mut Value, visit: &mut impl FnMut(Kind, &Pointer, &mut Value)) {
    walk_mut_from(Kind::Document, &Pointer::root(), document, visit);
}

/// Runs `visit` for every object within `value`, an object of `kind` at `pointer`, and then for `value`.
pub fn walk_mut_from(
    kind: Kind,
    pointer: &Pointer,
    value: &mut Value,
    visit: &mut impl FnMut(Kind, &Pointer, &mut Value),
) {
    walk_mut_at(kind, &mut pointer.clone(), value, visit);
}

fn walk_mut_at(
    kind: Kind,
    at: &mut Pointer,
    value: &mut Value,
    visit: &mut impl FnMut(Kind, &Pointer, &mut Value),
) {
    for (key, value) in value.as_object_mut().into_iter().flatten() {
        let held = child_kind(kind, key);
        if held == ChildKind::Nothing {
            continue;
        }
        let above = at.down(key);
        match held {
            ChildKind::One(kind) => walk_mut_at(kind, at, value, visit),
            ChildKind::Map(kind) => {
                for (name, value) in value.as_object_mut().into_iter().flatten() {
                    let above = at.down(name);
                    walk_mut_at(kind, at, value, visit);
                    at.up(above);
                }
            }
            ChildKind::List(kind) => {
                for (index, value) in value.as_array_mut().into_iter().flatten().enumerate() {
                    let above = at.down(&index.to_string());
                    walk_mut_at(kind, at, value, visit);
                    at.up(above);
                }
            }
            ChildKind::Nothing => {}
        }
        at.up(above);
    }
    visit(kind, at, value);
}

/// Returns `components.schemas`, which is created if it is missing.
pub(crate) fn schemas_mut(document: &mut Value) -> Option<&mut Map<String, Value>> {
    let components = document
        .as_object_mut()?
        .entry("components")
        .or_insert_with(|| json!({}));
    components
        .as_object_mut()?
        .entry("schemas")
        .or_insert_with(|| json!({}))
        .as_object_mut()
}

/// Returns the value that a reference within the document refers to.
pub fn resolve<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    Pointer::from_ref(reference).and_then(|pointer| document.at(pointer.as_str()))
}

/// The maximum length of a chain of references. A longer one is a circle.
pub(super) const LONGEST_CHAIN: usize = 64;

/// Follows `$ref` until an object without one. Returns `None` if a reference dangles, or if they form a circle.
pub fn follow<'a>(document: &'a Value, mut value: &'a Value) -> Option<&'a Value> {
    for _ in 0..LONGEST_CHAIN {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => value = resolve(document, reference)?,
            None => return Some(value),
        }
    }
    None
}

/// Returns the object at a location and its own location, after following references.
pub fn locate<'a>(document: &'a Value, place: &Pointer) -> Option<(Pointer, &'a Value)> {
    let mut place = place.clone();
    for _ in 0..LONGEST_CHAIN {
        let value = document.at(place.as_str())?;
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => place = Pointer::from_ref(reference)?,
            None => return Some((place, value)),
        }
    }
    None
}

/// The end of a chain of references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// An object, or nothing.
    Ends,
    /// A reference that has been visited before.
    Circles,
    /// More than [`LONGEST_CHAIN`] references.
    TooLong,
}

/// Follows the references from `value` on.
pub(super) fn chain<'a>(document: &'a Value, mut value: &'a Value) -> Chain {
    let mut met = Vec::new();
    for _ in 0..LONGEST_CHAIN {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
            return Chain::Ends;
        };
        if met.contains(&reference) {
            return Chain::Circles;
        }
        met.push(reference);
        match resolve(document, reference) {
            Some(next) => value = next,
            None => return Chain::Ends,
        }
    }
    Chain::TooLong
}

/// An operation of a document.
#[derive(Clone, Debug)]
pub struct Operation<'a> {
    /// The path template, such as `/v1/call/{id}`.
    pub path: &'a str,
    /// The HTTP method in lower case.
    pub method: &'a str,
    /// The location of the Operation object.
    pub pointer: Pointer,
    /// The Operation object.
    pub object: &'a Value,
}

impl Operation<'_> {
    /// Returns the location of the path item.
    pub fn path_item(&self) -> Pointer {
        Pointer::root().join("paths").join(self.path)
    }

    /// Returns the operation id, if there is one.
    pub fn id(&self) -> Option<&str> {
        self.object.get("operationId").and_then(Value::as_str)
    }
}

/// Returns the operations under `paths` in the document's order. Webhooks and callbacks are operations of other
/// servers.
pub fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document.get("paths").and_then(Value::as_object);
    let items = paths
        .into_iter()
        .flatten()
        .filter(|(path, _)| path.starts_with('/'));
    items
        .flat_map(|(path, item)| {
            let pointer = Pointer::root().join("paths").join(path);
            let item = item.as_object().into_iter().flatten();
            item.filter(|(key, _)| METHODS.contains(&key.as_str()))
                .map(move |(method, object)| Operation {
                    path,
                    method,
                    pointer: pointer.join(method),
                    object,
                })
        })
        .collect()
}

/// Returns the named schemas of the document, in its order.
pub fn schemas(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    document
        .at("/components/schemas")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

/// Renames properties of an object schema.
pub(crate) fn rename_properties(
    object: &mut Map<String, Value>,
    renamed: &BTreeMap<String, String>,
) {
    let new_name = |name: &str| {
        renamed
            .get(name)
            .cloned()
            .unwrap_or_else(|| name.to_owned())
    };
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        *properties = std::mem::take(properties)
            .into_iter()
            .map(|(name, schema)| (new_name(&name), schema))
            .collect();
    }
    if let Some(Value::Array(required)) = object.get_mut("required") {
        for name in required {
            if let Some(text) = name.as_str() {
                *name = Value::String(new_name(text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn places(document: &Value, wanted: Kind) -> Vec<String> {
        let mut places = Vec::new();
        walk(document, &mut |kind, pointer, _| {
            if kind == wanted {
                places.push(pointer.to_string());
            }
        });
        places
    }

    #[test]
    fn walk_finds_schemas_only_at_their_locations() {
        let document = json!({
            "paths": {"/a": {"get": {
                "parameters": [{"schema": {}}],
                "responses": {"200": {"content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/A"},
                    "example": {"schema": {"type": "string"}},
                }}}},
            }, "x-schema": {"schema": {}}}},
            "components": {"schemas": {"A": {
                "properties": {"properties": {"items": {"items": true}}, "$ref": {"type": "string"}},
                "default": {"items": {}},
            }}},
        });
        assert_eq!(
            places(&document, Kind::Schema),
            [
                "/paths/~1a/get/parameters/0/schema",
                "/paths/~1a/get/responses/200/content/application~1json/schema",
                "/components/schemas/A",
                "/components/schemas/A/properties/properties",
                "/components/schemas/A/properties/properties/items",
                "/components/schemas/A/properties/properties/items/items",
                "/components/schemas/A/properties/$ref",
            ]
        );
    }

    #[test]
    fn walk_mut_visits_the_same_objects_inner_first() {
        let mut document = json!({"components": {"schemas": {"A": {"allOf": [{"items": {}}]}}}});
        let mut met = Vec::new();
        walk_mut(&mut document, &mut |kind, pointer, _| {
            if kind == Kind::Schema {
                met.push(pointer.to_string());
            }
        });
        let mut expected = places(&document, Kind::Schema);
        expected.reverse();
        assert_eq!(met, expected);
    }

    #[test]
    fn follow_circular_references_ends() {
        let document = json!({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}});
        assert_eq!(follow(&document, &json!({"$ref": "#/a"})), None);
    }
}
