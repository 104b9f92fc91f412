//! Scripted calls.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use call_api_types::{Call, CallStatus};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, Serializer as _};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::call_json::CallJson;
use crate::clock::saturating_add;
use crate::recording;

/// The course of a call: its statuses over time, and when its recording becomes available.
///
/// ```
/// use std::time::Duration;
///
/// use call_api_sandbox::{Clock, Sandbox, Script};
/// use call_api_types::CallStatus;
///
/// #[tokio::main]
/// async fn main() -> std::io::Result<()> {
///     // Dialing for 2 s, in progress for 30 s, then completed, with a recording 5 s later.
///     let script = Script::completed();
///
///     // A custom script: nobody answers.
///     let own = Script::new(CallStatus::Dialing)
///         .then(Duration::from_secs(40), CallStatus::NoAnswer)
///         .end_reason("nobody at home");
///
///     let sandbox = Sandbox::builder().clock(Clock::manual()).start().await?;
///     sandbox.run(Sandbox::example_call(), script);
///     sandbox.advance(Duration::from_secs(2)); // The call is now in progress.
///     Ok(())
/// }
/// ```
///
/// The script sets these properties of the call in every response:
///
/// - `created_date`: the start of the script; `status`: the current status;
/// - `start_time`: when the call was first in progress, if it was;
/// - `end_time`, `duration` (whole seconds since `start_time`) and `end_reason`: once the call has ended;
/// - `recording_url`: once the recording is available. The sandbox serves a recording as long as the call, without a
///   token: see [`Sandbox`](crate::Sandbox#recordings).
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
    /// Returns a script of a call that has this status from the start.
    pub fn new(status: CallStatus) -> Self {
        Self {
            status,
            steps: Vec::new(),
            recording: None,
            end_reason: None,
        }
    }

    /// Adds a status that the call takes on after this time in the previous one.
    #[must_use]
    pub fn then(mut self, after: Duration, status: CallStatus) -> Self {
        self.steps.push(Step { after, status });
        self
    }

    /// Makes a recording available this long after the last status.
    #[must_use]
    pub fn recording(mut self, after: Duration) -> Self {
        self.recording = Some(Recording { after });
        self
    }

    /// Sets the reason for the end of the call, instead of the name of its last status.
    #[must_use]
    pub fn end_reason(mut self, reason: impl Into<String>) -> Self {
        self.end_reason = Some(reason.into());
        self
    }

    /// Dialing for 2 s, in progress for 30 s, then completed, with a recording 5 s later.
    pub fn completed() -> Self {
        Self::answered(30, CallStatus::Completed)
    }

    /// Dialing for 2 s, in progress for 10 s, then transferred, with a recording 5 s later.
    pub fn transferred() -> Self {
        Self::answered(10, CallStatus::Transferred)
    }

    /// Dialing for 2 s, then failed.
    pub fn failed() -> Self {
        Self::dialing_then(2, CallStatus::Failed)
    }

    /// Dialing for 30 s, then no answer.
    pub fn no_answer() -> Self {
        Self::dialing_then(30, CallStatus::NoAnswer)
    }

    /// Reads a script, or `{"ending": STATUS}` for the predefined one that ends with a status.
    pub(crate) fn from_json(json: Value) -> Result<Self, String> {
        let Some(ending) = json.get("ending") else {
            return serde_json::from_value(json).map_err(|error| error.to_string());
        };
        let ending = ending.as_str().unwrap_or_default();
        Self::ending(&ending.into()).ok_or_else(|| {
            "no script has this \"ending\"; use a status that ends a call".to_owned()
        })
    }

    /// Returns the predefined script that ends with this status. There is one for each final status.
    pub fn ending(status: &CallStatus) -> Option<Self> {
        match status {
            CallStatus::Completed => Some(Self::completed()),
            CallStatus::Transferred => Some(Self::transferred()),
            CallStatus::Failed => Some(Self::failed()),
            CallStatus::NoAnswer => Some(Self::no_answer()),
            _ => None,
        }
    }

    fn dialing_then(seconds: u64, status: CallStatus) -> Self {
        Self::new(CallStatus::Dialing).then(Duration::from_secs(seconds), status)
    }

    fn answered(seconds: u64, end: CallStatus) -> Self {
        Self::dialing_then(2, CallStatus::InProgress)
            .then(Duration::from_secs(seconds), end)
            .recording(Duration::from_secs(5))
    }

    /// Returns the initial state, and that of each step with the time of the step.
    fn states(
        &self,
        started_at: DateTime<Utc>,
    ) -> (
        CallState<'_>,
        impl Iterator<Item = (DateTime<Utc>, CallState<'_>)>,
    ) {
        let recorded_at = |steps, at| {
            let recording = self.recording.as_ref();
            let recording = recording.filter(|_| steps == self.steps.len())?;
            Some(saturating_add(at, recording.after))
        };
        let mut initial = CallState {
            status: &self.status,
            started: None,
            ended: None,
            recorded_at: recorded_at(0, started_at),
        };
        initial.enter(&self.status, started_at);
        let (mut at, mut state) = (started_at, initial);
        let later = (1..).zip(&self.steps).map(move |(steps, step)| {
            at = saturating_add(at, step.after);
            state.enter(&step.status, at);
            state.recorded_at = recorded_at(steps, at);
            (at, state)
        });
        (initial, later)
    }
}

/// The state of a scripted call.
#[derive(Clone, Copy)]
pub(crate) struct CallState<'a> {
    pub(crate) status: &'a CallStatus,
    started: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    /// The time at which the recording becomes available, once the last step is over.
    recorded_at: Option<DateTime<Utc>>,
}

impl<'a> CallState<'a> {
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

    /// The duration of the conversation in whole seconds, once the call has ended.
    fn duration(&self) -> Option<i64> {
        let ended = self.ended?;
        Some((ended - self.started.unwrap_or(ended)).num_seconds())
    }
}

/// A script and its start time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunningScript {
    pub(crate) script: Script,
    pub(crate) started_at: DateTime<Utc>,
}

impl RunningScript {
    /// Returns the call's JSON at a time, with the recording's URL under `base_url`. Like FastAPI, sends `null` for a
    /// property without a value instead of leaving it out.
    pub(crate) fn json(&self, call: &Bytes, now: DateTime<Utc>, base_url: &str) -> Bytes {
        self.json_in(&self.state(now), call, now, base_url)
    }

    /// Returns the state of the call at a time.
    pub(crate) fn state(&self, now: DateTime<Utc>) -> CallState<'_> {
        let (initial, later) = self.script.states(self.started_at);
        let passed = later.take_while(|(at, _)| *at <= now);
        passed.last().map_or(initial, |(_, state)| state)
    }

    /// Returns the call's JSON in a state of this script: see [`json`](Self::json).
    pub(crate) fn json_in(
        &self,
        state: &CallState<'_>,
        call: &Bytes,
        now: DateTime<Utc>,
        base_url: &str,
    ) -> Bytes {
        // Unreachable: only valid calls are given a script.
        let Ok(mut call) = serde_json::from_slice::<Call>(call) else {
            return call.clone();
        };
        let duration = state.duration();
        let recorded_at = state.recorded_at.filter(|at| *at <= now);
        call.recording_url =
            recorded_at.map(|_| format!("{base_url}{}", recording::path(call.id, duration)));
        call.end_reason = duration.map(|_| {
            let reason = self.script.end_reason.as_deref();
            reason.unwrap_or(state.status.as_str()).to_owned()
        });
        call.status = state.status.clone();
        call.created_date = self.started_at;
        call.start_time = state.started;
        call.end_time = state.ended;
        call.duration = duration;
        let call = CallJson::from(&call).json;
        with_nulls(&call).unwrap_or(call)
    }
}

#[cfg(any(feature = "pages", feature = "webhooks"))]
impl RunningScript {
    /// Returns the changes of the status after a time and until another, each with its time and the state that it brings.
    /// Without the first time, the initial status is among them.
    pub(crate) fn changes(
        &self,
        after: Option<DateTime<Utc>>,
        until: DateTime<Utc>,
    ) -> impl Iterator<Item = (DateTime<Utc>, CallState<'_>)> {
        let (initial, later) = self.script.states(self.started_at);
        let first = after.is_none().then_some((self.started_at, initial));
        let mut last = initial.status;
        let later = later
            .take_while(move |(at, _)| *at <= until)
            .filter(move |(at, state)| {
                let is_change = std::mem::replace(&mut last, state.status) != state.status;
                is_change && after.is_none_or(|after| *at > after)
            });
        first.into_iter().chain(later)
    }

    /// Returns the time of the first step after a time.
    #[cfg(feature = "webhooks")]
    pub(crate) fn next_step(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (_, later) = self.script.states(self.started_at);
        later.map(|(at, _)| at).find(|at| *at > after)
    }
}

/// The fields that a script sets, some of them to nothing.
const SCRIPTED: [&str; 5] = [
    "recording_url",
    "start_time",
    "end_time",
    "duration",
    "end_reason",
];

/// Adds `null` for the properties that the script sets to nothing.
fn with_nulls(call: &[u8]) -> serde_json::Result<Bytes> {
    let properties: HashMap<&str, &RawValue> = serde_json::from_slice(call)?;
    let mut all = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut all);
    serializer.collect_map(Call::PROPERTIES.iter().filter_map(|(field, name)| {
        let value = properties.get(name);
        (value.is_some() || SCRIPTED.contains(field)).then_some((name, value))
    }))?;
    Ok(all.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(script: &Script, seconds: i64) -> Call {
        let started_at = DateTime::UNIX_EPOCH;
        let running = RunningScript {
            script: script.clone(),
            started_at,
        };
        let call = CallJson::from(&crate::Sandbox::example_call()).json;
        let now = started_at + chrono::TimeDelta::seconds(seconds);
        serde_json::from_slice(&running.json(&call, now, "http://here")).unwrap()
    }

    #[test]
    fn every_final_status_has_a_predefined_script() {
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
    fn scripted_call_has_the_expected_state_at_each_second() {
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
        let url = "http://here/_sandbox/recordings/3c90c3cc-0d44-4b50-8888-8dd25736052a/30.wav";
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
    fn scripted_call_sends_null_for_missing_values() {
        let running = RunningScript {
            script: Script::completed(),
            started_at: DateTime::UNIX_EPOCH,
        };
        let call = CallJson::from(&crate::Sandbox::example_call()).json;
        let names = |json: &Bytes| -> Vec<String> {
            let json = str::from_utf8(json).unwrap();
            let names = json.split(",\"").filter_map(|part| part.split_once("\":"));
            names.map(|(name, _)| name.to_owned()).collect()
        };
        let json = running.json(&call, running.started_at, "http://here");
        assert_eq!(names(&json), names(&call), "another order of properties");
        let mut text = str::from_utf8(&json).unwrap().to_owned();
        for field in SCRIPTED {
            let null = format!(",\"{}\":null", Call::name_in_json(field));
            assert!(text.contains(&null), "no {null} in {text}");
            text = text.replace(&null, "");
        }
        let typed: Call = serde_json::from_slice(&json).unwrap();
        assert_eq!(text, serde_json::to_string(&typed).unwrap());
    }

    #[test]
    fn custom_script_may_have_invalid_transitions() {
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

    #[cfg(feature = "webhooks")]
    #[test]
    fn changes_have_the_call_as_it_was_then() {
        let script = Script::new(CallStatus::Dialing)
            .then(SECOND, CallStatus::Dialing)
            .then(SECOND, CallStatus::InProgress)
            .then(Duration::ZERO, CallStatus::Completed)
            .recording(Duration::ZERO);
        let started_at = DateTime::UNIX_EPOCH;
        let running = RunningScript { script, started_at };
        let call = CallJson::from(&crate::Sandbox::example_call()).json;
        let seen = |after: Option<i64>, until| -> Vec<_> {
            let [after, until] = [after, Some(until)]
                .map(|time| time.map(|time| started_at + chrono::TimeDelta::seconds(time)));
            let changes = running.changes(after, until.unwrap());
            let row = |(at, state): (DateTime<Utc>, CallState<'_>)| {
                let json = running.json_in(&state, &call, at, "http://here");
                let call: Call = serde_json::from_slice(&json).unwrap();
                let is_recorded = call.recording_url.is_some();
                (at.timestamp(), call.status.to_string(), is_recorded)
            };
            changes.map(row).collect()
        };
        let row = |second, status: &str, is_recorded| (second, status.to_owned(), is_recorded);
        let all = [
            row(0, "dialing", false),
            row(2, "in_progress", false),
            row(2, "completed", true),
        ];
        assert_eq!(seen(None, 9), all);
        assert_eq!(seen(Some(0), 2), all[1..]);
        // The initial status is a change even before its time.
        assert_eq!(seen(None, -1), all[..1]);
        assert_eq!((seen(Some(0), 1), seen(Some(2), 9)), (vec![], vec![]));
    }

    #[cfg(feature = "webhooks")]
    #[test]
    fn changes_of_a_large_script_are_not_copies_of_it() {
        let statuses = [CallStatus::InProgress, CallStatus::Dialing];
        let steps = statuses.iter().cycle().take(37_000);
        let script = steps.fold(Script::new(CallStatus::Dialing), |script, status| {
            script.then(SECOND, status.clone())
        });
        let started_at = DateTime::UNIX_EPOCH;
        let running = RunningScript { script, started_at };
        let until = started_at + chrono::TimeDelta::seconds(37_000);
        // Copies would take tens of GB.
        let changes: Vec<_> = running.changes(None, until).collect();
        assert_eq!(changes.len(), 37_001);
        assert_eq!(changes.last().unwrap().0, until);
    }

    #[test]
    fn script_round_trips_as_json_with_seconds() {
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
        assert!(
            error.starts_with("-1 is not a valid number of seconds"),
            "{error}"
        );
    }
}
