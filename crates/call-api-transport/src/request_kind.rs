//! One attempt of a request, as the engine sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::base_url::BaseUrl;
use crate::clients::ApiClient;
use crate::error::TransportErrorKind;
use crate::outcome::Outcome;
use crate::request_summary::RequestSummary;
use crate::retry::{RetryDelay, ServerHint, StopReason};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::token::Token;

/// A request, and the way in which one attempt of it is made.
pub(crate) trait RequestKind: Send {
    type Output: Send;

    /// Errors if the request must not be sent.
    fn check(&self, base_url: &BaseUrl) -> Result<(), TransportErrorKind>;

    /// Returns true if the request goes to the API's own origin. Only there it carries the token, and is subject to the
    /// retry budget, the rate limit and the throttle.
    fn is_to_api(&self) -> bool;

    /// Returns true if the request may be sent twice. Runs before the first attempt.
    fn is_repeatable(&self, settings: &Settings) -> bool;

    /// Returns true if the body of the request was a stream, which was consumed.
    fn body_is_gone(&self) -> bool;

    /// Makes one attempt.
    ///
    /// # Errors
    /// If nothing could be sent.
    fn attempt(
        &mut self,
        context: &AttemptContext<'_>,
    ) -> impl Future<Output = Result<AttemptEnd<Self::Output>, AttemptError>> + Send;

    /// Returns the description of the request for the attempt log.
    fn summary(&self) -> Arc<RequestSummary>;
}

/// The context of an attempt.
pub(crate) struct AttemptContext<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) settings: &'a Settings,
    pub(crate) client: &'a ApiClient,
    pub(crate) token: Option<&'a Token>,
    /// The start of the request.
    pub(crate) started: Instant,
    /// The start of the attempt.
    pub(crate) begun: Instant,
    /// The rest of the deadline at the start of the attempt.
    pub(crate) left_at_start: Duration,
}

impl AttemptContext<'_> {
    /// Returns the rest of the deadline.
    pub(crate) fn left(&self) -> Duration {
        let now = self.shared.time.now();
        self.settings
            .left(now.saturating_duration_since(self.started))
    }
}

/// The end of an attempt.
pub(crate) struct AttemptEnd<T> {
    pub(crate) outcome: Outcome,
    /// A response of any status, or an error.
    pub(crate) result: Result<T, AttemptError>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) request_id: Option<String>,
    pub(crate) body_bytes: u64,
    pub(crate) hint: ServerHint,
    pub(crate) next: Next,
}

/// The step after an attempt.
pub(crate) enum Next {
    /// According to the table of outcomes.
    ByOutcome,
    /// According to the table of outcomes for a first attempt: this one has received a part of the content.
    AfterProgress,
    /// Another attempt after this delay.
    Retry(RetryDelay),
    /// No further attempt.
    Stop(StopReason),
}

pub(crate) type Source = Option<Arc<dyn std::error::Error + Send + Sync>>;

/// The reason why there is no response.
pub(crate) struct AttemptError {
    pub(crate) kind: TransportErrorKind,
    pub(crate) source: Source,
}

impl From<TransportErrorKind> for AttemptError {
    fn from(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }
}
