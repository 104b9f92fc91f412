//! Standard error: errors, warnings, notes, the attempts of requests, and progress.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use call_api::transport::{AttemptLog, DelayReason, Observer, Operation};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::args::Settings;
use crate::failure::Failure;
use crate::output::clean;

/// How often what changes is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// What is said to the one who started the program.
#[derive(Clone, Debug)]
pub(crate) struct Ui {
    quiet: bool,
    verbose: bool,
    json_errors: bool,
    /// Bars, which make room for each line that is written. They draw on terminals only.
    bars: MultiProgress,
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
        }
    }

    /// Says why something failed.
    pub(crate) fn error(&self, failure: &Failure) {
        match self.json_errors {
            true => self.json("error", &failure.parts()),
            false => self.labelled("error", AnsiColor::Red, failure),
        }
    }

    /// Says what should be otherwise.
    pub(crate) fn warn(&self, warning: &str) {
        match (self.quiet, self.json_errors) {
            (true, _) => {}
            (false, true) => self.json("warning", &BTreeMap::from([("message", warning)])),
            (false, false) => self.labelled("warning", AnsiColor::Yellow, warning),
        }
    }

    /// Says what was done.
    pub(crate) fn note(&self, note: impl Display) {
        if !self.quiet {
            self.line(format_args!("{}", clean(&note.to_string())));
        }
    }

    /// Says of many errors together what went wrong.
    pub(crate) fn problem(&self, problem: impl Display) {
        self.labelled("error", AnsiColor::Red, problem);
    }

    /// Whether each of many errors is to be said, too.
    pub(crate) fn wants_each(&self) -> bool {
        self.verbose || self.json_errors
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json_errors
    }

    /// A line that changes. Hidden where standard error is no terminal, and with `--quiet`.
    pub(crate) fn live_line(&self) -> ProgressBar {
        let line = self.bars.add(ProgressBar::new_spinner());
        line.set_style(style("{spinner} {wide_msg}"));
        line.enable_steady_tick(TICK);
        line
    }

    /// How much of a whole is done, at what rate, and how long the rest takes. `done` was so before.
    pub(crate) fn bar(&self, whole: usize, done: usize) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(whole as u64));
        bar.set_style(style(
            "{wide_bar} {human_pos}/{human_len}, {per_sec}, {eta} left{msg}",
        ));
        bar.set_position(done as u64);
        // What was done before took no time.
        bar.reset_eta();
        bar.enable_steady_tick(TICK);
        bar
    }

    /// How much of a download is there, once it begins; before, what is waited for.
    pub(crate) fn transfer(&self, waiting: &'static str) -> Transfer {
        let bar = self.live_line();
        bar.set_message(waiting);
        Transfer {
            bar,
            is_begun: false,
        }
    }

    /// A text with colors, for a line that changes; without them where there are to be none.
    pub(crate) fn colored(&self, text: &str) -> String {
        match anstream::AutoStream::choice(&std::io::stderr()) {
            anstream::ColorChoice::Never => anstream::adapter::strip_str(text).to_string(),
            _ => text.to_owned(),
        }
    }

    fn labelled(&self, label: &str, color: AnsiColor, message: impl Display) {
        let style = Style::new().bold().fg_color(Some(color.into()));
        self.line(format_args!(
            "{style}{label}:{style:#} {}",
            clean(&message.to_string())
        ));
    }

    /// Writes what a script reads: an object with one property.
    pub(crate) fn json(&self, what: &str, value: &impl Serialize) {
        // Text and numbers are always JSON.
        if let Ok(line) = serde_json::to_string(&BTreeMap::from([(what, value)])) {
            self.line(line);
        }
    }

    /// Nobody can be told where standard error is gone.
    fn line(&self, line: impl Display) {
        self.bars.suspend(|| {
            let _ = writeln!(anstream::stderr().lock(), "{line}");
        });
    }
}

/// A download as it is seen.
#[derive(Debug)]
pub(crate) struct Transfer {
    bar: ProgressBar,
    is_begun: bool,
}

impl Transfer {
    /// So much is there, of so much, if that is known.
    pub(crate) fn set(&mut self, bytes: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        self.bar.set_position(bytes);
        if !self.is_begun {
            self.is_begun = true;
            let begun = match total {
                Some(_) => "{wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
                None => "{spinner} {bytes}, {bytes_per_sec}",
            };
            self.bar.set_style(style(begun));
            // What an earlier run had fetched took no time.
            self.bar.reset_eta();
        }
    }

    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// Shows the attempts of each request: `--verbose`.
pub(crate) struct Attempts(pub(crate) Arc<Ui>);

impl Observer for Attempts {
    fn request(&self, _: &Operation, attempt_log: &AttemptLog) {
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
                line.push_str(&format!(", request id {}", clean(id)));
            }
            if let Some(wait) = attempt.retry_delay {
                let why = match wait.reason {
                    DelayReason::RetryAfter => ", as the service asked",
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

fn style(template: &str) -> ProgressStyle {
    // The templates are constants, which tests show.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
