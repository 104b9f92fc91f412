//! Tests of `[names]` in codegen.toml: renamed parts of a document keep their public names, and the wire has the new ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics fails"
)]

use std::fs;
use std::path::Path;

use call_api_codegen::layout::{CLIENT, TYPES};
use call_api_codegen::load;
use call_api_codegen::settings::{self, Settings};
use call_api_codegen::stack::with_deep_stack;
use call_api_codegen::{Choices, Generated, generate_all};
use serde_json::{Value, json};

/// Generates `document` with these settings. An error has the text of all problems.
fn generate(document: &Value, settings: &str) -> Result<Generated, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.json");
    fs::write(&path, document.to_string()).unwrap();
    fs::write(folder.path().join(settings::FILE), settings).unwrap();
    let shown = Path::new("api.json");
    let source = load::load(&path, shown, "api.json").unwrap();
    let settings: Settings = settings::load(&path, shown).unwrap();
    let generated = with_deep_stack(|| generate_all(source, &settings, Choices::default()));
    generated.unwrap().map_err(|problems| problems.to_string())
}

fn output(generated: &Generated, path: &str) -> String {
    let mut outputs = generated.plan.outputs.iter();
    let output = outputs.find(|output| output.path == Path::new(path));
    output.unwrap().contents.clone()
}

fn document() -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Pets", "version": "2"},
        "paths": {"/pets": {"get": {
            "operationId": "search_pets",
            "parameters": [{"name": "max_results", "in": "query", "schema": {"type": "integer"}}],
            "responses": {"200": {"description": "", "content": {"application/json": {
                "schema": {"type": "array", "items": reference("AnimalOut")},
            }}}},
        }}},
        "components": {"schemas": {
            "AnimalOut": {
                "oneOf": [reference("CatOut"), reference("DogOut")],
                "discriminator": {"propertyName": "kind"},
            },
            "CatOut": {
                "type": "object",
                "required": ["kind", "full_name"],
                "properties": {
                    "kind": {"type": "string"},
                    "full_name": {"type": "string"},
                    "mood": reference("Mood"),
                    "home_address": {"type": "object", "properties": {"town": {"type": "string"}}},
                },
            },
            "DogOut": {
                "type": "object",
                "required": ["kind"],
                "properties": {"kind": {"type": "string"}},
            },
            "Mood": {"type": "string", "enum": ["so-so", "cheerful"]},
        }},
    })
}

const PINS: &str = r#"
[names.schemas]
AnimalOut = "Animal"
CatOut = "Cat"

[names.operations]
search_pets = "list_pets"

[names.properties.Cat]
full_name = "name"
home_address = "home"

[names.values.Mood]
cheerful = "happy"

[names.parameters.list_pets]
max_results = "limit"
"#;

#[test]
fn pinned_names_are_public_and_the_document_s_are_on_the_wire() {
    let generated = generate(&document(), PINS).unwrap();
    let types = output(&generated, TYPES);
    for expected in [
        "pub struct Cat ",
        "pub enum Animal ",
        "pub name: ",
        "\"full_name\"",
        "pub home: ",
        "Happy",
        "\"cheerful\"",
        // A discriminator without a mapping compares with the document's names.
        "\"CatOut\"",
        "\"DogOut\"",
    ] {
        assert!(types.contains(expected), "no {expected} in {types}");
    }
    for gone in [
        "pub struct CatOut",
        "AnimalOut",
        "pub full_name: ",
        "Cheerful",
    ] {
        assert!(!types.contains(gone), "{gone} in {types}");
    }
    let client = output(&generated, CLIENT);
    for expected in ["pub fn list_pets", "pub fn limit", "\"max_results\""] {
        assert!(client.contains(expected), "no {expected} in {client}");
    }
    assert!(!client.contains("search_pets"), "{client}");
}

#[test]
fn pinned_path_parameter_is_an_argument_of_that_name() {
    let mut document = document();
    document["paths"] = json!({"/pets/{pet_id}": {
        "parameters": [{"name": "pet_id", "in": "path", "required": true, "schema": {"type": "string"}}],
        "get": {"operationId": "get_pet", "responses": {"204": {"description": ""}}},
        "delete": {"operationId": "delete_pet", "responses": {"204": {"description": ""}}},
    }});
    let pin = |operation: &str, name: &str| {
        format!("[names.parameters.{operation}]\npet_id = \"{name}\"\n")
    };
    let both = pin("get_pet", "id") + &pin("delete_pet", "id");
    let generated = generate(&document, &both).unwrap();
    let client = output(&generated, CLIENT);
    assert_eq!(
        client.matches("id: impl ::std::convert::Into").count(),
        2,
        "{client}"
    );
    assert!(!client.contains("pet_id"), "{client}");
    assert!(client.contains("\"{}/pets/{}\""), "{client}");

    // The operations of a path share its template.
    let error = generate(
        &document,
        &(pin("get_pet", "id") + &pin("delete_pet", "pet")),
    )
    .unwrap_err();
    insta::assert_snapshot!(error);
}

#[test]
fn pin_of_a_path_parameter_whose_name_is_taken_is_an_error() {
    let operation = |id: &str, more: Value| {
        let path =
            json!({"name": "a", "in": "path", "required": true, "schema": {"type": "string"}});
        let other =
            json!({"name": "b", "in": "path", "required": true, "schema": {"type": "string"}});
        let parameters = match id {
            "both" => json!([path, other]),
            _ if more.is_null() => json!([path]),
            _ => json!([path, more]),
        };
        json!({"operationId": id, "parameters": parameters, "responses": {"204": {"description": ""}}})
    };
    let query = json!({"name": "id", "in": "query", "schema": {"type": "string"}});
    let mut document = document();
    document["paths"] = json!({
        "/both/{a}/{b}": {"get": operation("both", Value::Null)},
        "/query/{a}": {"get": operation("query", query)},
        "/path/{a}": {"get": operation("path", Value::Null)},
        "/path/{id}": {"delete": {
            "operationId": "other",
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
            "responses": {"204": {"description": ""}},
        }},
    });
    for (operation, pins, refused) in [
        ("both", "a = \"id\"\nb = \"ID\"", "`both.b` to `ID`"),
        ("both", "a = \"B\"", "`both.a` to `B`"),
        ("query", "a = \"id\"", "`query.a` to `id`"),
        ("path", "a = \"id\"", "`path.a` to `id`"),
    ] {
        let settings = format!("[names.parameters.{operation}]\n{pins}\n");
        let error = generate(&document, &settings).unwrap_err();
        assert!(error.contains(refused), "{pins}: {error}");
        assert_eq!(error.matches("error:").count(), 1, "{pins}: {error}");
    }
}

#[test]
fn pin_of_nothing_is_an_error() {
    let settings = "[names.schemas]\nBird = \"Fowl\"\nDogOut = \"CatOut\"\n[names.properties.CatOut]\nage = \"years\"\n";
    let error = generate(&document(), settings).unwrap_err();
    insta::assert_snapshot!(error);
}

#[test]
fn schema_pinned_to_its_earlier_name_generates_the_same_types() {
    let renamed = document();
    let text = renamed.to_string();
    let before: Value = serde_json::from_str(
        &text
            .replace("CatOut", "Cat")
            .replace("AnimalOut", "Animal")
            .replace("full_name", "name")
            .replace("search_pets", "list_pets"),
    )
    .unwrap();
    let pins = "[names.schemas]\nAnimalOut = \"Animal\"\nCatOut = \"Cat\"\n[names.operations]\nsearch_pets = \"list_pets\"\n\
                [names.properties.Cat]\nfull_name = \"name\"\n";
    let (before, after) = (
        generate(&before, "").unwrap(),
        generate(&renamed, pins).unwrap(),
    );
    let items = |generated: &Generated| {
        let types = output(generated, TYPES);
        let names = types.lines().map(str::trim).filter(|line| {
            ["pub struct", "pub enum", "pub fn", "pub mod"]
                .iter()
                .any(|start| line.starts_with(start))
        });
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(items(&before), items(&after));
}
