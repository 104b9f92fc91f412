//! Building, sending and decoding a request.
//!
//! Generated code implements [`Operation`] for the builder of each operation; the rest is written here once.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use call_api_transport::{
    AttemptLog, BufferedBody, PendingResponse, RawBody, RequestOptions, ResponseBody,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::client::Client;
use crate::drift::Drift;
use crate::error::Error;
use crate::error_bodies::ErrorBodies;
use crate::error_kind::ErrorKind;
use crate::plain_text::{escaped, redacted};
use crate::stream::{ByteStream, Upgrade};

/// An operation of the API's document. Sealed: the builder of its requests implements it.
pub trait Operation: ErrorBodies + Configured + Sized {
    /// The type that a success is decoded into.
    type Output;

    /// The description of the operation for the transport.
    #[doc(hidden)]
    const SPEC: &'static call_api_transport::Operation;

    /// Builds the request.
    #[doc(hidden)]
    fn request(self) -> Built;

    #[doc(hidden)]
    fn prepare(mut self) -> Prepared {
        let (client, options) = self.take_options();
        Prepared {
            client,
            options,
            request: Operation::request(self),
        }
    }

    /// Decodes a success; every other response is [`Undecoded::Status`].
    #[doc(hidden)]
    fn decode(response: Received) -> Decoded<Self>;

    /// True if the document has the header `Idempotency-Key` for it: a request that has no key gets one of its own.
    #[doc(hidden)]
    const HAS_IDEMPOTENCY_KEY: bool = false;

    /// The id of what is requested, if the response is about nothing else.
    #[doc(hidden)]
    fn requested_id(&self) -> Option<Uuid> {
        None
    }

    /// The id of what the response is about.
    #[doc(hidden)]
    fn received_id(_output: &Self::Output) -> Option<Uuid> {
        None
    }

    /// Returns true if a success with this status is returned as a stream.
    #[doc(hidden)]
    fn is_streamed(_status: u16) -> bool {
        Self::SPEC.body == ResponseBody::Streamed
    }
}

/// A builder of a request, with its client and its options.
#[doc(hidden)]
pub trait Configured {
    fn take_options(&mut self) -> (Client, Option<RequestOptions>);
}

/// A request, or an error.
pub(crate) type Built = Result<reqwest::Request, InvalidRequest>;

/// A decoded success of an operation.
pub(crate) type Decoded<O> = Result<<O as Operation>::Output, Undecoded>;

/// The media type that most requests accept.
#[allow(dead_code, reason = "used by operations with a JSON response")]
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A request that is ready to be sent.
#[doc(hidden)]
#[derive(Debug)]
pub struct Prepared {
    pub(crate) client: Client,
    pub(crate) options: Option<RequestOptions>,
    pub(crate) request: Result<reqwest::Request, InvalidRequest>,
}

/// The future of a request that is awaited.
pub type RequestFuture<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// A decoded response.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response<T> {
    /// The decoded body.
    pub value: T,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as the service sent it, after decompression; empty for a stream.
    pub body: Bytes,
    /// Every attempt: its duration, and what went wrong before one succeeded.
    pub attempt_log: AttemptLog,
}

impl<T> Response<T> {
    /// The id by which the service knows the request, if it sent one.
    pub fn request_id(&self) -> Option<&str> {
        self.attempt_log.request_id()
    }

    /// Converts the value, and keeps the rest.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Response<U> {
        Response {
            value: convert(self.value),
            status: self.status,
            headers: self.headers,
            body: self.body,
            attempt_log: self.attempt_log,
        }
    }
}

/// Shows the names of the headers, without their values, which may be secret, and without the body.
impl<T: fmt::Debug> fmt::Debug for Response<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.keys().collect();
        f.debug_struct("Response")
            .field("value", &self.value)
            .field("status", &self.status)
            .field("headers", &headers)
            .field("attempt_log", &self.attempt_log)
            .finish_non_exhaustive()
    }
}

/// Sends the request of an operation, and decodes the response.
pub(crate) async fn send<O: Operation>(operation: O) -> Result<Response<O::Output>, Error> {
    let requested = operation.requested_id();
    let Prepared {
        client,
        options,
        request,
    } = operation.prepare();
    let request = match O::HAS_IDEMPOTENCY_KEY {
        true => request.and_then(with_idempotency_key),
        false => request,
    };
    let request = request.map_err(|InvalidRequest(cause)| Error::invalid_request(&cause))?;
    let exchange = exchange(
        &client,
        O::SPEC,
        request,
        options.as_ref(),
        O::is_streamed,
        |response, _| {
            let value = O::decode(response)?;
            match (requested, O::received_id(&value)) {
                (Some(requested), Some(received)) if requested != received => {
                    Err(Undecoded::Other {
                        requested,
                        received,
                    })
                }
                _ => Ok(value),
            }
        },
    );
    exchange.await.map(|(response, _)| response)
}

/// Sends the request of an operation, and returns the value of the response.
pub(crate) fn send_for_value<O: Operation + Send + 'static>(
    operation: O,
) -> RequestFuture<O::Output>
where
    O::Output: Send,
{
    Box::pin(async { send(operation).await.map(|response| response.value) })
}

/// Adds a key of the request's own, unless it has one. A key of the options or of the client replaces it.
pub(crate) fn with_idempotency_key(
    mut request: reqwest::Request,
) -> Result<reqwest::Request, InvalidRequest> {
    const NAME: HeaderName = HeaderName::from_static("idempotency-key");
    if !request.headers().contains_key(NAME) {
        let key = HeaderValue::try_from(Uuid::new_v4().to_string())?;
        request.headers_mut().insert(NAME, key);
    }
    Ok(request)
}

/// Sends a request, and decodes the response with `decode`. Also returns the drift of the response.
pub(crate) async fn exchange<T>(
    client: &Client,
    operation: &call_api_transport::Operation,
    request: reqwest::Request,
    options: Option<&RequestOptions>,
    is_streamed: fn(u16) -> bool,
    decode: impl FnOnce(Received, &HeaderMap) -> Result<T, Undecoded>,
) -> Result<(Response<T>, Vec<Drift>), Error> {
    let transport = client.transport();
    let receiving = transport.receive(operation, request, options, is_streamed);
    let decoded = match receiving.await {
        Ok(response) => decode_response(client, operation.id, response, decode),
        Err(error) => Err(error.into()),
    };
    decoded.map_err(|error| client.explain(error, operation.auth))
}

fn decode_response<T>(
    client: &Client,
    operation: &'static str,
    response: PendingResponse<'_>,
    decode: impl FnOnce(Received, &HeaderMap) -> Result<T, Undecoded>,
) -> Result<(Response<T>, Vec<Drift>), Error> {
    let PendingResponse {
        status,
        headers,
        body,
        extensions,
        end,
        ..
    } = response;
    let status = status.as_u16();
    // An error says more than the drift of the same response, which is counted nevertheless.
    let drift = match (client.drift_detector(), &body) {
        (Some(detector), RawBody::Buffered(body)) if !body.is_truncated => {
            detector.check(operation, status, &body.bytes)
        }
        _ => Ok(Vec::new()),
    };
    let bytes = match &body {
        RawBody::Buffered(body) => body.bytes.clone(),
        RawBody::Streamed(_) => Bytes::new(),
    };
    let received = Received {
        status,
        body,
        extensions,
    };
    let error = match (decode(received, &headers), drift) {
        (Ok(value), Ok(drifts)) => {
            let response = Response {
                value,
                status,
                headers,
                body: bytes,
                attempt_log: end.accept(),
            };
            return Ok((response, drifts));
        }
        (Ok(_), Err(drifts)) => Error::from_drift(&drifts),
        (Err(error), _) => error.into_error(status),
    };
    let attempt_log = match error.kind() {
        ErrorKind::Decode => end.reject("decode"),
        ErrorKind::Drift => end.reject("drift"),
        ErrorKind::Paging => end.reject("paging"),
        ErrorKind::UnexpectedId => end.reject("unexpected_id"),
        ErrorKind::UnexpectedStatus => end.reject("unexpected_status"),
        _ => end.accept(),
    };
    let error = error.with_content_type(&headers);
    Err(error.with_response(status, headers, attempt_log))
}

/// A response that generated code decodes.
#[doc(hidden)]
#[derive(Debug)]
pub struct Received {
    status: u16,
    body: RawBody,
    extensions: http::Extensions,
}

impl Received {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Decodes the body as JSON. An empty one is null, if the type has that value.
    ///
    /// # Errors
    /// [`Undecoded::Body`] if it does not match the document.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Undecoded> {
        Ok(json(&self.into_bytes())?)
    }

    /// Decodes the body as JSON: a number or a time, or a list or map of them, in any notation that the types read.
    ///
    /// # Errors
    /// [`Undecoded::Body`] if it does not match the document.
    pub fn json_in_any_notation<T>(self) -> Result<T, Undecoded>
    where
        T: for<'de> call_api_types::notation::Lenient<'de>,
    {
        let value = json::<call_api_types::notation::AnyNotation<T>>(&self.into_bytes())?;
        Ok(value.0)
    }

    /// Returns the body as a stream.
    ///
    /// # Errors
    /// Never; it returns a `Result` like the other decoders.
    pub fn stream(self) -> Result<ByteStream, Undecoded> {
        Ok(match self.body {
            RawBody::Streamed(stream) => ByteStream::new(stream),
            RawBody::Buffered(body) => ByteStream::of(body.bytes),
        })
    }

    /// Returns the connection.
    ///
    /// # Errors
    /// Never; it returns a `Result` like the other decoders.
    pub fn upgrade(self) -> Result<Upgrade, Undecoded> {
        Ok(Upgrade::new(self.status, self.extensions))
    }

    /// The status is not a documented success.
    ///
    /// # Errors
    /// Always [`Undecoded::Status`].
    pub fn unexpected<T>(self) -> Result<T, Undecoded> {
        Err(Undecoded::Status(self.into_bytes()))
    }

    /// Returns the bytes of a buffered body, and none for a stream.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.body {
            RawBody::Buffered(body) => body.bytes,
            RawBody::Streamed(_) => Bytes::new(),
        }
    }
}

/// Returns true if the document lists the status as a success of the operation.
pub(crate) fn is_success<O: Operation>(status: u16) -> bool {
    let received = Received {
        status,
        body: RawBody::Buffered(BufferedBody::default()),
        extensions: http::Extensions::new(),
    };
    // An empty body may fail to decode for a success status.
    !matches!(O::decode(received), Err(Undecoded::Status(_)))
}

/// Decodes JSON.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Mismatch> {
    serde_json::from_slice(bytes).or_else(|_| {
        // FastAPI documents any JSON for a handler that returns an empty response.
        let null = bytes.trim_ascii().is_empty().then_some(b"null");
        let value = null.and_then(|null| serde_json::from_slice(null).ok());
        value.ok_or_else(|| locate::<T>(bytes))
    })
}

/// Reads the body once more, now with its path: a reader that keeps track of it is slower on success.
#[cold]
fn locate<T: DeserializeOwned>(bytes: &[u8]) -> Mismatch {
    let deserializer = &mut serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(deserializer) {
        Err(error) => Mismatch {
            path: error.path().to_string(),
            cause: error.inner().to_string(),
        },
        Ok(_) => Mismatch {
            path: ".".to_owned(),
            cause: "there is more after the end of the value".to_owned(),
        },
    }
}

/// Decodes the body of an error response; `None` if it does not match the document.
#[doc(hidden)]
pub fn error_body<T: DeserializeOwned>(body: &Bytes) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// The reason why a response is not a success of its operation.
#[doc(hidden)]
#[derive(Debug)]
pub enum Undecoded {
    /// The status is not a documented success.
    Status(Bytes),
    /// The response is about another object.
    Other {
        /// The id in the request.
        requested: Uuid,
        /// The id in the response.
        received: Uuid,
    },
    /// The body does not match the document.
    Body(Mismatch),
    /// The pages of the list go no further, for this reason.
    Paging(String),
}

impl Undecoded {
    pub(crate) fn into_error(self, status: u16) -> Error {
        match self {
            Self::Status(body) => Error::from_status(status, body),
            Self::Other {
                requested,
                received,
            } => Error::unexpected_id(requested, received),
            Self::Body(mismatch) => mismatch.into_error(),
            Self::Paging(why) => Error::builder(ErrorKind::Paging).message(why).build(),
        }
    }
}

impl From<Mismatch> for Undecoded {
    fn from(mismatch: Mismatch) -> Self {
        Self::Body(mismatch)
    }
}

/// The place in a body that does not match the document, and the reason.
#[doc(hidden)]
#[derive(Debug)]
pub struct Mismatch {
    /// The path of the place; `.` is the whole body.
    pub(crate) path: String,
    /// The decoder's reason, which may quote the body.
    pub(crate) cause: String,
}

impl Mismatch {
    /// Returns the reason without values of the body, on one line.
    pub(crate) fn message(&self) -> String {
        escaped(&redacted(&self.cause))
    }

    pub(crate) fn into_error(self) -> Error {
        Error::decode(self.path, &self.cause)
    }
}

/// The reason why no request could be made of a builder's parameters.
#[doc(hidden)]
#[derive(Debug)]
pub struct InvalidRequest(pub(crate) String);

impl From<reqwest::Error> for InvalidRequest {
    fn from(error: reqwest::Error) -> Self {
        // Its own text has the URL with its query.
        Self(error.without_url().to_string())
    }
}

impl From<http::header::InvalidHeaderValue> for InvalidRequest {
    fn from(error: http::header::InvalidHeaderValue) -> Self {
        Self(error.to_string())
    }
}

impl From<progenitor_client::Error<()>> for InvalidRequest {
    fn from(error: progenitor_client::Error<()>) -> Self {
        Self(error.to_string())
    }
}

/// Adds to the builder of an operation what all builders have.
///
/// All functions without type parameters are `#[inline]`, here and in generated code: machine code is generated in a program
/// for the operations that it uses, and in this crate for none.
macro_rules! operation {
    ($builder:ident, $client:ident, $options:ident) => {
        impl $builder {
            /// Limits the whole request, in place of the client's limit.
            #[inline]
            pub fn deadline(self, deadline: ::std::time::Duration) -> Self {
                self.options(crate::RequestOptions::new().deadline(deadline))
            }

            /// Sets the maximum number of attempts, in place of the client's setting; 1 turns retries off.
            #[inline]
            pub fn max_attempts(self, attempts: u32) -> Self {
                self.options(crate::RequestOptions::new().max_attempts(attempts))
            }

            /// Sets all that `options` sets, and leaves the rest.
            #[inline]
            pub fn options(mut self, options: crate::RequestOptions) -> Self {
                self.$options = Some(match self.$options {
                    Some(before) => before.merge(options),
                    None => options,
                });
                self
            }

            /// Sends the request. The response has the decoded value with its status, headers and attempt log; to await
            /// the builder itself gives the value alone.
            ///
            /// # Errors
            /// [`Error`](crate::Error) if there is no response, or it is not a success that the document describes.
            #[inline]
            pub fn send(
                self,
            ) -> impl Future<
                Output = Result<crate::Response<<Self as crate::Operation>::Output>, crate::Error>,
            > {
                // Not in an `async` block: the compiler would check a future of its own for each operation.
                crate::request::send(self)
            }

            /// Sends the request and blocks the thread until there is a response, as [`send`](Self::send).
            ///
            /// # Errors
            /// As [`send`](Self::send), and if the system has no thread for the connections.
            #[cfg(feature = "blocking")]
            #[inline]
            pub fn send_blocking(
                self,
            ) -> Result<crate::Response<<Self as crate::Operation>::Output>, crate::Error> {
                let client = self.$client.clone();
                client.block_on(self.send())
            }

            /// Sends the request and blocks the thread until there is a value: the blocking form of `.await`.
            ///
            /// # Errors
            /// As [`send_blocking`](Self::send_blocking).
            #[cfg(feature = "blocking")]
            #[inline]
            pub fn wait(self) -> Result<<Self as crate::Operation>::Output, crate::Error> {
                self.send_blocking().map(|response| response.value)
            }
        }

        impl crate::sealed::Sealed for $builder {}

        impl crate::request::Configured for $builder {
            #[inline]
            fn take_options(
                &mut self,
            ) -> (crate::Client, ::std::option::Option<crate::RequestOptions>) {
                (self.$client.clone(), self.$options.take())
            }
        }

        impl ::std::future::IntoFuture for $builder {
            type Output = Result<<Self as crate::Operation>::Output, crate::Error>;
            type IntoFuture = crate::RequestFuture<<Self as crate::Operation>::Output>;

            #[inline]
            fn into_future(self) -> Self::IntoFuture {
                crate::request::send_for_value(self)
            }
        }
    };
}

/// Adds to the builder of a request that is not idempotent, and for which the document has no such header.
#[allow(unused_macros, reason = "used by operations with `POST` or `PATCH`")]
macro_rules! idempotency_key {
    ($builder:ident) => {
        impl $builder {
            /// Sends `Idempotency-Key`, so that the request is retried as if its method were idempotent. Use it only if the
            /// service honors the header, with a new key for each request.
            pub fn idempotency_key(self, key: impl AsRef<str>) -> Self {
                self.options(crate::RequestOptions::new().idempotency_key(key))
            }
        }
    };
}

#[allow(unused_imports, reason = "used by operations with `POST` or `PATCH`")]
pub(crate) use idempotency_key;
pub(crate) use operation;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::json;

    #[test]
    fn empty_body_is_null_if_the_type_has_it() {
        assert!(matches!(json::<Value>(b""), Ok(Value::Null)));
        assert!(matches!(json::<Option<u8>>(b" \n"), Ok(None)));
        assert!(json::<u8>(b"").is_err());
        assert!(json::<Value>(b"{").is_err());
    }
}
