//! Reading of request bodies.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;

/// The maximum size of a request body, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The time limit for reading a request body.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a request body. Errors with the reason.
pub(crate) async fn read(body: Body) -> Result<Bytes, String> {
    match tokio::time::timeout(TIMEOUT, axum::body::to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(format!("the body is incomplete or over {MAX_BODY} bytes")),
        Err(_) => Err(format!(
            "the body took longer than {} s to arrive",
            TIMEOUT.as_secs()
        )),
    }
}
