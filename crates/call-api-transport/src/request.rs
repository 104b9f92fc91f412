//! The request of an operation, whose response is buffered or streamed.

use std::sync::Arc;

use http::{HeaderValue, Method, Version, header};

use crate::attempt::{
    Limits, ReceiveError, Received, ReceivedResponse, hide_secrets, receive, settle,
};
use crate::base_url::BaseUrl;
use crate::error::{Limit, TransportErrorKind};
use crate::operation::Operation;
use crate::outcome::Outcome;
use crate::redact::Secrets;
use crate::request_kind::{AttemptContext, AttemptEnd, AttemptError, RequestKind};
use crate::request_summary::RequestSummary;
use crate::retry::{IDEMPOTENCY_KEY, ServerHint, is_repeatable};
use crate::settings::Settings;

pub(crate) struct ApiRequest<'a> {
    operation: &'a Operation,
    /// The request as it was given, without the token and the headers of the transport, until an attempt takes it. Kept
    /// for further attempts only if it has a body.
    given: Option<reqwest::Request>,
    /// The rest of it, for the log and for further attempts.
    summary: Arc<RequestSummary>,
    version: Version,
    /// True if the body was a stream, which went with the first attempt.
    body_is_gone: bool,
    is_streamed: fn(u16) -> bool,
}

impl<'a> ApiRequest<'a> {
    #[inline]
    pub(crate) fn new(
        operation: &'a Operation,
        request: reqwest::Request,
        summary: Arc<RequestSummary>,
        is_streamed: fn(u16) -> bool,
    ) -> Self {
        Self {
            operation,
            version: request.version(),
            given: Some(request),
            summary,
            body_is_gone: false,
            is_streamed,
        }
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn span(&self) -> tracing::Span {
        let summary = &self.summary;
        crate::observe::request_span(self.operation, &summary.method, &summary.url)
    }

    /// Returns a request that has no body once more. The check of its URL ensures that the log has all of that.
    fn without_body(&self) -> reqwest::Request {
        let summary = &self.summary;
        let mut request = reqwest::Request::new(summary.method.clone(), summary.url.clone());
        *request.version_mut() = self.version;
        for (name, value) in &summary.headers {
            request.headers_mut().append(name, value.clone());
        }
        request
    }

    /// Returns the request with the headers of the transport and the token; `None` if the token fits into no header.
    fn complete(&mut self, context: &AttemptContext<'_>) -> Option<reqwest::Request> {
        let mut copy = None;
        if let Some(given) = &self.given
            && given.body().is_some()
        {
            copy = given.try_clone();
            self.body_is_gone = copy.is_none();
        }
        if self.given.is_none() {
            self.given = Some(self.without_body());
        }
        // Completed in place: a request is large.
        let request = self.given.as_mut()?;
        if request.timeout().is_some() {
            // It could not be distinguished from other timeouts.
            *request.timeout_mut() = None;
        }
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
        let credentials = &context.shared.credentials;
        credentials.authorize(context.token, self.operation.auth, request)?;
        match copy {
            Some(_) => std::mem::replace(&mut self.given, copy),
            None => self.given.take(),
        }
    }
}

impl RequestKind for ApiRequest<'_> {
    type Output = ReceivedResponse;

    fn check(&self, base_url: &BaseUrl) -> Result<(), TransportErrorKind> {
        let checked = match &self.given {
            Some(given) => base_url.check(given.url(), self.operation.path),
            None => Err("it cannot be sent a second time"),
        };
        checked.map_err(|reason| TransportErrorKind::RefusedUrl { reason })
    }

    fn is_to_api(&self) -> bool {
        true
    }

    fn is_repeatable(&self, settings: &Settings) -> bool {
        let given = self.given.as_ref();
        given.is_some_and(|given| is_repeatable(given.method(), given.headers()))
            || settings.headers.contains_key(IDEMPOTENCY_KEY)
    }

    fn body_is_gone(&self) -> bool {
        self.body_is_gone
    }

    async fn attempt(
        &mut self,
        context: &AttemptContext<'_>,
    ) -> Result<AttemptEnd<ReceivedResponse>, AttemptError> {
        let settings = context.settings;
        let left = context.left_at_start;
        let mut received = Received::default();
        let ended = {
            let Some(request) = self.complete(context) else {
                return Err(TransportErrorKind::InvalidRequest.into());
            };
            // Pinned here, because the future of the limit would have room for it twice.
            let receiving = std::pin::pin!(receive(
                context.client.http.execute(request),
                context.client,
                &self.summary.url,
                self.is_streamed,
                settings.body_limit,
                &mut received,
            ));
            let limit = settings.attempt_timeout.min(left);
            let limited = (context.shared.time)
                .limit(context.begun, limit, receiving)
                .await;
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
        let auth = self.operation.auth;
        if (context.token.is_some() || !auth.others().is_empty())
            && (end.outcome != Outcome::Success || end.request_id.is_some())
        {
            let credentials = &context.shared.credentials;
            hide_secrets(&mut end, &Secrets::of(context.token, auth, credentials));
        }
        if let Ok(response) = &end.result
            && end.outcome != Outcome::Success
        {
            let now = || context.shared.time.system_now();
            end.hint = ServerHint::read(&response.headers, now);
        }
        Ok(end)
    }

    fn summary(&self) -> Arc<RequestSummary> {
        Arc::clone(&self.summary)
    }
}
