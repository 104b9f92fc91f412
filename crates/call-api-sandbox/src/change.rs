//! Subjects of actions, for webhooks and histories.

#[cfg(any(feature = "pages", feature = "webhooks"))]
use std::io;

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

/// Returns what was read about an action, or nothing after an error, which it logs: the action is done.
#[cfg(any(feature = "pages", feature = "webhooks"))]
#[cfg_attr(not(feature = "tracing"), expect(unused_variables))]
pub(crate) fn read_or_log<T: Default>(read: io::Result<T>, consequence: &str) -> T {
    read.unwrap_or_else(|error| {
        #[cfg(feature = "tracing")]
        tracing::error!(%error, "cannot read what changed, so {consequence}");
        T::default()
    })
}
