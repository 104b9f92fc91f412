//! What the sandbox was asked.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, Method};
use serde::{Serialize, Serializer};

/// A request as the sandbox received it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// The method.
    #[serde(serialize_with = "method")]
    pub method: Method,
    /// The path as it was sent, with its percent-escapes and without the query.
    pub path: String,
    /// What follows the first `?`, as it was sent.
    pub query: Option<String>,
    /// The headers. Of each `Authorization` only `Bearer` is kept, where it is one: `Bearer [redacted]`.
    #[serde(serialize_with = "headers")]
    pub headers: HeaderMap,
}

fn method<S: Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.as_str())
}

/// A name may be there more than once.
fn headers<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        headers
            .iter()
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))),
    )
}

/// The latest requests, oldest first, up to a limit.
pub(crate) struct Log {
    limit: usize,
    requests: Mutex<VecDeque<Request>>,
}

impl Log {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            requests: Mutex::default(),
        }
    }

    /// Notes a request, if any are noted.
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
    fn the_oldest_requests_make_room() {
        let log = Log::new(2);
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
