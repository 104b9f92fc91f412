//! The state that all clones of a transport share.

use std::sync::Arc;
use std::time::Instant;

use crate::base_url::BaseUrl;
use crate::budget::Budget;
use crate::clients::Clients;
use crate::clock::{Jitter, Time};
use crate::observe::Observer;
use crate::retry::Backoff;
use crate::token::Credentials;

pub(crate) struct Shared {
    pub(crate) base_url: BaseUrl,
    pub(crate) clients: Clients,
    pub(crate) credentials: Credentials,
    pub(crate) backoff: Backoff,
    pub(crate) budget: Budget,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    #[cfg(feature = "rate-limit")]
    pub(crate) rate_limit: Option<crate::rate_limit::Rate>,
    pub(crate) time: Time,
    /// The time at which the transport was built.
    pub(crate) built: Instant,
    pub(crate) jitter: Jitter,
}
