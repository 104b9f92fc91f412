//! The log of received requests.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, StatusCode};
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use crate::store::TenantId;

/// A request that the sandbox received.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// The method.
    #[serde(serialize_with = "method")]
    pub method: Method,
    /// The path as sent, with percent-escapes and without the query.
    pub path: String,
    /// The query as sent, without the `?`.
    pub query: Option<String>,
    /// The headers. `Authorization` values are redacted; `Bearer [redacted]` remains of a Bearer token.
    #[serde(serialize_with = "headers")]
    pub headers: HeaderMap,
    /// The system time at which its head was read.
    pub received_at: DateTime<Utc>,
    /// The status of the response. `None` while there is none, and if the connection ended without one.
    #[serde(serialize_with = "status")]
    pub status: Option<StatusCode>,
    /// The time until the response began, or until the connection ended without one. `None` before that.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Option<Duration>,
}

fn method<S: Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.as_str())
}

/// A list of pairs, because a header may occur more than once.
fn headers<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        headers
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))),
    )
}

fn status<S: Serializer>(status: &Option<StatusCode>, serializer: S) -> Result<S::Ok, S::Error> {
    status.map(|status| status.as_u16()).serialize(serializer)
}

fn seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration
        .map(|duration| duration.as_secs_f64())
        .serialize(serializer)
}

/// A logged request, with what only the pages need.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    /// Its number; later requests have larger ones.
    pub(crate) number: u64,
    /// The tenant whose token it has; `None` without a valid one, and if there is only one tenant.
    #[cfg_attr(not(feature = "pages"), expect(dead_code, reason = "read by a page"))]
    pub(crate) tenant: Option<TenantId>,
    pub(crate) request: Request,
}

/// The latest requests, oldest first, up to a limit.
pub(crate) struct RequestLog {
    limit: usize,
    /// False if only the pages read the log, which do not need them.
    pub(crate) has_headers: bool,
    requests: Mutex<Requests>,
}

#[derive(Default)]
struct Requests {
    /// The number of the next request.
    next: u64,
    latest: VecDeque<Logged>,
}

impl RequestLog {
    pub(crate) fn new(limit: usize, has_headers: bool) -> Self {
        Self {
            limit,
            has_headers,
            requests: Mutex::default(),
        }
    }

    /// Logs a request with the tenant of its token, unless the limit is zero. Its response is added by
    /// [`PendingRequest::answered`].
    pub(crate) fn push(
        &self,
        request: impl FnOnce() -> (Request, Option<TenantId>),
    ) -> Option<PendingRequest<'_>> {
        if self.limit == 0 {
            return None;
        }
        let (request, tenant) = request();
        let mut requests = self.lock();
        while requests.latest.len() >= self.limit {
            requests.latest.pop_front();
        }
        let number = requests.next;
        requests.next += 1;
        requests.latest.push_back(Logged {
            number,
            tenant,
            request,
        });
        Some(PendingRequest {
            log: self,
            number,
            received_at: Instant::now(),
            status: None,
        })
    }

    /// Forgets all requests, also the responses to come. Numbers are not used again.
    pub(crate) fn clear(&self) {
        self.lock().latest.clear();
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        let requests = self.lock();
        let latest = requests.latest.iter();
        latest.map(|logged| logged.request.clone()).collect()
    }

    /// Returns the requests that match, newest first, with numbers below `before`, up to a limit.
    #[cfg(feature = "pages")]
    pub(crate) fn newest(
        &self,
        before: u64,
        limit: usize,
        matches: impl Fn(&Logged) -> bool,
    ) -> Vec<Logged> {
        let requests = self.lock();
        let earlier = requests.latest.iter().rev();
        let earlier = earlier.filter(|logged| logged.number < before && matches(logged));
        earlier.take(limit).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A logged request. It is updated when this is dropped: the response begins, or the connection ended without one.
pub(crate) struct PendingRequest<'a> {
    log: &'a RequestLog,
    number: u64,
    received_at: Instant,
    status: Option<StatusCode>,
}

impl PendingRequest<'_> {
    /// Logs the status of the response, which begins now.
    pub(crate) fn answered(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for PendingRequest<'_> {
    fn drop(&mut self) {
        let duration = self.received_at.elapsed();
        let mut requests = self.log.lock();
        // It may have been dropped from the log.
        let position = requests
            .latest
            .binary_search_by_key(&self.number, |logged| logged.number);
        if let Some(logged) = position.ok().and_then(|at| requests.latest.get_mut(at)) {
            logged.request.duration = Some(duration);
            logged.request.status = self.status;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> (Request, Option<TenantId>) {
        let request = Request {
            method: Method::GET,
            path: path.to_owned(),
            query: None,
            headers: HeaderMap::new(),
            received_at: DateTime::UNIX_EPOCH,
            status: None,
            duration: None,
        };
        (request, None)
    }

    #[test]
    fn full_log_drops_the_oldest_request() {
        let log = RequestLog::new(2, true);
        let mut pending: Vec<_> = ["/1", "/2", "/3"]
            .iter()
            .filter_map(|path| log.push(|| request(path)))
            .collect();
        let rows = || -> Vec<_> {
            let requests = log.requests().into_iter();
            requests
                .map(|request| (request.path, request.status))
                .collect()
        };
        assert_eq!(rows(), [("/2".to_owned(), None), ("/3".to_owned(), None)]);
        // The response to a request that is no longer in the log changes no other.
        pending.swap_remove(0).answered(StatusCode::NOT_FOUND);
        pending.pop().unwrap().answered(StatusCode::OK);
        let answered = rows().into_iter().filter(|(_, status)| status.is_some());
        assert_eq!(
            answered.collect::<Vec<_>>(),
            [("/2".to_owned(), Some(StatusCode::OK))]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn request_without_a_response_has_a_duration_and_no_status() {
        let log = RequestLog::new(2, true);
        let pending = log.push(|| request("/1"));
        let state = || {
            let request = log.requests().remove(0);
            (request.status, request.duration)
        };
        assert_eq!(state(), (None, None));
        tokio::time::advance(Duration::from_secs(3)).await;
        drop(pending);
        assert_eq!(state(), (None, Some(Duration::from_secs(3))));
    }
}
