//! Cargo, run from within a test.

#![allow(dead_code, reason = "each test uses its part")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where this test was built: a cargo that is given it finds the same dependencies built.
///
/// It is not locked: the cargo that runs a test has built everything by then, and let go.
pub(crate) fn target_dir() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp).to_owned()
}

/// A folder of the test's own below the target directory, empty.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Cargo as a person would call it in `folder`: without what the cargo that runs this test says about this package,
/// which build scripts would take for a change, and without settings for the SDK.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let of_package = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ]
        .iter()
        .any(|prefix| name.to_string_lossy().starts_with(prefix));
        if of_package || name == "OUT_DIR" || name.to_string_lossy().starts_with("CALL_API_") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Returns the checkout under test. `env!` would name the checkout that compiled the test, and two checkouts may share
/// a target directory.
pub(crate) fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").unwrap().into()
}

/// The program of an example, built.
pub(crate) fn example(name: &str) -> PathBuf {
    let mut build = cargo(&root());
    build.args(["build", "--quiet", "--example", name]);
    build.args(["--features", "blocking"]);
    build.env("CARGO_TARGET_DIR", target_dir());
    let built = build.output().unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let file = format!("debug/examples/{name}{}", std::env::consts::EXE_SUFFIX);
    target_dir().join(file)
}
