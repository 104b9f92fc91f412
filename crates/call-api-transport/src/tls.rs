//! TLS settings: the roots that are trusted and the certificate of the client.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::build_error::BuildError;

/// Roots and client certificate, in PEM.
#[derive(Clone, Default)]
pub(crate) struct TlsSettings {
    pub(crate) roots: Vec<Vec<u8>>,
    /// True if the roots of the system are not trusted.
    pub(crate) only_given_roots: bool,
    pub(crate) identity: Option<ClientIdentity>,
}

/// The certificate chain of the client and its private key, in PEM.
#[derive(Clone)]
#[cfg_attr(
    not(any(feature = "rustls", feature = "native-tls")),
    allow(dead_code, reason = "without TLS, an identity is refused unread")
)]
pub(crate) struct ClientIdentity {
    pub(crate) chain: Vec<u8>,
    pub(crate) key: Arc<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("roots", &self.roots.len())
            .field("only_given_roots", &self.only_given_roots)
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

fn refused(what: &'static str, reason: impl ToString) -> BuildError {
    BuildError::Certificate {
        what,
        reason: reason.to_string(),
    }
}

const ROOT: &str = "a root certificate";
const IDENTITY: &str = "the client certificate";

impl TlsSettings {
    /// Returns true if nothing was set.
    pub(crate) fn is_default(&self) -> bool {
        self.roots.is_empty() && !self.only_given_roots && self.identity.is_none()
    }

    /// Adds the settings to a client that speaks https. A client for http gets none, so that a machine without any roots
    /// can still talk to itself.
    #[cfg(feature = "rustls")]
    pub(crate) fn apply(
        &self,
        builder: reqwest::ClientBuilder,
        https: bool,
    ) -> Result<reqwest::ClientBuilder, BuildError> {
        Ok(builder.tls_backend_preconfigured(self.rustls_config(https)?))
    }

    /// Names the crypto provider, since reqwest panics if none is installed for the process.
    #[cfg(feature = "rustls")]
    fn rustls_config(&self, https: bool) -> Result<rustls::ClientConfig, BuildError> {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};

        let tls = |error: rustls::Error| BuildError::HttpClient(Arc::new(error));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let time = Arc::new(SystemClock);
        let builder = rustls::ClientConfig::builder_with_details(Arc::clone(&provider), time)
            .with_safe_default_protocol_versions()
            .map_err(tls)?;
        let mut roots = Vec::new();
        for pem in &self.roots {
            let before = roots.len();
            for root in CertificateDer::pem_slice_iter(pem) {
                roots.push(root.map_err(|error| refused(ROOT, error))?);
            }
            if roots.len() == before {
                return Err(refused(ROOT, "there is no certificate in it"));
            }
        }
        let mut given = rustls::RootCertStore::empty();
        for root in &roots {
            given
                .add(root.clone())
                .map_err(|error| refused(ROOT, error))?;
        }
        let builder = if https && !self.only_given_roots {
            // With additional roots, the verifier accepts a system without any.
            let verifier =
                rustls_platform_verifier::Verifier::new_with_extra_roots(roots, provider)
                    .map_err(tls)?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
        } else {
            builder.with_root_certificates(given)
        };
        let mut config = match &self.identity {
            Some(ClientIdentity { chain, key }) => {
                let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
                    .collect::<Result<_, _>>()
                    .map_err(|error| refused(IDENTITY, error))?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|error| refused("the key of the client certificate", error))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| refused(IDENTITY, error))?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    #[cfg(all(feature = "native-tls", not(feature = "rustls")))]
    pub(crate) fn apply(
        &self,
        mut builder: reqwest::ClientBuilder,
        _: bool,
    ) -> Result<reqwest::ClientBuilder, BuildError> {
        let mut roots = Vec::new();
        for pem in &self.roots {
            let root = reqwest::Certificate::from_pem(pem).map_err(|error| refused(ROOT, error))?;
            roots.push(root);
        }
        builder = if self.only_given_roots {
            builder.tls_certs_only(roots)
        } else if roots.is_empty() {
            builder
        } else {
            builder.tls_certs_merge(roots)
        };
        if let Some(ClientIdentity { chain, key }) = &self.identity {
            let identity = reqwest::Identity::from_pkcs8_pem(chain, key)
                .map_err(|error| refused(IDENTITY, error))?;
            builder = builder.identity(identity);
        }
        Ok(builder)
    }

    #[cfg(not(any(feature = "rustls", feature = "native-tls")))]
    pub(crate) fn apply(
        &self,
        builder: reqwest::ClientBuilder,
        _: bool,
    ) -> Result<reqwest::ClientBuilder, BuildError> {
        match (&self.roots[..], &self.identity) {
            ([], None) => Ok(builder),
            ([_, ..], _) => Err(refused(ROOT, "no TLS is compiled in")),
            ([], Some(_)) => Err(refused(IDENTITY, "no TLS is compiled in")),
        }
    }
}

/// The clock that certificates are compared with. That of rustls panics before 1970, where a machine without a battery
/// may start; without a time, a handshake fails.
#[cfg(feature = "rustls")]
#[derive(Debug)]
struct SystemClock;

#[cfg(feature = "rustls")]
impl rustls::time_provider::TimeProvider for SystemClock {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        unix_time(std::time::SystemTime::now())
    }
}

#[cfg(feature = "rustls")]
fn unix_time(time: std::time::SystemTime) -> Option<rustls::pki_types::UnixTime> {
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(rustls::pki_types::UnixTime::since_unix_epoch(since))
}

#[cfg(all(test, feature = "rustls"))]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use rustls::pki_types::UnixTime;

    use super::unix_time;

    #[test]
    fn time_before_1970_is_no_unix_time() {
        let second = Duration::from_secs(1);
        assert_eq!(unix_time(UNIX_EPOCH - second), None);
        let after = unix_time(UNIX_EPOCH + second);
        assert_eq!(after, Some(UnixTime::since_unix_epoch(second)));
    }
}
