//! `sync`: fetches many calls into a file, and resumes after an interruption.
//!
//! The output file is the only state: a call is done when its complete record is in the file. A crash therefore loses no
//! call and duplicates none. At worst the last record is incomplete; the next run removes it.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek as _, SeekFrom, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use call_api::chrono::{DateTime, SecondsFormat, Utc};
use call_api::{Call, Client, Uuid};
use serde::{Deserialize, Serialize};

use crate::args::{RecordFormat, SyncArgs};
use crate::error::{CliError, CommandError, ErrorClass, ErrorTally, requested};
use crate::ui::Ui;

/// The number of consecutive failures not specific to an id after which the service is considered down.
const MAX_CONSECUTIVE_FAILURES: u32 = 50;

/// A prepared `sync`: ids are read and the output file is open.
#[derive(Debug)]
pub(crate) struct Sync {
    /// The ids without a record, each once.
    missing: Vec<Uuid>,
    /// The number of ids with a record.
    existing: usize,
    out: OutputFile,
    jobs: NonZeroUsize,
}

impl Sync {
    /// Reads the ids and the existing records.
    pub(crate) fn prepare(args: &SyncArgs) -> Result<Self, CliError> {
        let ids = read_ids(&args.ids)?;
        let is_csv = args
            .out
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let records = args.format.unwrap_or(if is_csv {
            RecordFormat::Csv
        } else {
            RecordFormat::Jsonl
        });
        let (out, done) = OutputFile::open(&args.out, records)?;
        let mut asked = HashSet::new();
        let (existing, missing): (Vec<_>, Vec<_>) = ids
            .into_iter()
            .filter(|id| asked.insert(*id))
            .partition(|id| done.contains(id));
        let existing = existing.len();
        Ok(Self {
            missing,
            existing,
            out,
            jobs: args.jobs,
        })
    }

    /// Fetches the missing calls.
    pub(crate) async fn run(mut self, client: &Client, ui: &Ui) -> Result<(), CommandError> {
        let total = self.existing + self.missing.len();
        let bar = ui.bar(total, self.existing);
        let (mut fetched, mut consecutive) = (0_usize, 0);
        let mut failures = Failures::default();
        let mut calls = client
            .get_calls(self.missing)
            .concurrency(self.jobs.get())
            // The ids are unique.
            .remember(0)
            .as_they_come();
        let mut stop_class = None;
        while let Some((id, result)) = calls.next().await {
            match requested(id, result) {
                Ok(call) => {
                    self.out.write(&call)?;
                    fetched += 1;
                    consecutive = 0;
                }
                Err(failure) => {
                    let class = failure.class();
                    let is_specific_to_id = matches!(
                        class,
                        ErrorClass::NotFound | ErrorClass::InvalidRequest | ErrorClass::BadResponse
                    );
                    consecutive = if is_specific_to_id {
                        0
                    } else {
                        consecutive + 1
                    };
                    failures.add(failure, ui);
                    bar.set_message(format!(", {} failed", failures.count()));
                    if consecutive >= MAX_CONSECUTIVE_FAILURES
                        || matches!(class, ErrorClass::Refused | ErrorClass::Config)
                    {
                        stop_class = Some(class);
                        break;
                    }
                }
            }
            bar.inc(1);
        }
        drop(calls);
        bar.finish_and_clear();
        self.out.finish()?;
        failures.report(total, fetched, self.existing, ui);
        match stop_class {
            None => failures.tally.end(),
            Some(class) => {
                ui.note(crate::RESUME_HINT);
                Err(CommandError::AlreadyReported(class))
            }
        }
    }
}

/// The failures by class: the first one and the number of them.
#[derive(Debug, Default)]
struct Failures {
    tally: ErrorTally,
    by_class: Vec<(CliError, usize)>,
}

impl Failures {
    fn add(&mut self, failure: CliError, ui: &Ui) {
        self.tally.add(failure.class());
        if ui.reports_each_error() {
            ui.error(&failure);
        }
        match self
            .by_class
            .iter_mut()
            .find(|(first, _)| first.class() == failure.class())
        {
            Some((_, count)) => *count += 1,
            None => self.by_class.push((failure, 1)),
        }
    }

    fn count(&self) -> usize {
        self.by_class.iter().map(|(_, count)| count).sum()
    }

    fn report(&self, total: usize, fetched: usize, existing: usize, ui: &Ui) {
        let failed = self.count();
        let remaining = total - fetched - existing - failed;
        if ui.is_json() {
            let by_class = self.by_class.iter();
            let by_class = by_class.map(|(first, count)| (first.class().name(), *count));
            let summary = Summary {
                ids: total,
                fetched,
                already_there: existing,
                failed,
                not_fetched: remaining,
                by_class: by_class.collect(),
            };
            return ui.json("summary", &summary);
        }
        let mut parts = vec![format!("{fetched} fetched")];
        let more = [
            (existing, "already there"),
            (failed, "failed"),
            (remaining, "not fetched"),
        ];
        parts.extend(
            more.iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}")),
        );
        ui.note(format_args!(
            "{total} id{}: {}",
            if total == 1 { "" } else { "s" },
            parts.join(", ")
        ));
        for (first, count) in &self.by_class {
            let of = if *count == 1 {
                String::new()
            } else {
                ", the first".to_owned()
            };
            ui.error_summary(format_args!(
                "{count} × {}{of}: {first}",
                first.class().name()
            ));
        }
    }
}

/// The summary in JSON.
#[derive(Debug, Serialize)]
struct Summary {
    ids: usize,
    fetched: usize,
    already_there: usize,
    failed: usize,
    not_fetched: usize,
    /// The number of failures per class.
    by_class: BTreeMap<&'static str, usize>,
}

/// Reads ids, one per line. Empty lines and those that start with `#` are ignored.
fn read_ids(path: &Path) -> Result<Vec<Uuid>, CliError> {
    let unreadable = |error: io::Error| {
        CliError::new(
            ErrorClass::Failed,
            format!(
                "cannot read the ids in {}: {error}; check that the file exists and is readable",
                path.display()
            ),
        )
    };
    let input: Box<dyn BufRead> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(path).map_err(unreadable)?)),
    };
    let mut ids = Vec::new();
    for (number, line) in (1..).zip(input.lines()) {
        let line = line.map_err(unreadable)?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let id = line.parse().map_err(|_| {
            CliError::usage(format!(
                "{}:{number}: {:?} is not a valid call id (expected a UUID)",
                path.display(),
                line.chars().take(40).collect::<String>()
            ))
        })?;
        ids.push(id);
    }
    Ok(ids)
}

/// The output file.
#[derive(Debug)]
struct OutputFile {
    file: File,
    path: PathBuf,
    records: RecordFormat,
}

impl OutputFile {
    /// Opens the file, removes an incomplete record, and returns the ids of the records.
    fn open(path: &Path, records: RecordFormat) -> Result<(Self, HashSet<Uuid>), CliError> {
        let failed = |error: io::Error| {
            CliError::new(
                ErrorClass::Failed,
                format!("cannot write {}: {error}; use another file", path.display()),
            )
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CliError::new(
                    ErrorClass::Failed,
                    format!(
                        "another sync is writing {}; wait for it, or use another file",
                        path.display()
                    ),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut out = Self {
            file,
            path: path.to_owned(),
            records,
        };
        let (done, length) = out.scan()?;
        out.file.set_len(length).map_err(failed)?;
        out.file.seek(SeekFrom::Start(length)).map_err(failed)?;
        if length == 0 && records == RecordFormat::Csv {
            out.file
                .write_all(&csv_record(COLUMNS).map_err(failed)?)
                .map_err(failed)?;
        }
        Ok((out, done))
    }

    /// Returns the ids of the records, and the end of the last complete one.
    fn scan(&mut self) -> Result<(HashSet<Uuid>, u64), CliError> {
        let failed = |error: io::Error, path: &Path| {
            CliError::new(
                ErrorClass::Failed,
                format!("cannot read {}: {error}; use another file", path.display()),
            )
        };
        let mut reader = BufReader::new(&self.file);
        let (mut done, mut length, mut number) = (HashSet::new(), 0, 0);
        let mut record = Vec::new();
        loop {
            // In CSV, a line break inside quotes does not end the record.
            let read = reader
                .read_until(b'\n', &mut record)
                .map_err(|error| failed(error, &self.path))?;
            number += 1;
            let is_header = length == 0 && self.records == RecordFormat::Csv;
            if read == 0 || !record.ends_with(b"\n") {
                if !self.records.is_incomplete(&record, is_header) {
                    return Err(self.foreign_record(number));
                }
                return Ok((done, length));
            }
            let quotes = record.iter().filter(|byte| **byte == b'"').count();
            if self.records == RecordFormat::Csv && quotes % 2 == 1 {
                continue;
            }
            let id = match is_header {
                true => (record == csv_record(COLUMNS).unwrap_or_default()).then_some(None),
                false => self.records.id(&record).map(Some),
            };
            let Some(id) = id else {
                return Err(self.foreign_record(number));
            };
            done.extend(id);
            length += record.len() as u64;
            record.clear();
        }
    }

    /// The error for a line that `sync` did not write. The file is left unchanged.
    fn foreign_record(&self, line: usize) -> CliError {
        CliError::new(
            ErrorClass::Failed,
            format!(
                "{}:{line} is not a record that sync wrote as {}; use another file, or the --format of this one",
                self.path.display(),
                self.records.name()
            ),
        )
    }

    /// Appends a call. It is not buffered, so a written record survives a kill.
    fn write(&mut self, call: &Call) -> Result<(), CliError> {
        let record = match self.records {
            RecordFormat::Jsonl => json_record(call),
            RecordFormat::Csv => csv_record(values(call)),
        };
        record
            .and_then(|record| self.file.write_all(&record))
            .map_err(|error| self.failed(&error))
    }

    /// Flushes the file to the disk.
    fn finish(&mut self) -> Result<(), CliError> {
        self.file.sync_all().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> CliError {
        CliError::new(
            ErrorClass::Failed,
            format!(
                "cannot write {}: {error}; free some space and run the command again to resume",
                self.path.display()
            ),
        )
    }
}

impl RecordFormat {
    fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "JSON lines",
            Self::Csv => "CSV",
        }
    }

    /// Returns true if `end` is the start of a record or of the header, as a killed run leaves it. Anything else at the end
    /// of the file is not removed.
    fn is_incomplete(self, end: &[u8], is_header: bool) -> bool {
        let is_prefix_of = |whole: &[u8]| {
            end.iter()
                .zip(whole)
                .all(|(found, expected)| found == expected)
        };
        match self {
            Self::Jsonl => is_prefix_of(br#"{"id":""#),
            Self::Csv if is_header => csv_record(COLUMNS).is_ok_and(|header| is_prefix_of(&header)),
            Self::Csv => {
                let mut id = end.iter().take(36);
                id.all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
            }
        }
    }

    /// Returns the id of a record.
    fn id(self, record: &[u8]) -> Option<Uuid> {
        #[derive(Deserialize)]
        struct Record {
            id: Uuid,
        }
        match self {
            Self::Jsonl => serde_json::from_slice::<Record>(record)
                .ok()
                .map(|record| record.id),
            Self::Csv => {
                let id = record.split(|byte| *byte == b',').next()?;
                str::from_utf8(id).ok()?.parse().ok()
            }
        }
    }
}

fn json_record(call: &Call) -> io::Result<Vec<u8>> {
    let mut record = serde_json::to_vec(call)?;
    record.push(b'\n');
    Ok(record)
}

/// The columns. The id comes first, because it identifies a record.
const COLUMNS: [&str; 15] = [
    "id",
    "agent_id",
    "status",
    "type",
    "contact_id",
    "contact_created_date",
    "contact_identifier",
    "contact_type",
    "phone_id",
    "created_date",
    "recording_url",
    "start_time",
    "end_time",
    "duration",
    "end_reason",
];

fn values(call: &Call) -> [String; 15] {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    fn or_empty(value: Option<impl ToString>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let contact = &call.contact;
    [
        call.id.to_string(),
        or_empty(call.agent_id),
        call.status.to_string(),
        call.type_.to_string(),
        contact.id.to_string(),
        time(contact.created_date),
        contact.identifier.clone(),
        contact.contact_type.to_string(),
        or_empty(call.phone_id),
        time(call.created_date),
        or_empty(call.recording_url.as_ref()),
        or_empty(call.start_time.map(time)),
        or_empty(call.end_time.map(time)),
        or_empty(call.duration),
        or_empty(call.end_reason.as_ref()),
    ]
}

fn csv_record(values: impl IntoIterator<Item = impl AsRef<[u8]>>) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(values)?;
    writer.into_inner().map_err(|error| error.into_error())
}
