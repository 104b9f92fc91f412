//! The structure of an OpenAPI document: which keys hold schemas, operations, parameters …
//!
//! A document can't be walked blindly: a property may be called `$ref`, an example may look like a schema. So one table
//! says what each object's keys hold, after the specification's section 4.8 (3.1, 3.2) and 4.7 (3.0), and every step that
//! looks for something walks by it.

use serde_json::{Map, Value, json};

use crate::pointer::Pointer;

/// The objects of the specification that the steps tell apart.
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

/// Calls `visit` for every object of the document, the outer before the inner.
pub fn walk(document: &Value, visit: &mut impl FnMut(Kind, &Pointer, &Value)) {
    walk_from(Kind::Document, &Pointer::root(), document, visit);
}

/// Calls `visit` for `value`, an object of `kind` at `pointer`, and for every object within it.
pub fn walk_from(
    kind: Kind,
    pointer: &Pointer,
    value: &Value,
    visit: &mut impl FnMut(Kind, &Pointer, &Value),
) {
    walk_at(kind, &mut pointer.clone(), value, visit);
}

fn walk_at(
    kind: Kind,
    at: &mut Pointer,
    value: &Value,
    visit: &mut impl FnMut(Kind, &Pointer, &Value),
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

/// Calls `visit` for every object of the document, the inner before the outer, so that a change made to an object is
/// not visited itself.
pub fn walk_mut(document: &mut Value, visit: &mut impl FnMut(Kind, &Pointer, &mut Value)) {
    walk_mut_from(Kind::Document, &Pointer::root(), document, visit);
}

/// Calls `visit` for every object within `value`, an object of `kind` at `pointer`, and then for `value`.
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

/// The value that a reference within the document names.
pub fn resolve<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    Pointer::from_ref(reference).and_then(|pointer| document.pointer(pointer.as_str()))
}

/// A chain of references that is longer than this is a circle.
pub(super) const LONGEST_CHAIN: usize = 64;

/// Follows `$ref` from `value` until an object that has none; `None` where one dangles or they form a circle.
pub fn follow<'a>(document: &'a Value, mut value: &'a Value) -> Option<&'a Value> {
    for _ in 0..LONGEST_CHAIN {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => value = resolve(document, reference)?,
            None => return Some(value),
        }
    }
    None
}

/// The object at a place, and its own place, after references.
pub fn locate<'a>(document: &'a Value, place: &Pointer) -> Option<(Pointer, &'a Value)> {
    let mut place = place.clone();
    for _ in 0..LONGEST_CHAIN {
        let value = document.pointer(place.as_str())?;
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
    /// To an object, or nowhere.
    Ends,
    /// Back to one of them.
    Circles,
    /// Through more than [`LONGEST_CHAIN`] of them.
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

/// One operation of the document and where it stands.
#[derive(Clone, Debug)]
pub struct Operation<'a> {
    /// The path template, such as `/v1/call/{id}`.
    pub path: &'a str,
    /// The HTTP method, in lower case.
    pub method: &'a str,
    /// The place of the Operation object.
    pub pointer: Pointer,
    /// The Operation object.
    pub object: &'a Value,
}

impl Operation<'_> {
    /// The place of the Path Item object that it is in.
    pub fn path_item(&self) -> Pointer {
        Pointer::root().join("paths").join(self.path)
    }

    /// The operation's id, where it has one.
    pub fn id(&self) -> Option<&str> {
        self.object.get("operationId").and_then(Value::as_str)
    }
}

/// The operations below `paths`, in the document's order (webhooks and callbacks are the caller's to serve, not to call).
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

/// The named schemas of the document, in its order.
pub fn schemas(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    document
        .pointer("/components/schemas")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
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
    fn schemas_are_found_where_they_are_and_nowhere_else() {
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
    fn the_mutable_walk_meets_the_same_objects_inner_ones_first() {
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
    fn a_circle_of_references_is_not_followed_for_ever() {
        let document = json!({"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}});
        assert_eq!(follow(&document, &json!({"$ref": "#/a"})), None);
    }
}
