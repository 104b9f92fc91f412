//! Downloads of recordings: waiting for them, expired URLs, faults, and the files that remain.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "support/service.rs"]
mod service;
mod support;

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use call_api::transport::{Clock, SleepFuture};
use call_api::{Call, CallStatus, Client, ErrorKind, Recording, RequestOptions};
use call_api_sandbox::Sandbox;
use futures_util::StreamExt as _;

include!("support/recordings.rs");

const TOKEN: &str = "a-token-that-must-not-be-seen";

/// A clock that moves on each wait, and then runs `on_wait`.
struct TestClock {
    start: Instant,
    waits: Mutex<Vec<Duration>>,
    on_wait: Box<dyn Fn(usize) + Send + Sync>,
}

impl TestClock {
    fn new(on_wait: impl Fn(usize) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            waits: Mutex::default(),
            on_wait: Box::new(on_wait),
        })
    }

    fn passed(&self) -> Duration {
        self.waits.lock().unwrap().iter().sum()
    }

    /// Returns the waits in whole seconds.
    fn waits(&self) -> Vec<u64> {
        let waits = self.waits.lock().unwrap();
        waits.iter().map(Duration::as_secs).collect()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        self.start + self.passed()
    }

    /// Starts at the end of the sample call.
    fn system_now(&self) -> SystemTime {
        SystemTime::from(Call::sample().end_time.unwrap()) + self.passed()
    }

    fn sleep(&self, duration: Duration) -> SleepFuture<'_> {
        self.waits.lock().unwrap().push(duration);
        let count = self.waits.lock().unwrap().len();
        (self.on_wait)(count);
        Box::pin(std::future::ready(()))
    }

    fn limit(&self, _: Duration) -> SleepFuture<'_> {
        Box::pin(std::future::pending())
    }
}

async fn sandbox() -> Arc<Sandbox> {
    Arc::new(Sandbox::builder().token(TOKEN).start().await.unwrap())
}

fn client(sandbox: &Sandbox, clock: &Arc<TestClock>) -> Client {
    let clock = Arc::clone(clock);
    Client::builder()
        .base_url(sandbox.base_url())
        .token(TOKEN)
        .clock(clock)
        .jitter(|| 1.0)
        .build()
        .unwrap()
}

/// Starts a host for recordings. Returns its URL and its request log.
async fn host(
    answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&requests);
    let router = axum::Router::new().fallback(move |request: Request| {
        log.lock().unwrap().push(format!("{request:?}"));
        let response = answer(request.uri().path());
        async move { response }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, requests)
}

#[tokio::test]
async fn recording_is_awaited_until_it_exists() {
    let sandbox = sandbox().await;
    let recorded = recorded_call(&sandbox).await.unwrap();
    let mut without = recorded.clone();
    without.recording_url = None;
    sandbox.put(without.clone());
    let later = (Arc::clone(&sandbox), recorded.clone());
    let clock = TestClock::new(move |waits| {
        if waits == 3 {
            later.0.put(later.1.clone());
        }
    });
    let mut bytes = Vec::new();
    let client = client(&sandbox, &clock);
    let recording = client
        .recording(&without)
        .to_writer(&mut bytes)
        .await
        .unwrap();
    assert!(bytes == RECORDING);
    assert_eq!(clock.waits(), [2, 4, 8]);
    assert_eq!(sandbox.requests().len(), 4);
    let saved = recording.saved().unwrap();
    assert_eq!(saved.suggested_name(), format!("{}.mp3", recorded.id));
    assert_eq!(saved.media_type.as_deref(), Some("audio/mpeg"));
    assert_eq!(saved.attempt_log.operation(), "recording");
}

#[tokio::test]
async fn missing_recording_is_not_an_error() {
    let sandbox = sandbox().await;
    let mut call = Call::sample();
    call.recording_url = None;
    sandbox.put(call.clone());
    for (wait, waits) in [
        (None, &[2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30, 30, 30][..]),
        (Some(7), &[2, 4]),
        (Some(0), &[]),
    ] {
        let clock = TestClock::new(|_| ());
        let client = client(&sandbox, &clock);
        let mut request = client.recording(&call);
        if let Some(wait) = wait {
            request = request.ready_timeout(Duration::from_secs(wait));
        }
        let recording = request.to_writer(&mut Vec::new()).await.unwrap();
        let Recording::Absent(last) = recording else {
            panic!("{recording:?}")
        };
        assert_eq!(last, call);
        assert_eq!(clock.waits(), waits);
    }

    // No recording is expected a day after the end, so the call is fetched once.
    call.end_time = call.end_time.map(|end| end - chrono::TimeDelta::days(1));
    sandbox.put(call.clone());
    let clock = TestClock::new(|_| ());
    let before = sandbox.requests().len();
    let recording = client(&sandbox, &clock)
        .recording(&call)
        .to_writer(&mut Vec::new())
        .await;
    assert!(matches!(recording.unwrap(), Recording::Absent(_)));
    assert_eq!(clock.waits(), [0; 0]);
    assert_eq!(sandbox.requests().len(), before + 1);
}

#[tokio::test]
async fn recording_of_a_call_in_progress_is_not_saved() {
    let sandbox = sandbox().await;
    let ended = recorded_call(&sandbox).await.unwrap();
    let mut call = ended.clone();
    call.status = CallStatus::InProgress;
    sandbox.put(call.clone());
    let clock = TestClock::new(|_| ());
    let wait = Duration::from_secs(10);
    let recording = client(&sandbox, &clock)
        .recording(&call)
        .ready_timeout(wait)
        .to_writer(&mut Vec::new())
        .await
        .unwrap();
    assert!(matches!(recording, Recording::NotEnded(last) if last == call));
    assert_eq!(clock.waits(), [2, 4]);

    // The call has ended, but the given copy is older.
    sandbox.put(ended);
    let clock = TestClock::new(|_| ());
    let recording = client(&sandbox, &clock)
        .recording(&call)
        .to_writer(&mut Vec::new())
        .await
        .unwrap();
    assert!(recording.saved().is_some());
    assert_eq!(clock.waits(), [0; 0]);
}

#[tokio::test]
async fn expired_url_is_fetched_again_without_the_token() {
    let sandbox = sandbox().await;
    let (url, requests) = host(|path| match path {
        "/new" => ([("content-type", "audio/wav")], RECORDING).into_response(),
        _ => (StatusCode::FORBIDDEN, "expired").into_response(),
    })
    .await;
    let mut old = Call::sample();
    old.recording_url = Some(format!("{url}/old?signature=s1"));
    let mut call = old.clone();
    call.recording_url = Some(format!("{url}/new?signature=s2"));
    sandbox.put(call.clone());
    let clock = TestClock::new(|_| ());
    let client = client(&sandbox, &clock);
    let saved = client
        .recording(&old)
        .to_writer(&mut Vec::new())
        .await
        .unwrap()
        .saved()
        .unwrap();
    assert_eq!(saved.extension.as_deref(), Some("wav"));
    let requests = requests.lock().unwrap().join("\n");
    assert!(requests.contains("/old?signature=s1") && requests.contains("/new?signature=s2"));
    assert!(
        !requests.contains(TOKEN) && !requests.contains("authorization"),
        "{requests}"
    );

    // The service gives the same expired URL again.
    sandbox.put(old.clone());
    let error = client
        .recording(&old)
        .to_writer(&mut Vec::new())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Forbidden, Some(403))
    );
    let text = format!("{error}\n{error:#?}");
    assert!(
        text.contains("/old was answered with 403: expired"),
        "{text}"
    );
    assert!(text.contains("fetch the call again"), "{text}");
    assert!(!text.contains("s1") && !text.contains(TOKEN), "{text}");
}

/// Written bytes cannot be taken back, and a download from another URL starts at the beginning.
#[tokio::test]
async fn url_that_expires_during_a_download_repeats_no_bytes() {
    let sandbox = sandbox().await;
    let count = Arc::new(Mutex::new(0));
    let (url, _) = host(move |path| {
        let mut count = count.lock().unwrap();
        *count += 1;
        if path == "/new" {
            return RECORDING.into_response();
        }
        if *count > 1 {
            return (StatusCode::FORBIDDEN, "expired").into_response();
        }
        // The response ends early.
        let first = axum::body::Bytes::from_static(&RECORDING[..5]);
        let parts =
            futures_util::stream::iter([Ok(first)]).chain(futures_util::stream::once(async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err(std::io::Error::other("broken"))
            }));
        let body = axum::body::Body::from_stream(parts);
        ([("etag", "\"v1\"")], body).into_response()
    })
    .await;
    let mut old = Call::sample();
    old.recording_url = Some(format!("{url}/old"));
    let mut call = old.clone();
    call.recording_url = Some(format!("{url}/new"));
    sandbox.put(call);
    let clock = TestClock::new(|_| ());
    let mut bytes = Vec::new();
    let error = client(&sandbox, &clock)
        .recording(&old)
        .to_writer(&mut bytes)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_eq!(bytes, &RECORDING[..5]);
}

#[tokio::test]
async fn url_with_404_is_retried_until_the_ready_timeout() {
    let sandbox = sandbox().await;
    let (url, _) = host(|_| StatusCode::NOT_FOUND.into_response()).await;
    let mut call = Call::sample();
    call.recording_url = Some(url);
    sandbox.put(call.clone());
    let clock = TestClock::new(|_| ());
    let error = client(&sandbox, &clock)
        .recording(&call)
        .ready_timeout(Duration::from_secs(10))
        .to_writer(&mut Vec::new())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error
            .to_string()
            .contains("it was not there within the time"),
        "{error}"
    );
    assert_eq!(clock.waits(), [1, 2, 4]);
}

#[tokio::test]
async fn failing_service_is_retried_until_the_ready_timeout() {
    let (down, _) = host(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    let clock = TestClock::new(|_| ());
    let transport_clock = Arc::clone(&clock);
    let client = Client::builder()
        .base_url(down)
        .token(TOKEN)
        .clock(transport_clock)
        .max_attempts(1)
        .build()
        .unwrap();
    let mut call = Call::sample();
    call.recording_url = None;
    let wait = Duration::from_secs(10);
    let error = client
        .recording(&call)
        .ready_timeout(wait)
        .to_writer(&mut Vec::new())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(clock.waits(), [2, 4]);
}

/// Returns a call in progress, and the same call ended with a recording at `url`.
fn before_and_after(url: &str) -> (Call, Call) {
    let before = service::call("in_progress");
    let mut after = service::call("completed");
    after.recording_url = Some(url.to_owned());
    (before, after)
}

#[tokio::test]
async fn transient_faults_of_the_service_are_retried() {
    let (url, _) = host(|_| RECORDING.into_response()).await;
    let (before, after) = before_and_after(&url);
    for fault in service::faults() {
        let name = fault.name;
        let scripts = [fault.scripts, vec![service::call_response(&after)]].concat();
        let requests = scripts.len();
        let clock = service::TestClock::default();
        let server = service::Server::start(&clock, scripts).await;
        let client = service::client(&server, &clock);
        let mut bytes = Vec::new();
        let recording = client.recording(&before).to_writer(&mut bytes).await;
        let recording = recording.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(recording.saved().is_some() && bytes == RECORDING, "{name}");
        // The delays between attempts, then the delay until the next poll.
        let waits = [fault.waits, &[fault.retry_after.max(2.0)]].concat();
        assert_eq!(clock.waits(), service::seconds(&waits), "{name}");
        assert_eq!(server.requests().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn retry_after_beyond_the_ready_timeout_fails_at_once() {
    let (before, after) = before_and_after("http://127.0.0.1:9/none");
    let rate_limited = service::answer(429, "retry-after: 60\r\n", "");
    for (wait, waits) in [(59, vec![]), (61, vec![60.25])] {
        let scripts = vec![rate_limited.clone(), service::call_response(&after)];
        let clock = service::TestClock::default();
        let server = service::Server::start(&clock, scripts).await;
        let client = service::client(&server, &clock);
        let request = client
            .recording(&before)
            .ready_timeout(Duration::from_secs(wait));
        let request = request.options(RequestOptions::new().max_attempts(1));
        let error = request.to_writer(&mut Vec::new()).await.unwrap_err();
        let kind = match waits[..] {
            [] => ErrorKind::RateLimited,
            // No host listens at the URL.
            _ => ErrorKind::Connect,
        };
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(clock.waits(), service::seconds(&waits));
    }
}

#[tokio::test]
async fn fault_of_the_recording_host_ends_only_its_download() {
    let api = sandbox().await;
    for fault in service::faults() {
        let name = fault.name;
        // A writer that has bytes of a body without range support cannot be retried.
        let (waits, part) = match name {
            "truncated body" | "stall in the body" => (&[][..], &b"{"[..]),
            _ => (fault.waits, &b""[..]),
        };
        let whole = service::answer(200, "", RECORDING);
        let scripts = [fault.scripts[..=waits.len()].to_vec(), vec![whole]].concat();
        let requests = scripts.len();
        let clock = service::TestClock::default();
        let host = service::Server::start(&clock, scripts).await;
        let (_, call) = before_and_after(&format!("{}/r", host.url()));
        let set_clock = Arc::new(clock.clone());
        let builder = Client::builder().base_url(api.base_url()).token(TOKEN);
        let client = builder.clock(set_clock).jitter(|| 1.0);
        let client = client.build().unwrap();
        let mut bytes = Vec::new();
        let request = client.recording(&call).to_writer(&mut bytes);
        assert_eq!(request.await.unwrap_err().kind(), fault.kind, "{name}");
        assert_eq!(clock.waits(), service::seconds(waits), "{name}");
        assert_eq!(bytes, part, "{name}");

        bytes.clear();
        let recording = client.recording(&call).to_writer(&mut bytes).await;
        assert!(recording.unwrap().saved().is_some(), "{name}");
        assert_eq!(bytes, RECORDING, "{name}");
        assert_eq!(host.requests().len(), requests, "{name}");
        assert!(!host.requests().concat().contains(TOKEN), "{name}");
    }
    assert_eq!(api.requests().len(), 0);
}

/// A download can be awaited in its own task.
#[tokio::test]
async fn downloads_are_send() {
    fn assert_send<T: Send>(future: T) -> T {
        future
    }
    let client = Client::builder()
        .base_url("http://localhost")
        .token(TOKEN)
        .build()
        .unwrap();
    let call = Call::sample();
    let request = || client.recording(&call).on_progress(|_| ());
    drop(assert_send(request().to_file("a")));
    drop(assert_send(request().to_folder("a")));
    drop(assert_send(request().to_writer(&mut Vec::new())));
}

#[tokio::test]
async fn unusable_recording_url_is_an_error() {
    let sandbox = sandbox().await;
    let clock = TestClock::new(|_| ());
    let client = client(&sandbox, &clock);
    let mut call = Call::sample();
    for (url, part) in [
        ("<string>", "recording_url is not an absolute URL"),
        ("http://192.0.2.1/r?key=s1", "plain http to another machine"),
    ] {
        call.recording_url = Some(url.to_owned());
        let error = client
            .recording(&call)
            .to_writer(&mut Vec::new())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.to_string().contains("s1"), "{error}");
    }
    assert_eq!(sandbox.requests().len(), 0);
}

#[tokio::test]
async fn plain_http_to_another_machine_must_be_allowed() {
    let sandbox = sandbox().await;
    let (url, requests) = host(|_| RECORDING.into_response()).await;
    let address: std::net::SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
    let client = Client::builder()
        .base_url(sandbox.base_url())
        .token(TOKEN)
        .configure_download_http(move |http| http.no_proxy().resolve("recordings.example", address))
        .build()
        .unwrap();
    let mut call = Call::sample();
    let port = address.port();
    call.recording_url = Some(format!("http://recordings.example:{port}/r"));
    let fetch = async |allow| {
        let mut bytes = Vec::new();
        let request = client.recording(&call).allow_insecure_http(allow);
        request.to_writer(&mut bytes).await.map(|_| bytes)
    };
    let refused = fetch(false).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidRequest);
    assert!(requests.lock().unwrap().is_empty());

    assert_eq!(fetch(true).await.unwrap(), RECORDING);
    let requests = requests.lock().unwrap().join("\n");
    assert!(requests.contains("recordings.example") && !requests.contains(TOKEN));
}

#[tokio::test]
async fn digest_mismatch_and_write_error_have_distinct_kinds() {
    let sandbox = sandbox().await;
    let (url, _) = host(|_| {
        let md5 = [("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")];
        (md5, RECORDING).into_response()
    })
    .await;
    let mut call = Call::sample();
    call.recording_url = Some(url);
    let clock = TestClock::new(|_| ());
    let client = client(&sandbox, &clock);
    let folder = support::empty_folder("recording-kinds");
    let error = client
        .recording(&call)
        .to_folder(&folder)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    let error = client
        .recording(&call)
        .to_file(folder.join("no/a.mp3"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(!error.is_retryable());
}
