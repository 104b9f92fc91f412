//! The primitives that `budget` and `flight` are built on, named in one place so that `tests/loom.rs` can put
//! loom's in their stead and try every interleaving of the same source.

pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::atomic::{AtomicU32, Ordering};
