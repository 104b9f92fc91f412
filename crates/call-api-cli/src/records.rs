//! The records that `sync` writes, and their file.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write as _};
use std::path::Path;

use call_api::types::Contact;
use call_api::{Call, Uuid};
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::args::RecordFormat;
use crate::error::{CliError, CommandError};
use crate::fields::{Field, Fields};
use crate::input;
use crate::json;
use crate::received::ReceivedCall;
use crate::state_file::{Part, StateFile};
use crate::ui::Ui;

/// The maximum length of a record, in bytes. A longer line was not written by `sync`.
const MAX_RECORD: u64 = 16 << 20;

/// The output of `sync`.
#[derive(Debug)]
pub(crate) struct Output {
    target: Target,
    records: Records,
}

#[derive(Debug)]
enum Target {
    File(StateFile),
    /// Cannot be read, so a run starts from the beginning.
    StandardOutput,
}

/// The form of the records.
#[derive(Debug)]
struct Records {
    format: RecordFormat,
    /// The properties to write, with the id first; `None` for all.
    fields: Option<Fields>,
}

impl Output {
    /// Opens the output. Returns the ids of the records that it has.
    pub(crate) fn open(
        path: &Path,
        format: Option<RecordFormat>,
        fields: Option<Fields>,
    ) -> Result<(Self, HashSet<Uuid>), CommandError> {
        let is_csv = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let format = format.unwrap_or(match is_csv {
            true => RecordFormat::Csv,
            false => RecordFormat::Jsonl,
        });
        let records = Records {
            format,
            fields: fields.map(Fields::with_id_first),
        };
        let (target, existing) = if input::is_dash(path) {
            if format == RecordFormat::Csv {
                write_standard_output(&records.header()?)?;
            }
            (Target::StandardOutput, HashSet::new())
        } else {
            let (file, existing) = records.resume(path)?;
            (Target::File(file), existing)
        };
        Ok((Self { target, records }, existing))
    }

    /// Appends a call. It is not buffered, so a written record survives a kill.
    pub(crate) fn write(&mut self, call: &ReceivedCall) -> Result<(), CommandError> {
        let record = self.records.encode(call)?;
        match &self.target {
            Target::File(file) => Ok(file.append(&record)?),
            Target::StandardOutput => Ok(write_standard_output(&record)?),
        }
    }

    /// Flushes the file to the disk. Warns of selected properties that no call had.
    pub(crate) fn finish(&self, ui: &Ui) -> Result<(), CliError> {
        if let Some(fields) = &self.records.fields {
            fields.warn_of_unknown(ui);
        }
        match &self.target {
            Target::File(file) => file.finish(),
            Target::StandardOutput => Ok(()),
        }
    }
}

fn write_standard_output(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

impl Records {
    /// Opens a file of these records. Returns the ids of those that it has.
    fn resume(&self, path: &Path) -> Result<(StateFile, HashSet<Uuid>), CliError> {
        const REMEDY: &str = "use another file (`-` is standard output)";
        let header = self
            .header()
            .map_err(|error| CliError::cannot_write(path, error, REMEDY))?;
        let file = StateFile::open(path, REMEDY)?;
        let is_csv = self.format == RecordFormat::Csv;
        let (mut ids, mut is_header) = (HashSet::new(), is_csv);
        let foreign = format!(
            "is not a record that sync wrote as {}; use another file, or the --format of this one",
            self.format.name()
        );
        file.resume(MAX_RECORD, &foreign, |record| {
            // In CSV, a line break inside quotes does not end the record.
            let is_quoted = || record.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
            if !record.ends_with(b"\n") || (is_csv && is_quoted()) {
                return Part::incomplete(self.is_incomplete(record, is_header));
            }
            if is_header && record == header {
                is_header = false;
                return Part::Record;
            }
            match self.format.id(record).filter(|_| !is_header) {
                Some(id) => {
                    ids.insert(id);
                    Part::Record
                }
                None => Part::Foreign,
            }
        })?;
        if is_header {
            file.append(&header)?;
        }
        Ok((file, ids))
    }

    /// Returns the record of a call, with its line break.
    fn encode(&mut self, call: &ReceivedCall) -> io::Result<Vec<u8>> {
        match (self.format, &mut self.fields) {
            (RecordFormat::Jsonl, None) => Ok((json::compact(&call.json()?) + "\n").into_bytes()),
            (RecordFormat::Jsonl, Some(fields)) => {
                let selected = fields.select(&call.json()?)?;
                Ok((json::compact(&selected) + "\n").into_bytes())
            }
            (RecordFormat::Csv, None) => {
                csv_record(columns(&call.call)?.map(|column| column.value))
            }
            (RecordFormat::Csv, Some(fields)) => csv_record(fields.values(&call.json()?)?),
        }
    }

    /// Returns the first record of a CSV file: the names of the columns. The id comes first, because it identifies a record.
    fn header(&self) -> io::Result<Vec<u8>> {
        match &self.fields {
            None => csv_record(columns(&Call::sample())?.map(|property| property.name)),
            Some(fields) => csv_record(fields.iter().map(Field::name)),
        }
    }

    /// Returns true if `end` is the start of a record or of the header, as a killed run leaves it. Anything else at the end
    /// of the file is not removed.
    fn is_incomplete(&self, end: &[u8], is_header: bool) -> bool {
        let is_prefix_of = |record: &[u8]| {
            end.iter()
                .zip(record)
                .all(|(found, expected)| found == expected)
        };
        match self.format {
            // A whole record may lack only its line break.
            RecordFormat::Jsonl => match serde_json::from_slice::<IgnoredAny>(end) {
                Ok(_) => self.format.id(end).is_some(),
                Err(error) => end.is_empty() || (error.is_eof() && end.starts_with(b"{")),
            },
            RecordFormat::Csv if is_header => {
                self.header().is_ok_and(|header| is_prefix_of(&header))
            }
            RecordFormat::Csv => {
                let mut id = end.iter().take(36);
                id.all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
            }
        }
    }
}

impl RecordFormat {
    fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "JSON lines",
            Self::Csv => "CSV",
        }
    }

    /// Returns the id of a record.
    fn id(self, record: &[u8]) -> Option<Uuid> {
        match self {
            Self::Jsonl => {
                let record: HashMap<String, &RawValue> = serde_json::from_slice(record).ok()?;
                let id = record.get(Call::name_in_json("id"))?;
                serde_json::from_str(id.get()).ok()
            }
            Self::Csv => {
                let id = record.split(|byte| *byte == b',').next()?;
                str::from_utf8(id).ok()?.parse().ok()
            }
        }
    }
}

/// A property of a call and its value as text, empty if there is none.
pub(crate) struct Property {
    /// The name of its field, without the underscore of a keyword; that of a contact's property with `contact_` before it.
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Returns the properties of a call, in the order of the document. Those of the contact are listed like its own.
pub(crate) fn properties_of(call: &Call) -> io::Result<Vec<Property>> {
    let call = serde_json::to_value(call)?;
    let mut properties = Vec::new();
    for (field, name) in Call::PROPERTIES {
        let value = call.get(name);
        if *field != "contact" {
            properties.push(Property::new("", field, value));
            continue;
        }
        for (field, name) in Contact::PROPERTIES {
            let value = value.and_then(|contact| contact.get(name));
            properties.push(Property::new("contact_", field, value));
        }
    }
    Ok(properties)
}

impl Property {
    fn new(prefix: &str, field: &str, value: Option<&Value>) -> Self {
        let field = field.trim_end_matches('_');
        let prefix = if field.starts_with(prefix) {
            ""
        } else {
            prefix
        };
        Self {
            name: format!("{prefix}{field}"),
            value: match value {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            },
        }
    }
}

fn columns(call: &Call) -> io::Result<impl Iterator<Item = Property>> {
    let (id, others): (Vec<_>, Vec<_>) = properties_of(call)?
        .into_iter()
        .partition(|property| property.name == "id");
    Ok(id.into_iter().chain(others))
}

fn csv_record(values: impl IntoIterator<Item = impl AsRef<[u8]>>) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(values)?;
    writer.into_inner().map_err(|error| error.into_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_of_a_record_needs_no_valid_text_elsewhere() {
        let id = Uuid::from_u128(7);
        let record = format!(r#"{{"note": "\ud800", "id": "{id}", "new": 1e999}}"#);
        assert_eq!(RecordFormat::Jsonl.id(record.as_bytes()), Some(id));
        assert_eq!(RecordFormat::Jsonl.id(br#"{"note": "7"}"#), None);
    }
}
