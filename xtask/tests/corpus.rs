//! Every document of a folder is generated and compiled: those of `documents`, which between them cover each rule, and
//! such as don't compile.

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

/// The target directory is the command's, so that what the documents depend on is compiled once for both.
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

/// The table without what differs from run to run: the seconds and the memory.
fn steady(report: &str) -> String {
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
fn each_document_of_ours_compiles_without_a_warning() {
    let documents = common::root().join("crates/codegen/tests/documents");
    let work = support::target_dir().join("corpus/work");
    let (outcome, report) = run(&options(&documents, work));
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    insta::assert_snapshot!(steady(&report));
}

/// Cargo takes a crate for fresh by its name, its place below the workspace and the age of its files.
#[test]
fn a_broken_crate_is_noticed_beside_and_after_a_good_one_of_the_same_document() {
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
    let verdicts = compile();
    assert_eq!(verdicts["one-json"], Ok(()));
    assert!(
        verdicts["two-json"]
            .as_ref()
            .is_err_and(|why| why.contains("mismatched types"))
    );

    // A warning fails a document as an error does; and a file that is older than what was compiled in its place is compiled
    // all the same where it is another document's.
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
    let place = options.work.join("one-json");
    corpus::one(&options.root, &other, &place, "one-json").unwrap();
    let lib = place.join("crates/call-api-types/src/lib.rs");
    let text = fs::read_to_string(&lib).unwrap();
    fs::write(&lib, format!("{text}\nfn unused() {{}}\n")).unwrap();
    let file = fs::File::options().write(true).open(&lib).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    drop(file);
    corpus::workspace(&options.root, &options.work, &["one-json"]).unwrap();
    let verdicts = corpus::compile(&options.work, &options.target, &["one-json"]).unwrap();
    assert!(
        verdicts["one-json"]
            .as_ref()
            .is_err_and(|why| why.contains("never used")),
        "{verdicts:?}"
    );
}

#[test]
fn what_can_not_be_generated_is_said_and_costs_no_other() {
    let documents = support::empty_folder("corpus-ungenerated");
    fs::write(documents.join("none.json"), "{}").unwrap();
    fs::write(documents.join("notes.txt"), "").unwrap();
    let (outcome, report) = run(&options(&documents, support::empty_folder("corpus-none")));
    assert_eq!(outcome, Outcome::Failed);
    insta::assert_snapshot!(steady(&report).replace(&documents.display().to_string(), "[folder]"));

    fs::remove_file(documents.join("none.json")).unwrap();
    let (outcome, report) = run(&options(&documents, support::empty_folder("corpus-none")));
    assert_eq!(outcome, Outcome::Failed);
    assert!(report.contains("no document"), "{report}");
}
