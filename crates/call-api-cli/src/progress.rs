//! The progress and the result of `sync`: a bar on a terminal, and lines that a monitor can parse elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use call_api::Uuid;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::error::{CliError, ErrorClass, ErrorTally};
use crate::ui::Ui;

/// The progress of a run.
pub(crate) struct Progress {
    pub(crate) bar: ProgressBar,
    pub(crate) ids: usize,
    pub(crate) already_there: usize,
    pub(crate) fetched: Arc<AtomicUsize>,
    pub(crate) failures: Failures,
    pub(crate) started: Instant,
    /// The time of the last progress line.
    pub(crate) last_line: Instant,
    pub(crate) log_every: Duration,
}

impl Progress {
    /// Counts an id that is done. Prints a line at intervals if standard error is not a terminal.
    pub(crate) fn advance(&mut self, ui: &Ui) {
        self.bar.inc(1);
        let failed = self.failures.count();
        if failed > 0 {
            self.bar.set_message(format!(", {failed} failed"));
        }
        if self.bar.is_hidden() && self.last_line.elapsed() >= self.log_every {
            self.last_line = Instant::now();
            self.print("progress", None, ui);
        }
    }

    /// Prints the last line of a run, except on a terminal.
    pub(crate) fn end(&self, class: Option<ErrorClass>, ui: &Ui) {
        if self.bar.is_hidden() || ui.is_json() {
            let code = class.map_or(0, ErrorClass::code);
            self.print("summary", Some(code), ui);
        }
    }

    fn print(&self, what: &str, exit_code: Option<u8>, ui: &Ui) {
        let counts = self.counts(exit_code);
        match ui.is_json() {
            true => ui.json(what, &counts),
            false => ui.note(format_args!("{what}: {counts}")),
        }
    }

    /// Prints the summary for people.
    pub(crate) fn report(&self, ui: &Ui) {
        if ui.is_json() {
            return;
        }
        if !self.bar.is_hidden() {
            let counts = self.counts(None);
            let more = [
                (counts.already_there, "already there"),
                (counts.failed, "failed"),
                (counts.not_fetched, "not fetched"),
            ];
            let more = more.iter().filter(|(count, _)| *count > 0);
            let more: String = more
                .map(|(count, what)| format!(", {count} {what}"))
                .collect();
            let s = if counts.ids == 1 { "" } else { "s" };
            ui.note(format_args!(
                "{} id{s}: {} fetched{more}",
                counts.ids, counts.fetched
            ));
        }
        self.failures.report(ui);
    }

    fn counts(&self, exit_code: Option<u8>) -> Counts {
        let fetched = self.fetched.load(Ordering::Relaxed);
        let failures = &self.failures;
        let by_class = failures.by_class.iter();
        Counts {
            ids: self.ids,
            fetched,
            already_there: self.already_there,
            failed: failures.count(),
            not_fetched: self.ids - fetched - self.already_there - failures.count(),
            by_class: by_class
                .map(|(class, failures)| (class.name(), failures.count))
                .collect(),
            seconds: (self.started.elapsed().as_secs_f64() * 10.0).round() / 10.0,
            exit_code,
        }
    }
}

/// The failures.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    pub(crate) tally: ErrorTally,
    by_class: Vec<(ErrorClass, FailuresOfClass)>,
    ids: Vec<Uuid>,
}

/// The failures of a class.
#[derive(Debug, Default)]
struct FailuresOfClass {
    count: usize,
    /// The first one of this run.
    first: Option<CliError>,
}

impl Failures {
    pub(crate) fn add(&mut self, id: Uuid, failure: CliError, ui: &Ui) {
        if ui.reports_each_error() {
            ui.error(&failure);
        }
        let of_class = self.count_one(id, failure.class());
        of_class.first.get_or_insert(failure);
    }

    /// Adds an id that an earlier run did not find.
    pub(crate) fn add_unknown(&mut self, id: Uuid) {
        self.count_one(id, ErrorClass::NotFound);
    }

    fn count_one(&mut self, id: Uuid, class: ErrorClass) -> &mut FailuresOfClass {
        self.ids.push(id);
        self.tally.add(class);
        let at = self.by_class.iter().position(|(other, _)| *other == class);
        let at = at.unwrap_or_else(|| {
            self.by_class.push((class, FailuresOfClass::default()));
            self.by_class.len() - 1
        });
        let (_, of_class) = &mut self.by_class[at];
        of_class.count += 1;
        of_class
    }

    pub(crate) fn count(&self) -> usize {
        self.ids.len()
    }

    /// Writes the ids that failed, also if there are none, so that the file never has those of an earlier run.
    pub(crate) fn write_ids(&self, path: &Path) -> Result<(), CliError> {
        let ids: String = self.ids.iter().map(|id| format!("{id}\n")).collect();
        // Writes through devices and pipes, and keeps links.
        fs::write(path, ids)
            .map_err(|error| CliError::cannot_write(path, error, "use another file"))
    }

    /// Prints a line for each class.
    fn report(&self, ui: &Ui) {
        for (class, FailuresOfClass { count, first }) in &self.by_class {
            let of = match (count, first) {
                (1, Some(first)) => format!(": {first}"),
                (_, Some(first)) => format!(", the first: {first}"),
                (_, None) => " before".to_owned(),
            };
            ui.error_summary(format_args!("{count} × {}{of}", class.name()));
        }
    }
}

/// The counts of a run, in JSON or as words in one line.
#[derive(Debug, Serialize)]
struct Counts {
    ids: usize,
    fetched: usize,
    already_there: usize,
    failed: usize,
    not_fetched: usize,
    /// The number of failures per class.
    by_class: BTreeMap<&'static str, usize>,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            ids,
            fetched,
            already_there,
            failed,
            not_fetched,
            by_class,
            seconds,
            exit_code,
        } = self;
        write!(
            f,
            "ids={ids} fetched={fetched} already_there={already_there} failed={failed} not_fetched={not_fetched}"
        )?;
        for (class, count) in by_class {
            write!(f, " {class}={count}")?;
        }
        write!(f, " seconds={seconds:.1}")?;
        match exit_code {
            Some(code) => write!(f, " exit_code={code}"),
            None => Ok(()),
        }
    }
}
