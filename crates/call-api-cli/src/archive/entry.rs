//! The outcome for a recording, as the manifest has it.

use std::time::SystemTime;

use call_api::Uuid;
use call_api::chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A line of the manifest. The last one of a call counts.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Entry {
    pub(super) id: Uuid,
    pub(super) outcome: Outcome,
    /// The name of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    /// The class of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// The time in UTC.
    pub(super) at: String,
}

/// The outcome for a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The file is complete.
    Saved,
    /// The call has ended without a recording.
    Absent,
    /// It was not downloaded; the next run tries again.
    Failed,
}

impl Entry {
    pub(super) fn new(id: Uuid, outcome: Outcome) -> Self {
        let now = DateTime::<Utc>::from(SystemTime::now());
        Self {
            id,
            outcome,
            file: None,
            size: None,
            sha256: None,
            etag: None,
            media_type: None,
            error: None,
            at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }

    /// Returns the entry as a line of JSON.
    pub(super) fn to_line(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}
