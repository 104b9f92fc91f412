//! Calls that live.

use std::time::Duration;

use bytes::Bytes;
use call_api_types::{Call, CallStatus};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::clock::later;
use crate::document::Document;
use crate::recording;

/// How a call goes: its statuses, one after another, and when its recording is there.
///
/// ```
/// use std::time::Duration;
///
/// use call_api_sandbox::{Clock, Sandbox, Script};
/// use call_api_types::CallStatus;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// // Dialing for 2 s, in progress for 30 s, completed; and 5 s later there is a recording.
/// let script = Script::completed();
///
/// // One of your own: nobody is there at first.
/// let own = Script::new(CallStatus::Dialing)
///     .then(Duration::from_secs(40), CallStatus::NoAnswer)
///     .end_reason("nobody at home");
///
/// let sandbox = Sandbox::builder().clock(Clock::stepped()).start().await?;
/// sandbox.run(Sandbox::example_call(), script);
/// sandbox.advance(Duration::from_secs(2)); // From now on the call is in progress.
/// # Ok(())
/// # }
/// ```
///
/// What the script says is so in every answer, whatever the call had there before:
///
/// - `created_date` is when the script began, and `status` what it is by now;
/// - `start_time` is when the call was first in progress, if it was;
/// - `end_time`, `duration` (whole seconds since `start_time`) and `end_reason` are there once it has ended;
/// - `recording_url` is there from the recording's time on. The sandbox serves the recording, which is as long as the
///   call, without asking for a token: see [`Sandbox`](crate::Sandbox#recordings).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    status: CallStatus,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Step>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recording: Option<Recording>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(with = "crate::seconds")]
    after: Duration,
    status: CallStatus,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Recording {
    #[serde(with = "crate::seconds")]
    after: Duration,
}

impl Script {
    /// A call that is of this status from its start on.
    pub fn new(status: CallStatus) -> Self {
        Self {
            status,
            steps: Vec::new(),
            recording: None,
            end_reason: None,
        }
    }

    /// So long after the status before, the call has this one.
    #[must_use]
    pub fn then(mut self, after: Duration, status: CallStatus) -> Self {
        self.steps.push(Step { after, status });
        self
    }

    /// So long after the last status there is a recording.
    #[must_use]
    pub fn recording(mut self, after: Duration) -> Self {
        self.recording = Some(Recording { after });
        self
    }

    /// Why the call ends, in place of the status's own name.
    #[must_use]
    pub fn end_reason(mut self, reason: impl Into<String>) -> Self {
        self.end_reason = Some(reason.into());
        self
    }

    /// Dialing for 2 s, in progress for 30 s, completed, and a recording after 5 s more.
    pub fn completed() -> Self {
        Self::talked(30, CallStatus::Completed)
    }

    /// Dialing for 2 s, in progress for 10 s, transferred, and a recording after 5 s more.
    pub fn transferred() -> Self {
        Self::talked(10, CallStatus::Transferred)
    }

    /// Dialing for 2 s, and failed.
    pub fn failed() -> Self {
        Self::dialed(2, CallStatus::Failed)
    }

    /// Dialing for 30 s, and no answer.
    pub fn no_answer() -> Self {
        Self::dialed(30, CallStatus::NoAnswer)
    }

    /// The script above that ends so: there is one for each status that ends a call.
    pub fn ending(status: &CallStatus) -> Option<Self> {
        match status {
            CallStatus::Completed => Some(Self::completed()),
            CallStatus::Transferred => Some(Self::transferred()),
            CallStatus::Failed => Some(Self::failed()),
            CallStatus::NoAnswer => Some(Self::no_answer()),
            _ => None,
        }
    }

    fn dialed(seconds: u64, status: CallStatus) -> Self {
        Self::new(CallStatus::Dialing).then(Duration::from_secs(seconds), status)
    }

    fn talked(seconds: u64, end: CallStatus) -> Self {
        Self::dialed(2, CallStatus::InProgress)
            .then(Duration::from_secs(seconds), end)
            .recording(Duration::from_secs(5))
    }

    /// How the call stands at a time.
    fn at<'a>(&'a self, begun: DateTime<Utc>, now: DateTime<Utc>) -> State<'a> {
        let mut state = State {
            status: &self.status,
            started: None,
            ended: None,
            is_recorded: false,
        };
        let mut at = begun;
        state.enter(&self.status, at);
        for step in &self.steps {
            at = later(at, step.after);
            if at > now {
                return state;
            }
            state.enter(&step.status, at);
        }
        state.is_recorded = self
            .recording
            .as_ref()
            .is_some_and(|recording| later(at, recording.after) <= now);
        state
    }
}

/// What a script has come to.
struct State<'a> {
    status: &'a CallStatus,
    started: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    is_recorded: bool,
}

impl<'a> State<'a> {
    fn enter(&mut self, status: &'a CallStatus, at: DateTime<Utc>) {
        self.status = status;
        if *status == CallStatus::InProgress {
            self.started.get_or_insert(at);
        }
        if !status.is_ended() {
            self.ended = None;
        } else if self.ended.is_none() {
            self.ended = Some(at);
        }
    }

    /// The whole seconds that were talked.
    fn talked(&self) -> Option<i64> {
        let ended = self.ended?;
        Some((ended - self.started.unwrap_or(ended)).num_seconds())
    }
}

/// A script that runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Life {
    pub(crate) script: Script,
    pub(crate) begun: DateTime<Utc>,
}

impl Life {
    /// The call's JSON as it is at a time, with its recording under `origin`.
    pub(crate) fn json(&self, call: &Bytes, now: DateTime<Utc>, origin: &str) -> Bytes {
        // Only calls that are ones by the document are given a script.
        let Ok(mut call) = serde_json::from_slice::<Call>(call) else {
            return call.clone();
        };
        let state = self.script.at(self.begun, now);
        let talked = state.talked();
        call.created_date = self.begun;
        call.status = state.status.clone();
        call.start_time = state.started;
        call.end_time = state.ended;
        call.duration = talked;
        call.end_reason = talked.map(|_| {
            let reason = self.script.end_reason.as_deref();
            reason.unwrap_or(state.status.as_str()).to_owned()
        });
        call.recording_url = state
            .is_recorded
            .then(|| format!("{origin}{}", recording::path(call.id, talked)));
        Document::from(&call).json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(script: &Script, seconds: i64) -> Call {
        let begun = DateTime::UNIX_EPOCH;
        let life = Life {
            script: script.clone(),
            begun,
        };
        let call = Document::from(&crate::Sandbox::example_call()).json;
        let now = begun + chrono::TimeDelta::seconds(seconds);
        serde_json::from_slice(&life.json(&call, now, "http://here")).unwrap()
    }

    #[test]
    fn each_end_of_a_call_has_a_script() {
        for status in CallStatus::KNOWN {
            let script = Script::ending(status);
            assert_eq!(script.is_some(), status.is_ended(), "{status}");
            let Some(script) = script else { continue };
            assert_eq!(at(&script, 0).status, CallStatus::Dialing);
            let end = at(&script, 3_600);
            assert_eq!(end.status, *status);
            assert_eq!(end.end_reason.as_deref(), Some(status.as_str()));
            assert_eq!(end.start_time.is_some(), end.duration != Some(0));
        }
    }

    #[test]
    fn a_call_is_what_its_script_says_at_each_second() {
        let script = Script::completed();
        let seen: Vec<_> = [0, 1, 2, 31, 32, 36, 37, 9_999]
            .map(|second| {
                let call = at(&script, second);
                let since = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp());
                let (start, end) = (since(call.start_time), since(call.end_time));
                (
                    second,
                    call.status.to_string(),
                    start,
                    end,
                    call.duration,
                    call.recording_url,
                )
            })
            .into();
        let url = "http://here/recordings/3c90c3cc-0d44-4b50-8888-8dd25736052a/30.wav";
        let row = |second, status: &str, start, end, duration, url: Option<&str>| {
            (
                second,
                status.to_owned(),
                start,
                end,
                duration,
                url.map(str::to_owned),
            )
        };
        assert_eq!(
            seen,
            [
                row(0, "dialing", None, None, None, None),
                row(1, "dialing", None, None, None, None),
                row(2, "in_progress", Some(2), None, None, None),
                row(31, "in_progress", Some(2), None, None, None),
                row(32, "completed", Some(2), Some(32), Some(30), None),
                row(36, "completed", Some(2), Some(32), Some(30), None),
                row(37, "completed", Some(2), Some(32), Some(30), Some(url)),
                row(9_999, "completed", Some(2), Some(32), Some(30), Some(url)),
            ]
        );
    }

    #[test]
    fn a_script_of_ones_own_may_be_as_it_never_should() {
        let script = Script::new(CallStatus::Completed)
            .then(SECOND, CallStatus::Dialing)
            .then(SECOND, "on_hold".into())
            .then(SECOND, CallStatus::Failed)
            .end_reason("line cut");
        let ends = [0, 1, 2, 3].map(|second| at(&script, second).end_time.is_some());
        assert_eq!(ends, [true, false, false, true]);
        assert_eq!(
            at(&script, 2).status,
            CallStatus::Unknown("on_hold".to_owned())
        );
        assert_eq!(at(&script, 3).end_reason.as_deref(), Some("line cut"));
    }

    #[test]
    fn a_script_is_json_in_seconds() {
        let script = Script::completed().end_reason("bye");
        let json = serde_json::to_value(&script).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "status": "dialing",
                "steps": [
                    {"after": 2.0, "status": "in_progress"},
                    {"after": 30.0, "status": "completed"},
                ],
                "recording": {"after": 5.0},
                "end_reason": "bye",
            })
        );
        assert_eq!(serde_json::from_value::<Script>(json).unwrap(), script);
        let wrong = r#"{"status":"dialing","steps":[{"after":-1,"status":"failed"}]}"#;
        let error = serde_json::from_str::<Script>(wrong)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("-1 is no number of seconds"), "{error}");
    }
}
