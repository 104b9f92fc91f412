//! Webhooks of changed statuses.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::IntoResponse as _;
use bytes::Bytes;
use call_api_client::webhooks::Verified;
use call_api_sandbox::{
    Clock, Sandbox, SandboxBuilder, Script, Webhook, WebhookDelivery, WebhookOutcome,
};
use call_api_types::Call;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use support::{get, http, numbered};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use uuid::Uuid;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SECOND: Duration = Duration::from_secs(1);

type Received = (HeaderMap, Bytes);

/// A receiver of webhooks.
struct Receiver {
    url: String,
    received: mpsc::UnboundedReceiver<Received>,
}

/// Responds to the first requests with the scripted responses, and to all others with 204. Hangs on status 0.
type Responses = Vec<(u16, Option<&'static str>)>;

impl Receiver {
    async fn start(responses: Responses) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, responses)
    }

    fn on(listener: TcpListener, responses: Responses) -> Self {
        let url = format!(
            "http://{}/hooks?key=private",
            listener.local_addr().unwrap()
        );
        let (sender, received) = mpsc::unbounded_channel();
        let responses = Arc::new(Mutex::new(responses.into_iter()));
        let router = Router::new().fallback(async move |headers: HeaderMap, body: Bytes| {
            sender.send((headers, body)).unwrap();
            let next = responses.lock().unwrap().next();
            let (status, retry_after) = next.unwrap_or((204, None));
            if status == 0 {
                std::future::pending::<()>().await;
            }
            let status = StatusCode::from_u16(status).unwrap();
            match retry_after {
                Some(after) => (status, [("retry-after", after)]).into_response(),
                None => status.into_response(),
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, received }
    }

    fn webhook(&self) -> Webhook {
        let webhook = Webhook::new(&self.url).unwrap().secret(SECRET).unwrap();
        webhook.retry_delays([Duration::from_millis(20); 3])
    }

    /// Returns the id and the event of the next request, verified by the SDK.
    async fn next(&mut self) -> (String, Value) {
        let next = tokio::time::timeout(10 * SECOND, self.received.recv());
        let (headers, body) = next.await.unwrap().unwrap();
        assert_eq!(headers["content-type"], "application/json");
        let verified = Verified::<Value>::new(SECRET).unwrap();
        let webhook = verified.parse(&headers, &body).unwrap();
        (webhook.id, webhook.event)
    }

    /// Returns the status of the call in the next request.
    async fn next_status(&mut self) -> String {
        status_of(&self.next().await.1)
    }
}

fn status_of(event: &Value) -> String {
    let status = &event["data"][Call::name_in_json("status")];
    status.as_str().unwrap().to_owned()
}

fn manual() -> SandboxBuilder {
    Sandbox::builder().clock(Clock::manual())
}

/// Returns the deliveries once none is pending.
async fn finished(sandbox: &Sandbox) -> Vec<WebhookDelivery> {
    for _ in 0..1_000 {
        let deliveries = sandbox.webhook_deliveries();
        if deliveries
            .iter()
            .all(|one| one.outcome != WebhookOutcome::Pending)
        {
            return deliveries;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", sandbox.webhook_deliveries());
}

#[tokio::test]
async fn each_status_of_a_script_is_sent_signed_as_the_api_returns_it() {
    let mut receiver = Receiver::start(Vec::new()).await;
    let sandbox = manual().webhook(receiver.webhook()).start().await.unwrap();
    let call = numbered(1);
    let begun = sandbox.now();
    sandbox.run(call.clone(), Script::completed());
    let mut expected = Vec::new();
    for (step, status) in [(0, "dialing"), (2, "in_progress"), (30, "completed")] {
        let now = sandbox.advance(SECOND * step);
        let (_, text) = get(&sandbox, call.id).await;
        let data: Value = serde_json::from_str(&text).unwrap();
        let event = json!({"type": "call.status_changed", "timestamp": now, "data": data});
        assert_eq!(status_of(&event), status);
        expected.push(event);
    }
    // The recording, five seconds later, does not change the status.
    sandbox.advance(SECOND * 60);
    let mut ids = std::collections::HashSet::new();
    for event in expected {
        let (id, sent) = receiver.next().await;
        assert_eq!(sent, event);
        assert!(ids.insert(id), "an id is used twice");
    }
    assert_eq!(finished(&sandbox).await.len(), 3);

    // All changes of a jump are sent, each with the call as it was then.
    sandbox.run(call.clone(), Script::transferred());
    sandbox.advance(SECOND * 3_600);
    let times = [37 + 55, 37 + 55 + 2, 37 + 55 + 12];
    for (status, seconds) in ["dialing", "in_progress", "transferred"].iter().zip(times) {
        let (_, event) = receiver.next().await;
        assert_eq!(status_of(&event), *status);
        let at = begun + SECOND * seconds;
        assert_eq!(event["timestamp"], json!(at));
        let end = &event["data"][Call::name_in_json("end_time")];
        assert_eq!(end.is_null(), *status != "transferred", "{event}");
    }
    // Back to the first status.
    sandbox.set_time(begun + SECOND * 92).unwrap();
    assert_eq!(receiver.next_status().await, "dialing");
}

#[tokio::test]
async fn clock_of_the_sandbox_sends_webhooks_as_it_goes_on() {
    let mut receiver = Receiver::start(Vec::new()).await;
    let builder = Sandbox::builder()
        .clock(Clock::scaled(60))
        .run(numbered(1), Script::completed())
        .webhook(receiver.webhook());
    let sandbox = builder.start().await.unwrap();
    // The status at the start is not a change.
    let statuses = [receiver.next_status().await, receiver.next_status().await];
    assert_eq!(statuses, ["in_progress", "completed"]);
    let before = sandbox.now();
    sandbox.run(numbered(2), Script::no_answer());
    let statuses = [receiver.next_status().await, receiver.next_status().await];
    assert_eq!(statuses, ["dialing", "no_answer"]);
    let passed = sandbox.now() - before;
    assert!(passed.num_seconds() >= 30, "too early: {passed}");
}

#[tokio::test]
async fn added_and_replaced_calls_are_sent_if_their_status_changes() {
    let mut receiver = Receiver::start(Vec::new()).await;
    let builder = manual().control(true).tenant("acme", "of-acme");
    let builder = builder.webhook(receiver.webhook());
    let sandbox = builder.start().await.unwrap();
    let id = Uuid::from_u128(7);
    let call = |status: &str| json!({Call::name_in_json("id"): id, "status": status});
    let put = async |query: &str, call: &Value| {
        let url = format!("{}/_sandbox/calls/{id}{query}", sandbox.base_url());
        let response = http().put(url).body(call.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 204);
    };
    for status in ["dialing", "dialing", "on_hold"] {
        put("", &call(status)).await;
    }
    put("?tenant=acme", &call("dialing")).await;
    let acme = sandbox.tenant("acme").unwrap();
    assert!(acme.remove(id));
    acme.put_json(&call("dialing").to_string()).unwrap();
    let mut sent = Vec::new();
    for _ in 0..4 {
        sent.push(receiver.next().await.1["data"].clone());
    }
    // Webhooks about different calls have no order.
    sent.sort_by_key(|call| call["status"] == "on_hold");
    let expected = ["dialing", "dialing", "dialing", "on_hold"].map(call);
    assert_eq!(sent, expected);
    assert_eq!(finished(&sandbox).await.len(), 4);
}

#[tokio::test]
async fn failed_attempts_are_repeated_with_the_same_id_in_order() {
    let responses = vec![(500, None), (302, None), (429, Some("1"))];
    let mut receiver = Receiver::start(responses).await;
    let sandbox = manual().webhook(receiver.webhook()).start().await.unwrap();
    let started = Instant::now();
    sandbox.run(numbered(1), Script::failed());
    sandbox.advance(SECOND * 2);
    let mut sent = Vec::new();
    for _ in 0..5 {
        let (id, event) = receiver.next().await;
        sent.push((id, status_of(&event)));
    }
    assert!(started.elapsed() >= SECOND, "Retry-After is not honored");
    assert_eq!(sent[..4], vec![sent[0].clone(); 4]);
    assert_eq!(
        (sent[0].1.as_str(), sent[4].1.as_str()),
        ("dialing", "failed")
    );
    assert_ne!(sent[0].0, sent[4].0);
    let deliveries = finished(&sandbox).await;
    let row = |one: &WebhookDelivery| (one.id.clone(), one.attempts, one.response_status);
    let rows: Vec<_> = deliveries.iter().map(row).collect();
    let expected = [
        (sent[0].0.clone(), 4, Some(204)),
        (sent[4].0.clone(), 1, Some(204)),
    ];
    assert_eq!(rows, expected);
    // No other call waits for that one, and the query is not shown.
    assert!(deliveries.iter().all(|one| !one.url.contains("private")));
}

#[tokio::test]
async fn refused_connection_is_retried_with_the_same_id() {
    // It keeps its port, and refuses connections until it listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let webhook = Webhook::new(format!("http://{address}/")).unwrap();
    let webhook = webhook.secret(SECRET).unwrap();
    let webhook = webhook.retry_delays([Duration::from_millis(50); 100]);
    let sandbox = manual().webhook(webhook).start().await.unwrap();
    sandbox.put(numbered(1));
    let started = Instant::now();
    let refused = loop {
        assert!(started.elapsed() < 10 * SECOND, "not retried");
        let deliveries = sandbox.webhook_deliveries();
        if deliveries[0].attempts >= 2 {
            break deliveries[0].clone();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(
        (refused.outcome, refused.response_status),
        (WebhookOutcome::Pending, None)
    );
    let error = refused.error.unwrap();
    assert!(error.to_lowercase().contains("refused"), "{error}");
    let mut receiver = Receiver::on(socket.listen(8).unwrap(), Vec::new());
    assert_eq!(receiver.next().await.0, refused.id);
    let delivered = finished(&sandbox).await.remove(0);
    assert_eq!(delivered.outcome, WebhookOutcome::Delivered);
    assert_eq!(
        (delivered.response_status, delivered.error),
        (Some(204), None)
    );
}

#[tokio::test]
async fn error_of_an_attempt_has_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let webhook = Webhook::new(url).unwrap().retry_delays([]);
    let sandbox = manual().webhook(webhook).start().await.unwrap();
    sandbox.put(numbered(1));
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.read_u8().await.unwrap();
    // A close with unread data resets the connection.
    drop(stream);
    let delivery = finished(&sandbox).await.remove(0);
    let error = delivery.error.unwrap();
    let (what, cause) = error.split_once(": ").unwrap();
    assert_eq!(what, "connection error");
    assert!(cause.to_lowercase().contains("reset"), "{error}");
}

#[tokio::test]
async fn hanging_receiver_delays_neither_the_api_nor_other_calls_nor_shutdown() {
    let mut receiver = Receiver::start(vec![(0, None)]).await;
    let builder = manual().control(true);
    let sandbox = builder.webhook(receiver.webhook()).start().await.unwrap();
    sandbox.run(numbered(1), Script::failed());
    assert_eq!(receiver.next_status().await, "dialing");
    let started = Instant::now();
    // This one waits for that before it.
    sandbox.advance(SECOND * 2);
    assert_eq!(get(&sandbox, Uuid::from_u128(1)).await.0, 200);
    sandbox.put(numbered(2));
    let (_, event) = receiver.next().await;
    assert_eq!(
        event["data"][Call::name_in_json("id")],
        json!(Uuid::from_u128(2))
    );
    let outcomes = || {
        let deliveries = sandbox.webhook_deliveries().into_iter();
        deliveries.map(|one| one.outcome).collect::<Vec<_>>()
    };
    let (delivered, pending) = (WebhookOutcome::Delivered, WebhookOutcome::Pending);
    while outcomes() != [pending, pending, delivered] {
        assert!(started.elapsed() < 4 * SECOND, "{:?}", outcomes());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // A reset cancels deliveries in progress, and frees the call.
    let url = format!("{}/_sandbox/reset", sandbox.base_url());
    assert_eq!(http().post(url).send().await.unwrap().status(), 204);
    assert_eq!(outcomes(), []);
    sandbox.put(numbered(1));
    assert_eq!(receiver.next_status().await, "dialing");
    sandbox.shutdown().await;
    assert!(started.elapsed() < 4 * SECOND, "{:?}", started.elapsed());
}

#[tokio::test]
async fn last_outcome_is_in_the_control_api() {
    let webhook = |receiver: &Receiver| {
        let webhook = receiver.webhook().timeout(Duration::from_millis(200));
        webhook.retry_delays([Duration::from_millis(10)])
    };
    let failing = Receiver::start(vec![(503, None); 2]).await;
    let hanging = Receiver::start(vec![(0, None); 2]).await;
    let builder = manual().control(true);
    let builder = builder
        .webhook(webhook(&failing))
        .webhook(webhook(&hanging));
    let sandbox = builder.start().await.unwrap();
    sandbox.put(numbered(1));
    let ids = finished(&sandbox).await;
    assert_eq!(ids[0].id, ids[1].id);
    let url = format!("{}/_sandbox/webhooks", sandbox.base_url());
    let listed: Value = http().get(&url).send().await.unwrap().json().await.unwrap();
    let delivery = |receiver: &Receiver, status: Value, error: Value| {
        json!({
            "id": ids[0].id, "url": receiver.url.split('?').next().unwrap(),
            "call": Uuid::from_u128(1), "status": "dialing", "attempts": 2,
            "response_status": status, "error": error, "outcome": "failed",
        })
    };
    let expected = json!({"deliveries": [
        delivery(&failing, json!(503), Value::Null),
        delivery(&hanging, Value::Null, json!("no response within 0.2 s")),
    ]});
    assert_eq!(listed, expected);
    let url = format!("{}/_sandbox/openapi.json", sandbox.base_url());
    let document: Value = http().get(&url).send().await.unwrap().json().await.unwrap();
    let schema = &document["components"]["schemas"]["WebhookDeliveries"];
    let errors: Vec<_> = jsonschema::draft202012::new(schema)
        .unwrap()
        .iter_errors(&listed)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[tokio::test]
async fn reset_sends_nothing_and_restarts_the_scripts() {
    let mut receiver = Receiver::start(Vec::new()).await;
    let builder = manual().control(true).run(numbered(1), Script::failed());
    let builder = builder.webhook(receiver.webhook());
    let sandbox = builder.start().await.unwrap();
    for _ in 0..2 {
        sandbox.advance(SECOND * 2);
        assert_eq!(receiver.next_status().await, "failed");
        sandbox.run(numbered(2), Script::no_answer());
        assert_eq!(receiver.next_status().await, "dialing");
        let url = format!("{}/_sandbox/reset", sandbox.base_url());
        assert_eq!(http().post(url).send().await.unwrap().status(), 204);
        assert_eq!(sandbox.webhook_deliveries(), []);
    }
    // The other call and its script are gone.
    sandbox.advance(SECOND * 60);
    assert_eq!(receiver.next_status().await, "failed");
    assert_eq!(sandbox.webhook_deliveries().len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_without_a_webhook_or_a_secret_is_not_signed() {
    let mut receiver = Receiver::start(Vec::new()).await;
    let sandbox = manual().control(true).start().await.unwrap();
    sandbox.run(numbered(1), Script::failed());
    sandbox.advance(SECOND * 2);
    assert_eq!(sandbox.webhook_deliveries(), []);
    let unsigned = Webhook::new(&receiver.url).unwrap();
    let sandbox = manual().webhook(unsigned.clone()).start().await.unwrap();
    sandbox.put(numbered(2));
    let next = tokio::time::timeout(10 * SECOND, receiver.received.recv());
    let (headers, body) = next.await.unwrap().unwrap();
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        event["data"][Call::name_in_json("id")],
        json!(Uuid::from_u128(2))
    );
    assert!(headers.contains_key("webhook-id") && !headers.contains_key("webhook-signature"));
    let error = Sandbox::builder()
        .webhook(unsigned)
        .into_router()
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn scripts_of_a_database_go_on_after_a_restart() {
    let mut receiver = Receiver::start(Vec::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let start = async || {
        let builder = manual().database(folder.path().join("calls.sqlite"));
        builder.webhook(receiver.webhook()).start().await.unwrap()
    };
    let sandbox = start().await;
    sandbox.run(numbered(1), Script::failed());
    finished(&sandbox).await;
    sandbox.shutdown().await;
    let sandbox = start().await;
    sandbox.advance(SECOND * 2);
    let statuses = [receiver.next_status().await, receiver.next_status().await];
    assert_eq!(statuses, ["dialing", "failed"]);
}
