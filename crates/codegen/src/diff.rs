//! `cargo xtask diff OLD NEW`: compares two documents, and classifies the changes for users of this SDK.
//!
//! # Comparison
//! Documents are compared as written, in OpenAPI 3.0 to 3.2, so every pointer is one of the maintainer's file. Schemas are
//! compared by meaning: `nullable: true` equals `type: [string, "null"]`, and a reference equals its target written
//! inline. A document in several files is bundled first, and its pointers are those of the bundle.
//!
//! [`compare`] has three layers. `document_comparer` pairs operations, parameters, bodies and components. `schema_graph` pairs
//! schemas: each pair of locations is compared once, and each change is reported once, with the operations that use the
//! location and the directions in which they do. `schema_comparer` compares two schemas. All read the documents through
//! `openapi`, as the generator does.
//!
//! The class of a change follows from the generated code: enums of strings are open, structs are non-exhaustive and made
//! with builders, an optional property is an `Option`, and so on. `rust` has these facts. If the directions differ, the
//! worse class applies. [`run`] also generates both documents, and corrects the classes by the [`generated_code`]: a change
//! is documentation if all code that it could affect is equal, except those that the service makes to what it accepts and
//! sends; and removed public items that no breaking change explains are a breaking change. Where code differs that no change
//! is known to concern, the classes stay as they are.
//!
//! oxide's [drift](https://docs.rs/drift/0.2) does not fit: it reads OpenAPI 3.0 only, classifies for clients and servers
//! rather than for users of a crate, and reports neither renames nor `nullable`, security, servers or operation ids. It is
//! the second opinion in `tests/diff.rs`: wherever drift reports a difference, this module must report one.
//!
//! # Exit codes
//! See [`Outcome`].
//!
//! # JSON (`--json`)
//! One object on standard output. Members may be added. Removing or renaming one changes `format`.
//!
//! | member | value |
//! |---|---|
//! | `format` | `1` |
//! | `old`, `new` | the documents, as named on the command line |
//! | `class` | the worst class: `"none"`, `"documentation"`, `"addition"` or `"breaking"` |
//! | `counts` | the number of changes by class: `breaking`, `addition`, `documentation` |
//! | `semver` | `step` (`"none"`, `"patch"`, `"minor"` or `"major"`), `from` and `to` (versions of the crates), `why` |
//! | `changes` | a list, ordered by class (worst first) and location |
//!
//! A change has `kind` (kebab-case, stable), `class`, `what` and `why` (for people), `old` and `new` (JSON pointers, or null
//! if the location was added or removed), `directions` (of `"request"` and `"response"`, those that use the location),
//! `decisive` (the direction with the worse class, or null if both have the same), and `operations` (the names of the methods
//! that use the location). If the documents cannot be compared, `format` and `problems` are the only members. A problem has
//! `file`, `location` (an object with `pointer`, or with `line` and `column`, or null for the whole file), `cause` and
//! `remedy`.

pub mod change;
mod document_comparer;
pub mod generated_code;
mod item_code;
mod label;
mod pair;
pub(crate) mod report;
mod rust;
mod schema;
mod schema_comparer;
mod schema_graph;
mod schema_names;
pub mod semver;
pub mod source;
mod spec;
mod specs;

use std::io::{self, Write};

use serde_json::Value;

use crate::load::Source;
use crate::pins::Pins;
use crate::problem::{Problem, Problems};
use crate::stack::with_deep_stack;
use crate::{bundle, validate};
use change::{Class, Comparison};
use generated_code::GeneratedCode;
use source::{Fetch, Input};
use specs::Specs;

/// The options of `cargo xtask diff`.
#[derive(Clone)]
pub struct Options<'a> {
    /// The old document: a file or an HTTP(S) URL.
    pub old: String,
    /// The new document: a file or an HTTP(S) URL.
    pub new: String,
    /// Prints JSON.
    pub json: bool,
    /// The version of the crates that were generated from `old`.
    pub version: String,
    /// Fetches a document that has a URL.
    pub fetch: &'a Fetch<'a>,
}

impl<'a> Options<'a> {
    /// Creates options that print text and count from the version of this workspace.
    pub fn new(old: impl Into<String>, new: impl Into<String>, fetch: &'a Fetch<'a>) -> Self {
        Self {
            old: old.into(),
            new: new.into(),
            json: false,
            version: semver::VERSION.to_owned(),
            fetch,
        }
    }
}

/// The outcome of a comparison, with the exit code of the process as discriminant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Nothing changed.
    Same = 0,
    /// All changes are compatible.
    Compatible = 5,
    /// A change is breaking.
    Breaking = 6,
    /// A document cannot be read or is not valid.
    Failed = 100,
}

impl From<&Comparison> for Outcome {
    fn from(comparison: &Comparison) -> Self {
        match comparison.worst() {
            None => Self::Same,
            Some(Class::Breaking) => Self::Breaking,
            Some(_) => Self::Compatible,
        }
    }
}

/// Compares two documents. Both must be valid: see [`validated`].
pub fn compare(old: &Value, new: &Value) -> Comparison {
    document_comparer::compare(&Specs::new(old, new))
}

/// Compares two documents and the code generated from them. It needs a deep stack: see [`crate::stack`].
fn compare_with_code(old: &Source, new: &Source) -> Comparison {
    let mut comparison = compare(&old.document, &new.document);
    let pins = Pins::default();
    correct(&mut comparison, (old, &pins), (new, &pins));
    comparison
}

/// Corrects the classes of a comparison by the generated code. It needs a deep stack: see [`crate::stack`].
pub(crate) fn correct(
    comparison: &mut Comparison,
    (old, old_pins): (&Source, &Pins),
    (new, new_pins): (&Source, &Pins),
) {
    let code = |source: &Source, pins: &Pins| GeneratedCode::of(source.clone(), pins.clone());
    if old.document != new.document
        && let (Some(old), Some(new)) = (code(old, old_pins), code(new, new_pins))
    {
        generated_code::correct(comparison, &old, &new);
    }
}

/// Reads and validates a document, including the files that it refers to.
///
/// # Errors
/// Errors with all problems of the document.
pub fn validated(location: &str, fetch: &Fetch<'_>) -> Result<Input, Problems> {
    let input = source::read(location, fetch)?;
    let mut source = bundle::bundle(input.source, &mut Vec::new())?;
    validate::accept_missing_schemas(&mut source.document, &mut Vec::new());
    match validate::validate(&source.document) {
        Ok(_) => Ok(Input { source, ..input }),
        Err(findings) => Err(source.problems(&source.origins, findings)),
    }
}

/// Compares two documents and writes the changes to `report`.
///
/// # Errors
/// Errors only if `report` cannot be written. Any other failure is reported and has its own outcome.
pub fn run(options: &Options<'_>, report: &mut dyn Write) -> io::Result<Outcome> {
    // The documents are also dropped in this thread, since that recurses too.
    let compared = with_deep_stack(|| {
        let old = validated(&options.old, options.fetch);
        let new = validated(&options.new, options.fetch);
        match (old, new) {
            (Ok(old), Ok(new)) => {
                let comparison = compare_with_code(&old.source, &new.source);
                Ok((old.label, new.label, comparison))
            }
            (old, new) => {
                let both = [old.err(), new.err()].into_iter().flatten();
                Err(Problems(both.flat_map(|problems| problems.0).collect()))
            }
        }
    });
    match compared.unwrap_or_else(|error| Err(panicked(&options.new, &error))) {
        Ok((old, new, comparison)) => {
            let step = semver::step(comparison.worst(), &options.version);
            if options.json {
                report::json(report, (&old, &new), &comparison, &step)?;
            } else {
                report::text(report, (&old, &new), &comparison, &step)?;
            }
            Ok(Outcome::from(&comparison))
        }
        Err(problems) => {
            if options.json {
                report::json_problems(report, &problems)?;
            } else {
                report::problems(report, &problems, "nothing was compared")?;
            }
            Ok(Outcome::Failed)
        }
    }
}

/// Returns the problem of a thread that ended without a result.
pub(crate) fn panicked(file: &str, error: &io::Error) -> Problems {
    Problem::of_file(file, error.to_string(), "report it with both documents").into()
}
