//! Threads with a stack for deep recursion.

use std::io;
use std::thread::{self, Scope, ScopedJoinHandle};

/// The stack size of a thread that handles schemas. Schemas may nest to any depth, and the parsers, progenitor and the
/// passes after it all recurse.
const SIZE: usize = 512 << 20;

/// Runs `work` in a thread whose stack is deep enough for nested schemas.
///
/// # Errors
/// Errors if the thread cannot be started, or if `work` panics.
pub fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        spawn(scope, work)?
            .join()
            .map_err(|_| io::Error::other("the generator panicked; this is a bug"))
    })
}

/// Starts a thread with a deep stack.
///
/// # Errors
/// Errors if the thread cannot be started.
pub(crate) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    thread::Builder::new()
        .name("codegen".to_owned())
        .stack_size(SIZE)
        .spawn_scoped(scope, work)
}
