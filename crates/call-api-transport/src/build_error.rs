//! The error of building a transport.

/// The reason why a transport could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A token must not be sent to the base URL.
    #[error("base URL{} refused: {reason}", given.as_ref().map(|given| format!(" {given:?}")).unwrap_or_default())]
    BaseUrl {
        /// The URL as it was given, without its query; `None` if it may hold a password.
        given: Option<String>,
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// The user agent cannot be sent as a header.
    #[error("the user agent holds a control or non-ASCII character; leave that out")]
    UserAgent,
    /// A setting cannot be used.
    #[error("setting refused: {reason}")]
    Setting {
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// The base URL is https, and neither of the features `rustls` and `native-tls` is compiled in.
    #[error(
        "no TLS is compiled in; enable the feature `rustls` or `native-tls`, or give an own http_client"
    )]
    NoTls,
    /// A root certificate, client certificate or key cannot be used.
    #[error("{what} cannot be used: {reason}; give it in PEM")]
    Certificate {
        /// The setting.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be built.
    #[error(
        "the HTTP client cannot be made; check its TLS settings and the system's certificate store"
    )]
    HttpClient(#[source] Box<dyn std::error::Error + Send + Sync>),
}
