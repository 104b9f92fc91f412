//! Files that a run appends records to, and that a later run resumes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{CliError, ErrorClass};

/// A file of records, open for one run at a time.
#[derive(Debug)]
pub(crate) struct StateFile {
    file: File,
    path: PathBuf,
    /// The advice in errors.
    remedy: &'static str,
}

/// A part of a file: the lines after the last complete record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A complete record.
    Record,
    /// The start of a record, which continues on the next line, or which a killed run left; may be empty.
    Start,
    /// Something that no run wrote.
    Foreign,
}

impl Part {
    /// Returns the kind of a part that is not a complete record.
    pub(crate) fn incomplete(is_start: bool) -> Self {
        match is_start {
            true => Self::Start,
            false => Self::Foreign,
        }
    }
}

impl StateFile {
    /// Opens a file, which is created if it does not exist. Errors if another run has opened it.
    pub(crate) fn open(path: &Path, remedy: &'static str) -> Result<Self, CliError> {
        // Before opening, which would block on a pipe.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            let reason = "it is not a regular file";
            return Err(CliError::cannot_write(path, reason, remedy));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options
            .open(path)
            .map_err(|error| CliError::cannot_write(path, error, remedy))?;
        match file.try_lock() {
            Ok(()) => Ok(Self {
                file,
                path: path.to_owned(),
                remedy,
            }),
            Err(TryLockError::WouldBlock) => {
                let path = path.display();
                let message = format!("another run is writing {path}; wait for it, or {remedy}");
                Err(CliError::new(ErrorClass::Failed, message))
            }
            Err(TryLockError::Error(error)) => Err(CliError::cannot_write(path, error, remedy)),
        }
    }

    /// Reads the records, then removes what is incomplete at the end, as a killed run leaves it. Must precede
    /// [`append`](Self::append).
    ///
    /// `read` is given the lines after the last complete record, and again with each further line. A part that is foreign
    /// or longer than `max_record` bytes is an error, which says `foreign` of its last line; the file is left unchanged.
    pub(crate) fn resume(
        &self,
        max_record: u64,
        foreign: &str,
        mut read: impl FnMut(&[u8]) -> Part,
    ) -> Result<(), CliError> {
        let mut reader = BufReader::new(&self.file);
        let (mut record, mut complete, mut line) = (Vec::new(), 0, 0);
        loop {
            let left = (max_record + 1).saturating_sub(record.len() as u64);
            let mut limited = (&mut reader).take(left);
            let count = limited.read_until(b'\n', &mut record).map_err(|error| {
                let message = format!(
                    "cannot read {}: {error}; {}",
                    self.path.display(),
                    self.remedy
                );
                CliError::new(ErrorClass::Failed, message)
            })?;
            line += 1;
            let length = record.len() as u64;
            let part = match length > max_record {
                true => Part::Foreign,
                false => read(&record),
            };
            match part {
                Part::Record => {
                    complete += length;
                    record.clear();
                }
                Part::Start if count == 0 => break,
                Part::Start => {}
                Part::Foreign => {
                    let message = format!("{}:{line} {foreign}", self.path.display());
                    return Err(CliError::new(ErrorClass::Failed, message));
                }
            }
        }
        let cut = self.file.set_len(complete);
        cut.and_then(|()| (&self.file).seek(SeekFrom::Start(complete)))
            .map(|_| ())
            .map_err(|error| CliError::cannot_write(&self.path, error, self.remedy))
    }

    /// Appends a record. It is not buffered, so it survives a kill.
    pub(crate) fn append(&self, record: &[u8]) -> Result<(), CliError> {
        self.written((&self.file).write_all(record))
    }

    /// Flushes the file to the disk.
    pub(crate) fn finish(&self) -> Result<(), CliError> {
        self.written(self.file.sync_all())
    }

    fn written(&self, result: io::Result<()>) -> Result<(), CliError> {
        let remedy = "free some space and run the command again to resume";
        result.map_err(|error| CliError::cannot_write(&self.path, error, remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads records of two lines, each of letters.
    fn resume(text: &str) -> (Result<(), String>, Vec<String>, String) {
        let name = format!("call-api-state-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        let file = StateFile::open(&path, "use another file").unwrap();
        assert!(StateFile::open(&path, "use another file").is_err());
        let mut records = Vec::new();
        let result = file.resume(8, "is foreign", |part| {
            let text = str::from_utf8(part).unwrap();
            let is_own = text.chars().all(|c| c.is_alphabetic() || c == '\n');
            if !is_own || text.matches('\n').count() < 2 {
                return Part::incomplete(is_own);
            }
            records.push(text.to_owned());
            Part::Record
        });
        let result = result.and_then(|()| file.append(b"new"));
        let result = result.map_err(|error| error.to_string());
        let left = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        (result, records, left)
    }

    #[test]
    fn incomplete_end_is_replaced_and_foreign_text_is_left() {
        for (text, records, left) in [
            ("", [].as_slice(), "new"),
            ("a\n", &[], "new"),
            ("a\nb\n", &["a\nb\n"], "a\nb\nnew"),
            ("a\nb\nc\nd", &["a\nb\n"], "a\nb\nnew"),
            ("abcdefg", &[], "new"),
        ] {
            let expected = (
                Ok(()),
                records.iter().map(ToString::to_string).collect(),
                left.to_owned(),
            );
            assert_eq!(resume(text), expected, "{text:?}");
        }
        for (text, line) in [
            ("1", 1),
            ("a\nb\nc\n1\n", 4),
            ("abcdefghi", 1),
            ("abcde\nfghi\n", 2),
        ] {
            let (result, _, left) = resume(text);
            let error = result.unwrap_err();
            assert!(error.ends_with(&format!(":{line} is foreign")), "{error}");
            assert_eq!(left, text);
        }
    }
}
