//! Integers in JSON, where `2.0` is one, too.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The first float that is too large.
const LIMIT: f64 = 18_446_744_073_709_551_616.0;

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Integer(u64),
    Float(f64),
}

impl Number {
    fn get<T: TryFrom<u64>, E: serde::de::Error>(self) -> Result<T, E> {
        let integer = match self {
            Self::Integer(integer) => Some(integer),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is a whole number in the range"
            )]
            Self::Float(float) if float.fract() == 0.0 && (0.0..LIMIT).contains(&float) => {
                Some(float as u64)
            }
            Self::Float(_) => None,
        };
        let integer = integer.and_then(|integer| T::try_from(integer).ok());
        integer.ok_or_else(|| E::custom("expected a whole number in the range"))
    }
}

/// Deserializes an integer.
pub(crate) fn deserialize<'de, T: TryFrom<u64>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Number::deserialize(deserializer)
        .map_err(|_| D::Error::custom("expected a whole number of at least 0"))?
        .get()
}

/// Deserializes an integer or `null`.
pub(crate) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    Option::<Number>::deserialize(deserializer)
        .map_err(|_| D::Error::custom("expected a whole number of at least 0"))?
        .map(Number::get)
        .transpose()
}
