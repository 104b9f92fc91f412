//! Drift is logged once, at WARN. In a process of its own, because `tracing` caches across threads which events are enabled.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

use std::sync::{Arc, Mutex};

use call_api::{Client, DriftMode};
use call_api_sandbox::Sandbox;
use serde_json::Value;

/// Collects the warnings of the SDK as text.
struct Warnings(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN && metadata.target().starts_with("call_api")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = String::new();
        event.record(
            &mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                text.push_str(&format!("{field}={value:?} "));
            },
        );
        self.0.lock().unwrap().push(text);
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn each_drift_is_logged_once() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut call: Value = serde_json::to_value(Sandbox::example_call()).unwrap();
    call["priority"] = 1.into();
    let id = sandbox.put_json(&call.to_string()).unwrap();
    let client = Client::builder()
        .base_url(sandbox.base_url())
        .token(sandbox.token())
        .drift(DriftMode::Watch)
        .build()
        .unwrap();
    let warnings = Arc::default();
    let _guard = tracing::subscriber::set_default(Warnings(Arc::clone(&warnings)));
    for _ in 0..2 {
        client.get_call(id).await.unwrap();
    }
    assert_eq!(
        *warnings.lock().unwrap(),
        [
            "message=the response differs from the API's document: priority: the document has no such property operation=\"get_call\" place=\"priority\" "
        ]
    );
}
