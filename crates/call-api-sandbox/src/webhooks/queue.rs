//! The queue of webhooks, and their delivery.
//!
//! Deliveries to one receiver run at the same time, except those about one call, which keep their order.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Webhook;
use super::request::{ReceiverResponse, attempt};
use crate::store::TenantId;

/// The maximum number of webhooks that wait for one receiver; further ones are dropped.
const MAX_WAITING: usize = 1_000;
/// The number of deliveries to each receiver that are listed. It is larger than the number of those that are not finished.
const MAX_LISTED: usize = 2_000;
/// The maximum number of deliveries to one receiver at the same time.
const MAX_PARALLEL: usize = 8;
/// The maximum delay that a receiver can ask for with `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// The delivery of a webhook to one receiver: see [`Sandbox::webhook_deliveries`](crate::Sandbox::webhook_deliveries).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WebhookDelivery {
    /// The `webhook-id`, which is the same for all attempts and receivers.
    pub id: String,
    /// The URL of the receiver, without its query.
    pub url: String,
    /// The id of the call.
    pub call: Uuid,
    /// The status of the call in the webhook; `None` if the call has none.
    pub status: Option<String>,
    /// The number of attempts so far.
    pub attempts: u32,
    /// The status of the response to the last attempt; `None` if there was no response.
    pub response_status: Option<u16>,
    /// The reason why the last attempt got no response.
    pub error: Option<String>,
    /// The state of the delivery.
    pub outcome: WebhookOutcome,
}

/// The state of a [`WebhookDelivery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WebhookOutcome {
    /// There will be another attempt.
    Pending,
    /// The receiver has responded with a success.
    Delivered,
    /// No attempt got a success.
    Failed,
    /// There was no attempt, because too many webhooks waited.
    Dropped,
}

/// A webhook that is the same for all receivers.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) tenant: TenantId,
    pub(super) call: Uuid,
    pub(super) status: Option<String>,
    pub(super) body: Bytes,
}

/// A message for one receiver.
struct Job {
    /// The number of the delivery.
    number: u64,
    receiver: usize,
    message: Arc<Message>,
}

impl Job {
    /// Returns the subject, which only one delivery at a time may have.
    fn subject(&self) -> Subject {
        (self.receiver, self.message.tenant, self.message.call)
    }
}

/// A receiver, a tenant, and the tenant's call.
type Subject = (usize, TenantId, Uuid);

/// The receivers, and the messages to be sent to them.
pub(super) struct Queue {
    pub(super) receivers: Vec<Webhook>,
    /// Notified of work for each receiver.
    work: Vec<Notify>,
    state: Mutex<State>,
    /// Changed when all deliveries are canceled.
    canceled: watch::Sender<()>,
}

struct State {
    next_number: u64,
    /// The jobs for each receiver.
    waiting: Vec<VecDeque<Job>>,
    /// The subjects of deliveries in progress.
    busy: HashSet<Subject>,
    /// By number, so from the oldest to the latest.
    deliveries: BTreeMap<u64, WebhookDelivery>,
}

impl State {
    fn new(receivers: usize) -> Self {
        Self {
            next_number: 0,
            waiting: (0..receivers).map(|_| VecDeque::new()).collect(),
            busy: HashSet::new(),
            deliveries: BTreeMap::new(),
        }
    }

    /// Lists a delivery in place of the oldest finished one.
    fn list(&mut self, number: u64, delivery: WebhookDelivery) {
        self.deliveries.insert(number, delivery);
        if self.deliveries.len() > MAX_LISTED * self.waiting.len() {
            let mut all = self.deliveries.iter();
            let finished = all.find(|(_, listed)| listed.outcome != WebhookOutcome::Pending);
            if let Some(oldest) = finished.map(|(number, _)| *number) {
                self.deliveries.remove(&oldest);
            }
        }
    }
}

impl Queue {
    pub(super) fn new(receivers: Vec<Webhook>) -> Self {
        Self {
            work: receivers.iter().map(|_| Notify::new()).collect(),
            state: Mutex::new(State::new(receivers.len())),
            receivers,
            canceled: watch::Sender::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message for each receiver.
    pub(super) fn push(&self, message: Message) {
        let message = Arc::new(message);
        let mut state = self.state();
        for (receiver, webhook) in self.receivers.iter().enumerate() {
            let number = state.next_number;
            state.next_number += 1;
            let outcome = match state.waiting[receiver].len() < MAX_WAITING {
                true => WebhookOutcome::Pending,
                false => WebhookOutcome::Dropped,
            };
            let delivery = WebhookDelivery {
                id: message.id.clone(),
                url: webhook.shown_url(),
                call: message.call,
                status: message.status.clone(),
                attempts: 0,
                response_status: None,
                error: None,
                outcome,
            };
            if outcome == WebhookOutcome::Pending {
                state.waiting[receiver].push_back(Job {
                    number,
                    receiver,
                    message: Arc::clone(&message),
                });
                self.work[receiver].notify_one();
            } else {
                log(&delivery);
            }
            state.list(number, delivery);
        }
    }

    /// Takes the first job for a receiver that may begin, with a receiver of its cancelation.
    fn take(&self, receiver: usize) -> Option<(Job, watch::Receiver<()>)> {
        let mut state = self.state();
        let State { waiting, busy, .. } = &mut *state;
        let waiting = &mut waiting[receiver];
        let ready = waiting
            .iter()
            .position(|job| !busy.contains(&job.subject()))?;
        let job = waiting.remove(ready)?;
        busy.insert(job.subject());
        Some((job, self.canceled.subscribe()))
    }

    /// Ends a job that was taken, so that the next one about the same call may begin.
    fn release(&self, job: &Job) {
        self.state().busy.remove(&job.subject());
        self.work[job.receiver].notify_one();
    }

    /// Updates a delivery after an attempt.
    fn update(
        &self,
        number: u64,
        result: &Result<ReceiverResponse, String>,
        outcome: WebhookOutcome,
    ) {
        let mut state = self.state();
        let Some(delivery) = state.deliveries.get_mut(&number) else {
            return;
        };
        delivery.attempts += 1;
        delivery.response_status = result
            .as_ref()
            .ok()
            .map(|response| response.status.as_u16());
        delivery.error = result.as_ref().err().cloned();
        delivery.outcome = outcome;
        if outcome == WebhookOutcome::Failed {
            log(delivery);
        }
    }

    /// Returns the latest deliveries, oldest first.
    pub(super) fn deliveries(&self) -> Vec<WebhookDelivery> {
        self.state().deliveries.values().cloned().collect()
    }

    /// Cancels all deliveries and forgets them.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        state.waiting.iter_mut().for_each(VecDeque::clear);
        state.deliveries.clear();
        self.canceled.send_replace(());
    }
}

/// Logs a webhook that is not delivered. The id of the call is left out, as in the events of requests.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables))]
fn log(delivery: &WebhookDelivery) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        webhook = delivery.id,
        url = delivery.url,
        attempts = delivery.attempts,
        status = delivery.response_status,
        error = delivery.error,
        "webhook not delivered"
    );
}

/// Delivers the webhooks for a receiver. Never returns.
pub(super) async fn deliver_all(queue: Arc<Queue>, receiver: usize) {
    let mut tasks = JoinSet::new();
    loop {
        while tasks.len() < MAX_PARALLEL
            && let Some((job, mut canceled)) = queue.take(receiver)
        {
            let queue = Arc::clone(&queue);
            tasks.spawn(async move {
                tokio::select! {
                    () = deliver(&queue, &job) => {}
                    _ = canceled.changed() => {}
                }
                queue.release(&job);
            });
        }
        tokio::select! {
            () = queue.work[receiver].notified() => {}
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// Sends a webhook until it is a success, or there are no further attempts.
async fn deliver(queue: &Queue, job: &Job) {
    let webhook = &queue.receivers[job.receiver];
    let mut delays = webhook.retry_delays.iter();
    loop {
        let result = attempt(webhook, &job.message.id, &job.message.body).await;
        let is_success = matches!(&result, Ok(response) if response.status.is_success());
        let delay = delays.next().filter(|_| !is_success);
        let outcome = match delay {
            _ if is_success => WebhookOutcome::Delivered,
            Some(_) => WebhookOutcome::Pending,
            None => WebhookOutcome::Failed,
        };
        queue.update(job.number, &result, outcome);
        let Some(delay) = delay else { return };
        let asked = result.ok().and_then(|response| response.retry_after);
        tokio::time::sleep(extended(*delay, asked)).await;
    }
}

/// Returns the delay before an attempt, extended to the `Retry-After` of the receiver within its bound.
fn extended(delay: Duration, retry_after: Option<Duration>) -> Duration {
    delay.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue {
        Queue::new(vec![Webhook::new("http://localhost:1/").unwrap()])
    }

    fn push(queue: &Queue, call: u128, status: &str) {
        let store = crate::store::Store::default();
        queue.push(Message {
            id: format!("msg_{status}"),
            tenant: store.tenant("default").unwrap(),
            call: Uuid::from_u128(call),
            status: Some(status.to_owned()),
            body: Bytes::new(),
        });
    }

    #[test]
    fn webhooks_about_one_call_are_delivered_one_after_another() {
        let queue = queue();
        for (call, status) in [(1, "a"), (1, "b"), (2, "c")] {
            push(&queue, call, status);
        }
        let take = || queue.take(0).map(|(job, _)| job);
        let status = |job: &Option<Job>| job.as_ref()?.message.status.clone();
        let (first, other) = (take(), take());
        assert_eq!(status(&first).as_deref(), Some("a"));
        assert_eq!(status(&other).as_deref(), Some("c"));
        assert!(take().is_none());
        queue.release(&first.unwrap());
        assert_eq!(status(&take()).as_deref(), Some("b"));
    }

    #[test]
    fn retry_after_extends_a_delay_up_to_its_bound() {
        let seconds = Duration::from_secs;
        for (own, asked, expected) in [
            (2, None, 2),
            (2, Some(1), 2),
            (2, Some(7), 7),
            (2, Some(3_600), 30),
            (60, Some(3_600), 60),
        ] {
            let delay = extended(seconds(own), asked.map(seconds));
            assert_eq!(delay, seconds(expected), "{own} {asked:?}");
        }
    }

    #[test]
    fn full_queue_drops_new_webhooks_and_keeps_unfinished_ones_listed() {
        let queue = queue();
        for index in 0..MAX_WAITING + 3 * MAX_LISTED {
            push(&queue, 1, &index.to_string());
        }
        let deliveries = queue.deliveries();
        assert_eq!(deliveries.len(), MAX_LISTED);
        let (pending, dropped) = deliveries.split_at(MAX_WAITING);
        let all = |part: &[WebhookDelivery], outcome| part.iter().all(|one| one.outcome == outcome);
        assert!(all(pending, WebhookOutcome::Pending));
        assert!(all(dropped, WebhookOutcome::Dropped));
        assert_eq!(pending[0].status.as_deref(), Some("0"));
        queue.clear();
        assert_eq!(queue.deliveries(), []);
        assert!(queue.take(0).is_none());
    }

    #[test]
    fn receiver_that_is_down_drops_no_webhooks_for_another() {
        let receivers = ["http://localhost:1/", "http://localhost:2/"];
        let [down, up] = receivers.map(|url| Webhook::new(url).unwrap());
        let queue = Queue::new(vec![down, up]);
        for index in 0..MAX_WAITING + 10 {
            push(&queue, 1, &index.to_string());
            let (job, _) = queue.take(1).unwrap();
            queue.release(&job);
        }
        let dropped = queue.deliveries().into_iter();
        let dropped = dropped.filter(|one| one.outcome == WebhookOutcome::Dropped);
        let dropped: Vec<_> = dropped.map(|one| one.url).collect();
        assert_eq!(dropped, [receivers[0]; 10]);
    }
}
