//! An invalid document fails with file, location, cause and remedy, exit code 100, and no output.

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

/// Returns the report of a failed run on a document, written to a file `name`.
#[track_caller]
fn failure_report(name: &str, text: &str) -> String {
    failure_report_of(name, text, false)
}

#[track_caller]
fn failure_report_of(name: &str, text: &str, strict: bool) -> String {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join(name);
    fs::write(&spec, text).unwrap();
    let out = folder.path().join("out");
    let (outcome, report) = run(&Options {
        spec: Some(spec),
        choices: call_api_codegen::Choices {
            strict,
            ..call_api_codegen::Choices::default()
        },
        out: Some(out.clone()),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Failed, "{report}");
    assert_eq!(outcome as u8, 100);
    assert!(!out.exists(), "nothing is written");
    // The name of the folder varies.
    report.replace(&format!("{}/", folder.path().display()), "")
}

/// Returns a valid document after `change`.
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
fn missing_file() {
    let (outcome, report) = run(&Options {
        spec: Some("no/such/document.json".into()),
        out: Some("out".into()),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Failed);
    insta::assert_snapshot!(report);
}

#[test]
fn folder_of_another_project_is_not_overwritten() {
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
fn invalid_json() {
    insta::assert_snapshot!(failure_report(
        "pets.json",
        "{\n  \"openapi\": \"3.1.0\",\n}"
    ));
}

#[test]
fn invalid_yaml() {
    insta::assert_snapshot!(failure_report(
        "pets.yaml",
        "openapi: 3.1.0\ninfo: [a\npaths: {}\n"
    ));
}

#[test]
fn duplicate_key_in_yaml() {
    insta::assert_snapshot!(failure_report(
        "pets.yaml",
        "openapi: 3.1.0\ninfo: {}\ninfo: {}\n"
    ));
}

#[test]
fn invalid_utf_8() {
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
fn nesting_too_deep() {
    insta::assert_snapshot!(failure_report("pets.json", &"[".repeat(100_000)));
    insta::assert_snapshot!(failure_report("pets.yaml", &"[".repeat(100_000)));
}

#[test]
fn swagger_2() {
    insta::assert_snapshot!(failure_report(
        "pets.json",
        r#"{"swagger": "2.0", "info": {"title": "Pets", "version": "1"}, "paths": {}}"#
    ));
}

#[test]
fn unsupported_version() {
    insta::assert_snapshot!(failure_report(
        "pets.json",
        &changed(|document| document["openapi"] = json!("3.3.0"))
    ));
}

#[test]
fn not_an_openapi_document() {
    insta::assert_snapshot!(failure_report("pets.json", "[]"));
    insta::assert_snapshot!(failure_report("pets.json", "{}"));
}

#[test]
fn values_of_the_wrong_type() {
    insta::assert_snapshot!(failure_report(
        "pets.json",
        &changed(|document| {
            document["info"] = json!({"title": true});
            document["components"]["schemas"]["Owner"] = json!("a person");
            document["paths"]["/pets/{id}"]["put"] = json!([]);
        })
    ));
}

#[test]
fn dangling_reference() {
    insta::assert_snapshot!(failure_report_of(
        "pets.json",
        &changed(|document| {
            document["components"]["schemas"]["Pet"]["properties"]["owner"] =
                json!({"$ref": "#/components/schemas/Owners"});
        }),
        true
    ));
}

#[test]
fn reference_to_the_network() {
    insta::assert_snapshot!(failure_report(
        "pets.json",
        &changed(|document| {
            document["components"]["schemas"]["Owner"] =
                json!({"$ref": "https://example.com/owner.json"});
        })
    ));
}

#[test]
fn cyclic_reference() {
    insta::assert_snapshot!(failure_report(
        "pets.json",
        &changed(|document| {
            document["components"]["schemas"]["Owner"] =
                json!({"$ref": "#/components/schemas/Owner"});
        })
    ));
}

#[test]
fn reference_chain_too_long() {
    let failure_report = failure_report(
        "pets.json",
        &changed(|document| {
            for index in 0..70 {
                document["components"]["schemas"][format!("Alias{index}")] =
                    json!({"$ref": format!("#/components/schemas/Alias{}", index + 1)});
            }
            document["components"]["schemas"]["Alias70"] = json!({"type": "string"});
        }),
    );
    insta::assert_snapshot!(
        failure_report
            .lines()
            .take(3)
            .collect::<Vec<_>>()
            .join("\n")
    );
}

#[test]
fn missing_operation_id() {
    insta::assert_snapshot!(failure_report_of(
        "pets.json",
        &changed(|document| {
            document["paths"]["/pets/{id}"]["delete"] = json!({"responses": {}});
        }),
        true
    ));
}

#[test]
fn duplicate_operation_id() {
    insta::assert_snapshot!(failure_report_of(
        "pets.json",
        &changed(|document| {
            document["paths"]["/cats/{id}"] = document["paths"]["/pets/{id}"].clone();
        }),
        true
    ));
}

#[test]
fn operation_ids_with_the_same_method_name() {
    insta::assert_snapshot!(failure_report_of(
        "pets.json",
        &changed(|document| {
            document["paths"]["/cats/{id}"] = document["paths"]["/pets/{id}"].clone();
            document["paths"]["/cats/{id}"]["get"]["operationId"] = json!("getPet");
        }),
        true
    ));
}

#[test]
fn equal_and_missing_operation_ids_are_derived_from_method_and_path() {
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
fn keyword_that_cannot_be_lowered() {
    insta::assert_snapshot!(failure_report(
        "pets.json",
        &changed(|document| {
            document["components"]["schemas"]["Owner"]["properties"]["name"] =
                json!({"$dynamicRef": "#pet"});
        })
    ));
}

/// The size is checked before the file is read, so its content does not matter.
#[test]
fn document_too_large() {
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

/// By default it is left out and reported.
#[test]
fn unsupported_schema_is_an_error_in_strict_mode() {
    insta::assert_snapshot!(failure_report_of(
        "pets.json",
        &changed(|document| document["components"]["schemas"]["Owner"]["required"] = json!("name")),
        true,
    ));
}

#[test]
fn unsupported_operation_is_an_error_in_strict_mode() {
    insta::assert_snapshot!(failure_report_of(
        "pets.json",
        &changed(|document| {
            let operation = &mut document["paths"]["/pets/{id}"]["get"];
            operation["x-dropshot-websocket"] = json!({});
            operation["responses"]["200"]["content"]["application/json"] = json!({});
        }),
        true,
    ));
}
