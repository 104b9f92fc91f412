//! The destination of a recording: a file, a folder, standard output, a device or a pipe.

use std::fs::{self, FileType};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use call_api::Uuid;

use crate::error::{CliError, ErrorClass};
use crate::input;

/// The destination of a recording.
#[derive(Debug)]
pub(crate) enum Destination {
    StandardOutput,
    /// A regular file that is created or replaced.
    File(PathBuf),
    /// A folder, for a file named after the call's id.
    Folder(PathBuf),
    /// A device or a pipe, which must be written to directly: a file renamed onto its path would replace it.
    Stream(PathBuf),
}

impl Destination {
    /// Inspects a path. Follows links, so that a link is never replaced by a file. Errors if an existing file would be
    /// replaced without `force` or the consent of the user.
    pub(crate) fn inspect(path: &Path, id: Uuid, force: bool) -> Result<Self, CliError> {
        if input::is_dash(path) {
            return Ok(Self::StandardOutput);
        }
        let file_type = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().unwrap_or(Path::new(""));
                if !folder.as_os_str().is_empty() && !folder.is_dir() {
                    let remedy = "create the folder, or use another file";
                    return Err(CliError::cannot_write(
                        path,
                        "its folder does not exist",
                        remedy,
                    ));
                }
                return Ok(Self::File(path.to_owned()));
            }
            result => result
                .map_err(|error| cannot_write(path, error))?
                .file_type(),
        };
        if file_type.is_symlink() {
            let target = fs::metadata(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => cannot_write(path, "it is a link to nothing"),
                _ => cannot_write(path, error),
            })?;
            // The pipe that standard output may be has no path but the link.
            if !target.is_file() && !target.is_dir() && !is_socket(target.file_type()) {
                return Ok(Self::Stream(path.to_owned()));
            }
            let target = fs::canonicalize(path).map_err(|error| cannot_write(path, error))?;
            return Self::inspect(&target, id, force);
        }
        if file_type.is_dir() {
            if let Some(existing) = recording_in(path, id) {
                confirm(&existing, force)?;
            }
            return Ok(Self::Folder(path.to_owned()));
        }
        if file_type.is_file() {
            confirm(path, force)?;
            return Ok(Self::File(path.to_owned()));
        }
        if is_socket(file_type) {
            return Err(cannot_write(path, "it is a socket"));
        }
        Ok(Self::Stream(path.to_owned()))
    }
}

fn cannot_write(path: &Path, why: impl std::fmt::Display) -> CliError {
    CliError::cannot_write(path, why, "use another file")
}

#[cfg(unix)]
fn is_socket(file_type: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&file_type)
}

#[cfg(not(unix))]
fn is_socket(_: FileType) -> bool {
    false
}

/// Returns a complete recording of the call in a folder. Its extension depends on the media type, which is not known yet.
fn recording_in(folder: &Path, id: Uuid) -> Option<PathBuf> {
    let id = id.to_string();
    let entries = fs::read_dir(folder).ok()?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| {
        path.file_stem().is_some_and(|stem| stem == id.as_str())
            && path.extension().is_none_or(|extension| extension != "part")
    })
}

/// Errors unless an existing file may be replaced. Asks on a terminal.
fn confirm(path: &Path, force: bool) -> Result<(), CliError> {
    if force {
        return Ok(());
    }
    let path = path.display();
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        let mut answer = String::new();
        let asked = write!(io::stderr(), "{path} exists. Replace it? [y/N] ");
        if asked
            .and_then(|()| io::stdin().read_line(&mut answer))
            .is_ok()
            && matches!(answer.trim(), "y" | "Y" | "yes")
        {
            return Ok(());
        }
    }
    Err(CliError::new(
        ErrorClass::Failed,
        format!("{path} exists; use --force to replace it, or another file"),
    ))
}
