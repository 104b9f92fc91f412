//! Many calls at once: one result for each id, a few under way at a time, and all wait where one is told to.

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
    SECRET, Server, Standing, TestClock, answer, client, faults, found, respond, says, seconds,
};
use tokio::sync::Semaphore;

fn id(number: usize) -> Uuid {
    Uuid::from_u128(number as u128)
}

fn client_of(url: &str) -> Client {
    Client::builder()
        .base_url(url)
        .token(SECRET)
        .build()
        .unwrap()
}

/// Each id with its call's id, or the kind of its error.
async fn all(mut calls: GetCalls<'_>) -> Vec<(Uuid, Result<Uuid, ErrorKind>)> {
    let mut results = Vec::new();
    while let Some((id, result)) = calls.next().await {
        results.push((id, result.map(|call| call.id).map_err(|error| error.kind())));
    }
    assert!(calls.next().await.is_none());
    results
}

#[tokio::test]
async fn each_id_has_one_result_in_order_errors_too() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let url = respond(move |id| {
        log.lock().unwrap().push(id);
        async move {
            match id.as_u128() % 10 {
                3 => StatusCode::NOT_FOUND.into_response(),
                // The later ids are answered before the earlier ones.
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
    // Each id three times: at once, soon and late.
    let ids: Vec<_> = (0..200)
        .flat_map(|number| [number, number, number / 2])
        .chain(0..200)
        .map(id)
        .collect();
    let client = client_of(&url);
    assert_eq!(all(client.get_calls(&ids)).await, expected);
    let mut once = std::mem::take(&mut *asked.lock().unwrap());
    once.sort();
    assert_eq!(once, (0..200).map(id).collect::<Vec<_>>());

    let mut as_they_come = all(client.get_calls(ids).unordered().concurrency(50)).await;
    assert_ne!(as_they_come, expected);
    as_they_come.sort_by_key(|(id, _)| *id);
    assert_eq!(as_they_come, expected);
    assert_eq!(asked.lock().unwrap().len(), 200);
}

#[tokio::test]
async fn an_id_that_is_no_longer_remembered_is_fetched_again() {
    let url = respond(|id| async move { found(id) }).await;
    let client = client_of(&url);
    let ids = || [0, 1, 1, 2, 3, 4, 5, 1].map(id);
    let fetched = async |remember| {
        let results = all(client.get_calls(ids()).dedup_window(remember)).await;
        results.len()
    };
    assert_eq!(fetched(0).await, 8);
    assert_eq!(fetched(2).await, 7);
    assert_eq!(fetched(usize::MAX).await, 6);
    assert_eq!(all(client.get_calls(ids())).await.len(), 6);
}

#[tokio::test]
async fn as_many_are_under_way_as_are_allowed_and_no_id_is_taken_early() {
    let (under_way, let_go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (counted, gate) = (Arc::clone(&under_way), Arc::clone(&let_go));
    let url = respond(move |id| {
        counted.fetch_add(1, Ordering::Relaxed);
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.unwrap().forget();
            found(id)
        }
    })
    .await;
    for (concurrency, expected) in [(None, 8), (Some(0), 1), (Some(3), 3), (Some(40), 40)] {
        under_way.store(0, Ordering::Relaxed);
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let endless = (0..).map(id).inspect(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let client = client_of(&url);
        let mut calls = client.get_calls(endless);
        if let Some(concurrency) = concurrency {
            calls = calls.concurrency(concurrency);
        }
        assert_eq!(
            taken.load(Ordering::Relaxed),
            0,
            "nothing before it is read"
        );
        let first = tokio::spawn(async move { (calls.next().await.unwrap().0, calls) });
        while under_way.load(Ordering::Relaxed) < expected {
            tokio::task::yield_now().await;
        }
        settle().await;
        assert_eq!(under_way.load(Ordering::Relaxed), expected);
        assert_eq!(taken.load(Ordering::Relaxed), expected);
        let_go.add_permits(expected);
        let (first, calls) = first.await.unwrap();
        assert_eq!(first, id(0));
        drop(calls);
    }
}

/// Lets everything happen that can before a clock moves on.
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
async fn one_429_makes_all_wait() {
    // What the service asks for, and what all wait by that: with the jitter that the call itself waits.
    for (retry_after, pause) in [("10", 10_125), ("", 250), ("60", 60_000)] {
        let pause = Duration::from_millis(pause);
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
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
        let clock = Standing::new();
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
        let results = tokio::spawn(all(calls));
        settle().await;
        let before = asked.load(Ordering::Relaxed);
        // Not all four need be sent before the 429 is read, and what was answered before it made room for more.
        assert!((3..20).contains(&before), "{before}");
        settle().await;
        assert_eq!(asked.load(Ordering::Relaxed), before, "all wait");
        let waits = clock.take_waits();
        assert_eq!(waits, [pause; 4], "the call itself and what is beside it");
        clock.pass(pause - Duration::from_nanos(1));
        settle().await;
        assert_eq!(asked.load(Ordering::Relaxed), before, "not yet");
        clock.pass(Duration::from_nanos(1));
        let mut results = results.await.unwrap();
        results.sort_by_key(|(id, _)| *id);
        let expected: Vec<_> = ids.into_iter().map(|id| (id, Ok(id))).collect();
        assert_eq!(results, expected, "{retry_after}");
        assert_eq!(asked.load(Ordering::Relaxed), 21);
        // The one who looked at the gate a moment too early looks again.
        assert!(
            clock
                .take_waits()
                .iter()
                .all(|wait| *wait == Duration::from_nanos(1))
        );
    }
}

async fn one_by_one(scripts: Vec<Vec<service::Step>>) -> (TestClock, Server, Client) {
    let clock = TestClock::default();
    let server = Server::start(&clock, scripts).await;
    let client = client(&server, &clock);
    (clock, server, client)
}

#[tokio::test]
async fn an_id_that_is_sent_away_for_long_is_asked_for_three_times() {
    let away = || answer(429, "retry-after: 60\r\n", "");
    let scripts = vec![away(), away(), away(), says("dialing")];
    let (clock, server, client) = one_by_one(scripts).await;
    let results = all(client.get_calls([id(1), service::ID]).concurrency(1)).await;
    assert_eq!(
        results,
        [
            (id(1), Err(ErrorKind::RateLimited)),
            (service::ID, Ok(service::ID))
        ]
    );
    assert_eq!(clock.waits(), seconds(&[60.0; 3]));
    assert_eq!(server.requests().len(), 4);
    // Nobody is sent away for ever.
    let never = answer(429, "retry-after: 99999999999\r\n", "");
    let (clock, _server, client) = one_by_one(vec![never, says("dialing")]).await;
    let results = all(client.get_calls([service::ID])).await;
    assert_eq!(results, [(service::ID, Ok(service::ID))]);
    assert_eq!(clock.waits(), seconds(&[3600.0]));
}

#[tokio::test]
async fn a_fault_costs_the_call_that_it_meets_and_no_other() {
    for fault in faults() {
        let name = fault.name;
        let mut requests = fault.scripts.len() + 1;
        let scripts = [fault.scripts, vec![says("dialing")]].concat();
        let (clock, server, client) = one_by_one(scripts).await;
        let results = all(client.get_calls([id(1), service::ID]).concurrency(1)).await;
        let (mut first, mut waits) = (Err(fault.kind), fault.waits.to_vec());
        if name == "429" {
            // The throttle paces it: it is requested again until its deadline.
            first = Ok(service::ID);
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
async fn each_call_has_the_options() {
    let (clock, server, client) = one_by_one(vec![answer(503, "", "")]).await;
    let once = RequestOptions::new().max_attempts(1);
    let results = all(client.get_calls([id(1), id(2)]).options(once)).await;
    assert_eq!(results.len(), 2);
    assert_eq!(server.requests().len(), 2);
    assert!(clock.waits().is_empty());
}

#[tokio::test]
async fn a_stream_that_is_dropped_asks_no_more_and_leaves_nothing() {
    let cut = service::send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
    for (place, script) in [
        ("the head", vec![]),
        ("the body", cut),
        ("the wait for a retry", answer(503, "", "")),
        ("the gate", answer(429, "retry-after: 60\r\n", "")),
    ] {
        let clock = TestClock::default();
        let server = Server::start(&clock, vec![script, says("completed")]).await;
        let standing = Standing::new();
        let client =
            service::client_with(&server, &clock, |builder| builder.clock(Arc::new(standing)));
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
async fn a_read_that_is_given_up_loses_no_result() {
    let url = respond(|id| async move { found(id) }).await;
    let client = client_of(&url);
    let mut calls = client.get_calls((0..100).map(id));
    let mut results = Vec::new();
    loop {
        // Polled once, and dropped.
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
fn a_fetch_can_be_spawned_and_shown() {
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let client = Client::builder().token(SECRET).build().unwrap();
    let ids = vec![id(1)];
    let shown = format!("{:?}", sent(client.get_calls(&ids)));
    assert!(!shown.contains(SECRET), "{shown}");
    fn lives<T: 'static>(_: &T) {}
    lives(&client.get_calls(ids));
}
