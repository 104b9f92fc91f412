//! Responses by status.

/// Returns true if the client treats the status as a success.
pub(crate) fn is_success(status: &str) -> bool {
    status.starts_with('2') || status == "101"
}
