//! What the sandbox takes from its clients.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::time::Duration;

use call_api_sandbox::{Sandbox, SandboxBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(30);

async fn connect(sandbox: &Sandbox) -> TcpStream {
    TcpStream::connect(sandbox.address()).await.unwrap()
}

async fn patient(builder: SandboxBuilder) -> Sandbox {
    builder.client_timeout(PATIENCE).start().await.unwrap()
}

/// What is answered before the connection ends.
async fn answer(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // One that is reset had no more to say either.
    let _ = connection.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn request(more: &str) -> String {
    let id = Sandbox::EXAMPLE_ID;
    let token = Sandbox::DEFAULT_TOKEN;
    format!("GET /v1/call/{id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n")
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_with_431() {
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
        // Of a head that is refused the rest isn't read.
        let _ = connection.write_all(request(&more).as_bytes()).await;
        let answer = answer(&mut connection).await;
        assert!(answer.starts_with(status), "{} bytes: {answer}", more.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_its_time_is_cut_off() {
    let sandbox = patient(Sandbox::builder()).await;
    for begun in ["", "GET /v1/call/", &request(""), &request("")[..70]] {
        let mut connection = connect(&sandbox).await;
        connection.write_all(begun.as_bytes()).await.unwrap();
        let since = Instant::now();
        let answer = timeout(PATIENCE * 3, answer(&mut connection))
            .await
            .unwrap();
        let waited = since.elapsed();
        assert!(
            (PATIENCE..PATIENCE * 2).contains(&waited),
            "{begun:?}: {waited:?}"
        );
        assert_eq!(
            answer.starts_with("HTTP/1.1 200"),
            begun.ends_with("\r\n\r\n")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_cut_off() {
    let sandbox = patient(Sandbox::builder().max_connections(1)).await;
    let mut deaf = connect(&sandbox).await;
    let recording = format!("/recordings/{}/100000.wav", Sandbox::EXAMPLE_ID);
    let asked = format!("GET {recording} HTTP/1.1\r\nHost: x\r\n\r\n");
    deaf.write_all(asked.as_bytes()).await.unwrap();
    // There is a place for the next one once it is gone.
    let asked = support::get(&sandbox, Sandbox::EXAMPLE_ID);
    assert_eq!(timeout(PATIENCE * 3, asked).await.unwrap().0, 200);
    drop(deaf);
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_their_number_wait_for_a_place() {
    let sandbox = Sandbox::builder().max_connections(2).start().await.unwrap();
    let close = request("Connection: close\r\n");
    let (one, two) = (connect(&sandbox).await, connect(&sandbox).await);
    let mut three = connect(&sandbox).await;
    three.write_all(close.as_bytes()).await.unwrap();
    let early = timeout(Duration::from_secs(60), three.read(&mut [0])).await;
    assert!(early.is_err(), "it has no place yet");
    drop(one);
    assert!(answer(&mut three).await.starts_with("HTTP/1.1 200"));
    drop(two);
}

#[tokio::test]
async fn over_ipv6_it_is_the_same() {
    let Ok(sandbox) = Sandbox::builder()
        .listen((std::net::Ipv6Addr::LOCALHOST, 0))
        .start()
        .await
    else {
        eprintln!("there is no IPv6 on this machine, so this was not tested");
        return;
    };
    assert!(
        sandbox.base_url().starts_with("http://[::1]:"),
        "{}",
        sandbox.base_url()
    );
    assert_eq!(support::get(&sandbox, Sandbox::EXAMPLE_ID).await.0, 200);
}
