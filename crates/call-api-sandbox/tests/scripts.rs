//! Scripted calls and their recordings.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::time::Duration;

use call_api_sandbox::{Clock, Sandbox, Script};
use call_api_types::{Call, CallStatus};
use reqwest::StatusCode;
use support::{call, http, numbered};
use uuid::Uuid;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn manual_clock_moves_a_call_through_its_script() {
    let builder = Sandbox::builder().clock(Clock::manual());
    let sandbox = builder.start().await.unwrap();
    let begun = sandbox.now();
    sandbox.run(Sandbox::example_call(), Script::completed());
    let mut seen = Vec::new();
    for step in [0, 2, 30, 4, 1] {
        sandbox.advance(SECOND * step);
        let call = call(&sandbox, Sandbox::EXAMPLE_ID).await;
        assert_eq!(call.created_date, begun);
        assert_eq!(call.end_time.is_some(), call.is_ended());
        seen.push((call.status.to_string(), call.duration, call.recording_url));
    }
    let url = format!(
        "{}/_sandbox/recordings/{}/30.wav",
        sandbox.base_url(),
        Sandbox::EXAMPLE_ID
    );
    let row = |status: &str, duration, url| (status.to_owned(), duration, url);
    assert_eq!(
        seen,
        [
            row("dialing", None, None),
            row("in_progress", None, None),
            row("completed", Some(30), None),
            row("completed", Some(30), None),
            row("completed", Some(30), Some(url)),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn scripts_follow_paused_tokio_time() {
    let builder = || Sandbox::builder().run(numbered(1), Script::no_answer());
    let wall = builder().start().await.unwrap();
    let fast = builder().clock(Clock::scaled(10)).start().await.unwrap();
    let id = Uuid::from_u128(1);
    let mut seen = Vec::new();
    for _ in 0..2 {
        tokio::time::advance(Duration::from_secs(10)).await;
        seen.push((call(&wall, id).await.status, call(&fast, id).await.status));
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    seen.push((call(&wall, id).await.status, call(&fast, id).await.status));
    let (dialing, no_answer) = (CallStatus::Dialing, CallStatus::NoAnswer);
    assert_eq!(
        seen,
        [
            (dialing.clone(), no_answer.clone()),
            (dialing, no_answer.clone()),
            (no_answer.clone(), no_answer),
        ]
    );
}

#[tokio::test]
async fn put_replaces_a_script() {
    let builder = Sandbox::builder().clock(Clock::manual());
    let sandbox = builder.start().await.unwrap();
    sandbox.run(Sandbox::example_call(), Script::failed());
    sandbox.put(Sandbox::example_call());
    sandbox.advance(SECOND * 60);
    assert_eq!(
        call(&sandbox, Sandbox::EXAMPLE_ID).await,
        Sandbox::example_call()
    );
}

#[tokio::test]
async fn recording_is_served_whole_and_in_ranges() {
    let builder = Sandbox::builder().clock(Clock::manual());
    let sandbox = builder.start().await.unwrap();
    sandbox.run(Sandbox::example_call(), Script::completed());
    sandbox.advance(SECOND * 37);
    let url = call(&sandbox, Sandbox::EXAMPLE_ID)
        .await
        .recording_url
        .unwrap();

    let whole = http().get(&url).send().await.unwrap();
    assert_eq!(whole.status(), StatusCode::OK);
    let header = |response: &reqwest::Response, name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header(&whole, "content-type").as_deref(), Some("audio/wav"));
    assert_eq!(header(&whole, "content-length").as_deref(), Some("240044"));
    assert_eq!(header(&whole, "accept-ranges").as_deref(), Some("bytes"));
    let etag = header(&whole, "etag").unwrap();
    let whole = whole.bytes().await.unwrap();
    assert_eq!(
        (whole.len(), &whole[..4], &whole[8..12]),
        (240_044, &b"RIFF"[..], &b"WAVE"[..])
    );

    let part = http()
        .get(&url)
        .header("range", "bytes=100000-")
        .header("if-range", &etag);
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(
        header(&part, "content-range").as_deref(),
        Some("bytes 100000-240043/240044")
    );
    assert_eq!(header(&part, "etag").as_deref(), Some(&*etag));
    assert_eq!(part.bytes().await.unwrap(), whole[100_000..]);

    let outside = http()
        .get(&url)
        .header("range", "bytes=240044-")
        .send()
        .await
        .unwrap();
    assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(
        header(&outside, "content-range").as_deref(),
        Some("bytes */240044")
    );

    let known = http()
        .get(&url)
        .header("if-none-match", &etag)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (known.status(), known.bytes().await.unwrap().len()),
        (StatusCode::NOT_MODIFIED, 0)
    );

    let head = http().head(&url).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(header(&head, "content-length").as_deref(), Some("240044"));

    let other = http()
        .get(url.replace("30.wav", "30.mp3"))
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn mounted_sandbox_serves_recordings_under_its_prefix() {
    let builder = Sandbox::builder().clock(Clock::scaled(1_000_000));
    let mounted = builder.run(Sandbox::example_call(), Script::completed());
    let app = axum::Router::new().nest("/api", mounted.into_router().unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}/api", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });

    let url = format!("{api}/v1/call/{}", Sandbox::EXAMPLE_ID);
    let request = http().get(url).bearer_auth(Sandbox::DEFAULT_TOKEN);
    let json: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    let url = json[Call::name_in_json("recording_url")].as_str().unwrap();
    assert!(
        url.starts_with(&format!("{api}/_sandbox/recordings/")),
        "{url}"
    );
    assert_eq!(
        http().get(url).send().await.unwrap().status(),
        StatusCode::OK
    );
}
