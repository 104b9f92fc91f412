//! Generates a Rust SDK from an OpenAPI document, and compares two documents.
//!
//! A document passes through one module per step: [`load`] → [`bundle`] → [`validate`] → [`lower`] → [`normalize`] →
//! [`generate`] → [`postprocess`] → [`plan`] → [`mod@write`]; [`report`] prints the outcome. Only the first two and the last
//! touch the disk. The steps between are functions from document to document and from tokens to text, so each is
//! tested by itself.
//!
//! [`mod@diff`] classifies the changes between two documents, [`adopt`] replaces the document of a project, and [`corpus`]
//! generates and compiles every document of a folder.

pub mod adopt;
pub mod bundle;
pub mod corpus;
pub mod count;
pub mod diff;
pub mod generate;
pub mod keywords;
pub mod load;
pub mod lower;
pub mod model;
pub mod names;
pub mod normalize;
pub mod origin;
pub mod plan;
pub mod pointer;
pub mod postprocess;
pub mod problem;
pub mod project;
pub mod report;
pub mod security;
pub mod settings;
pub mod unsupported;
pub mod validate;
pub mod walk;
pub mod workspace;
pub mod write;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::problem::{Place, Problem, Problems};
use generate::Generate;
use load::Source;
use origin::Origins;
use plan::Plan;
use settings::Settings;
use unsupported::Unsupported;
use write::Mode;

/// What to generate, from what, and where to.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root of the project: the folder that holds `spec` and `crates`.
    pub root: PathBuf,
    /// Another document than `spec/openapi.json`.
    pub spec: Option<PathBuf>,
    /// Another folder than the project: the crates are written there as a workspace of their own.
    pub out: Option<PathBuf>,
    /// What is done about differences.
    pub mode: Mode,
    /// Whether the differences of stale files are shown.
    pub diff: bool,
    /// Whether every place that a rule changed, and every loss, is listed.
    pub verbose: bool,
    /// What is done where a document leaves a choice.
    pub choices: Choices,
}

/// What is done where a document leaves a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// A schema or operation that defeats the generator is an error, instead of being left out and reported; so is an
    /// operation without an id of its own, instead of being named by its method and path.
    pub strict: bool,
}

impl Options {
    /// Generates the SDK of the project at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            spec: None,
            out: None,
            mode: Mode::Write,
            diff: true,
            verbose: false,
            choices: Choices::default(),
        }
    }
}

/// How a run ended; the number is the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Everything is as it should be, or has been written.
    Fresh = 0,
    /// `--check` found differences.
    Stale = 4,
    /// There is no SDK for this document, or no way to read or write a file.
    Failed = 100,
}

/// What the steps between reading and writing made of a document.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The document that the steps began with.
    pub source: Source,
    /// The document as progenitor saw it.
    pub normalized: serde_json::Value,
    /// The rules that changed it.
    pub applied: normalize::Applied,
    /// Where what the rules changed was written.
    pub origins: Origins,
    /// What the SDK does not honor, and where it was written.
    pub unsupported: Vec<Unsupported>,
    /// How many operations and schemas became methods and types.
    pub count: count::Count,
    /// The files.
    pub plan: Plan,
}

/// Runs every step but the first and the last: from the document to the planned files.
///
/// # Errors
/// Everything that the failing step found.
pub fn generate_all(
    source: Source,
    settings: &Settings,
    choices: Choices,
) -> Result<Generated, Problems> {
    let mut unsupported = Vec::new();
    let source = bundle::bundle(source, &mut unsupported)?;
    let mut origins = source.origins.clone();
    let mut document = source.document.clone();
    if !choices.strict {
        normalize::name_operations(&mut document, &mut unsupported);
    }
    lower::strip(&mut document, &mut unsupported);
    validate::validate(&document).map_err(|found| source.problems(&origins, found))?;
    keywords::report_unsupported(&document, &mut unsupported);
    security::report_unsupported(&document, &mut unsupported);
    let lowered = lower::lower(document, &mut unsupported, &mut origins)
        .map_err(|found| source.problems(&origins, found))?;
    let normalize::Normalized {
        document: normalized,
        applied,
        model,
    } = normalize::normalize(lowered, &mut unsupported, &mut origins)
        .map_err(|found| source.problems(&origins, found))?;
    let in_file = |found| source.problems(&origins, found);
    let polish = |generate: &Generate<'_>, document: &Value| {
        postprocess::postprocess(generate, &source, document, &model, settings)
    };
    let (polished, normalized) = if choices.strict {
        let polished = generate::generate(&normalized, polish).map_err(in_file)?;
        (polished, normalized)
    } else {
        generate::generate_what_can_be(normalized, &mut unsupported, polish).map_err(in_file)?
    };
    let (sources, lost) = polished?;
    unsupported.extend(lost);
    let count = count::count(&source.document, &normalized, &origins, &sources)
        .map_err(|found| source.problems(&origins, found))?;
    let mut unsupported: Vec<Unsupported> = unsupported
        .into_iter()
        .map(|loss| origins.loss(loss))
        .collect();
    unsupported.sort();
    unsupported.dedup();
    let plan = plan::plan(&source, sources, &applied, &unsupported);
    Ok(Generated {
        source,
        normalized,
        applied,
        origins,
        unsupported,
        count,
        plan,
    })
}

/// Of a thread that handles schemas.
const STACK: usize = 512 << 20;

/// Runs `work` where deep recursion doesn't end the process: schemas nest as deep as their authors like, and both
/// progenitor and the passes behind it recurse.
fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("codegen".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, work)?;
        thread
            .join()
            .map_err(|_| io::Error::other("the generation panicked; this is a fault of xtask"))
    })
}

/// Runs `work` on a stack that is deep enough for what schemas nest; a panic of ours is a problem of `file` like any other.
fn on_deep_stack(
    file: String,
    work: impl FnOnce() -> Result<Generated, Problems> + Send,
) -> Result<Generated, Problems> {
    with_deep_stack(work).unwrap_or_else(|error| {
        Err(Problem {
            file,
            place: Place::File,
            cause: error.to_string(),
            remedy: "report it with the document".to_owned(),
        }
        .into())
    })
}

/// [`generate_all`] without settings of a project, on a stack that is deep enough for what schemas nest.
///
/// # Errors
/// As [`generate_all`].
pub fn generate_deeply(source: Source, choices: Choices) -> Result<Generated, Problems> {
    let file = source.path.clone();
    on_deep_stack(file, || generate_all(source, &Settings::default(), choices))
}

/// Generates, compares with the disk, writes if asked to, and reports all of it to `report`.
///
/// # Errors
/// Only where `report` can't be written to; everything else is reported, and told by the outcome.
pub fn run(options: &Options, report: &mut dyn Write) -> io::Result<Outcome> {
    let spec = options
        .spec
        .clone()
        .unwrap_or_else(|| options.root.join("spec/openapi.json"));
    let label = label(options, &spec);
    // Within the project, the path from its root is what the maintainer knows it by.
    let shown = if options.spec.is_none() {
        PathBuf::from(&label)
    } else {
        spec.clone()
    };
    let file = shown.display().to_string();
    let generated = on_deep_stack(file, || {
        load::load(&spec, &shown, &label)
            .and_then(|source| Ok((source, settings::load(&spec, &shown)?)))
            .map_err(Problems::from)
            .and_then(|(source, settings)| generate_all(source, &settings, options.choices))
    })
    .and_then(|mut generated| {
        if let Some(out) = &options.out {
            workspace::may_write(out)?;
            workspace::complete(&options.root, &mut generated.plan)?;
        }
        Ok(generated)
    });
    let generated = match generated {
        Ok(generated) => generated,
        Err(problems) => {
            report::problems(report, &problems)?;
            return Ok(Outcome::Failed);
        }
    };
    report::generated(report, &generated, options.verbose)?;
    let target = options.out.as_deref().unwrap_or(&options.root);
    match write::apply(target, &generated.plan, options.mode) {
        Ok(entries) => report::entries(report, options, &entries),
        Err((path, error)) => {
            report::interrupted(report, &file_problem(&path, &error))?;
            Ok(Outcome::Failed)
        }
    }
}

/// That a file couldn't be read or written.
pub(crate) fn file_problem(path: &Path, error: &io::Error) -> Problems {
    let remedy = "mend its permissions, or choose another folder with `--out DIR`".to_owned();
    Problem {
        file: path.display().to_string(),
        place: Place::File,
        cause: format!("cannot read or write the file: {error}"),
        remedy,
    }
    .into()
}

/// What the output calls the document: its path within the project, or, for another project's, its name alone, however
/// its path was spelled.
fn label(options: &Options, spec: &Path) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let within = match options.out {
        None => real(spec)
            .strip_prefix(real(&options.root))
            .ok()
            .map(Path::to_owned),
        Some(_) => None,
    };
    let name = within
        .or_else(|| spec.file_name().map(PathBuf::from))
        .unwrap_or_else(|| spec.to_owned());
    name.to_string_lossy().replace('\\', "/")
}
