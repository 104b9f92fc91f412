//! The description of a request in the attempt log.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};
use url::Url;

use crate::operation::{Auth, Operation};
use crate::redact::loggable;
use crate::settings::Settings;

/// The description of a request.
pub(crate) struct RequestSummary {
    pub(crate) auth: Auth,
    pub(crate) method: Method,
    /// Without credentials.
    pub(crate) url: Url,
    /// Those of the request; `settings` has more. They are merged on demand.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) has_body: bool,
    pub(crate) settings: Arc<Settings>,
}

impl RequestSummary {
    #[inline]
    pub(crate) fn of(
        operation: &Operation,
        request: &reqwest::Request,
        settings: Arc<Settings>,
    ) -> Arc<Self> {
        let headers = request.headers().iter();
        Arc::new(Self {
            auth: operation.auth,
            method: request.method().clone(),
            url: loggable(request.url()),
            headers: headers
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            has_body: request.body().is_some(),
            settings,
        })
    }
}
