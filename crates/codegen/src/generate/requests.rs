//! The part of a document that the client depends on.

use std::collections::BTreeSet;

use openapiv3::{
    AdditionalProperties, AnySchema, Components, ObjectType, OpenAPI, ReferenceOr, Schema,
    SchemaData, SchemaKind, Type,
};
use serde_json::Value;

use crate::pointer::Pointer;
use crate::walk::{self, ChildKind, Kind};

/// Returns the operations of a document, with the schemas that they refer to. A struct has one property: the client
/// depends on its name only, and progenitor writes the code of all types with the client. `document` is the same one.
pub(super) fn only(api: &OpenAPI, document: &Value) -> OpenAPI {
    let mut requests = OpenAPI {
        openapi: api.openapi.clone(),
        info: api.info.clone(),
        paths: api.paths.clone(),
        ..OpenAPI::default()
    };
    let Some(components) = &api.components else {
        return requests;
    };
    let mut schemas = BTreeSet::new();
    let mut rest = referred(document);
    while let Some(name) = rest.pop() {
        if schemas.contains(&name) {
            continue;
        }
        match components.schemas.get(&name) {
            Some(schema) if !is_struct(schema) => references(schema, &mut rest),
            Some(_) => {}
            None => continue,
        }
        schemas.insert(name);
    }
    let used = components.schemas.iter();
    let used = used.filter(|(name, _)| schemas.contains(*name));
    let used = used.map(|(name, schema)| {
        let schema = if is_struct(schema) {
            ReferenceOr::Item(one_property())
        } else {
            schema.clone()
        };
        (name.clone(), schema)
    });
    requests.components = Some(Components {
        schemas: used.collect(),
        responses: components.responses.clone(),
        parameters: components.parameters.clone(),
        request_bodies: components.request_bodies.clone(),
        headers: components.headers.clone(),
        ..Components::default()
    });
    requests
}

/// Returns true if typify may make a named type of a schema in an operation. `normalize` has made components of nearly
/// all such schemas.
pub(super) fn declare_types(document: &Value) -> bool {
    let mut declares = false;
    each_schema(document, &mut |schema| {
        let keywords = schema.as_object().into_iter().flatten();
        declares |= keywords
            .map(|(keyword, _)| keyword.as_str())
            .any(|keyword| !NAMELESS.contains(&keyword) && !keyword.starts_with("x-"));
    });
    declares
}

/// The keywords with which a schema is a reference, or a type without a name.
const NAMELESS: [&str; 12] = [
    "$ref",
    "additionalProperties",
    "default",
    "deprecated",
    "description",
    "example",
    "format",
    "items",
    "nullable",
    "readOnly",
    "type",
    "writeOnly",
];

/// Returns the names of the schemas that other objects than schemas refer to.
fn referred(document: &Value) -> Vec<String> {
    let mut names = Vec::new();
    each_schema(document, &mut |schema| {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            names.extend(name(reference));
        }
    });
    names
}

/// Calls `visit` for each schema outside of `components.schemas`.
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

/// Returns the name of the schema that a reference refers to.
fn name(reference: &str) -> Option<String> {
    Pointer::from_ref(reference)?.tokens().nth(2)
}

/// Returns true if typify makes a struct with a builder of the schema. Of a nullable object, it makes a tuple struct.
fn is_struct(schema: &ReferenceOr<Schema>) -> bool {
    let ReferenceOr::Item(schema) = schema else {
        return false;
    };
    let is_object = matches!(&schema.schema_kind, SchemaKind::Type(Type::Object(object)) if !object.properties.is_empty());
    is_object && !schema.schema_data.nullable
}

/// Adds the names of the schemas that a schema refers to.
fn references(schema: &ReferenceOr<Schema>, names: &mut Vec<String>) {
    let schema = match schema {
        ReferenceOr::Reference { reference } => return names.extend(name(reference)),
        ReferenceOr::Item(schema) => schema,
    };
    match &schema.schema_kind {
        SchemaKind::Type(Type::Array(array)) => {
            array.items.iter().for_each(|items| boxed(items, names));
        }
        SchemaKind::Type(Type::Object(object)) => {
            object
                .properties
                .values()
                .for_each(|property| boxed(property, names));
            additional(object.additional_properties.as_ref(), names);
        }
        SchemaKind::Type(_) => {}
        SchemaKind::OneOf { one_of: members }
        | SchemaKind::AllOf { all_of: members }
        | SchemaKind::AnyOf { any_of: members } => {
            members.iter().for_each(|member| references(member, names));
        }
        SchemaKind::Not { not } => references(not, names),
        SchemaKind::Any(any) => {
            let members = [&any.one_of, &any.all_of, &any.any_of];
            for member in members.into_iter().flatten().chain(any.not.as_deref()) {
                references(member, names);
            }
            let properties = any.properties.values().chain(&any.items);
            properties.for_each(|property| boxed(property, names));
            additional(any.additional_properties.as_ref(), names);
        }
    }
}

fn boxed(schema: &ReferenceOr<Box<Schema>>, names: &mut Vec<String>) {
    match schema {
        ReferenceOr::Reference { reference } => names.extend(name(reference)),
        ReferenceOr::Item(_) => references(&schema.clone().unbox(), names),
    }
}

fn additional(schema: Option<&AdditionalProperties>, names: &mut Vec<String>) {
    if let Some(AdditionalProperties::Schema(schema)) = schema {
        references(schema, names);
    }
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
