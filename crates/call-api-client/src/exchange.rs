//! What the `send` of every operation does: it hands the request to the hooks, and decodes what comes back.
//!
//! It stands here once and not in each of them, as the compiler takes far longer for an `async fn` that waits in several
//! places than for a call.

// Only generated code whose operations differ so uses these.
#![allow(dead_code, reason = "what is used depends on the document")]

use std::ops::RangeInclusive;

use progenitor_client::{ClientHooks as _, Error, OperationInfo, ResponseValue};
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;

use crate::generated::Client;

/// The statuses that an answer has.
type Statuses = &'static [RangeInclusive<u16>];

/// Sends the request through the hooks.
pub(crate) async fn response<E>(
    client: &Client,
    request: Result<RequestBuilder, Error<E>>,
    operation_id: &'static str,
) -> Result<Response, Error<E>> {
    let mut request = request?.build()?;
    let info = OperationInfo { operation_id };
    client.pre(&mut request, &info).await?;
    let result = client.exec(request, &info).await;
    client.post(&result, &info).await?;
    Ok(result?)
}

/// Sends the request; a success and an error are JSON.
pub(crate) async fn json<T: DeserializeOwned, E: DeserializeOwned>(
    client: &Client,
    request: Result<RequestBuilder, Error<E>>,
    operation_id: &'static str,
    success: RangeInclusive<u16>,
    errors: Statuses,
) -> Result<ResponseValue<T>, Error<E>> {
    let response = response(client, request, operation_id).await?;
    if success.contains(&response.status().as_u16()) {
        ResponseValue::from_response(response).await
    } else {
        Err(error(response, errors).await)
    }
}

/// Sends the request; a success has no body, and an error is JSON.
pub(crate) async fn empty<E: DeserializeOwned>(
    client: &Client,
    request: Result<RequestBuilder, Error<E>>,
    operation_id: &'static str,
    success: RangeInclusive<u16>,
    errors: Statuses,
) -> Result<ResponseValue<()>, Error<E>> {
    let response = response(client, request, operation_id).await?;
    if success.contains(&response.status().as_u16()) {
        Ok(ResponseValue::empty(response))
    } else {
        Err(error(response, errors).await)
    }
}

async fn error<E: DeserializeOwned>(response: Response, errors: Statuses) -> Error<E> {
    let status = response.status().as_u16();
    if !errors.iter().any(|range| range.contains(&status)) {
        return Error::UnexpectedResponse(response);
    }
    match ResponseValue::from_response(response).await {
        Ok(value) => Error::ErrorResponse(value),
        Err(error) => error,
    }
}
