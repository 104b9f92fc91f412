//! Standard error: errors, warnings, notes, attempts, and progress.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use call_api::transport::{AttemptLog, DelayReason, Observer, Operation};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;

use crate::error::CliError;
use crate::escape::escape_control;
use crate::process::terminal_width;
use crate::settings::Settings;

/// The interval for redrawing progress.
const TICK: Duration = Duration::from_millis(100);

/// Messages to the user.
#[derive(Clone, Debug)]
pub(crate) struct Ui {
    quiet: bool,
    verbose: bool,
    json_errors: bool,
    /// Progress bars. They are hidden while a line is written, and drawn only on terminals.
    bars: MultiProgress,
    /// True once progress was shown.
    has_progress: Arc<AtomicBool>,
}

impl Ui {
    pub(crate) fn new(settings: &Settings) -> Self {
        let bars = MultiProgress::with_draw_target(match settings.quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        });
        Self {
            quiet: settings.quiet,
            verbose: settings.verbose,
            json_errors: settings.json_errors,
            bars,
            has_progress: Arc::default(),
        }
    }

    /// Reports an error.
    pub(crate) fn error(&self, failure: &CliError) {
        match self.json_errors {
            true => self.json("error", &failure.report()),
            false => self.labeled("error", AnsiColor::Red, failure),
        }
    }

    /// Reports a warning.
    pub(crate) fn warn(&self, warning: &str) {
        match (self.quiet, self.json_errors) {
            (true, _) => {}
            (false, true) => self.json("warning", &BTreeMap::from([("message", warning)])),
            (false, false) => self.labeled("warning", AnsiColor::Yellow, warning),
        }
    }

    /// Reports a result.
    pub(crate) fn note(&self, note: impl Display) {
        match (self.quiet, self.json_errors) {
            (true, _) => {}
            (false, true) => self.json("note", &BTreeMap::from([("message", note.to_string())])),
            (false, false) => self.line(escape_control(&note.to_string())),
        }
    }

    /// Reports a summary of several errors.
    pub(crate) fn error_summary(&self, problem: impl Display) {
        self.labeled("error", AnsiColor::Red, problem);
    }

    /// Returns true if each of many errors is reported, in addition to the summary.
    pub(crate) fn reports_each_error(&self) -> bool {
        self.verbose || self.json_errors
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json_errors
    }

    /// Removes progress from the terminal after a signal.
    pub(crate) fn clear(&self, was_echoed: bool) {
        let is_drawn = !self.bars.is_hidden() && self.has_progress.load(Ordering::Relaxed);
        // Fails only if the terminal is gone.
        let _ = self.bars.clear();
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
        if is_drawn && was_echoed {
            // A progress line fills the terminal, so the echo of Ctrl-C is on the line below, and only that was cleared.
            let _ = write!(std::io::stderr(), "\x1b[A\x1b[2K");
        }
    }

    /// Returns a line that changes. Hidden with `--quiet`, and when standard error is not a terminal.
    pub(crate) fn spinner(&self) -> ProgressBar {
        self.has_progress.store(true, Ordering::Relaxed);
        let line = self.bars.add(ProgressBar::new_spinner());
        line.set_style(style("{spinner} {wide_msg}"));
        line.enable_steady_tick(TICK);
        line
    }

    /// Returns a progress bar with rate and remaining time. `done` of `whole` was done before.
    pub(crate) fn bar(&self, whole: usize, done: usize) -> ProgressBar {
        self.has_progress.store(true, Ordering::Relaxed);
        let bar = self.bars.add(ProgressBar::new(whole as u64));
        let columns = terminal_width(std::io::stderr()).unwrap_or(80);
        let width = columns.saturating_sub(50).clamp(4, 60);
        bar.set_style(style(&format!(
            "{{bar:{width}}} {{human_pos}}/{{human_len}}, {{rate}}, {{eta}} left{{msg}}"
        )));
        bar.set_position(done as u64);
        // Excludes earlier work from the rate.
        bar.reset_eta();
        bar.enable_steady_tick(TICK);
        bar
    }

    /// Returns a download bar that shows a message until the download starts.
    pub(crate) fn download_bar(&self, waiting: &'static str) -> DownloadBar {
        let bar = self.spinner();
        bar.set_message(waiting);
        DownloadBar {
            bar,
            is_begun: false,
        }
    }

    /// Returns a text with its colors if standard error shows them, otherwise without.
    pub(crate) fn colored(&self, text: &str) -> String {
        match anstream::AutoStream::choice(&std::io::stderr()) {
            anstream::ColorChoice::Never => anstream::adapter::strip_str(text).to_string(),
            _ => text.to_owned(),
        }
    }

    fn labeled(&self, label: &str, color: AnsiColor, message: impl Display) {
        let style = Style::new().bold().fg_color(Some(color.into()));
        self.line(format_args!(
            "{style}{label}:{style:#} {}",
            escape_control(&message.to_string())
        ));
    }

    /// Reports a JSON object with one property.
    pub(crate) fn json(&self, what: &str, value: &impl Serialize) {
        // Strings and numbers always serialize.
        if let Ok(line) = serde_json::to_string(&BTreeMap::from([(what, value)])) {
            self.line(line);
        }
    }

    /// Errors are ignored: there is nowhere to report that standard error is closed.
    fn line(&self, line: impl Display) {
        self.bars.suspend(|| {
            let _ = writeln!(anstream::stderr().lock(), "{line}");
        });
    }
}

/// The progress of a download.
#[derive(Debug)]
pub(crate) struct DownloadBar {
    bar: ProgressBar,
    is_begun: bool,
}

impl DownloadBar {
    /// Sets the progress. `total` is `None` if the size is unknown.
    pub(crate) fn set(&mut self, bytes: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        self.bar.set_position(bytes);
        if !self.is_begun {
            self.is_begun = true;
            let begun = match total {
                Some(_) => "{bar:20} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
                None => "{spinner} {bytes}, {bytes_per_sec}",
            };
            self.bar.set_style(style(begun));
            // Excludes the bytes of an earlier run from the rate.
            self.bar.reset_eta();
        }
    }

    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// Prints the attempts of each request, for `--verbose`.
pub(crate) struct AttemptPrinter(pub(crate) Arc<Ui>);

impl Observer for AttemptPrinter {
    fn request(&self, _: &Operation, attempt_log: &AttemptLog) {
        if self.0.is_json() {
            return self.0.json("request", &RequestReport::new(attempt_log));
        }
        let count = attempt_log.attempts().len();
        let s = if count == 1 { "" } else { "s" };
        self.0.line(format_args!(
            "{} {}: {count} attempt{s} in {:.3} s; {}",
            attempt_log.method(),
            attempt_log.url(),
            attempt_log.elapsed().as_secs_f64(),
            attempt_log.stop_reason()
        ));
        for (number, attempt) in (1..).zip(attempt_log.attempts()) {
            let mut line = format!("  {number}. {}", attempt.outcome);
            if let Some(status) = attempt.status {
                line.push_str(&format!(" ({})", status.as_u16()));
            }
            line.push_str(&format!(
                " after {:.3} s, {} bytes",
                attempt.elapsed.as_secs_f64(),
                attempt.body_bytes
            ));
            if let Some(id) = &attempt.request_id {
                line.push_str(&format!(", request id {}", escape_control(id)));
            }
            if let Some(wait) = attempt.retry_delay {
                let why = match wait.reason {
                    DelayReason::RetryAfter => " (Retry-After)",
                    DelayReason::FreshToken => ", for a fresh token",
                    _ => "",
                };
                line.push_str(&format!(
                    "; waited {:.3} s{why}",
                    wait.duration.as_secs_f64()
                ));
            }
            self.0.line(line);
        }
    }
}

/// A request in JSON.
#[derive(Serialize)]
struct RequestReport<'a> {
    method: String,
    url: &'a str,
    seconds: f64,
    attempts: Vec<AttemptReport>,
}

#[derive(Serialize)]
struct AttemptReport {
    outcome: String,
    status: Option<u16>,
    seconds: f64,
    bytes: u64,
    delay_seconds: Option<f64>,
}

impl<'a> RequestReport<'a> {
    fn new(attempt_log: &'a AttemptLog) -> Self {
        let attempts = attempt_log.attempts().iter().map(|attempt| AttemptReport {
            outcome: attempt.outcome.to_string(),
            status: attempt.status.map(|status| status.as_u16()),
            seconds: attempt.elapsed.as_secs_f64(),
            bytes: attempt.body_bytes,
            delay_seconds: attempt
                .retry_delay
                .map(|delay| delay.duration.as_secs_f64()),
        });
        Self {
            method: attempt_log.method().to_string(),
            url: attempt_log.url(),
            seconds: attempt_log.elapsed().as_secs_f64(),
            attempts: attempts.collect(),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants, covered by tests.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        })
}
