//! Checks generated SDKs against their documents: `cargo xtask prove`.
//!
//! Samples of every schema are derived from the document alone ([`sampler`]), judged by a JSON Schema validator
//! ([`judge`]), and decoded and encoded by the generated types in a separate process ([`driver`], [`session`]). Requests
//! of every operation are sent by the generated client and decoded from the wire ([`wire`]). `docs/correctness.md` defines
//! which values are equivalent.

mod bodies;
mod body;
pub mod compare;
pub mod directions;
pub mod document;
pub mod driver;
mod files;
pub mod judge;
mod known;
mod left_out;
mod lowered;
mod media_type;
mod multipart;
pub mod operations;
pub mod pattern;
mod places;
pub mod received;
pub mod report;
mod requests;
pub mod sampler;
pub mod samples;
mod scalar;
pub mod session;
pub mod shape;
mod shrink;
mod types;
pub mod wire;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use call_api_codegen::layout::{CLIENT, TYPES};
use call_api_codegen::plan::Plan;
use call_api_codegen::pointer::Pointer;
use call_api_codegen::{Generated, corpus, names, walk, write};
use indicatif::{ProgressBar, ProgressStyle};

use document::Document;
use operations::Operation;
use report::Row;
use session::Session;
use types::{TypeProof, Typed};

/// The settings of a proof.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root of the project.
    pub root: PathBuf,
    /// A document, or a folder of documents: its `.json`, `.yaml` and `.yml` files.
    pub documents: PathBuf,
    /// The folder of the generated workspace, which must not be used by anything else.
    pub work: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
    /// The minimum number of valid samples of a schema.
    pub samples: usize,
    /// The number of random bodies for each type.
    pub bodies: usize,
    /// True for a report in JSON.
    pub json: bool,
    /// Changes the generated crates before they are compiled, so that tests can break them.
    pub tamper: fn(&mut Plan),
}

impl Options {
    /// Returns the settings for the documents at a path, with a workspace below the project's target directory.
    pub fn new(root: PathBuf, documents: PathBuf) -> Self {
        let prove = call_api_codegen::adopt::target(&root).join("prove");
        Self {
            root,
            documents,
            work: prove.join("work"),
            target: prove.join("target"),
            samples: 8,
            bodies: 16,
            json: false,
            tamper: |_| {},
        }
    }
}

/// The result of a proof; the number is the exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// There were no failures except for known ones.
    Proven = 0,
    /// A sample or a request failed.
    Refuted = 7,
    /// An SDK was not generated, or does not compile.
    Failed = 100,
}

/// A document whose SDK was generated.
struct Subject {
    document: Document,
    typed: Vec<Typed>,
    operations: Vec<Operation>,
}

/// Proves every document, and prints the table and the failures to `report`.
///
/// # Errors
/// A file cannot be read or written, or cargo or a driver cannot be run.
pub fn run(options: &Options, report: &mut dyn Write) -> io::Result<Outcome> {
    let rows = prove(options)?;
    if options.json {
        serde_json::to_writer_pretty(&mut *report, &rows)?;
        writeln!(report)?;
    } else {
        report::print(&rows, report)?;
    }
    let (known, found) = (known::read(&options.documents)?, known::found(&rows));
    let (more, fewer) = (known::more(&found, &known), known::more(&known, &found));
    if !options.json {
        for line in &fewer {
            writeln!(report, "\nfewer failures than {} has: {line}", known::FILE)?;
        }
        for line in more.iter().filter(|_| !known.is_empty()) {
            writeln!(report, "\nmore failures than {} has: {line}", known::FILE)?;
        }
    }
    let is_compiled = |row: &Row| row.error.is_none();
    Ok(if more.is_empty() {
        Outcome::Proven
    } else if rows.iter().all(is_compiled) {
        Outcome::Refuted
    } else {
        Outcome::Failed
    })
}

/// Proves every document.
///
/// # Errors
/// Same as [`run`].
pub fn prove(options: &Options) -> io::Result<Vec<Row>> {
    let documents = corpus::documents(&options.documents)?;
    if documents.is_empty() {
        return Err(io::Error::other(format!(
            "{} has no .json, .yaml or .yml file",
            options.documents.display()
        )));
    }
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut subjects: BTreeMap<&str, Subject> = BTreeMap::new();
    for document in &documents {
        let mut row = Row {
            document: document.file.clone(),
            ..Row::default()
        };
        match subject(options, &document.path, &document.name, &mut row) {
            Ok(subject) => {
                subjects.insert(&document.name, subject);
            }
            Err(error) => row.error = Some(error),
        }
        rows.insert(&document.name, row);
    }
    let names: Vec<&str> = subjects.keys().copied().collect();
    if names.is_empty() {
        return Ok(rows.into_values().collect());
    }
    corpus::workspace(&options.root, &options.work, &names)?;
    let spinner = ProgressBar::new_spinner().with_message("compiling the generated crates");
    spinner.enable_steady_tick(std::time::Duration::from_millis(200));
    let programs = driver::compile(&options.work, &options.target, &names)?;
    spinner.finish_and_clear();
    for (name, program) in programs {
        let (Some(subject), Some(row)) = (subjects.get(name.as_str()), rows.get_mut(name.as_str()))
        else {
            continue;
        };
        match program {
            Ok(program) => prove_subject(options, subject, &Session::new(program), row)?,
            Err(error) => row.error = Some(error),
        }
    }
    Ok(rows.into_values().collect())
}

fn prove_subject(
    options: &Options,
    subject: &Subject,
    session: &Session,
    row: &mut Row,
) -> io::Result<()> {
    let length = subject.typed.len() + subject.operations.len();
    let bar = ProgressBar::new(length as u64).with_message(row.document.clone());
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    let done = || bar.inc(1);
    let proven = on_deep_stack(|| {
        TypeProof::new(&subject.document, &subject.typed, session).run(
            options.samples,
            options.bodies,
            row,
            &done,
        )?;
        requests::prove(&subject.document, &subject.operations, session, row, &done)
    });
    bar.finish_and_clear();
    proven
}

/// Samples are nested as deep as decoders accept.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(256 << 20)
            .spawn_scoped(scope, work)?;
        thread
            .join()
            .map_err(|_| io::Error::other("the proof panicked"))?
    })
}

/// Generates the SDK of a document, and writes it with its driver.
fn subject(options: &Options, path: &Path, name: &str, row: &mut Row) -> Result<Subject, String> {
    let mut generated =
        corpus::generate(&options.root, path, name).map_err(|problems| problems.to_string())?;
    (options.tamper)(&mut generated.plan);
    let source = |path: &str| {
        let outputs = generated.plan.outputs.iter();
        let mut outputs = outputs.filter(|output| output.path == Path::new(path));
        outputs
            .next()
            .map(|output| output.contents.as_str())
            .unwrap_or_default()
    };
    let document = Document::new(generated.source.document.clone());
    let typed = typed(&document, &generated, source(TYPES), row)?;
    let mut operations = operations::operations(&document, &generated, source(CLIENT))?;
    left_out::find(&document, &mut operations, source(TYPES))?;
    let names: Vec<String> = typed.iter().map(|typed| typed.name.clone()).collect();
    driver::add(&mut generated.plan, name, &names, &operations);
    write::apply(
        &options.work.join(name),
        &generated.plan,
        write::Mode::Write,
    )
    .map_err(|(path, error)| format!("{}: {error}", path.display()))?;
    row.schemas = typed.len();
    Ok(Subject {
        document,
        typed,
        operations,
    })
}

/// Returns the component schemas that have a type; the others are listed in the row.
fn typed(
    document: &Document,
    generated: &Generated,
    types: &str,
    row: &mut Row,
) -> Result<Vec<Typed>, String> {
    let known = operations::type_names(types)?;
    let mut typed = Vec::new();
    for (name, _) in document.schemas() {
        let place = Pointer::schema(name);
        let origin = generated.origins.of(&place);
        // A schema whose name was taken has another type name.
        let moved = || {
            let mut schemas = walk::schemas(&generated.normalized).map(|(new, _)| new.as_str());
            schemas.find(|new| generated.origins.of(&Pointer::schema(new)) == origin)
        };
        let candidates = [Some(name), moved()];
        let mut candidates = candidates.into_iter().flatten().map(names::type_name);
        match candidates.find(|name| known.contains(name)) {
            Some(name) => typed.push(Typed {
                reference: place.to_ref(),
                name,
            }),
            None => row.untyped.push(place.to_string()),
        }
    }
    Ok(typed)
}
