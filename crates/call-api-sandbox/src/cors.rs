//! Cross-origin resource sharing: which web pages may read responses.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

/// The allowed origins; none by default.
#[derive(Debug, Default)]
pub(crate) struct Cors(Vec<HeaderValue>);

impl Cors {
    pub(crate) fn new(origins: Vec<String>) -> Result<Self, String> {
        let parse = |origin: String| {
            let url = origin.parse::<http::Uri>().ok();
            let is_origin = url.is_some_and(|url| {
                url.scheme().is_some() && url.path() == "/" && !origin.ends_with('/')
            });
            match HeaderValue::try_from(&origin) {
                Ok(value) if is_origin || origin == "*" => Ok(value),
                _ => Err(format!(
                    "{origin:?} is not an origin; use one such as http://localhost:5173, or *"
                )),
            }
        };
        origins
            .into_iter()
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns the value of `Access-Control-Allow-Origin` for a request from an allowed origin.
    pub(crate) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        let mut allowed = self.0.iter();
        allowed
            .find(|allowed| *allowed == origin || *allowed == "*")
            .map(|_| origin.clone())
    }

    /// Returns the response to a preflight request, if this is one.
    pub(crate) fn preflight(request: &Request) -> Option<Response> {
        let headers = request.headers();
        let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        if request.method() != Method::OPTIONS {
            return None;
        }
        let mut response = StatusCode::NO_CONTENT.into_response();
        let allowed = response.headers_mut();
        allowed.insert(ACCESS_CONTROL_ALLOW_METHODS, method.clone());
        if let Some(names) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            allowed.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        allowed.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        Some(response)
    }

    /// Lets the page read a response.
    pub(crate) fn allow(origin: HeaderValue, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_a_scheme_and_no_path() {
        let is_valid = |origin: &str| Cors::new(vec![origin.to_owned()]).is_ok();
        for origin in ["http://localhost:5173", "https://app.example", "*"] {
            assert!(is_valid(origin), "{origin}");
        }
        for origin in [
            "",
            "localhost:5173",
            "https://app.example/",
            "https://app.example/a",
            "null",
        ] {
            assert!(!is_valid(origin), "{origin}");
        }
    }
}
