//! What a comparison says, to people and to machines.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Step;
use super::change::{Change, Class, Direction, Findings};
use crate::problem::{Place, Problems};

/// This many operations are named; the others are counted.
const NAMED: usize = 4;

/// What is wrong, and that `outcome`.
pub(crate) fn problems(out: &mut dyn Write, problems: &Problems, outcome: &str) -> io::Result<()> {
    writeln!(out, "{problems}")?;
    let count = problems.0.len();
    let noun = if count == 1 { "problem" } else { "problems" };
    writeln!(out, "\n{count} {noun}; {outcome}")
}

/// For people.
pub(crate) fn text(
    out: &mut dyn Write,
    (old, new): (&str, &str),
    findings: &Findings,
    step: &Step,
) -> io::Result<()> {
    writeln!(out, "{old} -> {new}")?;
    for class in [Class::Breaking, Class::Addition, Class::Documentation] {
        let changes = findings
            .changes
            .iter()
            .filter(|change| change.class == class);
        for (index, change) in changes.enumerate() {
            if index == 0 {
                writeln!(out, "\n{class}")?;
            }
            one(out, change)?;
        }
    }
    if !findings.notes.is_empty() {
        writeln!(out, "\nnote")?;
        for note in &findings.notes {
            writeln!(out, "  {}\n    {}", note.pointer, note.text)?;
        }
    }
    writeln!(out)?;
    if findings.changes.is_empty() {
        return writeln!(out, "no change");
    }
    let counts: Vec<String> = [Class::Breaking, Class::Addition, Class::Documentation]
        .into_iter()
        .filter(|class| findings.count(*class) > 0)
        .map(|class| format!("{} {class}", findings.count(class)))
        .collect();
    writeln!(out, "{}", counts.join(", "))?;
    writeln!(
        out,
        "semver: {} step, {} -> {}: {}",
        step.step, step.from, step.to, step.why
    )
}

fn one(out: &mut dyn Write, change: &Change) -> io::Result<()> {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) if old != new => writeln!(out, "  {old} -> {new}")?,
        (Some(old), None) => writeln!(out, "  {old} (old)")?,
        _ => writeln!(out, "  {}", change.pointer())?,
    }
    writeln!(out, "    {}", change.what)?;
    // That readers read it needs no reason.
    if change.class != Class::Documentation || change.kind != "annotation-changed" {
        let decisive = match change.decisive {
            Some(Direction::Request) => "as it is sent: ",
            Some(Direction::Response) => "as it is received: ",
            None => "",
        };
        writeln!(out, "    why: {decisive}{}", change.why)?;
    }
    if change.operations.is_empty() {
        return Ok(());
    }
    let ways = match change.directions.as_slice() {
        [Direction::Request] => "sent by",
        [Direction::Response] => "received by",
        [] => "of",
        _ => "sent or received by",
    };
    let named: Vec<String> = change
        .operations
        .iter()
        .take(NAMED)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = change.operations.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    writeln!(out, "    {ways} {}{more}", named.join(", "))
}

/// For machines; the module's documentation says what it holds.
pub(super) fn json(
    out: &mut dyn Write,
    (old, new): (&str, &str),
    findings: &Findings,
    step: &Step,
) -> io::Result<()> {
    let changes: Vec<Value> = findings
        .changes
        .iter()
        .map(|change| {
            let directions: Vec<&str> = change.directions.iter().map(|way| way.word()).collect();
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
    let notes: Vec<Value> = findings
        .notes
        .iter()
        .map(|note| json!({"pointer": note.pointer.to_string(), "text": note.text}))
        .collect();
    let answer = json!({
        "format": 1,
        "old": old,
        "new": new,
        "class": findings.worst().map_or("none", Class::word),
        "counts": {
            "breaking": findings.count(Class::Breaking),
            "addition": findings.count(Class::Addition),
            "documentation": findings.count(Class::Documentation),
        },
        "semver": {"step": step.step, "from": step.from, "to": step.to, "why": step.why},
        "changes": changes,
        "notes": notes,
    });
    writeln!(out, "{answer:#}")
}

/// What is wrong, for machines.
pub(super) fn json_problems(out: &mut dyn Write, problems: &Problems) -> io::Result<()> {
    let problems: Vec<Value> = problems
        .0
        .iter()
        .map(|problem| {
            json!({
                "file": problem.file,
                "place": place(&problem.place),
                "cause": problem.cause,
                "remedy": problem.remedy,
            })
        })
        .collect();
    writeln!(out, "{:#}", json!({"format": 1, "problems": problems}))
}

/// A place for machines: null is the file as a whole.
fn place(place: &Place) -> Value {
    match place {
        Place::File => Value::Null,
        Place::Pointer(pointer) => json!({"pointer": pointer.to_string()}),
        Place::Position { line, column } => json!({"line": line, "column": column}),
    }
}
