//! The log of received requests.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, Method};
use serde::{Serialize, Serializer};

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

/// The latest requests, oldest first, up to a limit.
pub(crate) struct RequestLog {
    limit: usize,
    requests: Mutex<VecDeque<Request>>,
}

impl RequestLog {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            requests: Mutex::default(),
        }
    }

    /// Logs a request, unless the limit is zero.
    pub(crate) fn push(&self, request: impl FnOnce() -> Request) {
        if self.limit == 0 {
            return;
        }
        let request = request();
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        while requests.len() >= self.limit {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    pub(crate) fn clear(&self) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.clear();
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_log_drops_the_oldest_request() {
        let log = RequestLog::new(2);
        for path in ["/1", "/2", "/3"] {
            log.push(|| Request {
                method: Method::GET,
                path: path.to_owned(),
                query: None,
                headers: HeaderMap::new(),
            });
        }
        let paths: Vec<_> = log
            .requests()
            .into_iter()
            .map(|request| request.path)
            .collect();
        assert_eq!(paths, ["/2", "/3"]);
    }
}
