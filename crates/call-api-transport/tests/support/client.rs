//! An HTTP client that a user gives to the transport.

/// Returns a client that follows redirects.
pub(crate) fn following() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    #[cfg(feature = "rustls")]
    let client = client.tls_backend_preconfigured(tls_config(rustls::RootCertStore::empty()));
    client.build().unwrap()
}

/// Returns a TLS configuration of the user's own.
#[cfg(feature = "rustls")]
pub(crate) fn tls_config(roots: rustls::RootCertStore) -> rustls::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}
