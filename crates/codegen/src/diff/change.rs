//! What a comparison finds: changes, each with its class for users of this SDK.

use std::borrow::Cow;
use std::fmt;

use crate::pointer::Pointer;

/// What a change means to a program that uses the SDK; the later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It is for readers only.
    Documentation,
    /// Programs that compile and work go on doing so.
    Addition,
    /// A program may no longer compile, or the service may refuse what it sends, or send what it can't take.
    Breaking,
}

impl Class {
    /// The word that the report and the JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Documentation => "documentation",
            Self::Addition => "addition",
            Self::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Which way a value travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the program to the service.
    Request,
    /// From the service to the program.
    Response,
}

impl Direction {
    /// The word that the JSON uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// The class of a change in one direction, and why it has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The class.
    pub class: Class,
    /// One clause, in lower case and without a full stop.
    pub why: Cow<'static, str>,
}

impl Ruling {
    /// It breaks programs.
    pub fn breaking(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            class: Class::Breaking,
            why: why.into(),
        }
    }

    /// It breaks nothing.
    pub fn addition(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            class: Class::Addition,
            why: why.into(),
        }
    }

    /// No program notices it.
    pub fn documentation(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            class: Class::Documentation,
            why: why.into(),
        }
    }
}

/// The class of a change for each direction in which its place may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where programs send it.
    pub request: Ruling,
    /// Where programs receive it.
    pub response: Ruling,
}

impl Verdict {
    /// The same in both directions, as whatever changes a Rust type is.
    pub fn both(ruling: Ruling) -> Self {
        Self {
            request: ruling.clone(),
            response: ruling,
        }
    }

    /// One for each direction.
    pub fn new(request: Ruling, response: Ruling) -> Self {
        Self { request, response }
    }

    /// The ruling that holds where a place is reached in `directions`: the worse one. Where it is reached in none, only
    /// what holds in both can concern anybody, and the milder one is that.
    pub fn decide(&self, directions: &[Direction]) -> (Ruling, Option<Direction>) {
        let request = directions.contains(&Direction::Request);
        let response = directions.contains(&Direction::Response);
        match (request, response) {
            (true, false) => (self.request.clone(), None),
            (false, true) => (self.response.clone(), None),
            (true, true) if self.request.class > self.response.class => {
                (self.request.clone(), Some(Direction::Request))
            }
            (true, true) if self.response.class > self.request.class => {
                (self.response.clone(), Some(Direction::Response))
            }
            (true, true) if self.request.why != self.response.why => {
                let why = format!(
                    "as it is sent: {}; as it is received: {}",
                    self.request.why, self.response.why
                );
                let class = self.request.class;
                (
                    Ruling {
                        class,
                        why: why.into(),
                    },
                    None,
                )
            }
            (true, true) => (self.request.clone(), None),
            (false, false) if self.request.class < self.response.class => {
                (self.request.clone(), None)
            }
            (false, false) => (self.response.clone(), None),
        }
    }
}

/// A difference at one place, before it is known who reaches the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Which kind of change it is, in kebab-case; stable, for machines.
    pub kind: &'static str,
    /// What changed, in plain words.
    pub what: String,
    /// The place in the old document, unless it is new.
    pub old: Option<Pointer>,
    /// The place in the new document, unless it is gone.
    pub new: Option<Pointer>,
    /// Its class.
    pub verdict: Verdict,
}

/// One change, classified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which kind of change it is, in kebab-case; stable, for machines.
    pub kind: &'static str,
    /// Its class: the worse one where requests and responses differ.
    pub class: Class,
    /// What changed, in plain words.
    pub what: String,
    /// Why it has this class.
    pub why: Cow<'static, str>,
    /// The place in the old document, unless it is new.
    pub old: Option<Pointer>,
    /// The place in the new document, unless it is gone.
    pub new: Option<Pointer>,
    /// The directions in which the place is reached, sorted; none where no operation reaches it or it has no direction.
    pub directions: Vec<Direction>,
    /// Where the two directions differ in class: the one that decided.
    pub decisive: Option<Direction>,
    /// The operations that reach the place, by their methods' names, in the document's order.
    pub operations: Vec<String>,
}

impl Change {
    /// The place: in the new document where it is there, else in the old one.
    pub fn pointer(&self) -> Pointer {
        self.new
            .clone()
            .or_else(|| self.old.clone())
            .unwrap_or_default()
    }
}

/// Something that is no change of the API, and that the maintainer had better know all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The place in the new document.
    pub pointer: Pointer,
    /// What is the case.
    pub text: String,
}

/// All that a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The changes, the worst first, and then by place.
    pub changes: Vec<Change>,
    /// The notes.
    pub notes: Vec<Note>,
}

impl Findings {
    /// The worst class, `None` where nothing changed.
    pub fn worst(&self) -> Option<Class> {
        self.changes.iter().map(|change| change.class).max()
    }

    /// How many changes are of a class.
    pub fn count(&self, class: Class) -> usize {
        let of_class = self.changes.iter().filter(|change| change.class == class);
        of_class.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_direction_decides_and_is_named() {
        let verdict = Verdict::new(Ruling::breaking("refused"), Ruling::addition("kept"));
        let decide = |directions: &[Direction]| {
            let (ruling, decisive) = verdict.decide(directions);
            (ruling.class, decisive)
        };
        assert_eq!(decide(&[Direction::Request]), (Class::Breaking, None));
        assert_eq!(decide(&[Direction::Response]), (Class::Addition, None));
        assert_eq!(
            decide(&[Direction::Request, Direction::Response]),
            (Class::Breaking, Some(Direction::Request))
        );
        assert_eq!(decide(&[]), (Class::Addition, None));
    }
}
