//! Cargo, run from within a test.

#![allow(dead_code, reason = "no test uses everything")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the target directory that this test was built in, so that cargo reuses its dependencies.
///
/// Cargo does not hold its lock while it runs tests.
pub(crate) fn target_dir() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp).to_owned()
}

/// Creates an empty folder below the target directory.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Returns a cargo command for `folder`, without the variables of the cargo that runs this test, which build scripts
/// would take for a change, and without settings of the SDK.
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

/// Builds an example and returns the path of its program.
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
