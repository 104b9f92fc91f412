//! `wait` and `watch`: a call on its way to its end.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use call_api::{Cadence, Client, ErrorKind, Uuid, WaitUntilEnded};
use clap::Args;
use indicatif::ProgressBar;

use crate::args::{Format, Look};
use crate::failure::{End, Failure};
use crate::output::{self, Calls};
use crate::ui::Ui;

/// How long to wait, and how often to look.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Waiting")]
pub(crate) struct Patience {
    /// Give up after this time
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Take a 404 for a call that isn't there yet, for this time
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    grace: Duration,
    /// Look this often [default: often while dialing, then less and less]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    every: Option<Duration>,
}

/// Waits for the end of a call, and prints the call.
pub(crate) async fn wait(
    client: &Client,
    id: Uuid,
    patience: Patience,
    look: Look,
    ui: &Arc<Ui>,
) -> Result<(), End> {
    let line = ui.live_line();
    let (shown, on) = (line.clone(), Arc::clone(ui));
    let result = waiting(client, id, patience, ui)
        .on_change(move |change| shown.set_message(on.colored(&output::line(&change.call, look))))
        .await;
    line.finish_and_clear();
    let mut calls = Calls::new(look, false);
    match result {
        Ok(call) => calls.add(call)?,
        Err(error) => {
            // The last state is of use to those who stop waiting.
            if let Some(call) = error.last_call().filter(|_| error.is_timeout()) {
                calls.add(call.clone())?;
                calls.finish()?;
            }
            return Err(Failure::from(error).of_call(id).into());
        }
    }
    Ok(calls.finish()?)
}

/// Prints each change of a call: on a terminal in place of the one before, elsewhere below it.
pub(crate) async fn watch(
    client: &Client,
    id: Uuid,
    patience: Patience,
    look: Look,
    ui: &Arc<Ui>,
) -> Result<(), End> {
    let format = Format::or_default(look.output);
    let line = match format {
        Format::Table => ui.live_line(),
        _ => ProgressBar::hidden(),
    };
    let mut updates = waiting(client, id, patience, ui).updates();
    let mut last = None;
    while let Some(change) = updates.next().await {
        let change = match change {
            Ok(change) => change,
            Err(error) => {
                line.finish_and_clear();
                last.map(output::text).transpose()?;
                return Err(Failure::from(error).of_call(id).into());
            }
        };
        if let Some(step) = change.impossible_step() {
            ui.warn(&step.to_string());
        }
        match format {
            Format::Table => {
                let now = output::time(SystemTime::now().into(), look);
                let text = format!("{now}  {}", output::line(&change.call, look));
                if line.is_hidden() {
                    output::text(text)?;
                } else {
                    line.set_message(ui.colored(&text));
                    last = Some(text);
                }
            }
            Format::Yaml => {
                output::stdout().write_all(b"---\n")?;
                output::document(format, &change.call)?;
            }
            Format::Json | Format::Jsonl => output::document(Format::Jsonl, &change.call)?,
        }
    }
    line.finish_and_clear();
    last.map(output::text).transpose()?;
    Ok(())
}

/// The wait of both. What goes wrong meanwhile is said once, not at each look.
fn waiting(client: &Client, id: Uuid, patience: Patience, ui: &Arc<Ui>) -> WaitUntilEnded {
    let mut wait = client
        .wait_until_ended(id)
        .deadline(patience.timeout)
        .grace(patience.grace);
    if let Some(every) = patience.every {
        wait = wait.cadence(Cadence::every(every));
    }
    let ui = Arc::clone(ui);
    let said: Mutex<Option<ErrorKind>> = Mutex::default();
    wait.on_failure(move |error| {
        let before = said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(error.kind());
        if before != Some(error.kind()) {
            ui.warn(&format!("looking again: {error}"));
        }
    })
}
