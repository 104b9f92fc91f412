//! `sync`: fetches many calls into a file, their recordings into a folder, or both, and resumes after an interruption.
//!
//! The output is the only state: a call is done when its complete record is in the file, which is after its recording is in
//! the folder. A crash therefore loses no call and duplicates none. At worst the last record is incomplete; the next run
//! removes it.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use call_api::{Call, Client, LateProperty, Uuid};
use futures_util::StreamExt as _;
use indicatif::HumanCount;

use crate::archive::Archive;
use crate::args::{BatchArgs, RecordingArgs, SyncArgs};
use crate::error::{CliError, CommandError, ErrorClass};
use crate::input;
use crate::not_found::NotFound;
use crate::progress::{Failures, Progress};
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
    /// The ids that are not done, each once.
    missing: Vec<Uuid>,
    /// The number of ids that are done.
    existing: usize,
    /// The ids that the service did not know in an earlier run.
    unknown: Vec<Uuid>,
    not_found: NotFound,
    /// The file of records; `None` for recordings alone.
    out: Option<Output>,
    /// The ids with a record.
    recorded: HashSet<Uuid>,
    /// The folder of recordings.
    archive: Option<Arc<Archive>>,
    jobs: NonZeroUsize,
    failed: Option<PathBuf>,
    give_up_after: Duration,
    /// The time after their end from which calls are written with what they have; `None` to write calls in any state.
    settle_time: Option<Duration>,
    /// The interval of progress lines if standard error is not a terminal.
    log_every: Duration,
    /// True if records have the form of the API document.
    typed: bool,
    fetched: Arc<AtomicUsize>,
}

/// The result for an id.
struct Fetched {
    id: Uuid,
    result: Result<ReceivedCall, CliError>,
    /// True if the call was fetched, and the result is that of its recording.
    is_recording: bool,
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
    pub(crate) fn prepare(args: SyncArgs, client: &Client, ui: &Ui) -> Result<Self, CommandError> {
        let inputs_and_outputs = [Some(&args.ids), Some(&args.out)];
        if args.batch.failed.is_some() && inputs_and_outputs.contains(&args.batch.failed.as_ref()) {
            let message = "--failed would replace the file of --ids or --out; use another file";
            return Err(CliError::usage(message).into());
        }
        let ids = crate::ids::read(&args.ids, args.batch.skip_invalid, ui)?;
        let (out, recorded) = Output::open(&args.out, args.format, args.fields)?;
        let archive = match &args.recordings {
            Some(folder) => Some(Archive::open(folder, args.recording_wait)?),
            None => None,
        };
        let not_found = match input::is_dash(&args.out) {
            true => NotFound::default(),
            false => known(&args.out, &args.batch, client)?,
        };
        let sync = Self::new(ids, Some(out), recorded, archive, not_found, args.batch, ui);
        Ok(Self {
            typed: args.typed,
            settle_time: args.settled.then_some(args.settle_time),
            ..sync
        })
    }

    /// Reads the ids and the manifest for recordings alone.
    pub(crate) fn prepare_recordings(
        ids: &Path,
        args: RecordingArgs,
        client: &Client,
        ui: &Ui,
    ) -> Result<Self, CommandError> {
        if input::is_dash(&args.out) {
            let message = "--ids needs a folder in --out, not standard output";
            return Err(CliError::usage(message).into());
        }
        let ids = crate::ids::read(ids, args.batch.skip_invalid, ui)?;
        let archive = Archive::open(&args.out, args.wait)?;
        let not_found = known(&args.out.join("manifest"), &args.batch, client)?;
        let recorded = HashSet::new();
        Ok(Self::new(
            ids,
            None,
            recorded,
            Some(archive),
            not_found,
            args.batch,
            ui,
        ))
    }

    fn new(
        ids: Vec<Uuid>,
        out: Option<Output>,
        recorded: HashSet<Uuid>,
        archive: Option<Archive>,
        not_found: NotFound,
        batch: BatchArgs,
        ui: &Ui,
    ) -> Self {
        let mut seen = HashSet::new();
        let is_done = |id: &Uuid| {
            (out.is_none() || recorded.contains(id))
                && archive.as_ref().is_none_or(|archive| archive.has(*id))
        };
        let (existing, missing): (Vec<_>, Vec<_>) = ids
            .into_iter()
            .filter(|id| seen.insert(*id))
            .partition(is_done);
        let (unknown, missing) = missing.into_iter().partition(|id| not_found.contains(*id));
        Self {
            missing,
            existing: existing.len(),
            unknown,
            not_found,
            out,
            recorded,
            archive: archive.map(Arc::new),
            jobs: limit_jobs(batch.jobs, ui),
            failed: batch.failed,
            give_up_after: batch.give_up_after,
            settle_time: None,
            log_every: batch.log_every,
            typed: false,
            fetched: Arc::default(),
        }
    }

    fn total(&self) -> usize {
        self.existing + self.unknown.len() + self.missing.len()
    }

    /// Returns the message for an interruption.
    pub(crate) fn interruption(&self) -> impl FnOnce() -> String + use<> {
        let (fetched, existing) = (Arc::clone(&self.fetched), self.existing);
        let total = self.total();
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
        let total = self.total();
        let bar = ui.bar(total, self.existing + self.unknown.len());
        let mut failures = Failures::default();
        for id in std::mem::take(&mut self.unknown) {
            failures.add_unknown(id);
        }
        if let (Some(path), true) = (self.not_found.path(), failures.count() > 0) {
            ui.warn(&format!(
                "not requesting what was not found before ({}); see {}, or use --retry-not-found",
                failures.count(),
                path.display()
            ));
        }
        let mut progress = Progress {
            bar,
            ids: total,
            already_there: self.existing,
            fetched: Arc::clone(&self.fetched),
            started: Instant::now(),
            last_line: Instant::now(),
            log_every: self.log_every,
        };
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
                    &mut progress,
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
        progress.bar.finish_and_clear();
        if let Some(out) = &mut self.out {
            out.finish(ui)?;
        }
        if let Some(archive) = &self.archive {
            archive.finish()?;
        }
        if let Some(path) = &self.failed {
            failures.write_ids(path)?;
        }
        let class = stop_class.or(failures.tally.class());
        failures.report(&progress, ui);
        if stop_class.is_some() {
            ui.note(crate::RESUME_HINT);
        }
        progress.end(&failures, class, ui);
        match class {
            None => Ok(()),
            Some(class) => Err(CommandError::AlreadyReported(class)),
        }
    }

    /// Fetches the remaining ids until all are done or the service fails. Removes those that are done.
    async fn fetch(
        &mut self,
        client: &Client,
        remaining: &mut Vec<Uuid>,
        mut after_outage: bool,
        failures: &mut Failures,
        progress: &mut Progress,
        ui: &Ui,
    ) -> Result<Pass, CommandError> {
        let outage_failures = self.jobs.get().max(OUTAGE_FAILURES);
        let mut done = HashSet::new();
        // Failures since the last response that shows that the service works.
        let mut consecutive: Vec<(Uuid, CliError)> = Vec::new();
        let (archive, typed) = (self.archive.clone(), self.typed);
        let settle_time = self.settle_time;
        let mut calls = client
            .get_calls(remaining.clone())
            .concurrency(self.jobs.get())
            // The ids are unique.
            .dedup_window(0)
            .unordered()
            .responses()
            .map(|(id, result)| {
                let result = ReceivedCall::new(id, result, typed);
                let result = result.and_then(|received| {
                    let settled = settle_time.map(|time| check_settled(&received.call, time));
                    settled.unwrap_or(Ok(())).map(|()| received)
                });
                save(id, result, client, archive.as_deref())
            })
            .buffer_unordered(self.jobs.get());
        let mut fatal = None;
        while let Some(fetched) = calls.next().await {
            let Fetched {
                id,
                result,
                is_recording,
            } = fetched;
            let class = result.as_ref().err().map(CliError::class);
            if is_recording && class == Some(ErrorClass::Failed) {
                // A file of the folder, which would fail for every call.
                result?;
                continue;
            }
            if class.is_some_and(|class| !is_specific_to_id(class, is_recording)) {
                consecutive.extend(result.err().map(|failure| (id, failure)));
                fatal =
                    class.filter(|class| matches!(class, ErrorClass::Refused | ErrorClass::Config));
                if fatal.is_some() || consecutive.len() >= outage_failures {
                    break;
                }
                continue;
            }
            // The last failures of an outage say nothing about their ids, which are fetched again.
            if after_outage {
                consecutive.clear();
                after_outage = false;
            }
            for (id, failure) in consecutive.drain(..) {
                done.insert(id);
                failures.add(id, failure, ui);
                progress.bar.inc(1);
            }
            done.insert(id);
            match result {
                Ok(call) => {
                    if let Some(out) = self.out.as_mut().filter(|_| !self.recorded.contains(&id)) {
                        out.write(&call)?;
                    }
                    self.fetched.fetch_add(1, Ordering::Relaxed);
                }
                Err(failure) => {
                    if !is_recording && failure.class() == ErrorClass::NotFound {
                        self.not_found.add(id)?;
                    }
                    failures.add(id, failure, ui);
                }
            }
            progress.advance(failures, ui);
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

/// Errors unless a call has ended, and either lacks nothing that services send later or ended long ago.
fn check_settled(call: &Call, settle_time: Duration) -> Result<(), CliError> {
    let Call { id, status, .. } = call;
    if !call.is_ended() {
        let message =
            format!("call {id} has not ended (status {status}); run the command again later");
        return Err(CliError::new(ErrorClass::Incomplete, message).for_call(*id));
    }
    let missing = LateProperty::missing_in(call);
    let ended = call.ended_at().map(SystemTime::from);
    let since = ended.and_then(|ended| SystemTime::now().duration_since(ended).ok());
    if missing.is_empty() || since.is_some_and(|since| since >= settle_time) {
        return Ok(());
    }
    let remedy = "run the command again later";
    Err(CliError::incomplete(call, &missing, remedy))
}

/// Saves the recording of a fetched call, if recordings are kept.
async fn save(
    id: Uuid,
    result: Result<ReceivedCall, CliError>,
    client: &Client,
    archive: Option<&Archive>,
) -> Fetched {
    let (Ok(received), Some(archive)) = (&result, archive) else {
        return Fetched {
            id,
            result,
            is_recording: false,
        };
    };
    let saved = archive.save(client, &received.call).await;
    Fetched {
        id,
        result: saved.and(result),
        is_recording: true,
    }
}

/// Reads the ids that are known not to exist, from the file beside an output.
fn known(out: &Path, batch: &BatchArgs, client: &Client) -> Result<NotFound, CliError> {
    let mut path = out.as_os_str().to_owned();
    path.push(".not-found");
    NotFound::load(
        path.into(),
        client.transport().base_url(),
        batch.retry_not_found,
    )
}

/// Returns true if a failure of this class is about one id, or about its recording, and shows that the service works.
fn is_specific_to_id(class: ErrorClass, is_recording: bool) -> bool {
    match is_recording {
        true => !matches!(
            class,
            ErrorClass::RateLimited | ErrorClass::Service | ErrorClass::Unreachable
        ),
        false => matches!(
            class,
            ErrorClass::NotFound
                | ErrorClass::InvalidRequest
                | ErrorClass::BadResponse
                | ErrorClass::Incomplete
        ),
    }
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
