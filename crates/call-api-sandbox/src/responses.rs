//! The error responses of a FastAPI service: status, headers and JSON, byte for byte.

use std::io;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;

/// An error body with a single detail.
#[derive(Serialize)]
struct Detail<T> {
    detail: T,
}

/// An entry of a 422's error list, with its properties in pydantic's order.
#[derive(Serialize)]
pub(crate) struct Invalid {
    r#type: &'static str,
    loc: Vec<Step>,
    msg: String,
    input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Value>,
}

/// A step on the way to an invalid value.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
}

impl Invalid {
    pub(crate) fn new(
        kind: &'static str,
        loc: Vec<Step>,
        msg: String,
        input: Value,
        ctx: Option<Value>,
    ) -> Self {
        Self {
            r#type: kind,
            loc,
            msg,
            input,
            ctx,
        }
    }

    /// A value that is required and missing; `input` is what lacks it.
    pub(crate) fn missing(loc: Vec<Step>, input: Value) -> Self {
        Self::new("missing", loc, "Field required".to_owned(), input, None)
    }
}

/// A response whose body is JSON already.
pub(crate) fn json(status: StatusCode, body: Bytes) -> Response {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

pub(crate) fn detail(status: StatusCode, detail: impl Serialize) -> Response {
    match serde_json::to_vec(&Detail { detail }) {
        Ok(body) => json(status, body.into()),
        // Serializing strings cannot fail.
        Err(_) => status.into_response(),
    }
}

/// 500: the store failed. As in the real service, only the log has the reason.
pub(crate) fn internal_error(error: &io::Error) -> Response {
    #[cfg(feature = "tracing")]
    tracing::error!(%error, "the store failed");
    let _ = error;
    (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response()
}

/// 404 for a path without an operation.
pub(crate) fn not_found() -> Response {
    detail(StatusCode::NOT_FOUND, "Not Found")
}

/// 404 for a call that does not exist. FastAPI leaves the text to the service.
pub(crate) fn call_not_found() -> Response {
    detail(StatusCode::NOT_FOUND, "Call not found")
}

/// 405 for a path whose operations have other methods, such as the one in `allow`.
pub(crate) fn method_not_allowed(allow: HeaderValue) -> Response {
    let response = detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    ([(ALLOW, allow)], response).into_response()
}

/// 401 without a Bearer token.
pub(crate) fn not_authenticated() -> Response {
    unauthorized("Not authenticated")
}

/// 401 with an unknown Bearer token.
///
/// FastAPI leaves the text to the service and the API reference does not mention it; this is a common one.
pub(crate) fn invalid_token() -> Response {
    unauthorized("Invalid authentication credentials")
}

fn unauthorized(message: &str) -> Response {
    const BEARER: HeaderValue = HeaderValue::from_static("Bearer");
    let response = detail(StatusCode::UNAUTHORIZED, message);
    ([(WWW_AUTHENTICATE, BEARER)], response).into_response()
}

/// 422 for a request that the document does not allow.
pub(crate) fn unprocessable(invalid: &[Invalid]) -> Response {
    detail(StatusCode::UNPROCESSABLE_ENTITY, invalid)
}

/// 307 to the path of the operation.
pub(crate) fn redirect(location: HeaderValue) -> Response {
    // hyper adds the length to a response to HEAD only if it is known.
    const NONE: HeaderValue = HeaderValue::from_static("0");
    let headers = [(LOCATION, location), (CONTENT_LENGTH, NONE)];
    (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
}
