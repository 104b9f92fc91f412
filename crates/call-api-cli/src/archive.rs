//! A folder of recordings: each is kept exactly once, and a manifest has the outcome for each call.
//!
//! The manifest is the only state. A recording is complete when its line is in the manifest; a file without one, as a killed
//! run leaves it, is downloaded again.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use call_api::chrono::{DateTime, SecondsFormat, Utc};
use call_api::{Call, Client, Recording, Uuid};
use serde::{Deserialize, Serialize};

use crate::error::{CliError, ErrorClass};
use crate::recording::DOWNLOAD_LIMIT;
use crate::state_file::{Part, StateFile};

/// The name of the manifest.
const MANIFEST: &str = "manifest.jsonl";

/// The maximum length of a line of the manifest, in bytes.
const MAX_LINE: u64 = 1 << 16;

/// The advice for a folder that cannot be used.
const OTHER_FOLDER: &str = "use another folder";

/// The folder, open for one run at a time.
#[derive(Debug)]
pub(crate) struct Archive {
    folder: PathBuf,
    /// The time after the end of a call in which its recording may become available.
    wait: Duration,
    manifest: StateFile,
    /// The recordings that are complete, and the calls that have none.
    kept: HashSet<Uuid>,
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

/// The outcome for a recording.
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
        fs::create_dir_all(folder)
            .map_err(|error| CliError::cannot_write(folder, error, OTHER_FOLDER))?;
        let manifest = StateFile::open(&folder.join(MANIFEST), OTHER_FOLDER)?;
        let mut entries = HashMap::new();
        let foreign = "is not a line of a manifest; use another folder";
        manifest.resume(MAX_LINE, foreign, |line| {
            if !line.ends_with(b"\n") {
                let mut pairs = line.iter().zip(b"{\"id\":");
                return Part::incomplete(pairs.all(|(found, expected)| found == expected));
            }
            let Ok(entry) = serde_json::from_slice::<Entry>(line) else {
                return Part::Foreign;
            };
            entries.insert(entry.id, entry);
            Part::Record
        })?;
        let is_kept = |entry: &Entry| match (entry.outcome, &entry.file) {
            (Outcome::Absent, _) => true,
            (Outcome::Saved, Some(file)) => {
                let metadata = fs::metadata(folder.join(file));
                metadata.is_ok_and(|metadata| Some(metadata.len()) == entry.size)
            }
            _ => false,
        };
        let kept = entries.into_values().filter(is_kept);
        Ok(Self {
            folder: folder.to_owned(),
            wait,
            manifest,
            kept: kept.map(|entry| entry.id).collect(),
        })
    }

    /// Returns true if the recording of a call is complete, or the call has none.
    pub(crate) fn has(&self, id: Uuid) -> bool {
        self.kept.contains(&id)
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

    fn write(&self, entry: &Entry) -> Result<(), CliError> {
        let line = serde_json::to_string(entry).map_err(|error| {
            CliError::cannot_write(&self.folder.join(MANIFEST), error, OTHER_FOLDER)
        })?;
        self.manifest.append(format!("{line}\n").as_bytes())
    }

    /// Flushes the manifest to the disk.
    pub(crate) fn finish(&self) -> Result<(), CliError> {
        self.manifest.finish()
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

fn cannot_read(path: &Path, error: &io::Error) -> CliError {
    let message = format!(
        "cannot read {}: {error}; check its permissions",
        path.display()
    );
    CliError::new(ErrorClass::Failed, message)
}
