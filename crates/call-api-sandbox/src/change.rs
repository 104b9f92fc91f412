//! Subjects of actions, for webhooks and histories.

use uuid::Uuid;

use crate::store::TenantId;

/// The subject of an action that may change statuses of calls.
#[cfg_attr(
    not(any(feature = "pages", feature = "webhooks")),
    expect(dead_code, reason = "read by webhooks and histories")
)]
pub(crate) enum Change {
    /// A call is added, replaced or removed.
    Call(TenantId, Uuid),
    /// The clock is set.
    Clock,
    /// Everything is reset.
    All,
}
