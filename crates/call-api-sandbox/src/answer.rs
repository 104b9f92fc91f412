//! What a FastAPI service says when it has no call to give: status, headers and JSON, byte for byte.

use std::io;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// The body of an error that has one thing to say.
#[derive(Serialize)]
struct Detail<T> {
    detail: T,
}

/// One entry of the list in a 422, with its properties in pydantic's order.
#[derive(Serialize)]
struct Invalid<'a> {
    r#type: &'static str,
    loc: [&'static str; 2],
    msg: String,
    input: &'a str,
    ctx: Context<'a>,
}

#[derive(Serialize)]
struct Context<'a> {
    error: &'a str,
}

/// A body that is JSON already.
pub(crate) fn json(status: StatusCode, body: Bytes) -> Response {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, JSON);
    answer
}

pub(crate) fn detail(status: StatusCode, detail: impl Serialize) -> Response {
    match serde_json::to_vec(&Detail { detail }) {
        Ok(body) => json(status, body.into()),
        // Strings always encode; should they not, the status is still the answer.
        Err(_) => status.into_response(),
    }
}

/// The store failed. The service says no more of that either; the log does.
pub(crate) fn failed(error: &io::Error) -> Response {
    #[cfg(feature = "tracing")]
    tracing::error!(%error, "cannot answer");
    let _ = error;
    (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response()
}

/// The path belongs to no operation.
pub(crate) fn not_found() -> Response {
    detail(StatusCode::NOT_FOUND, "Not Found")
}

/// The path is a call's, and there is no such call. The words are the service's choice here too.
pub(crate) fn call_not_found() -> Response {
    detail(StatusCode::NOT_FOUND, "Call not found")
}

/// The path belongs to operations of other methods, which `allow` lists.
pub(crate) fn method_not_allowed(allow: &'static str) -> Response {
    let answer = detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    ([(ALLOW, HeaderValue::from_static(allow))], answer).into_response()
}

/// There is no Bearer token in the request.
pub(crate) fn not_authenticated() -> Response {
    unauthorized("Not authenticated")
}

/// There is a Bearer token in the request, and it is another.
///
/// FastAPI leaves the words to the service, and the reference doesn't tell its: these are common ones.
pub(crate) fn wrong_token() -> Response {
    unauthorized("Invalid authentication credentials")
}

fn unauthorized(why: &str) -> Response {
    const BEARER: HeaderValue = HeaderValue::from_static("Bearer");
    let answer = detail(StatusCode::UNAUTHORIZED, why);
    ([(WWW_AUTHENTICATE, BEARER)], answer).into_response()
}

/// A path parameter that is no uuid, for the reason that `error` gives.
pub(crate) fn no_uuid(parameter: &'static str, input: &str, error: &str) -> Response {
    let invalid = Invalid {
        r#type: "uuid_parsing",
        loc: ["path", parameter],
        msg: format!("Input should be a valid UUID, {error}"),
        input,
        ctx: Context { error },
    };
    detail(StatusCode::UNPROCESSABLE_ENTITY, [invalid])
}

/// The operation is at `location`.
pub(crate) fn redirect(location: HeaderValue) -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response()
}
