//! `cargo xtask adopt NEW`: the vendor's new document becomes this SDK's, with all that follows from it, or nothing does.
//!
//! Everything is tried in a copy of the project first: the document is replaced there, the code generated, and the
//! workspace compiled, with the project's own target folder, so that only what changed is compiled again. Only what has
//! passed is then carried over, the document last. So whatever goes wrong before, be it a document that the generator
//! refuses, code that doesn't compile, or an impatient Ctrl-C, has never touched the project; and where carrying over
//! itself fails, what it has written is put back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::diff::source::Input;
use crate::diff::{self, Step};
use crate::problem::{Place, Problem, Problems};
use crate::write::Mode;

/// Where the project's document is.
const DOCUMENT: &str = "spec/openapi.json";

/// Compiles the project in the first folder, with the second one for what the compiler makes; the error says what went
/// wrong.
pub type Compile<'a> = dyn Fn(&Path, &Path) -> Result<(), String> + 'a;

/// What to adopt, and where.
pub struct Options<'a> {
    /// The root of the project.
    pub root: PathBuf,
    /// The new document: a file or an http(s) URL.
    pub new: String,
    /// The version of the crates now.
    pub version: String,
    /// Where the compiler keeps what it makes; the project is tried out there, too.
    pub target: PathBuf,
    /// How the outcome is compiled; [`cargo_check`] but in tests.
    pub compile: &'a Compile<'a>,
}

/// How it ended; the number is the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// The document is the new one, and all that is generated belongs to it.
    Adopted = 0,
    /// The generated files did not belong to the old document to begin with; nothing was changed.
    Stale = 4,
    /// It can't be adopted; nothing was changed.
    Failed = 100,
}

/// Runs `cargo check --workspace` in `project`, and shows what cargo says as it says it.
///
/// # Errors
/// That cargo can't be run, or that it failed.
pub fn cargo_check(project: &Path, target: &Path) -> Result<(), String> {
    // Set where cargo runs us; the same toolchain then compiles.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .args(["check", "--workspace"])
        .current_dir(project)
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null())
        // What cargo and the compiler say goes to standard error, which stays the maintainer's.
        .stdout(Stdio::null());
    // Cargo tells its children of the package that they belong to, which the copy's is not.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
        command.env_remove(name);
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`cargo check --workspace` failed ({status})")),
        Err(error) => Err(format!(
            "cannot run {}: {error}",
            Path::new(&cargo).display()
        )),
    }
}

/// A file that is to become another one: its bytes, or `None` where it isn't there.
struct Replacement {
    path: PathBuf,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
}

/// Adopts a document, and reports each step to `report`.
///
/// # Errors
/// Only where `report` can't be written to; everything else is reported, and told by the outcome.
pub fn run(options: &Options<'_>, report: &mut dyn Write) -> io::Result<Outcome> {
    match prepare(options, report)? {
        Ok(Ready::Nothing) => {
            writeln!(
                report,
                "\nthe project has this very document already; nothing was changed"
            )?;
            Ok(Outcome::Adopted)
        }
        Ok(Ready::Replace(replacements, step)) => match carry_over(&options.root, &replacements) {
            Ok(()) => {
                next_steps(report, &replacements, &step)?;
                Ok(Outcome::Adopted)
            }
            Err(problem) => fail(report, problem.into()),
        },
        Err(Failure::Stale) => {
            writeln!(
                report,
                "error: the generated files don't belong to {DOCUMENT} as it is\n  \
                 help: run `cargo xtask codegen`, look at what it changes, commit it, and adopt then\n\n\
                 nothing was changed"
            )?;
            Ok(Outcome::Stale)
        }
        Err(Failure::Problems(problems)) => fail(report, problems),
        Err(Failure::Reported) => {
            writeln!(report, "\nnothing was changed")?;
            Ok(Outcome::Failed)
        }
    }
}

fn fail(report: &mut dyn Write, problems: Problems) -> io::Result<Outcome> {
    diff::report::problems(report, &problems, "nothing was changed")?;
    Ok(Outcome::Failed)
}

/// What is to be done once all has been tried.
enum Ready {
    Nothing,
    Replace(Vec<Replacement>, Step),
}

/// Why it comes to nothing.
enum Failure {
    /// The generated files had drifted.
    Stale,
    /// What is wrong.
    Problems(Problems),
    /// Something that has been reported by the step that met it.
    Reported,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problems(problem.into())
    }
}

fn problem(path: &Path, cause: String, remedy: &str) -> Problem {
    Problem {
        file: path.to_string_lossy().replace('\\', "/"),
        place: Place::File,
        cause,
        remedy: remedy.to_owned(),
    }
}

/// Everything but the carrying over: the project is only read.
fn prepare(options: &Options<'_>, report: &mut dyn Write) -> io::Result<Result<Ready, Failure>> {
    let document = options.root.join(DOCUMENT);
    let mut checked = Vec::new();
    let check = crate::Options {
        mode: Mode::Check,
        diff: false,
        ..crate::Options::new(&options.root)
    };
    match crate::run(&check, &mut checked)? {
        crate::Outcome::Fresh => {}
        crate::Outcome::Stale => return Ok(Err(Failure::Stale)),
        crate::Outcome::Failed => {
            report.write_all(&checked)?;
            return Ok(Err(Failure::Reported));
        }
    }
    let new = &options.new;
    let compared = diff::with_deep_stack(|| {
        let old = diff::validated(&document.to_string_lossy())?;
        let new = diff::validated(new)?;
        let findings = diff::compare(&old.source.document, &new.source.document);
        let after = bytes(&new);
        let same = old.bytes == after;
        // Within the deep stack, too: a document is dropped as deep as it nests.
        Ok((old.bytes, new.label.clone(), after, findings, same))
    });
    let (before, label, after, findings, same) =
        match compared.unwrap_or_else(|error| Err(diff::lost(&options.new, &error))) {
            Ok(compared) => compared,
            Err(problems) => return Ok(Err(Failure::Problems(problems))),
        };
    let step = diff::step(findings.worst(), &options.version);
    diff::report::text(report, (DOCUMENT, &label), &findings, &step)?;
    if same {
        return Ok(Ok(Ready::Nothing));
    }
    let replacements = try_out(options, report, before, after)?;
    Ok(replacements.map(|replacements| Ready::Replace(replacements, step)))
}

/// The bytes that become the project's document: the vendor's own where they are JSON in one file, else the same said in
/// JSON, with what the document refers to in other files.
fn bytes(new: &Input) -> Vec<u8> {
    let text = new
        .bytes
        .strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(&new.bytes);
    if new.source.parts.is_empty() && serde_json::from_slice::<Value>(text).is_ok() {
        return text.to_vec();
    }
    let mut json = format!("{:#}", new.source.document).into_bytes();
    json.push(b'\n');
    json
}

/// Replaces the document in a copy of the project, generates and compiles there, and answers with what has changed.
fn try_out(
    options: &Options<'_>,
    report: &mut dyn Write,
    before: Vec<u8>,
    after: Vec<u8>,
) -> io::Result<Result<Vec<Replacement>, Failure>> {
    let room = "make room, or mend the folder's permissions";
    let unable = |path: &Path, error: io::Error| {
        let cause = format!("cannot make a copy of the project to try it in: {error}");
        Failure::from(problem(path, cause, room))
    };
    let copy = match Trial::new(&options.target) {
        Ok(copy) => copy,
        Err(error) => return Ok(Err(unable(&options.target, error))),
    };
    let copied = copy_tree(&options.root, copy.path())
        .and_then(|()| fs::write(copy.path().join(DOCUMENT), &after))
        .and_then(|()| snapshot(copy.path()));
    let untouched = match copied {
        Ok(untouched) => untouched,
        Err(error) => return Ok(Err(unable(&options.root, error))),
    };
    writeln!(report, "\nin a copy of the project:")?;
    if crate::run(
        &crate::Options {
            diff: false,
            ..crate::Options::new(copy.path())
        },
        report,
    )? != crate::Outcome::Fresh
    {
        return Ok(Err(Failure::Reported));
    }
    let generated = match snapshot(copy.path()) {
        Ok(generated) => generated,
        Err(error) => return Ok(Err(unable(copy.path(), error))),
    };
    report.flush()?;
    if let Err(cause) = (options.compile)(copy.path(), &options.target) {
        let remedy = "where the compiler names code that was written by hand, adopt by hand: put the document into \
                      spec/openapi.json, run `cargo xtask codegen`, and mend that code; where it names generated code, \
                      report it with the document";
        let problem = problem(
            Path::new(DOCUMENT),
            format!("the SDK of the new document does not compile: {cause}"),
            remedy,
        );
        return Ok(Err(problem.into()));
    }
    let mut replacements: Vec<Replacement> = untouched
        .keys()
        .chain(
            generated
                .keys()
                .filter(|path| !untouched.contains_key(*path)),
        )
        .filter(|path| untouched.get(*path) != generated.get(*path))
        .map(|path| Replacement {
            path: path.clone(),
            before: untouched.get(path).cloned(),
            after: generated.get(path).cloned(),
        })
        .collect();
    // Last: as long as it isn't there, `cargo xtask codegen` leads back to the old document's code.
    replacements.push(Replacement {
        path: PathBuf::from(DOCUMENT),
        before: Some(before),
        after: Some(after),
    });
    Ok(Ok(replacements))
}

/// The folder for what the compiler makes of the project at `root`, as the environment says it.
pub fn target(root: &Path) -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR");
    named.map_or_else(|| root.join("target"), |target| root.join(target))
}

/// The copy of the project; it goes when this does. It is always at the same place, so that the compiler keeps one set of
/// what it makes of it, and so that one that was left behind by a Ctrl-C goes with the next.
struct Trial(PathBuf);

impl Trial {
    fn new(target: &Path) -> io::Result<Self> {
        let place = target.join("adopt");
        match fs::remove_dir_all(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&place)?;
        Ok(Self(place))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // What stays goes with the next one.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Folders that are no part of the project: what was built, and what is only kept by tools.
fn is_aside(path: &Path, name: &OsStr) -> bool {
    name == "target" || name == ".git" || path.join("CACHEDIR.TAG").exists()
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let mut folders = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = folders.pop() {
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let (source, place) = (entry.path(), to.join(entry.file_name()));
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !is_aside(&source, &entry.file_name()) {
                    folders.push((source, place));
                }
            } else if kind.is_file() || (kind.is_symlink() && source.is_file()) {
                fs::copy(&source, &place)?;
            }
        }
    }
    Ok(())
}

/// Every file below `root` that generating may touch, with its bytes: the sources and documents.
fn snapshot(root: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                if !is_aside(&path, &entry.file_name()) {
                    folders.push(path);
                }
            } else if let Ok(relative) = path.strip_prefix(root) {
                files.insert(relative.to_owned(), fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

/// Writes what has passed into the project, in order; where one file can't be written, those before are put back.
fn carry_over(root: &Path, replacements: &[Replacement]) -> Result<(), Problem> {
    for replacement in replacements {
        let path = root.join(&replacement.path);
        if read_if_there(&path).ok() != Some(replacement.before.clone()) {
            let cause = "the file was changed while the new document was being tried".to_owned();
            return Err(problem(
                &replacement.path,
                cause,
                "adopt again once nothing else changes the project",
            ));
        }
    }
    for (done, replacement) in replacements.iter().enumerate() {
        let Err(error) = put(&root.join(&replacement.path), replacement.after.as_deref()) else {
            continue;
        };
        let mut cause = format!("cannot write the file: {error}");
        for earlier in replacements.iter().take(done).rev() {
            if let Err(error) = put(&root.join(&earlier.path), earlier.before.as_deref()) {
                cause.push_str(&format!(
                    "; nor put back {}: {error}",
                    earlier.path.display()
                ));
            }
        }
        return Err(problem(
            &replacement.path,
            cause,
            "mend its permissions, and adopt again",
        ));
    }
    Ok(())
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file in one step, or removes it.
fn put(path: &Path, bytes: Option<&[u8]>) -> io::Result<()> {
    let Some(bytes) = bytes else {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".adopt-")
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A temporary file is private to its owner; a source file is not.
        let mode = fs::metadata(path).map_or(0o644, |metadata| metadata.permissions().mode());
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn next_steps(report: &mut dyn Write, replacements: &[Replacement], step: &Step) -> io::Result<()> {
    writeln!(report, "\nadopted; what changed in the project:")?;
    for replacement in replacements {
        let path = replacement.path.to_string_lossy().replace('\\', "/");
        writeln!(report, "    {path}")?;
    }
    writeln!(report, "next:")?;
    writeln!(report, "    run the tests:         cargo test --workspace")?;
    writeln!(report, "    review the snapshots:  cargo insta review")?;
    if step.from != step.to {
        writeln!(
            report,
            "    set the version:       {} -> {} in Cargo.toml ({} step)",
            step.from, step.to, step.step
        )?;
    }
    writeln!(report, "    commit all of it together")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_was_written_is_put_back_where_a_later_file_cant_be() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::write(at("changed"), "old").unwrap();
        fs::write(at("removed"), "old").unwrap();
        // A folder that can't be made, in which nothing is.
        std::os::unix::fs::symlink("nowhere/at/all", at("dangling")).unwrap();
        let replacement = |path: &str, before: Option<&str>, after: Option<&str>| Replacement {
            path: path.into(),
            before: before.map(|text| text.as_bytes().to_vec()),
            after: after.map(|text| text.as_bytes().to_vec()),
        };
        let replacements = [
            replacement("changed", Some("old"), Some("new")),
            replacement("removed", Some("old"), None),
            replacement("made", None, Some("new")),
            replacement("dangling/file", None, Some("new")),
        ];
        let problem = carry_over(root.path(), &replacements).unwrap_err();
        assert_eq!(problem.file, "dangling/file");
        assert!(
            problem.cause.starts_with("cannot write the file"),
            "{}",
            problem.cause
        );
        assert_eq!(fs::read_to_string(at("changed")).unwrap(), "old");
        assert_eq!(fs::read_to_string(at("removed")).unwrap(), "old");
        assert!(!at("made").exists());
    }

    #[test]
    fn the_vendors_bytes_are_kept_where_they_are_json() {
        let bytes_of = |name: &str, text: &str| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            let input = diff::source::read(&path.display().to_string()).unwrap();
            String::from_utf8(bytes(&input)).unwrap()
        };
        assert_eq!(bytes_of("a.json", "\u{feff}{ \"a\":1}"), "{ \"a\":1}");
        assert_eq!(
            bytes_of("a.yaml", "b: on\na: 18:00\n"),
            "{\n  \"b\": \"on\",\n  \"a\": \"18:00\"\n}\n"
        );
        assert_eq!(bytes_of("a.yml", "{a: 1}"), "{\n  \"a\": 1\n}\n");
    }
}
