//! Known failures of a folder of documents: a proof fails if it finds more.
//!
//! The file has a line for each: `unions.yaml: 3 changed`, or `names.yaml: 1 no SDK`. If a proof finds fewer, it reports
//! that, and the file must be updated.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::report::{FailureKind, Row};

/// The file's name, beside the documents.
pub(crate) const FILE: &str = "known-failures.txt";

/// The number of failures of each kind, by document.
pub(crate) type Failures = BTreeMap<(String, String), usize>;

/// Reads the known failures of a folder; none if it has no such file.
///
/// # Errors
/// The file cannot be read, or a line is not `DOCUMENT: COUNT FAILURE`.
pub(crate) fn read(documents: &Path) -> io::Result<Failures> {
    let path = documents.join(FILE);
    if !path.is_file() {
        return Ok(Failures::new());
    }
    let text = std::fs::read_to_string(&path)?;
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let failures = lines.map(|(index, line)| {
        let parts = line.split_once(": ").and_then(|(document, failure)| {
            let (count, name) = failure.split_once(' ')?;
            Some(((document.to_owned(), name.to_owned()), count.parse().ok()?))
        });
        parts.ok_or_else(|| {
            let place = format!("{}:{}", path.display(), index + 1);
            io::Error::other(format!("{place}: the line isn't `DOCUMENT: COUNT FAILURE`"))
        })
    });
    failures.collect()
}

/// Counts the failures of the rows.
pub(crate) fn found(rows: &[Row]) -> Failures {
    let mut found = Failures::new();
    for row in rows {
        if row.error.is_some() {
            found.insert((row.document.clone(), "no SDK".to_owned()), 1);
        }
        for (kind, count) in &row.counts {
            if *count > 0 {
                found.insert(
                    (row.document.clone(), FailureKind::name(*kind).to_owned()),
                    *count,
                );
            }
        }
    }
    found
}

/// Returns a line for each kind of failure that is more frequent in `left` than in `right`.
pub(crate) fn more(left: &Failures, right: &Failures) -> Vec<String> {
    let more = left.iter().filter_map(|(key, count)| {
        let other = right.get(key).copied().unwrap_or(0);
        let (document, name) = key;
        (*count > other).then(|| format!("{document}: {count} {name} (not {other})"))
    });
    more.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_failure_is_reported() {
        let failures =
            |changed| Failures::from([(("a.yaml".to_owned(), "changed".to_owned()), changed)]);
        assert_eq!(
            more(&failures(3), &failures(2)),
            ["a.yaml: 3 changed (not 2)"]
        );
        assert_eq!(
            more(&failures(3), &Failures::new()),
            ["a.yaml: 3 changed (not 0)"]
        );
        assert!(more(&failures(2), &failures(2)).is_empty());
    }
}
