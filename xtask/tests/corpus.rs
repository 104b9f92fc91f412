//! Tests of `cargo xtask corpus`: the documents of `crates/codegen/tests/documents`, which cover every rule, and documents
//! that fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "../../crates/codegen/tests/common/mod.rs"]
mod common;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use call_api_codegen::Outcome;
use call_api_codegen::corpus::{self, Options};

/// Uses the target directory of the command, so the dependencies are compiled once.
fn options(documents: &Path, work: PathBuf) -> Options {
    Options {
        root: common::root(),
        documents: documents.to_owned(),
        work,
        target: support::target_dir().join("corpus/target"),
        program: PathBuf::from(env!("CARGO_BIN_EXE_xtask")),
    }
}

fn run(options: &Options) -> (Outcome, String) {
    let mut report = Vec::new();
    let outcome = corpus::run(options, &mut report).unwrap();
    (outcome, String::from_utf8(report).unwrap())
}

/// Replaces the seconds and the memory, which vary between runs.
fn redact(report: &str) -> String {
    let lines = report.lines().map(|line| {
        let mut cells: Vec<&str> = line
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect();
        if cells.len() == 8 && cells[0] != "document" && cells[5] != "-" {
            assert!(cells[5].parse::<f64>().is_ok(), "{line}");
            (cells[5], cells[6]) = ("[s]", "[MiB]");
        }
        cells.join(" | ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn corpus_of_test_documents_compiles_without_warnings() {
    let documents = common::root().join("crates/codegen/tests/documents");
    let work = support::target_dir().join("corpus/work");
    let (outcome, report) = run(&options(&documents, work));
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    insta::assert_snapshot!(redact(&report));
}

/// Cargo considers a crate fresh by its name, its path in the workspace and the age of its files.
#[test]
fn corpus_broken_crate_is_not_hidden_by_a_fresh_build() {
    let documents = support::empty_folder("corpus-documents");
    let minimal = common::read("crates/codegen/tests/documents/minimal.json");
    for name in ["one.json", "two.json"] {
        fs::write(documents.join(name), &minimal).unwrap();
    }
    let work = support::empty_folder("corpus-work");
    let options = options(&documents, work.clone());
    let (outcome, report) = run(&options);
    assert_eq!(outcome, Outcome::Fresh, "{report}");

    let compile = || corpus::compile(&work, &options.target, &["one-json", "two-json"]).unwrap();
    let generated = work.join("two-json").join(common::CLIENT);
    let good = fs::read_to_string(&generated).unwrap();
    let broken = format!("{good}\nconst BROKEN: u8 = \"\";\n");
    fs::write(&generated, &broken).unwrap();
    let results = compile();
    assert_eq!(results["one-json"], Ok(()));
    assert!(
        results["two-json"]
            .as_ref()
            .is_err_and(|why| why.contains("mismatched types"))
    );

    // A warning is an error. A file older than the last build is compiled if it is of another document.
    let other = support::empty_folder("corpus-other").join("one.json");
    fs::write(
        &other,
        minimal.replacen("\"title\": \"", "\"title\": \"Another ", 1),
    )
    .unwrap();
    let options = Options {
        work: support::empty_folder("corpus-work-other"),
        ..options
    };
    let folder = options.work.join("one-json");
    corpus::one(&options.root, &other, &folder, "one-json").unwrap();
    let lib = folder.join("crates/call-api-types/src/lib.rs");
    let text = fs::read_to_string(&lib).unwrap();
    fs::write(&lib, format!("{text}\nfn unused() {{}}\n")).unwrap();
    let file = fs::File::options().write(true).open(&lib).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    drop(file);
    corpus::workspace(&options.root, &options.work, &["one-json"]).unwrap();
    let results = corpus::compile(&options.work, &options.target, &["one-json"]).unwrap();
    assert!(
        results["one-json"]
            .as_ref()
            .is_err_and(|why| why.contains("never used")),
        "{results:?}"
    );
}

#[test]
fn corpus_invalid_document_is_reported() {
    let documents = support::empty_folder("corpus-ungenerated");
    fs::write(documents.join("none.json"), "{}").unwrap();
    fs::write(documents.join("notes.txt"), "").unwrap();
    let (outcome, report) = run(&options(&documents, support::empty_folder("corpus-none")));
    assert_eq!(outcome, Outcome::Failed);
    insta::assert_snapshot!(redact(&report).replace(&documents.display().to_string(), "[folder]"));

    fs::remove_file(documents.join("none.json")).unwrap();
    let (outcome, report) = run(&options(&documents, support::empty_folder("corpus-none")));
    assert_eq!(outcome, Outcome::Failed);
    assert!(report.contains("no documents"), "{report}");
}
