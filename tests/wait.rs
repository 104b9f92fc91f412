//! `wait_until_ended`: poll times, retried errors, errors that end the wait, and reported changes. The clock moves only
//! during waits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "support/service.rs"]
mod service;
#[path = "wait/settled.rs"]
mod settled;

use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use call_api::{
    Call, CallStatus, Change, Client, DriftMode, Error, ErrorKind, LateProperty, PollSchedule,
    RequestOptions,
};
use service::{
    ID, ManualClock, SECRET, Server, Step, TestClock, answer, call, call_response, client,
    client_with, faults, seconds, status_response,
};

async fn serve(scripts: Vec<Vec<Step>>) -> (Server, TestClock, Client) {
    let clock = TestClock::default();
    let server = Server::start(&clock, scripts).await;
    let client = client(&server, &clock);
    (server, clock, client)
}

/// Collects the statuses of all changes, and the error that ends the wait.
async fn changes(wait: call_api::WaitUntilEnded) -> (Vec<String>, Option<Error>) {
    let mut updates = wait.updates();
    let mut seen = Vec::new();
    while let Some(change) = updates.next().await {
        match change {
            Ok(change) => seen.push(change.call.status.to_string()),
            Err(error) => {
                assert!(updates.next().await.is_none());
                return (seen, Some(error));
            }
        }
    }
    (seen, None)
}

#[tokio::test]
async fn poll_interval_grows_and_depends_on_the_status() {
    let scripts = [
        vec![status_response("dialing"); 6],
        vec![status_response("in_progress"); 7],
        vec![status_response("completed")],
    ];
    let (server, clock, client) = serve(scripts.concat()).await;
    let call = client.wait_until_ended(ID).await.unwrap();
    assert_eq!(call.status, CallStatus::Completed);
    let dialing = [1.0, 1.5, 2.25, 3.375, 5.0, 5.0];
    let in_progress = [5.0, 7.5, 11.25, 16.875, 25.3125, 30.0, 30.0];
    assert_eq!(
        clock.waits(),
        seconds(&[&dialing[..], &in_progress].concat())
    );
    assert_eq!(server.requests().len(), 14);
}

#[tokio::test]
async fn jitter_shortens_an_interval_by_at_most_a_fifth() {
    let clock = TestClock::default();
    let scripts = vec![
        status_response("dialing"),
        status_response("dialing"),
        status_response("failed"),
    ];
    let server = Server::start(&clock, scripts).await;
    let client = client_with(&server, &clock, |builder| builder.jitter(|| 0.0));
    client.wait_until_ended(ID).await.unwrap();
    assert_eq!(clock.waits(), seconds(&[0.8, 1.2]));
}

#[tokio::test]
async fn poll_schedule_sets_intervals_and_jitter() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let schedule = PollSchedule::default()
        .dialing(minutes(1), minutes(1))
        .in_progress(minutes(2), minutes(4))
        .jitter(0.5);
    let scripts = || {
        [
            vec![status_response("dialing"); 2],
            vec![status_response("in_progress"); 4],
            vec![status_response("no_answer")],
        ]
        .concat()
    };
    let (_server, clock, client) = serve(scripts()).await;
    client
        .wait_until_ended(ID)
        .poll_schedule(schedule)
        .await
        .unwrap();
    assert_eq!(
        clock.waits(),
        seconds(&[60.0, 60.0, 120.0, 180.0, 240.0, 240.0])
    );
    for (wait, waited) in [
        (Duration::from_secs(3), 3.0),
        (Duration::ZERO, 0.001),
        (Duration::MAX, 24.0 * 3600.0),
    ] {
        for jitter in [0.0, 1.0, f64::NAN, 7.0] {
            let (_server, clock, client) = serve(scripts()).await;
            let schedule = PollSchedule::every(wait).jitter(jitter);
            let wait = client.wait_until_ended(ID).poll_schedule(schedule);
            wait.deadline(Duration::MAX).await.unwrap();
            assert_eq!(clock.waits(), seconds(&[waited; 6]));
        }
    }
}

#[tokio::test]
async fn updates_begin_with_the_first_state_and_skip_equal_ones() {
    let mut recorded = call("in_progress");
    recorded.recording_url = Some("https://calls.example/1".to_owned());
    let mut without = recorded.clone();
    without.recording_url = None;
    let scripts = vec![
        status_response("dialing"),
        status_response("dialing"),
        call_response(&without),
        call_response(&without),
        call_response(&recorded),
        status_response("completed"),
    ];
    let (_server, _clock, client) = serve(scripts).await;
    let reported = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&reported);
    let mut updates = client
        .wait_until_ended(ID)
        .on_change(move |change: &Change| log.lock().unwrap().push(change.clone()))
        .updates();
    let mut seen = Vec::new();
    while let Some(change) = updates.next().await {
        seen.push(change.unwrap());
        assert_eq!(*reported.lock().unwrap(), seen);
    }
    let short: Vec<_> = seen
        .iter()
        .map(|change| {
            let before = change.before.as_ref().map(|call| call.status.as_str());
            (before, change.call.status.as_str(), change.status_changed())
        })
        .collect();
    assert_eq!(
        short,
        [
            (None, "dialing", true),
            (Some("dialing"), "in_progress", true),
            (Some("in_progress"), "in_progress", false),
            (Some("in_progress"), "completed", true),
        ]
    );
    assert!(
        seen.iter()
            .all(|change| change.invalid_transition().is_none())
    );
}

#[tokio::test]
async fn transient_faults_do_not_end_the_wait() {
    for fault in faults() {
        let name = fault.name;
        let scripts = [fault.scripts, vec![status_response("completed")]].concat();
        let requests = scripts.len();
        let (server, clock, client) = serve(scripts).await;
        let failures = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&failures);
        let wait = client
            .wait_until_ended(ID)
            .on_failure(move |error: &Error| {
                assert!(error.is_retryable());
                log.lock().unwrap().push(error.kind());
            });
        let call = wait.await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(call.is_ended());
        assert_eq!(*failures.lock().unwrap(), [fault.kind], "{name}");
        // The delays between attempts, then the delay until the next poll.
        let waits = seconds(&[fault.waits, &[fault.retry_after.max(1.0)]].concat());
        assert_eq!(clock.waits(), waits, "{name}");
        let timed_out = match name {
            "silent server" | "stall in the body" => 30,
            _ => 0,
        };
        let passed = waits.iter().sum::<Duration>() + Duration::from_secs(timed_out);
        assert_eq!(clock.passed(), passed, "{name}");
        assert_eq!(server.requests().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn updates_continue_after_a_fault() {
    for fault in faults() {
        let name = fault.name;
        let afterwards = vec![status_response("in_progress"), status_response("completed")];
        let scripts = [vec![status_response("dialing")], fault.scripts, afterwards].concat();
        let requests = scripts.len();
        let (server, clock, client) = serve(scripts).await;
        let (seen, error) = changes(client.wait_until_ended(ID)).await;
        assert!(error.is_none(), "{name}: {error:?}");
        assert_eq!(seen, ["dialing", "in_progress", "completed"], "{name}");
        let waits = [&[1.0], fault.waits, &[fault.retry_after.max(1.5), 5.0]].concat();
        assert_eq!(clock.waits(), seconds(&waits), "{name}");
        assert_eq!(server.requests().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn failed_poll_does_not_reset_the_interval() {
    let scripts = vec![
        status_response("in_progress"),
        status_response("in_progress"),
        answer(500, "", ""),
        status_response("completed"),
    ];
    let (_server, clock, client) = serve(scripts).await;
    let once = RequestOptions::new().max_attempts(1);
    client.wait_until_ended(ID).options(once).await.unwrap();
    assert_eq!(clock.waits(), seconds(&[5.0, 7.5, 11.25]));
}

#[tokio::test]
async fn timeout_error_has_the_last_state() {
    let (server, clock, client) = serve(vec![status_response("in_progress")]).await;
    let error = client.wait_until_ended(ID).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_timeout() && error.is_retryable());
    assert_eq!(error.last_seen::<Call>(), Some(&call("in_progress")));
    // The last poll is a second before the deadline; the wait ends with it.
    assert_eq!(clock.passed(), Duration::from_secs(2 * 60 * 60 - 1));
    assert_eq!(server.requests().len(), 244);
    insta::assert_snapshot!(error);
}

#[tokio::test]
async fn timeout_error_has_the_last_failure() {
    let (server, clock, client) = serve(vec![answer(503, "", "")]).await;
    let wait = client
        .wait_until_ended(ID)
        .options(RequestOptions::new().max_attempts(1))
        .deadline(Duration::from_secs(3));
    let error = wait.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.last_seen::<Call>().is_none());
    assert_eq!(clock.waits(), seconds(&[1.0, 1.0]));
    let host = server.url();
    insta::assert_snapshot!(error.to_string().replace(&host, "[host]"));
}

/// The last poll has a second for its response, even if the interval is shorter.
#[tokio::test]
async fn short_interval_leaves_a_second_for_the_last_poll() {
    let (_server, clock, client) = serve(vec![status_response("in_progress")]).await;
    let wait = client
        .wait_until_ended(ID)
        .poll_schedule(PollSchedule::every(Duration::from_millis(100)))
        .deadline(Duration::from_secs(3));
    let error = wait.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(
        !error.to_string().contains("the last poll failed"),
        "{error}"
    );
    assert_eq!(clock.passed(), Duration::from_secs(2));
}

#[tokio::test]
async fn poll_is_limited_by_the_deadline() {
    let scripts = vec![status_response("dialing"), vec![Step::Stall]];
    let (_server, clock, client) = serve(scripts).await;
    let wait = client.wait_until_ended(ID).deadline(Duration::from_secs(9));
    let (seen, error) = changes(wait).await;
    assert_eq!(seen, ["dialing"]);
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.last_seen::<Call>(), Some(&call("dialing")));
    assert_eq!(clock.waits(), seconds(&[1.0]));
    assert_eq!(clock.passed(), Duration::from_secs(9));
}

#[tokio::test]
async fn retry_after_beyond_the_deadline_ends_the_wait_at_once() {
    let scripts = vec![
        status_response("dialing"),
        answer(429, "retry-after: 60\r\n", ""),
    ];
    let (_server, clock, client) = serve(scripts).await;
    let wait = client
        .wait_until_ended(ID)
        .deadline(Duration::from_secs(30));
    let (_, error) = changes(wait).await;
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("asks to wait 60 s"), "{error}");
    assert_eq!(clock.passed(), Duration::from_secs(1));
    // Within the deadline it is honored, even beyond the limits of a poll and of the interval.
    let scripts = vec![
        answer(429, "retry-after: 60\r\n", ""),
        status_response("completed"),
    ];
    let (_server, clock, client) = serve(scripts).await;
    client.wait_until_ended(ID).await.unwrap();
    assert_eq!(clock.waits(), seconds(&[60.25]));
}

#[tokio::test]
async fn permanent_error_ends_the_wait_with_the_last_state() {
    let not_found = || answer(404, "", r#"{"detail": "Call not found"}"#);
    for (script, kind) in [
        (not_found(), ErrorKind::NotFound),
        (answer(401, "", ""), ErrorKind::Unauthorized),
        (answer(422, "", ""), ErrorKind::InvalidRequest),
        (answer(200, "", "{}"), ErrorKind::Decode),
    ] {
        let (_server, clock, client) = serve(vec![status_response("dialing"), script]).await;
        let wait = client.wait_until_ended(ID).grace(Duration::from_secs(60));
        let (seen, error) = changes(wait).await;
        assert_eq!(seen, ["dialing"]);
        let error = error.unwrap();
        assert_eq!(error.kind(), kind);
        assert_eq!(
            error.last_seen::<Call>(),
            Some(&call("dialing")),
            "{kind:?}"
        );
        assert_eq!(clock.waits(), seconds(&[1.0]));
    }
}

#[tokio::test]
async fn missing_call_is_polled_within_the_grace_period() {
    let not_found = || answer(404, "", "");
    let (_server, _clock, client) = serve(vec![not_found(), status_response("completed")]).await;
    let error = client.wait_until_ended(ID).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let grace = Duration::from_secs(5);

    let scripts = vec![
        not_found(),
        not_found(),
        not_found(),
        status_response("completed"),
    ];
    let (_server, clock, client) = serve(scripts).await;
    client.wait_until_ended(ID).grace(grace).await.unwrap();
    assert_eq!(clock.waits(), seconds(&[1.0, 1.5, 2.25]));

    let (server, clock, client) = serve(vec![not_found()]).await;
    let error = client.wait_until_ended(ID).grace(grace).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // Polled at 0, 1, 2.5 and 4.75 s, and once after the grace period.
    assert_eq!(clock.waits(), seconds(&[1.0, 1.5, 2.25, 3.375]));
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn unknown_status_is_final_only_with_an_end_time() {
    let mut ended = call("on_fire");
    ended.end_time = Some(ended.created_date);
    let scripts = vec![
        status_response("on_hold"),
        status_response("on_hold"),
        call_response(&ended),
    ];
    let (_server, clock, client) = serve(scripts).await;
    let (seen, error) = changes(client.wait_until_ended(ID)).await;
    assert!(error.is_none());
    assert_eq!(seen, ["on_hold", "on_fire"]);
    assert_eq!(clock.waits(), seconds(&[5.0, 7.5]));
}

#[tokio::test]
async fn invalid_transition_is_reported_and_the_latest_state_wins() {
    let scripts = vec![
        status_response("dialing"),
        status_response("in_progress"),
        status_response("dialing"),
        status_response("failed"),
    ];
    let (_server, clock, client) = serve(scripts).await;
    let mut updates = client
        .wait_until_ended(ID)
        .last_seen(call("completed"))
        .updates();
    let mut transitions = Vec::new();
    let mut last = None;
    while let Some(change) = updates.next().await {
        let change = change.unwrap();
        transitions.push(change.invalid_transition().map(|step| {
            assert_eq!(step.id, ID);
            format!("{} -> {}", step.from, step.to)
        }));
        last = Some(change.call.status);
    }
    let invalid = |step: &str| Some(step.to_owned());
    assert_eq!(
        transitions,
        [
            invalid("completed -> dialing"),
            None,
            invalid("in_progress -> dialing"),
            None
        ]
    );
    assert_eq!(last, Some(CallStatus::Failed));
    assert_eq!(clock.waits(), seconds(&[1.0, 5.0, 1.0]));
}

#[tokio::test]
async fn invalid_transition_is_drift() {
    let statuses = ["in_progress", "dialing", "in_progress", "dialing", "failed"];
    for (mode, seen, found, fails) in [
        (DriftMode::Watch, &statuses[..], 2, false),
        (DriftMode::Strict, &statuses[..1], 1, true),
    ] {
        let clock = TestClock::default();
        let server = Server::start(&clock, statuses.map(status_response).to_vec()).await;
        let client = Client::builder()
            .base_url(server.url())
            .token(SECRET)
            .drift(mode)
            .clock(Arc::new(clock))
            .build()
            .unwrap();
        let (changes, error) = changes(client.wait_until_ended(ID)).await;
        assert_eq!(changes, seen);
        assert_eq!(
            error.as_ref().map(Error::kind),
            fails.then_some(ErrorKind::Drift)
        );
        // In strict mode, the error has the last state.
        let last = error.as_ref().and_then(Error::last_seen::<Call>);
        assert_eq!(
            last.map(|call| call.status.as_str()),
            fails.then_some("dialing")
        );
        let drifts = client.drifts();
        let line = drifts
            .iter()
            .map(|(drift, count)| format!("{drift}, {count}"));
        assert_eq!(
            line.collect::<Vec<_>>(),
            [format!(
                "status: \"in_progress\" cannot be followed by \"dialing\", {found}"
            )]
        );
    }
}

#[tokio::test]
async fn first_state_is_compared_with_last_seen() {
    for before in ["dialing", "completed"] {
        let (_server, _clock, client) = serve(vec![status_response("completed")]).await;
        let wait = client.wait_until_ended(ID).last_seen(call(before));
        let change = wait.updates().next().await.unwrap().unwrap();
        assert_eq!(change.before, Some(call(before)));
        assert_eq!(change.status_changed(), before == "dialing");
    }
    // A call that was seen before has no grace period.
    let (_server, _clock, client) = serve(vec![answer(404, "", "")]).await;
    let wait = client.wait_until_ended(ID).last_seen(call("dialing"));
    let error = wait.grace(Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.last_seen::<Call>(), Some(&call("dialing")));
}

#[tokio::test]
async fn dropped_wait_cancels_its_request() {
    let cut = service::send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    for (place, script) in [
        ("the head", vec![]),
        ("the body", cut),
        ("the wait for a retry", answer(503, "", "")),
        ("the delay until the next poll", status_response("dialing")),
    ] {
        let clock = TestClock::default();
        let server = Server::start(&clock, vec![script, status_response("completed")]).await;
        let client = client_with(&server, &clock, |builder| {
            builder.clock(Arc::new(ManualClock::new()))
        });
        let mut wait = std::future::IntoFuture::into_future(client.wait_until_ended(ID));
        for _ in 0..50 {
            let poll =
                std::future::poll_fn(|context| Poll::Ready(wait.as_mut().poll(context))).await;
            assert!(poll.is_pending(), "{place}: {poll:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(wait);
        assert_eq!(server.requests().len(), 1, "{place}");
        assert_eq!(client.transport().retry_budget_left(), 500, "{place}");
        assert!(client.get_call(ID).await.unwrap().is_ended(), "{place}");
    }
}

#[test]
fn wait_is_send_and_debug() {
    fn assert_send<T: Send + 'static>(_: &T) {}
    let client = Client::builder()
        .base_url("http://localhost")
        .token(service::SECRET)
        .build()
        .unwrap();
    let wait = || client.wait_until_ended(ID);
    assert_send(&std::future::IntoFuture::into_future(wait()));
    assert_send(&wait().updates());
    let debug = format!("{:?} {:?}", wait(), wait().updates());
    assert!(!debug.contains(service::SECRET), "{debug}");
}
