//! The JSON that the page shows.

use std::io;

use call_api_types::{Call, CallStatus, Contact};
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::api::Api;
use crate::call_id;
use crate::clock::system_time;
use crate::history::DatedStatus;
use crate::log::Logged;
use crate::store::TenantId;

/// The number of calls or requests in a page of a list.
const LISTED: usize = 50;

/// The number of calls that are read for a page of a list. A filter that few calls match needs several pages.
const SCANNED: usize = 10_000;

/// The calls to list: by the last page, and a filter. Empty texts match all calls.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CallQuery {
    before: Option<i64>,
    status: String,
    #[serde(rename = "type")]
    type_: String,
    /// A part of an id, of the contact's identifier, or of the end reason.
    text: String,
}

/// A page of calls, newest first.
#[derive(Serialize)]
pub(super) struct CallPage {
    calls: Vec<Value>,
    /// The `before` of the next page; `null` on the last one.
    next: Option<i64>,
    /// The time on the sandbox's clock.
    clock: DateTime<Utc>,
}

impl CallQuery {
    fn has_filter(&self) -> bool {
        [&self.status, &self.type_, &self.text]
            .iter()
            .any(|text| !text.is_empty())
    }

    fn matches(&self, call: &Map<String, Value>) -> bool {
        let is = |field, expected: &String| expected.is_empty() || text(call, field) == expected;
        if !is("status", &self.status) || !is("type", &self.type_) {
            return false;
        }
        let wanted = self.text.trim().to_lowercase();
        let own = ["id", "agent_id", "phone_id", "end_reason"].map(|field| text(call, field));
        let mut texts = own.into_iter().chain([identifier(call)]);
        texts.any(|text| text.to_lowercase().contains(&wanted))
    }

    /// Reads a page of a tenant's calls.
    pub(super) fn read(&self, api: &Api, tenant: TenantId, origin: &str) -> io::Result<CallPage> {
        let clock = api.time.now();
        let batch = match self.has_filter() {
            true => 1_000,
            false => LISTED + 1,
        };
        let (mut calls, mut scanned) = (Vec::new(), 0);
        let mut last = self.before;
        let next = 'scan: loop {
            let listed = api.store.list(tenant, last, batch)?;
            let is_end = listed.len() < batch;
            scanned += listed.len();
            for (number, call) in listed {
                let json = call.json(|| clock, || origin.to_owned());
                let call: Map<String, Value> = serde_json::from_slice(&json)?;
                if self.matches(&call) {
                    if calls.len() == LISTED {
                        break 'scan last;
                    }
                    calls.push(summary(&call));
                }
                last = Some(number);
            }
            if is_end {
                break None;
            }
            if scanned >= SCANNED {
                break last;
            }
        };
        Ok(CallPage { calls, next, clock })
    }
}

/// A call with all that the sandbox knows of it.
#[derive(Serialize)]
pub(super) struct CallDetail {
    call: Value,
    /// As the API returns it.
    json: Box<RawValue>,
    history: Vec<Value>,
    clock: DateTime<Utc>,
}

impl CallDetail {
    /// Reads a call of a tenant; `None` if there is none.
    pub(super) fn read(
        api: &Api,
        tenant: TenantId,
        id: Uuid,
        origin: &str,
    ) -> io::Result<Option<Self>> {
        let Some(stored) = api.store.get(tenant, id)? else {
            return Ok(None);
        };
        let clock = api.time.now();
        let history = api.history.of(tenant, id, &stored);
        let json = stored.json(|| clock, || origin.to_owned());
        Ok(Some(Self {
            call: summary(&serde_json::from_slice(&json)?),
            json: serde_json::from_slice(&json)?,
            history: history.iter().map(dated).collect(),
            clock,
        }))
    }
}

fn text<'a>(call: &'a Map<String, Value>, field: &str) -> &'a str {
    let value = call.get(Call::name_in_json(field));
    value.and_then(Value::as_str).unwrap_or_default()
}

/// Returns the number of the contact, or what else identifies it.
fn identifier(call: &Map<String, Value>) -> &str {
    let contact = call.get(Call::name_in_json("contact"));
    let identifier = contact.and_then(|contact| contact.get(Contact::name_in_json("identifier")));
    identifier.and_then(Value::as_str).unwrap_or_default()
}

/// Returns what the page shows of a call, under names that stay when the document renames a property. A property may be
/// missing or of another type than documented.
fn summary(call: &Map<String, Value>) -> Value {
    let value = |field| call.get(Call::name_in_json(field));
    let status = text(call, "status");
    let recording = Some(text(call, "recording_url"));
    let is_url = |url: &&str| url.starts_with("http://") || url.starts_with("https://");
    json!({
        "id": value("id"),
        "status": status,
        "outcome": outcome(&CallStatus::from(status)),
        "type": value("type"),
        "contact": mask(identifier(call)),
        "agent": value("agent_id"),
        "phone": value("phone_id"),
        "created": value("created_date"),
        "started": value("start_time"),
        "ended": value("end_time"),
        "seconds": value("duration"),
        "reason": value("end_reason"),
        "recording": recording.filter(is_url),
    })
}

fn dated(DatedStatus { at, status }: &DatedStatus) -> Value {
    let outcome = outcome(&CallStatus::from(status.as_deref().unwrap_or_default()));
    json!({"at": at, "status": status, "outcome": outcome})
}

/// Returns the kind of a status, which has a color.
fn outcome(status: &CallStatus) -> &'static str {
    match status {
        CallStatus::Dialing | CallStatus::InProgress => "active",
        CallStatus::Completed | CallStatus::Transferred => "success",
        CallStatus::Failed | CallStatus::NoAnswer => "failure",
        _ => "other",
    }
}

/// Masks a number: shows the last three characters, if at least three more precede them.
fn mask(number: &str) -> String {
    match number.char_indices().rev().nth(2) {
        Some((at, _)) if number[..at].chars().count() >= 3 => format!("***{}", &number[at..]),
        _ => "***".to_owned(),
    }
}

/// The requests to list: by the last page, and the call that they are about.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RequestQuery {
    before: Option<u64>,
    id: Option<Uuid>,
}

/// A page of requests, newest first.
#[derive(Serialize)]
pub(super) struct RequestPage {
    requests: Vec<Value>,
    /// The `before` of the next page; `null` on the last one.
    next: Option<u64>,
    /// The time on the sandbox's clock.
    clock: DateTime<Utc>,
    /// The system time.
    now: DateTime<Utc>,
}

impl RequestQuery {
    /// Reads a page of the log. A tenant does not see the requests of others.
    pub(super) fn read(&self, api: &Api, tenant: TenantId) -> RequestPage {
        let matches = |logged: &Logged| {
            let is_about = |id| segments(&logged.request.path).any(|other| other == id);
            logged.tenant.is_none_or(|other| other == tenant) && self.id.is_none_or(is_about)
        };
        let before = self.before.unwrap_or(u64::MAX);
        let mut newest = api.log.newest(before, LISTED + 1, matches);
        let has_more = newest.len() > LISTED;
        newest.truncate(LISTED);
        let next = newest.last().map(|logged| logged.number);
        RequestPage {
            requests: newest.iter().map(request_summary).collect(),
            next: next.filter(|_| has_more),
            clock: api.time.now(),
            now: system_time(),
        }
    }
}

/// Returns the ids in a path.
fn segments(path: &str) -> impl Iterator<Item = Uuid> {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    segments.filter_map(|segment| {
        let segment = percent_decode_str(segment).decode_utf8().ok()?;
        call_id::parse(&segment).ok()
    })
}

/// Returns what the page shows of a request. The query is left out: it may have a credential.
fn request_summary(logged: &Logged) -> Value {
    let request = &logged.request;
    json!({
        "number": logged.number,
        "at": request.received_at,
        "method": request.method.as_str(),
        "path": request.path,
        "call": segments(&request.path).next(),
        "status": request.status.map(|status| status.as_u16()),
        "seconds": request.duration.map(|duration| duration.as_secs_f64()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mask_shows_at_most_three_of_six_characters() {
        assert_eq!(mask("+34600123456"), "***456");
        assert_eq!(mask("123456"), "***456");
        assert_eq!(mask("12345"), "***");
        assert_eq!(mask(""), "***");
        assert_eq!(mask("ünïcödé"), "***ödé");
    }

    #[test]
    fn summary_of_an_incomplete_call_has_null_for_what_is_missing() {
        let call = json!({Call::name_in_json("status"): "on_hold", Call::name_in_json("duration"): "long"});
        let summary = summary(call.as_object().unwrap());
        assert_eq!(summary["outcome"], "other");
        assert_eq!(summary["seconds"], "long");
        assert_eq!(summary["id"], Value::Null);
    }
}
