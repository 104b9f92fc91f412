//! An HTTP client that a user gives to the transport.

/// Returns a client that follows redirects.
pub(crate) fn following() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    #[cfg(feature = "rustls")]
    let client = {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        client.tls_backend_preconfigured(config)
    };
    client.build().unwrap()
}
