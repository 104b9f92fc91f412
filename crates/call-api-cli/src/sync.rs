//! `sync`: fetches many calls into a file, and goes on where it was stopped.
//!
//! The file is all that is known of what was done: an id is done when its whole record is there. So nothing that ends the
//! program loses a call or writes one twice; at worst the last record is cut, which the next run takes away.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek as _, SeekFrom, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use call_api::chrono::{DateTime, SecondsFormat, Utc};
use call_api::{Call, Client, Uuid};
use clap::{Args, ValueEnum, ValueHint};
use serde::{Deserialize, Serialize};

use crate::failure::{Class, End, Failure, Tally, asked_for};
use crate::ui::Ui;

/// After so many failures in a row that are not one id's own, it is the service that fails.
const IN_A_ROW: u32 = 50;

/// What to fetch, and where to.
#[derive(Args, Debug)]
pub(crate) struct Plan {
    /// The ids of the calls, one a line; `-` is standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ids: PathBuf,
    /// The file for the calls; what it has already is not fetched again
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: PathBuf,
    /// The form of the file [default: csv for a name that ends so, jsonl otherwise]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Records>,
    /// Fetch so many calls at a time
    #[arg(long, value_name = "NUMBER", default_value = "8")]
    jobs: NonZeroUsize,
}

/// The form of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Records {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values, with a header
    Csv,
}

/// What was found and opened before the first request.
#[derive(Debug)]
pub(crate) struct Sync {
    /// The ids without a record, each once.
    missing: Vec<Uuid>,
    /// How many have one.
    there: usize,
    out: Out,
    jobs: NonZeroUsize,
}

impl Sync {
    /// Reads the ids and the file as it is.
    pub(crate) fn prepare(plan: &Plan) -> Result<Self, Failure> {
        let ids = read_ids(&plan.ids)?;
        let is_csv = plan
            .out
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let records = plan
            .format
            .unwrap_or(if is_csv { Records::Csv } else { Records::Jsonl });
        let (out, done) = Out::open(&plan.out, records)?;
        let mut asked = HashSet::new();
        let (there, missing): (Vec<_>, Vec<_>) = ids
            .into_iter()
            .filter(|id| asked.insert(*id))
            .partition(|id| done.contains(id));
        let there = there.len();
        Ok(Self {
            missing,
            there,
            out,
            jobs: plan.jobs,
        })
    }

    /// Fetches what is missing.
    pub(crate) async fn run(mut self, client: &Client, ui: &Ui) -> Result<(), End> {
        let total = self.there + self.missing.len();
        let bar = ui.bar(total, self.there);
        let (mut fetched, mut in_a_row) = (0_usize, 0);
        let mut failures = Failures::default();
        let mut calls = client
            .get_calls(self.missing)
            .concurrency(self.jobs.get())
            // Each id is there once.
            .remember(0)
            .as_they_come();
        let mut stopped = None;
        while let Some((id, result)) = calls.next().await {
            match asked_for(id, result) {
                Ok(call) => {
                    self.out.write(&call)?;
                    fetched += 1;
                    in_a_row = 0;
                }
                Err(failure) => {
                    let class = failure.class();
                    let is_the_id_s_own = matches!(
                        class,
                        Class::NotFound | Class::InvalidRequest | Class::BadResponse
                    );
                    in_a_row = if is_the_id_s_own { 0 } else { in_a_row + 1 };
                    failures.add(failure, ui);
                    bar.set_message(format!(", {} failed", failures.count()));
                    if in_a_row >= IN_A_ROW || matches!(class, Class::Refused | Class::Config) {
                        stopped = Some(class);
                        break;
                    }
                }
            }
            bar.inc(1);
        }
        drop(calls);
        bar.finish_and_clear();
        self.out.finish()?;
        failures.sum_up(total, fetched, self.there, ui);
        match stopped {
            None => failures.tally.end(),
            Some(class) => {
                ui.note(crate::STOPPED);
                Err(End::Said(class))
            }
        }
    }
}

/// What failed, and why: for each class how often, and the first of it.
#[derive(Debug, Default)]
struct Failures {
    tally: Tally,
    by_class: Vec<(Failure, usize)>,
}

impl Failures {
    fn add(&mut self, failure: Failure, ui: &Ui) {
        self.tally.add(failure.class());
        if ui.wants_each() {
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

    fn sum_up(&self, total: usize, fetched: usize, there: usize, ui: &Ui) {
        let failed = self.count();
        let left = total - fetched - there - failed;
        if ui.is_json() {
            let why = self.by_class.iter();
            let why = why.map(|(first, count)| (first.class().name(), *count));
            let summary = Summary {
                ids: total,
                fetched,
                there_before: there,
                failed,
                not_tried: left,
                why: why.collect(),
            };
            return ui.json("summary", &summary);
        }
        let mut parts = vec![format!("{fetched} fetched")];
        let more = [
            (there, "there before"),
            (failed, "failed"),
            (left, "not tried"),
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
                ", the first of them".to_owned()
            };
            ui.problem(format_args!(
                "{count} × {}{of}: {first}",
                first.class().name()
            ));
        }
    }
}

/// The summary for scripts.
#[derive(Debug, Serialize)]
struct Summary {
    ids: usize,
    fetched: usize,
    there_before: usize,
    failed: usize,
    not_tried: usize,
    /// How often which class.
    why: BTreeMap<&'static str, usize>,
}

/// Each line an id; empty ones and those that begin with `#` are left out.
fn read_ids(path: &Path) -> Result<Vec<Uuid>, Failure> {
    let unreadable = |error: io::Error| {
        Failure::new(
            Class::Failed,
            format!(
                "the ids in {} cannot be read: {error}; check that the file exists and who may read it",
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
            Failure::usage(format!(
                "{}:{number}: {:?} is no UUID; write one id of a call on each line",
                path.display(),
                line.chars().take(40).collect::<String>()
            ))
        })?;
        ids.push(id);
    }
    Ok(ids)
}

/// The file that is written.
#[derive(Debug)]
struct Out {
    file: File,
    path: PathBuf,
    records: Records,
}

impl Out {
    /// Opens it, takes away a record that was cut, and says which ids it has.
    fn open(path: &Path, records: Records) -> Result<(Self, HashSet<Uuid>), Failure> {
        let failed = |error: io::Error| {
            Failure::new(
                Class::Failed,
                format!(
                    "{} cannot be written: {error}; give another file with --out",
                    path.display()
                ),
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
                return Err(Failure::new(
                    Class::Failed,
                    format!(
                        "another sync writes {}; wait for it, or give another file with --out",
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
        if length == 0 && records == Records::Csv {
            out.file
                .write_all(&csv_record(COLUMNS).map_err(failed)?)
                .map_err(failed)?;
        }
        Ok((out, done))
    }

    /// The ids of the records in it, and where the last whole one ends.
    fn scan(&mut self) -> Result<(HashSet<Uuid>, u64), Failure> {
        let failed = |error: io::Error, path: &Path| {
            Failure::new(
                Class::Failed,
                format!(
                    "{} cannot be read: {error}; give another file with --out",
                    path.display()
                ),
            )
        };
        let mut reader = BufReader::new(&self.file);
        let (mut done, mut length, mut number) = (HashSet::new(), 0, 0);
        let mut record = Vec::new();
        loop {
            // The end of a line in quotes is not that of a record.
            let read = reader
                .read_until(b'\n', &mut record)
                .map_err(|error| failed(error, &self.path))?;
            number += 1;
            let is_header = length == 0 && self.records == Records::Csv;
            if read == 0 || !record.ends_with(b"\n") {
                if !self.records.is_cut(&record, is_header) {
                    return Err(self.is_of_another(number));
                }
                return Ok((done, length));
            }
            let quotes = record.iter().filter(|byte| **byte == b'"').count();
            if self.records == Records::Csv && quotes % 2 == 1 {
                continue;
            }
            let id = match is_header {
                true => (record == csv_record(COLUMNS).unwrap_or_default()).then_some(None),
                false => self.records.id(&record).map(Some),
            };
            let Some(id) = id else {
                return Err(self.is_of_another(number));
            };
            done.extend(id);
            length += record.len() as u64;
            record.clear();
        }
    }

    /// It has a line that no sync wrote, and is left as it is.
    fn is_of_another(&self, line: usize) -> Failure {
        Failure::new(
            Class::Failed,
            format!(
                "{}:{line} is no record of a sync to {}; give another file with --out, or the --format that it has",
                self.path.display(),
                self.records.name()
            ),
        )
    }

    /// Adds a call, at once: what was written is there even when the program is killed.
    fn write(&mut self, call: &Call) -> Result<(), Failure> {
        let record = match self.records {
            Records::Jsonl => json_record(call),
            Records::Csv => csv_record(values(call)),
        };
        record
            .and_then(|record| self.file.write_all(&record))
            .map_err(|error| self.failed(&error))
    }

    /// Waits until it is on the disk.
    fn finish(&mut self) -> Result<(), Failure> {
        self.file.sync_all().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::new(
            Class::Failed,
            format!(
                "{} cannot be written: {error}; make room, and run the same command again to go on",
                self.path.display()
            ),
        )
    }
}

impl Records {
    fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "JSON lines",
            Self::Csv => "CSV",
        }
    }

    /// Whether it is the beginning of a record, or of the header: what a sync that was killed leaves. Anything else at the
    /// end of the file is not for it to take away.
    fn is_cut(self, end: &[u8], is_header: bool) -> bool {
        let begins = |whole: &[u8]| end.iter().zip(whole).all(|(is, should)| is == should);
        match self {
            Self::Jsonl => begins(br#"{"id":""#),
            Self::Csv if is_header => csv_record(COLUMNS).is_ok_and(|header| begins(&header)),
            Self::Csv => {
                let mut id = end.iter().take(36);
                id.all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
            }
        }
    }

    /// The id of a record.
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

/// The id comes first: it is what a record is known by.
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
