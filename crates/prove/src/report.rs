//! What a proof found: a row for each document, and each failure with its place and its smallest sample.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

/// What went wrong with a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// A valid sample was refused.
    Undecodable,
    /// A valid sample came back as another value.
    Changed,
    /// An invalid sample was read.
    Accepted,
    /// The decoder overflowed its stack.
    Overflow,
    /// The decoder gave no answer in time.
    Timeout,
    /// The driver panicked or died.
    Crash,
    /// A request doesn't carry what it was made of.
    Wire,
}

impl Trouble {
    /// The name of the trouble in a report.
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

/// Failures that are alike, with the smallest sample that shows them.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The place in the document.
    pub pointer: String,
    /// What went wrong.
    pub trouble: Trouble,
    /// How.
    pub detail: String,
    /// The number of samples that failed so.
    pub count: usize,
    /// The smallest sample, or the arguments of the smallest request.
    pub sample: Value,
    /// What came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// What was found about one document.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The file's name.
    pub document: String,
    /// Why there is nothing to prove: no SDK was generated, or it doesn't compile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The number of component schemas that have a type.
    pub schemas: usize,
    /// The number of valid samples that were decoded and encoded.
    pub valid: usize,
    /// The number of invalid samples that were decoded.
    pub invalid: usize,
    /// The number of invalid samples that were accepted as `docs/correctness.md` says.
    pub tolerated: usize,
    /// The number of valid samples that were refused because a part of a form is a file.
    pub files: usize,
    /// The number of requests that were sent.
    pub requests: usize,
    /// The number of samples and requests that failed.
    pub counts: BTreeMap<Trouble, usize>,
    /// The largest type in bytes, and its name.
    pub largest: Option<(usize, String)>,
    /// The slowest decoding in nanoseconds, and its type.
    pub slowest: Option<(u64, String)>,
    /// The schemas that no valid sample was found of.
    pub unsampled: Vec<String>,
    /// The schemas that have no type.
    pub untyped: Vec<String>,
    /// The operations that no request was made of.
    pub unsent: Vec<String>,
    /// The failures.
    pub failures: Vec<Failure>,
}

impl Row {
    /// Counts samples that failed.
    pub fn count(&mut self, trouble: Trouble, samples: usize) {
        *self.counts.entry(trouble).or_default() += samples;
    }

    /// Returns how many samples and requests failed so.
    pub fn of(&self, trouble: Trouble) -> usize {
        self.counts.get(&trouble).copied().unwrap_or(0)
    }
}

const HEAD: [&str; 12] = [
    "document",
    "schemas",
    "samples",
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

/// Prints the table, and below it each failure.
///
/// # Errors
/// `report` can't be written to.
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

fn cells(row: &Row) -> [String; 12] {
    let dead = [Trouble::Overflow, Trouble::Timeout, Trouble::Crash].map(|trouble| row.of(trouble));
    let largest = row.largest.as_ref().map(|(bytes, _)| format!("{bytes} B"));
    let slowest = row
        .slowest
        .as_ref()
        .map(|(nanoseconds, _)| format!("{:.1} ms", *nanoseconds as f64 / 1e6));
    [
        row.document.clone(),
        row.schemas.to_string(),
        (row.valid + row.invalid).to_string(),
        row.of(Trouble::Undecodable).to_string(),
        row.files.to_string(),
        row.of(Trouble::Changed).to_string(),
        dead.iter().sum::<usize>().to_string(),
        row.of(Trouble::Accepted).to_string(),
        row.requests.to_string(),
        row.of(Trouble::Wire).to_string(),
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
            trouble,
            detail,
            count,
            sample,
            answer,
        } = failure;
        writeln!(
            report,
            "\n{}#{pointer}: {} ({count}): {detail}",
            row.document,
            trouble.name()
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
