//! The messages of `cargo xtask codegen`. They go to a `Write`, so tests can check them.

use std::io::{self, Write};
use std::path::Path;

use similar::TextDiff;

use crate::model::{Operation, Paging, Stream};
use crate::problem::Problems;
use crate::walk;
use crate::write::{Entry, Mode, Status};
use crate::{Generated, Options, Outcome};

/// The lines of context in a diff.
const CONTEXT: usize = 3;

/// Reports problems that stopped the run before it wrote a file.
///
/// # Errors
/// If `out` cannot be written to.
pub fn problems(out: &mut dyn Write, problems: &Problems) -> io::Result<()> {
    writeln!(out, "{problems}")?;
    let count = problems.0.len();
    writeln!(
        out,
        "\n{count} {}; nothing was written",
        if count == 1 { "problem" } else { "problems" }
    )
}

/// Reports a file that could not be read or written. The files before it are up to date.
///
/// # Errors
/// If `out` cannot be written to.
pub fn interrupted(out: &mut dyn Write, problems: &Problems) -> io::Result<()> {
    writeln!(out, "{problems}")?;
    writeln!(
        out,
        "\nstopped at that file; fix it and run the command again"
    )
}

/// Reports the totals, the rules that applied, and the unsupported features.
///
/// # Errors
/// If `out` cannot be written to.
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
    for (rule, locations) in &generated.applied {
        let count = number(locations.len(), "location");
        writeln!(out, "    rule {rule}: {count}")?;
        if verbose {
            for location in locations {
                writeln!(out, "        {}", generated.origins.of(location))?;
            }
        }
    }
    let lists = lists(generated);
    if !lists.is_empty() {
        writeln!(out, "    lists: {}", number(lists.len(), "operation"))?;
        if verbose {
            for (heading, paging) in lists {
                writeln!(out, "        {heading}: {paging}")?;
            }
        }
    }
    let streams = streams(generated);
    if !streams.is_empty() {
        writeln!(out, "    streams: {}", number(streams.len(), "operation"))?;
        if verbose {
            for (heading, stream) in streams {
                writeln!(out, "        {heading}: {stream}")?;
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
            "    unsupported: {}{hint}",
            number(generated.unsupported.len(), "feature")
        )?;
        if verbose {
            for feature in &generated.unsupported {
                writeln!(
                    out,
                    "        {}: {}: {}",
                    feature.location(),
                    feature.what,
                    feature.instead
                )?;
            }
        }
    }
    Ok(())
}

/// Returns the operations that are lists, with method and path.
fn lists(generated: &Generated) -> Vec<(String, &Paging)> {
    having(generated, |facts| facts.paging.as_ref())
}

/// Returns the operations that have a stream, with method and path.
fn streams(generated: &Generated) -> Vec<(String, &Stream)> {
    having(generated, |facts| facts.stream.as_ref())
}

fn having<T>(generated: &Generated, fact: impl Fn(&Operation) -> Option<&T>) -> Vec<(String, &T)> {
    let operations = walk::operations(&generated.normalized).into_iter();
    operations
        .filter_map(|operation| {
            let fact = fact(generated.model.operation(&operation.pointer)?)?;
            let method = operation.method.to_uppercase();
            Some((format!("{method} {}", operation.path), fact))
        })
        .collect()
}

fn number(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

/// Reports the state of each file, the totals, and what to do. Returns the outcome of the run.
///
/// # Errors
/// If `out` cannot be written to.
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
            writeln!(
                out,
                "to compile it: cd {} && cargo check --workspace",
                quoted(folder)
            )?;
        }
        return Ok(Outcome::Fresh);
    }
    let command = command(options);
    if options.mode == Mode::DryRun {
        writeln!(out, "nothing was written; help: run `{command}`")?;
        Ok(Outcome::Fresh)
    } else {
        writeln!(
            out,
            "the generated code is out of date; help: run `{command}`"
        )?;
        Ok(Outcome::Stale)
    }
}

/// Returns the command that writes the files this run compared.
fn command(options: &Options) -> String {
    let mut command = "cargo xtask codegen".to_owned();
    for (flag, path) in [("--spec", &options.spec), ("--out", &options.out)] {
        if let Some(path) = path {
            command.push_str(&format!(" {flag} {}", quoted(path)));
        }
    }
    if let Some(name) = &options.name {
        command.push_str(&format!(" --name {name}"));
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
