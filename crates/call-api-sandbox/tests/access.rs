//! Access from elsewhere: the control token, and web pages of other origins.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use call_api_sandbox::{Sandbox, SandboxBuilder};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, StatusCode};
use support::http;

const CONTROL: &str = "a-control-token";

fn builder() -> SandboxBuilder {
    Sandbox::builder().token("a-token-of-mine")
}

/// Sends a request with these headers. Returns the status and the headers.
async fn send(
    sandbox: &Sandbox,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap) {
    let url = format!("{}{path}", sandbox.base_url());
    let request = headers
        .iter()
        .fold(http().request(method, url), |request, (name, value)| {
            request.header(*name, *value)
        });
    let response = request.send().await.unwrap();
    (response.status(), response.headers().clone())
}

#[tokio::test]
async fn control_token_replaces_the_restriction_to_this_machine() {
    let sandbox = builder()
        .control_token(CONTROL)
        .listen(([0, 0, 0, 0], 0))
        .start()
        .await
        .unwrap();
    let status = async |headers: &[(&str, &str)]| {
        send(&sandbox, Method::GET, "/_sandbox/clock", headers)
            .await
            .0
    };
    let bearer = format!("Bearer {CONTROL}");
    let elsewhere = ("host", "sandbox.example");
    assert_eq!(
        status(&[("authorization", &bearer), elsewhere]).await,
        StatusCode::OK
    );
    assert_eq!(status(&[elsewhere]).await, StatusCode::UNAUTHORIZED);
    // Nor is a request from this machine accepted without it, or with the token for calls.
    assert_eq!(status(&[]).await, StatusCode::UNAUTHORIZED);
    let other = ("authorization", "Bearer a-token-of-mine");
    assert_eq!(status(&[other]).await, StatusCode::UNAUTHORIZED);
    // The control token is none for calls.
    let call = format!("/v1/call/{}", Sandbox::EXAMPLE_ID);
    let (status, _) = send(&sandbox, Method::GET, &call, &[("authorization", &bearer)]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    for token in ["", "a b", "é"] {
        assert!(
            builder().control_token(token).start().await.is_err(),
            "{token:?}"
        );
    }
    // Mounted in another server, too.
    assert!(builder().control(true).into_router().is_err());
    assert!(builder().control_token(CONTROL).into_router().is_ok());
}

#[tokio::test]
async fn cors_is_for_the_given_origins_only() {
    let page = "http://localhost:5173";
    let sandbox = builder()
        .cors_origin(page)
        .cors_origin("https://app.example");
    let sandbox = sandbox.start().await.unwrap();
    let call = format!("/v1/call/{}", Sandbox::EXAMPLE_ID);
    let allowed = HeaderName::from_static("access-control-allow-origin");
    let get = async |sandbox: &Sandbox, origin: &str| {
        let headers = [
            ("origin", origin),
            ("authorization", "Bearer a-token-of-mine"),
        ];
        let (status, headers) = send(sandbox, Method::GET, &call, &headers).await;
        assert_eq!(status, StatusCode::OK);
        headers
            .get(&allowed)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(get(&sandbox, page).await.as_deref(), Some(page));
    assert_eq!(get(&sandbox, "http://localhost:5174").await, None);
    let any = builder().cors_origin("*").start().await.unwrap();
    assert_eq!(
        get(&any, "https://any.example").await.as_deref(),
        Some("https://any.example")
    );
    let none = builder().start().await.unwrap();
    assert_eq!(get(&none, page).await, None);

    // A browser asks before a request with a token, which it does not send then.
    let question = [
        ("origin", page),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization"),
    ];
    let (status, headers) = send(&sandbox, Method::OPTIONS, &call, &question).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(headers["access-control-allow-origin"], page);
    assert_eq!(headers["access-control-allow-methods"], "GET");
    assert_eq!(headers["access-control-allow-headers"], "authorization");
    assert_eq!(headers["vary"], "origin");
    let (status, headers) = send(&none, Method::OPTIONS, &call, &question).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(!headers.contains_key(&allowed));

    for origin in ["null", "localhost:5173", "https://app.example/"] {
        assert!(
            builder().cors_origin(origin).start().await.is_err(),
            "{origin}"
        );
    }
}
