//! The request of an operation, whose response is buffered or streamed.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::attempt::{
    Limits, ReceiveError, Received, ReceivedResponse, hide_secrets, receive, settle,
};
use crate::base_url::BaseUrl;
use crate::error::{Limit, TransportErrorKind};
use crate::operation::Operation;
use crate::outcome::Outcome;
use crate::redact::Secrets;
use crate::request_kind::{AttemptContext, AttemptEnd, AttemptError, RequestKind, RequestSummary};
use crate::retry::{IDEMPOTENCY_KEY, ServerHint, is_repeatable};
use crate::settings::Settings;

pub(crate) struct ApiRequest<'a> {
    operation: &'a Operation,
    /// The request as it was given, of which the headers and the body move into the attempt. It has neither the token nor
    /// the headers of the transport.
    request: reqwest::Request,
    /// The headers of a request that was sent: a list is copied sooner than a map.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// True if the body was a stream, which went with the first attempt.
    body_is_gone: bool,
    settings: Arc<Settings>,
    is_streamed: fn(u16) -> bool,
}

impl<'a> ApiRequest<'a> {
    pub(crate) fn new(
        operation: &'a Operation,
        request: reqwest::Request,
        settings: Arc<Settings>,
        is_streamed: fn(u16) -> bool,
    ) -> Self {
        Self {
            operation,
            request,
            headers: Vec::new(),
            body_is_gone: false,
            settings,
            is_streamed,
        }
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn span(&self) -> tracing::Span {
        crate::observe::request_span(self.operation, self.request.method(), self.request.url())
    }

    /// Returns the request as it was given, and keeps a copy for another attempt: the original has room for more headers.
    /// Removes reqwest's own timeout, which could not be distinguished from others.
    fn as_given(&mut self) -> reqwest::Request {
        let given = &mut self.request;
        for (name, value) in self.headers.drain(..) {
            given.headers_mut().append(name, value);
        }
        if given.timeout().is_some() {
            *given.timeout_mut() = None;
        }
        if given.body().is_some() {
            if let Some(copy) = given.try_clone() {
                return std::mem::replace(given, copy);
            }
            self.body_is_gone = true;
        }
        let mut request = reqwest::Request::new(given.method().clone(), given.url().clone());
        *request.version_mut() = given.version();
        self.headers = pairs(given.headers()).collect();
        std::mem::swap(given, &mut request);
        request
    }

    /// Returns the request with the headers of the transport and the token; `None` if the token fits into no header.
    fn complete(&mut self, context: &AttemptContext<'_>) -> Option<reqwest::Request> {
        let mut request = self.as_given();
        // With room for the token's and those that HTTP adds, so that the map grows once.
        let headers = request.headers_mut();
        headers.reserve(context.settings.headers.len() + 3);
        context.settings.add_headers(headers);
        // A server may take a request of these methods without a length for one without an end (RFC 9110, section 8.6).
        if request.body().is_none()
            && [Method::POST, Method::PUT, Method::PATCH].contains(request.method())
        {
            let headers = request.headers_mut();
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(token) = context.token {
            token.authorize(self.operation.auth, &mut request)?;
        }
        Some(request)
    }
}

impl RequestKind for ApiRequest<'_> {
    type Output = ReceivedResponse;

    fn check(&self, base_url: &BaseUrl) -> Result<(), TransportErrorKind> {
        let checked = base_url.check(self.request.url(), self.operation.path);
        checked.map_err(|reason| TransportErrorKind::RefusedUrl { reason })
    }

    fn is_to_api(&self) -> bool {
        true
    }

    fn is_repeatable(&self, settings: &Settings) -> bool {
        is_repeatable(self.request.method(), self.request.headers())
            || settings.headers.contains_key(IDEMPOTENCY_KEY)
    }

    fn body_is_gone(&self) -> bool {
        self.body_is_gone
    }

    async fn attempt(
        &mut self,
        context: &AttemptContext<'_>,
    ) -> Result<AttemptEnd<ReceivedResponse>, AttemptError> {
        let Some(request) = self.complete(context) else {
            return Err(TransportErrorKind::InvalidRequest.into());
        };
        let settings = context.settings;
        let left = context.left();
        let mut received = Received::default();
        let ended = {
            let receiving = receive(
                context.client.http.execute(request),
                context.client,
                self.request.url(),
                self.is_streamed,
                settings.body_limit,
                &mut received,
            );
            let limit = settings.attempt_timeout.min(left);
            let limited = context.shared.time.limit(limit, receiving).await;
            limited.unwrap_or_else(|_| {
                let is_deadline = left <= settings.attempt_timeout;
                Err(ReceiveError::TimedOut(match is_deadline {
                    true => Limit::Deadline,
                    false => Limit::Attempt,
                }))
            })
        };
        let limits = Limits {
            attempt: settings.attempt_timeout,
            deadline: settings.deadline,
            body: settings.body_limit,
        };
        let mut end = settle(received, ended, self.is_streamed, limits);
        if let Some(token) = context.token
            && (end.outcome != Outcome::Success || end.request_id.is_some())
        {
            hide_secrets(&mut end, &Secrets::of(token, self.operation.auth));
        }
        if let Ok(response) = &end.result
            && end.outcome != Outcome::Success
        {
            let now = || context.shared.time.system_now();
            end.hint = ServerHint::read(&response.headers, now);
        }
        Ok(end)
    }

    fn summary(&mut self) -> RequestSummary {
        // The headers of a request that was never sent, or that has a body, are where they were.
        let mut headers = std::mem::take(&mut self.headers);
        headers.extend(pairs(self.request.headers()));
        RequestSummary {
            auth: self.operation.auth,
            method: self.request.method().clone(),
            url: self.request.url().clone(),
            headers,
            has_body: self.body_is_gone || self.request.body().is_some(),
            settings: Arc::clone(&self.settings),
        }
    }
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let headers = headers.iter();
    headers.map(|(name, value)| (name.clone(), value.clone()))
}
