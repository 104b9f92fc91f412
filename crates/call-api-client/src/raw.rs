//! Requests of operations that are chosen at run time, such as by the user of a program.
//!
//! They have no types: parameters are JSON values, and bodies are bytes. Everything else, such as the deadline, retries and
//! the token, is that of the generated requests.

use bytes::Bytes;
use call_api_transport::RequestOptions;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use crate::client::Client;
use crate::encode;
use crate::error::Error;
use crate::events::{EventData, Events, JsonLines};
use crate::paging::{Pages, Paging};
use crate::request::{
    InvalidRequest, Prepared, Received, Response, Undecoded, exchange, with_idempotency_key,
};
use crate::transport::Operation;

pub use crate::encode::Style;

/// A request of an operation that is chosen at run time.
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct RawRequest {
    client: Client,
    /// Its path has no query.
    operation: Operation,
    options: Option<RequestOptions>,
    method: Method,
    /// The path and the query. Parameters of the template are in braces until they are set.
    target: String,
    headers: HeaderMap,
    body: Option<Bytes>,
    makes_idempotency_key: bool,
    /// The reason why a parameter cannot be sent.
    invalid: Option<String>,
}

impl RawRequest {
    /// Returns a request of `operation`, whose path may end in a query: `/v1/pets?kind={kind}`.
    ///
    /// ```
    /// async fn delete(client: &call_api_client::Client) -> Result<(), call_api_client::Error> {
    ///     use call_api_client::raw::RawRequest;
    ///     use call_api_client::transport::{Auth, Operation, ResponseBody};
    ///
    ///     static DELETE_PET: Operation = Operation {
    ///         id: "delete_pet",
    ///         path: "/v1/pets/{id}",
    ///         auth: Auth::Bearer,
    ///         body: ResponseBody::Buffered,
    ///     };
    ///     let request = RawRequest::new(client, http::Method::DELETE, &DELETE_PET).path("id", &7.into(), None);
    ///     assert_eq!(request.send().await?.status, 204);
    ///     Ok(())
    /// }
    /// ```
    pub fn new(client: &Client, method: Method, operation: &Operation) -> Self {
        let path = operation.path.split('?').next().unwrap_or_default();
        Self {
            client: client.clone(),
            operation: Operation { path, ..*operation },
            options: None,
            method,
            target: operation.path.to_owned(),
            headers: HeaderMap::new(),
            body: None,
            makes_idempotency_key: false,
            invalid: None,
        }
    }

    /// Sets a parameter of the operation's path. Without a style, a single value is expected.
    pub fn path(mut self, name: &str, value: &Value, style: Option<Style>) -> Self {
        let segment = encode::segment(name, value, style.unwrap_or(Style::Simple));
        if let Some(segment) = self.check(segment) {
            self.target = self.target.replace(&format!("{{{name}}}"), &segment);
        }
        self
    }

    /// Adds a parameter to the query; nothing for null. Without a style, a list is a pair for each value.
    pub fn query(mut self, name: &str, value: &Value, style: Option<Style>) -> Self {
        let target = std::mem::take(&mut self.target);
        let extended = match style {
            Some(style) => encode::query(target, name, value, style),
            None => encode::pairs(name, value).map(|pairs| {
                pairs.iter().fold(target, |target, pair| {
                    let sign = if target.contains('?') { '&' } else { '?' };
                    format!("{target}{sign}{pair}")
                })
            }),
        };
        self.target = self.check(extended).unwrap_or_default();
        self
    }

    /// Adds a header; none for null.
    pub fn header(mut self, name: &str, value: &Value, style: Option<Style>) -> Self {
        let header = encode::header(name, value, style.unwrap_or(Style::Simple));
        let Some(Some(text)) = self.check(header) else {
            return self;
        };
        let name =
            HeaderName::try_from(name).map_err(|_| format!("`{name}` is not a valid header name"));
        let value = HeaderValue::try_from(text)
            .map_err(|_| "a header contains a character that it cannot carry".to_owned());
        if let (Some(name), Some(value)) = (self.check(name), self.check(value)) {
            self.headers.append(name, value);
        }
        self
    }

    /// Sets the body and its media type.
    pub fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", &media_type.into(), None)
    }

    /// Sends a new `Idempotency-Key` unless another one is set, so that the request is retried as if its method were
    /// idempotent. Use it only if the service honors the header.
    pub fn make_idempotency_key(mut self) -> Self {
        self.makes_idempotency_key = true;
        self
    }

    /// Sets all that `options` sets, and leaves the rest.
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.options = Some(match self.options.take() {
            Some(before) => before.merge(options),
            None => options,
        });
        self
    }

    /// Sends the request. The value of the response is its body.
    ///
    /// # Errors
    /// [`Error`] if a parameter cannot be sent, there is no response, or its status is not a success (2xx).
    pub async fn send(self) -> Result<Response<Bytes>, Error> {
        let operation = self.operation;
        let Prepared {
            client,
            options,
            request,
        } = self.prepare();
        let request = request.map_err(|InvalidRequest(cause)| Error::invalid_request(&cause))?;
        let options = options.as_ref();
        let exchange = exchange(&client, &operation, request, options, |_| false, decode);
        exchange.await.map(|(response, _)| response)
    }

    /// Returns the pages of a list. `T` is the type of the items, such as [`Value`].
    pub fn pages<T>(self, paging: &'static Paging) -> Pages<T> {
        let operation = self.operation;
        // The statuses of the document are not known here.
        let is_success = |status| matches!(status, 200 | 204);
        Pages::prepared(self.prepare(), operation, paging, is_success)
    }

    /// Returns the server-sent events of the response. `T` is the type of the items, such as [`Value`].
    pub fn events<T>(self, data: EventData) -> Events<T> {
        let operation = self.operation;
        Events::prepared(self.prepare(), operation, data)
    }

    /// Returns the items of a response that has one JSON value on each line. `T` is the type of the items, such as
    /// [`Value`].
    pub fn lines<T>(self, media_type: &str) -> JsonLines<T> {
        let operation = self.operation;
        JsonLines::prepared(self.prepare(), operation, media_type)
    }

    fn prepare(self) -> Prepared {
        Prepared {
            client: self.client.clone(),
            options: self.options.clone(),
            request: self.build(),
        }
    }

    fn build(self) -> Result<reqwest::Request, InvalidRequest> {
        if let Some(cause) = self.invalid {
            return Err(InvalidRequest(cause));
        }
        // The values of parameters are encoded, so a brace is one of the template.
        if let Some((_, unset)) = self.target.split_once('{') {
            let name = unset.split('}').next().unwrap_or_default();
            let cause = format!("the path parameter `{name}` is not set");
            return Err(InvalidRequest(cause));
        }
        let url = format!("{}{}", self.client.base_url(), self.target);
        let http = self.client.http();
        let mut request = http.request(self.method, url).headers(self.headers);
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let request = request.build()?;
        match self.makes_idempotency_key {
            true => with_idempotency_key(request),
            false => Ok(request),
        }
    }

    /// Sends the request and blocks the thread until there is a response, as [`send`](Self::send).
    ///
    /// # Errors
    /// As [`send`](Self::send), and if the system has no thread for the connections.
    #[cfg(feature = "blocking")]
    pub fn send_blocking(self) -> Result<Response<Bytes>, Error> {
        let client = self.client.clone();
        client.block_on(self.send())
    }

    /// Keeps the first reason why the request cannot be sent.
    fn check<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result
            .map_err(|cause| {
                self.invalid.get_or_insert(cause);
            })
            .ok()
    }
}

fn decode(received: Received, _: &HeaderMap) -> Result<Bytes, Undecoded> {
    match received.status() {
        200..300 => Ok(received.into_bytes()),
        _ => received.unexpected(),
    }
}
