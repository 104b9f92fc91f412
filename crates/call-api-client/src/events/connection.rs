//! The body of a stream, which is requested when it is first read. A request or a reconnection is one of the transport: its
//! attempts, delays and deadline are the same as those of any other request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use call_api_transport::{AttemptLog, Operation, RequestOptions};
use futures_core::Stream as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::client::Client;
use crate::error::Error;
use crate::request::{InvalidRequest, Mismatch, Prepared, Received, Response, Undecoded, exchange};
use crate::stream::ByteStream;

/// The default of [`ClientBuilder::idle_timeout`](crate::ClientBuilder::idle_timeout) for streams. Services that keep a
/// connection open send something every 15 to 30 s.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// Requests the body of a stream, and returns it.
pub(super) struct Connection {
    client: Client,
    operation: Operation,
    accept: String,
    /// The request, until it is sent for the last time.
    request: Option<Result<reqwest::Request, InvalidRequest>>,
    is_get: bool,
    state: State,
    head: Option<Head>,
}

/// The response that a stream is the body of.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) attempt_log: AttemptLog,
}

impl Head {
    /// Adds the response to an error about it.
    pub(super) fn add_to(&self, error: Error) -> Error {
        error.with_response(self.status, self.headers.clone(), self.attempt_log.clone())
    }
}

enum State {
    /// The request has not been sent.
    New,
    Requesting(Pin<Box<dyn Future<Output = Opened> + Send>>),
    Open(Box<ByteStream>),
    Closed,
}

/// The response, without a body if there is nothing to read.
type Opened = Result<Response<Option<ByteStream>>, Error>;

/// A part of a body, or its end.
pub(super) enum Step {
    Bytes(Bytes),
    /// The body has ended, or cannot be read to its end for this reason.
    Ended(Option<Error>),
    /// There is no body for this reason.
    Failed(Error),
    /// The service has nothing to send (204), or there is no connection.
    Closed,
}

impl Connection {
    pub(super) fn new(prepared: Prepared, operation: Operation, accept: &str) -> Self {
        let Prepared {
            client,
            options,
            request,
        } = prepared;
        let transport = client.transport();
        let idle_timeout = transport.idle_timeout().unwrap_or(IDLE_TIMEOUT);
        let defaults = RequestOptions::new().idle_timeout(idle_timeout);
        let options = match options {
            Some(options) => defaults.merge(options),
            None => defaults,
        };
        let client = client.with_transport(transport.with_options(options));
        let is_get = matches!(&request, Ok(request) if *request.method() == Method::GET);
        Self {
            client,
            operation,
            accept: accept.to_owned(),
            request: Some(request),
            is_get,
            state: State::New,
            head: None,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the response, once there is one.
    pub(super) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Returns true if nothing has been requested yet.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.state, State::New)
    }

    /// Returns true if the request can be sent again.
    pub(super) fn can_reconnect(&self) -> bool {
        self.is_get
    }

    /// Ends the stream.
    pub(super) fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Requests the body, from the event after `last_event_id` unless that is empty. `options` apply to this request.
    pub(super) fn open(
        &mut self,
        last_event_id: &str,
        delay: Duration,
        options: Option<RequestOptions>,
    ) -> Result<(), Error> {
        let request = match &self.request {
            Some(Ok(request)) if self.is_get => request.try_clone().map(Ok),
            _ => self.request.take(),
        };
        let mut request = request
            .unwrap_or_else(|| Err(InvalidRequest("its body can be sent only once".to_owned())))
            .map_err(|InvalidRequest(cause)| Error::invalid_request(&cause))?;
        let accept = HeaderValue::from_str(&self.accept)
            .map_err(|_| Error::invalid_request("its media type is not valid"))?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, accept);
        if !last_event_id.is_empty() {
            let id = HeaderValue::from_bytes(last_event_id.as_bytes())
                .map_err(|_| Error::invalid_request("no header can have the id of the event"))?;
            headers.insert(LAST_EVENT_ID, id);
        }
        let (client, operation) = (self.client.clone(), self.operation);
        let is_event_stream = self.accept == EVENT_STREAM;
        self.state = State::Requesting(Box::pin(async move {
            if !delay.is_zero() {
                client.transport().sleep(delay).await;
            }
            let decode =
                |received: Received, headers: &HeaderMap| body(received, headers, is_event_stream);
            let options = options.as_ref();
            let exchange = exchange(&client, &operation, request, options, |_| true, decode);
            exchange.await.map(|(response, _)| response)
        }));
        Ok(())
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        loop {
            match &mut self.state {
                State::New | State::Closed => return Poll::Ready(Step::Closed),
                State::Requesting(opened) => match ready!(opened.as_mut().poll(context)) {
                    Ok(Response {
                        value,
                        status,
                        headers,
                        attempt_log,
                        ..
                    }) => {
                        self.head = Some(Head {
                            status,
                            headers,
                            attempt_log,
                        });
                        self.state = match value {
                            Some(body) => State::Open(Box::new(body)),
                            None => State::Closed,
                        };
                    }
                    Err(error) => {
                        self.close();
                        return Poll::Ready(Step::Failed(error));
                    }
                },
                State::Open(body) => {
                    let step = match ready!(Pin::new(body.as_mut()).poll_next(context)) {
                        Some(Ok(bytes)) => return Poll::Ready(Step::Bytes(bytes)),
                        Some(Err(error)) => match &self.head {
                            Some(head) => Step::Ended(Some(head.add_to(error))),
                            None => Step::Ended(Some(error)),
                        },
                        None => Step::Ended(None),
                    };
                    self.close();
                    return Poll::Ready(step);
                }
            }
        }
    }
}

/// Returns the body of a success.
fn body(
    received: Received,
    headers: &HeaderMap,
    is_event_stream: bool,
) -> Result<Option<ByteStream>, Undecoded> {
    match received.status() {
        204 | 205 => return Ok(None),
        200..300 => {}
        _ => return received.unexpected(),
    }
    // The page of a proxy would seem to be a stream without events.
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .filter(|_| is_event_stream);
    let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let essence = content_type
        .as_deref()
        .map(|text| text.split(';').next().unwrap_or_default().trim());
    match essence {
        Some(other) if !other.eq_ignore_ascii_case(EVENT_STREAM) => Err(Mismatch {
            path: ".".to_owned(),
            cause: format!("the content type is {other}, where {EVENT_STREAM} is expected"),
        }
        .into()),
        _ => received.stream().map(Some),
    }
}
