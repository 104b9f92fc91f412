//! Tests of `cargo xtask adopt`: it changes everything or nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "a test that panics fails, and is no interface"
)]

#[path = "../../crates/codegen/tests/common/mod.rs"]
mod common;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use call_api_codegen::adopt::{self, Options, Outcome};
use call_api_codegen::write::Mode;
use common::{CLIENT, Copy, MOCK, SPEC, TYPES};

/// Returns a project with a version and a changelog.
fn project() -> Copy {
    let project = Copy::new();
    project.write("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n");
    project.write("Cargo.toml", "[workspace.package]\nversion = \"0.1.0\"\n");
    project
}

/// Reads every file of a project outside of `target`.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path != root.join("target") {
                    folders.push(path);
                }
            } else {
                let bytes = fs::read(&path).unwrap();
                files.insert(path.strip_prefix(root).unwrap().to_owned(), bytes);
            }
        }
    }
    files
}

/// Adopts a document with this content and file extension, and returns the outcome and the report.
fn run(
    project: &Copy,
    extension: &str,
    text: &str,
    compile: &adopt::Compile<'_>,
) -> (Outcome, String) {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join(format!("new.{extension}"));
    fs::write(&new, text).unwrap();
    let options = Options {
        root: project.path().to_owned(),
        new: new.display().to_string(),
        keep_names: true,
        pins: Vec::new(),
        target: project.path().join("target"),
        fetch: &common::no_fetch,
        compile,
    };
    let mut report = Vec::new();
    let outcome = adopt::run(&options, &mut report).unwrap();
    let report = String::from_utf8(report).unwrap();
    let folder = format!("{}/", folder.path().display());
    let root = format!("{}/", project.path().display());
    (outcome, report.replace(&folder, "").replace(&root, ""))
}

fn compiles(_: &Path, _: &Path) -> Result<Vec<String>, String> {
    Ok(vec!["tests/get_call.rs:7:5: name: message".to_owned()])
}

/// Returns the document of the project with an additional enum value.
fn with_voicemail(project: &Copy) -> String {
    let text = project.read(SPEC);
    assert_eq!(text.matches("\"transferred\",").count(), 1);
    text.replace("\"transferred\",", "\"transferred\", \"voicemail\",")
}

#[test]
fn adopt_new_document_keeps_the_bytes_of_the_vendor() {
    let project = project();
    let (new, tried) = (with_voicemail(&project), Cell::new(false));
    let compile = |copy: &Path, target: &Path| {
        tried.set(true);
        // The copy has the new files; the project does not.
        assert_eq!(fs::read_to_string(copy.join(SPEC)).unwrap(), new);
        assert!(
            fs::read_to_string(copy.join(TYPES))
                .unwrap()
                .contains("Voicemail")
        );
        assert!(!project.read(TYPES).contains("Voicemail"));
        assert_eq!(target, project.path().join("target"));
        Ok(Vec::new())
    };
    let (outcome, report) = run(&project, "json", &new, &compile);
    assert_eq!((outcome, outcome as u8), (Outcome::Adopted, 0), "{report}");
    assert!(tried.get());
    assert_eq!(project.read(SPEC), new);
    assert!(project.read(TYPES).contains("Voicemail"));
    assert!(!project.path().join("target/adopt").exists());
    let (outcome, check) = project.run(Mode::Check);
    assert_eq!(outcome, call_api_codegen::Outcome::Fresh, "{check}");
    insta::assert_snapshot!(report);
}

#[test]
fn adopt_yaml_is_converted_to_json() {
    let project = project();
    // The comment makes the JSON document YAML.
    let yaml = format!("# comment\n{}", with_voicemail(&project));
    let (outcome, report) = run(&project, "yaml", &yaml, &compiles);
    assert_eq!(outcome, Outcome::Adopted, "{report}");
    let text = project.read(SPEC);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(text, format!("{document:#}\n"));
    assert!(project.read(TYPES).contains("Voicemail"));
}

#[test]
fn adopt_same_document_changes_nothing() {
    let project = project();
    let before = files(project.path());
    let never = |_: &Path, _: &Path| Err("not to be compiled".to_owned());
    let (outcome, report) = run(&project, "json", &project.read(SPEC), &never);
    assert_eq!(outcome, Outcome::Adopted, "{report}");
    assert!(
        report.ends_with("the project already has this document; nothing was changed\n"),
        "{report}"
    );
    assert_eq!(files(project.path()), before);
}

#[test]
fn adopt_compile_error_changes_nothing() {
    let project = project();
    let before = files(project.path());
    let fails =
        |_: &Path, _: &Path| Err("`cargo check --workspace` failed (exit status: 101)".to_owned());
    let (outcome, report) = run(&project, "json", &with_voicemail(&project), &fails);
    assert_eq!((outcome, outcome as u8), (Outcome::Failed, 100));
    assert_eq!(files(project.path()), before);
    insta::assert_snapshot!(report);
}

/// Returns a later document of the vendor: schemas and a property renamed, new operations, a new property.
fn release() -> String {
    common::read("xtask/tests/documents/release.json")
}

#[test]
fn adopt_renamed_schemas_and_properties_keep_their_public_names() {
    let project = project();
    let (outcome, report) = run(&project, "json", &release(), &compiles);
    assert_eq!(outcome, Outcome::Adopted, "{report}");
    let settings = project.read(common::SETTINGS);
    for expected in [
        "CallResponse = \"Call\"",
        "ContactResponse = \"Contact\"",
        "[names.properties.Call]\nended_reason = \"end_reason\"",
    ] {
        assert!(settings.contains(expected), "no {expected} in {settings}");
    }
    let types = project.read(TYPES);
    for expected in [
        "pub struct Call ",
        "pub struct Contact ",
        "pub end_reason: ",
        "\"ended_reason\"",
    ] {
        assert!(types.contains(expected), "no {expected}");
    }
    assert!(project.read("Cargo.toml").contains("version = \"0.2.0\""));
    let (outcome, check) = project.run(Mode::Check);
    assert_eq!(outcome, call_api_codegen::Outcome::Fresh, "{check}");
    insta::assert_snapshot!(report);
    insta::assert_snapshot!(project.read("CHANGELOG.md"));
}

#[test]
fn adopt_renamed_path_parameter_keeps_its_name() {
    let project = project();
    let text = project.read(SPEC);
    let new = text
        .replace("/v1/call/{id}", "/v1/call/{call_id}")
        .replace("\"name\": \"id\"", "\"name\": \"call_id\"");
    assert_eq!(new.matches("call_id").count(), 2);
    let (outcome, report) = run(&project, "json", &new, &compiles);
    assert_eq!(outcome, Outcome::Adopted, "{report}");
    let settings = project.read(common::SETTINGS);
    assert!(
        settings.contains("[names.parameters.get_call]\ncall_id = \"id\""),
        "{settings}"
    );
    // No request contains the name of a path parameter.
    assert!(report.contains("\n1 documentation\n"), "{report}");
    for path in [CLIENT, MOCK] {
        assert!(!project.read(path).contains("call_id"), "{path}");
    }
    // Drift detection knows its responses.
    let responses = project.read("crates/call-api-client/src/responses.json");
    assert!(responses.contains("\"get_call\": "), "{responses}");
}

#[test]
fn adopt_earlier_names_again_removes_the_pins() {
    let project = project();
    let settings = project.read(common::SETTINGS);
    let document = project.read(SPEC);
    let (outcome, report) = run(&project, "json", &release(), &compiles);
    assert_eq!(outcome, Outcome::Adopted, "{report}");
    let (outcome, report) = run(&project, "json", &document, &compiles);
    assert_eq!(outcome, Outcome::Adopted, "{report}");
    assert!(
        report.contains("schema `Call`, `CallResponse` in the document"),
        "{report}"
    );
    assert_eq!(project.read(common::SETTINGS), settings);
    let (outcome, check) = project.run(Mode::Check);
    assert_eq!(outcome, call_api_codegen::Outcome::Fresh, "{check}");
}

#[test]
fn adopt_invalid_document_changes_nothing() {
    let project = project();
    let before = files(project.path());
    let mut broken: serde_json::Value = serde_json::from_str(&project.read(SPEC)).unwrap();
    let parameters = &mut broken["paths"]["/v1/call/{id}"]["get"]["parameters"];
    parameters[0] = serde_json::json!({"$ref": "#/components/parameters/Id"});
    let (outcome, report) = run(&project, "json", &broken.to_string(), &compiles);
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(files(project.path()), before);
    insta::assert_snapshot!(report);
}

#[test]
fn adopt_stale_generated_files_are_not_overwritten() {
    let project = project();
    let edited = format!("{}// by hand\n", project.read(CLIENT));
    project.write(CLIENT, &edited);
    let before = files(project.path());
    let (outcome, report) = run(&project, "json", &with_voicemail(&project), &compiles);
    assert_eq!((outcome, outcome as u8), (Outcome::Stale, 4));
    assert_eq!(files(project.path()), before);
    insta::assert_snapshot!(report);
}

#[test]
fn adopt_concurrent_change_is_not_overwritten() {
    let project = project();
    let change = |_: &Path, _: &Path| {
        project.write(TYPES, "// changed meanwhile\n");
        Ok(Vec::new())
    };
    let spec = project.read(SPEC);
    let (outcome, report) = run(&project, "json", &with_voicemail(&project), &change);
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(project.read(SPEC), spec);
    assert_eq!(project.read(TYPES), "// changed meanwhile\n");
    assert!(
        report.contains("the file changed during the adoption"),
        "{report}"
    );
}

#[test]
fn adoption_killed_at_any_step_is_completed_by_the_next_command() {
    let project = project();
    let before = files(project.path());
    let new = with_voicemail(&project);
    let (outcome, report) = run(&project, "json", &new, &compiles);
    assert_eq!(outcome, Outcome::Adopted, "{report}");
    let after = files(project.path());
    let changed: BTreeSet<&PathBuf> = before
        .keys()
        .chain(after.keys())
        .filter(|path| before.get(*path) != after.get(*path))
        .collect();
    assert!(changed.len() > 8, "{changed:?}");
    for done in 0..=changed.len() {
        // The journal has the old and the new files, and the project the new ones up to some step.
        for (path, number) in changed.iter().zip(0..) {
            let path = path.to_str().unwrap();
            let text = |files: &BTreeMap<PathBuf, Vec<u8>>| {
                String::from_utf8(files[Path::new(path)].clone()).unwrap()
            };
            project.write(&format!(".adopt/old/{path}"), &text(&before));
            project.write(&format!(".adopt/new/{path}"), &text(&after));
            project.write(path, &text(if number < done { &after } else { &before }));
        }
        let report = if done % 2 == 0 {
            let (outcome, report) = project.run(Mode::Check);
            assert_eq!(outcome, call_api_codegen::Outcome::Fresh, "{report}");
            report
        } else {
            let (outcome, report) = run(&project, "json", &new, &compiles);
            assert_eq!(outcome, Outcome::Adopted, "{report}");
            report
        };
        assert!(
            report.starts_with("completed an adoption that was interrupted\n"),
            "{report}"
        );
        assert!(files(project.path()) == after, "after {done} files");
    }
}

#[test]
fn verify_lists_compile_errors_with_their_location() {
    let project = tempfile::tempdir().unwrap();
    let at = |path: &str| project.path().join(path);
    fs::create_dir(at("src")).unwrap();
    let manifest =
        "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(at("Cargo.toml"), manifest).unwrap();
    fs::write(at("src/lib.rs"), "pub fn one() -> u8 { 1 }\n").unwrap();
    assert_eq!(adopt::verify(project.path(), &at("target")), Ok(Vec::new()));
    fs::write(at("src/lib.rs"), "pub fn one() -> u8 { \"1\" }\n").unwrap();
    let cause = adopt::verify(project.path(), &at("target")).unwrap_err();
    assert!(
        cause.starts_with("hand-written code does not compile:\n    src/lib.rs:1:22: error[E0308]"),
        "{cause}"
    );
    assert!(at("target").exists());
}
