//! Responses of mocks.

use httpmock::Then;
use serde::Serialize;

/// Sets a status of a documented class, such as `4XX`.
#[track_caller]
pub(crate) fn status(then: Then, status: u16, class: u16) -> Then {
    assert_eq!(
        status / 100,
        class,
        "the document describes this response for {class}xx, but the status is {status}"
    );
    then.status(status)
}

/// Sets a JSON body.
pub(crate) fn json(then: Then, media_type: &str, value: &(impl Serialize + ?Sized)) -> Then {
    then.header("content-type", media_type)
        .json_body_obj(&value)
}

/// Sets a body of another media type, unchanged.
pub(crate) fn bytes(then: Then, media_type: &str, value: impl AsRef<[u8]>) -> Then {
    then.header("content-type", media_type).body(value)
}
