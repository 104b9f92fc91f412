//! Helpers of several tests: the project's root, a copy of its files, and a run of codegen with its report.

#![allow(dead_code, reason = "no test uses everything")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use call_api_codegen::diff::source::Fetched;
use call_api_codegen::problem::Finding;
use call_api_codegen::write::Mode;
use call_api_codegen::{self as codegen, Options, Outcome};
use tempfile::TempDir;

pub(crate) const SPEC: &str = "spec/openapi.json";
/// The document that tests start from. That of the project changes with the service.
pub(crate) const FIRST: &str = "xtask/tests/documents/first.json";
pub(crate) const TYPES: &str = "crates/call-api-types/src/generated.rs";
pub(crate) const CLIENT: &str = "crates/call-api-client/src/generated.rs";
pub(crate) const MOCK: &str = "crates/call-api-mock/src/generated.rs";
pub(crate) const UNSUPPORTED: &str = "spec/openapi.unsupported.md";
pub(crate) const SETTINGS: &str = "spec/codegen.toml";

pub(crate) fn root() -> PathBuf {
    call_api_codegen::project::root().unwrap()
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The settings for that document.
const FIRST_SETTINGS: &str = r#"# The settings of a test.

[sensitive]
Call = ["recording_url"]
Contact = ["identifier"]

[copies]
"crates/call-api-sandbox/src/openapi.json" = ""

[examples]
"crates/call-api-types/src/example.json" = "Call"

[descriptions]
operations = ["crates/call-api-cli/src/operations.json", "crates/call-api-sandbox/src/operations.json"]
"#;

/// A project with [`FIRST`] and its generated files, which a test may change.
pub(crate) struct Copy(TempDir);

impl Copy {
    pub(crate) fn new() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        copy.write(SPEC, &read(FIRST));
        copy.write(SETTINGS, FIRST_SETTINGS);
        assert_eq!(copy.run(Mode::Write).0, Outcome::Fresh);
        copy
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// Replaces a text that occurs once.
    pub(crate) fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert_eq!(text.matches(from).count(), 1, "{from:?} in {path}");
        self.write(path, &text.replace(from, to));
    }

    pub(crate) fn run(&self, mode: Mode) -> (Outcome, String) {
        run(&Options {
            mode,
            ..Options::new(self.path())
        })
    }
}

pub(crate) fn run(options: &Options) -> (Outcome, String) {
    let mut report = Vec::new();
    let outcome = codegen::run(options, &mut report).unwrap();
    (outcome, String::from_utf8(report).unwrap())
}

/// Fetches nothing, for a test that names files only.
pub(crate) fn no_fetch(url: &str) -> Result<Fetched, Finding> {
    unreachable!("a test fetches {url}")
}

/// Writes a file of a generated workspace, unless it has the text, so that only changes are compiled again.
pub(crate) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text).unwrap();
    }
}

/// Runs cargo in a generated workspace, with the versions of the project's lock file. It must succeed without a warning.
/// Returns its output.
pub(crate) fn cargo(sdk: &Path, target: &Path, arguments: &[&str]) -> String {
    fs::copy(root().join("Cargo.lock"), sdk.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(sdk)
        .env("CARGO_TARGET_DIR", target)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "", "warnings");
    String::from_utf8(output.stdout).unwrap()
}
