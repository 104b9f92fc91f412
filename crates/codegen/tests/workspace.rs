//! `--spec FILE --out DIR`: a document of another API becomes a workspace that compiles by itself, without a warning.
//! What other documents become is compiled in `corpus.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;
#[path = "../../../tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::PathBuf;

use call_api_codegen::write::Mode;
use call_api_codegen::{Options, Outcome};

/// Generates from one of the documents beside this test, and answers with the folder.
fn generate(document: &str) -> PathBuf {
    let out = support::empty_folder(&format!("standalone-{document}"));
    let options = |mode| Options {
        spec: Some(
            common::root()
                .join("crates/codegen/tests/documents")
                .join(document),
        ),
        out: Some(out.clone()),
        mode,
        ..Options::new(common::root())
    };
    let (outcome, report) = common::run(&options(Mode::Write));
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    let (outcome, report) = common::run(&options(Mode::Check));
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    out
}

#[track_caller]
fn compiles(document: &str) {
    let out = generate(document);
    // The versions that are here already, so that nothing has to be fetched.
    fs::copy(common::root().join("Cargo.lock"), out.join("Cargo.lock")).unwrap();
    let mut cargo = support::cargo(&out);
    // Which flags and from where: this one alone, whatever this run was given.
    cargo
        .args(["check", "--offline", "--workspace"])
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "-D warnings")
        // One for all documents: what they depend on is the same.
        .env(
            "CARGO_TARGET_DIR",
            support::target_dir().join("tmp/standalone-target"),
        );
    let output = cargo.output().unwrap();
    assert!(
        output.status.success(),
        "{document}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// One operation, and no enum, uuid, date or security.
#[test]
fn the_least_document_compiles() {
    compiles("minimal.json");
}
