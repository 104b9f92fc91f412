//! `cargo xtask corpus DIR`: generates and compiles an SDK for every document of a folder.
//!
//! Each document is generated in its own process, so a crash affects no other document and the peak memory is known for
//! each. The generated crates are compiled as one workspace, so they share their dependencies and compile in parallel.
//! The crates of each document have a unique name and version: in a shared target directory, cargo would otherwise take
//! the build of another document's crate for fresh.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead as _, BufReader, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, value};

use crate::layout::{self, GENERATED, PROJECT};
use crate::plan::Plan;
use crate::pointer::{Lookup as _, Pointer};
use crate::problem::Problems;
use crate::write::{self, Mode};
use crate::{Choices, Outcome, load, walk, workspace};

/// The memory that one generation may need. The measured peaks are below it.
const GENERATION: u64 = 1 << 30;

/// The memory that one rustc of a large SDK may need. The measured peaks are below it.
const COMPILER: u64 = 3 << 29;

/// The options of `cargo xtask corpus`.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root of the project.
    pub root: PathBuf,
    /// The folder with the documents: `.json`, `.yaml` and `.yml` files.
    pub documents: PathBuf,
    /// The folder of the generated workspace. No other command uses it.
    pub work: PathBuf,
    /// The target directory of cargo, shared by all documents and runs.
    pub target: PathBuf,
    /// The program that generates one document if called with `corpus-one FILE DIR NAME`.
    pub program: PathBuf,
}

impl Options {
    /// Creates options that run the current program and write below the target directory of the project.
    ///
    /// # Errors
    /// Errors if the path of the current program is unknown.
    pub fn new(root: PathBuf, documents: PathBuf) -> io::Result<Self> {
        let corpus = crate::adopt::target(&root).join("corpus");
        Ok(Self {
            work: corpus.join("work"),
            target: corpus.join("target"),
            program: std::env::current_exe()?,
            root,
            documents,
        })
    }
}

/// The result of generating one document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Generated {
    /// The OpenAPI version of the document.
    pub version: String,
    /// The number of operations, and of those with a method.
    pub operations: (usize, usize),
    /// The number of named schemas, and of those with a type other than any JSON value.
    pub schemas: (usize, usize),
    /// The number of unsupported features.
    pub unsupported: usize,
    /// The time from reading the document to the complete plan.
    pub seconds: f64,
    /// The peak memory of the process in bytes, if known.
    pub peak: Option<u64>,
}

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The name of the file.
    pub document: String,
    /// The generated SDK, or why there is none.
    pub generated: Result<Generated, String>,
    /// The first error of the compiler, if any.
    pub compiled: Result<(), String>,
}

/// A document with the suffix of its crates' names.
#[derive(Clone, Debug)]
pub struct Document {
    /// The path of the file.
    pub path: PathBuf,
    /// The name of the file.
    pub file: String,
    /// The suffix of the package names. Unique among the documents of a run.
    pub name: String,
}

/// Generates and compiles every document, and writes a table to `report`.
///
/// # Errors
/// Errors if a file cannot be read or written, or cargo cannot be run. A document that fails is a row of the table and
/// makes the outcome [`Outcome::Failed`].
pub fn run(options: &Options, report: &mut dyn Write) -> io::Result<Outcome> {
    let documents = documents(&options.documents)?;
    if documents.is_empty() {
        let cause = "no documents: the folder has no .json, .yaml or .yml file";
        writeln!(
            report,
            "error: {cause}\n  --> {}",
            options.documents.display()
        )?;
        return Ok(Outcome::Failed);
    }
    let rows = generate_all(options, &documents)?;
    let rows = check(options, &documents, rows)?;
    table(report, &rows)?;
    let failed = rows.iter().filter(|row| row.compiled.is_err()).count();
    writeln!(report, "\n{} documents, {failed} failed", rows.len())?;
    Ok(if failed == 0 {
        Outcome::Fresh
    } else {
        Outcome::Failed
    })
}

/// Returns the `.json`, `.yaml` and `.yml` files of a folder, in order; of a file, that file.
///
/// # Errors
/// The path can't be read.
pub fn documents(path: &Path) -> io::Result<Vec<Document>> {
    let mut paths = Vec::new();
    if path.is_file() {
        paths.push(path.to_owned());
    } else {
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            let known = ["json", "yaml", "yml"];
            let ending = path.extension().and_then(|ending| ending.to_str());
            if path.is_file() && ending.is_some_and(|ending| known.contains(&ending)) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let documents = paths.into_iter().map(|path| {
        let file = path.file_name().unwrap_or_default();
        let file = file.to_string_lossy().into_owned();
        let name = file
            .to_ascii_lowercase()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let count = taken.entry(name.clone()).or_default();
        *count += 1;
        let name = if *count == 1 {
            name
        } else {
            format!("{name}-{count}")
        };
        Document { path, file, name }
    });
    Ok(documents.collect())
}

fn bar(length: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg:>10} [{bar:40}] {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar
}

/// Returns how many processes of `need` bytes each fit into memory, at most one per processor.
fn parallel(need: u64) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| kibibytes(&text, "MemAvailable:"));
    let fit = memory.map_or(processors, |memory| (memory / need) as usize);
    fit.clamp(1, processors)
}

/// Parses the bytes of a line such as `VmHWM:    1234 kB`.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

fn generate_all(
    options: &Options,
    documents: &[Document],
) -> io::Result<Vec<Result<Generated, String>>> {
    let bar = bar(documents.len(), "generating");
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Result<Generated, String>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..parallel(GENERATION) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(document) = documents.get(index) else {
                        return;
                    };
                    let generated = in_process(options, document);
                    if let Ok(mut done) = done.lock() {
                        done.insert(index, generated);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let done = done
        .into_inner()
        .map_err(|_| io::Error::other("a thread of the generation panicked"))?;
    Ok(done.into_values().collect())
}

fn in_process(options: &Options, document: &Document) -> Result<Generated, String> {
    let output = Command::new(&options.program)
        .arg("corpus-one")
        .arg(&document.path)
        .arg(options.work.join(&document.name))
        .arg(&document.name)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", options.program.display()))?;
    if output.status.success() {
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
    } else {
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed).trim().to_owned();
        Err(if output.status.code() == Some(Outcome::Failed as i32) {
            printed
        } else {
            format!("the generator ended with {}: {printed}", output.status)
        })
    }
}

/// Generates one document into crates with the suffix `name` below `out`. [`run`] does this in a process per document.
///
/// # Errors
/// Errors if there is no SDK for the document, or a file cannot be read or written.
pub fn one(root: &Path, document: &Path, out: &Path, name: &str) -> Result<Generated, Problems> {
    let start = Instant::now();
    let generated = generate(root, document, name)?;
    let seconds = start.elapsed().as_secs_f64();
    write::apply(out, &generated.plan, Mode::Write)
        .map_err(|(path, error)| crate::file_problem(&path, &error))?;
    let schemas = Pointer::root().join("components").join("schemas");
    let left_out = generated.unsupported.iter().filter(|feature| {
        feature.left_out && feature.pointer.as_str().starts_with(schemas.as_str())
    });
    let document = &generated.source.document;
    let version = document.get("openapi").and_then(Value::as_str);
    Ok(Generated {
        version: version.unwrap_or_default().to_owned(),
        operations: (walk::operations(document).len(), generated.count.operations),
        schemas: (
            generated.count.schemas,
            generated.count.schemas - left_out.count(),
        ),
        unsupported: generated.unsupported.len(),
        seconds,
        peak: peak(),
    })
}

/// Plans the crates of one document, with the suffix `name`.
///
/// # Errors
/// Errors if there is no SDK for the document, or a file cannot be read.
pub fn generate(root: &Path, document: &Path, name: &str) -> Result<crate::Generated, Problems> {
    let label = document.file_name().unwrap_or_default().to_string_lossy();
    let source = load::load(document, document, &label)?;
    let choices = Choices {
        features: true,
        ..Choices::default()
    };
    let mut generated = crate::generate_document(source, choices)?;
    workspace::complete(root, &mut generated.plan)?;
    members(&mut generated.plan, name);
    Ok(generated)
}

/// Returns the peak memory of this process in bytes. `None` except on Linux.
pub fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    kibibytes(&status, "VmHWM:")
}

/// Keeps only the crates of the document in `plan`, and gives them the suffix `name` and a version derived from their
/// content. With a constant version, cargo would take a crate for fresh if its files are older than a previous build of
/// another document under that name.
fn members(plan: &mut Plan, name: &str) {
    let folders = layout::generated_folders();
    let packages = GENERATED.map(layout::package);
    plan.outputs.retain(|output| {
        let mut folders = folders.iter();
        folders.any(|folder| output.path.starts_with(folder))
    });
    let mut hasher = DefaultHasher::new();
    for output in &plan.outputs {
        output.contents.hash(&mut hasher);
    }
    let version = format!("0.0.0+{:016x}", hasher.finish());
    for output in &mut plan.outputs {
        if output.path.ends_with("Cargo.toml")
            && let Ok(mut manifest) = output.contents.parse::<DocumentMut>()
        {
            if let Some(package) = manifest
                .get("package")
                .and_then(|package| package.get("name"))
                .and_then(Item::as_str)
            {
                manifest["package"]["name"] = value(format!("{package}-{name}"));
                manifest["package"]["version"] = value(version.as_str());
            }
            let dependencies = manifest
                .get_mut("dependencies")
                .and_then(Item::as_table_like_mut);
            for (dependency, requirement) in dependencies.into_iter().flat_map(TableLike::iter_mut)
            {
                if packages.iter().any(|package| package == dependency.get()) {
                    let mut table = InlineTable::new();
                    table.insert("package", format!("{}-{name}", dependency.get()).into());
                    table.insert("path", format!("../{}", dependency.get()).into());
                    *requirement = value(table);
                }
            }
            output.contents = manifest.to_string();
        }
    }
}

/// Writes the workspace for the crates that [`one`] wrote under `names`.
///
/// # Errors
/// Errors if a file cannot be read or written.
pub fn workspace(root: &Path, work: &Path, names: &[&str]) -> io::Result<()> {
    let mut plan = Plan::default();
    workspace::complete(root, &mut plan)
        .map_err(|problem| io::Error::other(problem.to_string()))?;
    plan.outputs.retain(|output| {
        output.path == Path::new("Cargo.toml")
            || output.path.starts_with(layout::folder("transport"))
    });
    for output in &mut plan.outputs {
        if output.path == Path::new("Cargo.toml") {
            let mut manifest: DocumentMut = output.contents.parse().map_err(io::Error::other)?;
            let crates = names.iter().map(|name| format!("{name}/crates/*"));
            manifest["workspace"]["members"] =
                value(Array::from_iter(crates.chain(["crates/*".to_owned()])));
            // Applies to the generated crates only: cargo caps the lints of dependencies.
            manifest["workspace"]["lints"]["rust"]["warnings"] = value("deny");
            output.contents = manifest.to_string();
        }
    }
    write::apply(work, &plan, Mode::Write).map_err(|(_, error)| error)?;
    // Use the dependency versions of the project.
    fs::copy(root.join("Cargo.lock"), work.join("Cargo.lock"))?;
    Ok(())
}

fn check(
    options: &Options,
    documents: &[Document],
    generated: Vec<Result<Generated, String>>,
) -> io::Result<Vec<Row>> {
    let named = documents.iter().zip(&generated);
    let names: Vec<&str> = named
        .filter(|(_, generated)| generated.is_ok())
        .map(|(document, _)| document.name.as_str())
        .collect();
    let mut results = if names.is_empty() {
        BTreeMap::new()
    } else {
        workspace(&options.root, &options.work, &names)?;
        compile(&options.work, &options.target, &names)?
    };
    let rows = documents
        .iter()
        .zip(generated)
        .map(|(document, generated)| {
            let compiled = match &generated {
                Ok(_) => results.remove(&document.name).unwrap_or(Ok(())),
                Err(_) => Err("not generated".to_owned()),
            };
            Row {
                document: document.file.clone(),
                generated,
                compiled,
            }
        });
    Ok(rows.collect())
}

/// Compiles the workspace at `work`, and returns the result for each of `names`.
///
/// # Errors
/// Errors if cargo cannot be run.
pub fn compile(
    work: &Path,
    target: &Path,
    names: &[&str],
) -> io::Result<BTreeMap<String, Result<(), String>>> {
    // Cargo sets `CARGO` for the programs it runs: use the same toolchain.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .args([
            "check",
            "--workspace",
            "--keep-going",
            "--message-format=json",
        ])
        .arg(format!("--jobs={}", parallel(COMPILER)))
        .current_dir(work)
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // These name the package of this program, which is not the one to compile.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
        command.env_remove(name);
    }
    let mut child = command.spawn()?;
    let errors = child.stderr.take();
    // Read in parallel with the messages, so neither pipe fills up and blocks cargo.
    let errors = std::thread::spawn(move || errors.map_or(Ok(String::new()), io::read_to_string));
    let bar = bar(names.len() * GENERATED.len(), "compiling");
    let mut progress: BTreeMap<String, (usize, Option<String>)> = names
        .iter()
        .map(|name| ((*name).to_owned(), (0, None)))
        .collect();
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|out| BufReader::new(out).lines())
    {
        let Ok(message) = serde_json::from_str::<Value>(&line?) else {
            continue;
        };
        let text = |place: &str| message.at(place).and_then(Value::as_str);
        let Some((compiled, error)) = text("/package_id")
            .and_then(document_of)
            .and_then(|name| progress.get_mut(name))
        else {
            continue;
        };
        match (text("/reason"), text("/message/level")) {
            (Some("compiler-artifact"), _) => {
                *compiled += 1;
                bar.inc(1);
            }
            (Some("compiler-message"), Some("error")) => {
                error.get_or_insert_with(|| {
                    text("/message/rendered").unwrap_or_default().to_owned()
                });
            }
            _ => {}
        }
    }
    bar.finish_and_clear();
    let status = child.wait()?;
    let errors = errors
        .join()
        .map_err(|_| io::Error::other("the thread that reads cargo's errors panicked"))??;
    let results = progress.into_iter().map(|(name, (compiled, error))| {
        let result = match error {
            None if compiled == GENERATED.len() => Ok(()),
            Some(error) => Err(error),
            None => Err(format!("cargo ended with {status}: {errors}")),
        };
        (name, result)
    });
    Ok(results.collect())
}

/// Returns the document name in a package id such as `path+file:///…/crates/acme-types#acme-types-NAME@0.1.0`.
fn document_of(package_id: &str) -> Option<&str> {
    let (package, _) = package_id.rsplit_once('#')?.1.split_once('@')?;
    GENERATED.iter().find_map(|part| {
        let name = package.strip_prefix(PROJECT)?.strip_prefix('-')?;
        name.strip_prefix(part)?.strip_prefix('-')
    })
}

fn table(report: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
    let heading = [
        "document",
        "version",
        "operations",
        "schemas",
        "unsupported",
        "seconds",
        "MiB",
        "compiled",
    ];
    let ratio = |(all, generated): (usize, usize)| format!("{generated} of {all}");
    let mut lines = vec![heading.map(str::to_owned)];
    for row in rows {
        let compiled = if row.compiled.is_ok() { "yes" } else { "no" };
        let cells = match &row.generated {
            Ok(generated) => [
                generated.version.clone(),
                ratio(generated.operations),
                ratio(generated.schemas),
                generated.unsupported.to_string(),
                format!("{:.2}", generated.seconds),
                generated
                    .peak
                    .map_or("-".to_owned(), |peak| (peak >> 20).to_string()),
            ],
            Err(_) => [(); 6].map(|()| "-".to_owned()),
        };
        let [version, operations, schemas, unsupported, seconds, peak] = cells;
        let document = row.document.clone();
        let compiled = compiled.to_owned();
        lines.push([
            document,
            version,
            operations,
            schemas,
            unsupported,
            seconds,
            peak,
            compiled,
        ]);
    }
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    };
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("{cell:<width$}", width = width(column)))
            .collect();
        writeln!(report, "{}", cells.join("  ").trim_end())?;
    }
    for row in rows {
        let why = match (&row.generated, &row.compiled) {
            (Err(why), _) => format!("was not generated:\n{why}"),
            (_, Err(why)) => format!("does not compile:\n{why}"),
            _ => continue,
        };
        writeln!(report, "\n{} {}", row.document, why.trim_end())?;
    }
    Ok(())
}
