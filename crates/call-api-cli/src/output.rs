//! How calls are printed: as a table for people, or whole, as JSON or YAML, for programs.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use call_api::chrono::{DateTime, Utc};
use call_api::{Call, CallStatus};
use chrono::Local;
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use crate::args::{Format, Look};

impl Format {
    /// The one that was asked for, or the one that fits where the output goes.
    pub(crate) fn or_default(asked: Option<Self>) -> Self {
        asked.unwrap_or_else(|| match io::stdout().is_terminal() {
            true => Self::Table,
            false => Self::Json,
        })
    }
}

/// Standard output. Colors are for terminals, and for nobody with `NO_COLOR`.
pub(crate) fn stdout() -> anstream::AutoStream<io::StdoutLock<'static>> {
    anstream::stdout().lock()
}

/// Prints one value as a document of that form.
pub(crate) fn document(format: Format, value: &impl Serialize) -> io::Result<()> {
    let mut out = stdout();
    match format {
        Format::Yaml => {
            let yaml = serde_saphyr::to_string(value).map_err(io::Error::other)?;
            out.write_all(yaml.as_bytes())?;
        }
        Format::Jsonl => {
            serde_json::to_writer(&mut out, value)?;
            out.write_all(b"\n")?;
        }
        Format::Json | Format::Table => {
            serde_json::to_writer_pretty(&mut out, value)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()
}

/// Prints a line.
pub(crate) fn text(line: impl Display) -> io::Result<()> {
    let mut out = stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Prints calls: one, or a list.
pub(crate) struct Calls {
    format: Format,
    look: Look,
    is_list: bool,
    /// Those that are printed together.
    kept: Vec<Call>,
}

impl Calls {
    pub(crate) fn new(look: Look, is_list: bool) -> Self {
        Self {
            format: Format::or_default(look.output),
            look,
            is_list,
            kept: Vec::new(),
        }
    }

    /// Takes a call, and prints it where it can stand alone.
    pub(crate) fn add(&mut self, call: Call) -> io::Result<()> {
        if self.format == Format::Jsonl {
            return document(self.format, &call);
        }
        self.kept.push(call);
        Ok(())
    }

    /// Prints what is not printed yet.
    pub(crate) fn finish(self) -> io::Result<()> {
        match (self.format, self.is_list, self.kept.as_slice()) {
            (Format::Jsonl, ..) | (Format::Table, _, []) | (_, false, []) => Ok(()),
            (Format::Table, true, calls) => {
                table(&HEADER, calls.iter().map(|call| row(call, self.look)))
            }
            (Format::Table, false, [call, ..]) => properties(call, self.look),
            (format, true, calls) => document(format, &calls),
            (format, false, [call, ..]) => document(format, call),
        }
    }
}

const HEADER: [&str; 7] = [
    "ID", "STATUS", "TYPE", "CONTACT", "STARTED", "DURATION", "REASON",
];

/// A text in a table, and its look.
pub(crate) type Cell = (String, Style);

fn plain(text: impl Display) -> Cell {
    (clean(&text.to_string()), Style::new())
}

fn row(call: &Call, look: Look) -> [Cell; 7] {
    [
        plain(call.id),
        status(&call.status),
        plain(&call.type_),
        plain(contact(call, look)),
        plain(or_dash(call.start_time.map(|at| time(at, look)))),
        plain(or_dash(duration(call))),
        plain(or_dash(call.end_reason.as_deref())),
    ]
}

/// All of a call, a line for each property.
fn properties(call: &Call, look: Look) -> io::Result<()> {
    let bold = Style::new().bold();
    let rows = [
        ("id", plain(call.id)),
        ("status", status(&call.status)),
        ("type", plain(&call.type_)),
        (
            "contact",
            plain(format!(
                "{} ({})",
                contact(call, look),
                call.contact.contact_type
            )),
        ),
        ("agent", plain(or_dash(call.agent_id))),
        ("phone", plain(or_dash(call.phone_id))),
        ("created", plain(time(call.created_date, look))),
        (
            "started",
            plain(or_dash(call.start_time.map(|at| time(at, look)))),
        ),
        (
            "ended",
            plain(or_dash(call.end_time.map(|at| time(at, look)))),
        ),
        ("duration", plain(or_dash(duration(call)))),
        (
            "recording",
            plain(if call.recording_url.is_some() {
                "yes"
            } else {
                "-"
            }),
        ),
        ("reason", plain(or_dash(call.end_reason.as_deref()))),
    ];
    lines(rows.map(|(name, cell)| [(name.to_owned(), bold), cell]))
}

/// A table with a header, its columns as wide as what is in them.
pub(crate) fn table<const N: usize>(
    header: &[&str; N],
    rows: impl Iterator<Item = [Cell; N]>,
) -> io::Result<()> {
    let header = header.map(|name| (name.to_owned(), Style::new().bold()));
    lines(std::iter::once(header).chain(rows))
}

fn lines<const N: usize>(rows: impl IntoIterator<Item = [Cell; N]>) -> io::Result<()> {
    let rows: Vec<_> = rows.into_iter().collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, (text, _)) in widths.iter_mut().zip(row) {
            *width = text.width().max(*width);
        }
    }
    let mut out = stdout();
    for row in rows {
        let mut gap = 0;
        for ((text, style), width) in row.iter().zip(widths) {
            write!(out, "{:gap$}{style}{text}{style:#}", "")?;
            // Before the next column, so that no line ends with spaces.
            gap = width - text.width() + 2;
        }
        writeln!(out)?;
    }
    out.flush()
}

/// A call on one line, as `watch` shows it.
pub(crate) fn line(call: &Call, look: Look) -> String {
    let (status, style) = status(&call.status);
    let mut line = format!(
        "{}  {style}{status}{style:#}  {}",
        call.id,
        clean(&contact(call, look))
    );
    for more in [duration(call), call.end_reason.clone()]
        .into_iter()
        .flatten()
    {
        line.push_str("  ");
        line.push_str(&clean(&more));
    }
    line
}

fn status(status: &CallStatus) -> Cell {
    let style = match status {
        CallStatus::Dialing | CallStatus::InProgress => AnsiColor::Cyan.on_default(),
        CallStatus::Completed | CallStatus::Transferred => AnsiColor::Green.on_default(),
        CallStatus::Failed | CallStatus::NoAnswer => AnsiColor::Red.on_default(),
        _ => Style::new(),
    };
    (clean(status.as_str()), style)
}

fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

pub(crate) fn time(at: DateTime<Utc>, look: Look) -> String {
    match look.utc {
        true => at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        false => at
            .with_timezone(&Local)
            .format("%Y-%m-%d %H:%M:%S %Z")
            .to_string(),
    }
}

/// How long the call was; a duration below zero, which can't be, as the service has it.
fn duration(call: &Call) -> Option<String> {
    let seconds = call.duration?;
    Some(match u64::try_from(seconds) {
        Ok(seconds) => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
        Err(_) => format!("{seconds}s"),
    })
}

fn contact(call: &Call, look: Look) -> String {
    let identifier = &call.contact.identifier;
    match look.show_numbers {
        true => identifier.clone(),
        false => masked(identifier),
    }
}

/// A number without most of it: its last three characters, where there are at least three more.
fn masked(number: &str) -> String {
    let shown: Vec<_> = number.chars().rev().take(6).collect();
    match shown.len() {
        6 => format!("***{}", shown[..3].iter().rev().collect::<String>()),
        _ => "***".to_owned(),
    }
}

/// A text of the service's on a terminal: what would move its cursor, change its colors or the direction of reading is
/// shown as an escape.
pub(crate) fn clean(text: &str) -> String {
    let is_shown = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match is_shown(c) {
            true => clean.push(c),
            false => clean.extend(c.escape_default()),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_number_the_end_is_shown_and_of_a_short_one_nothing() {
        assert_eq!(masked("+34600123456"), "***456");
        assert_eq!(masked("123456"), "***456");
        assert_eq!(masked("12345"), "***");
        assert_eq!(masked(""), "***");
        assert_eq!(masked("ünïcödé"), "***ödé");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(clean("\u{1b}[2J\r\n\u{202e}"), "\\u{1b}[2J\\r\\n\\u{202e}");
        assert_eq!(clean("+34 600 \"ñ\" é"), "+34 600 \"ñ\" é");
    }
}
