//! Compares `cargo xtask diff` with `cargo semver-checks`: a change of the document that breaks the generated crates must be
//! breaking for `diff`, too. The reverse does not hold, because `diff` also reports changes of requests and responses.
//!
//! `cargo test -p call-api-codegen --test semver_checks -- --ignored --nocapture` runs all cases of `diff/cases.yaml`, which
//! takes most of an hour. The variable `CASES` selects those whose name contains a text.

#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

#[path = "diff/cases.rs"]
mod cases;
mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use call_api_codegen::diff::{self, Outcome};
use call_api_codegen::write::Mode;
use call_api_codegen::{self as codegen, Options};
use cases::{Case, base, cases, changed};
use serde_json::Value;

/// Generates a workspace in `folder`, and returns the path of the document beside it.
fn generate(folder: &Path, document: &Value) -> String {
    let path = folder.with_extension("json");
    fs::write(&path, document.to_string()).unwrap();
    let (outcome, report) = common::run(&Options {
        spec: Some(path.clone()),
        out: Some(folder.to_owned()),
        name: Some("base".to_owned()),
        mode: Mode::Write,
        ..Options::new(common::root())
    });
    assert_eq!(outcome, codegen::Outcome::Fresh, "{report}");
    path.display().to_string()
}

#[test]
#[ignore = "requires cargo-semver-checks, and takes most of an hour"]
fn no_case_is_milder_than_semver_checks_finds() {
    let selected = std::env::var("CASES").unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let before = generate(&old, &base());
    let (mut compared, mut only_ours) = (0, 0);
    let mut too_mild = Vec::new();
    for Case { name, patch, .. } in cases() {
        if !name.contains(&selected) {
            continue;
        }
        let after = generate(&new, &changed(&patch));
        let options = diff::Options::new(&before, after, &common::no_fetch);
        let outcome = diff::run(&options, &mut Vec::new()).unwrap();
        let checks = Command::new("cargo")
            .args(["semver-checks", "check-release", "--release-type", "minor"])
            // These packages are not published, so they must be named.
            .args(["-p", "base-types", "-p", "base-client"])
            .arg("--manifest-path")
            .arg(new.join("Cargo.toml"))
            .arg("--baseline-root")
            .arg(&old)
            .env("CARGO_TARGET_DIR", folder.path().join("target"))
            .output()
            .unwrap();
        let report = String::from_utf8_lossy(&checks.stderr);
        let checked = report.matches("Summary").count();
        assert_eq!(
            checked, 2,
            "{name}: is cargo-semver-checks installed?\n{report}"
        );
        compared += 1;
        match (checks.status.success(), outcome) {
            (true, Outcome::Breaking) => only_ours += 1,
            (true, _) | (false, Outcome::Breaking) => {}
            (false, _) => too_mild.push(format!("{name}:\n{report}")),
        }
    }
    println!("{compared} cases; {only_ours} are breaking for requests or responses only");
    assert!(compared > 0, "no case has a name with {selected:?}");
    assert!(too_mild.is_empty(), "{}", too_mild.join("\n"));
}
