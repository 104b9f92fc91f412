//! The manifest of a folder: a file with a line for each call.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use call_api::Uuid;

use super::entry::{Entry, Outcome};
use crate::error::CliError;
use crate::state_file::{Part, StateFile};

/// The name of the file.
const NAME: &str = "manifest.jsonl";

/// The maximum length of a line, in bytes.
const MAX_LINE: u64 = 1 << 16;

/// The advice for a folder that cannot be used.
const OTHER_FOLDER: &str = "use another folder";

/// The manifest, open for one run at a time.
#[derive(Debug)]
pub(super) struct Manifest {
    path: PathBuf,
    file: StateFile,
}

impl Manifest {
    /// Opens the manifest of a folder, which is created if it does not exist. Also returns the calls whose recording is
    /// complete, or that have none.
    pub(super) fn open(folder: &Path) -> Result<(Self, HashSet<Uuid>), CliError> {
        fs::create_dir_all(folder).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                CliError::cannot_write(folder, "it is not a folder", OTHER_FOLDER)
            }
            _ => CliError::cannot_write(folder, error, OTHER_FOLDER),
        })?;
        let path = folder.join(NAME);
        let file = StateFile::open(&path, OTHER_FOLDER)?;
        let mut entries = HashMap::new();
        let foreign = "is not a line of a manifest; use another folder";
        file.resume(MAX_LINE, foreign, |line| {
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
        Ok((Self { path, file }, kept.map(|entry| entry.id).collect()))
    }

    pub(super) fn append(&self, entry: &Entry) -> Result<(), CliError> {
        let line = entry
            .to_line()
            .map_err(|error| CliError::cannot_write(&self.path, error, OTHER_FOLDER))?;
        self.file.append(line.as_bytes())
    }

    /// Flushes the manifest to the disk.
    pub(super) fn finish(&self) -> Result<(), CliError> {
        self.file.finish()
    }
}
