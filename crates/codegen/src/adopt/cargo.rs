//! Runs cargo on the copy of a project.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Compiles all targets of `project`, runs its examples, and runs the tests that depend on the document. Those of the
/// generated crates update their snapshots. Messages of cargo go to standard error. Returns a line with file and line for
/// each failing test of hand-written code.
///
/// # Errors
/// Errors if cargo cannot be run, or with what fails: compile errors in hand-written code are listed with file and line.
pub fn verify(project: &Path, target: &Path) -> Result<Vec<String>, String> {
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
    cargo(&["test", "--quiet", "-p", "xtask", "--test", "outline"])?;
    let mut failing = test(
        project,
        target,
        &["-p", "xtask", "--test", "spec", "--test", "doc_examples"],
    )?;
    let packages = [
        "-p",
        "call-api",
        "-p",
        "call-api-sandbox",
        "-p",
        "call-api-cli",
    ];
    failing.extend(test(project, target, &packages)?);
    Ok(failing)
}

/// Runs hand-written tests, and those that fail once more, alone: the other tests keep the machine busy. Returns a line for
/// each that fails again.
fn test(project: &Path, target: &Path, selected: &[&str]) -> Result<Vec<String>, String> {
    let arguments = [&["test", "--quiet", "--no-fail-fast"], selected].concat();
    let run = |filters: &[String]| {
        let mut command = command(project, target, &arguments);
        command.arg("--").args(filters);
        // A snapshot of hand-written code changes only if its author agrees.
        command.env("INSTA_UPDATE", "no").env("RUST_BACKTRACE", "0");
        echoed(&mut command).map_err(|error| cannot_run(&error))
    };
    let (status, output) = run(&[])?;
    if status.success() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = failures(&output)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    if names.is_empty() || has_crashed(&output) {
        return Err(failed(&arguments, status));
    }
    let (status, output) = run(&names)?;
    let failing = failures(&output).into_iter().map(|(_, line)| line);
    Ok(if status.success() {
        Vec::new()
    } else {
        failing.collect()
    })
}

/// Returns true if a test program ended without a result, such as by a stack overflow: it names no failing test.
fn has_crashed(output: &str) -> bool {
    let count = |is: fn(&&str) -> bool| output.lines().filter(is).count();
    let started = count(|line| line.starts_with("running ") && line.contains(" test"));
    started != count(|line| line.starts_with("test result: "))
}

/// Runs a command, copies its standard output to standard error, and returns it.
fn echoed(command: &mut Command) -> io::Result<(ExitStatus, String)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut output = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            let _ = writeln!(io::stderr(), "{line}");
            output.push_str(&line);
            output.push('\n');
        }
    }
    Ok((child.wait()?, output))
}

/// Returns the failing tests of an output of `cargo test`: the name of each, and a line with its file and message.
fn failures(output: &str) -> Vec<(String, String)> {
    // Each failing test has a section such as:
    //
    //     ---- tests::name stdout ----
    //     thread 'tests::name' (7) panicked at src/wait.rs:12:5:
    //     assertion failed
    let mut failures = Vec::new();
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        let name = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" ----"));
        let Some(name) = name.and_then(|name| name.rsplit_once(" std")) else {
            continue;
        };
        let name = name.0;
        let section = lines
            .clone()
            .take_while(|line| !line.starts_with("---- ") && *line != "failures:");
        let mut section = section.filter(|line| !line.trim().is_empty());
        let panicked = section
            .clone()
            .find_map(|line| line.split_once(" panicked at "));
        let line = match panicked {
            Some((_, place)) => {
                let mut after = section.skip_while(|line| !line.contains(" panicked at "));
                let message = after.nth(1).unwrap_or_default().trim();
                format!("{} {name}: {message}", place.trim())
            }
            // A documentation test: `src/guide.rs - guide (line 12)`.
            None => match name.split_once(" - ").zip(name.rsplit_once("(line ")) {
                Some(((file, _), (_, number))) => {
                    let message = section.next().unwrap_or_default().trim();
                    format!(
                        "{file}:{}: documentation test: {message}",
                        number.trim_end_matches(')')
                    )
                }
                None => name.to_owned(),
            },
        };
        failures.push((name.to_owned(), line));
    }
    failures
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_program_without_a_result_has_crashed() {
        let passed = "\nrunning 2 tests\n..\ntest result: ok. 2 passed\n\nrunning 1 test\n.\ntest result: ok.\n";
        assert!(!has_crashed(passed));
        assert!(has_crashed(&format!("{passed}\nrunning 5 tests\n..")));
    }

    #[test]
    fn failing_tests_are_listed_with_file_and_line() {
        let output = "\
running 2 tests
change::tests::ends --- FAILED

failures:

---- change::tests::ends stdout ----

thread 'change::tests::ends' (7) panicked at src/change.rs:12:5:
assertion `left == right` failed
  left: 1

---- lists_calls stdout ----
Error: Custom

---- src/guide.rs - guide (line 189) stdout ----
error[E0369]: binary operation `==` cannot be applied
  --> src/guide.rs:211:1


failures:
    change::tests::ends
";
        let found = failures(output);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "change::tests::ends",
                "lists_calls",
                "src/guide.rs - guide (line 189)"
            ]
        );
        let lines: Vec<_> = found.iter().map(|(_, line)| line.as_str()).collect();
        assert_eq!(
            lines,
            [
                "src/change.rs:12:5: change::tests::ends: assertion `left == right` failed",
                "lists_calls",
                "src/guide.rs:189: documentation test: error[E0369]: binary operation `==` cannot be applied",
            ]
        );
    }
}
