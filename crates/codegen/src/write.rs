//! Write or check. One function compares the plan with the disk in every mode, so the modes cannot disagree.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::plan::{MARK, Plan};
use crate::reference::PAGE_MARK;

/// The handling of differences between the plan and the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Write the planned files.
    Write,
    /// Report differences. Any difference is a failure.
    Check,
    /// Report what [`Mode::Write`] would do.
    DryRun,
}

/// The state of a file compared with the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// The content is the planned one.
    Fresh,
    /// The content differs.
    Stale,
    /// The file is planned, but does not exist.
    Missing,
    /// The file has the header of a generated file, but is not planned.
    Orphaned,
    /// The file was stale or missing and has been written.
    Written,
    /// The file was orphaned and has been removed.
    Removed,
}

impl Status {
    /// Returns the word for the report.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Fresh => "Fresh",
            Self::Stale => "Stale",
            Self::Missing => "Missing",
            Self::Orphaned => "Orphaned",
            Self::Written => "Written",
            Self::Removed => "Removed",
        }
    }

    /// Returns true if the disk differs from the plan.
    pub fn is_drift(self) -> bool {
        matches!(self, Self::Stale | Self::Missing | Self::Orphaned)
    }
}

/// A file with its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path relative to the output folder.
    pub path: PathBuf,
    /// The state.
    pub status: Status,
    /// The content on the disk and the planned content, for a stale file.
    pub texts: Option<(String, String)>,
}

/// Compares `plan` with the files below `root`, and makes them equal in [`Mode::Write`].
///
/// A fresh file is not touched. A file is written under a temporary name and renamed, so no reader sees half a file.
///
/// # Errors
/// Errors with the first file that cannot be read or written.
pub fn apply(root: &Path, plan: &Plan, mode: Mode) -> Result<Vec<Entry>, (PathBuf, io::Error)> {
    let mut entries = Vec::new();
    for output in &plan.outputs {
        let path = root.join(&output.path);
        let found = match fs::read(&path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err((output.path.clone(), error)),
        };
        let (status, texts) = match found {
            Some(found) if found == output.contents => (Status::Fresh, None),
            Some(found) => (Status::Stale, Some((found, output.contents.clone()))),
            None => (Status::Missing, None),
        };
        let status = if mode == Mode::Write && status.is_drift() {
            replace(&path, output.contents.as_bytes())
                .map_err(|error| (output.path.clone(), error))?;
            Status::Written
        } else {
            status
        };
        entries.push(Entry {
            path: output.path.clone(),
            status,
            texts,
        });
    }
    let planned: BTreeSet<_> = plan
        .outputs
        .iter()
        .map(|output| root.join(&output.path))
        .collect();
    for owned in &plan.owned {
        for path in generated_files(&root.join(owned)).map_err(|error| (owned.clone(), error))? {
            if planned.contains(&path) {
                continue;
            }
            let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
            let status = if mode == Mode::Write {
                fs::remove_file(&path).map_err(|error| (relative.clone(), error))?;
                Status::Removed
            } else {
                Status::Orphaned
            };
            entries.push(Entry {
                path: relative,
                status,
                texts: None,
            });
        }
    }
    Ok(entries)
}

/// Writes a file atomically: under a temporary name that is then renamed.
fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    temporary(folder, path, contents)?.persist(path)?;
    Ok(())
}

/// Writes what shall replace the file at `path` under a temporary name in `folder`.
pub(crate) fn temporary(folder: &Path, path: &Path, contents: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(".codegen-")
        .tempfile_in(folder)?;
    file.write_all(contents)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Temporary files are readable by their owner only.
        let mode = fs::metadata(path).map_or(0o644, |metadata| metadata.permissions().mode());
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(mode))?;
    }
    Ok(file)
}

/// Returns the sources and pages below `folder` whose first line says that they are generated, sorted.
fn generated_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if entry.file_name() != "target" {
                    folders.push(path);
                }
                continue;
            }
            let mark = match path.extension().and_then(OsStr::to_str) {
                Some("rs") => MARK,
                Some("md") => PAGE_MARK,
                _ => continue,
            };
            if kind.is_file() && fs::read(&path)?.starts_with(mark.as_bytes()) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Output;

    fn plan() -> Plan {
        let output = |path: &str| Output {
            path: path.into(),
            contents: format!("{MARK}: {path}\n"),
        };
        Plan {
            outputs: vec![output("a/src/generated.rs"), output("b/src/generated.rs")],
            owned: vec!["a".into(), "b".into()],
            ..Plan::default()
        }
    }

    fn statuses(entries: &[Entry]) -> Vec<Status> {
        entries.iter().map(|entry| entry.status).collect()
    }

    #[test]
    fn apply_write_fixes_what_check_reports() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        assert_eq!(
            statuses(&apply(root.path(), &plan(), Mode::Check).unwrap()),
            [Status::Missing, Status::Missing]
        );
        assert!(!at("a").exists(), "check writes nothing");
        assert_eq!(
            statuses(&apply(root.path(), &plan(), Mode::Write).unwrap()),
            [Status::Written, Status::Written]
        );

        fs::write(at("a/src/generated.rs"), "edited").unwrap();
        fs::write(at("b/src/old.rs"), format!("{MARK}: long ago\n")).unwrap();
        fs::write(at("b/src/lib.rs"), "//! by hand\n").unwrap();
        for mode in [Mode::Check, Mode::DryRun] {
            let entries = apply(root.path(), &plan(), mode).unwrap();
            assert_eq!(
                statuses(&entries),
                [Status::Stale, Status::Fresh, Status::Orphaned]
            );
            assert_eq!(entries[0].texts.as_ref().unwrap().0, "edited");
            assert_eq!(entries[2].path, Path::new("b/src/old.rs"));
        }
        let entries = apply(root.path(), &plan(), Mode::Write).unwrap();
        assert_eq!(
            statuses(&entries),
            [Status::Written, Status::Fresh, Status::Removed]
        );
        assert_eq!(
            statuses(&apply(root.path(), &plan(), Mode::Check).unwrap()),
            [Status::Fresh, Status::Fresh]
        );
        assert!(at("b/src/lib.rs").exists(), "hand-written files stay");
    }

    #[test]
    fn apply_fresh_file_is_not_touched() {
        let root = tempfile::tempdir().unwrap();
        apply(root.path(), &plan(), Mode::Write).unwrap();
        let modified = || {
            fs::metadata(root.path().join("a/src/generated.rs"))
                .unwrap()
                .modified()
                .unwrap()
        };
        let before = modified();
        apply(root.path(), &plan(), Mode::Write).unwrap();
        assert_eq!(modified(), before);
    }
}
