//! The build script reports generated code that does not match the document. Cargo runs the real script in a small copy
//! of the project.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod support;

use std::fs;
use std::path::PathBuf;

const SPEC: &str = "spec/openapi.json";
const TYPES: &str = "crates/call-api-types/src/generated.rs";
const CLIENT: &str = "crates/call-api-client/src/generated.rs";
const MOCK: &str = "crates/call-api-mock/src/generated.rs";
const DENY: &str = "CALL_API_DENY_DRIFT";

/// A document and its SHA-256.
const DOCUMENT: (&str, &str) = (
    "{}\n",
    "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356",
);

/// A package with this project's build script, a document, and files generated from it.
struct Project(PathBuf);

impl Project {
    fn new(name: &str) -> Self {
        let project = Self(support::empty_folder(name));
        let root = support::root();
        for path in ["build.rs", "Cargo.lock"] {
            fs::copy(root.join(path), project.0.join(path)).unwrap();
        }
        project.write(SPEC, DOCUMENT.0);
        for path in [TYPES, CLIENT, MOCK] {
            let header = format!(
                "// @generated\n// Source: {SPEC} (SHA-256 {})\n",
                DOCUMENT.1
            );
            project.write(path, &header);
        }
        project.write("src/lib.rs", "");
        let manifest = r#"
            [package]
            name = "call-api"
            edition = "2024"
            [build-dependencies]
            hmac-sha256 = { version = "1.1", default-features = false }
            [workspace]
        "#;
        project.write("Cargo.toml", manifest);
        project
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Builds the package. Returns true if the build succeeds, and its warnings and errors.
    fn build(&self, deny: bool) -> (bool, Vec<String>) {
        let mut cargo = support::cargo(&self.0);
        cargo
            .args(["build", "--offline", "--color=never"])
            .env("CARGO_TARGET_DIR", self.0.join("target"));
        if deny {
            cargo.env(DENY, "1");
        }
        let output = cargo.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("warning") || line.starts_with("error"))
            .map(str::to_owned)
            .collect();
        (output.status.success(), lines)
    }
}

fn stale(path: &str, level: &str) -> String {
    format!(
        "{level}: call-api@0.0.0: spec/openapi.json has changed since {path} was generated, or {path} is missing; run: cargo xtask codegen"
    )
}

#[test]
fn build_of_fresh_code_prints_nothing() {
    let project = Project::new("drift-fresh");
    for deny in [false, true] {
        assert_eq!(project.build(deny), (true, vec![]));
    }
}

/// If this fails, the message names the stale file and the command to run.
#[test]
fn build_of_this_project_prints_nothing() {
    let project = Project::new("drift-project");
    for path in [SPEC, TYPES, CLIENT, MOCK] {
        let root = support::root();
        fs::copy(root.join(path), project.0.join(path)).unwrap();
    }
    let (built, lines) = project.build(true);
    assert!(built && lines.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn changed_document_is_a_warning_or_a_denied_error() {
    let project = Project::new("drift-document");
    assert_eq!(project.build(false), (true, vec![]));
    // Cargo must rerun the build script because the document changed.
    project.write(SPEC, "{\"paths\": {}}\n");
    let (built, lines) = project.build(false);
    assert!(built);
    assert_eq!(
        lines,
        [TYPES, CLIENT, MOCK].map(|path| stale(path, "warning"))
    );

    let (built, lines) = project.build(true);
    assert!(!built);
    assert_eq!(
        lines[..3],
        [TYPES, CLIENT, MOCK].map(|path| stale(path, "error"))
    );

    let (built, lines) = project.build(false);
    assert!(built);
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[test]
fn foreign_and_missing_generated_files_are_named() {
    let project = Project::new("drift-generated");
    project.write(TYPES, "// not generated\n");
    fs::remove_file(project.0.join(CLIENT)).unwrap();
    let (built, lines) = project.build(false);
    assert!(built);
    assert_eq!(lines, [stale(TYPES, "warning"), stale(CLIENT, "warning")]);
}

/// The header of a generated file names each file that the document refers to.
#[test]
fn changed_referenced_file_is_named() {
    let project = Project::new("drift-part");
    let part = "spec/parts/call.json";
    project.write(part, DOCUMENT.0);
    for path in [TYPES, CLIENT] {
        let line = |source: &str| format!("// Source: {source} (SHA-256 {})\n", DOCUMENT.1);
        project.write(
            path,
            &format!("// @generated\n{}{}", line(SPEC), line(part)),
        );
    }
    assert_eq!(project.build(true), (true, vec![]));
    project.write(part, "{\"type\": \"object\"}\n");
    let (built, lines) = project.build(false);
    assert!(built);
    let stale = |path| stale(path, "warning").replace(SPEC, part);
    assert_eq!(lines, [stale(TYPES), stale(CLIENT)]);
}

/// A packaged crate contains neither the document nor the generated crates.
#[test]
fn build_without_a_document_prints_nothing() {
    let project = Project::new("drift-elsewhere");
    fs::remove_dir_all(project.0.join("spec")).unwrap();
    fs::remove_dir_all(project.0.join("crates")).unwrap();
    assert_eq!(project.build(true), (true, vec![]));
}
