//! Errors about files and documents: what failed, where, and what to do next.

use std::fmt;

use crate::pointer::Pointer;

/// An error in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the user named it.
    pub file: String,
    /// The location in the file.
    pub location: Location,
    /// The failure and its cause, in lower case and without a full stop.
    pub cause: String,
    /// The action to take.
    pub remedy: String,
}

/// The part of a file that a [`Problem`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// The whole file.
    File,
    /// A value of the parsed document.
    Pointer(Pointer),
    /// A position in the text. Both numbers start at 1.
    Position {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
}

impl Problem {
    /// Creates a problem about the whole of `file`.
    pub fn of_file(
        file: impl Into<String>,
        cause: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            location: Location::File,
            cause: cause.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n  --> {}", self.cause, self.file)?;
        match &self.location {
            Location::File => {}
            Location::Pointer(pointer) => write!(f, "#{pointer}")?,
            Location::Position { line, column } => write!(f, ":{line}:{column}")?,
        }
        write!(f, "\n  help: {}", self.remedy)
    }
}

/// All problems that one step found. Never empty.
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

/// An error at a value of a parsed document, before the name of its file is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The location of the value.
    pub pointer: Pointer,
    /// The failure and its cause, in lower case and without a full stop.
    pub cause: String,
    /// The action to take.
    pub remedy: String,
}

impl Finding {
    /// Creates a finding at `pointer`.
    pub fn new(pointer: &Pointer, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            pointer: pointer.clone(),
            cause: cause.into(),
            remedy: remedy.into(),
        }
    }

    /// Turns the finding into a problem of `file`.
    pub fn in_file(self, file: &str) -> Problem {
        let location = if self.pointer == Pointer::root() {
            Location::File
        } else {
            Location::Pointer(self.pointer)
        };
        Problem {
            file: file.to_owned(),
            location,
            cause: self.cause,
            remedy: self.remedy,
        }
    }
}
