//! Items of a stream: each is decoded by itself, and compared with the document.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::connection::Head;
use crate::client::Client;
use crate::drift::{Drift, DriftKind, is_same_branch, without_indices};
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::item_error::ItemError;
use crate::plain_text::{escaped, redacted};
use crate::request::{Undecoded, json};

/// Decodes an item. An error of it has an [`ItemError`]; the stream goes on after it.
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
        (Err(undecoded), Ok(drifts) | Err(drifts)) => {
            let (path, cause) = match undecoded {
                Undecoded::Body { path, cause } => (path, cause),
                _ => (".".to_owned(), String::new()),
            };
            let place = without_indices(&path);
            let is_counted = drifts
                .iter()
                .any(|drift| is_same_branch(&drift.place, &place));
            if let Some(detector) = detector.filter(|_| !is_counted) {
                let drift = Drift::new(operation, place, DriftKind::Undecodable);
                // The item is an error in either mode.
                let _ = detector.report(vec![drift]);
            }
            let message = escaped(&redacted(&cause));
            (path.clone(), message, Error::decode(path, &cause))
        }
    };
    // A part of the body would keep all of it in memory.
    let raw = Bytes::copy_from_slice(bytes);
    let item = ItemError::new(index, json_path, message, raw);
    Err(head.add_to(error).with_item(item))
}

/// Returns the error of an item that is longer than the limit, of which nothing is kept.
pub(super) fn too_long(client: &Client, head: &Head, index: usize) -> Error {
    let limit = client.transport().body_limit();
    let message = format!("it is longer than the limit of {limit} bytes");
    let item = ItemError::new(index, ".".to_owned(), message, Bytes::new());
    let error = Error::builder(ErrorKind::BodyTooLarge)
        .message(item.to_string())
        .advice("set a larger body limit if that size is right")
        .build();
    head.add_to(error).with_item(item)
}
