//! `doctor`: checks the settings and the service.

use std::sync::Arc;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use call_api::builder::GetCall;
use call_api::chrono::{DateTime, Utc};
use call_api::{Call, Client, Detail, Drift, DriftMode, Error, ErrorKind, Uuid};
use serde::Serialize;

use crate::args::Format;
use crate::config::Config;
use crate::error::{CliError, CommandError, ErrorClass, ErrorTally};
use crate::escape::escape_control;
use crate::output::{self, Cell};
use crate::settings::Settings;
use crate::ui::Ui;

/// The maximum clock skew, in seconds. Smaller differences are common and harmless.
const MAX_CLOCK_SKEW: i64 = 60;

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum CheckResult {
    Ok,
    Failed,
    /// An earlier check failed, or the response does not prove it.
    NotVerified,
}

#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    result: CheckResult,
    message: String,
}

#[derive(Debug, Default)]
struct Checks {
    done: Vec<Check>,
    tally: ErrorTally,
}

impl Checks {
    fn add(&mut self, check: &'static str, result: CheckResult, message: impl Into<String>) {
        let message = message.into();
        self.done.push(Check {
            check,
            result,
            message,
        });
    }

    fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, CheckResult::Ok, message);
    }

    fn not_verified(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, CheckResult::NotVerified, message);
    }

    fn failed(&mut self, check: &'static str, failure: &CliError) {
        self.tally.add(failure.class());
        self.add(check, CheckResult::Failed, failure.to_string());
    }

    fn print(&self, format: Format) -> std::io::Result<()> {
        if format != Format::Table {
            return output::print_value(format, &self.done);
        }
        output::table(&["CHECK", "RESULT", "MESSAGE"], self.done.iter().map(row))
    }
}

fn row(check: &Check) -> [Cell; 3] {
    let (result, style) = match check.result {
        CheckResult::Ok => ("ok", AnsiColor::Green.on_default()),
        CheckResult::Failed => ("failed", AnsiColor::Red.on_default()),
        CheckResult::NotVerified => ("not verified", AnsiColor::Yellow.on_default()),
    };
    [
        (check.check.to_owned(), Style::new()),
        (result.to_owned(), style),
        (escape_control(&check.message), Style::new()),
    ]
}

pub(crate) async fn run(
    settings: &Settings,
    id: Option<Uuid>,
    output: Option<Format>,
    ui: &Arc<Ui>,
) -> Result<(), CommandError> {
    let mut checks = Checks::default();
    match client(settings, ui) {
        Ok((client, message)) => {
            checks.ok("settings", message);
            check_service(&client, id, &mut checks).await;
        }
        Err(failure) => {
            checks.failed("settings", &failure);
            for check in ["service", "token", "clock", "document"] {
                checks.not_verified(check, "not checked");
            }
        }
    }
    checks.print(Format::or_default(output))?;
    checks.tally.end()
}

fn client(settings: &Settings, ui: &Arc<Ui>) -> Result<(Client, String), CliError> {
    let mut config = Config::load(settings)?;
    let client = crate::builder(&mut config, settings, ui)?
        .drift(DriftMode::Watch)
        .build()?;
    Ok((client, config.sources()))
}

async fn check_service(client: &Client, id: Option<Uuid>, checks: &mut Checks) {
    // Without an id, a nil id is requested; the expected response is a 404.
    let result = client.get_call(id.unwrap_or_default()).send().await;
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
    let responded = match (&attempt_log, last) {
        (Some(attempt_log), Some(last)) => format!(
            "{} responded in {} ms",
            attempt_log.host(),
            last.elapsed.as_millis()
        ),
        _ => "no request was sent".to_owned(),
    };
    match result.as_ref().err().and_then(not_the_service) {
        Some(failure) => checks.failed("service", &failure),
        None => checks.ok("service", responded),
    }
    if result.as_ref().is_err_and(|error| error.status().is_none()) {
        for check in ["token", "clock", "document"] {
            checks.not_verified(check, "the service did not respond");
        }
        return;
    }
    token(&result, id, checks);
    clock(client, id, checks).await;
    document(result, &client.drifts(), id, checks);
}

/// Returns true if the body has FastAPI's `detail`. A gateway has a `message` instead.
fn has_detail(error: &Error) -> bool {
    let body = serde_json::from_slice::<serde_json::Value>(error.raw_body());
    body.is_ok_and(|body| body.get("detail").is_some())
}

/// Returns the reason an error does not come from the service, if it does not.
fn not_the_service(error: &Error) -> Option<CliError> {
    let (Some(status), false) = (error.status(), error.kind() == ErrorKind::Server) else {
        return Some(error.into());
    };
    let message = match error.detail() {
        // FastAPI's response to a path that it does not have, whereas an unknown call is another message.
        Some(Detail::Message(text)) if status == 404 && text == "Not Found" => {
            "the service has no such path; the base URL must be what precedes /v1/call"
        }
        Some(Detail::Message(_) | Detail::Fields(_)) if has_detail(error) => return None,
        // The body that the document describes for the status.
        _ if error.body::<GetCall>().is_some() => return None,
        // A call, although another one: the check of the document reports it.
        _ if error.kind() == ErrorKind::UnexpectedId => return None,
        // A success that does not decode: the check of the document reports it if the rest matches.
        _ if error.kind() == ErrorKind::Decode
            && error.json_path().is_some_and(|path| path != ".") =>
        {
            return None;
        }
        _ => {
            "something responded, but not as the API document says; check that the base URL names the service"
        }
    };
    Some(CliError::new(
        ErrorClass::BadResponse,
        format!("{message} (status {status})"),
    ))
}

fn token(result: &Result<Call, Error>, id: Option<Uuid>, checks: &mut Checks) {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Forbidden) => {
            checks.failed("token", &error.into());
        }
        Err(_) if id.is_none() => {
            checks.not_verified("token", "needs the id of an existing call");
        }
        Ok(_) => checks.ok("token", "accepted"),
        Err(error) if error.kind() == ErrorKind::UnexpectedId => checks.ok("token", "accepted"),
        Err(_) => checks.not_verified("token", "the response does not show it"),
    }
}

/// Compares this machine's clock with the `Date` of a response.
async fn clock(client: &Client, id: Option<Uuid>, checks: &mut Checks) {
    let request = client.get_call(id.unwrap_or_default()).max_attempts(1);
    // Every response has a `Date`, whatever its status.
    let headers = match request.send().await {
        Ok(response) => response.headers,
        Err(error) => error.headers().clone(),
    };
    let now = DateTime::<Utc>::from(SystemTime::now());
    let date = headers
        .get("date")
        .and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
    let Some(date) = date else {
        return checks.not_verified("clock", "the response has no Date header");
    };
    let skew = now.signed_duration_since(date).num_seconds();
    if skew.abs() <= MAX_CLOCK_SKEW {
        return checks.ok(
            "clock",
            format!("within {MAX_CLOCK_SKEW} s of the service's clock"),
        );
    }
    let direction = if skew > 0 { "ahead of" } else { "behind" };
    checks.failed(
        "clock",
        &CliError::new(
            ErrorClass::Failed,
            format!(
                "this machine's clock is {} s {direction} the service's; set it, for example with NTP",
                skew.abs()
            ),
        ),
    );
}

/// Checks that the call matches the API document.
fn document(
    result: Result<Call, Error>,
    drifts: &[(Drift, u64)],
    id: Option<Uuid>,
    checks: &mut Checks,
) {
    let Some(id) = id else {
        return checks.not_verified("document", "needs the id of a call");
    };
    match result.map_err(|error| CliError::from(error).for_call(id)) {
        Ok(_) if drifts.is_empty() => checks.ok("document", "the call matches the API document"),
        Ok(_) => {
            let drifts: Vec<_> = drifts.iter().map(|(drift, _)| drift.to_string()).collect();
            let message = format!("{}; update this program", drifts.join("; "));
            checks.failed("document", &CliError::new(ErrorClass::BadResponse, message));
        }
        Err(failure) => match failure.class() {
            ErrorClass::BadResponse | ErrorClass::NotFound => checks.failed("document", &failure),
            _ => checks.not_verified("document", "no call to check"),
        },
    }
}
