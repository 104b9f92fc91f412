//! Observers, spans and logs report a failure if and only if the program gets an error. In a process of its own, because
//! `tracing` caches across threads which events are enabled.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "support/service.rs"]
mod service;

use std::sync::{Arc, Mutex};

use call_api::transport::{AttemptLog, BoxError, Observer, Operation, Token};
use call_api::{Client, ClientBuilder, DriftMode, Recording};
use service::{ID, SECRET, Server, Step, TestClock, answer, call, call_response, status_response};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata};

/// Collects the error type of each request, as metrics would.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Vec<Option<String>>>>);

impl Observer for Ends {
    fn request(&self, _: &Operation, log: &AttemptLog) {
        let error_type = log.error_type().map(str::to_owned);
        self.0.lock().unwrap().push(error_type);
    }
}

/// Collects the `error.type` of spans and of events at `WARN`.
#[derive(Clone, Default)]
struct Trace(Arc<Mutex<(Vec<String>, Vec<String>)>>);

struct ErrorType<'a>(&'a mut Vec<String>);

impl tracing::field::Visit for ErrorType<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "error.type" {
            self.0.push(format!("{value:?}").replace('"', ""));
        }
    }
}

impl tracing::Subscriber for Trace {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "call_api_transport"
    }

    fn event(&self, event: &Event<'_>) {
        if *event.metadata().level() == Level::WARN {
            event.record(&mut ErrorType(&mut self.0.lock().unwrap().1));
        }
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut ErrorType(&mut self.0.lock().unwrap().0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The reports of one request: of the observer, of the span, and as warnings.
#[derive(Debug, PartialEq)]
struct Reports {
    observed: Vec<Option<String>>,
    span: Vec<String>,
    warned: Vec<String>,
}

fn failed(error_type: &str) -> Reports {
    let error_type = error_type.to_owned();
    Reports {
        observed: vec![Some(error_type.clone())],
        span: vec![error_type.clone()],
        warned: vec![error_type],
    }
}

/// Sends a request of a configured client, and returns its reports.
async fn reports_of<F: Future<Output = bool>>(
    script: Vec<Step>,
    configure: impl FnOnce(ClientBuilder) -> ClientBuilder,
    request: impl FnOnce(Client) -> F,
) -> Reports {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![script]).await;
    let ends = Ends::default();
    let builder = Client::builder()
        .base_url(server.url())
        .token(SECRET)
        .clock(Arc::new(clock.clone()))
        .max_attempts(1)
        .observer(ends.clone());
    let client = configure(builder).build().unwrap();
    let trace = Trace::default();
    let guard = tracing::subscriber::set_default(trace.clone());
    let succeeded = request(client).await;
    drop(guard);
    let (span, warned) = trace.0.lock().unwrap().clone();
    let observed = ends.0.lock().unwrap().clone();
    assert_eq!(succeeded, observed == [None]);
    Reports {
        observed,
        span,
        warned,
    }
}

async fn get(client: Client) -> bool {
    client.get_call(ID).await.is_ok()
}

#[tokio::test]
async fn request_is_reported_as_failed_if_its_caller_gets_an_error() {
    let success = reports_of(status_response("dialing"), |builder| builder, get).await;
    let no_failure = Reports {
        observed: vec![None],
        span: vec![],
        warned: vec![],
    };
    assert_eq!(success, no_failure);

    let undecodable = reports_of(answer(200, "", r#"{"id": 7}"#), |builder| builder, get).await;
    assert_eq!(undecodable, failed("decode"));

    let mut body = serde_json::to_value(call("dialing")).unwrap();
    body["priority"] = 1.into();
    let drifting = answer(200, "", body.to_string());
    let strict = |builder: ClientBuilder| builder.drift(DriftMode::Strict);
    assert_eq!(
        reports_of(drifting.clone(), strict, get).await,
        failed("drift")
    );
    let watch = |builder: ClientBuilder| builder.drift(DriftMode::Watch);
    assert_eq!(reports_of(drifting, watch, get).await, no_failure);

    let accepted = reports_of(answer(202, "", ""), |builder| builder, get).await;
    assert_eq!(accepted, failed("unexpected_status"));

    let locked = |builder: ClientBuilder| {
        builder.token_provider(|| async { Err::<Token, BoxError>("the store is locked".into()) })
    };
    let without_token = reports_of(status_response("dialing"), locked, get).await;
    assert_eq!(without_token, failed("token_unavailable"));

    let missing = reports_of(answer(404, "", ""), |builder| builder, get).await;
    assert_eq!(missing, failed("404"));
}

#[tokio::test]
async fn corrupt_download_is_reported_as_failed() {
    let download = async |client: Client| {
        let mut call = call("completed");
        call.recording_url = Some(format!("{}/sound", client.transport().base_url()));
        let result = client.recording(&call).to_writer(&mut Vec::new()).await;
        matches!(result, Ok(Recording::Saved(_)))
    };
    // The digest of an empty body.
    let digest = "repr-digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n";
    let corrupt = reports_of(answer(200, digest, "sound"), |builder| builder, download).await;
    assert_eq!(corrupt, failed("malformed"));
    let success = reports_of(answer(200, "", "sound"), |builder| builder, download).await;
    assert_eq!((success.observed, success.warned), (vec![None], vec![]));
}

#[tokio::test]
async fn all_observers_are_notified() {
    let more = Ends::default();
    let add = |builder: ClientBuilder| builder.observer(more.clone());
    let reports = reports_of(call_response(&call("dialing")), add, get).await;
    assert_eq!(reports.observed, *more.0.lock().unwrap());
}
