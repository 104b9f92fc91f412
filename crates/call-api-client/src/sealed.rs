//! Traits that only generated builders implement, so that methods can be added to them.

/// A supertrait that no other crate can name.
pub trait Sealed {}
