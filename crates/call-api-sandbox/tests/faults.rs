//! Fault injection.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use call_api_sandbox::{Clock, Fault, FaultRule, Faults, Sandbox, Script};
use call_api_types::Call;
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{get, http, request};
use tokio::time::{Instant, timeout};

/// Starts a sandbox that applies a rule to every request.
async fn faulty(rule: impl Into<FaultRule>) -> Sandbox {
    let faults = Faults::seeded(1).rule(rule);
    Sandbox::builder().faults(faults).start().await.unwrap()
}

/// Returns the example call as changed by a fault.
async fn changed(fault: Fault) -> Value {
    let (status, text) = get(&faulty(fault).await, Sandbox::EXAMPLE_ID).await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_str(&text).unwrap()
}

fn example() -> Value {
    serde_json::to_value(Sandbox::example_call()).unwrap()
}

/// Returns the I/O error kind at the root of a failed request.
fn cause(error: &reqwest::Error) -> Option<ErrorKind> {
    let mut causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.find_map(|error| {
        error
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind)
    })
}

#[tokio::test]
async fn status_fault_sends_body_and_retry_after() {
    let row = |status, body: Option<&str>, retry_after: Option<&str>| Fault::Status {
        status,
        body: body.map(str::to_owned),
        retry_after: retry_after.map(str::to_owned),
    };
    let header = |response: &reqwest::Response, name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let json = Some("application/json");
    let table = [
        (Fault::status(StatusCode::BAD_GATEWAY), json),
        (
            Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "1.5"),
            json,
        ),
        (
            row(
                503,
                Some("<html>busy"),
                Some("Sun, 06 Nov 1994 08:49:37 GMT"),
            ),
            Some("text/html; charset=utf-8"),
        ),
        (
            row(500, Some("Internal Server Error"), None),
            Some("text/plain; charset=utf-8"),
        ),
        (row(200, Some(""), None), Some("text/plain; charset=utf-8")),
        (row(204, None, None), None),
    ];
    for (fault, content_type) in table {
        let sandbox = faulty(fault.clone()).await;
        let response = request(&sandbox, Sandbox::EXAMPLE_ID).send().await.unwrap();
        assert_eq!(
            header(&response, "content-type").as_deref(),
            content_type,
            "{fault:?}"
        );
        let seen = Fault::Status {
            status: response.status().as_u16(),
            retry_after: header(&response, "retry-after"),
            body: content_type
                .is_some()
                .then_some(response.text().await.unwrap()),
        };
        assert_eq!(seen, fault);
    }
    let Fault::Status { body, .. } = Fault::status(StatusCode::BAD_GATEWAY) else {
        unreachable!("it is a status");
    };
    assert_eq!(body.as_deref(), Some(r#"{"detail":"Bad Gateway"}"#));
}

#[tokio::test(start_paused = true)]
async fn latencies_add_up_and_precede_the_response() {
    let by = Duration::from_secs(3);
    let faults = Faults::seeded(1)
        .rule(Fault::Latency { by })
        .rule(Fault::status(StatusCode::BAD_GATEWAY))
        .rule(Fault::Latency { by: by * 2 });
    let sandbox = Sandbox::builder().faults(faults).start().await.unwrap();
    let request = Instant::now();
    assert_eq!(get(&sandbox, Sandbox::EXAMPLE_ID).await.0, 502);
    // Tokio's timers have a resolution of a millisecond.
    let took = request.elapsed();
    assert!(
        (by * 3..by * 3 + Duration::from_millis(5)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn stalled_request_gets_no_response_and_does_not_block_shutdown() {
    let sandbox = faulty(Fault::Stall).await;
    let pending = request(&sandbox, Sandbox::EXAMPLE_ID).send();
    assert!(timeout(Duration::from_secs(86_400), pending).await.is_err());
    assert_eq!(sandbox.requests().len(), 1);
    let stalled = tokio::spawn(request(&sandbox, Sandbox::EXAMPLE_ID).send());
    while sandbox.requests().len() < 2 {
        tokio::task::yield_now().await;
    }
    timeout(Duration::from_secs(60), sandbox.shutdown())
        .await
        .unwrap();
    assert!(stalled.await.unwrap().is_err());
}

#[tokio::test]
async fn reset_fault_resets_the_connection() {
    let sandbox = faulty(Fault::Reset).await;
    let error = request(&sandbox, Sandbox::EXAMPLE_ID)
        .send()
        .await
        .unwrap_err();
    assert_eq!(cause(&error), Some(ErrorKind::ConnectionReset), "{error:?}");
}

#[tokio::test]
async fn truncated_body_is_half_of_its_content_length() {
    let sandbox = faulty(Fault::Truncated).await;
    let mut response = request(&sandbox, Sandbox::EXAMPLE_ID).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let announced = usize::try_from(response.content_length().unwrap()).unwrap();
    let mut got = Vec::new();
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => got.extend(chunk),
            Ok(None) => unreachable!("it ends early"),
            Err(error) => break error,
        }
    };
    let example = serde_json::to_string(&Sandbox::example_call()).unwrap();
    assert_eq!(announced, example.len());
    assert_eq!(got, example.as_bytes()[..announced / 2], "{error:?}");
}

#[tokio::test]
async fn garbage_claims_to_be_json_and_is_not_utf8() {
    let sandbox = faulty(Fault::Garbage).await;
    for _ in 0..10 {
        let response = request(&sandbox, Sandbox::EXAMPLE_ID).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = response.bytes().await.unwrap();
        assert!(!body.is_empty() && str::from_utf8(&body).is_err());
    }
}

#[tokio::test]
async fn call_faults_change_one_property() {
    let status = "on_hold".to_owned();
    let call = changed(Fault::UnknownStatus { status }).await;
    let mut expected = example();
    expected[Call::name_in_json("status")] = "on_hold".into();
    assert_eq!(call, expected);

    let (name, value) = ("sentiment".to_owned(), json!({"score": 0.5}));
    let call = changed(Fault::ExtraProperty {
        name,
        value: value.clone(),
    })
    .await;
    let mut expected = example();
    expected["sentiment"] = value;
    assert_eq!(call, expected);

    let name = Call::name_in_json("contact").to_owned();
    let mut expected = example();
    expected.as_object_mut().unwrap().remove(&name);
    let call = changed(Fault::MissingProperty { name }).await;
    assert_eq!(call, expected);
}

#[tokio::test]
async fn call_fault_leaves_error_responses_unchanged() {
    let sandbox = Sandbox::start().await.unwrap();
    let unchanged = get(&sandbox, uuid::Uuid::nil()).await;
    assert_eq!(unchanged.0, StatusCode::NOT_FOUND);
    let body: Value = serde_json::from_str(&unchanged.1).unwrap();
    for name in body.as_object().unwrap().keys().cloned() {
        let sandbox = faulty(Fault::MissingProperty { name }).await;
        assert_eq!(get(&sandbox, uuid::Uuid::nil()).await, unchanged);
    }
}

#[tokio::test]
async fn share_of_requests_is_reproducible_by_seed() {
    let rule = |share| FaultRule::new(Fault::status(StatusCode::BAD_GATEWAY)).share(share);
    let sandbox = Sandbox::start().await.unwrap();
    let mut runs = Vec::new();
    for (seed, share) in [(7, 0.3), (7, 0.3), (8, 0.3), (7, 0.0), (7, 1.0)] {
        sandbox
            .set_faults(Faults::seeded(seed).rule(rule(share)))
            .unwrap();
        let mut hit = Vec::new();
        for _ in 0..200 {
            hit.push(get(&sandbox, Sandbox::EXAMPLE_ID).await.0 == StatusCode::BAD_GATEWAY);
        }
        runs.push(hit);
    }
    let count = |run: &Vec<bool>| run.iter().filter(|hit| **hit).count();
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    assert!((40..80).contains(&count(&runs[0])), "{}", count(&runs[0]));
    assert_eq!((count(&runs[3]), count(&runs[4])), (0, 200));
}

#[tokio::test]
async fn fault_respects_its_operation_and_count() {
    let unavailable = Fault::status(StatusCode::SERVICE_UNAVAILABLE);
    let faults = Faults::seeded(1)
        .rule(FaultRule::new(unavailable).operation("get_call").times(2))
        .rule(FaultRule::new(Fault::status(StatusCode::GONE)).operation("recording"));
    let builder = Sandbox::builder().faults(faults).clock(Clock::manual());
    let sandbox = builder.start().await.unwrap();
    let recording = format!(
        "{}/_sandbox/recordings/{}/1.wav",
        sandbox.base_url(),
        Sandbox::EXAMPLE_ID
    );
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(
            http()
                .get(&recording)
                .send()
                .await
                .unwrap()
                .status()
                .as_u16(),
        );
        statuses.push(get(&sandbox, Sandbox::EXAMPLE_ID).await.0.as_u16());
    }
    assert_eq!(statuses, [410, 503, 410, 503, 410, 200]);

    sandbox.set_faults(Faults::default()).unwrap();
    assert_eq!(http().get(&recording).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn call_fault_leaves_recordings_unchanged() {
    let sandbox = faulty(Fault::MissingProperty { name: "id".into() }).await;
    // A day of audio: too large to be buffered to look for a property.
    let url = format!(
        "{}/_sandbox/recordings/{}/86400.wav",
        sandbox.base_url(),
        Sandbox::EXAMPLE_ID
    );
    let response = http().get(&url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.content_length(), Some(86_400 * 8_000 + 44));
}

#[tokio::test]
async fn truncated_recording_can_be_resumed() {
    let once = FaultRule::new(Fault::Truncated)
        .operation("recording")
        .times(1);
    let builder = Sandbox::builder().faults(Faults::seeded(1).rule(once));
    let builder = builder.clock(Clock::scaled(1_000_000));
    let sandbox = builder.run(Sandbox::example_call(), Script::completed());
    let sandbox = sandbox.start().await.unwrap();
    let call = support::call(&sandbox, Sandbox::EXAMPLE_ID).await;
    let url = call.recording_url.unwrap();

    let mut response = http().get(&url).send().await.unwrap();
    let mut got = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        got.extend(chunk);
    }
    assert_eq!(got.len(), 240_044 / 2);
    let rest = http()
        .get(&url)
        .header("range", format!("bytes={}-", got.len()));
    got.extend(rest.send().await.unwrap().bytes().await.unwrap());
    assert_eq!(
        got,
        http()
            .get(&url)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn invalid_faults_are_rejected_with_a_reason() {
    let sandbox = Sandbox::start().await.unwrap();
    let status = |status, retry_after: Option<&str>| Fault::Status {
        status,
        body: None,
        retry_after: retry_after.map(str::to_owned),
    };
    let table = [
        (
            FaultRule::new(Fault::Stall).share(1.5),
            "invalid share 1.5; use a number from 0 to 1",
        ),
        (
            FaultRule::new(Fault::Stall).share(f64::NAN),
            "invalid share NaN; use a number from 0 to 1",
        ),
        (
            FaultRule::new(Fault::Stall).operation("get_cal"),
            "unknown operation `get_cal`; use one of `",
        ),
        (
            status(100, None).into(),
            "invalid status 100; use one from 200 to 599",
        ),
        (
            status(429, Some("1\n")).into(),
            "a header cannot carry retry_after \"1\\n\"",
        ),
    ];
    for (rule, why) in table {
        let faults = Faults::default().rule(Fault::Reset).rule(rule);
        let error = sandbox.set_faults(faults.clone()).unwrap_err();
        // The other operations are the document's.
        let error = error.to_string();
        let expected = format!("invalid fault at /rules/1: {why}");
        assert!(error.starts_with(&expected), "{error}");
        let error = Sandbox::builder().faults(faults).start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    // Rejected faults are not applied.
    assert_eq!(get(&sandbox, Sandbox::EXAMPLE_ID).await.0, StatusCode::OK);
}

#[test]
fn faults_round_trip_as_json() {
    let json = json!({
        "seed": 7,
        "rules": [
            {"fault": {"kind": "status", "status": 503, "retry_after": "2"}, "operation": "get_call", "share": 0.5, "times": 3},
            {"fault": {"kind": "latency", "seconds": 1.5}, "share": 1.0},
            {"fault": {"kind": "stall"}, "share": 1.0},
            {"fault": {"kind": "reset"}, "share": 1.0},
            {"fault": {"kind": "truncated"}, "share": 1.0},
            {"fault": {"kind": "garbage"}, "share": 1.0},
            {"fault": {"kind": "unknown_status", "status": "on_hold"}, "share": 1.0},
            {"fault": {"kind": "extra_property", "name": "a", "value": null}, "share": 1.0},
            {"fault": {"kind": "missing_property", "name": "id"}, "share": 1.0},
        ],
    });
    let faults: Faults = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&faults).unwrap(), json);
    let short: Faults =
        serde_json::from_value(json!({"rules": [{"fault": {"kind": "reset"}}]})).unwrap();
    assert_eq!(short, Faults::default().rule(Fault::Reset));
}

#[tokio::test]
async fn fault_respects_its_call_and_tenant() {
    let of_call = FaultRule::new(Fault::status(StatusCode::GONE)).id(Sandbox::EXAMPLE_ID);
    let of_tenant = FaultRule::new(Fault::status(StatusCode::FORBIDDEN)).tenant("acme");
    let builder = Sandbox::builder().token("ours").tenant("acme", "of-acme");
    let sandbox = builder.start().await.unwrap();
    let other = support::numbered(7);
    sandbox.put(other.clone());
    sandbox.tenant("acme").unwrap().put(other.clone());
    let status = async |id: uuid::Uuid, token: &str| {
        let url = format!("{}/v1/call/{id}", sandbox.base_url());
        let response = http().get(url).bearer_auth(token).send().await.unwrap();
        response.status()
    };
    sandbox
        .set_faults(Faults::seeded(1).rule(of_call.clone()))
        .unwrap();
    assert_eq!(status(Sandbox::EXAMPLE_ID, "ours").await, StatusCode::GONE);
    assert_eq!(status(other.id, "ours").await, StatusCode::OK);

    sandbox
        .set_faults(Faults::seeded(1).rule(of_tenant.clone()))
        .unwrap();
    assert_eq!(status(other.id, "ours").await, StatusCode::OK);
    assert_eq!(status(other.id, "of-acme").await, StatusCode::FORBIDDEN);
    assert_eq!(status(other.id, "unknown").await, StatusCode::UNAUTHORIZED);

    let of_nobody = FaultRule::new(Fault::Reset).tenant("acne");
    let error = sandbox
        .set_faults(Faults::seeded(1).rule(of_nobody))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid fault at /rules/0: unknown tenant `acne`: no token is its own; use one of `acme`, `default`, or add a token for it"
    );
    // Calls of the tenant `default` are stored without a token, but no request is its own then.
    let builder = Sandbox::builder().tenant("acme", "of-acme");
    let of_default = FaultRule::new(Fault::Reset).tenant("default");
    let faults = Faults::seeded(1).rule(of_default);
    let error = builder.faults(faults).start().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);

    // The recording of a call is about it, too.
    sandbox
        .set_faults(Faults::seeded(1).rule(of_call.operation("recording")))
        .unwrap();
    let recording =
        |id: uuid::Uuid| format!("{}/_sandbox/recordings/{id}/3.wav", sandbox.base_url());
    let of = async |id| http().get(recording(id)).send().await.unwrap().status();
    assert_eq!(of(Sandbox::EXAMPLE_ID).await, StatusCode::GONE);
    assert_eq!(of(other.id).await, StatusCode::OK);

    // It needs no token, but a request with one is of a tenant.
    sandbox
        .set_faults(Faults::seeded(1).rule(of_tenant.operation("recording")))
        .unwrap();
    let with_token = async |token: &str| {
        let request = http().get(recording(other.id)).bearer_auth(token);
        request.send().await.unwrap().status()
    };
    assert_eq!(with_token("of-acme").await, StatusCode::FORBIDDEN);
    assert_eq!(with_token("ours").await, StatusCode::OK);
    assert_eq!(of(other.id).await, StatusCode::OK);
}

#[tokio::test]
async fn quota_is_refilled_when_its_period_is_over() {
    let per = Duration::from_secs(2);
    let sandbox = faulty(Fault::Quota { requests: 2, per }).await;
    let get = async || {
        let response = request(&sandbox, Sandbox::EXAMPLE_ID).send().await.unwrap();
        let retry_after = response.headers().get("retry-after").cloned();
        (
            response.status(),
            retry_after.map(|value| value.to_str().unwrap().to_owned()),
        )
    };
    let started = Instant::now();
    for _ in 0..2 {
        assert_eq!(get().await, (StatusCode::OK, None));
    }
    let (status, retry_after) = get().await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let retry_after: u64 = retry_after.unwrap().parse().unwrap();
    assert!((1..=2).contains(&retry_after), "{retry_after}");
    // What `Retry-After` says is enough.
    tokio::time::sleep(Duration::from_secs(retry_after)).await;
    assert_eq!(
        get().await.0,
        StatusCode::OK,
        "after {:?}",
        started.elapsed()
    );

    let none = Fault::Quota {
        requests: 1,
        per: Duration::ZERO,
    };
    let error = sandbox
        .set_faults(Faults::seeded(1).rule(none))
        .unwrap_err();
    assert!(error.to_string().contains("invalid quota"), "{error}");
}
