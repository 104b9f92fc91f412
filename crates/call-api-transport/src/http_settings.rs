//! Settings of the HTTP client that users may change.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Settings of an HTTP client that a transport makes, as
/// [`configure_http`](crate::TransportBuilder::configure_http) passes them on.
///
/// These are settings of [`reqwest::ClientBuilder`]. Those that the transport would have to ignore are missing: what keeps
/// the token on the API's origin cannot be changed, and roots, client certificates, timeouts, headers and pings are
/// settings of the [`TransportBuilder`](crate::TransportBuilder).
#[derive(Debug)]
#[must_use = "settings do nothing until they are returned"]
pub struct HttpSettings {
    pub(crate) builder: reqwest::ClientBuilder,
    pub(crate) has_tls_config: bool,
}

impl HttpSettings {
    /// Adds a proxy. The first that intercepts a URL is used, and none from the environment.
    pub fn proxy(mut self, proxy: reqwest::Proxy) -> Self {
        self.builder = self.builder.proxy(proxy);
        self
    }

    /// Uses no proxy, also none from the environment.
    pub fn no_proxy(mut self) -> Self {
        self.builder = self.builder.no_proxy();
        self
    }

    /// Resolves a host to an address. Port 0 stands for the URL's. `localhost` remains this machine.
    pub fn resolve(mut self, host: &str, address: SocketAddr) -> Self {
        self.builder = self.builder.resolve(host, address);
        self
    }

    /// Resolves a host to several addresses. Port 0 stands for the URL's. `localhost` remains this machine.
    pub fn resolve_to_addrs(mut self, host: &str, addresses: &[SocketAddr]) -> Self {
        self.builder = self.builder.resolve_to_addrs(host, addresses);
        self
    }

    /// Resolves all other hosts with `resolver`.
    pub fn dns_resolver(mut self, resolver: Arc<impl reqwest::dns::Resolve + 'static>) -> Self {
        self.builder = self.builder.dns_resolver(resolver);
        self
    }

    /// Connects from a local address.
    pub fn local_address(mut self, address: Option<IpAddr>) -> Self {
        self.builder = self.builder.local_address(address);
        self
    }

    /// Connects through a network interface.
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    pub fn interface(mut self, name: &str) -> Self {
        self.builder = self.builder.interface(name);
        self
    }

    /// Sets the time that an idle connection is kept; by default 20 s. `None` keeps it until the service closes it.
    pub fn pool_idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.builder = self.builder.pool_idle_timeout(timeout);
        self
    }

    /// Sets how many idle connections a host may have.
    pub fn pool_max_idle_per_host(mut self, connections: usize) -> Self {
        self.builder = self.builder.pool_max_idle_per_host(connections);
        self
    }

    /// Sets the time after which the system probes an idle TCP connection.
    pub fn tcp_keepalive(mut self, idle: Option<Duration>) -> Self {
        self.builder = self.builder.tcp_keepalive(idle);
        self
    }

    /// Uses HTTP/1 only.
    pub fn http1_only(mut self) -> Self {
        self.builder = self.builder.http1_only();
        self
    }

    /// Uses HTTP/2 without asking the server, also over plain http.
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    pub fn http2_prior_knowledge(mut self) -> Self {
        self.builder = self.builder.http2_prior_knowledge();
        self
    }

    /// Sets the HTTP/2 window of a stream, in bytes.
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    pub fn http2_initial_stream_window_size(mut self, bytes: Option<u32>) -> Self {
        self.builder = self.builder.http2_initial_stream_window_size(bytes);
        self
    }

    /// Sets the HTTP/2 window of a connection, in bytes.
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    pub fn http2_initial_connection_window_size(mut self, bytes: Option<u32>) -> Self {
        self.builder = self.builder.http2_initial_connection_window_size(bytes);
        self
    }

    /// Adapts the HTTP/2 windows to the connection, in place of the sizes set.
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    pub fn http2_adaptive_window(mut self, adaptive: bool) -> Self {
        self.builder = self.builder.http2_adaptive_window(adaptive);
        self
    }

    /// Sets the whole TLS configuration: a `rustls::ClientConfig` or a `native_tls::TlsConnector`, of the version that
    /// reqwest uses. For the API's client, roots or a client certificate of the
    /// [`TransportBuilder`](crate::TransportBuilder) beside it are refused.
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    pub fn tls_config(mut self, config: impl std::any::Any) -> Self {
        self.builder = self.builder.tls_backend_preconfigured(config);
        self.has_tls_config = true;
        self
    }
}
