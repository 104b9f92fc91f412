//! `get_calls`: one result per id, limited concurrency, and a pause of all requests after a 429.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "support/service.rs"]
mod service;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use call_api::{Client, ErrorKind, GetCalls, RequestOptions, Uuid};
use service::{
    ManualClock, SECRET, Server, TestClock, answer, client, faults, found, respond, seconds,
    status_response,
};
use tokio::sync::Semaphore;

fn id(number: usize) -> Uuid {
    Uuid::from_u128(number as u128)
}

fn client_for(url: &str) -> Client {
    Client::builder()
        .base_url(url)
        .token(SECRET)
        .build()
        .unwrap()
}

/// Collects each id with the id of its call or the kind of its error.
async fn collect(mut calls: GetCalls<'_>) -> Vec<(Uuid, Result<Uuid, ErrorKind>)> {
    let mut results = Vec::new();
    while let Some((id, result)) = calls.next().await {
        results.push((id, result.map(|call| call.id).map_err(|error| error.kind())));
    }
    assert!(calls.next().await.is_none());
    results
}

#[tokio::test]
async fn each_id_has_one_result_in_order() {
    let requested = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&requested);
    let url = respond(move |id| {
        log.lock().unwrap().push(id);
        async move {
            match id.as_u128() % 10 {
                3 => StatusCode::NOT_FOUND.into_response(),
                // Later ids are answered before earlier ones.
                turn => {
                    for _ in turn..10 {
                        tokio::task::yield_now().await;
                    }
                    found(id)
                }
            }
        }
    })
    .await;
    let expected: Vec<_> = (0..200)
        .map(|number| match number % 10 {
            3 => (id(number), Err(ErrorKind::NotFound)),
            _ => (id(number), Ok(id(number))),
        })
        .collect();
    // Each id three times: adjacent, soon, and late.
    let ids: Vec<_> = (0..200)
        .flat_map(|number| [number, number, number / 2])
        .chain(0..200)
        .map(id)
        .collect();
    let client = client_for(&url);
    assert_eq!(collect(client.get_calls(&ids)).await, expected);
    let mut sorted = std::mem::take(&mut *requested.lock().unwrap());
    sorted.sort();
    assert_eq!(sorted, (0..200).map(id).collect::<Vec<_>>());

    let mut unordered = collect(client.get_calls(ids).unordered().concurrency(50)).await;
    assert_ne!(unordered, expected);
    unordered.sort_by_key(|(id, _)| *id);
    assert_eq!(unordered, expected);
    assert_eq!(requested.lock().unwrap().len(), 200);
}

#[tokio::test]
async fn id_outside_of_the_dedup_window_is_fetched_again() {
    let url = respond(|id| async move { found(id) }).await;
    let client = client_for(&url);
    let ids = || [0, 1, 1, 2, 3, 4, 5, 1].map(id);
    let fetched = async |window| {
        let results = collect(client.get_calls(ids()).dedup_window(window)).await;
        results.len()
    };
    assert_eq!(fetched(0).await, 8);
    assert_eq!(fetched(2).await, 7);
    assert_eq!(fetched(usize::MAX).await, 6);
    assert_eq!(collect(client.get_calls(ids())).await.len(), 6);
}

#[tokio::test]
async fn concurrency_is_limited_and_ids_are_read_on_demand() {
    let (in_flight, permits) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (counted, gate) = (Arc::clone(&in_flight), Arc::clone(&permits));
    let url = respond(move |id| {
        counted.fetch_add(1, Ordering::Relaxed);
        let permits = Arc::clone(&gate);
        async move {
            permits.acquire().await.unwrap().forget();
            found(id)
        }
    })
    .await;
    for (concurrency, expected) in [(None, 8), (Some(0), 1), (Some(3), 3), (Some(40), 40)] {
        in_flight.store(0, Ordering::Relaxed);
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let endless = (0..).map(id).inspect(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let client = client_for(&url);
        let mut calls = client.get_calls(endless);
        if let Some(concurrency) = concurrency {
            calls = calls.concurrency(concurrency);
        }
        assert_eq!(
            taken.load(Ordering::Relaxed),
            0,
            "no id is read before the first poll"
        );
        let first = tokio::spawn(async move { (calls.next().await.unwrap().0, calls) });
        while in_flight.load(Ordering::Relaxed) < expected {
            tokio::task::yield_now().await;
        }
        settle().await;
        assert_eq!(in_flight.load(Ordering::Relaxed), expected);
        assert_eq!(taken.load(Ordering::Relaxed), expected);
        permits.add_permits(expected);
        let (first, calls) = first.await.unwrap();
        assert_eq!(first, id(0));
        drop(calls);
    }
}

/// Waits until nothing more happens without the clock moving.
async fn settle() {
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn throttled(retry_after: &str) -> Response {
    let mut response = StatusCode::TOO_MANY_REQUESTS.into_response();
    if !retry_after.is_empty() {
        let value = retry_after.parse().unwrap();
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

#[tokio::test]
async fn status_429_pauses_all_requests() {
    // `Retry-After`, and the resulting pause with jitter.
    for (retry_after, pause) in [("10", 10_125), ("", 250), ("60", 60_000)] {
        let pause = Duration::from_millis(pause);
        let requested = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requested);
        let url = respond(move |id| {
            let turn = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                match turn {
                    2 => throttled(retry_after),
                    _ => found(id),
                }
            }
        })
        .await;
        let clock = ManualClock::new();
        let set_clock = clock.clone();
        let client = Client::builder()
            .base_url(url)
            .token(SECRET)
            .clock(Arc::new(set_clock))
            .jitter(|| 1.0)
            .build()
            .unwrap();
        let ids: Vec<_> = (0..20).map(id).collect();
        let calls = client.get_calls(ids.clone()).concurrency(4).unordered();
        let results = tokio::spawn(collect(calls));
        settle().await;
        let before = requested.load(Ordering::Relaxed);
        // The 429 may arrive before all four are sent, and earlier responses free slots for more.
        assert!((3..20).contains(&before), "{before}");
        settle().await;
        assert_eq!(
            requested.load(Ordering::Relaxed),
            before,
            "all requests wait"
        );
        let waits = clock.take_waits();
        assert_eq!(waits, [pause; 4], "the refused request and the other three");
        clock.advance(pause - Duration::from_nanos(1));
        settle().await;
        assert_eq!(
            requested.load(Ordering::Relaxed),
            before,
            "the pause is not over"
        );
        clock.advance(Duration::from_nanos(1));
        let mut results = results.await.unwrap();
        results.sort_by_key(|(id, _)| *id);
        let expected: Vec<_> = ids.into_iter().map(|id| (id, Ok(id))).collect();
        assert_eq!(results, expected, "{retry_after}");
        assert_eq!(requested.load(Ordering::Relaxed), 21);
        // A request that woke too early waits for the rest.
        assert!(
            clock
                .take_waits()
                .iter()
                .all(|wait| *wait == Duration::from_nanos(1))
        );
    }
}

async fn serve(scripts: Vec<Vec<service::Step>>) -> (TestClock, Server, Client) {
    let clock = TestClock::default();
    let server = Server::start(&clock, scripts).await;
    let client = client(&server, &clock);
    (clock, server, client)
}

#[tokio::test]
async fn id_with_long_retry_after_is_requested_three_times() {
    let rate_limited = || answer(429, "retry-after: 60\r\n", "");
    let scripts = vec![
        rate_limited(),
        rate_limited(),
        rate_limited(),
        status_response("dialing"),
    ];
    let (clock, server, client) = serve(scripts).await;
    let results = collect(client.get_calls([id(1), service::ID]).concurrency(1)).await;
    assert_eq!(
        results,
        [
            (id(1), Err(ErrorKind::RateLimited)),
            (service::ID, Ok(service::ID))
        ]
    );
    assert_eq!(clock.waits(), seconds(&[60.0; 3]));
    assert_eq!(server.requests().len(), 4);
    // The pause is limited.
    let endless = answer(429, "retry-after: 99999999999\r\n", "");
    let (clock, _server, client) = serve(vec![endless, status_response("dialing")]).await;
    let results = collect(client.get_calls([service::ID])).await;
    assert_eq!(results, [(service::ID, Ok(service::ID))]);
    assert_eq!(clock.waits(), seconds(&[3600.0]));
}

#[tokio::test]
async fn fault_affects_only_its_own_id() {
    for fault in faults() {
        let name = fault.name;
        let mut requests = fault.scripts.len() + 1;
        let scripts = [fault.scripts, vec![status_response("dialing")]].concat();
        let (clock, server, client) = serve(scripts).await;
        let results = collect(client.get_calls([id(1), service::ID]).concurrency(1)).await;
        let (mut first, mut waits) = (Err(fault.kind), fault.waits.to_vec());
        if name == "429" {
            // The throttle repeats it until its deadline; the last response is meant for the other.
            first = Err(ErrorKind::UnexpectedId);
            waits.push(7.125);
            requests += 1;
        }
        assert_eq!(
            results,
            [(id(1), first), (service::ID, Ok(service::ID))],
            "{name}"
        );
        let waits = seconds(&waits);
        assert_eq!(clock.waits(), waits, "{name}");
        assert_eq!(server.requests().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn options_apply_to_each_request() {
    let (clock, server, client) = serve(vec![answer(503, "", "")]).await;
    let once = RequestOptions::new().max_attempts(1);
    let results = collect(client.get_calls([id(1), id(2)]).options(once)).await;
    assert_eq!(results.len(), 2);
    assert_eq!(server.requests().len(), 2);
    assert!(clock.waits().is_empty());
}

#[tokio::test]
async fn dropped_stream_cancels_its_requests() {
    let cut = service::send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    for (place, script) in [
        ("the head", vec![]),
        ("the body", cut),
        ("the wait for a retry", answer(503, "", "")),
        ("the throttle", answer(429, "retry-after: 60\r\n", "")),
    ] {
        let clock = TestClock::default();
        let server = Server::start(&clock, vec![script, status_response("completed")]).await;
        let manual_clock = ManualClock::new();
        let client = service::client_with(&server, &clock, |builder| {
            builder.clock(Arc::new(manual_clock))
        });
        let mut calls = client.get_calls([id(1), id(2)]).concurrency(1);
        for _ in 0..50 {
            let mut next = std::pin::pin!(calls.next());
            let poll =
                std::future::poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
            assert!(poll.is_pending(), "{place}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(calls);
        assert_eq!(server.requests().len(), 1, "{place}");
        assert_eq!(client.transport().retry_budget_left(), 500, "{place}");
        assert!(client.get_call(service::ID).await.is_ok(), "{place}");
    }
}

#[tokio::test]
async fn requests_advance_while_nobody_reads_the_stream() {
    let requests = Arc::new(AtomicUsize::new(0));
    let (counted, permits) = (Arc::clone(&requests), Arc::new(Semaphore::new(0)));
    let gate = Arc::clone(&permits);
    let url = respond(move |asked| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        let gate = Arc::clone(&gate);
        async move {
            if asked == id(0) {
                return found(asked);
            }
            gate.acquire().await.unwrap().forget();
            // The first attempts for the others fail, so that each needs a delay and another one.
            match number < 8 {
                true => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                false => found(asked),
            }
        }
    })
    .await;
    let client = client_for(&url);
    let mut calls = client.get_calls((0..8).map(id));
    assert_eq!(calls.next().await.unwrap().0, id(0));
    permits.add_permits(100);
    let retried = async {
        while requests.load(Ordering::Relaxed) < 15 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let retried = tokio::time::timeout(Duration::from_secs(20), retried).await;
    assert!(
        retried.is_ok(),
        "only {requests:?} of 15 requests were sent"
    );
    let expected: Vec<_> = (1..8).map(|number| (id(number), Ok(id(number)))).collect();
    assert_eq!(collect(calls).await, expected);
}

#[test]
fn shut_down_runtime_is_an_error_of_its_requests() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let (service, first, second) = (runtime(), runtime(), runtime());
    let url = service.block_on(respond(|asked| async move {
        match asked == id(0) {
            true => found(asked),
            false => std::future::pending().await,
        }
    }));
    // It ends with the process.
    std::thread::spawn(move || service.block_on(std::future::pending::<()>()));
    let client = client_for(&url);
    let mut calls = client.get_calls([id(0), id(1)]);
    assert_eq!(first.block_on(calls.next()).unwrap().0, id(0));
    drop(first);
    let (lost, result) = second.block_on(calls.next()).unwrap();
    assert_eq!(
        (lost, result.unwrap_err().kind()),
        (id(1), ErrorKind::Interrupted)
    );
}

#[tokio::test]
async fn dropped_next_future_loses_no_result() {
    let url = respond(|id| async move { found(id) }).await;
    let client = client_for(&url);
    let mut calls = client.get_calls((0..100).map(id));
    let mut results = Vec::new();
    loop {
        // Polled once, then dropped.
        let mut next = Box::pin(calls.next());
        let poll = std::future::poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
        drop(next);
        match poll {
            Poll::Ready(Some((id, result))) => results.push((id, result.unwrap().id)),
            Poll::Ready(None) => break,
            Poll::Pending => tokio::task::yield_now().await,
        }
    }
    let expected: Vec<_> = (0..100).map(|number| (id(number), id(number))).collect();
    assert_eq!(results, expected);
}

#[test]
fn get_calls_is_send_and_debug() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let client = Client::builder()
        .base_url("http://localhost")
        .token(SECRET)
        .build()
        .unwrap();
    let ids = vec![id(1)];
    let debug = format!("{:?}", assert_send(client.get_calls(&ids)));
    assert!(!debug.contains(SECRET), "{debug}");
    fn assert_static<T: 'static>(_: &T) {}
    assert_static(&client.get_calls(ids));
}
