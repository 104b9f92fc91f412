//! `wait_until_settled`: what a settled call has.

use super::*;

/// Returns the example call, ended at the start of the test's clock, with everything that comes later.
fn settled_call() -> Call {
    let mut call = call("completed");
    let now = call_api::chrono::DateTime::<call_api::chrono::Utc>::from(
        call_api::transport::Clock::system_now(&TestClock::default()),
    );
    call.start_time = Some(now - Duration::from_secs(123));
    call.end_time = Some(now);
    call.recording_url = Some("https://calls.example/1".to_owned());
    call
}

/// Returns that call without some properties.
fn call_without(missing: &[LateProperty]) -> Call {
    let mut call = settled_call();
    for property in missing {
        match property {
            LateProperty::EndTime => call.end_time = None,
            LateProperty::EndReason => call.end_reason = None,
            LateProperty::Duration => call.duration = None,
            LateProperty::RecordingUrl => call.recording_url = Some(String::new()),
            other => panic!("{other}"),
        }
    }
    call
}

#[tokio::test]
async fn settled_wait_polls_until_nothing_is_missing() {
    let scripts = vec![
        status_response("in_progress"),
        call_response(&call_without(&LateProperty::ALL)),
        call_response(&call_without(&[LateProperty::RecordingUrl])),
        call_response(&call_without(&[LateProperty::RecordingUrl])),
        call_response(&settled_call()),
    ];
    let (server, clock, client) = serve(scripts).await;
    let settled = client.wait_until_settled(ID).await.unwrap();
    assert!(settled.is_complete());
    assert_eq!(settled.call, settled_call());
    assert_eq!(clock.waits(), seconds(&[5.0, 5.0, 7.5, 11.25]));
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn settled_wait_ends_with_what_is_missing_after_the_settle_time() {
    let missing = [LateProperty::EndReason, LateProperty::RecordingUrl];
    let (_server, clock, client) = serve(vec![call_response(&call_without(&missing))]).await;
    let wait = client.wait_until_settled(ID);
    let settled = wait.settle_time(Duration::from_secs(60)).await.unwrap();
    assert_eq!(settled.missing, missing);
    assert_eq!(settled.call, call_without(&missing));
    assert!(clock.passed() <= Duration::from_secs(60));
    assert!(clock.passed() > Duration::from_secs(50));

    // A call that ended before the settle time is polled once.
    let mut old = call_without(&missing);
    old.end_time = old.end_time.map(|end| end - Duration::from_secs(300));
    let (server, _clock, client) = serve(vec![call_response(&old)]).await;
    let settled = client.wait_until_settled(ID).await.unwrap();
    assert_eq!(settled.missing, missing);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn settled_wait_expects_a_recording_only_after_a_conversation() {
    let nothing = [LateProperty::Duration, LateProperty::RecordingUrl];
    for (status, has_started, missing) in [
        ("completed", false, &nothing[..]),
        ("transferred", false, &nothing),
        ("no_answer", true, &[]),
        ("failed", false, &[]),
        ("failed", true, &nothing),
        ("diverted", false, &[]),
    ] {
        let mut call = call_without(&nothing);
        call.status = CallStatus::from(status);
        call.start_time = call.start_time.filter(|_| has_started);
        let (_server, _clock, client) = serve(vec![call_response(&call)]).await;
        let wait = client.wait_until_settled(ID).settle_time(Duration::ZERO);
        assert_eq!(wait.await.unwrap().missing, missing, "{status}");
    }
    let call = call_without(&nothing);
    let (_server, _clock, client) = serve(vec![call_response(&call)]).await;
    let wait = client
        .wait_until_settled(ID)
        .require([LateProperty::EndTime]);
    assert!(wait.await.unwrap().is_complete());
}

#[tokio::test]
async fn settled_wait_fails_if_the_call_does_not_end_or_cannot_be_fetched() {
    let (_server, clock, client) = serve(vec![status_response("in_progress")]).await;
    let wait = client.wait_until_settled(ID);
    let error = wait.deadline(Duration::from_secs(30)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("has not ended within 30 s"));
    assert!(clock.passed() <= Duration::from_secs(30));

    let incomplete = call_without(&[LateProperty::RecordingUrl]);
    let scripts = vec![call_response(&incomplete), answer(503, "", "")];
    let (_server, clock, client) = serve(scripts).await;
    let error = client.wait_until_settled(ID).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("has not settled within"));
    assert_eq!(error.last_seen::<Call>(), Some(&incomplete));
    assert!(clock.passed() <= Duration::from_secs(300));
}
