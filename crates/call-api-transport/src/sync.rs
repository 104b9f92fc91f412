//! The primitives of `budget` and `single_flight`, so that `tests/loom.rs` can replace them by loom's and try every
//! interleaving of the same source.

pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::atomic::{AtomicU32, Ordering};
