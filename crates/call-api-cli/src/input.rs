//! The inputs of commands: files, or standard input.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::error::{CliError, ErrorClass};

/// Returns true if a path stands for standard input or output.
pub(crate) fn is_dash(path: impl AsRef<OsStr>) -> bool {
    path.as_ref() == "-"
}

/// Opens a file, or standard input if the path is `-`. An error names the input by `content`, such as "the ids".
pub(crate) fn open(path: &Path, content: &str) -> Result<Box<dyn BufRead>, CliError> {
    if is_dash(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    let failed = |error: io::Error| unreadable(path, content, &error);
    // Before opening, which would block on a pipe.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        let message = format!(
            "cannot read {content} in {}: it is not a regular file; use `-` and redirect it to standard input",
            path.display()
        );
        return Err(CliError::new(ErrorClass::Failed, message));
    }
    Ok(Box::new(BufReader::new(File::open(path).map_err(failed)?)))
}

/// Returns the error for an input that cannot be read.
pub(crate) fn unreadable(path: &Path, content: &str, error: &io::Error) -> CliError {
    let message = format!(
        "cannot read {content} in {}: {error}; check that the file exists and is readable",
        path.display()
    );
    CliError::new(ErrorClass::Failed, message)
}
