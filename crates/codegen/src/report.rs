//! What a run says: to a `Write`, so that the tests can hold it to its words.

use std::io::{self, Write};
use std::path::Path;

use similar::TextDiff;

use super::write::{Entry, Mode, Status};
use super::{Generated, Options, Outcome};
use crate::problem::Problems;

/// The lines of context around a difference.
const CONTEXT: usize = 3;

/// Everything that is wrong, and that nothing was done.
pub fn problems(out: &mut dyn Write, problems: &Problems) -> io::Result<()> {
    writeln!(out, "{problems}")?;
    let count = problems.0.len();
    writeln!(
        out,
        "\n{count} {}; nothing was written",
        if count == 1 { "problem" } else { "problems" }
    )
}

/// That a file couldn't be read or written; those before it are as they should be.
pub fn interrupted(out: &mut dyn Write, problems: &Problems) -> io::Result<()> {
    writeln!(out, "{problems}")?;
    writeln!(
        out,
        "\nit stopped at that file; run the command again when it is mended"
    )
}

/// What was made of the document.
pub fn generated(out: &mut dyn Write, generated: &Generated, verbose: bool) -> io::Result<()> {
    let count = &generated.count;
    writeln!(
        out,
        "{}: {} -> {}, {} -> {}",
        generated.source.label,
        number(count.operations, "operation"),
        number(count.operations, "method"),
        number(count.schemas, "schema"),
        number(count.types, "type"),
    )?;
    for (rule, places) in &generated.applied {
        writeln!(out, "    rule {rule}: {}", number(places.len(), "place"))?;
        if verbose {
            for place in places {
                writeln!(out, "        {}", generated.origins.of(place))?;
            }
        }
    }
    if !generated.unsupported.is_empty() {
        let hint = if verbose {
            ""
        } else {
            " (`--verbose` lists them)"
        };
        writeln!(
            out,
            "    not honored: {}{hint}",
            number(generated.unsupported.len(), "place")
        )?;
        if verbose {
            for loss in &generated.unsupported {
                writeln!(
                    out,
                    "        {}: {}: {}",
                    loss.place(),
                    loss.what,
                    loss.instead
                )?;
            }
        }
    }
    Ok(())
}

fn number(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

/// How each file stands, how many of each, and what to do; the answer is how the run ended.
pub fn entries(out: &mut dyn Write, options: &Options, entries: &[Entry]) -> io::Result<Outcome> {
    for entry in entries {
        let path = options
            .out
            .as_ref()
            .map_or_else(|| entry.path.clone(), |out| out.join(&entry.path));
        writeln!(out, "{:>8} {}", entry.status.verb(), slashes(&path))?;
        if let (Status::Stale, Some((found, planned)), true) =
            (entry.status, &entry.texts, options.diff)
        {
            diff(out, &slashes(&entry.path), found, planned)?;
        }
    }
    let all = [
        Status::Fresh,
        Status::Written,
        Status::Removed,
        Status::Stale,
        Status::Missing,
        Status::Orphaned,
    ];
    let counts: Vec<String> = all
        .iter()
        .filter_map(|status| {
            let count = entries
                .iter()
                .filter(|entry| entry.status == *status)
                .count();
            (count > 0).then(|| format!("{count} {}", status.verb().to_lowercase()))
        })
        .collect();
    writeln!(
        out,
        "{}: {}",
        number(entries.len(), "file"),
        counts.join(", ")
    )?;
    if !entries.iter().any(|entry| entry.status.is_drift()) {
        if let Some(folder) = &options.out {
            writeln!(out, "to compile it: cd {} && cargo check", quoted(folder))?;
        }
        return Ok(Outcome::Fresh);
    }
    let command = command(options);
    if options.mode == Mode::DryRun {
        writeln!(out, "nothing was written; to write it: {command}")?;
        Ok(Outcome::Fresh)
    } else {
        writeln!(
            out,
            "the generated code does not belong to the document; to mend it: {command}"
        )?;
        Ok(Outcome::Stale)
    }
}

/// The exact command that writes what this run compared.
fn command(options: &Options) -> String {
    let mut command = "cargo xtask codegen".to_owned();
    for (flag, path) in [("--spec", &options.spec), ("--out", &options.out)] {
        if let Some(path) = path {
            command.push_str(&format!(" {flag} {}", quoted(path)));
        }
    }
    command
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@\\".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

fn diff(out: &mut dyn Write, path: &str, found: &str, planned: &str) -> io::Result<()> {
    let diff = TextDiff::from_lines(found, planned);
    let (old, new) = (format!("{path} (found)"), format!("{path} (generated)"));
    write!(
        out,
        "{}",
        diff.unified_diff()
            .context_radius(CONTEXT)
            .header(&old, &new)
    )
}
