//! The result of a comparison: changes, each with its class for users of this SDK.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

use crate::pointer::Pointer;

/// The effect of a change on programs that use the SDK, ordered from mild to severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// No program is affected.
    Documentation,
    /// Programs keep compiling and working.
    Addition,
    /// A program may no longer compile, or the service may refuse what it sends, or send what it cannot handle.
    Breaking,
}

impl Class {
    /// Returns the word for reports and JSON.
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

/// The direction in which a value is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the program to the service.
    Request,
    /// From the service to the program.
    Response,
}

impl Direction {
    /// Returns the word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// The class of a change, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impact {
    /// The class.
    pub class: Class,
    /// The reason: one clause, in lower case and without a full stop.
    pub why: Cow<'static, str>,
}

impl Impact {
    /// Creates the impact of a breaking change.
    pub fn breaking(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            class: Class::Breaking,
            why: why.into(),
        }
    }

    /// Creates the impact of a compatible change.
    pub fn addition(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            class: Class::Addition,
            why: why.into(),
        }
    }

    /// Creates the impact of a change that affects no program.
    pub fn documentation(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            class: Class::Documentation,
            why: why.into(),
        }
    }

    /// Describes a change of `deprecated`, and returns its impact.
    pub(super) fn of_deprecation(label: &str, is_deprecated: bool) -> (String, Self) {
        if is_deprecated {
            let why = "using it causes a warning, which is a compatible change";
            (format!("{label} is now deprecated"), Self::addition(why))
        } else {
            let why = "using it no longer causes a warning";
            (
                format!("{label} is no longer deprecated"),
                Self::documentation(why),
            )
        }
    }
}

/// The impact of a change in each direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectionalImpact {
    /// The impact on values that programs send.
    pub request: Impact,
    /// The impact on values that programs receive.
    pub response: Impact,
    /// The impact on values that programs send and receive, if it is not the worse one of both.
    pub both: Option<Impact>,
}

impl From<Impact> for DirectionalImpact {
    /// Uses the impact in both directions, as for any change of a Rust type.
    fn from(impact: Impact) -> Self {
        Self {
            request: impact.clone(),
            response: impact,
            both: None,
        }
    }
}

impl DirectionalImpact {
    /// Creates an impact that depends on the direction.
    pub fn new(request: Impact, response: Impact) -> Self {
        Self {
            request,
            response,
            both: None,
        }
    }

    /// Replaces the impact on values that programs send and receive.
    #[must_use]
    pub fn in_both(mut self, impact: Impact) -> Self {
        self.both = Some(impact);
        self
    }

    /// Returns the impact on a location that is used in `directions`: the worse one, and its direction if they differ. A
    /// location without a direction is only affected by what holds in both, so the milder one applies.
    pub fn decide(&self, directions: &[Direction]) -> (Impact, Option<Direction>) {
        let request = directions.contains(&Direction::Request);
        let response = directions.contains(&Direction::Response);
        if let (true, true, Some(both)) = (request, response, &self.both) {
            return (both.clone(), None);
        }
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
                    "in requests, {}; in responses, {}",
                    self.request.why, self.response.why
                );
                let class = self.request.class;
                (
                    Impact {
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

/// A difference at one location, before its directions and operations are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The kind of change, in kebab-case. Stable.
    pub kind: &'static str,
    /// A description of the change.
    pub what: String,
    /// The location in the old document, unless it was added.
    pub old: Option<Pointer>,
    /// The location in the new document, unless it was removed.
    pub new: Option<Pointer>,
    /// The impact.
    pub impact: DirectionalImpact,
    /// The names, if the change is a renaming.
    pub renamed: Option<Renamed>,
}

/// The names of something that was renamed, as the documents write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The old name.
    pub from: String,
    /// The new name.
    pub to: String,
    /// True for a parameter that its position in the path identifies, so that no request contains its name.
    pub is_positional: bool,
}

impl Renamed {
    /// Creates the names of a renaming.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            is_positional: false,
        }
    }
}

/// A classified change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The kind of change, in kebab-case. Stable.
    pub kind: &'static str,
    /// The class: the worse one if requests and responses differ.
    pub class: Class,
    /// A description of the change.
    pub what: String,
    /// The reason for the class.
    pub why: Cow<'static, str>,
    /// The location in the old document, unless it was added.
    pub old: Option<Pointer>,
    /// The location in the new document, unless it was removed.
    pub new: Option<Pointer>,
    /// The directions in which the location is used, sorted. Empty if no operation uses it or it has no direction.
    pub directions: Vec<Direction>,
    /// The direction with the worse class, if the classes differ.
    pub decisive: Option<Direction>,
    /// The names of the methods that use the location, in the order of the document.
    pub operations: Vec<String>,
    /// The names, if the change is a renaming.
    pub renamed: Option<Renamed>,
}

impl Change {
    /// Returns true if released programs meet the change whatever their code is.
    fn is_of_the_service(&self) -> bool {
        let is_missed =
            self.kind == "property-required" && self.directions.contains(&Direction::Request);
        is_missed || OF_THE_SERVICE.contains(&self.kind)
    }

    /// Returns the location in the new document, or in the old one if it was removed.
    pub fn pointer(&self) -> Pointer {
        self.new
            .clone()
            .or_else(|| self.old.clone())
            .unwrap_or_default()
    }
}

/// The kinds of changes that released programs meet whatever their code is: what the service accepts in requests, and the
/// headers that programs read by name.
const OF_THE_SERVICE: [&str; 6] = [
    "bound-loosened",
    "bound-tightened",
    "constraint-changed",
    "format-changed",
    "header-added",
    "header-removed",
];

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The changes, ordered by class (worst first) and location.
    pub changes: Vec<Change>,
}

impl Comparison {
    /// Returns the worst class, or `None` if nothing changed.
    pub fn worst(&self) -> Option<Class> {
        self.changes.iter().map(|change| change.class).max()
    }

    /// Makes those changes documentation for which both documents give the same code.
    pub(super) fn affects_no_code(&mut self, is_same: impl Fn(&Change) -> bool) {
        for change in &mut self.changes {
            let is_measured = change.class > Class::Documentation && !change.is_of_the_service();
            if is_measured && is_same(change) {
                change.class = Class::Documentation;
                change.why = "the generated code stays the same".into();
                change.decisive = None;
            }
        }
        self.sort();
    }

    /// Sorts the changes by class (worst first) and location.
    pub(crate) fn sort(&mut self) {
        self.changes.sort_by(|a, b| {
            let key = |change: &Change| (Reverse(change.class), change.pointer());
            key(a).cmp(&key(b)).then_with(|| a.what.cmp(&b.what))
        });
    }

    /// Returns the number of changes of a class.
    pub fn count(&self, class: Class) -> usize {
        let of_class = self.changes.iter().filter(|change| change.class == class);
        of_class.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decide_returns_the_worse_direction() {
        let impact = DirectionalImpact::new(Impact::breaking("refused"), Impact::addition("kept"));
        let decide = |directions: &[Direction]| {
            let (impact, decisive) = impact.decide(directions);
            (impact.class, decisive)
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
