//! The parts of a document that the types and the client depend on.

use std::collections::BTreeSet;
use std::mem;

use openapiv3::{
    AnySchema, Components, ObjectType, OpenAPI, ReferenceOr, Schema, SchemaData, SchemaKind, Type,
};
use serde_json::{Map, Value};

use crate::openapi::Schema as _;
use crate::pointer::{Lookup as _, Pointer};
use crate::walk::{self, ChildKind, Kind};

/// Splits a document into the schemas, and the operations with the schemas that they refer to. `document` is the same one.
///
/// In the second part, a struct has one property: the client depends only on its name and on whether it has a builder, and
/// progenitor writes the code of all types with the client.
pub(super) fn split(mut api: OpenAPI, document: &Value) -> (OpenAPI, OpenAPI) {
    let mut declares_types = false;
    let mut waiting = Vec::new();
    each_schema(document, &mut |schema| {
        declares_types |= may_declare_type(schema);
        waiting.extend(schema.reference());
    });
    let mut requests = OpenAPI {
        openapi: api.openapi.clone(),
        info: api.info.clone(),
        paths: if declares_types {
            api.paths.clone()
        } else {
            mem::take(&mut api.paths)
        },
        ..OpenAPI::default()
    };
    if let Some(components) = &api.components {
        requests.components = Some(used(components, waiting, document));
    }
    (api, requests)
}

/// Returns the components with the schemas at these locations, and with those that they refer to unless they are structs.
fn used(components: &Components, mut waiting: Vec<Pointer>, document: &Value) -> Components {
    let mut reached = BTreeSet::new();
    while let Some(place) = waiting.pop() {
        let name = place.tokens().nth(2).unwrap_or_default();
        let Some(schema) = components.schemas.get(&name) else {
            continue;
        };
        let place = Pointer::schema(&name);
        if reached.insert(name)
            && !is_struct(schema)
            && let Some(schema) = document.at(place.as_str())
        {
            walk::walk_from(Kind::Schema, &place, schema, &mut |_, _, schema| {
                waiting.extend(schema.reference());
            });
        }
    }
    let schemas = components.schemas.iter();
    let schemas = schemas.filter(|(name, _)| reached.contains(*name));
    let schemas = schemas.map(|(name, schema)| {
        let schema = if is_struct(schema) {
            ReferenceOr::Item(one_property())
        } else {
            schema.clone()
        };
        (name.clone(), schema)
    });
    Components {
        schemas: schemas.collect(),
        responses: components.responses.clone(),
        parameters: components.parameters.clone(),
        request_bodies: components.request_bodies.clone(),
        headers: components.headers.clone(),
        ..Components::default()
    }
}

/// Returns true if typify may make a named type of a schema in an operation. `normalize` has made components of nearly
/// all such schemas.
fn may_declare_type(schema: &Value) -> bool {
    let mut keywords = schema.as_object().into_iter().flatten();
    keywords.any(|(keyword, value)| {
        let is_map = keyword == "properties" && value.as_object().is_some_and(Map::is_empty);
        // A composition of one schema is that schema. It is visited, too.
        let is_one = keyword == "allOf" && value.as_array().is_some_and(|list| list.len() == 1);
        !is_map && !is_one && !NAMELESS.contains(&keyword.as_str()) && !keyword.starts_with("x-")
    })
}

/// The keywords with which a schema is a reference, or a type without a name.
const NAMELESS: [&str; 13] = [
    "$ref",
    "additionalProperties",
    "default",
    "deprecated",
    "description",
    "example",
    "format",
    "items",
    "minimum",
    "nullable",
    "readOnly",
    "type",
    "writeOnly",
];

/// Runs `visit` for each schema outside of `components.schemas`.
fn each_schema(document: &Value, visit: &mut dyn FnMut(&Value)) {
    let mut visit = |kind: Kind, _: &Pointer, value: &Value| {
        if kind == Kind::Schema {
            visit(value);
        }
    };
    let root = Pointer::root();
    if let Some(paths) = document.get("paths") {
        walk::walk_from(Kind::Paths, &root, paths, &mut visit);
    }
    let components = document.get("components").and_then(Value::as_object);
    for (key, objects) in components.into_iter().flatten() {
        let ChildKind::Map(kind) = walk::child_kind(Kind::Components, key) else {
            continue;
        };
        let objects = objects.as_object().filter(|_| kind != Kind::Schema);
        for object in objects.into_iter().flatten().map(|(_, object)| object) {
            walk::walk_from(kind, &root, object, &mut visit);
        }
    }
}

/// Returns true if typify makes a struct with a builder of the schema. Of a nullable object, it makes a tuple struct.
fn is_struct(schema: &ReferenceOr<Schema>) -> bool {
    let ReferenceOr::Item(schema) = schema else {
        return false;
    };
    let is_object = matches!(&schema.schema_kind, SchemaKind::Type(Type::Object(object)) if !object.properties.is_empty());
    is_object && !schema.schema_data.nullable
}

/// Returns the schema of an object with one property.
fn one_property() -> Schema {
    let any = Schema {
        schema_data: SchemaData::default(),
        schema_kind: SchemaKind::Any(AnySchema::default()),
    };
    let object = ObjectType {
        properties: [("x".to_owned(), ReferenceOr::boxed_item(any))]
            .into_iter()
            .collect(),
        ..ObjectType::default()
    };
    Schema {
        schema_data: SchemaData::default(),
        schema_kind: SchemaKind::Type(Type::Object(object)),
    }
}
