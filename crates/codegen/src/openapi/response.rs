//! Responses by status, and content that is JSON.

use serde_json::{Map, Value};

use crate::media_type::is_json;
use crate::pointer::Pointer;
use crate::walk;

/// Returns true if the client treats the status as a success.
pub(crate) fn is_success(status: &str) -> bool {
    status.starts_with('2') || status == "101"
}

/// The successes without a body, whatever the document says (RFC 9110, sections 15.3.5 and 15.3.6).
pub(crate) const BODILESS: [&str; 2] = ["204", "205"];

/// Returns the statuses of an operation that are successes: those of `2XX`, and after them `default`, which may be one.
pub(crate) fn successes(responses: &Map<String, Value>) -> impl Iterator<Item = &String> {
    let default = responses.keys().filter(|status| *status == "default");
    let successes = responses.keys().filter(|status| status.starts_with('2'));
    successes.chain(default)
}

/// Returns the location of the schema of the JSON content of a request body or a response.
pub(crate) fn json_schema(document: &Value, owner: &Pointer) -> Option<Pointer> {
    let (place, owner) = walk::locate(document, owner)?;
    let content = owner.get("content")?.as_object()?;
    let name = content.keys().find(|name| is_json(name))?;
    let (media, object) = walk::locate(document, &place.join("content").join(name))?;
    object.get("schema").map(|_| media.join("schema"))
}
