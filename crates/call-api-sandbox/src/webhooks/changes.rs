//! Changes of statuses: by scripts as the clock advances, and by what replaces a call.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use bytes::Bytes;
use call_api_types::Call;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::queue::{Message, Queue, deliver_all};
use super::{Webhook, WebhookDelivery};
use crate::change::{Change, read_or_log};
use crate::clock::Time;
use crate::script::RunningScript;
use crate::store::{Store, Stored, TenantId};

/// The type of the only event.
const STATUS_CHANGED: &str = "call.status_changed";

/// The consequence of a change that cannot be read.
const UNSENT: &str = "no webhook is sent for it";

/// The delay before asking again for a lock that is held for a write to the database.
const LOCK_DELAY: Duration = Duration::from_millis(10);

/// A tenant and the id of its call.
type CallKey = (TenantId, Uuid);

/// The body of a webhook.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    type_: &'static str,
    timestamp: DateTime<Utc>,
    data: &'a RawValue,
}

/// Sends webhooks when statuses change.
pub(crate) struct Webhooks {
    queue: Arc<Queue>,
    /// `None` before the sandbox is started: its initial calls are not changes. Held during each change, so that webhooks are
    /// queued in the order of changes.
    scripted: Mutex<Option<ScriptedCalls>>,
    /// Notified when a script or the clock was changed.
    changed: Notify,
}

/// The scripted calls, whose statuses change with the clock.
struct ScriptedCalls {
    base_url: String,
    /// The time up to which webhooks were queued.
    notified_until: DateTime<Utc>,
    calls: HashMap<CallKey, ScriptedCall>,
}

struct ScriptedCall {
    json: Bytes,
    script: Arc<RunningScript>,
    /// The time of the first step after `notified_until`; `None` after the last step.
    next: Option<DateTime<Utc>>,
}

impl ScriptedCalls {
    /// Begins with these calls. Changes after `notified_until` are still to be queued.
    fn new(base_url: String, calls: Vec<(CallKey, Stored)>, notified_until: DateTime<Utc>) -> Self {
        let mut scripted = Self {
            base_url,
            notified_until,
            calls: HashMap::new(),
        };
        for (key, call) in calls {
            scripted.add(key, call);
        }
        scripted
    }

    /// Adds a call if it has a script.
    fn add(&mut self, key: CallKey, call: Stored) {
        if let Some(script) = call.script {
            let next = script.next_step(self.notified_until);
            let json = call.json;
            self.calls.insert(key, ScriptedCall { json, script, next });
        }
    }

    /// Queues the changes up to a time; if the clock was set back, the change from the status before.
    fn notify_until(&mut self, now: DateTime<Utc>, queue: &Queue) {
        let since = std::mem::replace(&mut self.notified_until, now);
        let mut due = Vec::new();
        for (key, call) in &mut self.calls {
            let ScriptedCall { json, script, next } = call;
            let (json, script) = (&*json, &*script);
            if now < since {
                let state = script.state(now);
                if script.state(since).status != state.status {
                    due.push((now, *key, json, script, state));
                }
            } else if next.is_some_and(|next| next <= now) {
                let changes = script.changes(Some(since), now);
                due.extend(changes.map(|(at, state)| (at, *key, json, script, state)));
            } else {
                continue;
            }
            *next = script.next_step(now);
        }
        // Stable, so changes of one call at the same time stay in order.
        due.sort_by_key(|(at, ..)| *at);
        for (at, key, json, script, state) in due {
            let json = script.json_in(&state, json, at, &self.base_url);
            queue_change(queue, at, key, &json, status(&json));
        }
    }

    /// Queues the changes of a call that was added or replaced; `before` is the former status of an existing one.
    fn notify_call(
        &self,
        key: CallKey,
        call: &Stored,
        mut before: Option<Option<Value>>,
        queue: &Queue,
    ) {
        let now = self.notified_until;
        let mut queue_if_changed = |at, json: &[u8]| {
            let status = status(json);
            if before.as_ref() != Some(&status) {
                queue_change(queue, at, key, json, status.clone());
            }
            before = Some(status);
        };
        match &call.script {
            None => queue_if_changed(now, &call.json),
            Some(script) => {
                for (at, state) in script.changes(None, now) {
                    let json = script.json_in(&state, &call.json, at, &self.base_url);
                    queue_if_changed(at, &json);
                }
            }
        }
    }
}

impl Webhooks {
    pub(crate) fn new(receivers: Vec<Webhook>) -> Self {
        Self {
            queue: Arc::new(Queue::new(receivers)),
            scripted: Mutex::new(None),
            changed: Notify::new(),
        }
    }

    /// Returns the latest deliveries, oldest first.
    pub(crate) fn deliveries(&self) -> Vec<WebhookDelivery> {
        self.queue.deliveries()
    }

    /// Starts with the scripts of the store, whose changes after `started_at` are still to be queued. Returns the tasks that
    /// deliver.
    pub(crate) fn start(
        &self,
        store: &Store,
        started_at: DateTime<Utc>,
        base_url: &str,
    ) -> io::Result<JoinSet<()>> {
        let calls = store.scripted()?;
        *self.lock() = Some(ScriptedCalls::new(base_url.to_owned(), calls, started_at));
        let receivers = 0..self.queue.receivers.len();
        Ok(receivers
            .map(|receiver| deliver_all(Arc::clone(&self.queue), receiver))
            .collect())
    }

    /// Queues the changes of scripts as the clock advances. Never returns.
    pub(crate) async fn follow_scripts(&self, time: &Time) {
        loop {
            let next = self.notify_due(time);
            let due = async {
                match next {
                    Some(delay) => tokio::time::sleep(delay).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<ScriptedCalls>> {
        self.scripted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs an action, and queues the changes that it makes. If they cannot be read, logs the error: the action is done.
    pub(crate) fn observe<T>(
        &self,
        store: &Store,
        time: &Time,
        change: &Change,
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let mut guard = self.lock();
        let Some(scripted) = &mut *guard else {
            return act();
        };
        scripted.notify_until(time.now(), &self.queue);
        let result = match *change {
            Change::Call(tenant, id) => {
                let now = scripted.notified_until;
                let before = store.get(tenant, id)?;
                let before = before.map(|call| status(&call.json(|| now, String::new)));
                let result = act();
                scripted.calls.remove(&(tenant, id));
                scripted.notify_until(time.now(), &self.queue);
                if let Some(call) = read_or_log(store.get(tenant, id), UNSENT) {
                    if result.is_ok() {
                        scripted.notify_call((tenant, id), &call, before, &self.queue);
                    }
                    scripted.add((tenant, id), call);
                }
                result
            }
            Change::Clock => {
                let result = act();
                scripted.notify_until(time.now(), &self.queue);
                result
            }
            Change::All => {
                let result = act();
                self.queue.clear();
                let calls = read_or_log(store.scripted(), UNSENT);
                let scripts = calls.iter().filter_map(|(_, call)| call.script.as_ref());
                let first_start = scripts.map(|script| script.started_at).min();
                let since = first_start.unwrap_or_else(|| time.now());
                *scripted = ScriptedCalls::new(scripted.base_url.clone(), calls, since);
                result
            }
        };
        self.changed.notify_one();
        result
    }

    /// Queues the changes that are due. Returns the time until the next one; `None` if the clock alone brings none.
    fn notify_due(&self, time: &Time) -> Option<Duration> {
        let mut guard = match self.scripted.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return Some(LOCK_DELAY),
        };
        let scripted = guard.as_mut()?;
        scripted.notify_until(time.now(), &self.queue);
        let next = scripted.calls.values().filter_map(|call| call.next);
        time.until(next.min()?)
    }
}

/// Returns the status in the JSON of a call, which may have none.
fn status(call: &[u8]) -> Option<Value> {
    let mut call: Map<String, Value> = serde_json::from_slice(call).ok()?;
    call.remove(Call::name_in_json("status"))
}

/// Queues a webhook with the JSON of a call.
fn queue_change(
    queue: &Queue,
    timestamp: DateTime<Utc>,
    (tenant, id): CallKey,
    call: &[u8],
    status: Option<Value>,
) {
    let body = serde_json::from_slice::<&RawValue>(call).and_then(|data| {
        serde_json::to_vec(&Event {
            type_: STATUS_CHANGED,
            timestamp,
            data,
        })
    });
    // Unreachable: what is stored as a call is JSON.
    let Ok(body) = body else { return };
    queue.push(Message {
        id: format!("msg_{:032x}", fastrand::u128(..)),
        tenant,
        call: id,
        status: status.map(|status| match status {
            Value::String(status) => status,
            other => other.to_string(),
        }),
        body: body.into(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Sandbox, SandboxBuilder, Script};

    fn builder() -> SandboxBuilder {
        let webhook = Webhook::new("http://localhost:1/").unwrap();
        Sandbox::builder().clock(Clock::manual()).webhook(webhook)
    }

    #[tokio::test]
    async fn finished_script_is_skipped_until_the_clock_is_set_back() {
        let sandbox = builder().start().await.unwrap();
        let webhooks = sandbox.api.webhooks.as_ref().unwrap();
        let next = || {
            let scripted = webhooks.lock();
            let mut calls = scripted.as_ref().unwrap().calls.values();
            calls.next().unwrap().next
        };
        let begun = sandbox.now();
        sandbox.run(Sandbox::example_call(), Script::failed());
        let end = Some(begun + Duration::from_secs(2));
        assert_eq!(next(), end);
        sandbox.advance(Duration::from_secs(60));
        assert_eq!(next(), None);
        sandbox.set_time(begun).unwrap();
        assert_eq!(next(), end);
        sandbox.advance(Duration::from_secs(2));
        let statuses = webhooks.deliveries().into_iter();
        let statuses: Vec<_> = statuses.filter_map(|one| one.status).collect();
        // The example call was dialing before.
        assert_eq!(statuses, ["failed", "dialing", "failed"]);
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn change_that_cannot_be_read_keeps_its_result() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calls.sqlite");
        let sandbox = builder().database(&file).start().await.unwrap();
        let api = &sandbox.api;
        let webhooks = api.webhooks.as_ref().unwrap();
        let call = Change::Call(api.initial.default_tenant, Uuid::nil());
        let result = webhooks.observe(&api.store, &api.time, &call, || {
            let database = rusqlite::Connection::open(&file).unwrap();
            database.execute_batch("DROP TABLE call").unwrap();
            Ok("done")
        });
        assert_eq!(result.unwrap(), "done");
        assert!(api.store.scripted().is_err());
        let result = webhooks.observe(&api.store, &api.time, &Change::All, || Ok("done"));
        assert_eq!(result.unwrap(), "done");
    }
}
