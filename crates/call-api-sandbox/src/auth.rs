//! Who may ask.

use axum::response::{IntoResponse, Response};
use hmac_sha256::Hash;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use crate::answer;
use crate::store::TenantId;

/// What stands in a logged request for a token.
const REDACTED: &str = "[redacted]";

/// The Bearer tokens that open the sandbox, as their hashes, and whose calls each shows.
#[derive(Default)]
pub(crate) struct Tokens(Vec<([u8; 32], TenantId)>);

impl Tokens {
    /// Adds a token that a header can carry: visible ASCII without spaces.
    pub(crate) fn add(&mut self, token: &str, tenant: TenantId) -> Result<(), &'static str> {
        if token.is_empty() {
            return Err("the sandbox's token is empty; give it at least one character");
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "the sandbox's token has a space or a character that is not ASCII; give it another",
            );
        }
        match self.tenant(token.as_bytes()) {
            Some(other) if other != tenant => {
                Err("two tenants have the same token; give each its own")
            }
            Some(_) => Ok(()),
            None => {
                self.0.push((Hash::hash(token.as_bytes()), tenant));
                Ok(())
            }
        }
    }

    /// Whose token it is. How long that takes says nothing of how near a wrong one comes, nor whose it is.
    fn tenant(&self, token: &[u8]) -> Option<TenantId> {
        let known = self.0.iter().filter(|(hash, _)| Hash::verify(token, hash));
        // Each is looked at, also after the right one.
        known.fold(None, |_, (_, tenant)| Some(*tenant))
    }
}

/// Why a request is refused.
#[derive(Debug, PartialEq)]
pub(crate) enum Refused {
    /// Its token is nobody's.
    Wrong,
    /// It bears none: there is no such header, it is of another scheme, or nothing follows the scheme.
    Missing,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Wrong => answer::wrong_token(),
            Self::Missing => answer::not_authenticated(),
        }
    }
}

/// Whose token the request bears. Judges as FastAPI's `HTTPBearer` does: the first header counts, the scheme's case and
/// spaces around the token don't.
pub(crate) fn judge(headers: &HeaderMap, tokens: &Tokens) -> Result<TenantId, Refused> {
    let given = headers.get(AUTHORIZATION).and_then(bearer);
    let given = given.ok_or(Refused::Missing)?;
    tokens.tenant(given).ok_or(Refused::Wrong)
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
    use crate::store::Store;

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
    fn a_token_is_what_a_header_can_carry_and_one_tenant_s() {
        let store = Store::default();
        let (one, two) = (store.tenant("one").unwrap(), store.tenant("two").unwrap());
        let mut tokens = Tokens::default();
        for (token, tenant) in [("a-Token.7~+/=", one), ("b", one), ("c", two), ("c", two)] {
            assert_eq!(tokens.add(token, tenant), Ok(()));
        }
        for token in ["", " ", "a b", "a\n", "é", "b"] {
            assert!(tokens.add(token, two).is_err(), "{token:?}");
        }
        let whose = |token: &str| tokens.tenant(token.as_bytes());
        assert_eq!(
            ["b", "c", "d", ""].map(whose),
            [Some(one), Some(two), None, None]
        );
        let kept = format!("{:?}", tokens.0);
        assert!(!kept.contains(&format!("{:?}", b"a-Token.7~+/=")), "{kept}");
    }
}
