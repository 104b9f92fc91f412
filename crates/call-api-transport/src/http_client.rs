//! Construction of HTTP clients: protection of the token, timeouts, pings and TLS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::build_error::BuildError;
use crate::http_settings::HttpSettings;
use crate::tls::TlsSettings;

/// The time that an idle connection is kept: less than the 60 s after which common load balancers close theirs, so that
/// few requests meet a closed one.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// Changes the settings of an HTTP client.
pub(crate) type Configure = Arc<dyn Fn(HttpSettings) -> HttpSettings + Send + Sync>;

/// The hosts that a client connects to.
#[derive(Clone, Copy)]
pub(crate) struct ClientProfile {
    pub(crate) https: bool,
    /// True for requests to `localhost`.
    pub(crate) loopback: bool,
}

/// The settings of HTTP clients that the transport builds itself.
#[derive(Clone)]
pub(crate) struct HttpClientSettings {
    pub(crate) connect_timeout: Duration,
    /// The interval of HTTP/2 pings and the timeout of their answers.
    #[cfg_attr(
        not(any(feature = "rustls", feature = "native-tls")),
        allow(dead_code, reason = "HTTP/2 is compiled in with TLS")
    )]
    pub(crate) pings: Option<(Duration, Duration)>,
    pub(crate) tls: TlsSettings,
    /// True if no other client uses the roots in `tls`, so that a TLS configuration in their place is a mistake.
    pub(crate) tls_is_own: bool,
    pub(crate) configure: Option<Configure>,
}

impl HttpClientSettings {
    pub(crate) fn build(&self, profile: ClientProfile) -> Result<reqwest::Client, BuildError> {
        if cfg!(not(any(feature = "rustls", feature = "native-tls"))) && profile.https {
            return Err(BuildError::NoTls);
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .tcp_nodelay(true);
        if profile.loopback && !profile.https {
            // A proxy from the environment would send the token to another machine in plain text.
            builder = builder.no_proxy();
        }
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        if let Some((interval, timeout)) = self.pings {
            builder = builder
                .http2_keep_alive_interval(interval)
                .http2_keep_alive_timeout(timeout)
                // Otherwise a frozen idle connection would be used for the next request.
                .http2_keep_alive_while_idle(true);
        }
        #[cfg(feature = "gzip")]
        {
            builder = builder.default_headers(crate::decompress::accepted());
        }
        builder = self.tls.apply(builder, profile.https)?;
        if let Some(configure) = &self.configure {
            let configured = configure(HttpSettings {
                builder,
                has_tls_config: false,
            });
            if configured.has_tls_config && self.tls_is_own && !self.tls.is_default() {
                let reason = "the TLS configuration of `configure_http` has its own roots and client certificate";
                return Err(BuildError::Setting { reason });
            }
            builder = configured.builder;
        }
        if profile.loopback {
            // The name must not be resolved to another machine; port 0 stands for the URL's.
            let here = [
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ];
            let here = here.map(|address| SocketAddr::new(address, 0));
            builder = builder.resolve_to_addrs("localhost", &here);
        }
        builder
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // The transport decompresses; another crate may have enabled reqwest's decoders.
            .no_gzip()
            .no_brotli()
            // Retries are counted by the engine, which also repeats what a GOAWAY left unprocessed.
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| BuildError::HttpClient(Arc::new(error.without_url())))
    }
}
