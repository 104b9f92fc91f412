//! HTTP/2 over TLS, against a server that sends GOAWAY and RST_STREAM and freezes its connections.

#![cfg(any(feature = "rustls", feature = "native-tls"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

#[path = "support/pem.rs"]
mod pem;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use call_api_transport::{
    Auth, DelayReason, Operation, Outcome, RawResponse, ResponseBody, Transport, TransportBuilder,
    TransportError,
};
use futures_util::future::join_all;
use h2::Reason;
use h2::server::SendResponse;
use http::{Method, Response};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto};
use tokio_rustls::server::TlsStream;

const PING: Operation = Operation {
    id: "ping",
    path: "/ping",
    auth: Auth::None,
    body: ResponseBody::Buffered,
};

/// The server's handling of a connection.
#[derive(Clone, Copy, Debug)]
enum Behavior {
    /// Answers every request.
    Answer,
    /// Answers as many requests, then closes the connection gracefully.
    GoAwayAfter(usize),
    /// The same, with so few streams at a time that most requests wait for theirs.
    GoAwayWhileFull(usize),
    /// Answers one request, and refuses the streams of others.
    RefuseStreams,
    /// Resets the streams between these numbers, and answers the others.
    ResetBetween(usize, usize),
    /// Answers one request, and then not even pings.
    Freeze,
}

struct Server {
    url: String,
    root: String,
    connections: Arc<AtomicUsize>,
    /// The requests that were processed.
    processed: Arc<AtomicUsize>,
}

impl Server {
    /// Treats its connections as `behaviors` says, the last one for all further connections.
    async fn start(behaviors: &[Behavior]) -> Self {
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.cert.der().clone()], key)
                .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!(
                "https://localhost:{}",
                listener.local_addr().unwrap().port()
            ),
            root: pem::pem(certificate.cert.der()),
            connections: Arc::default(),
            processed: Arc::default(),
        };
        let behaviors = behaviors.to_vec();
        let (connections, processed) = (
            Arc::clone(&server.connections),
            Arc::clone(&server.processed),
        );
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = connections.fetch_add(1, Ordering::Relaxed);
                let behavior = behaviors[number.min(behaviors.len() - 1)];
                let (acceptor, processed) = (acceptor.clone(), Arc::clone(&processed));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, behavior, &processed).await;
                    }
                });
            }
        });
        server
    }

    fn builder(&self) -> TransportBuilder {
        Transport::builder(&self.url)
            .root_certificates(self.root.as_str())
            .only_given_roots()
    }
}

fn answer(mut respond: SendResponse<Bytes>, processed: &AtomicUsize) {
    processed.fetch_add(1, Ordering::Relaxed);
    // The client may have disconnected.
    if let Ok(mut body) = respond.send_response(Response::new(()), false) {
        let _ = body.send_data(Bytes::from_static(b"pong"), true);
    }
}

async fn serve(
    stream: TlsStream<tokio::net::TcpStream>,
    behavior: Behavior,
    processed: &AtomicUsize,
) {
    // The client may abandon a connection that another one made unnecessary.
    let mut builder = h2::server::Builder::new();
    if let Behavior::GoAwayWhileFull(_) = behavior {
        builder.max_concurrent_streams(4);
    }
    let Ok(mut connection) = builder.handshake(stream).await else {
        return;
    };
    let mut accepted = 0;
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        accepted += 1;
        match behavior {
            Behavior::Answer => answer(respond, processed),
            Behavior::GoAwayAfter(requests) | Behavior::GoAwayWhileFull(requests) => {
                answer(respond, processed);
                if accepted == requests {
                    connection.graceful_shutdown();
                }
            }
            Behavior::RefuseStreams if accepted > 1 => {
                respond.send_reset(Reason::REFUSED_STREAM);
            }
            Behavior::ResetBetween(first, last) if (first..last).contains(&accepted) => {
                respond.send_reset(Reason::INTERNAL_ERROR);
            }
            Behavior::RefuseStreams | Behavior::ResetBetween(..) => answer(respond, processed),
            Behavior::Freeze if accepted > 1 => {
                // Keeps the connection open, and never polls it again.
                std::future::pending::<()>().await;
            }
            Behavior::Freeze => answer(respond, processed),
        }
    }
}

async fn send(transport: &Transport, method: Method) -> Result<RawResponse, TransportError> {
    let url = format!("{}/ping", transport.base_url());
    let request = transport
        .http_client()
        .request(method, url)
        .build()
        .unwrap();
    transport.send(&PING, request, None).await
}

/// Sends `count` requests, at most `at_once` concurrently, and returns the errors.
async fn send_many(
    transport: &Transport,
    method: Method,
    count: usize,
    at_once: usize,
) -> Vec<String> {
    let errors = Mutex::new(Vec::new());
    let left = AtomicUsize::new(count);
    let workers = (0..at_once).map(|_| async {
        while left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
        {
            if let Err(error) = send(transport, method.clone()).await {
                errors.lock().unwrap().push(error.to_string());
            }
        }
    });
    join_all(workers).await;
    errors.into_inner().unwrap()
}

#[tokio::test]
async fn request_after_graceful_goaway_is_resent_for_any_method() {
    for behavior in [Behavior::GoAwayAfter(50), Behavior::GoAwayWhileFull(50)] {
        let server = Server::start(&[behavior]).await;
        let transport = server.builder().retry_budget(0).build().unwrap();
        let errors = send_many(&transport, Method::POST, 1000, 40).await;
        assert_eq!(errors, [""; 0], "{behavior:?}");
        let processed = server.processed.load(Ordering::Relaxed);
        assert_eq!(processed, 1000, "none twice: {behavior:?}");
    }
}

#[tokio::test]
async fn refused_stream_is_resent_without_budget() {
    let server = Server::start(&[Behavior::RefuseStreams]).await;
    // One attempt that the server may have processed, and no budget.
    let builder = server.builder().retry_budget(0).max_attempts(1);
    let builder = builder.deadline(Duration::from_secs(2)).jitter(|| 0.2);
    let transport = builder.build().unwrap();
    send(&transport, Method::POST).await.unwrap();
    let error = send(&transport, Method::POST).await.unwrap_err();
    let attempts = error.attempt_log().attempts();
    assert!(attempts.len() > 3, "{error}");
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.outcome == Outcome::NotProcessed),
        "{error}"
    );
    let first = attempts[0].retry_delay.unwrap();
    assert_eq!(
        (first.reason, first.duration),
        (DelayReason::NotProcessed, Duration::ZERO)
    );
    assert!(error.is_retryable());
    assert_eq!(server.processed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn frozen_connection_is_not_used_by_the_retry() {
    let server = Server::start(&[Behavior::Freeze, Behavior::Answer]).await;
    let transport = server
        .builder()
        .attempt_timeout(Duration::from_millis(300))
        .http2_pings(Duration::from_secs(60), Duration::from_secs(60))
        .build()
        .unwrap();
    send(&transport, Method::GET).await.unwrap();
    let responses = join_all((0..20).map(|_| send(&transport, Method::GET))).await;
    for response in responses {
        let response = response.unwrap();
        let outcomes: Vec<_> = (response.attempt_log.attempts().iter())
            .map(|attempt| attempt.outcome)
            .collect();
        assert_eq!(outcomes, [Outcome::AttemptTimedOut, Outcome::Success]);
    }
    assert!(server.connections.load(Ordering::Relaxed) > 1);
}

#[tokio::test]
async fn unanswered_ping_closes_a_frozen_connection() {
    let server = Server::start(&[Behavior::Freeze, Behavior::Answer]).await;
    let transport = server
        .builder()
        .http2_pings(Duration::from_millis(100), Duration::from_millis(100))
        .build()
        .unwrap();
    send(&transport, Method::GET).await.unwrap();
    let response = send(&transport, Method::GET).await.unwrap();
    let attempts = response.attempt_log.attempts();
    assert_eq!(attempts[0].outcome, Outcome::Interrupted);
    assert!(attempts[0].elapsed < Duration::from_secs(5), "{attempts:?}");
    assert_eq!(server.connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn event_that_resets_many_streams_is_charged_once_if_the_service_worked() {
    // A retry costs 14.
    let budget = 20;
    let server = Server::start(&[Behavior::ResetBetween(21, 85)]).await;
    let transport = server.builder().retry_budget(budget).build().unwrap();
    assert_eq!(send_many(&transport, Method::GET, 20, 4).await, [""; 0]);
    assert_eq!(send_many(&transport, Method::GET, 64, 64).await, [""; 0]);

    let server = Server::start(&[Behavior::ResetBetween(1, 65)]).await;
    let transport = server.builder().retry_budget(budget).build().unwrap();
    let errors = send_many(&transport, Method::GET, 64, 64).await;
    assert_eq!(errors.len(), 63, "one retry is within the budget");
}
