//! `cargo xtask diff OLD NEW`: what changed between two documents, and what it breaks for users of this SDK.
//!
//! # How it compares
//! Both documents are read as they are, 3.0 or 3.1, so that every pointer is one of the file that the maintainer has. A
//! schema is compared by what it says, not by how: `nullable: true` and `type: [string, "null"]` are the same, and so are
//! a schema behind a reference and the same one said in place. Each pair of schemas is compared once, and each change
//! reported once at its component, with the operations that reach it and the directions in which they do: the class is
//! the worse one of the two directions. A document in several files is compared as the one that it is bundled to, and its
//! pointers are those of the bundle.
//!
//! What counts as breaking follows from what the generator makes of a document: enums of strings are open, structs are
//! non-exhaustive and made by builders, an optional property is an `Option`, and so on; `rust.rs` holds these facts.
//!
//! The comparison is this module's own. oxide's [drift](https://docs.rs/drift/0.2) reads OpenAPI 3.0 only, tells
//! compatibility between client and server apart rather than what a crate's users meet, doesn't report `nullable`,
//! security, servers or operation ids, leaves any added or removed property and every changed `anyOf` as "unhandled",
//! knows no renames, and panics where a body gains or loses a media type. It serves as a second opinion instead:
//! `tests/diff.rs` holds that wherever drift sees a difference, this module reports one.
//!
//! # Exit codes
//! [`Outcome`] lists them.
//!
//! # The JSON (`--json`)
//! One object on standard output. Its shape is stable: members may be added, none is renamed or removed without another
//! `format`.
//!
//! | member | value |
//! |---|---|
//! | `format` | `1` |
//! | `old`, `new` | the documents, as they were named |
//! | `class` | `"none"`, `"documentation"`, `"addition"` or `"breaking"`: the worst of the changes |
//! | `counts` | how many changes are of each class: `breaking`, `addition`, `documentation` |
//! | `semver` | `step` (`"none"`, `"patch"`, `"minor"` or `"major"`), `from` and `to` (versions of the crates), `why` |
//! | `changes` | a list, the worst first and then by place |
//! | `notes` | a list of what is no change and worth knowing: `pointer` and `text` |
//!
//! A change has `kind` (kebab-case, stable), `class`, `what` and `why` (for people), `old` and `new` (JSON pointers; null
//! where the place is new or gone), `directions` (of `"request"` and `"response"`, those that reach the place),
//! `decisive` (the direction that decided the class where the two differ, else null), and `operations` (the names of the
//! methods that reach the place). Where the documents can't be compared, `format` and `problems` are the only members; a
//! problem has `file`, `place` (an object with `pointer`, or with `line` and `column`; null for the file as a whole), `cause`
//! and `remedy`.

mod api;
pub mod change;
mod graph;
mod location;
pub(crate) mod rename;
pub(crate) mod report;
mod rust;
mod schema;
pub mod source;

use std::io::{self, Write};

use serde_json::Value;

use crate::problem::{Place, Problem, Problems};
use crate::{bundle, validate};
use change::{Class, Findings};
use source::Input;

/// The version of this workspace's crates, from which the step is counted.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What to compare, and how to say it.
#[derive(Clone, Debug)]
pub struct Options {
    /// A file or an http(s) URL.
    pub old: String,
    /// A file or an http(s) URL.
    pub new: String,
    /// Whether to answer in JSON.
    pub json: bool,
    /// The version of the crates that were generated from `old`.
    pub version: String,
}

impl Options {
    /// Compares two documents, for people, for the crates of this workspace.
    pub fn new(old: impl Into<String>, new: impl Into<String>) -> Self {
        Self {
            old: old.into(),
            new: new.into(),
            json: false,
            version: VERSION.to_owned(),
        }
    }
}

/// How a comparison ended; the number is the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Nothing changed.
    Same = 0,
    /// There are changes, and none of them breaks a program.
    Compatible = 5,
    /// There are changes that break programs.
    Breaking = 6,
    /// There is nothing to compare: a document can't be read or isn't valid.
    Failed = 100,
}

impl From<&Findings> for Outcome {
    fn from(findings: &Findings) -> Self {
        match findings.worst() {
            None => Self::Same,
            Some(Class::Breaking) => Self::Breaking,
            Some(_) => Self::Compatible,
        }
    }
}

/// The step from one version of the crates to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `none`, `patch`, `minor` or `major`.
    pub step: &'static str,
    /// The version now.
    pub from: String,
    /// The version after.
    pub to: String,
    /// Why it is this step, in one line.
    pub why: &'static str,
}

/// The step that a change of this class asks of crates of this version, by
/// [cargo's rules](https://doc.rust-lang.org/cargo/reference/semver.html): the leftmost number that isn't zero stands for
/// compatibility.
pub fn step(class: Option<Class>, version: &str) -> Step {
    let mut numbers = version
        .split(['-', '+'])
        .next()
        .unwrap_or(version)
        .split('.')
        .map(|number| number.parse::<u64>().unwrap_or_default());
    let mut next = || numbers.next().unwrap_or_default();
    let (major, minor, patch) = (next(), next(), next());
    let (step, to, why) = match (class, major, minor) {
        (None, ..) => ("none", (major, minor, patch), "nothing changed"),
        (Some(Class::Breaking), 0, 0) => (
            "patch",
            (0, 0, patch + 1),
            "below 0.1 every version breaks: cargo takes none for another",
        ),
        (Some(Class::Breaking), 0, _) => (
            "minor",
            (0, minor + 1, 0),
            "below 1.0 the second number is the breaking one: cargo takes 0.x.y for compatible within 0.x only",
        ),
        (Some(Class::Breaking), ..) => (
            "major",
            (major + 1, 0, 0),
            "from 1.0 on the first number is the breaking one",
        ),
        (Some(Class::Addition), 0, _) => (
            "patch",
            (0, minor, patch + 1),
            "below 1.0 cargo has one number for all that is compatible: the last",
        ),
        (Some(Class::Addition), ..) => (
            "minor",
            (major, minor + 1, 0),
            "from 1.0 on the second number is for additions",
        ),
        (Some(Class::Documentation), ..) => {
            ("patch", (major, minor, patch + 1), "no program notices it")
        }
    };
    Step {
        step,
        from: version.to_owned(),
        to: format!("{}.{}.{}", to.0, to.1, to.2),
        why,
    }
}

/// What changed from one document to another. Both must be valid: see [`validated`].
pub fn compare(old: &Value, new: &Value) -> Findings {
    api::compare(old, new)
}

/// Reads a document with the files that it refers to, and checks it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn validated(location: &str) -> Result<Input, Problems> {
    let input = source::read(location)?;
    let source = bundle::bundle(input.source, &mut Vec::new())?;
    match validate::validate(&source.document) {
        Ok(_) => Ok(Input { source, ..input }),
        Err(findings) => Err(source.problems(&source.origins, findings)),
    }
}

/// Compares two documents and reports what changed to `report`.
///
/// # Errors
/// Only where `report` can't be written to; everything else is reported, and told by the outcome.
pub fn run(options: &Options, report: &mut dyn Write) -> io::Result<Outcome> {
    // Documents nest as deep as their authors like, and are dropped as deep, too: all of it happens on one stack that is
    // deep enough.
    let found = with_deep_stack(|| {
        let old = validated(&options.old);
        let new = validated(&options.new);
        match (old, new) {
            (Ok(old), Ok(new)) => {
                let findings = compare(&old.source.document, &new.source.document);
                Ok((old.label, new.label, findings))
            }
            (old, new) => {
                let both = [old.err(), new.err()];
                Err(Problems(
                    both.into_iter()
                        .flatten()
                        .flat_map(|problems| problems.0)
                        .collect(),
                ))
            }
        }
    });
    let found = found.unwrap_or_else(|error| Err(lost(&options.new, &error)));
    match found {
        Ok((old, new, findings)) => {
            let step = step(findings.worst(), &options.version);
            if options.json {
                report::json(report, (&old, &new), &findings, &step)?;
            } else {
                report::text(report, (&old, &new), &findings, &step)?;
            }
            Ok(Outcome::from(&findings))
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

pub(crate) fn lost(file: &str, error: &io::Error) -> Problems {
    let problem = Problem {
        file: file.to_owned(),
        place: Place::File,
        cause: error.to_string(),
        remedy: "report it with both documents".to_owned(),
    };
    problem.into()
}

/// Runs `work` where deep recursion doesn't end the process.
pub(crate) fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    const STACK: usize = 512 << 20;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("diff".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, work)?;
        thread
            .join()
            .map_err(|_| io::Error::other("the comparison panicked; this is a fault of xtask"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_follows_cargos_rules() {
        let to = |class, version| {
            let step = step(class, version);
            format!("{} {}", step.step, step.to)
        };
        assert_eq!(to(None, "0.1.0"), "none 0.1.0");
        assert_eq!(to(Some(Class::Breaking), "0.1.4"), "minor 0.2.0");
        assert_eq!(to(Some(Class::Addition), "0.1.4"), "patch 0.1.5");
        assert_eq!(to(Some(Class::Documentation), "0.1.4"), "patch 0.1.5");
        assert_eq!(to(Some(Class::Breaking), "1.2.3"), "major 2.0.0");
        assert_eq!(to(Some(Class::Addition), "1.2.3-rc.1"), "minor 1.3.0");
        assert_eq!(to(Some(Class::Breaking), "0.0.3"), "patch 0.0.4");
    }
}
