//! Absent properties. To a service, absent, null, empty and the default are four different values; typify conflates some
//! of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Changes;
use super::media;
use super::parameters::is_anything;
use crate::media_type::is_json;
use crate::model::Model;
use crate::openapi::{Schema as _, parts_until};
use crate::pointer::{Lookup as _, Pointer};
use crate::subdocument::transitive_refs;
use crate::walk::{self, Kind};

/// Returns the locations of the schemas of request bodies.
pub(super) fn sent(document: &Value) -> BTreeSet<Pointer> {
    let bodies = media::bodies(document).into_iter().map(|(place, _)| place);
    schemas_of(document, bodies, |_| true)
}

/// Returns those that are sent as JSON. Of the parts of a form, these are the schemas inside a part: a part itself is
/// present or absent.
fn sent_as_json(document: &Value, model: &Model) -> BTreeSet<Pointer> {
    let is_multipart = |operation: &Pointer| {
        let operation = model.operations.get(operation);
        operation.is_some_and(|operation| operation.body.parts().is_some())
    };
    let (forms, bodies): (Vec<_>, Vec<_>) = media::bodies(document)
        .into_iter()
        .partition(|(_, operations)| operations.iter().any(is_multipart));
    let mut sent = schemas_of(
        document,
        bodies.into_iter().map(|(place, _)| place),
        is_json,
    );
    let parts = forms.iter().flat_map(|(place, _)| parts(document, place));
    sent.extend(transitive_refs(document, &parts.collect::<Vec<_>>()));
    sent
}

/// Returns the locations of all schemas: components, and those of requests and responses.
fn everywhere(document: &Value) -> BTreeSet<Pointer> {
    let mut roots: Vec<Pointer> = walk::schemas(document)
        .map(|(name, _)| Pointer::schema(name))
        .collect();
    let bodies = media::bodies(document).into_iter().map(|(place, _)| place);
    let owners = bodies.chain(responses(document));
    roots.extend(contents(document, owners, |_| true));
    transitive_refs(document, &roots)
}

/// Returns the schemas of the parts of a form.
fn parts(document: &Value, body: &Pointer) -> Vec<Pointer> {
    let schema = body.join("content").join("application/json").join("schema");
    let Some((place, schema)) = walk::locate(document, &schema) else {
        return Vec::new();
    };
    let properties = place.join("properties");
    let names = schema.properties().map(|(name, _)| properties.join(name));
    names.collect()
}

/// Returns the locations of the schemas of responses.
pub(super) fn received(document: &Value) -> BTreeSet<Pointer> {
    schemas_of(document, responses(document), |_| true)
}

/// Returns the locations of the responses of operations.
fn responses(document: &Value) -> Vec<Pointer> {
    let mut places = Vec::new();
    for operation in walk::operations(document) {
        let responses = operation.object.get("responses").and_then(Value::as_object);
        for (status, _) in responses.into_iter().flatten() {
            let entry = operation.pointer.join("responses").join(status);
            places.extend(walk::locate(document, &entry).map(|(place, _)| place));
        }
    }
    places
}

/// Returns the schemas in the `content` of the objects at these locations, and all schemas that they refer to.
fn schemas_of(
    document: &Value,
    owners: impl IntoIterator<Item = Pointer>,
    which: fn(&str) -> bool,
) -> BTreeSet<Pointer> {
    transitive_refs(document, &contents(document, owners, which))
}

/// Returns the locations of the schemas in the `content` of the objects at these locations.
fn contents(
    document: &Value,
    owners: impl IntoIterator<Item = Pointer>,
    which: fn(&str) -> bool,
) -> Vec<Pointer> {
    let mut schemas = Vec::new();
    for owner in owners {
        let content = owner.join("content");
        let types = document.at(content.as_str()).and_then(Value::as_object);
        for (name, _) in types.into_iter().flatten().filter(|(name, _)| which(name)) {
            schemas.push(content.join(name).join("schema"));
        }
    }
    schemas
}

/// Runs `visit` for each optional property of the object schemas at these locations and inside them, with the location
/// of the object, and the name and schema of the property.
fn each_optional(
    document: &Value,
    places: &BTreeSet<Pointer>,
    mut visit: impl FnMut(&Pointer, &str, &Value),
) {
    for root in places {
        let Some(value) = document.at(root.as_str()) else {
            continue;
        };
        walk::walk_from(Kind::Schema, root, value, &mut |kind, pointer, value| {
            let (Kind::Schema, Some(object)) = (kind, value.as_object()) else {
                return;
            };
            for (name, schema) in object.properties() {
                if !object.requires(name) {
                    visit(pointer, name, schema);
                }
            }
        });
    }
}

/// Returns the location of a property.
fn property(owner: &Pointer, name: &str) -> Pointer {
    owner.join("properties").join(name)
}

/// Removes defaults, which the service fills in; the generated documentation has them. A type with a default has it whenever
/// the property is absent, so a `PATCH` of one property would reset all others, and a response would be sent back with
/// more than was received. Constants stay in what is sent, because they distinguish the members of unions.
pub(super) fn unsent_defaults(document: &mut Value, changes: &mut Changes) {
    let sent = sent(document);
    let mut unsent = Vec::new();
    each_optional(document, &everywhere(document), |owner, name, schema| {
        let has_default = schema.get("default").is_some_and(|value| !value.is_null());
        let is_kept = || sent.contains(owner) && is_constant(document, schema);
        if has_default && !is_kept() {
            unsent.push(property(owner, name));
        }
    });
    for property in unsent {
        let schema = document.at_mut(property.as_str());
        let schema = schema.and_then(Value::as_object_mut);
        if schema.is_some_and(|schema| schema.remove("default").is_some()) {
            changes.at(&property.join("default"));
        }
    }
}

/// Returns true if the schema has a single value. Null is a second one.
fn is_constant(document: &Value, schema: &Value) -> bool {
    let all = parts_until(document, schema, |schema| schema.is_nullable());
    let is_single = |schema: &Value| schema.list("enum").len() == 1 && !schema.is_nullable();
    all.into_iter().any(is_single)
}

/// Adds the optional nullable properties to the model. typify does not distinguish null from absent; `postprocess`
/// gives these properties a type that does.
pub(super) fn absent_or_null(document: &mut Value, changes: &mut Changes) {
    let document = &*document;
    let places = sent_as_json(document, &changes.model);
    let mut nullable: BTreeMap<Pointer, Vec<String>> = BTreeMap::new();
    each_optional(document, &places, |owner, name, schema| {
        if takes_null(document, schema) {
            let names = nullable.entry(owner.clone()).or_default();
            if !names.iter().any(|other| other == name) {
                names.push(name.to_owned());
            }
        }
    });
    for (owner, names) in nullable {
        for name in &names {
            changes.at(&property(&owner, name));
        }
        changes.model.schema_mut(&owner).nullable = names;
    }
}

/// Returns true if null is a value of the schema.
pub(super) fn takes_null(document: &Value, schema: &Value) -> bool {
    let says_so = |schema: &Value| schema.is_nullable() || is_anything(schema);
    let all = parts_until(document, schema, says_so);
    let is_composed = |schema: &Value| !schema.parts().is_empty() || schema.get("$ref").is_some();
    all.into_iter()
        .all(|schema| says_so(schema) || is_composed(schema))
}

/// Makes optional lists and maps nullable. typify omits an empty one, so it could not be cleared, and an empty one that was
/// received would not be sent back; a nullable one becomes an `Option`.
pub(super) fn absent_or_empty(document: &mut Value, changes: &mut Changes) {
    let mut collections = Vec::new();
    each_optional(document, &everywhere(document), |owner, name, schema| {
        if schema.as_object().is_some_and(is_collection) {
            collections.push(property(owner, name));
        }
    });
    for property in collections {
        if let Some(schema) = document.at_mut(property.as_str()) {
            schema["nullable"] = json!(true);
            changes.at(&property);
        }
    }
}

/// Returns true if typify makes a list or a map of the schema, not a named type.
fn is_collection(schema: &Map<String, Value>) -> bool {
    let is_map = || {
        schema.properties().next().is_none()
            && ["allOf", "anyOf", "oneOf"]
                .iter()
                .all(|combinator| !schema.contains_key(*combinator))
    };
    !schema.is_nullable()
        && match schema.get("type").and_then(Value::as_str) {
            Some("array") => true,
            Some("object") => is_map(),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies a rule to a document in which `Patch` is sent as JSON, `Form` is sent as a form, `Both` is sent and
    /// received, and `Answer` is only received.
    fn applied(rule: fn(&mut Value, &mut Changes), properties: Value) -> Value {
        let of = |name: &str| json!({"schema": {"$ref": format!("#/components/schemas/{name}")}});
        let object = |required: &[&str]| json!({"type": "object", "required": required, "properties": properties.clone()});
        let mut document = json!({
            "paths": {"/a": {
                "patch": {
                    "operationId": "a",
                    "requestBody": {"content": {"application/json": {
                        "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Patch"}},
                    }}},
                    "responses": {"200": {"content": {"application/json": of("Answer")}}},
                },
                "put": {"operationId": "b", "requestBody": {"content": {"application/x-www-form-urlencoded": of("Form")}}},
            }},
            "components": {"schemas": {
                "Patch": {"type": "object", "required": ["must"], "properties": {"must": {"$ref": "#/components/schemas/Union"}}},
                "Union": {"oneOf": [{"$ref": "#/components/schemas/Both"}]},
                "Both": object(&["must"]),
                "Form": object(&[]),
                "Answer": {"properties": {"both": {"$ref": "#/components/schemas/Both"}, "own": {"properties": properties}}},
                "Null": {"type": "string", "nullable": true},
                "One": {"type": "string", "enum": ["one"]},
            }},
        });
        let mut changes = Changes::default();
        rule(&mut document, &mut changes);
        let schemas = &document["components"]["schemas"];
        let places: Vec<_> = changes.places.iter().map(Pointer::as_str).collect();
        let lost: Vec<_> = changes
            .unsupported
            .iter()
            .map(|loss| loss.pointer.as_str())
            .collect();
        let nullable: BTreeMap<&str, &Vec<String>> = changes
            .model
            .schemas
            .iter()
            .map(|(place, schema)| (place.as_str(), &schema.nullable))
            .collect();
        json!({
            "both": schemas["Both"],
            "form": schemas["Form"],
            "answer": schemas["Answer"]["properties"]["own"],
            "places": places,
            "lost": lost,
            "nullable": nullable,
        })
    }

    #[test]
    fn optional_defaults_are_removed_except_constants() {
        insta::assert_json_snapshot!(applied(
            unsent_defaults,
            json!({
                "must": {"type": "integer", "default": 1},
                "count": {"type": "integer", "default": 1},
                "null": {"type": "integer", "default": null},
                "kind": {"allOf": [{"$ref": "#/components/schemas/One"}], "default": "one"},
                "none": {"type": "string", "nullable": true, "enum": ["one"], "default": "one"},
            })
        ));
    }

    #[test]
    fn nullable_optional_properties_are_in_the_model() {
        insta::assert_json_snapshot!(applied(
            absent_or_null,
            json!({
                "must": {"type": "string", "nullable": true},
                "may": {"type": "string", "nullable": true},
                "other": {"$ref": "#/components/schemas/Null"},
                "wrapped": {"allOf": [{"$ref": "#/components/schemas/Null"}]},
                "anything": {"description": "any value"},
                "never": {"type": "string"},
            })
        ));
    }

    #[test]
    fn optional_list_is_an_option() {
        insta::assert_json_snapshot!(applied(
            absent_or_empty,
            json!({
                "must": {"type": "array", "items": {}},
                "list": {"type": "array", "items": {}},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "any": {"type": "object", "properties": {}},
                "null": {"type": "array", "nullable": true, "items": {}},
                "object": {"type": "object", "properties": {"a": {}}},
                "named": {"$ref": "#/components/schemas/Null"},
            })
        ));
    }
}
