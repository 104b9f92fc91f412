//! `wait` and `watch`: follow calls until they end.

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use call_api::{Call, Change, Client, Error, ErrorKind, Updates, Uuid};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use indicatif::ProgressBar;

use crate::args::{DisplayArgs, Format, PollArgs, WaitArgs};
use crate::error::{CliError, CommandError, ErrorClass, ErrorTally};
use crate::json;
use crate::output::{self, CallPrinter};
use crate::process::terminal_width;
use crate::received::ReceivedCall;
use crate::stdout::{print_line, stdout};
use crate::ui::Ui;

/// The columns from which `watch` shows the date beside the time.
const WIDE: usize = 80;

/// The most calls to wait for at a time: each is polled at least every half minute.
const MAX_CALLS: usize = 1000;

/// The outcome of waiting for a call.
struct Waited {
    /// The last state, if it is worth printing.
    call: Option<ReceivedCall>,
    failure: Option<CliError>,
}

/// Waits until all calls or any of them have ended, and prints them.
pub(crate) async fn wait(
    client: &Client,
    mut ids: Vec<Uuid>,
    is_list: bool,
    args: WaitArgs,
    ui: &Arc<Ui>,
) -> Result<(), CommandError> {
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(*id));
    if ids.len() > MAX_CALLS {
        let message = format!(
            "cannot wait for {} calls at a time, only for {MAX_CALLS}; divide the ids",
            ids.len()
        );
        return Err(CliError::usage(message).into());
    }
    let line = ui.spinner();
    let retries = Retries::new(ui);
    let waits = ids.iter().map(|id| {
        let line = (!is_list).then(|| line.clone());
        wait_for(client, *id, &args, line, &retries, ui)
    });
    let mut waits: FuturesUnordered<_> = waits.collect();
    let mut calls = CallPrinter::new(args.display, is_list, args.fields.clone());
    let mut tally = ErrorTally::default();
    // Reported after the calls, or with --any not at all if one ends.
    let mut failures = Vec::new();
    let (total, mut ended) = (ids.len(), 0);
    while let Some(Waited { call, failure }) = waits.next().await {
        match (call, failure) {
            (Some(call), None) if args.any => {
                line.finish_and_clear();
                for failure in failures {
                    ui.warn(&CliError::to_string(&failure));
                }
                let mut calls = CallPrinter::new(args.display, false, args.fields.clone());
                calls.add(call)?;
                return Ok(calls.finish(ui)?);
            }
            (call, failure) => {
                ended += usize::from(failure.is_none());
                if let Some(call) = call {
                    calls.add(call)?;
                }
                match failure {
                    Some(failure) if is_list && !args.any => {
                        tally.add(failure.class());
                        ui.error(&failure);
                    }
                    failure => failures.extend(failure),
                }
            }
        }
        if is_list {
            line.set_message(format!("{ended} of {total} ended"));
        }
    }
    line.finish_and_clear();
    calls.sort_by_ids(&ids);
    calls.finish(ui)?;
    for failure in failures {
        tally.add(failure.class());
        ui.error(&failure);
    }
    tally.end()
}

/// Waits until a call has ended or is settled. Shows its changes in `line`.
async fn wait_for(
    client: &Client,
    id: Uuid,
    args: &WaitArgs,
    line: Option<ProgressBar>,
    retries: &Retries,
    ui: &Arc<Ui>,
) -> Waited {
    let display = args.display;
    let text_ui = Arc::clone(ui);
    let last_body = Arc::new(Mutex::new(Vec::new()));
    let body_of_change = Arc::clone(&last_body);
    let on_change = move |change: &Change| {
        *lock(&body_of_change) = change.body.to_vec();
        if let Some(line) = &line {
            line.set_message(text_ui.colored(&output::summary_line(&change.call, display)));
        }
    };
    let PollArgs { timeout, grace, .. } = args.poll;
    let schedule = args.poll.schedule();
    let result = match args.settled {
        false => {
            let wait = client.wait_until_ended(id);
            let wait = wait.deadline(timeout).grace(grace).poll_schedule(schedule);
            let wait = wait.on_change(on_change).on_failure(retries.callback());
            wait.await.map(|call| (call, None))
        }
        true => {
            let wait = client.wait_until_settled(id).settle_time(args.settle_time);
            let wait = wait.deadline(timeout).grace(grace).poll_schedule(schedule);
            let wait = wait.on_change(on_change).on_failure(retries.callback());
            wait.await.map(|settled| {
                let remedy = "use a longer --settle-time, or fetch it later";
                let failure = (!settled.is_complete())
                    .then(|| CliError::incomplete(&settled.call, &settled.missing, remedy));
                (settled.call, failure)
            })
        }
    };
    let received = |call| ReceivedCall::with_body(call, &lock(&last_body), args.typed);
    match result {
        Ok((call, failure)) => Waited {
            call: Some(received(call)),
            failure,
        },
        Err(error) => {
            // After a timeout the last state is still useful.
            let is_timeout = error.kind() == ErrorKind::Timeout;
            let call = error.last_seen::<Call>().filter(|_| is_timeout).cloned();
            let failure = match &call {
                Some(call) => still(call, timeout),
                None => error.into(),
            };
            Waited {
                call: call.map(received),
                failure: Some(failure.for_call(id)),
            }
        }
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error for a call that has not ended, or not settled, in time.
fn still(call: &Call, timeout: Duration) -> CliError {
    let (id, status) = (call.id, &call.status);
    let after = humantime::format_duration(timeout);
    let message = format!("call {id} is still {status} after {after}; use a longer --timeout");
    CliError::new(ErrorClass::Timeout, message)
}

/// Prints each change of a call: on a terminal in one line that is updated, elsewhere one line each.
pub(crate) async fn watch(
    client: &Client,
    id: Uuid,
    typed: bool,
    args: PollArgs,
    display: DisplayArgs,
    ui: &Arc<Ui>,
) -> Result<(), CommandError> {
    let format = Format::or_default(display.output);
    let line = match format {
        Format::Table => ui.spinner(),
        _ => ProgressBar::hidden(),
    };
    let mut updates = start_updates(client, id, args, ui);
    let mut last = None;
    while let Some(change) = next_update(&mut updates, id).await {
        let change = match change {
            Ok(change) => change,
            Err(failure) => {
                line.finish_and_clear();
                last.map(print_line).transpose()?;
                return Err(failure.into());
            }
        };
        if let Some(transition) = change.invalid_transition() {
            ui.warn(&transition.to_string());
        }
        match format {
            Format::Table => {
                let columns = terminal_width(std::io::stderr()).unwrap_or(usize::MAX);
                let now = match columns < WIDE {
                    true => output::time_of_day(SystemTime::now().into(), display),
                    false => output::time(SystemTime::now().into(), display),
                };
                let text = format!("{now}  {}", output::summary_line(&change.call, display));
                if line.is_hidden() {
                    print_line(text)?;
                } else {
                    line.set_message(ui.colored(&text));
                    last = Some(text);
                }
            }
            Format::Yaml => {
                stdout().write_all(b"---\n")?;
                output::print_value(format, &change.call)?;
            }
            Format::Json | Format::Jsonl => {
                let call = ReceivedCall::with_body(change.call, &change.body, typed);
                print_line(json::compact(&call.json()?))?;
            }
        }
    }
    line.finish_and_clear();
    last.map(print_line).transpose()?;
    Ok(())
}

/// Starts polling a call.
fn start_updates(client: &Client, id: Uuid, args: PollArgs, ui: &Arc<Ui>) -> Updates {
    let wait = client
        .wait_until_ended(id)
        .deadline(args.timeout)
        .grace(args.grace)
        .poll_schedule(args.schedule());
    wait.on_failure(Retries::new(ui).callback()).updates()
}

/// Reports failed polls; consecutive ones of one kind once, also if they are of several calls.
struct Retries {
    ui: Arc<Ui>,
    last_kind: Arc<Mutex<Option<ErrorKind>>>,
}

impl Retries {
    fn new(ui: &Arc<Ui>) -> Self {
        Self {
            ui: Arc::clone(ui),
            last_kind: Arc::default(),
        }
    }

    fn callback(&self) -> impl FnMut(&Error) + Send + use<> {
        let (ui, last_kind) = (Arc::clone(&self.ui), Arc::clone(&self.last_kind));
        move |error| {
            let previous = lock(&last_kind).replace(error.kind());
            if previous != Some(error.kind()) {
                ui.warn(&format!("retrying: {}", CliError::from(error)));
            }
        }
    }
}

/// Returns the next change.
async fn next_update(updates: &mut Updates, id: Uuid) -> Option<Result<Change, CliError>> {
    let change = updates.next().await?;
    Some(change.map_err(|error| CliError::from(error).for_call(id)))
}
