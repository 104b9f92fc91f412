//! Decoding of a string enum that keeps unknown values.

#![allow(
    dead_code,
    reason = "a document without string enums has no use for it"
)]

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Visitor};

/// Decodes a string with `known`, or with `unknown` if that returns `None`.
///
/// A known value does not allocate, and an unknown one allocates once.
pub(crate) fn deserialize<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expecting: &'static str,
    known: fn(&str) -> Option<T>,
    unknown: fn(String) -> T,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(OpenEnum {
        expecting,
        known,
        unknown,
    })
}

struct OpenEnum<T> {
    expecting: &'static str,
    known: fn(&str) -> Option<T>,
    unknown: fn(String) -> T,
}

impl<T> Visitor<'_> for OpenEnum<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<T, E> {
        Ok((self.known)(value).unwrap_or_else(|| (self.unknown)(value.to_owned())))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<T, E> {
        Ok((self.known)(&value).unwrap_or_else(|| (self.unknown)(value)))
    }
}
