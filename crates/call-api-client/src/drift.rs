//! Drift detection: responses compared with the API's document.

mod comparison;
mod difference;
mod document;
mod place;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use comparison::Comparison;
pub use difference::{Drift, DriftKind};
use document::document;
use place::{is_same_branch, without_indices};

/// The handling of drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DriftMode {
    /// Drift is counted and reported: for production.
    #[default]
    Watch,
    /// Drift is counted and reported, and fails the request with [`ErrorKind::Drift`](crate::ErrorKind::Drift): for CI.
    Strict,
}

type OnDrift = Arc<dyn Fn(&Drift) + Send + Sync>;

/// A service that invents names must not fill the memory; no other has so many kinds of drift.
const KINDS: usize = 1000;

/// Compares responses with the document; shared by a client's clones.
pub(crate) struct DriftDetector {
    mode: DriftMode,
    on_drift: Option<OnDrift>,
    seen: Mutex<HashMap<Drift, u64>>,
}

/// The settings of a [`DriftDetector`].
#[derive(Clone, Default)]
pub(crate) struct DriftSettings {
    pub(crate) mode: DriftMode,
    pub(crate) on_drift: Option<OnDrift>,
}

impl DriftDetector {
    pub(crate) fn new(settings: DriftSettings) -> Self {
        Self {
            mode: settings.mode,
            on_drift: settings.on_drift,
            seen: Mutex::default(),
        }
    }

    /// Compares the response of an operation with the document. Returns the drift.
    ///
    /// # Errors
    /// In strict mode, the drift.
    pub(crate) fn check(
        &self,
        operation: &'static str,
        status: u16,
        body: &[u8],
    ) -> Result<Vec<Drift>, Vec<Drift>> {
        self.compare(operation, document().response(operation, status), body)
    }

    /// Compares an item of a stream with the document. Returns the drift.
    ///
    /// # Errors
    /// In strict mode, the drift.
    pub(crate) fn check_item(
        &self,
        operation: &'static str,
        item: &[u8],
    ) -> Result<Vec<Drift>, Vec<Drift>> {
        self.compare(operation, document().item(operation), item)
    }

    fn compare(
        &self,
        operation: &'static str,
        schema: Option<&Value>,
        body: &[u8],
    ) -> Result<Vec<Drift>, Vec<Drift>> {
        let Some(schema) = schema else {
            return Ok(Vec::new());
        };
        // A body that is not JSON fails to decode, and is reported as that.
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Ok(Vec::new());
        };
        let found = Comparison::new(document()).of(schema, &value);
        let drifts = found.into_iter().map(|(place, kind)| Drift {
            operation,
            place,
            kind,
        });
        let mut drifts: Vec<_> = drifts.collect();
        // The order of an object's properties means nothing.
        drifts.sort();
        self.report(drifts)
    }

    /// Counts the value at a path as undecodable, unless `drifts` of the same body has its place.
    pub(crate) fn report_undecodable(&self, operation: &'static str, path: &str, drifts: &[Drift]) {
        let place = without_indices(path);
        let mut drifts = drifts.iter();
        if !drifts.any(|drift| is_same_branch(&drift.place, &place)) {
            let drift = Drift::new(operation, place, DriftKind::Undecodable);
            // The item is an error in either mode.
            let _ = self.report(vec![drift]);
        }
    }

    /// Counts drift, and reports each kind when it is first seen. Returns the drift.
    ///
    /// # Errors
    /// In strict mode, the drift.
    pub(crate) fn report(&self, drifts: Vec<Drift>) -> Result<Vec<Drift>, Vec<Drift>> {
        for drift in &drifts {
            if self.count(drift) {
                #[cfg(feature = "tracing")]
                tracing::warn!(
                    target: "call_api_client",
                    operation = drift.operation,
                    place = drift.place,
                    "the response differs from the API's document: {drift}"
                );
                if let Some(on_drift) = &self.on_drift {
                    on_drift(drift);
                }
            }
        }
        if drifts.is_empty() || self.mode == DriftMode::Watch {
            Ok(drifts)
        } else {
            Err(drifts)
        }
    }

    /// Returns true if this is the first of its kind.
    fn count(&self, drift: &Drift) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = seen.get_mut(drift) {
            *count += 1;
            return false;
        }
        let is_new = seen.len() < KINDS;
        if is_new {
            seen.insert(drift.clone(), 1);
        }
        is_new
    }

    /// Returns each kind and how often it was seen, in order.
    pub(crate) fn counts(&self) -> Vec<(Drift, u64)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: Vec<_> = seen
            .iter()
            .map(|(drift, count)| (drift.clone(), *count))
            .collect();
        counts.sort();
        counts
    }
}

impl fmt::Debug for DriftDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriftDetector")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn number_of_kinds_is_bounded() {
        let detector = DriftDetector::new(DriftSettings::default());
        for number in 0..2 * KINDS {
            let place = number.to_string();
            let drift = Drift {
                operation: "test",
                place,
                kind: DriftKind::UnknownProperty,
            };
            detector.report(vec![drift]).unwrap();
        }
        assert_eq!(detector.counts().len(), KINDS);
    }
}
