//! Items of a stream: each is decoded by itself, and compared with the document.

use serde::de::DeserializeOwned;

use super::connection::Head;
use crate::client::Client;
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::item_error::ItemError;
use crate::request::json;

/// Decodes an item. An error of it has an [`ItemError`]; the stream continues after it.
pub(super) fn decode<T: DeserializeOwned>(
    client: &Client,
    head: &Head,
    index: usize,
    bytes: &[u8],
) -> Result<T, Error> {
    let operation = head.attempt_log.operation();
    let detector = client.drift_detector();
    let drift = match detector {
        Some(detector) => detector.check_item(operation, bytes),
        None => Ok(Vec::new()),
    };
    let (json_path, message, error) = match (json(bytes), &drift) {
        (Ok(item), Ok(_)) => return Ok(item),
        (Ok(_), Err(drifts)) => {
            let error = Error::from_drift(drifts);
            let path = error.json_path().unwrap_or(".").to_owned();
            let message = drifts.first().map(ToString::to_string).unwrap_or_default();
            (path, message, error)
        }
        (Err(mismatch), Ok(drifts) | Err(drifts)) => {
            if let Some(detector) = detector {
                detector.report_undecodable(operation, &mismatch.path, drifts);
            }
            let message = mismatch.message();
            (mismatch.path.clone(), message, mismatch.into_error())
        }
    };
    let item = ItemError::new(index, json_path, message, bytes);
    Err(head.add_to(error).with_item(item))
}

/// Returns the error of an item that is longer than the limit, of which nothing is kept.
pub(super) fn too_long(client: &Client, head: &Head, index: usize) -> Error {
    let limit = client.transport().body_limit();
    let message = format!("it is longer than the limit of {limit} bytes");
    let item = ItemError::new(index, ".".to_owned(), message, b"");
    let error = Error::builder(ErrorKind::BodyTooLarge)
        .message(item.to_string())
        .advice("set a larger body limit if that size is right")
        .build();
    head.add_to(error).with_item(item)
}
