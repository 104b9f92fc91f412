//! Decoding of numbers and times that services write in several ways.
//!
//! `1.0` is an integer in JSON Schema. Some services write a time without an offset, or with a space in place of the `T`:
//! it is decoded as UTC.

#![allow(
    dead_code,
    reason = "a document without numbers and times has no use for it"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor,
};

use crate::nullable::Nullable;

/// A value that is decoded from every notation.
pub struct AnyNotation<T>(pub T);

impl<'de, T: Lenient<'de>> Deserialize<'de> for AnyNotation<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Self)
    }
}

/// A type that is decoded from every notation, or that contains one.
pub trait Lenient<'de>: Sized {
    /// Decodes a value.
    ///
    /// # Errors
    /// If it is in no such notation.
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Decodes a value from every notation.
pub(crate) fn deserialize<'de, T: Lenient<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    T::read(deserializer)
}

/// Decodes a value within another.
pub(crate) struct Seed<T>(pub(crate) PhantomData<T>);

impl<'de, T: Lenient<'de>> DeserializeSeed<'de> for Seed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(deserializer)
    }
}

macro_rules! integers {
    ($($integer:ident)+) => {
        $(impl<'de> Lenient<'de> for $integer {
            fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let integer = deserializer.deserialize_i64(Integer(stringify!($integer)))?;
                Self::try_from(integer).map_err(|_| out_of_range(integer, stringify!($integer)))
            }
        })+
    };
}

integers!(i8 i16 i32 i64 u8 u16 u32 u64);

/// Any integer of up to 64 bits.
struct Integer(&'static str);

impl Visitor<'_> for Integer {
    type Value = i128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<i128, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<i128, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<i128, E> {
        whole(value).ok_or_else(|| E::invalid_type(Unexpected::Float(value), &self))
    }
}

/// Returns the number if it is whole and up to 2^64. Larger ones fit into no integer type, and up to there the conversion
/// is exact.
pub(crate) fn whole(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() <= 18_446_744_073_709_551_616.0).then_some(value as i128)
}

fn out_of_range<E: Error>(value: i128, expected: &'static str) -> E {
    match (u64::try_from(value), i64::try_from(value)) {
        (Ok(value), _) => E::invalid_value(Unexpected::Unsigned(value), &expected),
        (_, Ok(value)) => E::invalid_value(Unexpected::Signed(value), &expected),
        _ => E::custom(format_args!("{value} is out of range, expected {expected}")),
    }
}

impl<'de> Lenient<'de> for DateTime<Utc> {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Time)
    }
}

struct Time;

impl Visitor<'_> for Time {
    type Value = DateTime<Utc>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date and time as RFC 3339 writes them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<DateTime<Utc>, E> {
        // Most times are in this notation, whose parser takes a fifth of the time of the one for all.
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(time.to_utc());
        }
        let error = match text.parse() {
            Ok(time) => return Ok(time),
            Err(error) => error,
        };
        // Without an offset, or with nothing but the hours of one.
        let local = [
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%M",
        ];
        local
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .map(|time| time.and_utc())
            .ok_or_else(|| E::custom(error))
    }
}

impl<'de, T: Lenient<'de>> Lenient<'de> for Box<T> {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Self::new)
    }
}

impl<'de, T: Lenient<'de>> Lenient<'de> for Option<T> {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(Optional(PhantomData))
    }
}

impl<'de, T: Lenient<'de>> Lenient<'de> for Nullable<T> {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::read(deserializer).map(Self::value_or_null)
    }
}

struct Optional<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Optional<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("option")
    }

    fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        T::read(deserializer).map(Some)
    }
}

impl<'de, T: Lenient<'de>> Lenient<'de> for Vec<T> {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Items(PhantomData))
    }
}

struct Items<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Items<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Seed(PhantomData))? {
            items.push(item);
        }
        Ok(items)
    }
}

impl<'de, T: Lenient<'de>> Lenient<'de> for BTreeMap<String, T> {
    fn read<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Entries<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = access.next_key()? {
            entries.insert(key, access.next_value_seed(Seed(PhantomData))?);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Deserializer as Json;

    use super::*;

    fn read<'de, T: Lenient<'de>>(json: &'de str) -> Result<T, String> {
        deserialize(&mut Json::from_str(json)).map_err(|error| error.to_string())
    }

    #[test]
    fn integers_are_read_in_every_notation() {
        assert_eq!(read("120.0"), Ok(120_i32));
        assert_eq!(read("-1e2"), Ok(-100_i64));
        assert_eq!(read("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(read("[1, 2.0, null]"), Ok(vec![Some(1_u8), Some(2), None]));
        assert_eq!(
            read(r#"{"a": 3.0}"#),
            Ok(BTreeMap::from([("a".to_owned(), 3_u16)]))
        );
        assert_eq!(read("null"), Ok(Nullable::<i64>::Null));
        assert_eq!(read("7"), Ok(Box::new(7_i64)));
    }

    #[test]
    fn fraction_or_integer_out_of_range_is_an_error() {
        for (json, error) in [
            ("1.5", "invalid type: floating point `1.5`, expected i32"),
            ("\"1\"", "invalid type: string \"1\", expected i32"),
            (
                "2147483648",
                "invalid value: integer `2147483648`, expected i32",
            ),
            (
                "-2147483649",
                "invalid value: integer `-2147483649`, expected i32",
            ),
            ("1e30", "invalid type: floating point `1e+30`, expected i32"),
        ] {
            let message = read::<i32>(json).err().unwrap_or_default();
            assert!(message.starts_with(error), "{json}: {message}");
        }
    }

    #[test]
    fn time_without_offset_is_utc() {
        let expected = "2026-11-28T10:00:00.5Z".parse::<DateTime<Utc>>();
        for json in [
            r#""2026-11-28T10:00:00.5Z""#,
            r#""2026-11-28T12:00:00.5+02:00""#,
            r#""2026-11-28T10:00:00.5""#,
            r#""2026-11-28 10:00:00.5""#,
        ] {
            assert_eq!(read::<DateTime<Utc>>(json).ok(), expected.ok(), "{json}");
        }
        assert!(read::<DateTime<Utc>>(r#""2026-11-28""#).is_err());
        assert!(read::<DateTime<Utc>>("1").is_err());
    }

    proptest! {
        /// Whatever chrono's faster parser reads, its other one reads as the same time.
        #[test]
        fn time_does_not_depend_on_the_parser(
            text in r"[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]{1,11})?(Z|z|[+-][0-2][0-9]:[0-6][0-9])",
        ) {
            if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
                prop_assert_eq!(text.parse::<DateTime<Utc>>(), Ok(time.to_utc()));
                prop_assert_eq!(read(&format!("{text:?}")), Ok(time.to_utc()));
            }
        }
    }
}
