//! Tests of the description of the operations: what the program, the sandbox and the reference know of a document.

#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::fs;
use std::path::Path;

use call_api_codegen::settings::Settings;
use call_api_codegen::stack::with_deep_stack;
use call_api_codegen::{Choices, Generated, description, generate_all, load};
use serde_json::{Value, json};

fn generated(document: &Value) -> Generated {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.json");
    fs::write(&path, document.to_string()).unwrap();
    let source = load::load(&path, Path::new("api.json"), "api.json").unwrap();
    let generate = || generate_all(source, &Settings::default(), Choices::default());
    with_deep_stack(generate).unwrap().unwrap()
}

fn operations(document: &Value) -> Vec<description::Operation> {
    generated(document).operations
}

/// Returns a document with an operation for each way in which a request is described.
fn document() -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let created = json!({
        "description": "The pet.",
        "content": {"application/json": {"schema": reference("Pet")}},
    });
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Pets", "version": "1"},
        "security": [{"key": []}],
        "paths": {"/pets/{pet-id}": {
            "parameters": [
                {"name": "pet-id", "in": "path", "required": true, "schema": {"type": "integer", "minimum": 1}},
            ],
            "get": {
                "operationId": "findPets",
                "summary": "Find pets",
                "deprecated": true,
                "security": [],
                "parameters": [
                    {"name": "kind", "in": "query", "schema": reference("Kind"), "example": "cat"},
                    {"name": "limit", "in": "query", "schema": {
                        "anyOf": [{"type": "integer", "maximum": 100}, {"type": "null"}],
                        "default": 20,
                    }},
                    {"name": "tags", "in": "query", "explode": false, "schema": {
                        "type": "array", "items": {"type": "string"},
                    }},
                    {"name": "range", "in": "query", "style": "deepObject", "required": true, "schema": {
                        "type": "object",
                        "required": ["from"],
                        "properties": {"from": {"type": "string", "format": "date"}},
                    }},
                    {"name": "X-Trace", "in": "header", "description": "An id of <trace> or [span].\n\n    GET /x", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {"description": "The pets.", "content": {
                        "text/csv": {},
                        "application/json": {"schema": {"type": "array", "items": reference("Pet")}},
                    }},
                    "default": {"$ref": "#/components/responses/Problem"},
                },
            },
            "post": {
                "operationId": "add_pet",
                "requestBody": {"content": {
                    "application/xml": {"schema": {"type": "string"}},
                    "application/json": {"schema": reference("Pet")},
                }},
                "responses": {"201": created, "204": {"description": "Nothing."}},
            },
        }},
        "components": {
            "schemas": {
                "Kind": {"type": "string", "enum": ["cat", "dog"]},
                "Pet": {
                    "allOf": [{"type": "object", "required": ["id"], "properties": {
                        "id": {"type": "integer", "readOnly": true, "description": "The id."},
                    }}],
                    "properties": {
                        "kind": reference("Kind"),
                        "friends": {"type": "array", "items": reference("Pet")},
                        "size": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
                    },
                },
            },
            "responses": {"Problem": {
                "description": "A problem.",
                "content": {"application/problem+json": {"example": {"title": "Too many pets"}}},
            }},
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        },
    })
}

#[test]
fn operations_are_described_as_the_client_sends_them() {
    insta::assert_json_snapshot!(operations(&document()));
}

#[test]
fn path_is_percent_encoded_except_for_its_parameters() {
    let document = json!({
        "openapi": "3.1.0",
        "info": {"title": "Pets", "version": "1"},
        "paths": {"/mäuse/{id}?mode={mode-of}": {"get": {
            "operationId": "get_mouse",
            "parameters": [
                {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}},
                {"name": "mode-of", "in": "path", "required": true, "schema": {"type": "string"}},
            ],
            "responses": {"204": {"description": "Nothing."}},
        }}},
    });
    let described = operations(&document);
    assert_eq!(described[0].path, "/m%C3%A4use/{id}?mode={mode-of}");
}

#[test]
fn generated_documentation_has_what_the_document_says() {
    let generated = generated(&document());
    let texts = generated
        .plan
        .outputs
        .iter()
        .map(|output| output.contents.as_str());
    let texts: Vec<&str> = texts.collect();
    for line in [
        "/// The schema `Pet`: object.",
        "/// The id. Only in responses.",
        "/// The property `friends`: list of `Pet`.",
        "/// The property `size` of the schema `Pet`: integer or string.",
        "/// Sets the query parameter `kind`: string.",
        "/// Sets the query parameter `limit`: integer, at most 100. The default is `20`.",
        "/// Sets the header `X-Trace`.",
        "/// An id of \\<trace> or \\[span\\].",
    ] {
        let is_there = texts
            .iter()
            .any(|text| text.lines().any(|other| other.trim() == line));
        assert!(is_there, "`{line}` is in no file");
    }
}
