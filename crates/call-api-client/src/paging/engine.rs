//! Requests pages in sequence, independent of the type of the items.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use call_api_transport::{AttemptLog, Auth, Operation, RequestOptions};
use http::HeaderMap;
use reqwest::{Request, Url};

use super::body::{PageBody, path, whole};
use super::{NextPage, Paging, PropertyPath, link};
use crate::client::Client;
use crate::cursor::Cursor;
use crate::drift::Drift;
use crate::encode;
use crate::error::Error;
use crate::request::{InvalidRequest, Mismatch, Prepared, Received, Undecoded, exchange};

/// The number of empty pages in a row after which a list of numbered pages is treated as endless.
const EMPTY_PAGES: u32 = 100;

/// Requests the pages of a list, one by one.
pub(super) struct Engine {
    client: Client,
    operation: Operation,
    paging: &'static Paging,
    options: Option<RequestOptions>,
    /// Returns true for the statuses of a page: any other success would seem to be the end of the list.
    is_success: fn(u16) -> bool,
    /// The request of the builder, of which each page's differs by its cursor only.
    template: Result<Request, InvalidRequest>,
    /// The page to request; `None` is the page that the template asks for.
    cursor: Option<Cursor>,
    visited: Visited,
}

/// Decodes the body of a page, and keeps the items.
pub(super) type Decode<'a> =
    &'a mut (dyn FnMut(Bytes, &Paging) -> Result<PageBody, Mismatch> + Send);

/// A page without its items, or whose items are not decoded yet.
pub(super) struct RawPage {
    pub(super) body: PageBody,
    /// The place of the items in the body.
    pub(super) items_path: PropertyPath,
    pub(super) cursor: Option<Cursor>,
    pub(super) next: Option<Cursor>,
    /// The error that the list ends with after this page.
    pub(super) end: Option<Error>,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) attempt_log: AttemptLog,
    pub(super) drifts: Vec<Drift>,
}

impl Engine {
    pub(super) fn new(
        prepared: Prepared,
        operation: Operation,
        paging: &'static Paging,
        is_success: fn(u16) -> bool,
    ) -> Self {
        let Prepared {
            client,
            options,
            request,
        } = prepared;
        Self {
            client,
            operation,
            paging,
            options,
            is_success,
            template: request,
            cursor: None,
            visited: Visited::default(),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Begins with another page than the template's.
    pub(super) fn start_at(&mut self, cursor: Cursor) {
        self.cursor = Some(cursor);
    }

    /// Requests the page, and continues to the next one.
    pub(super) async fn fetch(&mut self, decode: Decode<'_>) -> Result<RawPage, Error> {
        let page = self.page(decode).await;
        match page {
            Ok(page) => {
                self.cursor.clone_from(&page.next);
                Ok(page)
            }
            Err(error) => Err(error.with_cursor(self.cursor.clone())),
        }
    }

    async fn page(&mut self, decode: Decode<'_>) -> Result<RawPage, Error> {
        let request = self.request()?;
        let url = request.url().clone();
        let operation = self.operation;
        let (client, options) = (self.client.clone(), self.options.clone());
        let (response, drifts) = exchange(
            &client,
            &operation,
            request,
            options.as_ref(),
            |_| false,
            |received, headers| self.read(received, headers, &url, decode),
        )
        .await?;
        let (body, next) = response.value;
        let (next, end) = match next {
            Next::End => (None, None),
            Next::At(cursor) => (Some(cursor), None),
            Next::Lost(why) => {
                let error = Undecoded::Paging(why).into_error(response.status);
                let (headers, log) = (response.headers.clone(), response.attempt_log.clone());
                let error = error.with_response(response.status, headers, log);
                (None, Some(error.with_cursor(self.cursor.clone())))
            }
        };
        Ok(RawPage {
            body,
            items_path: self.paging.items,
            cursor: self.cursor.clone(),
            next,
            end,
            status: response.status,
            headers: response.headers,
            attempt_log: response.attempt_log,
            drifts,
        })
    }

    /// Returns the request of the page.
    fn request(&self) -> Result<Request, Error> {
        let template = match &self.template {
            Ok(template) => template,
            Err(InvalidRequest(cause)) => return Err(Error::invalid_request(cause)),
        };
        let Some(mut request) = template.try_clone() else {
            return Err(Error::invalid_request("its body can be sent only once"));
        };
        let Some(cursor) = &self.cursor else {
            return Ok(request);
        };
        match self.paging.next {
            NextPage::Cursor { parameter, .. } | NextPage::LastItem { parameter, .. } => {
                set_query(request.url_mut(), parameter, cursor.as_str());
            }
            NextPage::Number { parameter, .. } | NextPage::Offset { parameter, .. } => {
                // Also what is sent next is calculated from it.
                number(cursor)?;
                set_query(request.url_mut(), parameter, cursor.as_str());
            }
            NextPage::Url { .. } | NextPage::Header { .. } => {
                let url = request.url().join(cursor.as_str());
                // The transport refuses what is not below the base URL.
                *request.url_mut() = url.map_err(|_| {
                    Error::invalid_request("the cursor is not a URL of a page of this list")
                })?;
            }
        }
        Ok(request)
    }

    /// Decodes the body, and finds the next page.
    fn read(
        &mut self,
        received: Received,
        headers: &HeaderMap,
        url: &Url,
        decode: Decode<'_>,
    ) -> Result<(PageBody, Next), Undecoded> {
        let body = match received.status() {
            status if !(self.is_success)(status) => return received.unexpected(),
            204 => PageBody::default(),
            _ => decode(received.into_bytes(), self.paging)?,
        };
        let next = match self.next(&body, headers, url)? {
            Next::At(cursor) if self.visited.again(&cursor, self.cursor.as_ref()) => {
                Next::Lost("its cursor leads back to an earlier page".to_owned())
            }
            next => next,
        };
        Ok((body, next))
    }

    fn next(&mut self, body: &PageBody, headers: &HeaderMap, url: &Url) -> Result<Next, Undecoded> {
        let has_more = match self.paging.has_more {
            Some(path) => body.boolean(path)?,
            None => None,
        };
        let is_empty = body.length == 0;
        let length = u64::try_from(body.length).unwrap_or(u64::MAX);
        self.visited.count(length);
        if has_more == Some(false) {
            return Ok(Next::End);
        }
        let says_more = has_more == Some(true);
        // What follows is `None` where the page has no cursor.
        let (cursor, place) = match self.paging.next {
            NextPage::Cursor { value, .. } => (body.text(value)?, path(value)),
            NextPage::LastItem { property, .. } => (
                body.of_last_item(self.paging.items, property),
                format!("{property} of the last item"),
            ),
            NextPage::Url { value } => (body.text(value)?, path(value)),
            NextPage::Header { name } => {
                let target = match name {
                    "link" => link::next(headers),
                    name => headers.get(name).and_then(|value| value.to_str().ok()),
                };
                let target = target.map(str::trim).filter(|target| !target.is_empty());
                (target.map(str::to_owned), format!("the header {name}"))
            }
            NextPage::Number {
                parameter,
                first,
                pages,
            } => {
                let current = self.position(url, parameter, first);
                let pages = pages.map_or(Ok(None), |pages| body.count(pages))?;
                let repeats = self.visited.same_body(&body.bytes);
                let goes_on = match (says_more, pages) {
                    (true, _) => true,
                    (_, Some(pages)) => current.saturating_sub(first).saturating_add(1) < pages,
                    _ => !is_empty,
                };
                // Some services ignore the parameter, or return the last page again for any greater number.
                if goes_on && repeats && !is_empty {
                    return Err(repeated());
                }
                if goes_on && self.visited.empty > EMPTY_PAGES {
                    let why = format!("more than {EMPTY_PAGES} pages in a row had no items");
                    return Ok(Next::Lost(why));
                }
                let next = current.checked_add(1).filter(|_| goes_on);
                return Ok(next.map_or(Next::End, |next| Next::At(next.to_string().into())));
            }
            NextPage::Offset { parameter } => {
                let next = self.position(url, parameter, 0).saturating_add(length);
                return Ok(match (is_empty, says_more) {
                    (true, true) => Next::Lost("it says that more follow, but is empty".to_owned()),
                    (true, false) => Next::End,
                    _ if self.visited.same_body(&body.bytes) => return Err(repeated()),
                    _ => Next::At(next.to_string().into()),
                });
            }
        };
        Ok(match (cursor, self.paging.next) {
            (None, _) if says_more => Next::Lost(format!(
                "it says that more follow, but has no cursor ({place})"
            )),
            (None, NextPage::LastItem { .. }) if !is_empty => {
                Next::Lost(format!("it has no cursor ({place})"))
            }
            (None, _) => Next::End,
            (Some(target), NextPage::Url { .. } | NextPage::Header { .. }) => {
                match self.relative(url, &target) {
                    Some(cursor) => Next::At(cursor),
                    None => Next::Lost(format!("its cursor is not a URL ({place})")),
                }
            }
            (Some(cursor), NextPage::Cursor { .. }) if is_url(&cursor, url) => Next::Lost(format!(
                "its cursor is a URL, not a value of the parameter ({place})"
            )),
            (Some(cursor), _) => Next::At(cursor.into()),
        })
    }

    /// Returns the number of the current page, or the offset of its first item.
    fn position(&self, url: &Url, parameter: &str, first: u64) -> u64 {
        let mut pairs = url.query_pairs();
        let given = pairs.find(|(name, _)| name == parameter);
        given.and_then(|(_, value)| whole(&value)).unwrap_or(first)
    }

    /// Returns a URL as a cursor: relative to the service, and without the credential that the service may repeat.
    fn relative(&self, current: &Url, target: &str) -> Option<Cursor> {
        let mut url = current.join(target).ok()?;
        url.set_fragment(None);
        remove_credentials(&mut url, self.operation.auth);
        let is_below = url.origin() == current.origin();
        Some(match url.query() {
            Some(query) if is_below => format!("{}?{query}", url.path()).into(),
            None if is_below => url.path().into(),
            _ => url.as_str().into(),
        })
    }
}

/// Returns true if a cursor is a URL. One in Base64 may begin with `/` as well.
fn is_url(cursor: &str, page: &Url) -> bool {
    let is_path = cursor.starts_with('/');
    is_path && (cursor.contains('?') || cursor.starts_with(page.path()))
        || Url::parse(cursor).is_ok_and(|url| url.has_host())
}

/// Removes the query parameters in which credentials are sent.
fn remove_credentials(url: &mut Url, auth: Auth) {
    match auth {
        Auth::ApiKeyQuery(name) => remove_query(url, name),
        Auth::Scheme(_, place) => remove_credentials(url, *place),
        Auth::Each(all) => all.iter().for_each(|auth| remove_credentials(url, *auth)),
        _ => {}
    }
}

/// The continuation after a page.
enum Next {
    End,
    At(Cursor),
    /// The list is not at its end, but cannot continue, for this reason.
    Lost(String),
}

/// The visited pages, remembered in constant space.
#[derive(Default)]
struct Visited {
    /// An earlier cursor. It moves on in ever greater steps, so that cycles are detected (Brent's algorithm).
    checkpoint: Option<Cursor>,
    steps: u64,
    power: u32,
    /// The number of pages without items at the end.
    empty: u32,
    /// The hash of the page before.
    body: Option<u64>,
}

impl Visited {
    /// Returns true if the cursor is that of the current page, or of one before it.
    fn again(&mut self, next: &Cursor, current: Option<&Cursor>) -> bool {
        if Some(next) == current || Some(next) == self.checkpoint.as_ref() {
            return true;
        }
        self.steps += 1;
        if self.steps >> self.power > 0 {
            self.checkpoint = Some(next.clone());
            self.steps = 0;
            self.power = (self.power + 1).min(u64::BITS - 1);
        }
        false
    }

    /// Counts pages without items.
    fn count(&mut self, length: u64) {
        self.empty = match length {
            0 => self.empty.saturating_add(1),
            _ => 0,
        };
    }

    /// Returns true if the page before had the same body.
    fn same_body(&mut self, body: &Bytes) -> bool {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let hash = hasher.finish();
        self.body.replace(hash) == Some(hash)
    }
}

/// Returns the error for a page that repeats the one before it. Its items would be delivered twice.
fn repeated() -> Undecoded {
    Undecoded::Paging("it repeats the page before it".to_owned())
}

fn number(cursor: &Cursor) -> Result<u64, Error> {
    let number = cursor.as_str().parse();
    number.map_err(|_| {
        Error::invalid_request("the cursor is not one of this list, whose cursors are numbers")
    })
}

/// Sets a query parameter, and leaves all others as they are.
fn set_query(url: &mut Url, name: &str, value: &str) {
    remove_query(url, name);
    let pair = format!("{}={}", encode::percent(name), encode::percent(value));
    let query = match url.query() {
        Some(query) => format!("{query}&{pair}"),
        None => pair,
    };
    url.set_query(Some(&query));
}

/// Removes a query parameter, and leaves all others as they are.
fn remove_query(url: &mut Url, name: &str) {
    let Some(query) = url.query() else {
        return;
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let kept: Vec<&str> = pairs
        .zip(url.query_pairs())
        .filter(|(_, (other, _))| other != name)
        .map(|(pair, _)| pair)
        .collect();
    let query = kept.join("&");
    url.set_query((!query.is_empty()).then_some(query.as_str()));
}
