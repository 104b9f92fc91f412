//! A property that may be absent or null: in a request, the two have different meanings.

// Generated code exports it if its document has such properties.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the document decides whether it is used"
)]

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The value of a property that a request can omit, set to null, or set to a value.
///
/// A service usually keeps the stored value, clears it, or replaces it, respectively. A builder accepts a plain value, or
/// [`Nullable::Null`] for null. A property that is not set is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nullable<T> {
    /// The property is absent.
    #[default]
    Absent,
    /// The property is null.
    Null,
    /// The property has a value.
    Value(T),
}

impl<T> Nullable<T> {
    /// Returns the value, or null if there is none.
    pub fn value_or_null(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }

    /// Returns the value, or an absent property if there is none.
    pub fn value_or_absent(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }

    /// Applies a function to the value, if there is one.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Nullable<U> {
        match self {
            Self::Absent => Nullable::Absent,
            Self::Null => Nullable::Null,
            Self::Value(value) => Nullable::Value(change(value)),
        }
    }

    /// Returns true if the property is absent.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Returns true if the property is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the value, if there is one.
    pub fn as_option(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// Returns the value, if there is one.
    pub fn into_option(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

impl<T> From<T> for Nullable<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

impl From<&str> for Nullable<String> {
    fn from(value: &str) -> Self {
        Self::Value(value.to_owned())
    }
}

/// An absent value is skipped by the struct that contains it. Outside of a struct it is null.
impl<T: Serialize> Serialize for Nullable<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_option().serialize(serializer)
    }
}

/// An absent value is not decoded: it is the default.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::value_or_null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Patch {
        #[serde(default, skip_serializing_if = "Nullable::is_absent")]
        name: Nullable<String>,
    }

    #[test]
    fn absent_null_and_value_round_trip() {
        for (name, json) in [
            (Nullable::Absent, "{}"),
            (Nullable::Null, r#"{"name":null}"#),
            ("a".into(), r#"{"name":"a"}"#),
        ] {
            let patch = Patch { name };
            assert_eq!(serde_json::to_string(&patch).ok().as_deref(), Some(json));
            assert_eq!(serde_json::from_str::<Patch>(json).ok(), Some(patch));
        }
        assert!(serde_json::from_str::<Patch>(r#"{"name":1}"#).is_err());
    }

    #[test]
    fn option_converts_to_null_or_absent() {
        assert_eq!(Nullable::value_or_null(Some(1)), Nullable::from(1));
        assert!(Nullable::<u8>::value_or_null(None).is_null());
        assert!(Nullable::<u8>::value_or_absent(None).is_absent());
        assert_eq!(Nullable::value_or_absent(Some(1)).into_option(), Some(1));
        assert_eq!(Nullable::<u8>::Null.into_option(), None);
    }
}
