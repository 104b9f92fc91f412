//! The sandbox as a library.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use call_api_sandbox::Sandbox;
use call_api_types::{Call, CallStatus};
use reqwest::StatusCode;
use serde_json::Value;
use support::{get, http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, timeout};
use uuid::Uuid;

/// Returns the example call with the id `number` and another status.
fn numbered(number: u128, status: CallStatus) -> Call {
    let mut call = support::numbered(number);
    call.status = status;
    call
}

#[tokio::test]
async fn example_call_is_served_without_space_in_the_order_of_the_document() {
    let sandbox = Sandbox::start().await.unwrap();
    let (status, text) = get(&sandbox, Sandbox::EXAMPLE_ID).await;
    assert_eq!(status, 200);
    let expected = serde_json::to_string(&Sandbox::example_call()).unwrap();
    assert_eq!(text, expected);
    assert_eq!(
        serde_json::from_str::<Call>(&text).unwrap(),
        Sandbox::example_call()
    );
    assert_eq!(Sandbox::example_call().id, Sandbox::EXAMPLE_ID);
}

#[tokio::test]
async fn calls_added_before_and_after_start_are_served() {
    let builder = Sandbox::builder()
        .call(numbered(1, CallStatus::Failed))
        .calls((2..5).map(|number| numbered(number, CallStatus::NoAnswer)));
    let sandbox = builder.start().await.unwrap();
    assert_eq!(get(&sandbox, Uuid::from_u128(5)).await.0, 404);
    sandbox.put(numbered(5, CallStatus::Completed));
    sandbox.put(numbered(1, CallStatus::Unknown("on_hold".to_owned())));

    let mut statuses = Vec::new();
    for number in 1..6 {
        let (_, text) = get(&sandbox, Uuid::from_u128(number)).await;
        let call: Call = serde_json::from_str(&text).unwrap();
        assert_eq!(call.id, Uuid::from_u128(number));
        statuses.push(call.status.to_string());
    }
    assert_eq!(
        statuses,
        [
            "on_hold",
            "no_answer",
            "no_answer",
            "no_answer",
            "completed"
        ]
    );
    assert_eq!(get(&sandbox, Sandbox::EXAMPLE_ID).await.0, 200);
}

#[tokio::test]
async fn raw_json_is_served_unchanged() {
    let sandbox = Sandbox::start().await.unwrap();
    let name = Call::name_in_json("id");
    let json = format!(
        r#"{{"z": 1.50, "y": null, "{name}": "00000000-0000-0000-0000-000000000007", "a b": [ "ñ \" " ]}}"#
    );
    let id = sandbox.put_json(&json).unwrap();
    assert_eq!(id, Uuid::from_u128(7));
    let served = format!(
        r#"{{"z":1.50,"y":null,"{name}":"00000000-0000-0000-0000-000000000007","a b":["ñ \" "]}}"#
    );
    assert_eq!(get(&sandbox, id).await, (StatusCode::OK, served));
    assert!(sandbox.put_json("{}").is_err());
}

#[tokio::test]
async fn none_is_absent_or_null_as_the_document_requires() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut call = numbered(1, CallStatus::Dialing);
    (
        call.agent_id,
        call.phone_id,
        call.recording_url,
        call.duration,
    ) = (None, None, None, None);
    sandbox.put(call.clone());
    let (_, text) = get(&sandbox, call.id).await;
    let value: Value = serde_json::from_str(&text).unwrap();
    let property = |field: &str| value.get(Call::name_in_json(field));
    for field in ["agent_id", "phone_id"] {
        assert_eq!(property(field), Some(&Value::Null), "{field}");
    }
    for field in ["recording_url", "duration"] {
        assert_eq!(property(field), None, "{field}");
    }
    assert_eq!(serde_json::from_str::<Call>(&text).unwrap(), call);
}

#[tokio::test]
async fn logged_request_is_unchanged_except_for_the_token() {
    let sandbox = Sandbox::builder()
        .token("canary-51c0")
        .start()
        .await
        .unwrap();
    let url = format!("{}/v1/c%61ll/x?a=%62&c", sandbox.base_url());
    let request = http()
        .post(url)
        .bearer_auth("canary-51c0")
        .header("x-mine", "kept");
    assert_eq!(request.send().await.unwrap().status(), 405);
    get(&sandbox, Sandbox::EXAMPLE_ID).await;

    let requests = sandbox.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].method, "POST");
    assert_eq!(requests[0].path, "/v1/c%61ll/x");
    assert_eq!(requests[0].query.as_deref(), Some("a=%62&c"));
    assert_eq!(requests[0].headers["x-mine"], "kept");
    assert_eq!(requests[0].headers["authorization"], "Bearer [redacted]");
    assert_eq!(
        requests[1].path,
        format!("/v1/call/{}", Sandbox::EXAMPLE_ID)
    );
    assert_eq!(requests[1].query, None);
    let debug = format!(
        "{requests:?} {sandbox:?} {:?}",
        Sandbox::builder().token("canary-51c0")
    );
    assert!(!debug.contains("canary-51c0"), "{debug}");
}

#[tokio::test]
async fn shutdown_frees_the_port_and_closes_connections() {
    let sandbox = Sandbox::start().await.unwrap();
    let (address, url) = (sandbox.address(), sandbox.base_url().to_owned());
    // One idle connection and one kept alive. Once the second is answered, both have been accepted.
    let mut silent = TcpStream::connect(address).await.unwrap();
    let client = http();
    assert_eq!(client.get(&url).send().await.unwrap().status(), 404);

    sandbox.shutdown().await;
    assert!(client.get(&url).send().await.unwrap_err().is_connect());
    assert_eq!(
        silent.read(&mut [0]).await.unwrap(),
        0,
        "the silent connection was ended"
    );
    TcpListener::bind(address).await.unwrap();
}

// Paused time only advances when all tasks are idle, then jumps to the next timer.
#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_a_client_that_does_not_read() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut idle = TcpStream::connect(sandbox.address()).await.unwrap();
    let request = format!(
        "GET /v1/call/{} HTTP/1.1\r\nHost: x\r\n\r\n",
        Sandbox::EXAMPLE_ID
    );
    let requests = request.repeat(1000);
    // Until the responses fill the socket buffers and the sandbox blocks on writing.
    while timeout(Duration::from_secs(60), idle.write_all(requests.as_bytes()))
        .await
        .is_ok()
    {}
    let waited = timeout(Duration::from_secs(60), sandbox.shutdown()).await;
    assert!(waited.is_ok(), "the shutdown hangs");
}

#[tokio::test]
async fn drop_stops_the_server() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut open = TcpStream::connect(sandbox.address()).await.unwrap();
    open.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(open.read(&mut [0; 1024]).await.unwrap() > 0);
    drop(sandbox);
    assert_eq!(
        open.read(&mut [0]).await.unwrap(),
        0,
        "the connection was ended"
    );
}

#[tokio::test]
async fn sandboxes_are_independent() {
    let (one, two) = (
        Sandbox::start().await.unwrap(),
        Sandbox::start().await.unwrap(),
    );
    assert_ne!(one.base_url(), two.base_url());
    one.put(numbered(1, CallStatus::Dialing));
    assert_eq!(get(&one, Uuid::from_u128(1)).await.0, 200);
    assert_eq!(get(&two, Uuid::from_u128(1)).await.0, 404);
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
}

#[tokio::test]
async fn taken_address_is_an_error_that_names_it() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = Sandbox::builder()
        .listen(address)
        .start()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot listen on {address}: ")),
        "{error}"
    );

    drop(taken);
    let sandbox = Sandbox::builder().listen(address).start().await.unwrap();
    assert_eq!(sandbox.base_url(), format!("http://{address}"));
    assert_eq!(sandbox.address(), address);
}

#[tokio::test]
async fn listening_on_all_addresses_requires_a_token() {
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    for listen in [everywhere, (Ipv6Addr::UNSPECIFIED, 0).into()] {
        let error = Sandbox::builder().listen(listen).start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let builder = Sandbox::builder()
        .listen(everywhere)
        .token("a-token-of-mine");
    let sandbox = builder.start().await.unwrap();
    assert!(
        sandbox.base_url().starts_with("http://127.0.0.1:"),
        "{}",
        sandbox.base_url()
    );
    assert_eq!(get(&sandbox, Sandbox::EXAMPLE_ID).await.0, 200);
}

#[tokio::test]
async fn token_that_a_header_cannot_carry_is_rejected() {
    for token in ["", "a b", "a\r\nx: y", "ñ"] {
        let error = Sandbox::builder().token(token).start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{token:?}");
        assert!(!error.to_string().contains("x: y"), "{error}");
        assert!(
            Sandbox::builder().token(token).into_router().is_err(),
            "{token:?}"
        );
    }
}

#[tokio::test]
async fn mounted_sandbox_answers_under_its_prefix() {
    let mounted = Sandbox::builder().into_router().unwrap();
    let app = axum::Router::new().nest("/api", mounted);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });

    let call = format!("{origin}/api/v1/call/{}", Sandbox::EXAMPLE_ID);
    let request = |url: String| http().get(url).bearer_auth(Sandbox::DEFAULT_TOKEN).send();
    assert_eq!(request(call.clone()).await.unwrap().status(), 200);
    assert_eq!(
        request(format!("{origin}/api/x"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        r#"{"detail":"Not Found"}"#
    );
    // Without the prefix the redirect would lead to a 404.
    let redirected = request(format!("{call}/")).await.unwrap();
    assert_eq!(
        (redirected.status(), redirected.url().as_str()),
        (StatusCode::OK, call.as_str())
    );
}

#[tokio::test]
async fn tenant_sees_only_its_own_calls() {
    let builder = Sandbox::builder()
        .tenant("acme", "of-acme")
        .tenant("acme", "also-of-acme");
    let sandbox = builder
        .tenant("default", "of-default")
        .start()
        .await
        .unwrap();
    let acme = sandbox.tenant("acme").unwrap();
    acme.put(numbered(1, CallStatus::Failed));
    sandbox.put(numbered(2, CallStatus::Completed));
    acme.put(numbered(3, CallStatus::Failed));
    sandbox.put(numbered(3, CallStatus::Completed));

    let mut responses = Vec::new();
    for token in ["of-default", "of-acme", "also-of-acme"] {
        for number in 1..4 {
            let url = format!("{}/v1/call/{}", sandbox.base_url(), Uuid::from_u128(number));
            let response = http().get(url).bearer_auth(token).send().await.unwrap();
            let status = response.status().as_u16();
            let body: Value = response.json().await.unwrap();
            let of_call = body[Call::name_in_json("status")].as_str();
            responses.push((status, of_call.map(str::to_owned)));
        }
    }
    let found = |status: &str| (200, Some(status.to_owned()));
    let none = (404, None);
    let of_acme = [found("failed"), none.clone(), found("failed")];
    assert_eq!(
        responses[..3],
        [none, found("completed"), found("completed")]
    );
    assert_eq!(
        (&responses[3..6], &responses[6..]),
        (&of_acme[..], &of_acme[..])
    );

    assert!(acme.remove(Uuid::from_u128(1)) && !acme.remove(Uuid::from_u128(1)));
    assert!(
        !sandbox.remove(Uuid::from_u128(1)),
        "the default tenant has no such call"
    );
    assert!(sandbox.tenant("nobody").is_none());
    assert_eq!(sandbox.token(), "of-default");
}

#[tokio::test]
async fn token_shared_by_two_tenants_is_rejected() {
    let builder = Sandbox::builder()
        .tenant("one", "same")
        .tenant("two", "same");
    let error = builder.start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(!error.to_string().contains("same\""), "{error}");
}

#[tokio::test]
async fn default_token_is_rejected_beyond_loopback() {
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let builder = || Sandbox::builder().listen(everywhere);
    for builder in [
        builder().token(Sandbox::DEFAULT_TOKEN),
        builder()
            .token("mine")
            .tenant("acme", Sandbox::DEFAULT_TOKEN),
    ] {
        let error = builder.start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    // With another token configured, the default one is not accepted.
    let sandbox = builder().tenant("acme", "of-acme").start().await.unwrap();
    assert_eq!(sandbox.token(), "of-acme");
    let url = format!("{}/v1/call/{}", sandbox.base_url(), Sandbox::EXAMPLE_ID);
    let request = http().get(url).bearer_auth(Sandbox::DEFAULT_TOKEN);
    assert_eq!(request.send().await.unwrap().status(), 401);
}
