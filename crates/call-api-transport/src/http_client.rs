//! The HTTP client: what keeps the token at home, and TLS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::builder::{BuildError, Configure};

/// How long an idle connection is kept: shorter than the 60 s after which common load balancers close theirs, so that
/// few requests meet a dead one.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// What a client is for.
#[derive(Clone, Copy)]
pub(crate) struct ClientProfile {
    pub(crate) https: bool,
    /// Whether `localhost` is asked.
    pub(crate) loopback: bool,
}

pub(crate) fn build(
    reach: ClientProfile,
    connect_timeout: Duration,
    configure: Option<Configure>,
) -> Result<reqwest::Client, BuildError> {
    if cfg!(not(any(feature = "rustls", feature = "native-tls"))) && reach.https {
        return Err(BuildError::NoTls);
    }
    let mut builder = reqwest::Client::builder()
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true);
    if reach.loopback {
        // The name must mean this machine, whatever a resolver says; port 0 stands for the URL's.
        let here = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        let here = here.map(|address| SocketAddr::new(address, 0));
        builder = builder.resolve_to_addrs("localhost", &here);
        if !reach.https {
            // A proxy from the environment would carry the token off this machine in the clear.
            builder = builder.no_proxy();
        }
    }
    #[cfg(feature = "rustls")]
    {
        let tls =
            rustls_config(reach.https).map_err(|error| BuildError::HttpClient(error.into()))?;
        builder = builder.tls_backend_preconfigured(tls);
    }
    if let Some(configure) = configure {
        builder = configure(builder);
    }
    builder
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // It would write every byte that is sent to the log, the token among them.
        .connection_verbose(false)
        // Retries are made here, where they are counted, and nowhere else.
        .retry(reqwest::retry::never())
        .build()
        .map_err(|error| BuildError::HttpClient(error.without_url().into()))
}

/// With its provider named, since reqwest panics where none is installed for the process. The system's roots are loaded
/// only where there will be a handshake: a machine without any can still talk http to itself.
#[cfg(feature = "rustls")]
fn rustls_config(https: bool) -> Result<rustls::ClientConfig, rustls::Error> {
    use rustls_platform_verifier::BuilderVerifierExt as _;

    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?;
    let mut config = if https {
        builder.with_platform_verifier()?.with_no_client_auth()
    } else {
        builder
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
