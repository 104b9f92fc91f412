//! `doctor`: whether the service can be used from here.

use std::sync::Arc;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use call_api::chrono::{DateTime, Utc};
use call_api::{Call, Client, Drift, DriftMode, Error, ErrorKind, RequestOptions, Uuid, raw};
use serde::Serialize;

use crate::args::{Format, Settings};
use crate::config::Config;
use crate::failure::{Class, End, Failure, Tally, asked_for};
use crate::output::{self, Cell, clean};
use crate::ui::Ui;

/// How far the clocks may be apart, in seconds. Less is common, and harms nothing.
const CLOCKS_APART: i64 = 60;

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Failed,
    /// What came before it failed, or it was not asked for.
    Unknown,
}

#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    result: Verdict,
    message: String,
}

#[derive(Debug, Default)]
struct Checks {
    done: Vec<Check>,
    tally: Tally,
}

impl Checks {
    fn add(&mut self, check: &'static str, result: Verdict, message: impl Into<String>) {
        let message = message.into();
        self.done.push(Check {
            check,
            result,
            message,
        });
    }

    fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Verdict::Ok, message);
    }

    fn unknown(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Verdict::Unknown, message);
    }

    fn failed(&mut self, check: &'static str, failure: &Failure) {
        self.tally.add(failure.class());
        self.add(check, Verdict::Failed, failure.to_string());
    }

    fn print(&self, format: Format) -> std::io::Result<()> {
        if format != Format::Table {
            return output::document(format, &self.done);
        }
        output::table(&["CHECK", "RESULT", "MESSAGE"], self.done.iter().map(row))
    }
}

fn row(check: &Check) -> [Cell; 3] {
    let (result, style) = match check.result {
        Verdict::Ok => ("ok", AnsiColor::Green.on_default()),
        Verdict::Failed => ("failed", AnsiColor::Red.on_default()),
        Verdict::Unknown => ("unknown", AnsiColor::Yellow.on_default()),
    };
    [
        (check.check.to_owned(), Style::new()),
        (result.to_owned(), style),
        (clean(&check.message), Style::new()),
    ]
}

pub(crate) async fn run(
    settings: &Settings,
    id: Option<Uuid>,
    output: Option<Format>,
    ui: &Arc<Ui>,
) -> Result<(), End> {
    let mut checks = Checks::default();
    match client(settings, ui) {
        Ok((client, message)) => {
            checks.ok("settings", message);
            ask(&client, id, &mut checks).await;
        }
        Err(failure) => {
            checks.failed("settings", &failure);
            for check in ["service", "token", "clock", "document"] {
                checks.unknown(check, "nobody was asked");
            }
        }
    }
    checks.print(Format::or_default(output))?;
    checks.tally.end()
}

fn client(settings: &Settings, ui: &Arc<Ui>) -> Result<(Client, String), Failure> {
    let mut config = Config::load(settings)?;
    let client = crate::builder(&mut config, settings, ui)?
        .drift(DriftMode::Watch)
        .build()?;
    Ok((client, config.places()))
}

async fn ask(client: &Client, id: Option<Uuid>, checks: &mut Checks) {
    // Without an id it is asked for a call that can't be: a 404 is what it should say.
    let result = client.get_call(id.unwrap_or_default()).with_meta().await;
    let (result, attempt_log) = match result {
        Ok(response) => (Ok(response.value), Some(response.attempt_log)),
        Err(error) => {
            let attempt_log = error.attempt_log().cloned();
            (Err(error), attempt_log)
        }
    };
    let last = attempt_log
        .as_ref()
        .and_then(|attempt_log| attempt_log.attempts().last());
    match (&result, &attempt_log, last) {
        (Err(error), ..) if error.status().is_none() || error.kind() == ErrorKind::Server => {
            checks.failed("service", &error.into());
        }
        (_, Some(attempt_log), Some(last)) => checks.ok(
            "service",
            format!(
                "{} answers in {} ms",
                attempt_log.host(),
                last.elapsed.as_millis()
            ),
        ),
        _ => checks.unknown("service", "nothing was sent"),
    }
    if result.as_ref().is_err_and(|error| error.status().is_none()) {
        for check in ["token", "clock", "document"] {
            checks.unknown(check, "the service did not answer");
        }
        return;
    }
    token(&result, id, checks);
    clock(client, id, checks).await;
    document(result, &client.drifts(), id, checks);
}

fn token(result: &Result<Call, Error>, id: Option<Uuid>, checks: &mut Checks) {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Forbidden) => {
            checks.failed("token", &error.into());
        }
        Err(error) if error.kind() == ErrorKind::NotFound && id.is_none() => {
            checks.ok("token", "it is not refused");
        }
        Ok(_) => checks.ok("token", "it is accepted"),
        Err(_) => checks.unknown("token", "the answer doesn't tell"),
    }
}

/// Compares this machine's clock with the `Date` of an answer.
async fn clock(client: &Client, id: Option<Uuid>, checks: &mut Checks) {
    let once = RequestOptions::new().max_attempts(1);
    let (transport, recording) = client.raw().transport().with_options(once).recorded();
    // Whatever it says, it says when.
    let _ = raw::Client::new(transport)
        .get_call()
        .id(id.unwrap_or_default())
        .send()
        .await;
    let now = DateTime::<Utc>::from(SystemTime::now());
    let date = recording.take().and_then(|exchange| {
        let date = exchange.headers.get("date")?.to_str().ok()?.to_owned();
        DateTime::parse_from_rfc2822(&date).ok()
    });
    let Some(date) = date else {
        return checks.unknown("clock", "the service doesn't say what time it has");
    };
    let apart = now.signed_duration_since(date).num_seconds();
    if apart.abs() <= CLOCKS_APART {
        return checks.ok(
            "clock",
            format!("it agrees with the service's within {CLOCKS_APART} s"),
        );
    }
    let direction = if apart > 0 { "ahead of" } else { "behind" };
    checks.failed(
        "clock",
        &Failure::new(
            Class::Failed,
            format!(
                "this machine's clock is {} s {direction} the service's; set it, best by NTP",
                apart.abs()
            ),
        ),
    );
}

/// Whether the call that was asked for is what the API's document says.
fn document(
    result: Result<Call, Error>,
    drifts: &[(Drift, u64)],
    id: Option<Uuid>,
    checks: &mut Checks,
) {
    let Some(id) = id else {
        return checks.unknown("document", "give the id of a call to check one");
    };
    match asked_for(id, result) {
        Ok(_) if drifts.is_empty() => checks.ok("document", "the call is what it says"),
        Ok(_) => {
            let drifts: Vec<_> = drifts.iter().map(|(drift, _)| drift.to_string()).collect();
            let message = format!("{}; update this program", drifts.join("; "));
            checks.failed("document", &Failure::new(Class::BadResponse, message));
        }
        Err(failure) => match failure.class() {
            Class::BadResponse | Class::NotFound => checks.failed("document", &failure),
            _ => checks.unknown("document", "there was no call to check"),
        },
    }
}
