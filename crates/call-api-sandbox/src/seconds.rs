//! Serde support for durations as a number of seconds.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// The maximum: about 100 years.
const MAX: f64 = 3_155_760_000.0;

pub(crate) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if seconds <= MAX => Ok(duration),
        _ => Err(D::Error::custom(format!(
            "{seconds} is not a valid number of seconds: use one from 0 to {MAX}"
        ))),
    }
}
