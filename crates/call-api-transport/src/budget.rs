//! How many retries a client may make before its failures are final at once.
//!
//! A server that fails makes every caller retry, which is the load that keeps it failing. So all calls of a client
//! draw on one account: a retry costs tokens, success brings them back. The figures are those of the AWS SDKs'
//! standard retry mode.

use crate::sync::{AtomicU32, Ordering};

/// The account; shared by all clones of a transport.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicU32,
    size: u32,
}

impl Budget {
    pub(crate) fn new(size: u32) -> Self {
        Self {
            left: AtomicU32::new(size),
            size,
        }
    }

    /// Takes the cost of one retry, or `None` where less than that is left.
    pub(crate) fn take(&self, cost: u32) -> Option<Permit<'_>> {
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(cost)
            })
            .ok()?;
        Some(Permit { budget: self, cost })
    }

    /// Gives tokens back, never to more than the size.
    pub(crate) fn give(&self, tokens: u32) {
        // The full account is the usual case: a read is shared between cores where a write is not.
        if tokens == 0 || self.left.load(Ordering::Relaxed) == self.size {
            return;
        }
        let _ = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left.saturating_add(tokens).min(self.size))
            });
    }

    pub(crate) fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed)
    }
}

/// The tokens of one retry under way. Dropped, it gives them back: after a success, and after a call whose future was
/// dropped, which says nothing about the server.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    budget: &'a Budget,
    cost: u32,
}

impl Permit<'_> {
    /// The retry failed too: its tokens are gone.
    pub(crate) fn spend(mut self) {
        self.cost = 0;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.budget.give(self.cost);
    }
}
