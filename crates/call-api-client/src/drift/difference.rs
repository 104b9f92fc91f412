//! Differences between a response and the document.

use std::fmt;

/// A difference between a response and the API's document. Two of the same place and kind are equal.
///
/// Of values it shows only those of enums, cut to 100 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Drift {
    /// The operation's id, as in the document.
    pub operation: &'static str,
    /// The location in the response, such as `owner.kind`, or `pets[].status` for any of a list; `.` is the whole response.
    pub place: String,
    /// The kind of difference.
    pub kind: DriftKind,
}

impl Drift {
    /// Returns drift that was found by other means than reading a response: see
    /// [`Client::report_drift`](crate::Client::report_drift).
    pub fn new(operation: &'static str, place: impl Into<String>, kind: DriftKind) -> Self {
        Self {
            operation,
            place: place.into(),
            kind,
        }
    }
}

/// The kind of a [`Drift`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DriftKind {
    /// A value of an enum that the document does not list.
    UnknownValue(String),
    /// A property that the document does not have.
    UnknownProperty,
    /// A property that the document requires is missing.
    MissingProperty,
    /// A value of another type than the document gives.
    WrongType {
        /// The type in the document, such as `string (uuid)`.
        expected: String,
        /// The type of the received value, such as `null`.
        found: &'static str,
    },
    /// A value that cannot be decoded, for another reason than the above.
    Undecodable,
    /// A value changed to one that cannot follow it.
    InvalidTransition {
        /// The earlier value.
        from: String,
        /// The later value.
        to: String,
    },
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place.escape_debug())?;
        match &self.kind {
            DriftKind::UnknownValue(value) => {
                write!(f, "the document does not list the value {value:?}")
            }
            DriftKind::UnknownProperty => f.write_str("the document has no such property"),
            DriftKind::MissingProperty => {
                f.write_str("the document requires it, and it is missing")
            }
            DriftKind::WrongType { expected, found } => {
                write!(
                    f,
                    "the document says {expected}, but the service sent {found}"
                )
            }
            DriftKind::Undecodable => f.write_str("the value cannot be decoded"),
            DriftKind::InvalidTransition { from, to } => {
                write!(f, "{from:?} cannot be followed by {to:?}")
            }
        }
    }
}
