//! The ids that the service does not know, kept beside the output of `sync`: a resumed run does not request them again.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use call_api::Uuid;

use crate::error::{CliError, ErrorClass};

/// The ids, and the file with one per line.
#[derive(Debug, Default)]
pub(crate) struct NotFound {
    known: HashSet<Uuid>,
    /// `None` if they are not kept.
    file: Option<NotFoundFile>,
}

#[derive(Debug)]
struct NotFoundFile {
    path: PathBuf,
    /// The first line, which names the service.
    header: String,
    /// Opened for the first id.
    open: Option<File>,
}

impl NotFound {
    /// Reads the file. With `forget`, or if it is of another service, it starts empty.
    pub(crate) fn load(path: PathBuf, base_url: &str, forget: bool) -> Result<Self, CliError> {
        let header = format!("# not found at {base_url}\n");
        let mut known = HashSet::new();
        match fs::read_to_string(&path) {
            Ok(text) if !forget => {
                // A killed run may leave an incomplete line.
                let ids = text.strip_prefix(header.as_str()).unwrap_or_default();
                let ids = ids
                    .split_inclusive('\n')
                    .filter(|line| line.ends_with('\n'));
                known.extend(ids.filter_map(|line| line.trim().parse::<Uuid>().ok()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let message = format!("cannot read {}: {error}; delete it", path.display());
                return Err(CliError::new(ErrorClass::Failed, message));
            }
        }
        Ok(Self {
            known,
            file: Some(NotFoundFile {
                path,
                header,
                open: None,
            }),
        })
    }

    pub(crate) fn contains(&self, id: Uuid) -> bool {
        self.known.contains(&id)
    }

    /// Adds an id. It is not buffered, so it survives a kill.
    pub(crate) fn add(&mut self, id: Uuid) -> Result<(), CliError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if !self.known.insert(id) {
            return Ok(());
        }
        let path = file.path.clone();
        file.add(id, &self.known)
            .map_err(|error| CliError::cannot_write(&path, error, "free some space"))
    }

    /// Returns the file, if it has ids.
    pub(crate) fn path(&self) -> Option<&Path> {
        let file = self.file.as_ref().filter(|_| !self.known.is_empty());
        file.map(|file| file.path.as_path())
    }
}

impl NotFoundFile {
    fn add(&mut self, id: Uuid, known: &HashSet<Uuid>) -> io::Result<()> {
        if let Some(open) = &mut self.open {
            return open.write_all(format!("{id}\n").as_bytes());
        }
        // Rewritten once per run, which removes what is incomplete or of another service.
        let mut options = OpenOptions::new();
        let mut open = options
            .write(true)
            .create(true)
            .truncate(true)
            .open(&self.path)?;
        let ids: String = known.iter().map(|id| format!("{id}\n")).collect();
        open.write_all(format!("{}{ids}", self.header).as_bytes())?;
        self.open = Some(open);
        Ok(())
    }
}
