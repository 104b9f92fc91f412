//! A folder of recordings: each is kept exactly once, and a manifest says what became of each call.
//!
//! The manifest is the only state. A recording is complete when its line is in the manifest; a file without one, as a killed
//! run leaves it, is downloaded again.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use call_api::chrono::{DateTime, SecondsFormat, Utc};
use call_api::{Call, Client, Recording, Uuid};
use serde::{Deserialize, Serialize};

use crate::error::{CliError, ErrorClass};
use crate::recording::DOWNLOAD_LIMIT;

/// The name of the manifest.
const MANIFEST: &str = "manifest.jsonl";

/// The maximum length of a line of the manifest, in bytes.
const MAX_LINE: u64 = 1 << 16;

/// The folder, open for one run at a time.
#[derive(Debug)]
pub(crate) struct Archive {
    folder: PathBuf,
    /// How long after the end of a call its recording may become available.
    wait: Duration,
    manifest: Mutex<File>,
    /// The recordings that are complete, and the calls that have none.
    kept: HashMap<Uuid, Entry>,
}

/// A line of the manifest. The last one of a call counts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Entry {
    id: Uuid,
    outcome: Outcome,
    /// The name of the file in the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// The class of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The time in UTC.
    at: String,
}

/// What became of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The file is complete.
    Saved,
    /// The call has ended without a recording.
    Absent,
    /// It was not downloaded; the next run tries again.
    Failed,
}

impl Entry {
    fn new(id: Uuid, outcome: Outcome) -> Self {
        let now = DateTime::<Utc>::from(SystemTime::now());
        Self {
            id,
            outcome,
            file: None,
            size: None,
            sha256: None,
            etag: None,
            media_type: None,
            error: None,
            at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }
}

impl Archive {
    /// Opens a folder, which is created if it does not exist, and reads its manifest.
    pub(crate) fn open(folder: &Path, wait: Duration) -> Result<Self, CliError> {
        let path = folder.join(MANIFEST);
        let failed = |error: io::Error| cannot_write(&path, &error);
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(failed(io::Error::other("it is not a regular file")));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut manifest = options.open(&path).map_err(failed)?;
        match manifest.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!(
                    "another run is writing {}; wait for it, or use another folder",
                    folder.display()
                );
                return Err(CliError::new(ErrorClass::Failed, message));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let (entries, length) = read(&manifest, &path)?;
        // Removes an incomplete line, as a killed run leaves it.
        manifest.set_len(length).map_err(failed)?;
        manifest.seek(SeekFrom::Start(length)).map_err(failed)?;
        let is_kept = |entry: &Entry| match (entry.outcome, &entry.file) {
            (Outcome::Absent, _) => true,
            (Outcome::Saved, Some(file)) => {
                let metadata = fs::metadata(folder.join(file));
                metadata.is_ok_and(|metadata| Some(metadata.len()) == entry.size)
            }
            _ => false,
        };
        let entries = entries.into_iter().map(|entry| (entry.id, entry));
        let mut kept: HashMap<_, _> = entries.collect();
        kept.retain(|_, entry| is_kept(entry));
        Ok(Self {
            folder: folder.to_owned(),
            wait,
            manifest: Mutex::new(manifest),
            kept,
        })
    }

    /// Returns true if the recording of a call is complete, or the call has none.
    pub(crate) fn has(&self, id: Uuid) -> bool {
        self.kept.contains_key(&id)
    }

    /// Downloads the recording of a call, unless it is complete.
    pub(crate) async fn save(&self, client: &Client, call: &Call) -> Result<(), CliError> {
        if self.has(call.id) {
            return Ok(());
        }
        let result = self.download(client, call).await;
        let entry = match &result {
            Ok(entry) => entry.clone(),
            Err(failure) => Entry {
                error: Some(failure.class().name().to_owned()),
                ..Entry::new(call.id, Outcome::Failed)
            },
        };
        self.write(&entry)?;
        result.map(|_| ())
    }

    async fn download(&self, client: &Client, call: &Call) -> Result<Entry, CliError> {
        let request = client
            .recording(call)
            .ready_timeout(self.wait)
            .deadline(self.wait.saturating_add(DOWNLOAD_LIMIT));
        let recording = request.to_folder(&self.folder).await;
        match recording.map_err(|error| CliError::from(error).for_call(call.id))? {
            Recording::Saved(saved) => {
                let path = saved.path.unwrap_or_default();
                let digest = sha256(path.clone()).await;
                Ok(Entry {
                    file: path
                        .file_name()
                        .map(|name| name.to_string_lossy().into_owned()),
                    size: Some(saved.bytes),
                    sha256: Some(digest.map_err(|error| cannot_read(&path, &error))?),
                    etag: saved.etag,
                    media_type: saved.media_type,
                    ..Entry::new(call.id, Outcome::Saved)
                })
            }
            Recording::Absent(call) => Ok(Entry::new(call.id, Outcome::Absent)),
            _ => {
                let message = format!(
                    "call {} has not ended; run the command again later",
                    call.id
                );
                Err(CliError::new(ErrorClass::Timeout, message).for_call(call.id))
            }
        }
    }

    /// Appends a line. It is not buffered, so it survives a kill.
    fn write(&self, entry: &Entry) -> Result<(), CliError> {
        let path = self.folder.join(MANIFEST);
        let line = serde_json::to_string(entry).map_err(io::Error::from);
        let mut manifest = self.manifest.lock().unwrap_or_else(PoisonError::into_inner);
        line.and_then(|line| manifest.write_all(format!("{line}\n").as_bytes()))
            .map_err(|error| cannot_write(&path, &error))
    }

    /// Flushes the manifest to the disk.
    pub(crate) fn finish(&self) -> Result<(), CliError> {
        let manifest = self.manifest.lock().unwrap_or_else(PoisonError::into_inner);
        let synced = manifest.sync_all();
        synced.map_err(|error| cannot_write(&self.folder.join(MANIFEST), &error))
    }
}

/// Returns the entries, and the end of the last complete line.
fn read(manifest: &File, path: &Path) -> Result<(Vec<Entry>, u64), CliError> {
    let mut reader = BufReader::new(manifest);
    let (mut entries, mut length) = (Vec::new(), 0);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(MAX_LINE);
        let read = limited.read_until(b'\n', &mut line);
        let read = read.map_err(|error| cannot_read(path, &error))? as u64;
        let is_start = line
            .iter()
            .zip(b"{\"id\":")
            .all(|(found, expected)| found == expected);
        if read == 0 || (read < MAX_LINE && !line.ends_with(b"\n") && is_start) {
            return Ok((entries, length));
        }
        let Ok(entry) = serde_json::from_slice(&line) else {
            let message = format!(
                "{}:{} is not a line of a manifest; use another folder",
                path.display(),
                entries.len() + 1
            );
            return Err(CliError::new(ErrorClass::Failed, message));
        };
        entries.push(entry);
        length += read;
    }
}

/// Returns the SHA-256 of a file in hexadecimal digits.
async fn sha256(path: PathBuf) -> io::Result<String> {
    let digest = tokio::task::spawn_blocking(move || {
        let mut file = File::open(path)?;
        let (mut hash, mut buffer) = (hmac_sha256::Hash::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer)? {
                0 => return io::Result::Ok(hash.finalize()),
                read => hash.update(&buffer[..read]),
            }
        }
    });
    let digest = digest.await.map_err(io::Error::other)??;
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn cannot_write(path: &Path, error: &io::Error) -> CliError {
    let message = format!(
        "cannot write {}: {error}; free some space, or use another folder",
        path.display()
    );
    CliError::new(ErrorClass::Failed, message)
}

fn cannot_read(path: &Path, error: &io::Error) -> CliError {
    let message = format!(
        "cannot read {}: {error}; check its permissions",
        path.display()
    );
    CliError::new(ErrorClass::Failed, message)
}
