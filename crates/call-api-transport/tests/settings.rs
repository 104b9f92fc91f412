//! Invalid settings, and settings that need a child process to test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

#[path = "support/client.rs"]
mod client;
#[cfg(all(feature = "rustls", target_os = "linux"))]
#[path = "support/pem.rs"]
mod pem;
mod support;

use std::future::Future as _;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use call_api_transport::{
    BuildError, RequestOptions, StopReason, Token, TokenError, Transport, TransportBuilder,
    TransportErrorKind,
};
use http::{HeaderValue, header};
use support::{GET_CALL, Server, TestClock, answer, builder, get};

#[test]
fn token_with_its_scheme_is_rejected() {
    for text in ["Bearer s3cret", "bearer s3cret"] {
        let error = Token::new(text).unwrap_err();
        assert!(matches!(error, TokenError::Scheme), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    Token::new("bearers3cret").unwrap();
}

#[tokio::test]
async fn invalid_settings_are_rejected() {
    let clock = TestClock::default();
    let build = |change: fn(TransportBuilder) -> TransportBuilder| {
        change(builder("http://127.0.0.1:1", &clock)).build()
    };
    let bearer = HeaderValue::from_static("Bearer s3cret");
    for result in [
        build(|builder| builder.deadline(Duration::ZERO)),
        build(|builder| builder.attempt_timeout(Duration::ZERO)),
        build(|builder| {
            let bearer = HeaderValue::from_static("Bearer s3cret");
            builder.header(header::AUTHORIZATION, bearer)
        }),
        build(|builder| {
            let builder = builder.http_client(client::following());
            builder.client_certificate("chain", "key")
        }),
        #[cfg(feature = "rustls")]
        build(|builder| {
            let config = || client::tls_config(rustls::RootCertStore::empty());
            let builder = builder.configure_http(move |http| http.tls_config(config()));
            builder.only_given_roots()
        }),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, BuildError::Setting { .. }), "{error}");
    }
    let transport = build(|builder| builder).unwrap();
    for options in [
        RequestOptions::new().deadline(Duration::ZERO),
        RequestOptions::new().header(header::AUTHORIZATION, bearer),
    ] {
        let request = get(&transport, "7");
        let error = transport.send(&GET_CALL, request, Some(&options)).await;
        let error = error.unwrap_err();
        let is_refused = matches!(error.kind(), TransportErrorKind::InvalidOptions { .. });
        assert!(is_refused && !error.is_retryable(), "{error}");
        assert_eq!(error.attempt_log().attempts().len(), 0);
    }
}

#[tokio::test]
async fn last_idempotency_key_wins_and_an_unusable_one_is_refused() {
    let transport = Transport::builder("http://127.0.0.1:9")
        .max_attempts(1)
        .build()
        .unwrap();
    let refused = async |transport: &Transport, options: RequestOptions| {
        let request = transport
            .http_client()
            .post("http://127.0.0.1:9/v1/call/7")
            .build();
        let sent = transport
            .send(&GET_CALL, request.unwrap(), Some(&options))
            .await;
        matches!(
            sent.unwrap_err().kind(),
            TransportErrorKind::InvalidOptions { .. }
        )
    };
    let key = |key: &str| RequestOptions::new().idempotency_key(key);
    for unusable in ["", "a\nb"] {
        assert!(refused(&transport, key(unusable)).await);
        assert!(refused(&transport, key("a").merge(key(unusable))).await);
        assert!(!refused(&transport, key(unusable).merge(key("a"))).await);
        assert!(!refused(&transport, key(unusable).idempotency_key("a")).await);
        let of_client = transport.with_options(key(unusable));
        assert!(refused(&of_client, RequestOptions::new().max_attempts(1)).await);
        assert!(!refused(&of_client, key("a")).await);
    }
}

#[test]
fn request_outside_of_a_runtime_is_an_error() {
    let transport = Transport::builder("http://127.0.0.1:1").build().unwrap();
    let request = get(&transport, "7");
    let mut sending = std::pin::pin!(transport.send(&GET_CALL, request, None));
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Err(error)) = sending.as_mut().poll(&mut context) else {
        panic!("the request is still pending")
    };
    assert_eq!(*error.kind(), TransportErrorKind::NoRuntime);
}

#[tokio::test]
async fn longest_backoff_ends_at_the_deadline() {
    let clock = TestClock::default();
    let server = Server::start(&clock, vec![answer(500, "", "")]).await;
    let transport = builder(&server.url(), &clock)
        .backoff(Duration::MAX, Duration::MAX)
        .build()
        .unwrap();
    let response = transport.send(&GET_CALL, get(&transport, "7"), None).await;
    let attempt_log = response.unwrap().attempt_log;
    assert_eq!(*attempt_log.stop_reason(), StopReason::DeadlineTooNear);
}

/// The variable that marks the child process.
#[cfg(all(feature = "rustls", target_os = "linux"))]
const CHILD: &str = "CALL_API_TRANSPORT_TEST_WITHOUT_ROOTS";

#[cfg(all(feature = "rustls", target_os = "linux"))]
#[test]
fn given_roots_are_trusted_without_system_roots() {
    if std::env::var_os(CHILD).is_none() {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "given_roots_are_trusted_without_system_roots"])
            .env(CHILD, "1")
            .env("SSL_CERT_FILE", "/nowhere/at/all")
            .env("SSL_CERT_DIR", "/nowhere/at/all")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let without = Transport::builder("https://localhost:1").build();
    assert!(
        matches!(without, Err(BuildError::HttpClient(_))),
        "{without:?}"
    );
    let root = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = pem::pem(root.cert.der());
    let with = || Transport::builder("https://localhost:1").root_certificates(pem.as_str());
    with().build().unwrap();
    with().only_given_roots().build().unwrap();
    for text in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let broken = Transport::builder("https://localhost:1").root_certificates(text);
        let error = broken.build().unwrap_err();
        assert!(matches!(error, BuildError::Certificate { .. }), "{error}");
    }
}
