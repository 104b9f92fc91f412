//! The untyped entry point, until the generated client has moved to [`Transport::send`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use reqwest::ResponseBuilderExt as _;

use crate::attempt_log::AttemptLog;
use crate::{Operation, RawBody, Transport, TransportError};

/// A request that has ended: its attempt log, and the response if there was one.
#[derive(Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// The attempts.
    pub attempt_log: AttemptLog,
    /// The status of the response; `None` if there was none.
    pub status: Option<StatusCode>,
    /// The headers of the response.
    pub headers: HeaderMap,
    /// The body, decompressed. Empty if it is [streamed](crate::ResponseBody::Streamed).
    pub body: Bytes,
    /// True if the body of an error response was cut, at 64 KiB or where the connection broke.
    pub body_is_cut: bool,
}

impl Exchange {
    /// Returns the id by which the service knows the request.
    pub fn request_id(&self) -> Option<&str> {
        self.attempt_log.request_id()
    }

    /// Returns the delay that the service asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        self.attempt_log.retry_after()
    }

    /// Returns the URL of the request without its query.
    pub fn url(&self) -> &str {
        self.attempt_log.url()
    }
}

impl fmt::Debug for Exchange {
    /// Omits the body and the values of the headers: either may hold what must not be logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().map(|name| name.as_str()).collect();
        f.debug_struct("Exchange")
            .field("attempt_log", &self.attempt_log)
            .field("status", &self.status)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .field("body_is_cut", &self.body_is_cut)
            .finish()
    }
}

/// Where a transport made by [`Transport::recorded`] writes the exchange of its last request.
#[derive(Clone, Debug, Default)]
pub struct Recording(Arc<Mutex<Option<Exchange>>>);

impl Recording {
    /// Takes the exchange; `None` if no request has ended since the last time.
    pub fn take(&self) -> Option<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, exchange: Exchange) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(exchange);
    }
}

impl Transport {
    /// Sends a request and returns the response.
    ///
    /// # Errors
    /// [`TransportError`] if there is no response.
    pub async fn execute(
        &self,
        operation: &Operation,
        request: reqwest::Request,
    ) -> Result<reqwest::Response, TransportError> {
        let response = self.send(operation, request, None).await;
        let mut exchange = Exchange {
            attempt_log: match &response {
                Ok(response) => response.attempt_log.clone(),
                Err(error) => error.attempt_log().clone(),
            },
            status: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            body_is_cut: false,
        };
        let result = response.map(|response| {
            exchange.status = Some(response.status);
            exchange.headers = response.headers.clone();
            let body = match response.body {
                RawBody::Buffered(body) => {
                    exchange.body = body.bytes.clone();
                    exchange.body_is_cut = body.is_truncated;
                    reqwest::Body::from(body.bytes)
                }
                RawBody::Streamed(stream) => reqwest::Body::wrap(stream.0),
            };
            let url = response.attempt_log.url.clone();
            let mut builder = http::Response::builder().status(response.status).url(url);
            if let Some(headers) = builder.headers_mut() {
                *headers = response.headers;
            }
            builder.body(body).unwrap_or_default().into()
        });
        if let Some(recording) = &self.recording {
            recording.put(exchange);
        }
        result
    }

    /// Returns a clone that writes each of its requests, when it ends, into the recording.
    pub fn recorded(&self) -> (Self, Recording) {
        let recording = Recording::default();
        let recorded = Self {
            recording: Some(recording.clone()),
            ..self.clone()
        };
        (recorded, recording)
    }
}

impl TransportError {
    /// Returns this error as a response with the status 599.
    pub fn into_response(self) -> reqwest::Response {
        let mut response = http::Response::new(reqwest::Body::default());
        *response.status_mut() =
            StatusCode::from_u16(599).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(self);
        response.into()
    }

    /// Returns the error inside a response that [`TransportError::into_response`] made.
    pub fn from_response(response: &reqwest::Response) -> Option<&Self> {
        response.extensions().get::<Self>()
    }
}
