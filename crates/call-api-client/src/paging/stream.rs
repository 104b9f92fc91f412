//! The pages and the items of a list, as streams.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::body::PageBody;
use super::engine::{Engine, RawPage};
use super::page::Page;
use crate::client::Client;
use crate::cursor::Cursor;
use crate::error::Error;

/// The pages of a list, as a [`Stream`].
///
/// A page is requested when the stream is polled for it, and none before: at most one page is in memory, and a list that
/// is not read any further sends nothing. Each page is a request of its own, with its own deadline and retries.
///
/// The stream ends after the last page, and after an error, which has the [cursor](Error::cursor) to resume from. A list
/// that cannot continue after a page, such as one whose cursors lead back to an earlier page, ends with
/// [`ErrorKind::Paging`](crate::ErrorKind::Paging) once that page is delivered.
#[must_use = "a stream does nothing until it is read"]
pub struct Pages<T> {
    client: Client,
    state: State<T>,
}

enum State<T> {
    /// Not read yet.
    New(Box<Engine>),
    /// Between two pages.
    Idle(Box<Engine>),
    Requesting(Pin<Box<dyn Future<Output = Fetched<T>> + Send>>),
    /// The last page was delivered, and the list cannot continue after it.
    Failed(Box<Error>),
    Ended,
}

/// A page, with the engine that continues after it, and the items that were decoded with the page.
type Fetched<T> = (Box<Engine>, Result<RawPage, Error>, Vec<Result<T, Error>>);

impl<T> Pages<T> {
    pub(super) fn over(engine: Engine) -> Self {
        Self {
            client: engine.client().clone(),
            state: State::New(Box::new(engine)),
        }
    }

    /// Starts at the page of a cursor, such as [`Page::next`] or [`Error::cursor`] of an earlier stream over the same list.
    /// No effect once the stream has been read.
    pub fn after(mut self, cursor: impl Into<Cursor>) -> Self {
        if let State::New(engine) = &mut self.state {
            engine.start_at(cursor.into());
        }
        self
    }

    /// Returns the items of the pages.
    pub fn items(self) -> Items<T> {
        Items {
            pages: self,
            page: Vec::new().into_iter(),
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> Pages<T> {
    /// Returns the next page; `None` at the end. Dropping this future loses nothing.
    ///
    /// # Errors
    /// [`Error`] if there is no page. The stream ends with it.
    pub async fn next(&mut self) -> Option<Result<Page<T>, Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Returns the pages as an iterator, which blocks the thread until the next one is there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the system has no thread for the connections.
    #[cfg(feature = "blocking")]
    pub fn blocking(self) -> Result<crate::blocking::BlockingStream<Self>, Error> {
        self.client.clone().block_on_list(self)
    }
}

impl<T: DeserializeOwned + Send + 'static> Stream for Pages<T> {
    type Item = Result<Page<T>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match std::mem::replace(&mut this.state, State::Ended) {
                State::New(mut engine) | State::Idle(mut engine) => {
                    this.state = State::Requesting(Box::pin(async move {
                        let mut items = Vec::new();
                        let mut decode =
                            |bytes, paging: &_| PageBody::decode(bytes, paging, &mut items);
                        let page = engine.fetch(&mut decode).await;
                        (engine, page, items)
                    }));
                }
                State::Requesting(mut page) => {
                    let Poll::Ready((engine, page, items)) = page.as_mut().poll(context) else {
                        this.state = State::Requesting(page);
                        return Poll::Pending;
                    };
                    return Poll::Ready(Some(page.map(|mut page| {
                        this.state = match page.end.take() {
                            Some(error) => State::Failed(Box::new(error)),
                            None if page.next.is_some() => State::Idle(engine),
                            None => State::Ended,
                        };
                        Page::new(&this.client, page, items)
                    })));
                }
                State::Failed(error) => return Poll::Ready(Some(Err(*error))),
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

/// The items of a list, as a [`Stream`] over all of its [`Pages`].
///
/// An item that does not match the document is an error with an [`ItemError`](Error::item), and the stream continues after
/// it. It ends after an error of a page.
#[must_use = "a stream does nothing until it is read"]
pub struct Items<T> {
    pages: Pages<T>,
    /// The rest of the current page.
    page: vec::IntoIter<Result<T, Error>>,
}

// No item is pinned.
impl<T> Unpin for Items<T> {}

/// The first items of a list: see [`Items::collect_up_to`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Collected<T> {
    /// The items.
    pub items: Vec<T>,
    /// The errors of the items that could not be decoded.
    pub errors: Vec<Error>,
    /// True if there are more items, or pages that may have some.
    pub has_more: bool,
}

impl<T> Items<T> {
    /// Starts at the page of a cursor, as [`Pages::after`]. No effect once the stream has been read.
    pub fn after(mut self, cursor: impl Into<Cursor>) -> Self {
        self.pages = self.pages.after(cursor);
        self
    }
}

impl<T: DeserializeOwned + Send + 'static> Items<T> {
    /// Returns the next item; `None` at the end. Dropping this future loses nothing.
    ///
    /// # Errors
    /// [`Error`] for an item that cannot be decoded, after which the stream continues, and if there is no page, with which
    /// it ends.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Returns the next `limit` items, or all that are left if they are fewer. Those that cannot be decoded count as well.
    /// Requests no page that it doesn't need.
    ///
    /// # Errors
    /// [`Error`] if there is no page; the items collected before are dropped.
    pub async fn collect_up_to(&mut self, limit: usize) -> Result<Collected<T>, Error> {
        let mut collected = Collected {
            items: Vec::new(),
            errors: Vec::new(),
            has_more: true,
        };
        while collected.items.len() + collected.errors.len() < limit {
            match self.next().await {
                Some(Ok(item)) => collected.items.push(item),
                Some(Err(error)) if error.item().is_some() => collected.errors.push(error),
                Some(Err(error)) => return Err(error),
                None => break,
            }
        }
        collected.has_more = self.page.len() > 0 || !matches!(self.pages.state, State::Ended);
        Ok(collected)
    }

    /// Returns the items as an iterator, which blocks the thread until the next one is there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the system has no thread for the connections.
    #[cfg(feature = "blocking")]
    pub fn blocking(self) -> Result<crate::blocking::BlockingStream<Self>, Error> {
        self.pages.client.clone().block_on_list(self)
    }
}

impl<T: DeserializeOwned + Send + 'static> Stream for Items<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.page.next() {
                return Poll::Ready(Some(item));
            }
            match ready!(Pin::new(&mut self.pages).poll_next(context)) {
                Some(Ok(page)) => self.page = page.items.into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").finish_non_exhaustive()
    }
}
