//! Tests of `cargo xtask codegen --check`: every difference between document and code is reported.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "../../crates/codegen/tests/common/mod.rs"]
mod common;

use std::path::Path;
use std::process::Command;

use call_api_codegen::write::Mode;
use call_api_codegen::{Options, Outcome};
use common::{CLIENT, Copy, MOCK, SETTINGS, SPEC, TYPES, root, run};

/// Replaces the hash of the document in a report.
fn redact(report: &str) -> String {
    let is_hash = |word: &str| {
        word.len() == 65 && word.ends_with(')') && word[..64].chars().all(|c| c.is_ascii_hexdigit())
    };
    let lines = report.lines().map(|line| {
        line.split(' ')
            .map(|word| if is_hash(word) { "[hash])" } else { word })
            .collect::<Vec<_>>()
            .join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn stale(copy: &Copy) -> String {
    let before = [SPEC, TYPES].map(|path| std::fs::read_to_string(copy.path().join(path)).ok());
    let (outcome, report) = copy.run(Mode::Check);
    assert_eq!(outcome, Outcome::Stale, "{report}");
    assert_eq!(
        before,
        [SPEC, TYPES].map(|path| std::fs::read_to_string(copy.path().join(path)).ok()),
        "check writes nothing"
    );
    // Writing fixes everything that the check reported.
    assert_eq!(copy.run(Mode::Write).0, Outcome::Fresh);
    assert_eq!(copy.run(Mode::Check).0, Outcome::Fresh);
    redact(&report)
}

/// Checks this project itself.
#[test]
fn check_of_the_checkout_is_fresh() {
    let (outcome, report) = run(&Options {
        mode: Mode::Check,
        ..Options::new(root())
    });
    assert_eq!(outcome, Outcome::Fresh, "{report}");
}

#[test]
fn check_of_generated_files_is_fresh() {
    let (outcome, report) = Copy::new().run(Mode::Check);
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    insta::assert_snapshot!(report);
}

#[test]
fn check_changed_description_is_stale() {
    let copy = Copy::new();
    copy.replace(SPEC, "The direction of the phone call", "The direction");
    insta::assert_snapshot!(stale(&copy));
}

#[test]
fn check_new_status_is_stale() {
    let copy = Copy::new();
    copy.replace(SPEC, "\"no_answer\"", "\"no_answer\", \"on_hold\"");
    insta::assert_snapshot!(stale(&copy));
}

#[test]
fn check_renamed_property_is_stale() {
    let copy = Copy::new();
    copy.replace(SPEC, "\"end_reason\": {", "\"reason\": {");
    let report = stale(&copy);
    insta::assert_snapshot!(report);
}

#[test]
fn codegen_unknown_sensitive_property_is_an_error() {
    let copy = Copy::new();
    copy.replace(SPEC, "\"recording_url\": {", "\"recording\": {");
    let (outcome, report) = copy.run(Mode::Write);
    assert_eq!(outcome, Outcome::Failed);
    insta::assert_snapshot!(report);
}

#[test]
fn check_invalid_settings_are_an_error() {
    let copy = Copy::new();
    copy.write(SETTINGS, "[sensitive]\nCall = \"recording_url\"\n");
    let (outcome, report) = copy.run(Mode::Check);
    assert_eq!(outcome, Outcome::Failed);
    let of_type = report;
    copy.write(SETTINGS, "[secret]\n");
    let (outcome, report) = copy.run(Mode::Check);
    assert_eq!(outcome, Outcome::Failed);
    insta::assert_snapshot!([of_type, report].join("\n"));
}

#[test]
fn check_edited_file_is_stale() {
    let copy = Copy::new();
    copy.replace(CLIENT, "\"{}/v1/call/{}\"", "\"{}/v2/call/{}\"");
    insta::assert_snapshot!(stale(&copy));
}

#[test]
fn check_deleted_file_is_stale() {
    let copy = Copy::new();
    std::fs::remove_file(copy.path().join(TYPES)).unwrap();
    insta::assert_snapshot!(stale(&copy));
}

#[test]
fn check_orphaned_file_is_stale() {
    let copy = Copy::new();
    copy.write(
        "crates/call-api-types/src/old/generated.rs",
        &copy.read(TYPES),
    );
    insta::assert_snapshot!(stale(&copy));
    assert!(
        !copy
            .path()
            .join("crates/call-api-types/src/old/generated.rs")
            .exists()
    );
}

#[test]
fn dry_run_reports_changes_and_succeeds() {
    let copy = Copy::new();
    copy.replace(SPEC, "\"no_answer\"", "\"no_answer\", \"on_hold\"");
    let before = copy.read(TYPES);
    let (outcome, report) = run(&Options {
        mode: Mode::DryRun,
        diff: false,
        ..Options::new(copy.path())
    });
    assert_eq!(outcome, Outcome::Fresh);
    assert_eq!(copy.read(TYPES), before);
    insta::assert_snapshot!(redact(&report));
}

#[test]
fn suggested_command_has_the_options_of_the_run() {
    let copy = Copy::new();
    let (outcome, report) = run(&Options {
        mode: Mode::Check,
        spec: Some(copy.path().join(SPEC)),
        out: Some("an out/folder".into()),
        ..Options::new(root())
    });
    assert_eq!(outcome, Outcome::Stale);
    let last = report.lines().last().unwrap();
    assert!(
        last.ends_with(&format!(
            "codegen --spec {} --out 'an out/folder'`",
            copy.path().join(SPEC).display()
        )),
        "{last}"
    );
}

#[test]
fn output_does_not_depend_on_the_path_of_the_project() {
    let (one, two) = (Copy::new(), Copy::new());
    for copy in [&one, &two] {
        copy.replace(SPEC, "\"no_answer\"", "\"no_answer\", \"on_hold\"");
        assert_eq!(copy.run(Mode::Write).0, Outcome::Fresh);
    }
    for path in [TYPES, CLIENT, MOCK] {
        assert_eq!(one.read(path), two.read(path));
    }
}

/// Runs the program as cargo would in a checkout that shares the target directory with this one.
fn check_by_program(folder: &Path, package: Option<&Path>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["codegen", "--check"]).current_dir(folder);
    match package {
        Some(package) => command.env("CARGO_MANIFEST_DIR", package),
        None => command.env_remove("CARGO_MANIFEST_DIR"),
    };
    let output = command.output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&printed).into_owned(),
    )
}

#[test]
fn shared_program_checks_the_checkout_it_runs_in() {
    let [fresh, changed] = [Copy::new(), Copy::new()];
    changed.replace(SPEC, "\"no_answer\"", "\"no_answer\", \"on_hold\"");
    for (copy, code) in [(&fresh, 0), (&changed, 4)] {
        let elsewhere = tempfile::tempdir().unwrap();
        // As `cargo xtask` does, from any folder.
        let package = copy.path().join("xtask");
        let (found, printed) = check_by_program(elsewhere.path(), Some(&package));
        assert_eq!(found, Some(code), "{printed}");
        // As a program run by hand, from a folder of the checkout.
        let (found, printed) = check_by_program(&copy.path().join("crates"), None);
        assert_eq!(found, Some(code), "{printed}");
    }
}

#[test]
fn program_outside_of_a_checkout_fails_with_help() {
    let folder = tempfile::tempdir().unwrap();
    let (code, printed) = check_by_program(folder.path(), None);
    assert_eq!(code, Some(100), "{printed}");
    assert!(printed.contains("no spec/openapi.json in"), "{printed}");
    assert!(
        printed.contains("run the command inside the project"),
        "{printed}"
    );
}
