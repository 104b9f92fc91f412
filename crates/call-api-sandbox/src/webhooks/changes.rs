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
use crate::change::Change;
use crate::clock::Time;
use crate::script::RunningScript;
use crate::store::{Store, Stored, TenantId};

/// The type of the only event.
const STATUS_CHANGED: &str = "call.status_changed";

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
    /// `None` before the sandbox is started: its initial calls are no changes. Held during each change, so that webhooks are
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
    scripts: HashMap<CallKey, (Bytes, Arc<RunningScript>)>,
}

impl ScriptedCalls {
    /// Reads the scripts of the store. Changes after `notified_until` are still to be queued.
    fn read(store: &Store, base_url: String, notified_until: DateTime<Utc>) -> io::Result<Self> {
        let calls = store.scripted()?.into_iter();
        let scripts = calls
            .filter_map(|(key, call)| Some((key, (call.json, call.script?))))
            .collect();
        Ok(Self {
            base_url,
            notified_until,
            scripts,
        })
    }

    /// Returns the time at which the first script was started.
    fn first_start(&self) -> Option<DateTime<Utc>> {
        let scripts = self.scripts.values();
        scripts.map(|(_, script)| script.started_at).min()
    }

    /// Queues the changes up to a time; if the clock was set back, the change from the status before.
    fn notify_until(&mut self, now: DateTime<Utc>, queue: &Queue) {
        let (since, base_url) = (self.notified_until, &self.base_url);
        let mut due = Vec::new();
        for (key, (call, script)) in &self.scripts {
            if since <= now {
                for (at, script) in script.changes(Some(since), now) {
                    due.push((at, *key, script.json(call, at, base_url)));
                }
            } else if script.status(since) != script.status(now) {
                due.push((now, *key, script.json(call, now, base_url)));
            }
        }
        self.notified_until = now;
        // Stable, so changes of one call at the same time stay in order.
        due.sort_by_key(|(at, ..)| *at);
        for (at, key, call) in due {
            queue_change(queue, at, key, &call, status(&call));
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
        let states = match &call.script {
            None => vec![(now, call.json.clone())],
            Some(script) => {
                let changes = script.changes(None, now).into_iter();
                let json = |(at, script): (_, RunningScript)| {
                    (at, script.json(&call.json, at, &self.base_url))
                };
                changes.map(json).collect()
            }
        };
        for (at, json) in states {
            let status = status(&json);
            if before.as_ref() != Some(&status) {
                queue_change(queue, at, key, &json, status.clone());
            }
            before = Some(status);
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
        *self.lock() = Some(ScriptedCalls::read(store, base_url.to_owned(), started_at)?);
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

    /// Runs an action, and queues the changes that it makes.
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
                scripted.scripts.remove(&(tenant, id));
                scripted.notify_until(time.now(), &self.queue);
                if let Some(call) = store.get(tenant, id)? {
                    if result.is_ok() {
                        scripted.notify_call((tenant, id), &call, before, &self.queue);
                    }
                    if let Some(script) = call.script {
                        scripted.scripts.insert((tenant, id), (call.json, script));
                    }
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
                let now = time.now();
                *scripted = ScriptedCalls::read(store, scripted.base_url.clone(), now)?;
                scripted.notified_until = scripted.first_start().unwrap_or(now);
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
        let scripts = scripted.scripts.values();
        let next = scripts.filter_map(|(_, script)| script.next_step(scripted.notified_until));
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
