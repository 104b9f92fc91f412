//! Lists: the pages of an operation, and their items, as streams.
//!
//! Generated code implements [`Paged`] for the builder of each list, with the constant that says how the list is divided
//! into pages. The rest is written here once: `engine` requests a page and finds the next one, `body` decodes it in one
//! pass, or splits it into its items where that fails, and `stream` delivers them.

mod body;
mod engine;
mod link;
mod page;
mod stream;

use serde::de::DeserializeOwned;

use crate::request::{Operation, Prepared, is_success};

pub use page::Page;
pub use stream::{Collected, Items, Pages};

use engine::Engine;

/// The names of nested properties, from the outside in.
pub type PropertyPath = &'static [&'static str];

/// A list: an operation whose response is one page of it. Implemented by the builder of its requests.
pub trait Paged: Operation {
    /// The type of the items.
    type Item: DeserializeOwned + Send + 'static;

    /// The division of the list into pages.
    const PAGING: &'static Paging;
}

/// The division of a list into pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Paging {
    /// The items in the body of a page; empty if the body is the list of items itself.
    pub items: PropertyPath,
    /// True if a page may have no list of items.
    pub may_lack_items: bool,
    /// The boolean that is true if another page follows.
    pub has_more: Option<PropertyPath>,
    /// The way from a page to the next one.
    pub next: NextPage,
}

/// The way from a page of a list to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextPage {
    /// The page has the value of a query parameter.
    Cursor {
        /// The value in the body of the page.
        value: PropertyPath,
        /// The query parameter.
        parameter: &'static str,
    },
    /// The last item of the page has the value of a query parameter.
    LastItem {
        /// The property of the item.
        property: &'static str,
        /// The query parameter.
        parameter: &'static str,
    },
    /// Pages are numbered.
    Number {
        /// The query parameter.
        parameter: &'static str,
        /// The number of the first page.
        first: u64,
        /// The number of pages, in the body; without it, the first page without items is the last one.
        pages: Option<PropertyPath>,
    },
    /// A page is addressed by the number of items before it. The first page without items is the last one.
    Offset {
        /// The query parameter.
        parameter: &'static str,
    },
    /// The page has the URL of the next one.
    Url {
        /// The URL in the body of the page.
        value: PropertyPath,
    },
    /// A header has the URL of the next page: `Link` as in RFC 8288, with `rel="next"`, or one that is a URL.
    Header {
        /// The name in lower case.
        name: &'static str,
    },
}

impl<T> Pages<T> {
    /// Returns the pages of a list, from the builder of its requests: what the builder's `pages` returns.
    pub fn new<O: Paged<Item = T>>(operation: O) -> Self {
        Self::prepared(operation.prepare(), *O::SPEC, O::PAGING, is_success::<O>)
    }

    pub(crate) fn prepared(
        prepared: Prepared,
        operation: call_api_transport::Operation,
        paging: &'static Paging,
        is_success: fn(u16) -> bool,
    ) -> Self {
        Self::over(Engine::new(prepared, operation, paging, is_success))
    }
}

/// Adds to the builder of a list what all lists have.
#[allow(unused_macros, reason = "a document may have no list")]
macro_rules! paged {
    ($builder:ident) => {
        impl $builder {
            /// Returns the pages of the list, as a stream. Each is requested when the one before it has been taken, with
            /// the parameters, deadline and retries of this request.
            #[inline]
            pub fn pages(self) -> crate::Pages<<Self as crate::Paged>::Item> {
                crate::Pages::new(self)
            }

            /// Returns the items of all pages, as a stream: [`pages`](Self::pages), one by one.
            #[inline]
            pub fn items(self) -> crate::Items<<Self as crate::Paged>::Item> {
                self.pages().items()
            }
        }
    };
}

#[allow(unused_imports, reason = "a document may have no list")]
pub(crate) use paged;
