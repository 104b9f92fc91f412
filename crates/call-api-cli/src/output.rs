//! Output of calls: as tables for people, or complete as JSON or YAML for programs.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use call_api::chrono::{DateTime, Utc};
use call_api::{Call, CallStatus, Contact, Uuid};
use chrono::Local;
use serde::Serialize;
use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::args::{DisplayArgs, Format};
use crate::escape::escape_control;
use crate::fields::{Field, Fields};
use crate::json;
use crate::process::terminal_width;
use crate::received::ReceivedCall;
use crate::records::{Property, properties_of};
use crate::stdout::{print_line, stdout};
use crate::ui::Ui;

impl Format {
    /// Returns the requested format, or the default for where the output goes.
    pub(crate) fn or_default(requested: Option<Self>) -> Self {
        requested.unwrap_or_else(|| match io::stdout().is_terminal() {
            true => Self::Table,
            false => Self::Json,
        })
    }
}

/// Prints a value as one document.
pub(crate) fn print_value(format: Format, value: &impl Serialize) -> io::Result<()> {
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

/// Prints one call or a list of calls.
pub(crate) struct CallPrinter {
    format: Format,
    display: DisplayArgs,
    is_list: bool,
    /// The properties to print; `None` for all.
    fields: Option<Fields>,
    /// Calls to print together.
    buffered: Vec<ReceivedCall>,
}

impl CallPrinter {
    pub(crate) fn new(display: DisplayArgs, is_list: bool, fields: Option<Fields>) -> Self {
        Self {
            format: Format::or_default(display.output),
            display,
            is_list,
            fields,
            buffered: Vec::new(),
        }
    }

    /// Prints a call, or buffers it if the format prints all calls together.
    pub(crate) fn add(&mut self, call: impl Into<ReceivedCall>) -> io::Result<()> {
        let call = call.into();
        if self.format == Format::Jsonl {
            return print_line(json::compact(&self.json(&call)?));
        }
        self.buffered.push(call);
        Ok(())
    }

    /// Sorts the calls that are not printed yet.
    pub(crate) fn sort_by_ids(&mut self, ids: &[Uuid]) {
        let positions: HashMap<_, _> = ids.iter().zip(0..).collect();
        self.buffered.sort_by_key(|received| {
            positions
                .get(&received.call.id)
                .copied()
                .unwrap_or(usize::MAX)
        });
    }

    /// Prints the buffered calls.
    pub(crate) fn finish(mut self, ui: &Ui) -> io::Result<()> {
        let calls = std::mem::take(&mut self.buffered);
        match self.format {
            Format::Jsonl => {}
            Format::Table if calls.is_empty() => {}
            Format::Table => self.print_table(&calls)?,
            Format::Json | Format::Yaml => self.print_documents(&calls)?,
        }
        if let Some(fields) = self.fields {
            fields.warn_of_unknown(ui);
        }
        Ok(())
    }

    /// Returns the JSON of a call with the properties to print.
    fn json(&mut self, call: &ReceivedCall) -> io::Result<String> {
        let json = call.json()?;
        match &mut self.fields {
            Some(fields) => fields.select(&json),
            None => Ok(json),
        }
    }

    fn print_documents(&mut self, calls: &[ReceivedCall]) -> io::Result<()> {
        if self.format == Format::Yaml && self.fields.is_none() {
            let calls: Vec<_> = calls.iter().map(|received| &received.call).collect();
            return match (self.is_list, calls.as_slice()) {
                (true, calls) => print_value(Format::Yaml, &calls),
                (false, [call, ..]) => print_value(Format::Yaml, call),
                (false, []) => Ok(()),
            };
        }
        let calls = calls.iter().map(|call| self.json(call));
        let mut json = calls.collect::<io::Result<Vec<_>>>()?.join(",");
        if self.is_list {
            json = format!("[{json}]");
        } else if json.is_empty() {
            return Ok(());
        }
        match self.format {
            Format::Yaml => print_value(Format::Yaml, &serde_json::from_str::<Value>(&json)?),
            _ => print_line(json::pretty(&json)),
        }
    }

    fn print_table(&mut self, calls: &[ReceivedCall]) -> io::Result<()> {
        let Some(fields) = &mut self.fields else {
            let calls = calls.iter().map(|received| &received.call);
            return match (self.is_list, calls.collect::<Vec<_>>().as_slice()) {
                (true, calls) => list(calls, self.display),
                (false, [call, ..]) => properties(call, self.display),
                (false, []) => Ok(()),
            };
        };
        let bold = Style::new().bold();
        let mut rows = Vec::new();
        for received in calls {
            let values = fields.values(&received.json()?)?;
            let cells = fields.iter().zip(values);
            let cells =
                cells.map(|(field, value)| cell(&received.call, field, value, self.display));
            rows.push(cells.collect::<io::Result<Vec<_>>>()?);
        }
        match (self.is_list, rows.pop()) {
            (false, Some(row)) => {
                let rows = fields.iter().zip(row);
                lines(rows.map(|(field, cell)| vec![(field.name(), bold), cell]))
            }
            (_, last) => {
                rows.extend(last);
                let header = fields.iter();
                let header = header.map(|field| (field.name().to_uppercase(), bold));
                rows_below(&header.collect::<Vec<_>>(), &rows)
            }
        }
    }
}

/// Returns the cell of a selected property.
fn cell(call: &Call, field: &Field, value: String, display: DisplayArgs) -> io::Result<Cell> {
    let path = field.path();
    if let [name] = path[..] {
        let known = known_properties(call, display);
        if let Some((.., cell)) = known
            .into_iter()
            .find(|(field, ..)| Call::name_in_json(field) == name)
        {
            return Ok(cell);
        }
    }
    let first = path.first().copied().unwrap_or_default();
    let is_contact = first == Call::name_in_json("contact");
    let is_harmless = ["id", "created_date", "contact_type"]
        .map(Contact::name_in_json)
        .contains(path.get(1).unwrap_or(&""));
    Ok(match is_contact {
        _ if value.is_empty() => plain("-"),
        true if display.show_numbers || is_harmless => plain(value),
        true => plain(mask_number(&value)),
        false if is_masked(call, field_of(first)) => plain("yes"),
        false => plain(value),
    })
}

const HEADER: [&str; 7] = [
    "ID", "STATUS", "TYPE", "CONTACT", "STARTED", "DURATION", "REASON",
];

/// A table cell and its style.
pub(crate) type Cell = (String, Style);

fn plain(text: impl Display) -> Cell {
    (escape_control(&text.to_string()), Style::new())
}

/// Prints calls as a table, or one after another if the table is wider than the terminal.
fn list(calls: &[&Call], display: DisplayArgs) -> io::Result<()> {
    let rows: Vec<_> = calls.iter().map(|call| row(call, display)).collect();
    let header = HEADER.map(|name| (name.to_owned(), Style::new().bold()));
    let widths = column_widths(std::iter::once(&header).chain(&rows));
    let width: usize = widths.iter().sum::<usize>() + GAP * (widths.len() - 1);
    if terminal_width(io::stdout()).is_none_or(|columns| width <= columns) {
        return table(&HEADER, rows.into_iter());
    }
    for (index, call) in calls.iter().enumerate() {
        if index > 0 {
            print_line("")?;
        }
        properties(call, display)?;
    }
    Ok(())
}

fn row(call: &Call, display: DisplayArgs) -> [Cell; 7] {
    [
        plain(call.id),
        status(&call.status),
        plain(&call.type_),
        plain(contact(call, display)),
        plain(or_dash(call.start_time.map(|at| time(at, display)))),
        plain(or_dash(duration(call))),
        plain(or_dash(call.end_reason.as_deref())),
    ]
}

/// Returns the properties of a call that this version knows: field, label and cell.
fn known_properties(call: &Call, display: DisplayArgs) -> [(&'static str, &'static str, Cell); 12] {
    [
        ("id", "id", plain(call.id)),
        ("status", "status", status(&call.status)),
        ("type", "type", plain(&call.type_)),
        (
            "contact",
            "contact",
            plain(format!(
                "{} ({})",
                contact(call, display),
                call.contact.contact_type
            )),
        ),
        ("agent_id", "agent", plain(or_dash(call.agent_id))),
        ("phone_id", "phone", plain(or_dash(call.phone_id))),
        (
            "created_date",
            "created",
            plain(time(call.created_date, display)),
        ),
        (
            "start_time",
            "started",
            plain(or_dash(call.start_time.map(|at| time(at, display)))),
        ),
        (
            "end_time",
            "ended",
            plain(or_dash(call.end_time.map(|at| time(at, display)))),
        ),
        ("duration", "duration", plain(or_dash(duration(call)))),
        (
            "recording_url",
            "recording",
            plain(if call.recording_url.is_some() {
                "yes"
            } else {
                "-"
            }),
        ),
        (
            "end_reason",
            "reason",
            plain(or_dash(call.end_reason.as_deref())),
        ),
    ]
}

/// Prints a call with one property per line.
fn properties(call: &Call, display: DisplayArgs) -> io::Result<()> {
    let rows = known_properties(call, display);
    // Properties that a later document adds are shown by name. Those of the contact may identify it.
    let is_new = |property: &Property| {
        let own = rows.iter().any(|(field, ..)| *field == property.name);
        !own && !property.name.starts_with("contact_")
    };
    let new = properties_of(call)?.into_iter().filter(is_new);
    let new: Vec<_> = new
        .map(|Property { name, value }| {
            let value = match value.is_empty() {
                true => "-".to_owned(),
                false if is_masked(call, &name) => "yes".to_owned(),
                false => value,
            };
            (name, plain(value))
        })
        .collect();
    let bold = Style::new().bold();
    let known = rows.map(|(_, name, cell)| (name.to_owned(), cell));
    lines(
        known
            .into_iter()
            .chain(new)
            .map(|(name, cell)| [(name, bold), cell]),
    )
}

/// Returns the field of the property with this name in JSON.
fn field_of(name: &str) -> &str {
    let mut properties = Call::PROPERTIES.iter();
    let named = properties.find(|(_, in_json)| *in_json == name);
    named.map_or(name, |(field, _)| field)
}

/// Returns true if `Debug` hides the field or a part of it, because it is sensitive.
fn is_masked(call: &Call, name: &str) -> bool {
    let shown = format!("{call:#?}");
    let is_first = |line: &&str| {
        let field = line
            .strip_prefix("    ")
            .and_then(|line| line.split_once(':'));
        field.is_some_and(|(field, _)| field.trim_end_matches('_') == name)
    };
    let mut lines = shown.lines().skip_while(|line| !is_first(line));
    let first = lines.next();
    let nested = lines.take_while(|line| line.starts_with("     "));
    first
        .into_iter()
        .chain(nested)
        .any(|line| line.contains('…'))
}

/// The space between columns.
const GAP: usize = 2;

/// The narrowest last column that text is wrapped in.
const MIN_WRAPPED: usize = 10;

/// Prints a table with a header and aligned columns. On a terminal the last column wraps at words.
pub(crate) fn table<const N: usize>(
    header: &[&str; N],
    rows: impl Iterator<Item = [Cell; N]>,
) -> io::Result<()> {
    let header = header.map(|name| (name.to_owned(), Style::new().bold()));
    let rows: Vec<_> = rows.collect();
    rows_below(&header, &rows)
}

/// Prints rows below a header, or one property per line if the columns do not fit the terminal.
fn rows_below<R: AsRef<[Cell]>>(header: &[Cell], rows: &[R]) -> io::Result<()> {
    let table = || std::iter::once(header).chain(rows.iter().map(AsRef::as_ref));
    let mut widths = column_widths(table());
    let last = widths.pop().unwrap_or_default().min(MIN_WRAPPED);
    let narrowest = widths.iter().map(|width| width + GAP).sum::<usize>() + last;
    if terminal_width(io::stdout()).is_none_or(|columns| narrowest <= columns) {
        return lines(table());
    }
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            print_line("")?;
        }
        let cells = header.iter().zip(row.as_ref());
        lines(cells.map(|(name, cell)| [name.clone(), cell.clone()]))?;
    }
    Ok(())
}

fn lines<R: AsRef<[Cell]>>(rows: impl IntoIterator<Item = R>) -> io::Result<()> {
    let rows: Vec<_> = rows.into_iter().collect();
    let widths = column_widths(&rows);
    let indent = widths
        .iter()
        .take(widths.len().saturating_sub(1))
        .map(|width| width + GAP)
        .sum::<usize>();
    let last_width = terminal_width(io::stdout())
        .map(|columns| columns.saturating_sub(indent))
        .filter(|width| *width >= MIN_WRAPPED)
        .unwrap_or(usize::MAX);
    let mut out = stdout();
    for row in rows {
        let [cells @ .., (last, style)] = row.as_ref() else {
            continue;
        };
        let mut gap = 0;
        for ((text, style), width) in cells.iter().zip(&widths) {
            write!(out, "{:gap$}{style}{text}{style:#}", "")?;
            // Padding goes before the next cell, so that lines have no trailing spaces.
            gap = width - text.width() + GAP;
        }
        for text in wrap(last, last_width) {
            writeln!(out, "{:gap$}{style}{text}{style:#}", "")?;
            gap = indent;
        }
    }
    out.flush()
}

fn column_widths<'a, R: AsRef<[Cell]> + ?Sized + 'a>(
    rows: impl IntoIterator<Item = &'a R>,
) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows {
        let row = row.as_ref();
        widths.resize(widths.len().max(row.len()), 0);
        for (width, (text, _)) in widths.iter_mut().zip(row) {
            *width = text.width().max(*width);
        }
    }
    widths
}

/// Breaks a text into lines of at most `width` columns, at spaces where possible.
fn wrap(text: &str, width: usize) -> Vec<String> {
    if text.width() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.width());
        if line > 0 && line + 1 + word.width() <= width {
            if let Some(line) = lines.last_mut() {
                line.push(' ');
                line.push_str(word);
            }
            continue;
        }
        if line > 0 {
            lines.push(String::new());
        }
        for c in word.chars() {
            let is_full = |line: &String| line.width() + c.width().unwrap_or(0) > width;
            if lines.last().is_some_and(is_full) {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
    }
    lines
}

/// Returns the one-line form of a call, as in `watch`. The status comes first, so that a narrow terminal shows it.
pub(crate) fn summary_line(call: &Call, display: DisplayArgs) -> String {
    let (status, style) = status(&call.status);
    let mut line = format!(
        "{style}{status}{style:#}  {}",
        escape_control(&contact(call, display))
    );
    for more in [duration(call), call.end_reason.clone()]
        .into_iter()
        .flatten()
    {
        line.push_str("  ");
        line.push_str(&escape_control(&more));
    }
    line.push_str("  ");
    line.push_str(&call.id.to_string());
    line
}

fn status(status: &CallStatus) -> Cell {
    let style = match status {
        CallStatus::Dialing | CallStatus::InProgress => AnsiColor::Cyan.on_default(),
        CallStatus::Completed | CallStatus::Transferred => AnsiColor::Green.on_default(),
        CallStatus::Failed | CallStatus::NoAnswer => AnsiColor::Red.on_default(),
        _ => Style::new(),
    };
    (escape_control(status.as_str()), style)
}

fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

pub(crate) fn time(at: DateTime<Utc>, display: DisplayArgs) -> String {
    match display.utc {
        true => at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        false => at
            .with_timezone(&Local)
            .format("%Y-%m-%d %H:%M:%S %Z")
            .to_string(),
    }
}

/// Formats the time of day, for terminals too narrow for the date.
pub(crate) fn time_of_day(at: DateTime<Utc>, display: DisplayArgs) -> String {
    match display.utc {
        true => at.format("%H:%M:%S").to_string(),
        false => at.with_timezone(&Local).format("%H:%M:%S").to_string(),
    }
}

/// Formats the duration of a call. A negative one, which makes no sense, is shown as sent.
fn duration(call: &Call) -> Option<String> {
    let seconds = call.duration?;
    Some(match u64::try_from(seconds) {
        Ok(seconds) => humantime::format_duration(Duration::from_secs(seconds)).to_string(),
        Err(_) => format!("{seconds}s"),
    })
}

fn contact(call: &Call, display: DisplayArgs) -> String {
    let identifier = &call.contact.identifier;
    match display.show_numbers {
        true => identifier.clone(),
        false => mask_number(identifier),
    }
}

/// Masks a number: shows the last three characters, if at least three more precede them.
pub(crate) fn mask_number(number: &str) -> String {
    let shown: Vec<_> = number.chars().rev().take(6).collect();
    match shown.len() {
        6 => format!("***{}", shown[..3].iter().rev().collect::<String>()),
        _ => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mask_number_shows_at_most_three_of_six_characters() {
        assert_eq!(mask_number("+34600123456"), "***456");
        assert_eq!(mask_number("123456"), "***456");
        assert_eq!(mask_number("12345"), "***");
        assert_eq!(mask_number(""), "***");
        assert_eq!(mask_number("ünïcödé"), "***ödé");
    }

    #[test]
    fn sensitive_properties_are_masked_with_what_holds_them() {
        let call = call_api_sandbox::Sandbox::example_call();
        assert!(is_masked(&call, "recording_url"));
        // Its identifier is sensitive.
        assert!(is_masked(&call, "contact"));
        for name in ["id", "type", "end_reason", "identifier"] {
            assert!(!is_masked(&call, name), "{name}");
        }
    }

    #[test]
    fn wrap_breaks_at_spaces_and_inside_long_words() {
        assert_eq!(wrap("one two  three", 8), ["one two ", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
    }
}
