//! Webhooks: requests to a receiver when the status of a call changes.

mod changes;
mod queue;
mod request;

use std::fmt;
use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;

pub(crate) use changes::Webhooks;
pub use queue::{WebhookDelivery, WebhookOutcome};

/// The default of [`Webhook::retry_delays`].
const RETRY_DELAYS: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// The default of [`Webhook::timeout`].
const TIMEOUT: Duration = Duration::from_secs(5);

/// A receiver of webhooks: see [`SandboxBuilder::webhook`](crate::SandboxBuilder::webhook).
///
/// ```
/// use call_api_sandbox::{InvalidWebhook, Webhook};
///
/// fn main() -> Result<(), InvalidWebhook> {
///     let webhook = Webhook::new("http://127.0.0.1:8080/webhooks")?
///         .secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Webhook {
    url: Uri,
    secret: Option<Vec<u8>>,
    retry_delays: Vec<Duration>,
    timeout: Duration,
}

impl Webhook {
    /// Returns a receiver at this URL, which must be plain http.
    ///
    /// # Errors
    /// [`InvalidWebhook`] if it is not a URL, has credentials, or is not plain http.
    pub fn new(url: impl AsRef<str>) -> Result<Self, InvalidWebhook> {
        let url: Uri = url.as_ref().parse().map_err(|_| InvalidWebhook::Url)?;
        let authority = url.authority().ok_or(InvalidWebhook::Url)?;
        if authority.as_str().contains('@') {
            return Err(InvalidWebhook::Credentials);
        }
        // A port that is not a number, or too large, is none.
        if authority.port().is_none() && authority.as_str() != authority.host() {
            return Err(InvalidWebhook::Url);
        }
        match url.scheme_str() {
            Some("http") if !authority.host().is_empty() => {}
            Some("https") => return Err(InvalidWebhook::Https),
            _ => return Err(InvalidWebhook::Url),
        }
        Ok(Self {
            url,
            secret: None,
            retry_delays: RETRY_DELAYS.to_vec(),
            timeout: TIMEOUT,
        })
    }

    /// Signs requests with this secret: Base64, with or without `whsec_` before it. Without a secret, requests have no
    /// `webhook-signature`.
    ///
    /// # Errors
    /// [`InvalidWebhook::Secret`] if it is empty, or not Base64.
    pub fn secret(mut self, secret: impl AsRef<str>) -> Result<Self, InvalidWebhook> {
        self.secret = Some(decode_secret(secret.as_ref())?);
        Ok(self)
    }

    /// The delays before the second attempt and each further one, instead of 0.5, 1, 2 and 4 s. There is one attempt more than
    /// delays. A `Retry-After` of the receiver extends a delay, to at most 30 s.
    #[must_use]
    pub fn retry_delays(mut self, delays: impl IntoIterator<Item = Duration>) -> Self {
        self.retry_delays = delays.into_iter().collect();
        self
    }

    /// The time limit of an attempt, from connecting to the end of the response, instead of 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Signs requests with this secret, unless there is one.
    #[cfg(feature = "program")]
    pub(crate) fn default_secret(self, secret: &str) -> Result<Self, InvalidWebhook> {
        match self.secret {
            Some(_) => Ok(self),
            None => self.secret(secret),
        }
    }

    /// Returns the URL without its query, which may hold a secret.
    fn shown_url(&self) -> String {
        let authority = self
            .url
            .authority()
            .map_or("", |authority| authority.as_str());
        format!("http://{authority}{}", self.url.path())
    }

    /// Returns the `webhook-signature` of a request, if there is a secret.
    fn signature(&self, id: &str, timestamp: u64, body: &[u8]) -> Option<String> {
        let secret = self.secret.as_ref()?;
        let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
        let mac = hmac_sha256::HMAC::mac(&signed, secret);
        Some(format!("v1,{}", STANDARD.encode(mac)))
    }
}

/// Decodes a secret as Standard Webhooks writes it.
pub(crate) fn decode_secret(secret: &str) -> Result<Vec<u8>, InvalidWebhook> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    match STANDARD.decode(encoded) {
        Ok(key) if !key.is_empty() => Ok(key),
        _ => Err(InvalidWebhook::Secret),
    }
}

/// Omits the secret and the query.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("url", &self.shown_url())
            .field("has_secret", &self.secret.is_some())
            .finish_non_exhaustive()
    }
}

/// The reason why a [`Webhook`] cannot be used. `Display` shows neither the URL nor the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWebhook {
    /// It is not an absolute URL.
    #[error("not a URL of a webhook; use one such as http://127.0.0.1:8080/webhooks")]
    Url,
    /// The URL has a user name or a password.
    #[error(
        "the URL of the webhook has credentials; remove them, and verify the signature instead"
    )]
    Credentials,
    /// The URL is https.
    #[error(
        "the sandbox cannot send webhooks over https; use http to a receiver on this machine, or to a proxy that forwards to https"
    )]
    Https,
    /// The secret is empty, or not Base64.
    #[error(
        "invalid webhook secret: it is empty, or not Base64; use 24 to 64 random bytes in Base64, with or without whsec_ before it"
    )]
    Secret,
}

impl From<InvalidWebhook> for io::Error {
    fn from(error: InvalidWebhook) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_that_of_the_specification() {
        let webhook = Webhook::new("http://localhost/").unwrap();
        let (id, time) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(webhook.signature(id, time, body), None);
        for secret in [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            let webhook = webhook.clone().secret(secret).unwrap();
            assert_eq!(
                webhook.signature(id, time, body).as_deref(),
                Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
            );
        }
    }

    #[test]
    fn url_is_absolute_plain_http_without_credentials() {
        let error = |url: &str| Webhook::new(url).err();
        for url in [
            "http://localhost",
            "http://[::1]:8080/a?b=c",
            "http://10.0.0.1:1/",
        ] {
            assert_eq!(error(url), None, "{url}");
        }
        for url in [
            "",
            "localhost:80",
            "/webhooks",
            "ftp://localhost/",
            "http://",
            "http:///a",
            "http://localhost:99999/",
            "http://localhost:abc/",
            "http://localhost:/",
            "http://[::1]:65536/",
        ] {
            assert_eq!(error(url), Some(InvalidWebhook::Url), "{url}");
        }
        assert_eq!(error("https://localhost/"), Some(InvalidWebhook::Https));
        let error = error("http://user:password@localhost/");
        assert_eq!(error, Some(InvalidWebhook::Credentials));
    }

    #[test]
    fn secret_and_query_are_not_shown() {
        let webhook = Webhook::new("http://localhost:1/a?key=private").unwrap();
        for secret in ["", "whsec_", "whsec_!", "é"] {
            let error = webhook.clone().secret(secret).unwrap_err();
            assert_eq!(error, InvalidWebhook::Secret, "{secret}");
        }
        let webhook = webhook.secret("c2VjcmV0").unwrap();
        assert_eq!(
            format!("{webhook:?}"),
            r#"Webhook { url: "http://localhost:1/a", has_secret: true, .. }"#
        );
    }
}
