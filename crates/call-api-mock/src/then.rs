//! What a request is answered with.

use httpmock::Then;
use serde::Serialize;

/// A status of a class that the document gives one answer to, such as `4XX`.
#[track_caller]
pub(crate) fn status(then: Then, status: u16, class: u16) -> Then {
    assert_eq!(
        status / 100,
        class,
        "the document gives this answer with {class}xx only, and {status} is none"
    );
    then.status(status)
}

/// A body in JSON.
pub(crate) fn json(then: Then, media_type: &str, value: &(impl Serialize + ?Sized)) -> Then {
    then.header("content-type", media_type)
        .json_body_obj(&value)
}

/// A body of any other kind, as it is.
pub(crate) fn bytes(then: Then, media_type: &str, value: impl AsRef<[u8]>) -> Then {
    then.header("content-type", media_type).body(value)
}
