//! Limits on clients.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::time::Duration;

use call_api_sandbox::{Fault, FaultRule, Faults, Sandbox, SandboxBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

async fn connect(sandbox: &Sandbox) -> TcpStream {
    TcpStream::connect(sandbox.address()).await.unwrap()
}

async fn start_with_timeout(builder: SandboxBuilder) -> Sandbox {
    builder
        .client_timeout(CLIENT_TIMEOUT)
        .start()
        .await
        .unwrap()
}

/// Reads until the connection ends.
async fn response(connection: &mut TcpStream) -> String {
    let mut response = Vec::new();
    // A reset also ends it.
    let _ = connection.read_to_end(&mut response).await;
    String::from_utf8(response).unwrap()
}

fn request(more: &str) -> String {
    let id = Sandbox::EXAMPLE_ID;
    let token = Sandbox::DEFAULT_TOKEN;
    format!("GET /v1/call/{id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n")
}

#[tokio::test]
async fn head_beyond_the_limit_is_answered_with_431() {
    let sandbox = Sandbox::start().await.unwrap();
    let close = "Connection: close\r\n";
    let padded = |size: usize| {
        let others = request(&format!("{close}x: \r\n")).len();
        format!("{close}x: {}\r\n", "x".repeat(size - others))
    };
    let table = [
        (close.to_owned(), "HTTP/1.1 200"),
        (padded(32 << 10), "HTTP/1.1 200"),
        (padded((32 << 10) + 1), "HTTP/1.1 431"),
        (format!("x: {}\r\n", "x".repeat(64 << 10)), "HTTP/1.1 431"),
        ("x: y\r\n".repeat(101), "HTTP/1.1 431"),
    ];
    for (more, status) in table {
        let mut connection = connect(&sandbox).await;
        // The server may stop reading before the end of a rejected head.
        let _ = connection.write_all(request(&more).as_bytes()).await;
        let response = response(&mut connection).await;
        assert!(
            response.starts_with(status),
            "{} bytes: {response}",
            more.len()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn slow_client_is_disconnected() {
    let sandbox = start_with_timeout(Sandbox::builder()).await;
    for begun in ["", "GET /v1/call/", &request(""), &request("")[..70]] {
        let mut connection = connect(&sandbox).await;
        connection.write_all(begun.as_bytes()).await.unwrap();
        let since = Instant::now();
        let response = timeout(CLIENT_TIMEOUT * 3, response(&mut connection))
            .await
            .unwrap();
        let waited = since.elapsed();
        assert!(
            (CLIENT_TIMEOUT..CLIENT_TIMEOUT * 2).contains(&waited),
            "{begun:?}: {waited:?}"
        );
        assert_eq!(
            response.starts_with("HTTP/1.1 200"),
            begun.ends_with("\r\n\r\n")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn client_that_does_not_read_is_disconnected() {
    let sandbox = start_with_timeout(Sandbox::builder().max_connections(1)).await;
    let mut idle = connect(&sandbox).await;
    let recording = format!("/_sandbox/recordings/{}/100000.wav", Sandbox::EXAMPLE_ID);
    let request = format!("GET {recording} HTTP/1.1\r\nHost: x\r\n\r\n");
    idle.write_all(request.as_bytes()).await.unwrap();
    // The only slot becomes free once the first client is disconnected.
    let request = support::get(&sandbox, Sandbox::EXAMPLE_ID);
    assert_eq!(timeout(CLIENT_TIMEOUT * 3, request).await.unwrap().0, 200);
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn connection_beyond_the_maximum_waits_while_all_are_busy() {
    let stall = FaultRule::new(Fault::Stall).times(2);
    let builder = Sandbox::builder().faults(Faults::seeded(0).rule(stall));
    let sandbox = builder.max_connections(2).start().await.unwrap();
    let (mut one, mut two) = (connect(&sandbox).await, connect(&sandbox).await);
    for busy in [&mut one, &mut two] {
        busy.write_all(request("").as_bytes()).await.unwrap();
    }
    while sandbox.requests().len() < 2 {
        tokio::task::yield_now().await;
    }
    let mut three = connect(&sandbox).await;
    let close = request("Connection: close\r\n");
    three.write_all(close.as_bytes()).await.unwrap();
    let early = timeout(Duration::from_secs(60), three.read(&mut [0])).await;
    assert!(early.is_err(), "it was accepted without a free slot");
    drop(one);
    assert!(response(&mut three).await.starts_with("HTTP/1.1 200"));
    drop(two);
}

#[tokio::test]
async fn new_client_replaces_the_longest_idle_connection() {
    let sandbox = Sandbox::builder().max_connections(2).start().await.unwrap();
    let mut slow = connect(&sandbox).await;
    slow.write_all(b"GET /v1").await.unwrap();
    let mut kept = connect(&sandbox).await;
    let mut exchange = async || {
        kept.write_all(request("").as_bytes()).await.unwrap();
        let mut buffer = [0; 4096];
        let length = kept.read(&mut buffer).await.unwrap();
        assert!(buffer[..length].starts_with(b"HTTP/1.1 200"));
    };
    exchange().await;

    let mut new = connect(&sandbox).await;
    let close = request("Connection: close\r\n");
    new.write_all(close.as_bytes()).await.unwrap();
    assert!(response(&mut new).await.starts_with("HTTP/1.1 200"));
    assert_eq!(response(&mut slow).await, "");
    exchange().await;
}

#[tokio::test]
async fn client_is_served_while_slow_clients_hold_all_connections() {
    let sandbox = Sandbox::builder().max_connections(8).start().await.unwrap();
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut connection = connect(&sandbox).await;
        connection.write_all(b"GET /v1").await.unwrap();
        slow.push(connection);
    }
    let request = support::get(&sandbox, Sandbox::EXAMPLE_ID);
    let (status, _) = timeout(CLIENT_TIMEOUT, request).await.unwrap();
    assert_eq!(status, 200);
}

#[tokio::test]
async fn ipv6_loopback_is_supported() {
    let Ok(sandbox) = Sandbox::builder()
        .listen((std::net::Ipv6Addr::LOCALHOST, 0))
        .start()
        .await
    else {
        eprintln!("SKIPPED: no IPv6 on this machine");
        return;
    };
    assert!(
        sandbox.base_url().starts_with("http://[::1]:"),
        "{}",
        sandbox.base_url()
    );
    assert_eq!(support::get(&sandbox, Sandbox::EXAMPLE_ID).await.0, 200);
}
