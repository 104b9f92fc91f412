//! The files of a document, and the targets of references between them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::load::{self, Source};
use crate::origin;
use crate::pointer::{Lookup as _, Pointer};
use crate::problem::{Finding, Problem};

/// A location in one of the files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) file: usize,
    pub(super) pointer: Pointer,
}

impl At {
    pub(super) fn root() -> Self {
        Self {
            file: DOCUMENT,
            pointer: Pointer::root(),
        }
    }

    pub(super) fn join(&self, token: impl std::fmt::Display) -> Self {
        Self {
            file: self.file,
            pointer: self.pointer.join(token),
        }
    }
}

/// The index of the document among the files.
pub(super) const DOCUMENT: usize = 0;

/// The files that have been read, and the problems with their references.
pub(super) struct Files {
    /// The folder of all files, without symbolic links, or `None` if the document is not a file.
    folder: Option<PathBuf>,
    /// The document, and the other files.
    pub(super) sources: Vec<Source>,
    /// The files except the document, with paths relative to the folder.
    pub(super) parts: Vec<String>,
    /// The indices of the files, by real path.
    known: BTreeMap<PathBuf, Option<usize>>,
    pub(super) problems: Vec<Problem>,
}

impl Files {
    pub(super) fn new(document: Source) -> Self {
        let folder = document
            .folder
            .as_ref()
            .and_then(|folder| folder.canonicalize().ok());
        let mut known = BTreeMap::new();
        if let (Some(folder), Some(name)) = (&folder, Path::new(&document.path).file_name()) {
            known.insert(folder.join(name), Some(DOCUMENT));
        }
        Self {
            folder,
            sources: vec![document],
            parts: Vec::new(),
            known,
            problems: Vec::new(),
        }
    }

    /// Returns the file of a location.
    pub(super) fn source(&self, at: &At) -> Option<&Source> {
        self.sources.get(at.file)
    }

    pub(super) fn value(&self, at: &At) -> Option<&Value> {
        self.source(at)?.document.at(at.pointer.as_str())
    }

    pub(super) fn problem(&mut self, at: &At, cause: String, remedy: impl Into<String>) {
        let file = self.source(at).map_or("", |file| &file.path);
        let problem = Finding::new(&at.pointer, cause, remedy).in_file(file);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Returns the target of a reference without reporting an error.
    pub(super) fn existing(&mut self, from: &At, reference: &str) -> Option<At> {
        let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let pointer = Pointer::from_ref(&format!("#{fragment}"))?;
        let file = match path {
            "" => from.file,
            path => self.file(from, path).ok().flatten()?,
        };
        let target = At { file, pointer };
        self.value(&target).is_some().then_some(target)
    }

    /// Returns the target of a reference that was written at `from`, if its file may be read.
    pub(super) fn resolve(&mut self, from: &At, reference: &str) -> Option<At> {
        self.resolve_at(from, &from.join("$ref"), reference)
    }

    /// Resolves like [`Self::resolve`], but reports errors at another location than `$ref`.
    pub(super) fn resolve_at(&mut self, from: &At, at: &At, reference: &str) -> Option<At> {
        let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let Some(pointer) = Pointer::from_ref(&format!("#{fragment}")) else {
            let cause = format!("the reference `{reference}` is to an anchor");
            self.problem(
                at,
                cause,
                "name the location instead, such as \"call.yaml#/Call\"",
            );
            return None;
        };
        let file = if path.is_empty() || self.is_own_address(from, path) {
            from.file
        } else {
            match self.file(from, path) {
                Ok(file) => file?,
                Err((cause, remedy)) => {
                    self.problem(at, format!("the reference `{reference}` {cause}"), remedy);
                    return None;
                }
            }
        };
        let target = At { file, pointer };
        if file != DOCUMENT && self.value(&target).is_none() {
            let in_document = At {
                file: DOCUMENT,
                pointer: target.pointer.clone(),
            };
            let remedy = if path.is_empty() && self.value(&in_document).is_some() {
                "a reference without a file is to the file that contains it: add the file of the document before the `#`"
            } else {
                "define the target, or fix the reference"
            };
            self.problem(
                at,
                format!("the reference `{reference}` has no target"),
                remedy,
            );
            return None;
        }
        Some(target)
    }

    /// Returns true if the path is the address that the file declares for itself (OpenAPI 3.2, section 4.1.2).
    fn is_own_address(&self, from: &At, path: &str) -> bool {
        self.source(from)
            .and_then(|file| file.document.get("$self"))
            .is_some_and(|address| address == path)
    }

    /// Returns the file of a reference, or `None` if it cannot be read, which is reported once.
    fn file(&mut self, from: &At, path: &str) -> Result<Option<usize>, (String, String)> {
        if is_address(path) {
            let remedy = "the network is never used: save the file next to the document, and refer to it by its path";
            return Err(("is an address".to_owned(), remedy.to_owned()));
        }
        let Some(root) = self.folder.clone() else {
            let remedy = "save the document and the files that it refers to in one folder";
            let cause = "is to a file, but the document is not in a folder";
            return Err((cause.to_owned(), remedy.to_owned()));
        };
        let folder = self.source(from).and_then(|file| file.folder.clone());
        let unreadable = |error: io::Error| {
            let cause = format!("is to a file that cannot be read: {error}");
            (cause, "add the file, or fix the reference".to_owned())
        };
        let named = folder
            .unwrap_or_else(|| root.clone())
            .join(crate::pointer::percent_decode(path));
        let real = named.canonicalize().map_err(unreadable)?;
        let Ok(within) = real.strip_prefix(&root) else {
            let cause = "is to a file outside of the document's folder".to_owned();
            let remedy = "move the document to a folder that contains all its files, or bundle it into one file";
            return Err((cause, remedy.to_owned()));
        };
        if let Some(known) = self.known.get(&real) {
            return Ok(*known);
        }
        if !real.is_file() {
            return Err(unreadable(io::Error::other("it is not a file")));
        }
        let within = within.to_string_lossy().replace('\\', "/");
        let main = self.sources.first();
        let [shown, label] = [main.map(|main| &main.path), main.map(|main| &main.label)]
            .map(|main| origin::beside(main.map_or("", String::as_str), &within));
        match load::load(&real, Path::new(&shown), &label) {
            Ok(file) => {
                let index = self.sources.len();
                self.sources.push(file);
                self.parts.push(within);
                self.known.insert(real, Some(index));
                Ok(Some(index))
            }
            Err(problem) => {
                self.problems.push(problem);
                self.known.insert(real, None);
                Ok(None)
            }
        }
    }
}

/// Returns true if the text is a URL: it starts with a scheme or a host.
fn is_address(path: &str) -> bool {
    let scheme = path.split_once(':').map_or("", |(scheme, _)| scheme);
    path.starts_with("//")
        || (scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)))
}
