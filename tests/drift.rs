//! Drift detection: responses that differ from the document are counted, reported once, and are errors in strict mode.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

use std::sync::{Arc, Mutex};

use call_api::{Call, Client, ClientBuilder, DriftKind, DriftMode, ErrorKind, Uuid};
use call_api_sandbox::Sandbox;
use serde_json::{Value, json};

/// Starts a sandbox with a changed example call, and returns the id of that call.
async fn sandbox_with(change: impl FnOnce(&mut Value)) -> (Sandbox, Uuid) {
    let sandbox = Sandbox::start().await.unwrap();
    let mut call: Value = serde_json::to_value(Sandbox::example_call()).unwrap();
    change(&mut call);
    let id = sandbox.put_json(&call.to_string()).unwrap();
    (sandbox, id)
}

fn builder(sandbox: &Sandbox) -> ClientBuilder {
    Client::builder()
        .base_url(sandbox.base_url())
        .token(sandbox.token())
}

/// Formats each drift that was found, with its count.
fn lines(client: &Client) -> Vec<String> {
    let drifts = client.drifts().into_iter();
    drifts
        .map(|(drift, count)| format!("{count} × {} {drift}", drift.operation))
        .collect()
}

/// The order of drifts is that of the names, which the document may change.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[tokio::test]
async fn documented_response_is_no_drift() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = builder(&sandbox).drift(DriftMode::Strict).build().unwrap();
    assert_eq!(
        client.get_call(Sandbox::EXAMPLE_ID).await.unwrap(),
        Sandbox::example_call()
    );
    // The document allows these to be null or absent.
    let (sandbox, id) = sandbox_with(|call| {
        call[Call::name_in_json("agent_id")] = Value::Null;
        call[Call::name_in_json("end_time")] = Value::Null;
        let recording = Call::name_in_json("recording_url");
        call.as_object_mut().unwrap().remove(recording);
    })
    .await;
    let client = builder(&sandbox).drift(DriftMode::Strict).build().unwrap();
    client.get_call(id).await.unwrap();
    // The document does not describe error responses.
    assert_eq!(
        client.get_call(Uuid::nil()).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(client.drifts(), []);
}

#[tokio::test]
async fn each_drift_is_reported_once_and_counted_each_time() {
    let (sandbox, id) = sandbox_with(|call| {
        call[Call::name_in_json("status")] = json!("on_hold");
        let contact = &mut call[Call::name_in_json("contact")];
        contact["nick"] = json!("a secret");
        call["priority"] = json!(1);
    })
    .await;
    let reported = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&reported);
    let client = builder(&sandbox)
        .on_drift(move |drift| log.lock().unwrap().push(drift.to_string()))
        .build()
        .unwrap();
    for _ in 0..3 {
        // Clones share their counts.
        client.clone().get_call(id).await.unwrap();
    }
    let [contact, status] = ["contact", "status"].map(Call::name_in_json);
    assert_eq!(
        sorted(lines(&client)),
        sorted(vec![
            format!("3 × get_call {contact}.nick: the document has no such property"),
            "3 × get_call priority: the document has no such property".to_owned(),
            format!("3 × get_call {status}: the document does not list the value \"on_hold\""),
        ])
    );
    assert_eq!(reported.lock().unwrap().len(), 3);
    let text = format!("{:?}{:?}", client.drifts(), reported.lock().unwrap());
    assert!(!text.contains("a secret"), "{text}");
}

#[tokio::test]
async fn undecodable_response_is_counted_as_drift() {
    let [created, duration, agent] =
        ["created_date", "duration", "agent_id"].map(Call::name_in_json);
    let (sandbox, id) = sandbox_with(|call| {
        call.as_object_mut().unwrap().remove(created);
        call[duration] = json!("123");
        call[agent] = json!("nobody");
    })
    .await;
    for mode in [DriftMode::Watch, DriftMode::Strict] {
        let client = builder(&sandbox).drift(mode).build().unwrap();
        assert_eq!(
            client.get_call(id).await.unwrap_err().kind(),
            ErrorKind::Decode
        );
        let expected = vec![
            format!(
                "1 × get_call {agent}: the document says string (uuid) or null, but the service sent another string"
            ),
            format!("1 × get_call {created}: the document requires it, and it is missing"),
            format!(
                "1 × get_call {duration}: the document says integer or null, but the service sent a string"
            ),
        ];
        assert_eq!(sorted(lines(&client)), sorted(expected));
    }
}

#[tokio::test]
async fn drift_in_strict_mode_is_an_error_each_time() {
    let (sandbox, id) = sandbox_with(|call| {
        call[Call::name_in_json("status")] = json!("on_hold");
        call["priority"] = json!(1);
    })
    .await;
    let client = builder(&sandbox).drift(DriftMode::Strict).build().unwrap();
    for count in 1..=2 {
        let error = client.get_call(id).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::Drift, Some(200))
        );
        let path = error.json_path().unwrap().to_owned();
        assert!(["priority", Call::name_in_json("status")].contains(&&*path));
        assert!(!error.is_retryable());
        let text = error.to_string();
        assert!(
            text.contains(&format!("{path}: ")) && text.contains(", and 1 more"),
            "{text}"
        );
        assert_eq!(client.drifts()[0].1, count);
        let kinds = client.drifts().into_iter().map(|(drift, _)| drift.kind);
        assert!(
            kinds
                .into_iter()
                .any(|kind| kind == DriftKind::UnknownProperty)
        );
    }
}

#[tokio::test]
async fn drift_is_not_checked_by_default() {
    let (sandbox, id) =
        sandbox_with(|call| call[Call::name_in_json("status")] = json!("on_hold")).await;
    let client = builder(&sandbox).build().unwrap();
    client.get_call(id).await.unwrap();
    assert_eq!(client.drifts(), []);
}

#[tokio::test]
async fn drift_is_checked_in_get_calls() {
    let (sandbox, id) =
        sandbox_with(|call| call[Call::name_in_json("status")] = json!("on_hold")).await;
    let watching = builder(&sandbox).drift(DriftMode::Watch).build().unwrap();
    let (_, call) = watching.get_calls([id]).next().await.unwrap();
    assert_eq!(call.unwrap().status.as_str(), "on_hold");
    assert_eq!(watching.drifts().len(), 1);

    let strict = builder(&sandbox).drift(DriftMode::Strict).build().unwrap();
    let (_, call) = strict.get_calls([id]).next().await.unwrap();
    assert_eq!(call.unwrap_err().kind(), ErrorKind::Drift);
}
