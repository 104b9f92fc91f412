//! Subjects of actions, for webhooks.

use uuid::Uuid;

use crate::store::TenantId;

/// The subject of an action that may change statuses of calls.
#[cfg_attr(
    not(feature = "webhooks"),
    expect(dead_code, reason = "read by webhooks")
)]
pub(crate) enum Change {
    /// A call is added, replaced or removed.
    Call(TenantId, Uuid),
    /// The clock is set.
    Clock,
    /// Everything is reset.
    All,
}
