//! How a response is decoded whose type depends on its status.

// Only generated code whose operations differ so uses these.
#![allow(dead_code, reason = "what is used depends on the document")]

use progenitor_client::{ByteStream, Error, ResponseValue};
use serde::de::DeserializeOwned;

/// Decodes the body as JSON, and wraps it.
pub(crate) async fn json<T: DeserializeOwned, U, E>(
    response: reqwest::Response,
    wrap: impl FnOnce(T) -> U,
) -> Result<ResponseValue<U>, Error<E>> {
    let value = ResponseValue::<T>::from_response(response).await?;
    let (status, headers) = (value.status(), value.headers().clone());
    Ok(ResponseValue::new(
        wrap(value.into_inner()),
        status,
        headers,
    ))
}

/// A response without a body; if it has one all the same, nobody reads it.
pub(crate) fn empty<U>(response: reqwest::Response, value: U) -> ResponseValue<U> {
    let (status, headers) = (response.status(), response.headers().clone());
    ResponseValue::new(value, status, headers)
}

/// Hands on the body as it comes.
pub(crate) fn bytes<U>(
    response: reqwest::Response,
    wrap: impl FnOnce(ByteStream) -> U,
) -> ResponseValue<U> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = ResponseValue::stream(response).into_inner();
    ResponseValue::new(wrap(body), status, headers)
}
