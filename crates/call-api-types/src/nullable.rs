//! A property that may be left out and may be null: in a request, the two ask for different things.

// Generated code exports it where its document has such properties.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the document decides whether it is used"
)]

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The value of a property that a request may leave out, set to null, or set to a value.
///
/// A service takes the three for three wishes: to leave alone what is stored, to clear it, and to replace it. A builder
/// takes a value as it is, and [`Nullable::Null`] for null; a property that isn't set is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nullable<T> {
    /// The property isn't there.
    #[default]
    Absent,
    /// The property is there, and null.
    Null,
    /// The property has a value.
    Value(T),
}

impl<T> Nullable<T> {
    /// The value, or null where there is none.
    pub fn value_or_null(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }

    /// The value, or nothing at all where there is none.
    pub fn value_or_absent(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }

    /// The same with another value, where there is one.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Nullable<U> {
        match self {
            Self::Absent => Nullable::Absent,
            Self::Null => Nullable::Null,
            Self::Value(value) => Nullable::Value(change(value)),
        }
    }

    /// Whether the property isn't there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether the property is there, and null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value, if there is one.
    pub fn as_option(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The value, if there is one.
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

/// Where it is absent, the struct around it leaves it out; elsewhere there is nothing to leave out, and it is null.
impl<T: Serialize> Serialize for Nullable<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_option().serialize(serializer)
    }
}

/// What is absent isn't decoded at all: it is the default.
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
    fn each_of_the_three_comes_back_as_it_went() {
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
    fn an_option_says_which_of_the_two_its_none_is() {
        assert_eq!(Nullable::value_or_null(Some(1)), Nullable::from(1));
        assert!(Nullable::<u8>::value_or_null(None).is_null());
        assert!(Nullable::<u8>::value_or_absent(None).is_absent());
        assert_eq!(Nullable::value_or_absent(Some(1)).into_option(), Some(1));
        assert_eq!(Nullable::<u8>::Null.into_option(), None);
    }
}
