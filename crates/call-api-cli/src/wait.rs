//! `wait` and `watch`: follow a call until it ends.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use call_api::{Change, Client, ErrorKind, PollSchedule, Updates, Uuid};
use indicatif::ProgressBar;

use crate::args::{DisplayArgs, Format, WaitArgs};
use crate::error::{CliError, CommandError, ErrorClass};
use crate::output::{self, CallPrinter};
use crate::process::terminal_width;
use crate::ui::Ui;

/// The columns from which `watch` shows the date beside the time.
const WIDE: usize = 80;

/// Waits until a call has ended and prints it.
pub(crate) async fn wait(
    client: &Client,
    id: Uuid,
    args: WaitArgs,
    display: DisplayArgs,
    ui: &Arc<Ui>,
) -> Result<(), CommandError> {
    let line = ui.spinner();
    let mut updates = start_updates(client, id, args, ui);
    let mut last = None;
    let result = loop {
        match next_update(&mut updates, id).await {
            None => break Ok(()),
            Some(Err(failure)) => break Err(failure),
            Some(Ok(change)) => {
                line.set_message(ui.colored(&output::summary_line(&change.call, display)));
                last = Some(change.call);
            }
        }
    };
    line.finish_and_clear();
    let is_timeout = |failure: &CliError| failure.class() == ErrorClass::Timeout;
    let Some(call) = last.filter(|_| result.as_ref().err().is_none_or(is_timeout)) else {
        return Ok(result?);
    };
    let status = call.status.clone();
    // After a timeout the last state is still useful.
    let mut calls = CallPrinter::new(display, false);
    calls.add(call)?;
    calls.finish()?;
    result.map_err(|failure| {
        let after = humantime::format_duration(args.timeout);
        let message = format!("call {id} is still {status} after {after}; use a longer --timeout");
        match is_timeout(&failure) {
            true => CliError::new(ErrorClass::Timeout, message)
                .for_call(id)
                .into(),
            false => failure.into(),
        }
    })
}

/// Prints each change of a call: on a terminal in one line that is updated, elsewhere one line each.
pub(crate) async fn watch(
    client: &Client,
    id: Uuid,
    args: WaitArgs,
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
                last.map(output::print_line).transpose()?;
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
                    output::print_line(text)?;
                } else {
                    line.set_message(ui.colored(&text));
                    last = Some(text);
                }
            }
            Format::Yaml => {
                output::stdout().write_all(b"---\n")?;
                output::print_value(format, &change.call)?;
            }
            Format::Json | Format::Jsonl => output::print_value(Format::Jsonl, &change.call)?,
        }
    }
    line.finish_and_clear();
    last.map(output::print_line).transpose()?;
    Ok(())
}

/// Starts polling a call. Consecutive failures of one kind are reported once.
fn start_updates(client: &Client, id: Uuid, args: WaitArgs, ui: &Arc<Ui>) -> Updates {
    let mut wait = client
        .wait_until_ended(id)
        .deadline(args.timeout)
        .grace(args.grace);
    if let Some(every) = args.every {
        wait = wait.poll_schedule(PollSchedule::every(every));
    }
    let ui = Arc::clone(ui);
    let last_kind: Mutex<Option<ErrorKind>> = Mutex::default();
    wait.on_failure(move |error| {
        let previous = last_kind
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(error.kind());
        if previous != Some(error.kind()) {
            ui.warn(&format!("retrying: {}", CliError::from(error)));
        }
    })
    .updates()
}

/// Returns the next change.
async fn next_update(updates: &mut Updates, id: Uuid) -> Option<Result<Change, CliError>> {
    let change = updates.next().await?;
    Some(change.map_err(|error| CliError::from(error).for_call(id)))
}
