//! Who may ask.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

/// What stands in a logged request for a token.
const REDACTED: &str = "[redacted]";

/// A Bearer token that opens the sandbox.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// Takes a token that a header can carry: visible ASCII without spaces.
    pub(crate) fn new(token: String) -> Result<Self, &'static str> {
        if token.is_empty() {
            Err("the sandbox's token is empty; give it at least one character")
        } else if token.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(token))
        } else {
            Err("the sandbox's token has a space or a character that is not ASCII; give it another")
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a request's `Authorization` is worth.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It bears the token.
    Accepted,
    /// It bears another.
    Wrong,
    /// It bears none: there is no such header, it is of another scheme, or nothing follows the scheme.
    Missing,
}

/// Judges as FastAPI's `HTTPBearer` does: the first header counts, the scheme's case and spaces around the token don't.
pub(crate) fn judge(headers: &HeaderMap, token: &Token) -> Verdict {
    let Some(given) = headers.get(AUTHORIZATION).and_then(bearer) else {
        return Verdict::Missing;
    };
    if given == token.as_str().as_bytes() {
        Verdict::Accepted
    } else {
        Verdict::Wrong
    }
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = split(value);
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer") && !token.is_empty()).then_some(token)
}

fn split(value: &HeaderValue) -> (&[u8], &[u8]) {
    let value = value.as_bytes();
    match value.iter().position(|byte| *byte == b' ') {
        Some(at) => (&value[..at], &value[at + 1..]),
        None => (value, &[]),
    }
}

/// The headers without what they let one in with. Of a Bearer header the scheme stays, as it was spelled.
pub(crate) fn redact(headers: &HeaderMap) -> HeaderMap {
    let mut redacted = headers.clone();
    for (name, value) in &mut redacted {
        if name == AUTHORIZATION {
            *value = match bearer(value).and(str::from_utf8(split(value).0).ok()) {
                Some(scheme) => HeaderValue::try_from(format!("{scheme} {REDACTED}"))
                    .unwrap_or(HeaderValue::from_static(REDACTED)),
                None => HeaderValue::from_static(REDACTED),
            };
        }
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_authorization_keeps_its_scheme_only() {
        let redacted = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            headers.append(AUTHORIZATION, HeaderValue::from_static("second"));
            headers.append("x-other", HeaderValue::from_static("kept"));
            let headers = redact(&headers);
            assert_eq!(headers["x-other"], "kept");
            assert_eq!(headers.get_all(AUTHORIZATION).iter().count(), 2);
            assert!(!format!("{headers:?}").contains("second"));
            headers[AUTHORIZATION].to_str().unwrap().to_owned()
        };
        assert_eq!(redacted("Bearer secret"), "Bearer [redacted]");
        assert_eq!(redacted("bearer  secret more"), "bearer [redacted]");
        assert_eq!(redacted("Basic secret"), "[redacted]");
        assert_eq!(redacted("secret"), "[redacted]");
        assert_eq!(redacted("secret more"), "[redacted]");
        assert_eq!(redacted("Bearer"), "[redacted]");
    }

    #[test]
    fn a_token_is_what_a_header_can_carry() {
        assert!(Token::new("a-Token.7~+/=".to_owned()).is_ok());
        for token in ["", " ", "a b", "a\n", "é"] {
            assert!(Token::new(token.to_owned()).is_err(), "{token:?}");
        }
    }
}
