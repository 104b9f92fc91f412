//! `sync`: fetches many calls into a file, their recordings into an archive, or both, and resumes after an interruption.
//!
//! The output is the only state: a call is done when its complete record is in the file, which is after its recording is in
//! the archive. A crash therefore loses no call and duplicates none. At worst the last record is incomplete; the next run
//! removes it.

mod pass;

use std::collections::HashSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use call_api::{Call, Client, LateProperty, Uuid};
use futures_util::{Stream, StreamExt as _};
use indicatif::HumanCount;

use crate::archive::Archive;
use crate::args::{BatchArgs, RecordingArgs, SyncArgs};
use crate::config::Network;
use crate::error::{CliError, CommandError, ErrorClass};
use crate::input;
use crate::not_found::NotFound;
use crate::progress::{Failures, Progress};
use crate::received::ReceivedCall;
use crate::records::Output;
use crate::ui::Ui;
use pass::{Pass, PassEnd, is_specific_to_id};

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
    /// The recordings.
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

impl Sync {
    /// Reads the ids and the existing records.
    pub(crate) fn prepare(
        args: SyncArgs,
        client: &Client,
        network: &Network,
        ui: &Ui,
    ) -> Result<Self, CommandError> {
        check_failed(&args.batch, &[&args.ids, &args.out])?;
        let ids = crate::ids::read(&args.ids, args.batch.skip_invalid, ui)?;
        let (out, recorded) = Output::open(&args.out, args.format, args.fields)?;
        let give_up_after = args.batch.give_up_after;
        let open = |place| Archive::open(place, args.recording_wait, give_up_after, network);
        let archive = args.recordings.as_ref().map(open).transpose()?;
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
        args: RecordingArgs,
        client: &Client,
        network: &Network,
        ui: &Ui,
    ) -> Result<Self, CommandError> {
        if args.out.path().is_some_and(input::is_dash) {
            let message = "--ids needs a folder in --out, not standard output";
            return Err(CliError::usage(message).into());
        }
        if args.force {
            let message = "--force does not apply to an archive, which keeps each recording once";
            return Err(CliError::usage(message).into());
        }
        let inputs: Vec<&Path> = args.ids.iter().map(PathBuf::as_path).collect();
        check_failed(&args.batch, &inputs)?;
        let ids = match &args.ids {
            Some(ids) => crate::ids::read(ids, args.batch.skip_invalid, ui)?,
            None => args.id.iter().copied().collect(),
        };
        let archive = Archive::open(&args.out, args.wait, args.batch.give_up_after, network)?;
        // A single call is requested again, as it may be there now.
        let not_found = match args.ids {
            Some(_) => known(&archive.state_path(), &args.batch, client)?,
            None => NotFound::default(),
        };
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
            jobs: limit_jobs(batch.jobs.try_into().unwrap_or(NonZeroUsize::MAX), ui),
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
        let mut progress = self.progress(ui);
        let stop_class = self.fetch_all(client, &mut progress, ui).await?;
        progress.bar.finish_and_clear();
        if let Some(out) = &self.out {
            out.finish(ui)?;
        }
        if let Some(archive) = &self.archive {
            archive.finish()?;
        }
        if let Some(path) = &self.failed {
            progress.failures.write_ids(path)?;
        }
        let class = stop_class.or(progress.failures.tally.class());
        progress.report(ui);
        if stop_class.is_some() {
            ui.note(crate::RESUME_HINT);
        }
        progress.end(class, ui);
        match class {
            None => Ok(()),
            Some(class) => Err(CommandError::AlreadyReported(class)),
        }
    }

    /// Returns the progress before the first request, with the ids that are not requested.
    fn progress(&mut self, ui: &Ui) -> Progress {
        let total = self.total();
        let mut progress = Progress {
            bar: ui.bar(total, self.existing + self.unknown.len()),
            ids: total,
            already_there: self.existing,
            fetched: Arc::clone(&self.fetched),
            failures: Failures::default(),
            started: Instant::now(),
            last_line: Instant::now(),
            log_every: self.log_every,
        };
        for id in std::mem::take(&mut self.unknown) {
            progress.failures.add_unknown(id);
        }
        let count = progress.failures.count();
        if let (Some(path), true) = (self.not_found.path(), count > 0) {
            ui.warn(&format!(
                "not requesting what was not found before ({count}); see {}, or use --retry-not-found",
                path.display()
            ));
        }
        progress
    }

    /// Fetches the missing calls in passes, with delays in an outage. Returns the reason why it stopped early.
    async fn fetch_all(
        &mut self,
        client: &Client,
        progress: &mut Progress,
        ui: &Ui,
    ) -> Result<Option<ErrorClass>, CommandError> {
        let mut remaining = std::mem::take(&mut self.missing);
        let mut last_response = Instant::now();
        let mut delay = Duration::from_secs(1);
        let mut after_outage = false;
        loop {
            let before = remaining.len();
            let pass = Pass::new(self.jobs.get(), after_outage);
            let end = self
                .fetch(client, &mut remaining, pass, progress, ui)
                .await?;
            if remaining.len() < before {
                last_response = Instant::now();
                delay = Duration::from_secs(1);
            }
            let outage = match end {
                PassEnd::Complete if remaining.is_empty() => return Ok(None),
                PassEnd::Complete => {
                    after_outage = false;
                    continue;
                }
                PassEnd::Fatal(class) => return Ok(Some(class)),
                PassEnd::Outage(outage) => outage,
            };
            after_outage = true;
            let left = self.give_up_after.saturating_sub(last_response.elapsed());
            let last = outage.last().map(|(_, failure)| failure);
            if left.is_zero() {
                let class = last.map(CliError::class);
                for (id, failure) in outage {
                    progress.failures.add(id, failure, ui);
                }
                return Ok(class);
            }
            if let Some(failure) = last {
                ui.warn(&format!(
                    "retrying for {:.0} s: {failure}",
                    left.as_secs_f64()
                ));
            }
            tokio::time::sleep(delay.min(left)).await;
            delay = (delay * 2).min(MAX_DELAY);
        }
    }

    /// Fetches the remaining ids until all are done or the service fails. Removes those that are done.
    async fn fetch(
        &mut self,
        client: &Client,
        remaining: &mut Vec<Uuid>,
        mut pass: Pass,
        progress: &mut Progress,
        ui: &Ui,
    ) -> Result<PassEnd, CommandError> {
        let mut done = HashSet::new();
        let begun = Arc::new(AtomicUsize::new(0));
        let mut calls = self.requests(client, remaining.clone(), Arc::clone(&begun));
        while let Some(fetched) = calls.next().await {
            let Fetched {
                id,
                result,
                is_recording,
            } = fetched;
            let result = match result {
                // A file, or the bucket, which would fail for every call.
                Err(failure) if is_recording && failure.class() == ErrorClass::Failed => {
                    return Err(failure.into());
                }
                Err(failure) if !is_specific_to_id(failure.class(), is_recording) => {
                    if pass.fail(id, failure) {
                        break;
                    }
                    continue;
                }
                result => result,
            };
            for (id, failure) in pass.succeed(&remaining[..begun.load(Ordering::Relaxed)]) {
                done.insert(id);
                progress.failures.add(id, failure, ui);
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
                    progress.failures.add(id, failure, ui);
                }
            }
            progress.advance(ui);
        }
        drop(calls);
        let (end, failures) = pass.end();
        for (id, failure) in failures {
            done.insert(id);
            progress.failures.add(id, failure, ui);
        }
        remaining.retain(|id| !done.contains(id));
        Ok(end)
    }

    /// Returns the results of ids as they arrive. Counts the requests that have begun, in the order of the ids.
    fn requests<'a>(
        &self,
        client: &'a Client,
        ids: Vec<Uuid>,
        begun: Arc<AtomicUsize>,
    ) -> impl Stream<Item = Fetched> + Unpin + use<'a> {
        let (archive, typed, settle_time) = (self.archive.clone(), self.typed, self.settle_time);
        let ids = ids.into_iter().inspect(move |_| {
            begun.fetch_add(1, Ordering::Relaxed);
        });
        client
            .get_calls(ids)
            .concurrency(self.jobs.get())
            // The ids are unique.
            .dedup_window(0)
            .unordered()
            .responses()
            .map(move |(id, result)| {
                let result = ReceivedCall::new(id, result, typed);
                let result = result.and_then(|received| {
                    let settled = settle_time.map(|time| check_settled(&received.call, time));
                    settled.unwrap_or(Ok(())).map(|()| received)
                });
                save(id, result, client, archive.clone())
            })
            .buffer_unordered(self.jobs.get())
    }
}

/// Errors if the file for the ids that failed is one of the other files, or was not written by an earlier run.
fn check_failed(batch: &BatchArgs, others: &[&Path]) -> Result<(), CliError> {
    let Some(failed) = batch.failed.as_deref() else {
        return Ok(());
    };
    if others.contains(&failed) {
        let message = "--failed would replace the file of --ids or --out; use another file";
        return Err(CliError::usage(message));
    }
    let is_file = fs::metadata(failed).is_ok_and(|metadata| metadata.is_file());
    if is_file && !crate::ids::is_list(failed) {
        let message = format!(
            "--failed would replace {}, which is not a list of ids; use another file",
            failed.display()
        );
        return Err(CliError::usage(message));
    }
    Ok(())
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
    archive: Option<Arc<Archive>>,
) -> Fetched {
    let (Ok(received), Some(archive)) = (&result, &archive) else {
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
