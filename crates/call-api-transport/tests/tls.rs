//! Trust in certificates and negotiation of the HTTP version, against a server with a self-signed certificate.

#![cfg(any(feature = "rustls", feature = "native-tls"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]

#[cfg(feature = "rustls")]
#[allow(dead_code, reason = "the client itself is not used here")]
#[path = "support/client.rs"]
mod client;
#[path = "support/pem.rs"]
mod pem;
mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(feature = "rustls")]
use call_api_transport::HttpSettings;
use call_api_transport::{
    Auth, DownloadError, Operation, Outcome, RawResponse, ResponseBody, StopReason, Token,
    Transport, TransportError, TransportErrorKind,
};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, Version, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{RECORDING, Server, TestClock, answer, buffered};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
// The server uses rustls with each TLS backend of the client.
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

const PING: Operation = Operation {
    id: "ping",
    path: "/ping",
    auth: Auth::Bearer,
    body: ResponseBody::Buffered,
};

struct TlsServer {
    url: String,
    certificate: CertificateDer<'static>,
    requests: Arc<AtomicUsize>,
}

/// Starts a server whose response is the HTTP version of the request, as a redirect to the URL in the query if there is one.
async fn start(protocols: &[&str]) -> TlsServer {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = signed.cert.der().clone();
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let mut config =
        ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, counted) = (acceptor.clone(), Arc::clone(&counted));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let answer = hyper::service::service_fn(|request: Request<Incoming>| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    let body = Full::new(Bytes::from(format!("{:?}", request.version())));
                    let mut response = Response::new(body);
                    if let Some(target) = request.uri().query() {
                        *response.status_mut() = StatusCode::FOUND;
                        let target = target.parse().unwrap();
                        response.headers_mut().insert(header::LOCATION, target);
                    }
                    async move { Ok::<_, Infallible>(response) }
                });
                let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    });
    TlsServer {
        url,
        certificate,
        requests,
    }
}

fn transport(url: &str, trusted: Option<&CertificateDer<'static>>) -> Transport {
    let builder = Transport::builder(url)
        .token(Token::new("canary").unwrap())
        .jitter(|| 0.0);
    let Some(certificate) = trusted else {
        return builder.build().unwrap();
    };
    builder
        .root_certificates(pem::pem(certificate))
        .only_given_roots()
        .build()
        .unwrap()
}

#[cfg(feature = "rustls")]
fn trusting(http: HttpSettings, root: CertificateDer<'static>) -> HttpSettings {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).unwrap();
    let mut config = client::tls_config(roots);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    http.tls_config(config)
}

async fn ping(transport: &Transport) -> Result<RawResponse, TransportError> {
    let request = transport
        .http_client()
        .get(format!("{}/ping", transport.base_url()))
        .build()
        .unwrap();
    transport.send(&PING, request, None).await
}

#[tokio::test]
async fn http2_is_used_if_offered() {
    for (offered, wanted) in [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        (&["http/1.1"], Version::HTTP_11),
        (&[], Version::HTTP_11),
    ] {
        let server = start(offered).await;
        let transport = transport(&server.url, Some(&server.certificate));
        let response = ping(&transport).await.unwrap();
        assert_eq!(buffered(response).bytes, format!("{wanted:?}"));
    }
}

#[tokio::test]
async fn untrusted_certificate_is_not_retried() {
    let server = start(&["h2"]).await;
    let error = ping(&transport(&server.url, None)).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Tls);
    assert!(error.is_connect() && !error.is_retryable());
    assert_eq!(error.attempt_log().attempts().len(), 1);
    assert_eq!(
        error.attempt_log().attempts()[0].outcome,
        Outcome::TlsRejected
    );
    assert_eq!(*error.attempt_log().stop_reason(), StopReason::NotRetryable);
    assert!(
        error
            .to_string()
            .contains("check the service's certificate"),
        "{error}"
    );
    assert_eq!(server.requests.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn connection_lost_in_the_handshake_is_retried() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Unread bytes at the close reset the connection.
            let _ = stream.read(&mut [0; 5]).await;
        }
    });
    let error = ping(&transport(&url, None)).await.unwrap_err();
    assert_eq!(
        *error.kind(),
        TransportErrorKind::Connect { timed_out: false }
    );
    assert_eq!(error.attempt_log().attempts().len(), 3, "{error:?}");
}

#[tokio::test]
async fn plain_http_server_is_a_tls_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Unread bytes at the close would reset the connection.
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
    });
    let error = ping(&transport(&url, None)).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Tls, "{error:?}");
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn tls_config_of_the_api_does_not_apply_to_other_hosts() {
    let storage = start(&["h2", "http/1.1"]).await;
    let trusted = storage.certificate.clone();
    let trusting_api = || {
        let trusted = storage.certificate.clone();
        Transport::builder("https://localhost:1")
            .configure_http(move |http| trusting(http, trusted.clone()))
    };
    for (builder, is_trusted) in [
        (trusting_api(), false),
        (
            trusting_api().configure_download_http(move |http| trusting(http, trusted.clone())),
            true,
        ),
    ] {
        let transport = builder.jitter(|| 0.0).build().unwrap();
        let mut bytes = Vec::new();
        let download = transport.download(&RECORDING, &format!("{}/1", storage.url));
        let result = download.unwrap().to_writer(&mut bytes).await;
        if is_trusted {
            assert_eq!(result.unwrap().attempt_log.attempts().len(), 1);
            assert_eq!(bytes, b"HTTP/2.0");
        } else {
            let Err(DownloadError::Failed(error)) = result else {
                panic!("{result:?}")
            };
            assert_eq!(*error.kind(), TransportErrorKind::Tls, "{error:?}");
        }
        assert_eq!(
            storage.requests.load(Ordering::Relaxed),
            usize::from(is_trusted)
        );
    }
}

#[tokio::test]
async fn redirect_to_plain_http_is_followed_only_if_allowed() {
    let tls = start(&["http/1.1"]).await;
    let plain = Server::start(&TestClock::default(), vec![answer(200, "", "plain")]).await;
    let transport = Transport::builder("https://localhost:1")
        .root_certificates(pem::pem(&tls.certificate))
        .only_given_roots()
        .build()
        .unwrap();
    let download = |to: String| {
        let download = transport.download(&RECORDING, &format!("{}/1?{to}", tls.url));
        download.unwrap()
    };
    let mut bytes = Vec::new();
    let within = download(format!("{}/2", tls.url));
    within.to_writer(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"HTTP/1.1");

    let result = download(plain.url()).to_writer(&mut Vec::new()).await;
    let Err(DownloadError::Failed(error)) = result else {
        panic!("{result:?}")
    };
    let TransportErrorKind::Redirected { to, .. } = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(to.as_ref().unwrap().host(), plain.address.to_string());
    assert_eq!(plain.connections(), 0);

    let mut bytes = Vec::new();
    let allowed = download(plain.url()).allow_insecure_http(true);
    allowed.to_writer(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"plain");
}
