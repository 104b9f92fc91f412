//! Waiting for a call to end: when it is looked at, what the wait survives and what ends it, on a clock that stands still
//! but for the waits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "support/service.rs"]
mod service;

use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use call_api::{
    Call, CallStatus, Change, Client, DriftMode, Error, ErrorKind, PollSchedule, RequestOptions,
};
use service::{
    ID, SECRET, Server, Standing, Step, TestClock, answer, call, client, client_with, faults, says,
    seconds, with,
};

async fn serve(scripts: Vec<Vec<Step>>) -> (Server, TestClock, Client) {
    let clock = TestClock::default();
    let server = Server::start(&clock, scripts).await;
    let client = client(&server, &clock);
    (server, clock, client)
}

/// The statuses that come as changes, and the error that ends them.
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
async fn it_looks_quickly_while_dialing_and_slower_and_slower_afterwards() {
    let scripts = [
        vec![says("dialing"); 6],
        vec![says("in_progress"); 7],
        vec![says("completed")],
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
async fn chance_makes_a_wait_shorter_by_a_fifth_at_most() {
    let clock = TestClock::default();
    let scripts = vec![says("dialing"), says("dialing"), says("failed")];
    let server = Server::start(&clock, scripts).await;
    let client = client_with(&server, &clock, |builder| builder.jitter(|| 0.0));
    client.wait_until_ended(ID).await.unwrap();
    assert_eq!(clock.waits(), seconds(&[0.8, 1.2]));
}

#[tokio::test]
async fn the_cadence_is_the_caller_s() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let cadence = PollSchedule::default()
        .dialing(minutes(1), minutes(1))
        .in_progress(minutes(2), minutes(4))
        .jitter(0.5);
    let scripts = || {
        [
            vec![says("dialing"); 2],
            vec![says("in_progress"); 4],
            vec![says("no_answer")],
        ]
        .concat()
    };
    let (_server, clock, client) = serve(scripts()).await;
    client
        .wait_until_ended(ID)
        .poll_schedule(cadence)
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
            let cadence = PollSchedule::every(wait).jitter(jitter);
            let wait = client.wait_until_ended(ID).poll_schedule(cadence);
            wait.deadline(Duration::MAX).await.unwrap();
            assert_eq!(clock.waits(), seconds(&[waited; 6]));
        }
    }
}

#[tokio::test]
async fn updates_are_what_differs_first_state_first() {
    let mut recorded = call("in_progress");
    recorded.recording_url = Some("https://calls.example/1".to_owned());
    let mut without = recorded.clone();
    without.recording_url = None;
    let scripts = vec![
        says("dialing"),
        says("dialing"),
        with(&without),
        with(&without),
        with(&recorded),
        says("completed"),
    ];
    let (_server, _clock, client) = serve(scripts).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let teller = Arc::clone(&told);
    let mut updates = client
        .wait_until_ended(ID)
        .on_change(move |change: &Change| teller.lock().unwrap().push(change.clone()))
        .updates();
    let mut seen = Vec::new();
    while let Some(change) = updates.next().await {
        seen.push(change.unwrap());
        assert_eq!(*told.lock().unwrap(), seen);
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
async fn it_survives_what_the_transport_deems_passing() {
    for fault in faults() {
        let name = fault.name;
        let scripts = [fault.scripts, vec![says("completed")]].concat();
        let requests = scripts.len();
        let (server, clock, client) = serve(scripts).await;
        let failures = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&failures);
        let wait = client
            .wait_until_ended(ID)
            .on_failure(move |error: &Error| {
                assert!(error.is_retryable());
                told.lock().unwrap().push(error.kind());
            });
        let call = wait.await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(call.is_ended());
        assert_eq!(*failures.lock().unwrap(), [fault.kind], "{name}");
        // The transport's own waits first, then that for the next look.
        let waits = seconds(&[fault.waits, &[fault.asks.max(1.0)]].concat());
        assert_eq!(clock.waits(), waits, "{name}");
        let in_vain = match name {
            "silent server" | "stall in the body" => 30,
            _ => 0,
        };
        let passed = waits.iter().sum::<Duration>() + Duration::from_secs(in_vain);
        assert_eq!(clock.passed(), passed, "{name}");
        assert_eq!(server.requests().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn updates_go_on_where_the_service_was_away() {
    for fault in faults() {
        let name = fault.name;
        let afterwards = vec![says("in_progress"), says("completed")];
        let scripts = [vec![says("dialing")], fault.scripts, afterwards].concat();
        let requests = scripts.len();
        let (server, clock, client) = serve(scripts).await;
        let (seen, error) = changes(client.wait_until_ended(ID)).await;
        assert!(error.is_none(), "{name}: {error:?}");
        assert_eq!(seen, ["dialing", "in_progress", "completed"], "{name}");
        let waits = [&[1.0], fault.waits, &[fault.asks.max(1.5), 5.0]].concat();
        assert_eq!(clock.waits(), seconds(&waits), "{name}");
        assert_eq!(server.requests().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn a_failed_look_does_not_begin_the_cadence_anew() {
    let scripts = vec![
        says("in_progress"),
        says("in_progress"),
        answer(500, "", ""),
        says("completed"),
    ];
    let (_server, clock, client) = serve(scripts).await;
    let once = RequestOptions::new().max_attempts(1);
    client.wait_until_ended(ID).options(once).await.unwrap();
    assert_eq!(clock.waits(), seconds(&[5.0, 7.5, 11.25]));
}

#[tokio::test]
async fn time_out_gives_the_last_state() {
    let (server, clock, client) = serve(vec![says("in_progress")]).await;
    let error = client.wait_until_ended(ID).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_timeout() && error.is_retryable());
    assert_eq!(error.last_seen::<Call>(), Some(&call("in_progress")));
    // The last look is a second before the end, and there is nothing to wait for after it.
    assert_eq!(clock.passed(), Duration::from_secs(2 * 60 * 60 - 1));
    assert_eq!(server.requests().len(), 244);
    insta::assert_snapshot!(error);
}

#[tokio::test]
async fn time_out_says_why_the_last_look_failed() {
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

/// However densely it looks, the last look has a second for its answer.
#[tokio::test]
async fn a_dense_cadence_leaves_time_for_the_last_look() {
    let (_server, clock, client) = serve(vec![says("in_progress")]).await;
    let wait = client
        .wait_until_ended(ID)
        .poll_schedule(PollSchedule::every(Duration::from_millis(100)))
        .deadline(Duration::from_secs(3));
    let error = wait.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(
        !error.to_string().contains("the last look at it failed"),
        "{error}"
    );
    assert_eq!(clock.passed(), Duration::from_secs(2));
}

#[tokio::test]
async fn no_look_is_longer_than_what_is_left() {
    let scripts = vec![says("dialing"), vec![Step::Stall]];
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
async fn a_retry_after_beyond_the_deadline_ends_the_wait_at_once() {
    let scripts = vec![says("dialing"), answer(429, "retry-after: 60\r\n", "")];
    let (_server, clock, client) = serve(scripts).await;
    let wait = client
        .wait_until_ended(ID)
        .deadline(Duration::from_secs(30));
    let (_, error) = changes(wait).await;
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("asks to wait 60 s"), "{error}");
    assert_eq!(clock.passed(), Duration::from_secs(1));
    // With time for it, it is waited for: longer than a single look may take, and than the cadence.
    let scripts = vec![answer(429, "retry-after: 60\r\n", ""), says("completed")];
    let (_server, clock, client) = serve(scripts).await;
    client.wait_until_ended(ID).await.unwrap();
    assert_eq!(clock.waits(), seconds(&[60.25]));
}

#[tokio::test]
async fn an_error_that_will_not_pass_ends_the_wait_and_has_the_last_state() {
    let not_found = || answer(404, "", r#"{"detail": "Call not found"}"#);
    for (script, kind) in [
        (not_found(), ErrorKind::NotFound),
        (answer(401, "", ""), ErrorKind::Unauthorized),
        (answer(422, "", ""), ErrorKind::InvalidRequest),
        (answer(200, "", "{}"), ErrorKind::Decode),
    ] {
        let (_server, clock, client) = serve(vec![says("dialing"), script]).await;
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
async fn a_call_that_is_not_there_yet_has_its_grace() {
    let not_found = || answer(404, "", "");
    let (_server, _clock, client) = serve(vec![not_found(), says("completed")]).await;
    let error = client.wait_until_ended(ID).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let grace = Duration::from_secs(5);

    let scripts = vec![not_found(), not_found(), not_found(), says("completed")];
    let (_server, clock, client) = serve(scripts).await;
    client.wait_until_ended(ID).grace(grace).await.unwrap();
    assert_eq!(clock.waits(), seconds(&[1.0, 1.5, 2.25]));

    let (server, clock, client) = serve(vec![not_found()]).await;
    let error = client.wait_until_ended(ID).grace(grace).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // At 0, 1, 2.5, 4.75, and then after the grace's end.
    assert_eq!(clock.waits(), seconds(&[1.0, 1.5, 2.25, 3.375]));
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn an_unknown_status_is_an_end_only_with_an_end_time() {
    let mut ended = call("on_fire");
    ended.end_time = Some(ended.created_date);
    let scripts = vec![says("on_hold"), says("on_hold"), with(&ended)];
    let (_server, clock, client) = serve(scripts).await;
    let (seen, error) = changes(client.wait_until_ended(ID)).await;
    assert!(error.is_none());
    assert_eq!(seen, ["on_hold", "on_fire"]);
    assert_eq!(clock.waits(), seconds(&[5.0, 7.5]));
}

#[tokio::test]
async fn a_step_that_can_not_be_is_told_and_the_newest_answer_wins() {
    let scripts = vec![
        says("dialing"),
        says("in_progress"),
        says("dialing"),
        says("failed"),
    ];
    let (_server, clock, client) = serve(scripts).await;
    let mut updates = client
        .wait_until_ended(ID)
        .last_seen(call("completed"))
        .updates();
    let mut steps = Vec::new();
    let mut last = None;
    while let Some(change) = updates.next().await {
        let change = change.unwrap();
        steps.push(change.invalid_transition().map(|step| {
            assert_eq!(step.id, ID);
            format!("{} -> {}", step.from, step.to)
        }));
        last = Some(change.call.status);
    }
    let told = |step: &str| Some(step.to_owned());
    assert_eq!(
        steps,
        [
            told("completed -> dialing"),
            None,
            told("in_progress -> dialing"),
            None
        ]
    );
    assert_eq!(last, Some(CallStatus::Failed));
    assert_eq!(clock.waits(), seconds(&[1.0, 5.0, 1.0]));
}

#[tokio::test]
async fn a_step_that_can_not_be_is_drift() {
    let statuses = ["in_progress", "dialing", "in_progress", "dialing", "failed"];
    for (mode, seen, found, fails) in [
        (DriftMode::Watch, &statuses[..], 2, false),
        (DriftMode::Strict, &statuses[..1], 1, true),
    ] {
        let clock = TestClock::default();
        let server = Server::start(&clock, statuses.map(says).to_vec()).await;
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
        // In strict mode, too, nothing is lost of what was seen.
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
async fn what_was_seen_before_is_what_the_first_state_is_told_against() {
    for before in ["dialing", "completed"] {
        let (_server, _clock, client) = serve(vec![says("completed")]).await;
        let wait = client.wait_until_ended(ID).last_seen(call(before));
        let change = wait.updates().next().await.unwrap().unwrap();
        assert_eq!(change.before, Some(call(before)));
        assert_eq!(change.status_changed(), before == "dialing");
    }
    // Where it exists, a 404 is no matter of time.
    let (_server, _clock, client) = serve(vec![answer(404, "", "")]).await;
    let wait = client.wait_until_ended(ID).last_seen(call("dialing"));
    let error = wait.grace(Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.last_seen::<Call>(), Some(&call("dialing")));
}

#[tokio::test]
async fn a_wait_that_is_dropped_asks_no_more_and_leaves_nothing() {
    let cut = service::send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    for (place, script) in [
        ("the head", vec![]),
        ("the body", cut),
        ("the wait for a retry", answer(503, "", "")),
        ("the wait for the next look", says("dialing")),
    ] {
        let clock = TestClock::default();
        let server = Server::start(&clock, vec![script, says("completed")]).await;
        let client = client_with(&server, &clock, |builder| {
            builder.clock(Arc::new(Standing::new()))
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
fn a_wait_can_be_spawned_and_shown() {
    fn sent<T: Send + 'static>(_: &T) {}
    let client = Client::builder().token(service::SECRET).build().unwrap();
    let wait = || client.wait_until_ended(ID);
    sent(&std::future::IntoFuture::into_future(wait()));
    sent(&wait().updates());
    let shown = format!("{:?} {:?}", wait(), wait().updates());
    assert!(!shown.contains(service::SECRET), "{shown}");
}
