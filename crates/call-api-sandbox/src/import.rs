//! Many calls at once.

use std::io::{self, BufRead, Read};
use std::path::Path;

use call_api_types::Call;

use crate::document::Document;
use crate::store::Sqlite;
use crate::{DEFAULT_TENANT, example_document};

/// The longest line that is read: no call is as long.
const LONGEST: u64 = 1 << 20;

/// A line that holds no call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
#[non_exhaustive]
pub struct BadLine {
    /// The line's number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

/// How far an [`import`] has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The bytes that were read.
    pub bytes: u64,
    /// The lines that were read.
    pub lines: u64,
    /// The lines of them that held no call.
    pub bad: u64,
}

/// Takes calls from JSON lines into a file that [`SandboxBuilder::database`](crate::SandboxBuilder::database) serves: one
/// call a line, in place of the tenant's one with its id. The lines are read one by one, so that there may be any number
/// of them. Empty ones are none.
///
/// Each line that holds no call of the API's document is given to `bad`, which says whether to go on without it. Either
/// all other calls are taken in, or, where `bad` or reading fails, none.
///
/// `progress` is called after each line.
///
/// Returns the number of calls.
///
/// # Errors
/// What `bad` says, and what the system says to reading or to the file.
pub fn import(
    database: &Path,
    tenant: &str,
    mut lines: impl BufRead,
    mut bad: impl FnMut(BadLine) -> io::Result<()>,
    mut progress: impl FnMut(Progress),
) -> io::Result<u64> {
    let file = Sqlite::open(database)?;
    // What the sandbox says to ask for is there, as in a file that it makes.
    if file.is_new() {
        file.put(file.tenant(DEFAULT_TENANT)?, example_document(), None)?;
    }
    let tenant = file.tenant(tenant)?;
    let mut done = Progress::default();
    let mut line = Vec::new();
    file.put_all(tenant, || {
        loop {
            line.clear();
            let read = lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)? as u64;
            if read == 0 {
                return Ok(None);
            }
            done.bytes += read;
            done.lines += 1;
            let call = if line.trim_ascii().is_empty() {
                Ok(None)
            } else if read == LONGEST && line.last() != Some(&b'\n') {
                done.bytes += skip_line(&mut lines)?;
                Err(format!("it has more than {LONGEST} bytes"))
            } else {
                parse(&line).map(Some)
            };
            if call.is_err() {
                done.bad += 1;
            }
            progress(done);
            match call {
                Ok(None) => {}
                Ok(call) => return Ok(call),
                Err(why) => bad(BadLine {
                    line: done.lines,
                    why,
                })?,
            }
        }
    })
}

fn parse(line: &[u8]) -> Result<Document, String> {
    let text = str::from_utf8(line).map_err(|error| error.to_string())?;
    let call: Call = serde_json::from_str(text).map_err(|error| {
        // Of what was read as lines, the line in the message would always be the first.
        let why = error.to_string();
        match why.rsplit_once(" at line 1 column ") {
            Some((why, column)) => format!("{why}, at column {column}"),
            None => why,
        }
    })?;
    Ok(Document::checked(call.id, text))
}

/// Reads to the end of the line, and says how much that was.
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
    fn lines_become_calls_and_bad_ones_have_their_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.sqlite");
        let example: String = crate::Sandbox::EXAMPLE_JSON.split_whitespace().collect();
        let long = "x".repeat(3 << 20);
        let [other, third] = ["4c", "5c"]
            .map(|start| example.replacen("\"id\":\"3c", &format!("\"id\":\"{start}"), 1));
        let lines = format!("{third}\n\n  \r\n{{}}\n{long}\n{other}\r\nnull\n{third}");
        let run = |stop: bool| {
            let (mut bad, mut last) = (Vec::new(), Progress::default());
            let count = import(
                &path,
                "default",
                lines.as_bytes(),
                |line| {
                    bad.push(line.to_string());
                    if stop {
                        Err(io::Error::other(line))
                    } else {
                        Ok(())
                    }
                },
                |progress| last = progress,
            );
            (count.map_err(|error| error.to_string()), bad, last)
        };
        let served = || {
            let store = Store::Sqlite(Sqlite::open(&path).unwrap());
            let tenant = store.tenant("default").unwrap();
            store.list(tenant, None, 9).unwrap().len()
        };

        let first_bad = "line 4: missing field `id`, at column 2";
        let (count, bad, _) = run(true);
        assert_eq!(count, Err(first_bad.to_owned()));
        assert_eq!(bad, [first_bad]);
        assert_eq!(served(), 1, "the example only: all of them or none");

        let (count, bad, last) = run(false);
        assert_eq!(count, Ok(3));
        assert_eq!(
            bad,
            [
                first_bad,
                "line 5: it has more than 1048576 bytes",
                "line 7: invalid type: null, expected struct Call, at column 4",
            ]
        );
        let bytes = lines.len() as u64;
        assert_eq!(
            last,
            Progress {
                bytes,
                lines: 8,
                bad: 3
            }
        );
        assert_eq!(served(), 3);
    }
}
