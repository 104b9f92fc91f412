//! One attempt to deliver a webhook.

use std::io;
use std::iter;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Webhook;

/// The maximum size of a response body that is read, so that the receiver can send all of it.
const MAX_BODY: usize = 64 * 1024;

/// The parts of a receiver's response that count.
pub(super) struct ReceiverResponse {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
}

/// Sends a webhook once. Errors with the reason if there is no response within the time limit.
pub(super) async fn attempt(
    webhook: &Webhook,
    id: &str,
    body: &Bytes,
) -> Result<ReceiverResponse, String> {
    match tokio::time::timeout(webhook.timeout, send(webhook, id, body)).await {
        Ok(result) => result.map_err(|error| with_causes(&error)),
        Err(_) => {
            let seconds = webhook.timeout.as_secs_f64();
            Err(format!("no response within {seconds} s"))
        }
    }
}

/// Returns the messages of an error and of its causes.
fn with_causes(error: &io::Error) -> String {
    let causes = iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

async fn send(webhook: &Webhook, id: &str, body: &Bytes) -> io::Result<ReceiverResponse> {
    let request = request(webhook, id, body).map_err(io::Error::other)?;
    let host = webhook.url.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = webhook.url.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let connection = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connection.map_err(io::Error::other)?;
    let exchange = async move {
        let response = sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        // Only the status counts, also of a body that ends too early.
        let _ = axum::body::to_bytes(Body::new(body), MAX_BODY).await;
        Ok(ReceiverResponse {
            status: head.status,
            retry_after: retry_after(&head.headers),
        })
    };
    let result: Result<ReceiverResponse, hyper::Error> = tokio::select! {
        biased;
        result = exchange => result,
        Err(error) = connection => Err(error),
    };
    result.map_err(io::Error::other)
}

fn request(webhook: &Webhook, id: &str, body: &Bytes) -> http::Result<Request<Body>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let timestamp = now.unwrap_or_default().as_secs();
    let path = webhook.url.path_and_query();
    let authority = webhook.url.authority();
    let mut request = Request::post(path.map_or("/", |path| path.as_str()))
        .header(HOST, authority.map_or("", |authority| authority.as_str()))
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, "application/json")
        .header(
            USER_AGENT,
            concat!("call-api-sandbox/", env!("CARGO_PKG_VERSION")),
        )
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp);
    if let Some(signature) = webhook.signature(id, timestamp, body) {
        request = request.header("webhook-signature", signature);
    }
    request.body(Body::from(body.clone()))
}

/// Returns the delay of a `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_in_seconds_or_a_date() {
        let parse = |text: &str| {
            let value = HeaderValue::from_str(text).unwrap();
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]))
        };
        assert_eq!(parse(" 7 "), Some(Duration::from_secs(7)));
        for text in ["", "-1", "1.5", "soon"] {
            assert_eq!(parse(text), None, "{text}");
        }
        let soon = SystemTime::now() + Duration::from_secs(20);
        let delay = parse(&httpdate::fmt_http_date(soon)).unwrap();
        assert!((18..=20).contains(&delay.as_secs()), "{delay:?}");
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
    }
}
