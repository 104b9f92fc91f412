//! What a maintainer is told when something is wrong: what happened, where, and what to do next.

use std::fmt;

use crate::pointer::Pointer;

/// One thing that is wrong with a document, or that stops the generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the maintainer named it.
    pub file: String,
    /// The place in the file: a JSON pointer, or `line L, column C` where the file could not be parsed.
    pub place: Place,
    /// What is the case, in lower case and without a full stop.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

/// Where in a file a [`Problem`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A value of the parsed document.
    Pointer(Pointer),
    /// A position in the text, both from 1.
    Position {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n  --> {}", self.cause, self.file)?;
        match &self.place {
            Place::File => {}
            Place::Pointer(pointer) => write!(f, "#{pointer}")?,
            Place::Position { line, column } => write!(f, ":{line}:{column}")?,
        }
        write!(f, "\n  help: {}", self.remedy)
    }
}

/// Everything that was found wrong in one step; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// A [`Problem`] found in a parsed document, before the file's name is put to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The value that is wrong.
    pub pointer: Pointer,
    /// What is the case.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// A finding at `pointer`.
    pub fn new(pointer: &Pointer, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            pointer: pointer.clone(),
            cause: cause.into(),
            remedy: remedy.into(),
        }
    }

    /// The problem that this finding is in `file`.
    pub fn in_file(self, file: &str) -> Problem {
        let place = if self.pointer == Pointer::root() {
            Place::File
        } else {
            Place::Pointer(self.pointer)
        };
        Problem {
            file: file.to_owned(),
            place,
            cause: self.cause,
            remedy: self.remedy,
        }
    }
}
