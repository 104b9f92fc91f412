//! The facts about webhooks: requests that the service sends.

/// The webhooks of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhooks {
    /// The component that is the union of their bodies.
    pub schema: String,
    /// True if requests are verified as Standard Webhooks specifies.
    pub are_verified: bool,
}
