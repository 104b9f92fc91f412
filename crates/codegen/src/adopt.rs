//! `cargo xtask adopt NEW`: replaces the document of the project and regenerates the SDK, all or nothing.
//!
//! Everything is tried in a copy of the project first: the document is replaced there, the code generated, and the
//! workspace compiled. The copy uses the target directory of the project, so cargo only compiles what changed. If all
//! steps pass, the changed files are written to the project. A failure or a Ctrl-C before that leaves the project
//! untouched; a failure while writing restores the files already written; a process killed while writing leaves a journal,
//! with which the next command completes the adoption (`adopt/journal.rs`).
//!
//! Where the new document renames something, a pin in `codegen.toml` keeps its public name (see [`crate::pins`]), so
//! hand-written code goes on compiling. The version and the changelog are updated, too.

mod cargo;
mod decisions;
mod journal;
mod release;
mod renames;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::diff::change::Comparison;
use crate::diff::semver::Step;
use crate::diff::source::{Fetch, Input};
use crate::diff::{self, semver};
use crate::pins::Pins;
use crate::pointer::Lookup as _;
use crate::problem::{Problem, Problems};
use crate::project::DOCUMENT;
use crate::settings;
use crate::stack::with_deep_stack;
use crate::write::Mode;
use decisions::Decision;
use journal::Replacement;
use renames::Kept;

pub use cargo::verify;

/// A function that compiles the project in the first folder, with the second as target directory. Returns a line for each
/// failing test of hand-written code, which stops nothing. The error is the cause of a failure.
pub type Compile<'a> = dyn Fn(&Path, &Path) -> Result<Vec<String>, String> + 'a;

/// The options of `cargo xtask adopt`.
pub struct Options<'a> {
    /// The root of the project.
    pub root: PathBuf,
    /// The new document: a file or an HTTP(S) URL.
    pub new: String,
    /// Keeps the public names of what the document renames.
    pub keep_names: bool,
    /// Further pins, such as `Call.end_reason=ended_reason`: the public name, and the new document's name.
    pub pins: Vec<String>,
    /// The target directory of cargo. The copy of the project is created below it.
    pub target: PathBuf,
    /// Fetches a document that has a URL.
    pub fetch: &'a Fetch<'a>,
    /// Compiles and tests the copy: [`verify`], except in tests.
    pub compile: &'a Compile<'a>,
}

/// The outcome of an adoption, with the exit code of the process as discriminant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// The project has the new document and the code generated from it.
    Adopted = 0,
    /// The generated files were out of date before the adoption. Nothing was changed.
    Stale = 4,
    /// The document cannot be adopted. Nothing was changed.
    Failed = 100,
}

/// Adopts a document, and reports each step to `report`.
///
/// # Errors
/// Errors only if `report` cannot be written. Any other failure is reported and has its own outcome.
pub fn run(options: &Options<'_>, report: &mut dyn Write) -> io::Result<Outcome> {
    match prepare(options, report)? {
        Ok(Ready::Nothing) => {
            writeln!(
                report,
                "\nthe project already has this document; nothing was changed"
            )?;
            Ok(Outcome::Adopted)
        }
        Ok(Ready::Replace(trial, step)) => {
            match journal::replace(&options.root, &trial.replacements) {
                Ok(()) => {
                    next_steps(report, &trial, &step)?;
                    Ok(Outcome::Adopted)
                }
                Err(problem) => fail(report, problem.into()),
            }
        }
        Err(Failure::Stale) => {
            writeln!(
                report,
                "error: the generated files do not match {DOCUMENT}\n  \
                 help: run `cargo xtask codegen`, review and commit the changes, and adopt again\n\n\
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

/// The result of a successful trial.
enum Ready {
    Nothing,
    Replace(Tried, Step),
}

/// The findings of a trial.
struct Tried {
    replacements: Vec<Replacement>,
    decisions: Vec<Decision>,
    /// A line for each failing test of hand-written code.
    failing: Vec<String>,
}

/// The reason that nothing is adopted.
enum Failure {
    /// The generated files are out of date.
    Stale,
    /// Problems to report.
    Problems(Problems),
    /// A failure that has been reported already.
    Reported,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problems(problem.into())
    }
}

fn problem(path: &Path, cause: String, remedy: &str) -> Problem {
    Problem::of_file(path.to_string_lossy().replace('\\', "/"), cause, remedy)
}

/// Compares the documents and tries the new one in a copy. The project itself is only read.
fn prepare(options: &Options<'_>, report: &mut dyn Write) -> io::Result<Result<Ready, Failure>> {
    if let Err(problem) = resume(&options.root, report)? {
        return Ok(Err(problem.into()));
    }
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
    let (new, fetch) = (&options.new, options.fetch);
    let names = (options.keep_names, &options.pins[..]);
    let compared = with_deep_stack(|| compare(&document, new, fetch, names));
    let release = match compared.unwrap_or_else(|error| Err(diff::panicked(&options.new, &error))) {
        Ok(release) => release,
        Err(problems) => return Ok(Err(Failure::Problems(problems))),
    };
    let version = match release::version(&options.root.join("Cargo.toml")) {
        Ok(version) => version,
        Err(problem) => return Ok(Err(problem.into())),
    };
    let step = semver::step(release.comparison.worst(), &version);
    diff::report::text(
        report,
        (DOCUMENT, &release.label),
        &release.comparison,
        &step,
    )?;
    if release.before == release.after {
        return Ok(Ok(Ready::Nothing));
    }
    renames::report(report, &release.kept, &release.unused)?;
    let tried = try_in_copy(options, report, &release, &step)?;
    Ok(tried.map(|tried| Ready::Replace(tried, step)))
}

/// Completes an adoption that was interrupted, if there is one, and says so.
pub(crate) fn resume(root: &Path, report: &mut dyn Write) -> io::Result<Result<(), Problem>> {
    Ok(match journal::resume(root) {
        Ok(true) => {
            writeln!(report, "completed an adoption that was interrupted\n")?;
            Ok(())
        }
        resumed => resumed.map(drop),
    })
}

/// A new document, compared with that of the project.
struct Release {
    /// The new document, as messages show it.
    label: String,
    /// The bytes of the project's document.
    before: Vec<u8>,
    /// The bytes of the new document.
    after: Vec<u8>,
    /// The version that the new document states.
    version: String,
    comparison: Comparison,
    /// All pins that hold with the new document.
    pins: Pins,
    /// The renamings that new pins hide.
    kept: Vec<Kept>,
    /// The pins that cannot be applied to the new document.
    unused: Pins,
}

/// Compares the documents and finds the pins.
fn compare(
    document: &Path,
    new: &str,
    fetch: &Fetch<'_>,
    (keep_names, asked): (bool, &[String]),
) -> Result<Release, Problems> {
    let old = diff::validated(&document.to_string_lossy(), fetch)?;
    let new = diff::validated(new, fetch)?;
    let settings = settings::load(document, Path::new(DOCUMENT))?;
    let mut comparison = diff::compare(&old.source.document, &new.source.document);
    let mut pins = settings.names.clone();
    let mut kept = Vec::new();
    for text in asked {
        let pin = renames::parse(text, &pins, &new.source.document)?;
        pins.add(pin.clone());
        kept.push(Kept::asked(pin));
    }
    if keep_names {
        kept.extend(renames::keep_names(&mut comparison, &mut pins));
    }
    let unused = crate::unused_pins(&new.source, &pins);
    for pin in unused.iter() {
        if kept.iter().any(|kept| kept.is_asked(&pin)) {
            return Err(settings.unused_pins(&unused));
        }
        pins.remove(&pin);
    }
    kept.retain(|kept| !kept.is_in(&unused));
    diff::correct(
        &mut comparison,
        (&old.source, &settings.names),
        (&new.source, &pins),
    );
    let version = new.source.document.at("/info/version");
    // The documents are dropped here, since that recurses too.
    Ok(Release {
        label: new.label.clone(),
        after: bytes(&new),
        version: version
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        before: old.bytes,
        comparison,
        pins,
        kept,
        unused,
    })
}

/// Returns the bytes of the project's new document: the vendor's bytes if they are JSON in one file, else the bundled
/// document as JSON.
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

/// Replaces the document in a copy of the project, generates and compiles there, and returns the changed files.
fn try_in_copy(
    options: &Options<'_>,
    report: &mut dyn Write,
    release: &Release,
    step: &Step,
) -> io::Result<Result<Tried, Failure>> {
    let remedy = "free disk space, or fix the permissions of the folder";
    let unable = |path: &Path, error: io::Error| {
        let cause = format!("cannot copy the project: {error}");
        Failure::from(problem(path, cause, remedy))
    };
    let copy = match Trial::new(&options.target) {
        Ok(copy) => copy,
        Err(error) => return Ok(Err(unable(&options.target, error))),
    };
    let copied = copy_tree(&options.root, copy.path())
        .and_then(|()| snapshot(copy.path()))
        .and_then(|untouched| {
            write_release(copy.path(), release, step)?;
            Ok(untouched)
        });
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
    report.flush()?;
    let failing = match (options.compile)(copy.path(), &options.target) {
        Ok(failing) => failing,
        Err(cause) => {
            return Ok(Err(does_not_work(options, release, cause)
                .unwrap_or_else(|error| unable(&options.root, error))));
        }
    };
    // Compiling updates Cargo.lock, and the tests update snapshots.
    let generated = match snapshot(copy.path()) {
        Ok(generated) => generated,
        Err(error) => return Ok(Err(unable(copy.path(), error))),
    };
    let mut replacements: Vec<Replacement> = untouched
        .keys()
        .chain(
            generated
                .keys()
                .filter(|path| !untouched.contains_key(*path)),
        )
        .filter(|path| *path != Path::new(DOCUMENT))
        .filter(|path| untouched.get(*path) != generated.get(*path))
        .map(|path| Replacement {
            path: path.clone(),
            before: untouched.get(path).cloned(),
            after: generated.get(path).cloned(),
        })
        .collect();
    // The project's document is the one that was compared, even if it changed since.
    replacements.push(Replacement {
        path: PathBuf::from(DOCUMENT),
        before: Some(release.before.clone()),
        after: Some(release.after.clone()),
    });
    let decisions = match decisions::find(&options.root, copy.path()) {
        Ok(decisions) => decisions,
        Err(error) => return Ok(Err(unable(&options.root, error))),
    };
    Ok(Ok(Tried {
        replacements,
        decisions,
        failing,
    }))
}

/// Returns the failure of an SDK that does not compile or whose generated parts fail.
fn does_not_work(
    options: &Options<'_>,
    release: &Release,
    mut cause: String,
) -> io::Result<Failure> {
    let named = decisions::old_paths(&options.root, &release.comparison)?;
    if !named.is_empty() {
        cause.push_str(&format!(
            "\n  hand-written code names a path that has changed:\n    {}",
            named.join("\n    ")
        ));
    }
    let remedy = "decide what hand-written code does there about what the document no longer has or says otherwise, or \
                  keep a name with `--pin`; to work on it, copy the document to spec/openapi.json and run \
                  `cargo xtask codegen`; report an error in generated code with the document";
    let problem = problem(
        Path::new(DOCUMENT),
        format!("the SDK of the new document does not work: {cause}"),
        remedy,
    );
    Ok(problem.into())
}

/// Writes what the new document changes beside generated code.
fn write_release(project: &Path, new: &Release, step: &Step) -> io::Result<()> {
    fs::write(project.join(DOCUMENT), &new.after)?;
    let settings = Path::new(DOCUMENT).with_file_name(settings::FILE);
    release::write_pins(&project.join(settings), &new.pins)?;
    release::set_version(&project.join("Cargo.toml"), step)?;
    let origin = Path::new(DOCUMENT).with_file_name("README.md");
    release::write_origin(&project.join(origin), &new.label, &new.version)?;
    release::write_changelog(
        &project.join("CHANGELOG.md"),
        &new.version,
        &new.comparison,
        step,
    )
}

/// Returns the target directory of the project at `root`: `CARGO_TARGET_DIR`, else `target`.
pub fn target(root: &Path) -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR");
    named.map_or_else(|| root.join("target"), |target| root.join(target))
}

/// A copy of the project, deleted on drop. Its path is always the same, so cargo reuses one set of build artifacts, and a
/// copy that a Ctrl-C left behind is replaced.
struct Trial(PathBuf);

impl Trial {
    fn new(target: &Path) -> io::Result<Self> {
        let path = target.join("adopt");
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // The next trial deletes what is left.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Returns true for build directories and for `.git`.
fn is_ignored(path: &Path, name: &OsStr) -> bool {
    name == "target" || name == ".git" || path.join("CACHEDIR.TAG").exists()
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let mut folders = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = folders.pop() {
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let (source, copy) = (entry.path(), to.join(entry.file_name()));
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !is_ignored(&source, &entry.file_name()) {
                    folders.push((source, copy));
                }
            } else if kind.is_file() || (kind.is_symlink() && source.is_file()) {
                fs::copy(&source, &copy)?;
            }
        }
    }
    Ok(())
}

/// Reads every file below `root`, except those in ignored folders.
fn snapshot(root: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                if !is_ignored(&path, &entry.file_name()) {
                    folders.push(path);
                }
            } else if let Ok(relative) = path.strip_prefix(root) {
                files.insert(relative.to_owned(), fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

fn read_if_exists(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn next_steps(report: &mut dyn Write, tried: &Tried, step: &Step) -> io::Result<()> {
    writeln!(report, "\nadopted; changed files:")?;
    for replacement in &tried.replacements {
        let path = replacement.path.to_string_lossy().replace('\\', "/");
        writeln!(report, "    {path}")?;
    }
    if step.from != step.to {
        writeln!(report, "the version is {} ({} step)", step.to, step.step)?;
    }
    decisions::report(report, &tried.decisions)?;
    if !tried.failing.is_empty() {
        writeln!(
            report,
            "decide what these tests of hand-written code must say now; they fail:"
        )?;
        for line in &tried.failing {
            writeln!(report, "    {line}")?;
        }
    }
    writeln!(report, "next:")?;
    writeln!(
        report,
        "    run the tests:            cargo test --workspace"
    )?;
    writeln!(
        report,
        "    review the changelog:     git diff CHANGELOG.md"
    )?;
    writeln!(report, "    commit everything together")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_json_are_kept_and_yaml_is_converted() {
        let bytes_of = |name: &str, text: &str| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            let input =
                diff::source::read(&path.display().to_string(), &|url| unreachable!("{url}"))
                    .unwrap();
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
