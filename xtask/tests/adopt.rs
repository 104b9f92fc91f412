//! `cargo xtask adopt`: all of it, or nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "it is how a test fails, and no crate's interface"
)]

#[path = "../../crates/codegen/tests/common/mod.rs"]
mod common;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use call_api_codegen::adopt::{self, Options, Outcome};
use common::{CLIENT, Copy, SPEC, TYPES};

/// Every file of a project but what is kept for the compiler.
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

/// Adopts a document of this text and ending, and answers with what was said.
fn run(
    project: &Copy,
    ending: &str,
    text: &str,
    compile: &adopt::Compile<'_>,
) -> (Outcome, String) {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join(format!("new.{ending}"));
    fs::write(&new, text).unwrap();
    let options = Options {
        root: project.path().to_owned(),
        new: new.display().to_string(),
        version: "0.1.0".to_owned(),
        target: project.path().join("target"),
        compile,
    };
    let mut report = Vec::new();
    let outcome = adopt::run(&options, &mut report).unwrap();
    let report = String::from_utf8(report).unwrap();
    let folder = format!("{}/", folder.path().display());
    let root = format!("{}/", project.path().display());
    (outcome, report.replace(&folder, "").replace(&root, ""))
}

fn compiles(_: &Path, _: &Path) -> Result<(), String> {
    Ok(())
}

/// The project's document with one more value of an enum.
fn grown(project: &Copy) -> String {
    let text = project.read(SPEC);
    assert_eq!(text.matches("\"transferred\",").count(), 1);
    text.replace("\"transferred\",", "\"transferred\", \"voicemail\",")
}

#[test]
fn a_new_document_is_adopted_with_the_vendors_bytes() {
    let project = Copy::new();
    let (new, tried) = (grown(&project), Cell::new(false));
    let compile = |copy: &Path, target: &Path| {
        tried.set(true);
        // The copy is complete, and the project isn't touched yet.
        assert_eq!(fs::read_to_string(copy.join(SPEC)).unwrap(), new);
        assert!(
            fs::read_to_string(copy.join(TYPES))
                .unwrap()
                .contains("Voicemail")
        );
        assert!(!project.read(TYPES).contains("Voicemail"));
        assert_eq!(target, project.path().join("target"));
        Ok(())
    };
    let (outcome, report) = run(&project, "json", &new, &compile);
    assert_eq!((outcome, outcome as u8), (Outcome::Adopted, 0), "{report}");
    assert!(tried.get());
    assert_eq!(project.read(SPEC), new);
    assert!(project.read(TYPES).contains("Voicemail"));
    assert!(!project.path().join("target/adopt").exists());
    let (outcome, check) = project.run(call_api_codegen::write::Mode::Check);
    assert_eq!(outcome, call_api_codegen::Outcome::Fresh, "{check}");
    insta::assert_snapshot!(report);
}

#[test]
fn yaml_becomes_json() {
    let project = Copy::new();
    // JSON is YAML; this comment isn't JSON.
    let yaml = format!("# the vendor's\n{}", grown(&project));
    let (outcome, report) = run(&project, "yaml", &yaml, &compiles);
    assert_eq!(outcome, Outcome::Adopted, "{report}");
    let text = project.read(SPEC);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(text, format!("{document:#}\n"));
    assert!(project.read(TYPES).contains("Voicemail"));
}

#[test]
fn the_same_document_is_nothing_to_adopt() {
    let project = Copy::new();
    let before = files(project.path());
    let never = |_: &Path, _: &Path| Err("not to be compiled".to_owned());
    let (outcome, report) = run(&project, "json", &project.read(SPEC), &never);
    assert_eq!(outcome, Outcome::Adopted, "{report}");
    assert!(
        report.ends_with("the project has this very document already; nothing was changed\n"),
        "{report}"
    );
    assert_eq!(files(project.path()), before);
}

#[test]
fn code_that_does_not_compile_leaves_the_project_as_it_was() {
    let project = Copy::new();
    let before = files(project.path());
    let fails =
        |_: &Path, _: &Path| Err("`cargo check --workspace` failed (exit status: 101)".to_owned());
    let (outcome, report) = run(&project, "json", &grown(&project), &fails);
    assert_eq!((outcome, outcome as u8), (Outcome::Failed, 100));
    assert_eq!(files(project.path()), before);
    insta::assert_snapshot!(report);
}

#[test]
fn a_document_that_is_not_valid_leaves_the_project_as_it_was() {
    let project = Copy::new();
    let before = files(project.path());
    let broken = project.read(SPEC).replace(
        "#/components/schemas/CallStatus",
        "#/components/schemas/CallState",
    );
    let (outcome, report) = run(&project, "json", &broken, &compiles);
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(files(project.path()), before);
    insta::assert_snapshot!(report);
}

#[test]
fn files_that_had_drifted_are_not_written_over() {
    let project = Copy::new();
    let edited = format!("{}// by hand\n", project.read(CLIENT));
    project.write(CLIENT, &edited);
    let before = files(project.path());
    let (outcome, report) = run(&project, "json", &grown(&project), &compiles);
    assert_eq!((outcome, outcome as u8), (Outcome::Stale, 4));
    assert_eq!(files(project.path()), before);
    insta::assert_snapshot!(report);
}

#[test]
fn what_changes_meanwhile_is_not_written_over() {
    let project = Copy::new();
    let meddle = |_: &Path, _: &Path| {
        project.write(TYPES, "// changed meanwhile\n");
        Ok(())
    };
    let spec = project.read(SPEC);
    let (outcome, report) = run(&project, "json", &grown(&project), &meddle);
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(project.read(SPEC), spec);
    assert_eq!(project.read(TYPES), "// changed meanwhile\n");
    assert!(
        report.contains("the file was changed while the new document was being tried"),
        "{report}"
    );
}

#[test]
fn cargo_says_whether_a_project_compiles() {
    let project = tempfile::tempdir().unwrap();
    let at = |path: &str| project.path().join(path);
    fs::create_dir(at("src")).unwrap();
    let manifest =
        "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(at("Cargo.toml"), manifest).unwrap();
    fs::write(at("src/lib.rs"), "pub fn one() -> u8 { 1 }\n").unwrap();
    assert_eq!(adopt::cargo_check(project.path(), &at("target")), Ok(()));
    fs::write(at("src/lib.rs"), "pub fn one() -> u8 { \"1\" }\n").unwrap();
    let cause = adopt::cargo_check(project.path(), &at("target")).unwrap_err();
    assert!(
        cause.starts_with("`cargo check --workspace` failed"),
        "{cause}"
    );
    assert!(at("target").exists());
}
