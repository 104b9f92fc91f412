//! The report of a proof: a row for each document, and each failure with its location and smallest sample.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// A valid sample was rejected.
    Undecodable,
    /// A valid sample was changed by decoding and encoding.
    Changed,
    /// An invalid sample was accepted.
    Accepted,
    /// The decoder overflowed its stack.
    Overflow,
    /// The decoder timed out.
    Timeout,
    /// The driver panicked or died.
    Crash,
    /// A request differs from its arguments.
    Wire,
}

impl FailureKind {
    /// Returns the name of the kind in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Changed => "changed",
            Self::Accepted => "wrongly accepted",
            Self::Overflow => "stack overflow",
            Self::Timeout => "timeout",
            Self::Crash => "crash",
            Self::Wire => "wrong on the wire",
        }
    }
}

/// A group of similar failures, with the smallest sample that reproduces them.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The location in the document.
    pub pointer: String,
    /// The kind of the failure.
    pub kind: FailureKind,
    /// The details.
    pub detail: String,
    /// The number of samples that failed this way.
    pub count: usize,
    /// The smallest sample, or the arguments of the smallest request.
    pub sample: Value,
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// The results of one document.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The file's name.
    pub document: String,
    /// The reason if there is nothing to prove: no SDK was generated, or it does not compile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The number of component schemas that have a type.
    pub schemas: usize,
    /// The number of valid samples that were decoded and encoded.
    pub valid: usize,
    /// The number of invalid samples that were decoded.
    pub invalid: usize,
    /// The number of random bodies that were decoded.
    pub bodies: usize,
    /// The number of invalid samples that were accepted in accordance with `docs/correctness.md`.
    pub tolerated: usize,
    /// The number of valid samples of forms that were decoded with files, which JSON does not have.
    pub files: usize,
    /// The number of requests that were sent.
    pub requests: usize,
    /// The number of samples and requests that failed.
    pub counts: BTreeMap<FailureKind, usize>,
    /// The largest type in bytes, and its name.
    pub largest: Option<(usize, String)>,
    /// The longest decoding time in nanoseconds, and its type.
    pub slowest: Option<(u64, String)>,
    /// The schemas without a valid sample.
    pub unsampled: Vec<String>,
    /// The schemas without a type.
    pub untyped: Vec<String>,
    /// The operations without a request.
    pub unsent: Vec<String>,
    /// The failures.
    pub failures: Vec<Failure>,
}

impl Row {
    /// Adds to the number of failed samples.
    pub fn count(&mut self, kind: FailureKind, samples: usize) {
        *self.counts.entry(kind).or_default() += samples;
    }

    /// Returns the number of samples and requests with this kind of failure.
    pub fn of(&self, kind: FailureKind) -> usize {
        self.counts.get(&kind).copied().unwrap_or(0)
    }
}

const HEAD: [&str; 13] = [
    "document",
    "schemas",
    "samples",
    "bodies",
    "undecodable",
    "file",
    "changed",
    "stack",
    "wrongly accepted",
    "requests",
    "wrong on the wire",
    "largest type",
    "slowest decode",
];

/// Prints the table, followed by each failure.
///
/// # Errors
/// `report` cannot be written to.
pub fn print(rows: &[Row], report: &mut dyn Write) -> io::Result<()> {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(String::len).max().unwrap_or(0)
    };
    for line in &lines {
        let cells = line.iter().enumerate();
        let cells: Vec<String> = cells
            .map(|(column, cell)| match column {
                0 => format!("{cell:<width$}", width = width(column)),
                _ => format!("{cell:>width$}", width = width(column)),
            })
            .collect();
        writeln!(report, "{}", cells.join("  ").trim_end())?;
    }
    for row in rows {
        notes(row, report)?;
    }
    Ok(())
}

fn cells(row: &Row) -> [String; 13] {
    let dead = [
        FailureKind::Overflow,
        FailureKind::Timeout,
        FailureKind::Crash,
    ]
    .map(|kind| row.of(kind));
    let largest = row.largest.as_ref().map(|(bytes, _)| format!("{bytes} B"));
    let slowest = row
        .slowest
        .as_ref()
        .map(|(nanoseconds, _)| format!("{:.1} ms", *nanoseconds as f64 / 1e6));
    [
        row.document.clone(),
        row.schemas.to_string(),
        (row.valid + row.invalid).to_string(),
        row.bodies.to_string(),
        row.of(FailureKind::Undecodable).to_string(),
        row.files.to_string(),
        row.of(FailureKind::Changed).to_string(),
        dead.iter().sum::<usize>().to_string(),
        row.of(FailureKind::Accepted).to_string(),
        row.requests.to_string(),
        row.of(FailureKind::Wire).to_string(),
        largest.unwrap_or_else(|| "-".to_owned()),
        slowest.unwrap_or_else(|| "-".to_owned()),
    ]
}

fn notes(row: &Row, report: &mut dyn Write) -> io::Result<()> {
    let left_out = [
        (&row.untyped, "schemas without a type"),
        (&row.unsampled, "schemas without a valid sample"),
        (&row.unsent, "operations without a request"),
    ];
    for (places, what) in left_out {
        if !places.is_empty() {
            writeln!(
                report,
                "\n{}: {} {what}: {}",
                row.document,
                places.len(),
                places.join(", ")
            )?;
        }
    }
    if let Some(error) = &row.error {
        writeln!(report, "\n{}: {}", row.document, error.trim_end())?;
    }
    for failure in &row.failures {
        let Failure {
            pointer,
            kind,
            detail,
            count,
            sample,
            answer,
        } = failure;
        writeln!(
            report,
            "\n{}#{pointer}: {} ({count}): {detail}",
            row.document,
            kind.name()
        )?;
        writeln!(report, "    sample: {}", shortened(&sample.to_string()))?;
        if let Some(answer) = answer {
            writeln!(report, "    answer: {}", shortened(answer))?;
        }
    }
    Ok(())
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 2000;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!(
            "{}… ({} bytes; --json has all)",
            text.get(..end).unwrap_or_default(),
            text.len()
        ),
        None => text.to_owned(),
    }
}
