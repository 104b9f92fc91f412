//! Runs cargo on the copy of a project.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::layout;
use crate::pointer::Lookup as _;

/// The packages whose tests depend on the document.
struct Packages {
    /// The package at the root, whose examples are run.
    root: Option<String>,
    /// The generated packages, whose tests change with the document.
    generated: BTreeSet<String>,
    /// The packages that depend on generated ones.
    dependents: BTreeSet<String>,
}

impl Packages {
    /// Reads the packages of a project.
    fn of(project: &Path, target: &Path) -> Result<Self, String> {
        let arguments = ["metadata", "--no-deps", "--offline", "--format-version=1"];
        let mut command = command(project, target, &arguments);
        let output = command
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .output();
        let output =
            output.map_err(|error| cannot_run(Path::new(command.get_program()), &error))?;
        if !output.status.success() {
            return Err(failed(&arguments, output.status));
        }
        let metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("cannot read the output of `cargo metadata`: {error}"))?;
        Ok(Self::read(&metadata))
    }

    fn read(metadata: &Value) -> Self {
        let texts =
            |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let list = |value: &Value, key: &str| {
            value
                .get(key)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let packages = list(metadata, "packages");
        let named = |package: &Value| {
            let manifest = texts(package, "manifest_path")?;
            let folder = Path::new(&manifest).parent()?.to_owned();
            Some((texts(package, "name")?, folder))
        };
        let folders: BTreeMap<String, PathBuf> = packages.iter().filter_map(named).collect();
        let project = PathBuf::from(texts(metadata, "workspace_root").unwrap_or_default());
        let at = |folder: &Path| {
            let mut folders = folders.iter();
            let found = folders.find(|(_, other)| other.as_path() == folder);
            found.map(|(name, _)| name.clone())
        };
        let generated: BTreeSet<String> = layout::generated_folders()
            .iter()
            .filter_map(|folder| at(&project.join(folder)))
            .collect();
        let mut dependents = generated.clone();
        loop {
            let before = dependents.len();
            for package in &packages {
                let depends = list(package, "dependencies").iter().any(|dependency| {
                    texts(dependency, "name").is_some_and(|name| dependents.contains(&name))
                });
                dependents.extend(texts(package, "name").filter(|_| depends));
            }
            if dependents.len() == before {
                break;
            }
        }
        Self {
            root: at(&project),
            dependents: dependents.difference(&generated).cloned().collect(),
            generated,
        }
    }
}

/// Compiles all targets of `project`, runs its examples, and runs the tests that depend on the document. Those of the
/// generated crates update their snapshots. Messages of cargo go to standard error. Returns a line with file and line for
/// each failing test of hand-written code.
///
/// # Errors
/// Errors if cargo cannot be run, or with what fails: compile errors in hand-written code are listed with file and line.
pub fn verify(project: &Path, target: &Path) -> Result<Vec<String>, String> {
    // Everything is compiled at once, as `cargo test --workspace` does afterwards: with another selection of packages, cargo
    // would compile dependencies again, with other features.
    let mut programs = compile(project, target)?;
    programs.sort_by(|a, b| (&a.package, &a.name).cmp(&(&b.package, &b.name)));
    let packages = Packages::of(project, target)?;
    let is_of_root = |program: &&Program| packages.root.as_ref() == Some(&program.package);
    let examples = programs.iter().filter(|program| program.is_example);
    for example in examples.filter(is_of_root) {
        let status = example
            .command(target)
            .status()
            .map_err(|error| cannot_run(&example.path, &error))?;
        if !status.success() {
            return Err(format!("the example `{}` failed ({status})", example.name));
        }
    }
    let mut failing = Vec::new();
    for program in programs.iter().filter(|program| !program.is_example) {
        let of_xtask = program.package == "xtask";
        if packages.generated.contains(&program.package) || of_xtask && program.name == "outline" {
            let mut command = program.command(target);
            // Snapshots of generated code change with the document.
            let (status, _) = run(command.env("INSTA_UPDATE", "always"))?;
            if !status.success() {
                return Err(program.failed(status));
            }
        } else if packages.dependents.contains(&program.package)
            || of_xtask && ["spec", "doc_examples"].contains(&program.name.as_str())
        {
            failing.extend(program.test(target)?);
        }
    }
    for line in test_documentation(project, target)? {
        let is_generated = |folder: &PathBuf| Path::new(&line).starts_with(folder);
        if layout::generated_folders().iter().any(is_generated) {
            return Err(format!("an example of a generated crate failed: {line}"));
        }
        failing.push(line);
    }
    Ok(failing)
}

/// A program that cargo has compiled: a test, or an example.
struct Program {
    package: String,
    name: String,
    path: PathBuf,
    /// The folder of the package.
    folder: PathBuf,
    is_example: bool,
}

impl Program {
    /// Reads a message of cargo. Returns `None` if it is not about a program that was compiled.
    fn of(message: &Value) -> Option<Self> {
        let text = |pointer| message.at(pointer).and_then(Value::as_str);
        let path = PathBuf::from(text("/executable")?);
        let folder = Path::new(text("/manifest_path")?).parent()?.to_owned();
        let is_test = message.at("/profile/test") == Some(&Value::Bool(true));
        let is_example = !is_test && text("/target/kind/0") == Some("example");
        if !is_test && !is_example || text("/target/kind/0") == Some("bench") {
            return None;
        }
        // Such as `path+file:///project#acme@0.1.0`, or `path+file:///crates/name#0.1.0`.
        let id = text("/package_id")?;
        let (source, fragment) = id.rsplit_once('#')?;
        let package = match fragment.split_once('@') {
            Some((name, _)) => name,
            None => source.rsplit('/').next()?,
        };
        Some(Self {
            package: package.to_owned(),
            name: text("/target/name")?.to_owned(),
            path,
            folder,
            is_example,
        })
    }

    /// Returns the command that runs the program as cargo does.
    fn command(&self, target: &Path) -> Command {
        let mut command = Command::new(&self.path);
        with_environment(&mut command, target)
            .current_dir(&self.folder)
            .env("CARGO", cargo_program())
            .env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }

    /// Runs hand-written tests, and those that fail once more, alone: the other tests keep the machine busy. Returns a line
    /// for each that fails again.
    fn test(&self, target: &Path) -> Result<Vec<String>, String> {
        retried(
            || {
                let mut command = self.command(target);
                command.arg("--quiet");
                command
            },
            |status| self.failed(status),
        )
    }

    fn failed(&self, status: ExitStatus) -> String {
        format!(
            "the test `{}` of {} failed ({status})",
            self.name, self.package
        )
    }
}

/// Runs the examples in documentation, and those that fail once more.
fn test_documentation(project: &Path, target: &Path) -> Result<Vec<String>, String> {
    let arguments = ["test", "--quiet", "--workspace", "--doc", "--no-fail-fast"];
    retried(
        || {
            let mut command = command(project, target, &arguments);
            command.arg("--");
            command
        },
        |status| failed(&arguments, status),
    )
}

/// Runs tests of hand-written code, and those that fail a second time. Returns a line for each that fails again.
fn retried(
    tests: impl Fn() -> Command,
    crashed: impl Fn(ExitStatus) -> String,
) -> Result<Vec<String>, String> {
    let run = |filters: &[String]| {
        // A snapshot of hand-written code changes only if its author agrees.
        run(tests().args(filters).env("INSTA_UPDATE", "no"))
    };
    let (status, output) = run(&[])?;
    if status.success() {
        return Ok(Vec::new());
    }
    let names = failures(&output).into_iter().map(|(name, _)| name);
    let names: Vec<String> = names.collect();
    if names.is_empty() || has_crashed(&output) {
        return Err(crashed(status));
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
fn run(command: &mut Command) -> Result<(ExitStatus, String), String> {
    let echo = |command: &mut Command| {
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
    };
    echo(command.env("RUST_BACKTRACE", "0"))
        .map_err(|error| cannot_run(Path::new(command.get_program()), &error))
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

/// Compiles all targets of `project`, and returns the tests and examples.
///
/// # Errors
/// Errors if cargo cannot be run, or with the compile errors outside of generated files, or without if there are none.
fn compile(project: &Path, target: &Path) -> Result<Vec<Program>, String> {
    let arguments = [
        "build",
        "--workspace",
        "--all-targets",
        "--keep-going",
        "--message-format=json",
    ];
    let mut command = command(project, target, &arguments);
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output();
    let output = output.map_err(|error| cannot_run(Path::new(&cargo_program()), &error))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    if output.status.success() {
        return Ok(messages
            .filter_map(|message| Program::of(&message))
            .collect());
    }
    let _ = io::stderr().write_all(&output.stderr);
    let mut errors = BTreeSet::new();
    for message in messages {
        match compile_error(&message) {
            Some(error) => drop(errors.insert(error)),
            None => {
                let rendered = message.at("/message/rendered").and_then(Value::as_str);
                let _ = write!(io::stderr(), "{}", rendered.unwrap_or_default());
            }
        }
    }
    if errors.is_empty() {
        return Err(failed(&arguments, output.status));
    }
    let errors: Vec<String> = errors.into_iter().collect();
    Err(format!(
        "hand-written code does not compile:\n    {}",
        errors.join("\n    ")
    ))
}

/// Returns a compile error outside of generated files, such as `src/wait.rs:12:5: error[E0599]: no method named …`.
fn compile_error(message: &Value) -> Option<String> {
    let message = message.get("message")?;
    let text = |key| message.at(key).and_then(Value::as_str);
    let spans = message.get("spans")?.as_array()?;
    let place = spans
        .iter()
        .find(|span| span.get("is_primary") == Some(&Value::Bool(true)))?;
    let file = place.get("file_name")?.as_str()?;
    if text("/level") != Some("error") || file.ends_with("generated.rs") {
        return None;
    }
    let code = text("/code/code").map_or(String::new(), |code| format!("[{code}]"));
    Some(format!(
        "{file}:{}:{}: error{code}: {}",
        place.get("line_start")?,
        place.get("column_start")?,
        text("/message")?,
    ))
}

fn command(project: &Path, target: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_program());
    with_environment(&mut command, target)
        .args(arguments)
        .current_dir(project);
    command
}

/// Sets what programs of cargo and of the project share.
fn with_environment<'a>(command: &'a mut Command, target: &Path) -> &'a mut Command {
    // These name a package of the project, not of the copy.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
        command.env_remove(name);
    }
    command
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null())
        // Standard output is the report.
        .stdout(io::stderr())
}

/// Cargo sets `CARGO` for the programs it runs: use the same toolchain.
fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn failed(arguments: &[&str], status: ExitStatus) -> String {
    format!("`cargo {}` failed ({status})", arguments.join(" "))
}

fn cannot_run(program: &Path, error: &io::Error) -> String {
    format!("cannot run {}: {error}", program.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_a_project_are_read() {
        let project = crate::project::root().unwrap();
        let packages = Packages::of(&project, &project.join("target")).unwrap();
        assert!(packages.root.is_some());
        assert_eq!(packages.generated.len(), layout::generated_folders().len());
        assert!(
            packages
                .dependents
                .contains(&packages.root.unwrap_or_default())
        );
    }

    #[test]
    fn packages_that_depend_on_generated_ones_are_tested() {
        let package = |name: &str, folder: &str, dependencies: &[&str]| {
            let dependencies: Vec<Value> = dependencies
                .iter()
                .map(|name| serde_json::json!({"name": name}))
                .collect();
            let manifest = format!("/project{folder}/Cargo.toml");
            serde_json::json!({"name": name, "manifest_path": manifest, "dependencies": dependencies})
        };
        let of_part = |part: &str| format!("/{}", layout::folder(part));
        let packages = Packages::read(&serde_json::json!({
            "workspace_root": "/project",
            "packages": [
                package("program", "/crates/program", &["facade", "clap"]),
                package("facade", "", &["client", "transport"]),
                package("client", &of_part("client"), &["types", "transport"]),
                package("transport", &of_part("transport"), &["reqwest"]),
                package("types", &of_part("types"), &["serde"]),
                package("generator", "/crates/generator", &["syn"]),
            ],
        }));
        let names = |names: [&str; 2]| BTreeSet::from(names.map(str::to_owned));
        assert_eq!(packages.root.as_deref(), Some("facade"));
        assert_eq!(packages.generated, names(["client", "types"]));
        assert_eq!(packages.dependents, names(["facade", "program"]));
    }

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
