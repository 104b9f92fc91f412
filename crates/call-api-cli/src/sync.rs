//! `sync`: fetches many calls into a file, and resumes after an interruption.
//!
//! The output file is the only state: a call is done when its complete record is in the file. A crash therefore loses no
//! call and duplicates none. At worst the last record is incomplete; the next run removes it.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use call_api::{Client, Uuid};
use futures_util::StreamExt as _;
use indicatif::{HumanCount, ProgressBar};
use serde::Serialize;

use crate::args::SyncArgs;
use crate::error::{CliError, CommandError, ErrorClass, ErrorTally};
use crate::received::ReceivedCall;
use crate::records::Output;
use crate::ui::Ui;

/// The smallest number of consecutive failures, not specific to an id, after which the service is considered down.
const OUTAGE_FAILURES: usize = 8;

/// The longest delay between attempts during an outage.
const MAX_DELAY: Duration = Duration::from_secs(15);

/// A prepared `sync`: ids are read and the output is open.
#[derive(Debug)]
pub(crate) struct Sync {
    /// The ids without a record, each once.
    missing: Vec<Uuid>,
    /// The number of ids with a record.
    existing: usize,
    out: Output,
    jobs: NonZeroUsize,
    failed: Option<PathBuf>,
    give_up_after: Duration,
    /// True if records have the form of the API document.
    typed: bool,
    fetched: Arc<AtomicUsize>,
}

/// The end of a pass over the ids.
enum Pass {
    /// The service responds. Ids that failed at the end of an outage may remain.
    Complete,
    /// The service does not respond; these failures are not counted yet.
    Outage(Vec<(Uuid, CliError)>),
    /// Every further request would fail too, for example because of the token.
    Fatal(ErrorClass),
}

impl Sync {
    /// Reads the ids and the existing records.
    pub(crate) fn prepare(args: &SyncArgs, ui: &Ui) -> Result<Self, CommandError> {
        let ids = crate::ids::read(&args.ids, args.skip_invalid, ui)?;
        let (out, done) = Output::open(&args.out, args.format)?;
        let mut seen = HashSet::new();
        let (existing, missing): (Vec<_>, Vec<_>) = ids
            .into_iter()
            .filter(|id| seen.insert(*id))
            .partition(|id| done.contains(id));
        Ok(Self {
            missing,
            existing: existing.len(),
            out,
            jobs: limit_jobs(args.jobs, ui),
            failed: args.failed.clone(),
            give_up_after: args.give_up_after,
            typed: args.typed,
            fetched: Arc::default(),
        })
    }

    /// Returns the message for an interruption.
    pub(crate) fn interruption(&self) -> impl FnOnce() -> String + use<> {
        let (fetched, existing) = (Arc::clone(&self.fetched), self.existing);
        let total = self.existing + self.missing.len();
        move || {
            let fetched = existing + fetched.load(Ordering::Relaxed);
            format!(
                "interrupted: {} of {} fetched; rerun to resume",
                HumanCount(fetched as u64),
                HumanCount(total as u64)
            )
        }
    }

    /// Fetches the missing calls. Rides out an outage of the service.
    pub(crate) async fn run(mut self, client: &Client, ui: &Ui) -> Result<(), CommandError> {
        let total = self.existing + self.missing.len();
        let bar = ui.bar(total, self.existing);
        let mut failures = Failures::default();
        let mut remaining = std::mem::take(&mut self.missing);
        let mut last_response = Instant::now();
        let mut delay = Duration::from_secs(1);
        let mut after_outage = false;
        let stop_class = loop {
            let before = remaining.len();
            let pass = self
                .fetch(
                    client,
                    &mut remaining,
                    after_outage,
                    &mut failures,
                    &bar,
                    ui,
                )
                .await?;
            if remaining.len() < before {
                last_response = Instant::now();
                delay = Duration::from_secs(1);
            }
            let outage = match pass {
                Pass::Complete if remaining.is_empty() => break None,
                Pass::Complete => {
                    after_outage = false;
                    continue;
                }
                Pass::Fatal(class) => break Some(class),
                Pass::Outage(outage) => outage,
            };
            after_outage = true;
            let left = self.give_up_after.saturating_sub(last_response.elapsed());
            if left.is_zero() {
                let class = outage.last().map(|(_, failure)| failure.class());
                for (id, failure) in outage {
                    failures.add(id, failure, ui);
                }
                break class;
            }
            if let Some((_, failure)) = outage.last() {
                ui.warn(&format!(
                    "retrying for {:.0} s: {failure}",
                    left.as_secs_f64()
                ));
            }
            tokio::time::sleep(delay.min(left)).await;
            delay = (delay * 2).min(MAX_DELAY);
        };
        bar.finish_and_clear();
        self.out.finish()?;
        if let Some(path) = &self.failed {
            failures.write_ids(path)?;
        }
        let fetched = self.fetched.load(Ordering::Relaxed);
        failures.report(total, fetched, self.existing, ui);
        match stop_class {
            None => failures.tally.end(),
            Some(class) => {
                ui.note(crate::RESUME_HINT);
                Err(CommandError::AlreadyReported(class))
            }
        }
    }

    /// Fetches the remaining ids until all are done or the service fails. Removes those that are done.
    async fn fetch(
        &mut self,
        client: &Client,
        remaining: &mut Vec<Uuid>,
        mut after_outage: bool,
        failures: &mut Failures,
        bar: &ProgressBar,
        ui: &Ui,
    ) -> Result<Pass, CommandError> {
        let outage_failures = self.jobs.get().max(OUTAGE_FAILURES);
        let mut done = HashSet::new();
        // Failures since the last response that shows that the service works.
        let mut consecutive: Vec<(Uuid, CliError)> = Vec::new();
        let mut calls = client
            .get_calls(remaining.clone())
            .concurrency(self.jobs.get())
            // The ids are unique.
            .dedup_window(0)
            .unordered()
            .responses();
        let mut fatal = None;
        while let Some((id, result)) = calls.next().await {
            let result = ReceivedCall::new(id, result, self.typed);
            match &result {
                Err(failure) if !is_specific_to_id(failure) => {
                    let class = failure.class();
                    consecutive.extend(result.err().map(|failure| (id, failure)));
                    if matches!(class, ErrorClass::Refused | ErrorClass::Config) {
                        fatal = Some(class);
                        break;
                    }
                    if consecutive.len() >= outage_failures {
                        break;
                    }
                    continue;
                }
                _ => {}
            }
            // The last failures of an outage say nothing about their ids, which are fetched again.
            if after_outage {
                consecutive.clear();
                after_outage = false;
            }
            for (id, failure) in consecutive.drain(..) {
                done.insert(id);
                failures.add(id, failure, ui);
                bar.inc(1);
            }
            done.insert(id);
            match result {
                Ok(call) => {
                    self.out.write(&call)?;
                    self.fetched.fetch_add(1, Ordering::Relaxed);
                }
                Err(failure) => failures.add(id, failure, ui),
            }
            bar.inc(1);
            if failures.count() > 0 {
                bar.set_message(format!(", {} failed", failures.count()));
            }
        }
        drop(calls);
        let is_down = |(_, failure): &(Uuid, CliError)| failure.class() == ErrorClass::Unreachable;
        let is_outage = fatal.is_none()
            && !consecutive.is_empty()
            && (consecutive.len() >= outage_failures || consecutive.iter().all(is_down));
        if !is_outage {
            for (id, failure) in consecutive.drain(..) {
                done.insert(id);
                failures.add(id, failure, ui);
            }
        }
        remaining.retain(|id| !done.contains(id));
        Ok(match (fatal, is_outage) {
            (Some(class), _) => Pass::Fatal(class),
            (None, true) => Pass::Outage(consecutive),
            (None, false) => Pass::Complete,
        })
    }
}

/// Returns true if a failure is about one id, and shows that the service works.
fn is_specific_to_id(failure: &CliError) -> bool {
    matches!(
        failure.class(),
        ErrorClass::NotFound | ErrorClass::InvalidRequest | ErrorClass::BadResponse
    )
}

/// Limits the number of jobs to what the open-file limit allows.
fn limit_jobs(jobs: NonZeroUsize, ui: &Ui) -> NonZeroUsize {
    let Some(limit) = crate::process::open_file_limit() else {
        return jobs;
    };
    // The program has other files open: standard streams, the output, the runtime.
    let allowed = NonZeroUsize::new(limit.saturating_sub(32)).unwrap_or(NonZeroUsize::MIN);
    if jobs > allowed {
        ui.warn(&format!(
            "--jobs {jobs} exceeds the limit of {limit} open files; using {allowed}; raise the limit with ulimit -n"
        ));
    }
    jobs.min(allowed)
}

/// The failures by class: the first one and the number of them.
#[derive(Debug, Default)]
struct Failures {
    tally: ErrorTally,
    by_class: Vec<(CliError, usize)>,
    ids: Vec<Uuid>,
}

impl Failures {
    fn add(&mut self, id: Uuid, failure: CliError, ui: &Ui) {
        self.ids.push(id);
        self.tally.add(failure.class());
        if ui.reports_each_error() {
            ui.error(&failure);
        }
        match self
            .by_class
            .iter_mut()
            .find(|(first, _)| first.class() == failure.class())
        {
            Some((_, count)) => *count += 1,
            None => self.by_class.push((failure, 1)),
        }
    }

    fn count(&self) -> usize {
        self.ids.len()
    }

    /// Writes the ids that failed, also if there are none, so that the file never has those of an earlier run.
    fn write_ids(&self, path: &Path) -> Result<(), CliError> {
        let ids: String = self.ids.iter().map(|id| format!("{id}\n")).collect();
        // Writes through devices and pipes, and keeps links.
        fs::write(path, ids).map_err(|error| {
            let message = format!("cannot write {}: {error}; use another file", path.display());
            CliError::new(ErrorClass::Failed, message)
        })
    }

    fn report(&self, total: usize, fetched: usize, existing: usize, ui: &Ui) {
        let failed = self.count();
        let remaining = total - fetched - existing - failed;
        if ui.is_json() {
            let by_class = self.by_class.iter();
            let by_class = by_class.map(|(first, count)| (first.class().name(), *count));
            let summary = Summary {
                ids: total,
                fetched,
                already_there: existing,
                failed,
                not_fetched: remaining,
                by_class: by_class.collect(),
            };
            return ui.json("summary", &summary);
        }
        let mut parts = vec![format!("{fetched} fetched")];
        let more = [
            (existing, "already there"),
            (failed, "failed"),
            (remaining, "not fetched"),
        ];
        parts.extend(
            more.iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}")),
        );
        ui.note(format_args!(
            "{total} id{}: {}",
            if total == 1 { "" } else { "s" },
            parts.join(", ")
        ));
        for (first, count) in &self.by_class {
            let of = if *count == 1 {
                String::new()
            } else {
                ", the first".to_owned()
            };
            ui.error_summary(format_args!(
                "{count} × {}{of}: {first}",
                first.class().name()
            ));
        }
    }
}

/// The summary in JSON.
#[derive(Debug, Serialize)]
struct Summary {
    ids: usize,
    fetched: usize,
    already_there: usize,
    failed: usize,
    not_fetched: usize,
    /// The number of failures per class.
    by_class: BTreeMap<&'static str, usize>,
}
