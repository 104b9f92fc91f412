//! Generates a Rust SDK from an OpenAPI document, and compares two documents.
//!
//! A document passes through one module per step: [`load`] → [`bundle`] → [`validate`] → [`lower`] → [`normalize`] →
//! [`generate`] → [`postprocess`] → [`plan`] → [`mod@write`]. [`report`] prints the outcome. Only the first two steps and the
//! last one access the disk.
//!
//! [`mod@diff`] classifies the changes between two documents, [`adopt`] replaces the document of a project, and [`corpus`]
//! generates and compiles every document of a folder.

pub mod adopt;
pub mod bundle;
mod components;
pub mod corpus;
pub mod count;
pub mod declaration;
pub mod description;
pub mod diff;
mod example;
pub mod facade;
pub(crate) mod features;
pub mod generate;
mod instance;
pub mod keywords;
pub mod layout;
pub mod leave_out;
pub mod lists;
pub mod load;
pub mod lower;
mod media_type;
pub mod model;
pub mod names;
pub mod normalize;
mod openapi;
pub mod origin;
pub mod pins;
pub mod plan;
pub mod pointer;
pub mod postprocess;
pub mod problem;
pub mod project;
pub mod reference;
mod rename;
pub mod report;
mod sample;
pub mod sdk_name;
pub mod security;
pub mod settings;
pub mod signature;
pub mod stack;
pub(crate) mod streams;
mod subdocument;
pub mod unsupported;
pub mod validate;
pub mod walk;
pub(crate) mod webhooks;
pub mod workspace;
pub mod write;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use facade::Facade;
use generate::Generate;
use load::Source;
use model::Model;
use origin::Origins;
use pins::Pins;
use plan::Plan;
use pointer::{Lookup as _, Pointer};
use problem::{Finding, Problem, Problems};
use sdk_name::SdkName;
use settings::Settings;
use signature::Signatures;
use unsupported::Unsupported;
use write::Mode;

/// The options of `cargo xtask codegen`.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root of the project, which has the folders `spec` and `crates`.
    pub root: PathBuf,
    /// The document. The default is `spec/openapi.json` of the project.
    pub spec: Option<PathBuf>,
    /// The folder for a standalone workspace. The default is to write into the project.
    pub out: Option<PathBuf>,
    /// The name of the standalone SDK. The default is the name of the SDK in the folder, else one made of the document's
    /// title.
    pub name: Option<String>,
    /// The handling of differences.
    pub mode: Mode,
    /// Shows the differences of stale files.
    pub diff: bool,
    /// Lists every location that a rule changed, and every unsupported feature.
    pub verbose: bool,
    /// The handling of documents that need a decision.
    pub choices: Choices,
}

/// The handling of documents that need a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Fails on a schema or operation that the generator cannot handle, instead of leaving it out and reporting it, and on
    /// an operation without a unique id, instead of naming it by its method and path. Also fails on a reference to a missing
    /// schema, instead of accepting any value.
    pub strict: bool,
    /// Gives each group of operations a Cargo feature if there are many operations. Only manifests that codegen writes have
    /// them.
    pub features: bool,
}

impl Options {
    /// Creates options that write the SDK of the project at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            spec: None,
            out: None,
            name: None,
            mode: Mode::Write,
            diff: true,
            verbose: false,
            choices: Choices::default(),
        }
    }
}

/// The outcome of a run, with the exit code of the process as discriminant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// All files are up to date, or have been written.
    Fresh = 0,
    /// `--check` found differences.
    Stale = 4,
    /// The document cannot be generated, or a file cannot be read or written.
    Failed = 100,
}

/// A document with the files generated from it.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The original document.
    pub source: Source,
    /// The normalized document, as passed to progenitor.
    pub normalized: Value,
    /// The facts that the normalized document cannot express.
    pub model: Model,
    /// The rules that changed the document.
    pub applied: normalize::Applied,
    /// The original locations of what the rules moved.
    pub origins: Origins,
    /// The features that the SDK does not support.
    pub unsupported: Vec<Unsupported>,
    /// The numbers of methods and types.
    pub count: count::Count,
    /// The description of the operations.
    pub operations: Vec<description::Operation>,
    /// The signatures of the generated code.
    pub signatures: Signatures,
    /// The generated files.
    pub plan: Plan,
}

/// Runs every step between reading and writing: from the document to the planned files. It needs a deep stack: see
/// [`stack::with_deep_stack`].
///
/// # Errors
/// Errors with all problems that the first failing step found.
pub fn generate_all(
    source: Source,
    settings: &Settings,
    choices: Choices,
) -> Result<Generated, Problems> {
    let mut unsupported = Vec::new();
    let mut source = bundle::bundle(source, &mut unsupported)?;
    if !choices.strict {
        validate::accept_missing_schemas(&mut source.document, &mut unsupported);
    }
    let left_out = &settings.left_out;
    leave_out::leave_out(&mut source, left_out, &settings.path, &mut unsupported)?;
    let mut origins = source.origins.clone();
    let normalize::Normalized {
        document: normalized,
        applied,
        mut model,
        unused,
    } = normalized(
        &source,
        &settings.names,
        choices,
        &mut unsupported,
        &mut origins,
    )?;
    if !unused.is_empty() {
        return Err(settings.unused_pins(&unused));
    }
    lists::recognize(&normalized, &mut model, &settings.lists, &settings.path)?;
    webhooks::set(&mut model, settings)?;
    let in_file = |found| source.problems(&origins, found);
    let emit = |generate: &Generate<'_>, document: &Value| {
        let features = choices.features;
        postprocess::postprocess(
            generate, &source, document, &model, &origins, settings, features,
        )
    };
    let (emitted, normalized) = if choices.strict {
        let emitted = generate::generate(&normalized, &model, emit).map_err(in_file)?;
        (emitted, normalized)
    } else {
        generate::generate_what_can_be(normalized, &model, &mut unsupported, emit)
            .map_err(in_file)?
    };
    let (mut sources, dropped) = emitted?;
    unsupported.extend(dropped);
    let count = count::count(&source.document, &normalized, &origins, &sources)
        .map_err(|found| source.problems(&origins, found))?;
    let mut unsupported: Vec<Unsupported> = unsupported
        .into_iter()
        .map(|feature| origins.loss(feature))
        .collect();
    unsupported.sort();
    unsupported.dedup();
    let operations = std::mem::take(&mut sources.operations);
    let signatures = std::mem::take(&mut sources.signatures);
    let plan = plan::plan(&source, sources, &applied, &unsupported);
    Ok(Generated {
        source,
        normalized,
        model,
        applied,
        origins,
        unsupported,
        count,
        operations,
        signatures,
        plan,
    })
}

/// Validates, lowers and normalizes a bundled document.
fn normalized(
    source: &Source,
    pins: &Pins,
    choices: Choices,
    unsupported: &mut Vec<Unsupported>,
    origins: &mut Origins,
) -> Result<normalize::Normalized, Problems> {
    let mut document = source.document.clone();
    if !choices.strict {
        normalize::name_operations(&mut document, unsupported);
    }
    lower::strip(&mut document, unsupported);
    validate::validate(&document).map_err(|found| source.problems(origins, found))?;
    keywords::report_unsupported(&document, unsupported);
    security::report_unsupported(&document, unsupported);
    let streams = streams::hoist(&mut document, unsupported, origins);
    let webhooks = webhooks::hoist(&mut document, unsupported, origins);
    let lowered = lower::lower(document, unsupported, origins)
        .map_err(|found| source.problems(origins, found))?;
    let mut model = lists::candidates(&lowered);
    streams::model(&lowered, streams, &mut model);
    model.webhooks = webhooks;
    normalize::normalize(lowered, model, pins.clone(), unsupported, origins)
        .map_err(|found| source.problems(origins, found))
}

/// Returns the pins that cannot be applied to a bundled document. It needs a deep stack: see [`stack::with_deep_stack`].
fn unused_pins(source: &Source, pins: &Pins) -> Pins {
    let mut origins = source.origins.clone();
    // A document that cannot be generated has other problems.
    normalized(
        source,
        pins,
        Choices::default(),
        &mut Vec::new(),
        &mut origins,
    )
    .map_or_else(|_| Pins::default(), |normalized| normalized.unused)
}

/// Runs `work` on a deep stack, and turns a panic into a problem of `file`.
fn on_deep_stack(
    file: String,
    work: impl FnOnce() -> Result<Generated, Problems> + Send,
) -> Result<Generated, Problems> {
    stack::with_deep_stack(work).unwrap_or_else(|error| {
        let remedy = "report it with the document";
        Err(Problem::of_file(file, error.to_string(), remedy).into())
    })
}

/// Runs [`generate_all`] on a deep stack, without settings.
///
/// # Errors
/// Errors like [`generate_all`].
pub fn generate_document(source: Source, choices: Choices) -> Result<Generated, Problems> {
    let file = source.path.clone();
    on_deep_stack(file, || generate_all(source, &Settings::default(), choices))
}

/// Generates the SDK, compares it with the disk, writes it in [`Mode::Write`], and reports to `report`. In every mode, it
/// first completes an adoption that was interrupted.
///
/// # Errors
/// Errors only if `report` cannot be written. Any other failure is reported and has its own outcome.
pub fn run(options: &Options, report: &mut dyn Write) -> io::Result<Outcome> {
    if let Err(problem) = adopt::resume(&options.root, report)? {
        report::problems(report, &problem.into())?;
        return Ok(Outcome::Failed);
    }
    let spec = options
        .spec
        .clone()
        .unwrap_or_else(|| options.root.join("spec/openapi.json"));
    let label = label(options, &spec);
    // Messages show the default document relative to the root, whatever the working directory is.
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
            .and_then(|(source, settings)| {
                let choices = Choices {
                    features: options.out.is_some(),
                    ..options.choices
                };
                let mut generated = generate_all(source, &settings, choices)?;
                if options.out.is_none() {
                    reference(&mut generated, &SdkName::of_project());
                    let copies = plan::copies(&settings, &generated.source.document)?;
                    generated.plan.outputs.extend(copies);
                    let descriptions = plan::descriptions(&settings, &generated.operations);
                    generated.plan.outputs.extend(descriptions);
                }
                Ok(generated)
            })
    })
    .and_then(|mut generated| {
        if let Some(out) = &options.out {
            let name = sdk_name(options, out, &generated.source)?;
            reference(&mut generated, &name);
            let facade = Facade::new(
                &generated.source,
                &generated.normalized,
                &generated.model,
                &generated.signatures,
            );
            workspace::complete(&options.root, &mut generated.plan)?;
            workspace::publish(&options.root, &mut generated.plan, &name, &facade)?;
            let path = "operations.json".to_owned();
            let description = plan::description(path, &generated.operations);
            generated.plan.outputs.push(description);
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

/// Plans the reference of an SDK of this name.
fn reference(generated: &mut Generated, name: &SdkName) {
    let title = generated.source.document.at("/info/title");
    let title = title
        .and_then(Value::as_str)
        .unwrap_or("the API")
        .to_owned();
    let Generated {
        plan,
        operations,
        signatures,
        ..
    } = generated;
    reference::plan(plan, operations, signatures, &title, name);
}

/// Returns the name of the SDK for the folder `out`.
fn sdk_name(options: &Options, out: &Path, source: &Source) -> Result<SdkName, Problem> {
    const REMEDY: &str = "name the SDK with `--name NAME`, such as `--name acme`";
    let existing = workspace::existing(out)?;
    match (&options.name, existing) {
        (Some(name), Some(existing)) if *name != existing => Err(Problem::of_file(
            out.display().to_string(),
            format!("the folder contains the SDK `{existing}`, which cannot become `{name}`"),
            format!(
                "leave `--name` out to keep `{existing}`, or name a new folder with `--out DIR`"
            ),
        )),
        (Some(name), _) => SdkName::new(name).map_err(|reason| {
            let cause = format!("`{name}` cannot be the name of an SDK: {reason}");
            Problem::of_file("--name", cause, REMEDY)
        }),
        (None, Some(existing)) => SdkName::new(&existing).map_err(|reason| {
            let cause = format!(
                "the folder contains the SDK `{existing}`, which is not a valid name: {reason}"
            );
            Problem::of_file(
                out.display().to_string(),
                cause,
                "name a new folder with `--out DIR`",
            )
        }),
        (None, None) => {
            let title = source.document.at("/info/title").and_then(Value::as_str);
            SdkName::from_title(title.unwrap_or_default()).map_err(|reason| {
                let cause = format!("the title gives no name for the SDK: {reason}");
                let pointer = Pointer::root().join("info").join("title");
                Finding::new(&pointer, cause, REMEDY).in_file(&source.path)
            })
        }
    }
}

/// Returns the problem of a file that cannot be read or written.
pub(crate) fn file_problem(path: &Path, error: &io::Error) -> Problems {
    Problem::of_file(
        path.display().to_string(),
        format!("cannot read or write the file: {error}"),
        "fix its permissions, or choose another folder with `--out DIR`",
    )
    .into()
}

/// Returns the name of the document in generated files: its path in the project, or only its file name for another
/// project. It does not depend on the spelling of the path.
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
