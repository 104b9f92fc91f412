//! Properties that `{:?}` hides, and wrappers that show them. `codegen.toml` beside the document names these properties.

#![allow(
    dead_code,
    reason = "a document without sensitive properties has no use for it"
)]

use std::cell::Cell;
use std::fmt::{self, Debug};

thread_local! {
    static UNMASKED: Cell<bool> = const { Cell::new(false) };
}

/// A value whose `{:?}` is `…`, except inside of an [`Unmasked`].
pub(crate) struct Masked<'a, T: ?Sized>(pub(crate) &'a T);

impl<T: Debug + ?Sized> Debug for Masked<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if UNMASKED.get() {
            self.0.fmt(f)
        } else {
            f.write_str("…")
        }
    }
}

/// A value whose `{:?}` hides nothing. Returned by [`unmasked`].
///
/// ```
/// use call_api_types::{Unmasked, unmasked};
///
/// let shown: Unmasked<'_, str> = unmasked("all of it");
/// assert_eq!(format!("{shown:?}"), "\"all of it\"");
/// ```
#[derive(Clone, Copy)]
pub struct Unmasked<'a, T: ?Sized>(&'a T);

/// Returns a view whose `{:?}` hides nothing in `value` and everything that it contains.
///
/// ```
/// use call_api_types::unmasked;
///
/// let values = vec!["one", "two"];
/// assert_eq!(format!("{:?}", unmasked(&values)), format!("{values:?}"));
/// ```
pub fn unmasked<T: ?Sized>(value: &T) -> Unmasked<'_, T> {
    Unmasked(value)
}

impl<T: Debug + ?Sized> Debug for Unmasked<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Restores the mask on drop, so also after a panic.
        struct Restore(bool);
        impl Drop for Restore {
            fn drop(&mut self) {
                UNMASKED.set(self.0);
            }
        }
        let _restore = Restore(UNMASKED.replace(true));
        self.0.fmt(f)
    }
}
