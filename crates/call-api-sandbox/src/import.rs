//! Import of many calls into a database.

use std::io::{self, BufRead, Read};
use std::path::Path;

use call_api_types::Call;

use crate::call_json::CallJson;
use crate::store::Sqlite;
use crate::{DEFAULT_TENANT, Sandbox};

/// The maximum length of a line, in bytes.
const MAX_LINE: u64 = 1 << 20;

/// Begins files that editors of Windows write.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A line that is not a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
#[non_exhaustive]
pub struct InvalidLine {
    /// The line's number, from 1.
    pub line: u64,
    /// The reason.
    pub reason: String,
}

/// The progress of an [`import`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes read.
    pub bytes: u64,
    /// Lines read.
    pub lines: u64,
    /// Lines that are not calls.
    pub invalid: u64,
}

/// Imports calls from JSON lines into a database for [`SandboxBuilder::database`](crate::SandboxBuilder::database), one
/// call per line. A call replaces the tenant's call with the same id. Input is streamed, so it may have any length. Empty
/// lines are ignored.
///
/// `invalid` is invoked with each line that is not a call of the API document. If it returns an error, the import fails;
/// otherwise the line is skipped. The import is atomic: if it fails, no call is imported.
///
/// `progress` runs after each line.
///
/// Returns the number of imported calls.
///
/// # Errors
/// The error of `invalid`, or an I/O error of the input or the database.
pub fn import(
    database: &Path,
    tenant: &str,
    mut lines: impl BufRead,
    mut invalid: impl FnMut(InvalidLine) -> io::Result<()>,
    mut progress: impl FnMut(Progress),
) -> io::Result<u64> {
    let file = Sqlite::open(database)?;
    // The sandbox's greeting names the example call, so a new database has it too.
    if file.is_new() {
        file.put(
            file.tenant(DEFAULT_TENANT)?,
            CallJson::from(&Sandbox::example_call()),
            None,
        )?;
    }
    let tenant = file.tenant(tenant)?;
    let mut done = Progress::default();
    let mut line = Vec::new();
    file.put_all(tenant, || {
        loop {
            line.clear();
            let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? as u64;
            if read == 0 {
                return Ok(None);
            }
            done.bytes += read;
            done.lines += 1;
            if done.lines == 1 && line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
            let call = if line.trim_ascii().is_empty() {
                Ok(None)
            } else if read == MAX_LINE && line.last() != Some(&b'\n') {
                done.bytes += skip_line(&mut lines)?;
                Err(format!("longer than {MAX_LINE} bytes"))
            } else {
                parse(&line).map(Some)
            };
            if call.is_err() {
                done.invalid += 1;
            }
            progress(done);
            match call {
                Ok(None) => {}
                Ok(call) => return Ok(call),
                Err(reason) => invalid(InvalidLine {
                    line: done.lines,
                    reason,
                })?,
            }
        }
    })
}

fn parse(line: &[u8]) -> Result<CallJson, String> {
    let text = str::from_utf8(line).map_err(|error| error.to_string())?;
    let call: Call = serde_json::from_str(text).map_err(|error| {
        // Each line is parsed on its own, so serde_json's line number is always 1.
        let reason = error.to_string();
        match reason.rsplit_once(" at line 1 column ") {
            Some((reason, column)) => format!("{reason}, at column {column}"),
            None => reason,
        }
    })?;
    Ok(CallJson::checked(call.id, text))
}

/// Skips the rest of the line. Returns the number of bytes skipped.
fn skip_line(lines: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = lines.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let read = end.map_or(buffer.len(), |end| end + 1);
        lines.consume(read);
        skipped += read as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn invalid_lines_are_reported_by_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.sqlite");
        let json = |id| {
            let mut call = Sandbox::example_call();
            call.id = uuid::Uuid::from_u128(id);
            serde_json::to_string(&call).unwrap()
        };
        let long = "x".repeat(3 << 20);
        let [other, third] = [json(4), json(5)];
        let lines = format!("{third}\n\n  \r\n{{}}\n{long}\n{other}\r\nnull\n{third}");
        let run = |stop: bool| {
            let (mut invalid, mut last) = (Vec::new(), Progress::default());
            let count = import(
                &path,
                "default",
                lines.as_bytes(),
                |line| {
                    invalid.push(line.to_string());
                    if stop {
                        Err(io::Error::other(line))
                    } else {
                        Ok(())
                    }
                },
                |progress| last = progress,
            );
            (count.map_err(|error| error.to_string()), invalid, last)
        };
        let served = || {
            let store = Store::Sqlite(Sqlite::open(&path).unwrap());
            let tenant = store.tenant("default").unwrap();
            store.list(tenant, None, 9).unwrap().len()
        };

        let reason = serde_json::from_str::<Call>("{}").unwrap_err().to_string();
        let reason = reason.replace(" at line 1 column", ", at column");
        let first_invalid = format!("line 4: {reason}");
        let (count, invalid, _) = run(true);
        assert_eq!(count, Err(first_invalid.clone()));
        assert_eq!(invalid, [&*first_invalid]);
        assert_eq!(served(), 1, "a failed import changed the database");

        let (count, invalid, last) = run(false);
        assert_eq!(count, Ok(3));
        assert_eq!(
            invalid,
            [
                &*first_invalid,
                "line 5: longer than 1048576 bytes",
                "line 7: invalid type: null, expected struct Call, at column 4",
            ]
        );
        let bytes = lines.len() as u64;
        assert_eq!(
            last,
            Progress {
                bytes,
                lines: 8,
                invalid: 3
            }
        );
        assert_eq!(served(), 3);
    }
}
