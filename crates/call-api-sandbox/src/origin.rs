//! The URL that a request was sent to.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OriginalUri};
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, HeaderValue, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The host and path of a request.
pub(crate) struct RequestOrigin {
    host: Option<HeaderValue>,
    pub(crate) uri: Uri,
    /// The URI including the prefix that the sandbox is mounted under, which axum removes from `uri`.
    original: Uri,
}

impl RequestOrigin {
    pub(crate) fn of(headers: &HeaderMap, uri: &Uri, extensions: &Extensions) -> Self {
        let original = extensions.get().map(|OriginalUri(original)| original);
        Self {
            host: headers.get(HOST).cloned(),
            uri: uri.clone(),
            original: original.unwrap_or(uri).clone(),
        }
    }

    /// Returns the sandbox's base URL as the client sees it; only the mount prefix if the request names no host.
    pub(crate) fn base_url(&self) -> String {
        let original = normalize_path(&self.original);
        let path = original.as_ref().unwrap_or(&self.original).path();
        let prefix = path.strip_suffix(self.uri.path()).unwrap_or_default();
        let host = self.host.as_ref().and_then(|host| host.to_str().ok());
        let origin = host.map(|host| format!("http://{host}"));
        format!("{}{prefix}", origin.unwrap_or_default())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestOrigin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, &parts.uri, &parts.extensions))
    }
}

/// Returns true if a request names a loopback host and does not come from a web page of another site.
///
/// Without this check, a web site could send requests to this machine: from its page, or by pointing its DNS name here.
pub(crate) fn is_for_loopback(headers: &HeaderMap) -> bool {
    is_loopback_host(headers) && !is_cross_origin(headers)
}

/// Returns true if the `Host` is a loopback name or address.
fn is_loopback_host(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<http::uri::Authority>().ok());
    host.is_some_and(|host| {
        let name = host.host();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || address
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.to_canonical().is_loopback())
    })
}

fn is_cross_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.parse::<Uri>().ok());
    let origin = origin.and_then(|origin| origin.authority().map(ToString::to_string));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    origin.as_deref() != host
}

/// The characters to escape in a path: all but those that Starlette leaves as they are in a `Location`. `?`, `#` and `%`
/// stay escaped, since they would end the path or begin an escape.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'=')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';');

/// Normalizes the escapes in a path; `None` if there are none. uvicorn decodes the whole path before routing, so `%2F`
/// separates segments and invalid UTF-8 is replaced; axum routes the path as sent.
pub(crate) fn normalize_path(uri: &Uri) -> Option<Uri> {
    if !uri.path().contains('%') {
        return None;
    }
    let path = percent_decode_str(uri.path()).decode_utf8_lossy();
    let mut normalized = utf8_percent_encode(&path, PATH).to_string();
    if let Some(query) = uri.query() {
        normalized.push('?');
        normalized.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(normalized).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_and_same_origins_are_accepted() {
        let headers = |host: &str, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            headers
        };
        for host in [
            "localhost:3000",
            "LOCALHOST",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:3000",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback_host(&headers(host, None)), "{host}");
        }
        for host in [
            "example.org",
            "localhost.example.org:3000",
            "10.0.0.1",
            "[::2]",
            "",
            "::1",
        ] {
            assert!(!is_loopback_host(&headers(host, None)), "{host}");
        }
        assert!(!is_loopback_host(&HeaderMap::new()));
        let cross = |origin| is_cross_origin(&headers("localhost:3000", origin));
        assert!(!cross(None) && !cross(Some("http://localhost:3000")));
        for origin in [
            "http://localhost:3001",
            "https://example.org",
            "null",
            "x y",
        ] {
            assert!(cross(Some(origin)), "{origin}");
        }
    }
}
