//! The retry budget that all requests of a client share.
//!
//! A failing server makes every client retry, and that load keeps it failing. So a retry takes tokens, and successes
//! return them. The figures are those of the AWS SDKs' standard retry mode.

use std::time::Instant;

use crate::sync::{AtomicU32, Mutex, Ordering};

/// Shared by all clones of a transport.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicU32,
    size: u32,
    /// 1 once a request has succeeded.
    has_succeeded: AtomicU32,
    /// The last event that broke connections.
    last_disruption: Mutex<Option<Instant>>,
    /// About how many requests succeeded since. Counting ends at [`SUCCESSES_BETWEEN_EVENTS`]. Not behind the lock, which
    /// every success on every core would take.
    successes: AtomicU32,
}

/// The requests that have to succeed between two events that count once.
///
/// One event, such as a reload of the server, breaks all requests that are in flight on a connection. Only the first of
/// them is charged for its retry, provided that the server worked before: the others are the same event.
const SUCCESSES_BETWEEN_EVENTS: u32 = 10;

impl Budget {
    pub(crate) fn new(size: u32) -> Self {
        Self {
            left: AtomicU32::new(size),
            size,
            has_succeeded: AtomicU32::new(0),
            last_disruption: Mutex::new(None),
            successes: AtomicU32::new(0),
        }
    }

    /// Takes the cost of one retry, or returns `None` if less than that is left.
    pub(crate) fn take(&self, cost: u32) -> Option<Permit<'_>> {
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(cost)
            })
            .ok()?;
        Some(Permit { budget: self, cost })
    }

    /// Takes the cost of a retry after the connection of an attempt broke at `now`, which had begun at `begun`.
    pub(crate) fn take_after_break(
        &self,
        cost: u32,
        begun: Instant,
        now: Instant,
    ) -> Option<Permit<'_>> {
        {
            let mut last = lock(&self.last_disruption);
            if last.is_some_and(|at| begun <= at) {
                return self.take(0);
            }
            if self.successes.load(Ordering::Relaxed) >= SUCCESSES_BETWEEN_EVENTS {
                *last = Some(now);
                self.successes.store(0, Ordering::Relaxed);
            }
        }
        self.take(cost)
    }

    /// Records a success, which returns a token unless it was that of a retry, whose permit does.
    pub(crate) fn succeeded(&self, was_first: bool) {
        if was_first {
            self.give(1);
        }
        if !self.has_succeeded() {
            self.has_succeeded.store(1, Ordering::Relaxed);
        }
        if self.successes.load(Ordering::Relaxed) < SUCCESSES_BETWEEN_EVENTS {
            self.successes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns true if any request has succeeded.
    pub(crate) fn has_succeeded(&self) -> bool {
        self.has_succeeded.load(Ordering::Relaxed) == 1
    }

    /// Gives tokens back, up to the size.
    pub(crate) fn give(&self, tokens: u32) {
        // A full budget is the usual case, and reads scale over cores where writes do not.
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

/// The tokens of one retry in flight. Dropping it returns them: after a success, and after a request whose future was
/// dropped, which says nothing about the server.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    budget: &'a Budget,
    cost: u32,
}

impl Permit<'_> {
    /// Keeps the tokens: the retry failed too.
    pub(crate) fn spend(mut self) {
        self.cost = 0;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.budget.give(self.cost);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> impl std::ops::DerefMut<Target = T> + '_ {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
