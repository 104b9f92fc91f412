//! Every document that can't be generated from is answered with file, place, cause and remedy, exit code 100, and
//! nothing written.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use std::fs;

use call_api_codegen::{Options, Outcome};
use common::run;
use serde_json::{Value, json};

/// What codegen says of a document, which is written as `name`.
#[track_caller]
fn said(name: &str, text: &str) -> String {
    said_by(name, text, false)
}

#[track_caller]
fn said_by(name: &str, text: &str, strict: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join(name);
    fs::write(&spec, text).unwrap();
    let out = folder.path().join("out");
    let (outcome, report) = run(&Options {
        spec: Some(spec),
        choices: call_api_codegen::Choices { strict },
        out: Some(out.clone()),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Failed, "{report}");
    assert_eq!(outcome as u8, 100);
    assert!(!out.exists(), "nothing is written");
    // The folder has another name each time.
    report.replace(&format!("{}/", folder.path().display()), "")
}

/// A sound document with something changed.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {"title": "Pets", "version": "1"},
        "paths": {"/pets/{id}": {"get": {
            "operationId": "get_pet",
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
            "responses": {"200": {"description": "A pet", "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/Pet"},
            }}}},
        }}},
        "components": {"schemas": {
            "Pet": {"type": "object", "properties": {"name": {"type": "string"}, "owner": {"$ref": "#/components/schemas/Owner"}}},
            "Owner": {"type": "object", "properties": {"name": {"type": "string"}}},
        }},
    });
    change(&mut document);
    serde_json::to_string_pretty(&document).unwrap()
}

#[test]
fn a_file_that_is_not_there() {
    let (outcome, report) = run(&Options {
        spec: Some("no/such/document.json".into()),
        out: Some("out".into()),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Failed);
    insta::assert_snapshot!(report);
}

#[test]
fn a_folder_that_is_somebody_elses() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("Cargo.toml"),
        "[package]\nname = \"mine\"\n",
    )
    .unwrap();
    let (outcome, report) = run(&Options {
        spec: Some(common::root().join(common::SPEC)),
        out: Some(folder.path().to_owned()),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Failed);
    insta::assert_snapshot!(report.replace(&folder.path().display().to_string(), "[folder]"));
    assert!(
        fs::read_to_string(folder.path().join("Cargo.toml"))
            .unwrap()
            .contains("mine")
    );
}

#[test]
fn broken_json() {
    insta::assert_snapshot!(said("pets.json", "{\n  \"openapi\": \"3.1.0\",\n}"));
}

#[test]
fn broken_yaml() {
    insta::assert_snapshot!(said("pets.yaml", "openapi: 3.1.0\ninfo: [a\npaths: {}\n"));
}

#[test]
fn a_key_twice_in_yaml() {
    insta::assert_snapshot!(said("pets.yaml", "openapi: 3.1.0\ninfo: {}\ninfo: {}\n"));
}

#[test]
fn not_utf_8() {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("pets.json");
    fs::write(&spec, b"{\n\"title\": \"\xff\"}").unwrap();
    let (outcome, report) = run(&Options {
        spec: Some(spec),
        out: Some("out".into()),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Failed);
    insta::assert_snapshot!(report.replace(&format!("{}/", folder.path().display()), ""));
}

#[test]
fn nesting_without_end() {
    insta::assert_snapshot!(said("pets.json", &"[".repeat(100_000)));
    insta::assert_snapshot!(said("pets.yaml", &"[".repeat(100_000)));
}

#[test]
fn swagger_2() {
    insta::assert_snapshot!(said(
        "pets.json",
        r#"{"swagger": "2.0", "info": {"title": "Pets", "version": "1"}, "paths": {}}"#
    ));
}

#[test]
fn another_version() {
    insta::assert_snapshot!(said(
        "pets.json",
        &changed(|document| document["openapi"] = json!("3.3.0"))
    ));
}

#[test]
fn no_openapi_document() {
    insta::assert_snapshot!(said("pets.json", "[]"));
    insta::assert_snapshot!(said("pets.json", "{}"));
}

#[test]
fn parts_of_the_wrong_kind() {
    insta::assert_snapshot!(said(
        "pets.json",
        &changed(|document| {
            document["info"] = json!({"title": true});
            document["components"]["schemas"]["Owner"] = json!("a person");
            document["paths"]["/pets/{id}"]["put"] = json!([]);
        })
    ));
}

#[test]
fn a_dangling_reference() {
    insta::assert_snapshot!(said(
        "pets.json",
        &changed(|document| {
            document["components"]["schemas"]["Pet"]["properties"]["owner"] =
                json!({"$ref": "#/components/schemas/Owners"});
        })
    ));
}

#[test]
fn a_reference_out_of_the_document() {
    insta::assert_snapshot!(said(
        "pets.json",
        &changed(|document| {
            document["components"]["schemas"]["Owner"] =
                json!({"$ref": "https://example.com/owner.json"});
        })
    ));
}

#[test]
fn a_reference_to_itself() {
    insta::assert_snapshot!(said(
        "pets.json",
        &changed(|document| {
            document["components"]["schemas"]["Owner"] =
                json!({"$ref": "#/components/schemas/Owner"});
        })
    ));
}

#[test]
fn a_reference_through_too_many_others() {
    let said = said(
        "pets.json",
        &changed(|document| {
            for index in 0..70 {
                document["components"]["schemas"][format!("Alias{index}")] =
                    json!({"$ref": format!("#/components/schemas/Alias{}", index + 1)});
            }
            document["components"]["schemas"]["Alias70"] = json!({"type": "string"});
        }),
    );
    insta::assert_snapshot!(said.lines().take(3).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_missing_operation_id() {
    insta::assert_snapshot!(said_by(
        "pets.json",
        &changed(|document| {
            document["paths"]["/pets/{id}"]["delete"] = json!({"responses": {}});
        }),
        true
    ));
}

#[test]
fn a_duplicate_operation_id() {
    insta::assert_snapshot!(said_by(
        "pets.json",
        &changed(|document| {
            document["paths"]["/cats/{id}"] = document["paths"]["/pets/{id}"].clone();
        }),
        true
    ));
}

#[test]
fn two_ids_of_one_method() {
    insta::assert_snapshot!(said_by(
        "pets.json",
        &changed(|document| {
            document["paths"]["/cats/{id}"] = document["paths"]["/pets/{id}"].clone();
            document["paths"]["/cats/{id}"]["get"]["operationId"] = json!("getPet");
        }),
        true
    ));
}

#[test]
fn equal_and_missing_operation_ids_are_named_by_method_and_path() {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("pets.json");
    let text = changed(|document| {
        document["paths"]["/pets/{id}"]["delete"] = json!({"responses": {}});
        document["paths"]["/cats/{id}"] =
            json!({"get": document["paths"]["/pets/{id}"]["get"].clone()});
    });
    fs::write(&spec, text).unwrap();
    let (outcome, report) = run(&Options {
        spec: Some(spec),
        out: Some(folder.path().join("out")),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    let unsupported = fs::read_to_string(folder.path().join("out/pets.unsupported.md")).unwrap();
    for id in ["delete_pets_by_id", "get_pets_by_id", "get_cats_by_id"] {
        assert!(unsupported.contains(&format!("`{id}`")), "{unsupported}");
    }
}

#[test]
fn what_can_not_be_lowered() {
    insta::assert_snapshot!(said(
        "pets.json",
        &changed(|document| {
            document["components"]["schemas"]["Owner"]["properties"]["name"] =
                json!({"$dynamicRef": "#/components/schemas/Pet"});
        })
    ));
}

/// Its length is seen before anything is made of it, so it may as well be empty space.
#[test]
fn a_document_of_fifty_mebibytes() {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("pets.json");
    let file = fs::File::create(&spec).unwrap();
    file.set_len(50 << 20).unwrap();
    let (outcome, report) = run(&Options {
        spec: Some(spec),
        out: Some(folder.path().join("out")),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Failed, "{report}");
    insta::assert_snapshot!(report.replace(&format!("{}/", folder.path().display()), ""));
}

/// Left out and reported, unless the maintainer wants to know at once.
#[test]
fn a_schema_that_defeats_the_generator_is_an_error_if_asked_for() {
    insta::assert_snapshot!(said_by(
        "pets.json",
        &changed(|document| document["components"]["schemas"]["Owner"]["required"] = json!("name")),
        true,
    ));
}

#[test]
fn an_operation_that_progenitor_panics_on_is_an_error_if_asked_for() {
    insta::assert_snapshot!(said_by(
        "pets.json",
        &changed(|document| {
            let operation = &mut document["paths"]["/pets/{id}"]["get"];
            operation["x-dropshot-websocket"] = json!({});
            operation["responses"]["200"]["content"]["application/json"] = json!({});
        }),
        true,
    ));
}
