//! `wait` and `watch`: a call on its way to its end.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use call_api::{Cadence, Change, Client, ErrorKind, Updates, Uuid};
use clap::Args;
use indicatif::ProgressBar;

use crate::args::{Format, Look};
use crate::failure::{Class, End, Failure, is_asked_for};
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
    let mut updates = waiting(client, id, patience, ui);
    let mut last = None;
    let result = loop {
        match next(&mut updates, id).await {
            None => break Ok(()),
            Some(Err(failure)) => break Err(failure),
            Some(Ok(change)) => {
                line.set_message(ui.colored(&output::line(&change.call, look)));
                last = Some(change.call);
            }
        }
    };
    line.finish_and_clear();
    // The last state is of use to those who stop waiting.
    let is_shown = |failure: &Failure| failure.class() == Class::Timeout;
    if let Some(call) = last.filter(|_| result.as_ref().err().is_none_or(is_shown)) {
        let mut calls = Calls::new(look, false);
        calls.add(call)?;
        calls.finish()?;
    }
    Ok(result?)
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
    let mut updates = waiting(client, id, patience, ui);
    let mut last = None;
    while let Some(change) = next(&mut updates, id).await {
        let change = match change {
            Ok(change) => change,
            Err(failure) => {
                line.finish_and_clear();
                last.map(output::text).transpose()?;
                return Err(failure.into());
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
fn waiting(client: &Client, id: Uuid, patience: Patience, ui: &Arc<Ui>) -> Updates {
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
            ui.warn(&format!("looking again: {}", Failure::from(error)));
        }
    })
    .updates()
}

/// The call as it changed, if it is the one that was asked for.
async fn next(updates: &mut Updates, id: Uuid) -> Option<Result<Change, Failure>> {
    let change = updates.next().await?;
    let change = change.map_err(|error| Failure::from(error).of_call(id));
    Some(change.and_then(|change| is_asked_for(id, &change.call).map(|()| change)))
}
