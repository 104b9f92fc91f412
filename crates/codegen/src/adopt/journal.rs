//! Replaces files of a project, all or none, also if the process is killed in between.
//!
//! The old and the new content of each file are written to `.adopt-draft/old/` and `.adopt-draft/new/`. Renaming that folder
//! to `.adopt/` decides the replacement: from then on, a command that finds `.adopt/` writes what is missing. A draft that
//! was not renamed is deleted. A file that is in `old` only is removed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{read_if_exists, snapshot};
use crate::problem::Problem;
use crate::write;

/// The folder of a replacement that is decided.
const JOURNAL: &str = ".adopt";
/// The folder of a replacement that is being written down, or has been completed.
const DRAFT: &str = ".adopt-draft";

/// A file to replace, with its content before and after. `None` means that the file does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replacement {
    pub(super) path: PathBuf,
    pub(super) before: Option<Vec<u8>>,
    pub(super) after: Option<Vec<u8>>,
}

/// Replaces the files. If one cannot be written, the others are restored.
pub(super) fn replace(root: &Path, replacements: &[Replacement]) -> Result<(), Problem> {
    let is_unchanged =
        |replacement: &Replacement, found: &Option<Vec<u8>>| *found == replacement.before;
    let cause = "the file changed during the adoption";
    let remedy = "adopt again while nothing else changes the project";
    check(root, replacements, is_unchanged, cause, remedy)?;
    record(root, replacements).map_err(|error| {
        let cause = format!("cannot write what to replace: {error}");
        let remedy = "free disk space, or fix the permissions of the folder";
        super::problem(Path::new(DRAFT), cause, remedy)
    })?;
    write_all(root, replacements, |replacement| &replacement.after).or_else(|(path, error)| {
        let mut cause = format!("cannot write the file: {error}");
        match write_all(root, replacements, |replacement| &replacement.before) {
            Ok(()) => forget(root)?,
            Err((path, error)) => {
                cause.push_str(&format!("; cannot restore {}: {error}", path.display()))
            }
        }
        Err(super::problem(
            &path,
            cause,
            "fix its permissions, and adopt again",
        ))
    })?;
    forget(root)
}

/// Completes a replacement that was interrupted after it was decided, and deletes what is left of one that was not.
/// Returns true if it completed one.
pub(crate) fn resume(root: &Path) -> Result<bool, Problem> {
    let replacements = recorded(&root.join(JOURNAL)).map_err(|error| unreadable(&error))?;
    if let Some(replacements) = &replacements {
        let is_ours = |replacement: &Replacement, found: &Option<Vec<u8>>| {
            [&replacement.before, &replacement.after].contains(&found)
        };
        let cause = "the file changed after an adoption was interrupted";
        let remedy = "restore the file and run the command again, or delete the folder .adopt to keep all files as they are";
        check(root, replacements, is_ours, cause, remedy)?;
        write_all(root, replacements, |replacement| &replacement.after).map_err(
            |(path, error)| {
                let cause = format!("cannot complete an adoption that was interrupted: {error}");
                super::problem(
                    &path,
                    cause,
                    "fix its permissions, and run the command again",
                )
            },
        )?;
    }
    forget(root)?;
    Ok(replacements.is_some())
}

fn unreadable(error: &io::Error) -> Problem {
    let cause = format!("cannot read or delete what an adoption left: {error}");
    super::problem(
        Path::new(JOURNAL),
        cause,
        "fix the permissions of the folder",
    )
}

/// Errors with the first file whose content `is_expected` refuses.
fn check(
    root: &Path,
    replacements: &[Replacement],
    is_expected: impl Fn(&Replacement, &Option<Vec<u8>>) -> bool,
    cause: &str,
    remedy: &str,
) -> Result<(), Problem> {
    for replacement in replacements {
        let found = read_if_exists(&root.join(&replacement.path));
        if !found.is_ok_and(|found| is_expected(replacement, &found)) {
            return Err(super::problem(&replacement.path, cause.to_owned(), remedy));
        }
    }
    Ok(())
}

/// Writes the replacements to the disk and decides them.
fn record(root: &Path, replacements: &[Replacement]) -> io::Result<()> {
    let draft = root.join(DRAFT);
    remove(&draft)?;
    for replacement in replacements {
        for (side, bytes) in [("old", &replacement.before), ("new", &replacement.after)] {
            if let Some(bytes) = bytes {
                let path = draft.join(side).join(&replacement.path);
                fs::create_dir_all(path.parent().unwrap_or(&draft))?;
                fs::write(&path, bytes)?;
                File::open(&path)?.sync_all()?;
            }
        }
    }
    sync_folders(&draft)?;
    fs::rename(&draft, root.join(JOURNAL))?;
    sync(root)
}

/// Reads the replacements back. Returns `None` if there is no journal.
fn recorded(journal: &Path) -> io::Result<Option<Vec<Replacement>>> {
    if !journal.try_exists()? {
        return Ok(None);
    }
    let side = |side: &str| match journal.join(side) {
        folder if folder.try_exists()? => snapshot(&folder),
        _ => Ok(Default::default()),
    };
    let (mut old, mut new) = (side("old")?, side("new")?);
    let paths: BTreeSet<PathBuf> = old.keys().chain(new.keys()).cloned().collect();
    let replacements = paths.into_iter().map(|path| Replacement {
        before: old.remove(&path),
        after: new.remove(&path),
        path,
    });
    Ok(Some(replacements.collect()))
}

/// Gives each file one of its contents.
fn write_all(
    root: &Path,
    replacements: &[Replacement],
    content: impl Fn(&Replacement) -> &Option<Vec<u8>>,
) -> Result<(), (PathBuf, io::Error)> {
    for replacement in replacements {
        put(root, &replacement.path, content(replacement).as_deref())
            .map_err(|error| (replacement.path.clone(), error))?;
    }
    Ok(())
}

/// Writes a file atomically, or removes it.
fn put(root: &Path, path: &Path, bytes: Option<&[u8]>) -> io::Result<()> {
    let path = root.join(path);
    let folder = path.parent().unwrap_or(root);
    match bytes {
        Some(bytes) => {
            fs::create_dir_all(folder)?;
            // The journal is deleted with the temporary file of a process that was killed.
            let file = write::temporary(&root.join(JOURNAL), &path, bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            sync(folder)
        }
        None => match fs::remove_file(&path) {
            Ok(()) => sync(folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        },
    }
}

/// Deletes the journal and a draft. The journal becomes a draft first, so no part of it is taken for the whole.
fn forget(root: &Path) -> Result<(), Problem> {
    let (journal, draft) = (root.join(JOURNAL), root.join(DRAFT));
    let forget = || {
        remove(&draft)?;
        if journal.try_exists()? {
            fs::rename(&journal, &draft)?;
            sync(root)?;
            remove(&draft)?;
        }
        Ok(())
    };
    forget().map_err(|error| unreadable(&error))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Has the names in a folder written to the disk. Only Unix can open a folder for that.
fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replacement(path: &str, before: Option<&str>, after: Option<&str>) -> Replacement {
        Replacement {
            path: path.into(),
            before: before.map(|text| text.as_bytes().to_vec()),
            after: after.map(|text| text.as_bytes().to_vec()),
        }
    }

    fn replacements() -> Vec<Replacement> {
        vec![
            replacement("changed", Some("old"), Some("new")),
            replacement("folder/changed", Some("old"), Some("new")),
            replacement("made", None, Some("new")),
            replacement("new/folder/made", None, Some("new")),
            replacement("removed", Some("old"), None),
        ]
    }

    /// Creates a project with the old files.
    fn project() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("folder")).unwrap();
        for path in ["changed", "folder/changed", "removed"] {
            fs::write(root.path().join(path), "old").unwrap();
        }
        root
    }

    /// Checks that a project has the old or the new content of every file, and nothing else.
    #[track_caller]
    fn assert_has(root: &Path, content: impl Fn(&Replacement) -> &Option<Vec<u8>>) {
        let files = replacements();
        let files = files
            .iter()
            .filter_map(|file| Some((file.path.clone(), content(file).clone()?)));
        assert_eq!(snapshot(root).unwrap(), files.collect());
        assert!(!root.join(JOURNAL).exists() && !root.join(DRAFT).exists());
    }

    #[test]
    fn replacement_killed_at_any_step_is_completed() {
        for done in 0..=replacements().len() {
            let project = project();
            record(project.path(), &replacements()).unwrap();
            write_all(project.path(), &replacements()[..done], |file| &file.after).unwrap();
            fs::write(project.path().join(JOURNAL).join(".codegen-temporary"), "n").unwrap();
            assert_eq!(resume(project.path()), Ok(true));
            assert_has(project.path(), |file| &file.after);
            assert_eq!(resume(project.path()), Ok(false));
        }
    }

    #[test]
    fn restoration_killed_at_any_step_is_completed() {
        for done in 0..=replacements().len() {
            let project = project();
            record(project.path(), &replacements()).unwrap();
            write_all(project.path(), &replacements(), |file| &file.after).unwrap();
            write_all(project.path(), &replacements()[..done], |file| &file.before).unwrap();
            assert_eq!(resume(project.path()), Ok(true));
            assert_has(project.path(), |file| &file.after);
        }
    }

    /// Deletes all but the first files of a draft.
    fn keep(draft: &Path, count: usize) {
        for path in snapshot(draft).unwrap().keys().skip(count) {
            fs::remove_file(draft.join(path)).unwrap();
        }
    }

    #[test]
    fn draft_killed_at_any_step_is_deleted() {
        for count in 0..=8 {
            let project = project();
            let draft = project.path().join(DRAFT);
            record(project.path(), &replacements()).unwrap();
            fs::rename(project.path().join(JOURNAL), &draft).unwrap();
            keep(&draft, count);
            assert_eq!(resume(project.path()), Ok(false));
            assert_has(project.path(), |file| &file.before);
        }
    }

    #[test]
    fn draft_of_a_killed_adoption_does_not_reach_the_next() {
        let project = project();
        let stale = project.path().join(DRAFT).join("new");
        fs::create_dir_all(&stale).unwrap();
        fs::write(stale.join("stale"), "stale").unwrap();
        replace(project.path(), &replacements()).unwrap();
        assert_has(project.path(), |file| &file.after);
    }

    #[test]
    fn file_edited_after_the_interruption_is_not_overwritten() {
        let project = project();
        record(project.path(), &replacements()).unwrap();
        fs::write(project.path().join("folder/changed"), "edited").unwrap();
        let problem = resume(project.path()).unwrap_err();
        assert_eq!(problem.file, "folder/changed");
        assert!(
            problem.cause.contains("changed after an adoption"),
            "{problem}"
        );
        let read = |path: &str| fs::read_to_string(project.path().join(path)).unwrap();
        assert_eq!([read("changed"), read("folder/changed")], ["old", "edited"]);
        fs::write(project.path().join("folder/changed"), "new").unwrap();
        assert_eq!(resume(project.path()), Ok(true));
        assert_has(project.path(), |file| &file.after);
    }

    #[cfg(unix)]
    #[test]
    fn replace_restores_files_after_a_failure() {
        let project = project();
        // No folder can be created behind a dangling link.
        let link = project.path().join("dangling");
        std::os::unix::fs::symlink("nowhere/at/all", &link).unwrap();
        let mut failing = replacements();
        failing.push(replacement("dangling/file", None, Some("new")));
        let problem = replace(project.path(), &failing).unwrap_err();
        assert_eq!(problem.file, "dangling/file");
        assert!(
            problem.cause.starts_with("cannot write the file"),
            "{}",
            problem.cause
        );
        fs::remove_file(link).unwrap();
        assert_has(project.path(), |file| &file.before);
    }
}
