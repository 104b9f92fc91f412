//! The head of a download's response: the request, and the redirects that it follows.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};
use url::{Position, Url};

use super::ended::{Address, Ended};
use super::metadata::text;
use crate::attempt::Limits;
use crate::attempt::classify_http;
use crate::base_url::names_this_machine;
use crate::error::{Phase, RedirectTarget, TransportErrorKind};
use crate::outcome::Outcome;
use crate::request_kind::{AttemptContext, AttemptError};

/// The most redirects that are followed: fewer than browsers and curl follow, and more than any storage needs.
const MOST_REDIRECTS: usize = 5;

/// The part that is requested: from this offset, if the content still has this validator.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) offset: u64,
    pub(super) validator: &'a str,
}

/// Sends the request, follows redirects, and returns the first response that is not a redirect.
pub(super) async fn follow(
    address: &Address,
    part: Option<Part<'_>>,
    context: &AttemptContext<'_>,
    limits: Limits,
) -> Result<reqwest::Response, Ended> {
    let shared = context.shared;
    let mut url = address.url.clone();
    // Credentials are never sent again after a redirect left the API's origin.
    let mut is_to_api = true;
    for _ in 0..=MOST_REDIRECTS {
        is_to_api &= shared.base_url.is_origin_of(&url);
        let client = match is_to_api {
            true => Ok(&context.client.http),
            false => shared.clients.foreign(&url),
        };
        let client = client.map_err(|error| {
            let reason = "the HTTP client for other hosts cannot be built";
            let kind = TransportErrorKind::InvalidOptions { reason };
            let source = Some(Arc::new(error) as _);
            Ended::Final(Outcome::Unsendable, AttemptError { kind, source })
        })?;
        let Some(request) = request(address, &url, is_to_api, part, context) else {
            let kind = TransportErrorKind::InvalidRequest;
            return Err(Ended::Final(Outcome::Unsendable, kind.into()));
        };
        let response = client.execute(request).await.map_err(|error| {
            let (outcome, kind) = classify_http(&error, Phase::Head, 0, limits);
            // The URL has the query, which may be the only credential.
            let source = Some(Arc::new(error.without_url()) as _);
            Ended::Interrupted(outcome, AttemptError { kind, source })
        })?;
        if is_to_api {
            context.client.note_version(response.version());
        }
        let status = response.status();
        let target = match status.as_u16() {
            // A given client may have followed redirects by itself, with the token.
            _ if response.url()[..Position::AfterPath] != url[..Position::AfterPath] => None,
            301 | 302 | 303 | 307 | 308 => text(response.headers(), header::LOCATION)
                .and_then(|location| url.join(location).ok()),
            _ => return Ok(response),
        };
        let Some(target) = target else {
            return Err(not_followed(status, response.url()));
        };
        let insecure = address.allow_insecure_http;
        let is_downgrade = url.scheme() == "https" && target.scheme() != "https";
        if allowed(&target, insecure).is_err() || (is_downgrade && !insecure) {
            return Err(not_followed(status, &target));
        }
        url = target;
    }
    Err(not_followed(StatusCode::FOUND, &url))
}

fn not_followed(status: StatusCode, target: &Url) -> Ended {
    let to = RedirectTarget::of(target.clone());
    let kind = TransportErrorKind::Redirected { status, to };
    Ended::Final(Outcome::Redirected, kind.into())
}

/// Returns the request for `url`. Foreign hosts receive only the required headers.
fn request(
    address: &Address,
    url: &Url,
    is_to_api: bool,
    part: Option<Part<'_>>,
    context: &AttemptContext<'_>,
) -> Option<reqwest::Request> {
    let settings = &context.settings.headers;
    let mut request = reqwest::Request::new(Method::GET, url.clone());
    let headers = request.headers_mut();
    if is_to_api {
        headers.extend(settings.clone());
    } else if let Some(agent) = settings.get(header::USER_AGENT) {
        headers.insert(header::USER_AGENT, agent.clone());
    }
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    // Compressed content could not be resumed.
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    if let Some(Part { offset, validator }) = part {
        headers.insert(header::IF_RANGE, HeaderValue::from_str(validator).ok()?);
        let range = HeaderValue::from_str(&format!("bytes={offset}-")).ok()?;
        headers.insert(header::RANGE, range);
    }
    if is_to_api {
        let credentials = &context.shared.credentials;
        credentials.authorize(context.token, address.operation.auth, &mut request)?;
    }
    Some(request)
}

/// Returns the reason why nothing may be downloaded from that URL, if there is one.
pub(super) fn allowed(url: &Url, allow_insecure_http: bool) -> Result<(), TransportErrorKind> {
    let refuse = |reason| Err(TransportErrorKind::RefusedUrl { reason });
    match url.scheme() {
        "https" => {}
        "http" if allow_insecure_http || names_this_machine(url) => {}
        "http" => return Err(TransportErrorKind::PlainHttp),
        _ => return refuse("it is neither https nor http"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("it contains a user or password");
    }
    Ok(())
}
