//! The HTTP clients of a transport: one for the API, and others for downloads from foreign hosts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use http::Version;
use url::Url;

use crate::base_url::names_this_machine;
use crate::build_error::BuildError;
use crate::http_client::{ClientProfile, Configure, HttpClientSettings};

/// The client for the API's own origin, with its pool of connections.
pub(crate) struct ApiClient {
    pub(crate) http: reqwest::Client,
    spoke_http2: AtomicBool,
}

impl ApiClient {
    fn new(http: reqwest::Client) -> Arc<Self> {
        Arc::new(Self {
            http,
            spoke_http2: AtomicBool::new(false),
        })
    }

    pub(crate) fn spoke_http2(&self) -> bool {
        self.spoke_http2.load(Ordering::Relaxed)
    }

    pub(crate) fn note_version(&self, version: Version) {
        if version == Version::HTTP_2 && !self.spoke_http2() {
            self.spoke_http2.store(true, Ordering::Relaxed);
        }
    }
}

pub(crate) struct Clients {
    current: RwLock<Arc<ApiClient>>,
    /// Builds requests. It is never replaced, so that it can be borrowed.
    builder: reqwest::Client,
    /// `None` if the client was given.
    settings: Option<(ClientProfile, HttpClientSettings)>,
    foreign: ForeignClients,
}

impl Clients {
    pub(crate) fn new(
        http: reqwest::Client,
        settings: Option<(ClientProfile, HttpClientSettings)>,
        foreign: ForeignClients,
    ) -> Self {
        Self {
            current: RwLock::new(ApiClient::new(http.clone())),
            builder: http,
            settings,
            foreign,
        }
    }

    pub(crate) fn builder(&self) -> &reqwest::Client {
        &self.builder
    }

    pub(crate) fn current(&self) -> Arc<ApiClient> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives further attempts new connections if `timed_out` is still in use and speaks HTTP/2.
    ///
    /// HTTP/1 drops a connection whose request timed out. An HTTP/2 connection stays in the pool, so that the retry would
    /// meet the same frozen connection.
    pub(crate) fn replace(&self, timed_out: &Arc<ApiClient>) {
        let Some((profile, settings)) = &self.settings else {
            return;
        };
        if !timed_out.spoke_http2() {
            return;
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, timed_out)
            && let Ok(http) = settings.build(*profile)
        {
            *current = ApiClient::new(http);
        }
    }

    /// Returns the client for a download from a URL that is not on the API's origin. No setting of the API's client applies
    /// to it: those may carry secrets.
    pub(crate) fn foreign(&self, url: &Url) -> Result<&reqwest::Client, BuildError> {
        self.foreign.get(url)
    }
}

/// The clients for hosts other than the API's, built when they are needed.
pub(crate) struct ForeignClients {
    /// For http to this machine, where a proxy must not see it.
    loopback: OnceLock<reqwest::Client>,
    remote: OnceLock<reqwest::Client>,
    settings: HttpClientSettings,
}

impl ForeignClients {
    pub(crate) fn new(mut settings: HttpClientSettings, configure: Option<Configure>) -> Self {
        settings.configure = configure;
        Self {
            loopback: OnceLock::new(),
            remote: OnceLock::new(),
            settings,
        }
    }

    fn get(&self, url: &Url) -> Result<&reqwest::Client, BuildError> {
        let is_loopback = url.scheme() == "http" && names_this_machine(url);
        let slot = if is_loopback {
            &self.loopback
        } else {
            &self.remote
        };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let built = self.settings.build(ClientProfile {
            https: !is_loopback,
            loopback: true,
        })?;
        Ok(slot.get_or_init(|| built))
    }
}
