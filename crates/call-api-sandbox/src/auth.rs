//! Bearer authentication.

use std::io;
use std::net::SocketAddr;

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use hmac_sha256::Hash;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue, Uri};

use crate::operations::Auth;
use crate::responses;
use crate::store::TenantId;

/// Replaces a token in a logged request.
const REDACTED: &str = "[redacted]";

/// The reason why the configured tokens cannot be used.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum InvalidToken {
    #[error("the sandbox token is empty; set one of at least one character")]
    Empty,
    /// A header cannot carry it.
    #[error(
        "the sandbox token has a space or a non-ASCII character; use visible ASCII without spaces"
    )]
    NotVisibleAscii,
    #[error("two tenants have the same token; give each tenant its own token")]
    Shared,
    /// The default token, on an address beyond loopback.
    #[error(
        "cannot listen on {0}: other machines could reach it with the default token, which is public; set a token of your own"
    )]
    Public(SocketAddr),
    /// A tenant with calls.
    #[error("the tenant {0:?} has calls and no token")]
    Missing(String),
}

impl From<InvalidToken> for io::Error {
    fn from(error: InvalidToken) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// The accepted Bearer tokens, as hashes, each with its tenant.
#[derive(Default)]
pub(crate) struct Tokens(Vec<([u8; 32], TenantId)>);

impl Tokens {
    /// Returns the only token of a tenant.
    pub(crate) fn of(token: &str, tenant: TenantId) -> Result<Self, InvalidToken> {
        let mut tokens = Self::default();
        tokens.add(token, tenant)?;
        Ok(tokens)
    }

    /// Adds a token. It must be visible ASCII without spaces, so that a header can carry it.
    pub(crate) fn add(&mut self, token: &str, tenant: TenantId) -> Result<(), InvalidToken> {
        check(token)?;
        match self.tenant(token.as_bytes()) {
            Some(other) if other != tenant => Err(InvalidToken::Shared),
            Some(_) => Ok(()),
            None => {
                self.0.push((Hash::hash(token.as_bytes()), tenant));
                Ok(())
            }
        }
    }

    /// Returns the tenant of a token. The time it takes depends neither on the token nor on the tenant.
    fn tenant(&self, token: &[u8]) -> Option<TenantId> {
        let known = self.0.iter().filter(|(hash, _)| Hash::verify(token, hash));
        // All hashes are compared, even after a match, to keep the time constant.
        known.fold(None, |_, (_, tenant)| Some(*tenant))
    }
}

/// Errors if a header cannot carry the token.
pub(crate) fn check(token: &str) -> Result<(), InvalidToken> {
    if token.is_empty() {
        return Err(InvalidToken::Empty);
    }
    match token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(InvalidToken::NotVisibleAscii),
    }
}

/// The reason a request is not authenticated.
#[derive(Debug, PartialEq)]
pub(crate) enum AuthError {
    /// The token is unknown.
    Invalid,
    /// The request has no Bearer token.
    Missing,
}

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid => responses::invalid_token(),
            Self::Missing => responses::not_authenticated(),
        }
    }
}

/// Returns the tenant of a request's token. Follows FastAPI's `HTTPBearer`: the first header counts, the scheme is case
/// insensitive, spaces around the token are ignored.
pub(crate) fn authenticate(headers: &HeaderMap, tokens: &Tokens) -> Result<TenantId, AuthError> {
    let given = headers.get(AUTHORIZATION).and_then(bearer);
    let given = given.ok_or(AuthError::Missing)?;
    tokens.tenant(given).ok_or(AuthError::Invalid)
}

/// Checks the credential of an operation. Returns the tenant of the token, even if none is required. Of basic
/// authentication, and of a scheme beside the token's, any credential is accepted; of several, one suffices.
pub(crate) fn authorize(
    auth: &Auth,
    headers: &HeaderMap,
    uri: &Uri,
    tokens: &Tokens,
) -> Result<Option<TenantId>, AuthError> {
    let known = |credential: Option<&[u8]>| match credential {
        None | Some([]) => Err(AuthError::Missing),
        Some(token) => tokens.tenant(token).map(Some).ok_or(AuthError::Invalid),
    };
    match auth {
        Auth::None => Ok(authenticate(headers, tokens).ok()),
        Auth::Bearer => authenticate(headers, tokens).map(Some),
        Auth::Header(name) => known(headers.get(name.as_str()).map(HeaderValue::as_bytes)),
        Auth::Query(name) => known(query_value(uri, name).as_deref().map(str::as_bytes)),
        Auth::Cookie(name) => known(cookie(headers, name)),
        Auth::Basic => match headers.contains_key(AUTHORIZATION) {
            true => Ok(None),
            false => Err(AuthError::Missing),
        },
        Auth::Scheme { place } => match authorize(place, headers, uri, tokens) {
            Err(AuthError::Invalid) => Ok(None),
            checked => checked,
        },
        Auth::Each(all) => {
            let checked = all.iter().map(|auth| authorize(auth, headers, uri, tokens));
            checked.max_by_key(rank).unwrap_or(Ok(None))
        }
    }
}

/// Orders what the check of several credentials found: one that is valid suffices.
fn rank(checked: &Result<Option<TenantId>, AuthError>) -> u8 {
    match checked {
        Err(AuthError::Missing) => 0,
        Ok(None) => 1,
        // Another scheme may read the same header, and accept any credential.
        Err(AuthError::Invalid) => 2,
        Ok(Some(_)) => 3,
    }
}

/// Returns the first cookie of this name (RFC 6265, section 5.4).
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let lines = headers.get_all(COOKIE).iter();
    let cookies = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    cookies
        .map(<[u8]>::trim_ascii)
        .find_map(|cookie| cookie.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

fn query_value(uri: &Uri, name: &str) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let mut named = pairs.into_iter().filter(|(other, _)| other == name);
    named.next().map(|(_, value)| value)
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = split_scheme(value);
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer") && !token.is_empty()).then_some(token)
}

fn split_scheme(value: &HeaderValue) -> (&[u8], &[u8]) {
    let value = value.as_bytes();
    match value.iter().position(|byte| *byte == b' ') {
        Some(at) => (&value[..at], &value[at + 1..]),
        None => (value, &[]),
    }
}

/// Returns the headers without credentials. The scheme of a Bearer header stays, as it was spelled.
pub(crate) fn redact(headers: &HeaderMap) -> HeaderMap {
    let mut redacted = headers.clone();
    for (name, value) in &mut redacted {
        if name == AUTHORIZATION {
            *value = match bearer(value).and(str::from_utf8(split_scheme(value).0).ok()) {
                Some(scheme) => HeaderValue::try_from(format!("{scheme} {REDACTED}"))
                    .unwrap_or(HeaderValue::from_static(REDACTED)),
                None => HeaderValue::from_static(REDACTED),
            };
        } else if name == COOKIE {
            *value = HeaderValue::from_static(REDACTED);
        }
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn redacted_authorization_keeps_only_the_scheme() {
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
    fn invalid_or_shared_token_is_rejected() {
        let store = Store::default();
        let (one, two) = (store.tenant("one").unwrap(), store.tenant("two").unwrap());
        let mut tokens = Tokens::default();
        for (token, tenant) in [("a-Token.7~+/=", one), ("b", one), ("c", two), ("c", two)] {
            assert_eq!(tokens.add(token, tenant), Ok(()));
        }
        for token in ["", " ", "a b", "a\n", "é", "b"] {
            assert!(tokens.add(token, two).is_err(), "{token:?}");
        }
        let tenant_of = |token: &str| tokens.tenant(token.as_bytes());
        assert_eq!(
            ["b", "c", "d", ""].map(tenant_of),
            [Some(one), Some(two), None, None]
        );
        let kept = format!("{:?}", tokens.0);
        assert!(!kept.contains(&format!("{:?}", b"a-Token.7~+/=")), "{kept}");
    }
}
