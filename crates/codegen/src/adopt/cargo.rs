//! Runs cargo on the copy of a project.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Compiles all targets of `project`, runs its examples, and runs the tests of the generated crates, which update their
/// snapshots. Messages of cargo go to standard error.
///
/// # Errors
/// Errors if cargo cannot be run, or with what fails: compile errors in hand-written code are listed with file and line.
pub fn verify(project: &Path, target: &Path) -> Result<(), String> {
    let cargo = |arguments: &[&str]| cargo(project, target, arguments);
    check(project, target)?;
    for example in examples(project) {
        cargo(&["run", "--quiet", "--example", &example])?;
    }
    cargo(&[
        "test",
        "--quiet",
        "-p",
        "call-api-types",
        "-p",
        "call-api-client",
        "-p",
        "call-api-mock",
    ])?;
    cargo(&["test", "--quiet", "-p", "xtask", "--test", "outline"])
}

/// Compiles all targets of `project`.
///
/// # Errors
/// Errors if cargo cannot be run, or with the compile errors outside of generated files, or without if there are none.
pub fn check(project: &Path, target: &Path) -> Result<(), String> {
    let arguments = [
        "check",
        "--workspace",
        "--all-targets",
        "--keep-going",
        "--message-format=short",
    ];
    let output = command(project, target, &arguments)
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| cannot_run(&error))?;
    if output.status.success() {
        return Ok(());
    }
    let messages = String::from_utf8_lossy(&output.stderr);
    // Such as `src/wait.rs:12:5: error[E0599]: no method named …`.
    let mut errors: Vec<&str> = messages
        .lines()
        .filter(|line| line.contains(": error") && !line.contains("generated.rs:"))
        .collect();
    errors.sort_unstable();
    errors.dedup();
    if errors.is_empty() {
        let _ = io::stderr().write_all(messages.as_bytes());
        return Err(failed(&arguments, output.status));
    }
    Err(format!(
        "hand-written code does not compile:\n    {}",
        errors.join("\n    ")
    ))
}

/// Returns the names of the examples of the root package, sorted.
fn examples(project: &Path) -> Vec<String> {
    let entries = fs::read_dir(project.join("examples")).into_iter().flatten();
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some(OsStr::new("rs")))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

fn cargo(project: &Path, target: &Path, arguments: &[&str]) -> Result<(), String> {
    match command(project, target, arguments).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(arguments, status)),
        Err(error) => Err(cannot_run(&error)),
    }
}

fn command(project: &Path, target: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_program());
    command
        .args(arguments)
        .current_dir(project)
        .env("CARGO_TARGET_DIR", target)
        // Snapshots of generated code change with the document.
        .env("INSTA_UPDATE", "always")
        .stdin(Stdio::null())
        // Standard output is the report.
        .stdout(io::stderr());
    // These name a package of the project, not of the copy.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
        command.env_remove(name);
    }
    command
}

/// Cargo sets `CARGO` for the programs it runs: use the same toolchain.
fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn failed(arguments: &[&str], status: ExitStatus) -> String {
    format!("`cargo {}` failed ({status})", arguments.join(" "))
}

fn cannot_run(error: &io::Error) -> String {
    format!(
        "cannot run {}: {error}",
        Path::new(&cargo_program()).display()
    )
}
