//! Prints a comparison as text or JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::change::{Change, Class, Comparison, Direction};
use super::semver::Step;
use crate::pointer::Pointer;
use crate::problem::{Location, Problems};

/// The number of operations to name. Further ones are counted.
const LISTED: usize = 4;

/// Prints problems, and the `outcome`.
pub(crate) fn problems(out: &mut dyn Write, problems: &Problems, outcome: &str) -> io::Result<()> {
    writeln!(out, "{problems}")?;
    let count = problems.0.len();
    let noun = if count == 1 { "problem" } else { "problems" };
    writeln!(out, "\n{count} {noun}; {outcome}")
}

/// Prints a comparison as text.
pub(crate) fn text(
    out: &mut dyn Write,
    (old, new): (&str, &str),
    comparison: &Comparison,
    step: &Step,
) -> io::Result<()> {
    writeln!(out, "{old} -> {new}")?;
    for class in [Class::Breaking, Class::Addition, Class::Documentation] {
        let changes = comparison
            .changes
            .iter()
            .filter(|change| change.class == class);
        for (index, change) in changes.enumerate() {
            if index == 0 {
                writeln!(out, "\n{class}")?;
            }
            print_change(out, change)?;
        }
    }
    writeln!(out)?;
    if comparison.changes.is_empty() {
        return writeln!(out, "no changes");
    }
    let counts: Vec<String> = [Class::Breaking, Class::Addition, Class::Documentation]
        .into_iter()
        .filter(|class| comparison.count(*class) > 0)
        .map(|class| format!("{} {class}", comparison.count(class)))
        .collect();
    writeln!(out, "{}", counts.join(", "))?;
    writeln!(
        out,
        "semver: {} step, {} -> {}: {}",
        step.step, step.from, step.to, step.why
    )
}

fn print_change(out: &mut dyn Write, change: &Change) -> io::Result<()> {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if old != new => writeln!(out, "  {old} -> {new}")?,
        (Some(old), None) => writeln!(out, "  {old} (old)")?,
        _ if change.pointer() == Pointer::root() => writeln!(out, "  the document")?,
        _ => writeln!(out, "  {}", change.pointer())?,
    }
    writeln!(out, "    {}", change.what)?;
    // The reason is obvious for documentation.
    if change.class != Class::Documentation || change.kind != "annotation-changed" {
        let decisive = match change.decisive {
            Some(Direction::Request) => "in requests, ",
            Some(Direction::Response) => "in responses, ",
            None => "",
        };
        writeln!(out, "    why: {decisive}{}", change.why)?;
    }
    if change.operations.is_empty() {
        return Ok(());
    }
    let usage = match change.directions.as_slice() {
        [Direction::Request] => "sent by",
        [Direction::Response] => "received by",
        [] => "operations:",
        _ => "sent or received by",
    };
    let listed: Vec<String> = change
        .operations
        .iter()
        .take(LISTED)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = change.operations.len().saturating_sub(LISTED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    writeln!(out, "    {usage} {}{more}", listed.join(", "))
}

/// Prints a comparison as JSON. The format is documented in [`crate::diff`].
pub(super) fn json(
    out: &mut dyn Write,
    (old, new): (&str, &str),
    comparison: &Comparison,
    step: &Step,
) -> io::Result<()> {
    let changes: Vec<Value> = comparison
        .changes
        .iter()
        .map(|change| {
            let directions: Vec<&str> = change
                .directions
                .iter()
                .map(|direction| direction.word())
                .collect();
            json!({
                "kind": change.kind,
                "class": change.class.word(),
                "what": change.what,
                "why": change.why,
                "old": change.old.as_ref().map(ToString::to_string),
                "new": change.new.as_ref().map(ToString::to_string),
                "directions": directions,
                "decisive": change.decisive.map(Direction::word),
                "operations": change.operations,
            })
        })
        .collect();
    let document = json!({
        "format": 1,
        "old": old,
        "new": new,
        "class": comparison.worst().map_or("none", Class::word),
        "counts": {
            "breaking": comparison.count(Class::Breaking),
            "addition": comparison.count(Class::Addition),
            "documentation": comparison.count(Class::Documentation),
        },
        "semver": {"step": step.step, "from": step.from, "to": step.to, "why": step.why},
        "changes": changes,
    });
    writeln!(out, "{document:#}")
}

/// Prints problems as JSON.
pub(super) fn json_problems(out: &mut dyn Write, problems: &Problems) -> io::Result<()> {
    let problems: Vec<Value> = problems
        .0
        .iter()
        .map(|problem| {
            json!({
                "file": problem.file,
                "location": location(&problem.location),
                "cause": problem.cause,
                "remedy": problem.remedy,
            })
        })
        .collect();
    writeln!(out, "{:#}", json!({"format": 1, "problems": problems}))
}

/// Returns a location as JSON. The whole file is null.
fn location(location: &Location) -> Value {
    match location {
        Location::File => Value::Null,
        Location::Pointer(pointer) => json!({"pointer": pointer.to_string()}),
        Location::Position { line, column } => json!({"line": line, "column": column}),
    }
}
