//! Webhooks: requests that the service sends, read and verified.
//!
//! A document with `webhooks` gives the alias `WebhookReceiver`, of [`Verified`] or [`Unverified`], whose event is an enum
//! with a variant for each webhook.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::plain_text::escaped;
use crate::request::json;

/// The default of [`Verified::tolerance`].
const TOLERANCE: Duration = Duration::from_mins(5);

/// Reads webhooks that are signed as [Standard Webhooks](https://www.standardwebhooks.com) specifies, and refuses all others.
///
/// ```
/// use call_api_client::webhooks::{Verified, WebhookError};
/// use http::HeaderMap;
///
/// let receiver = Verified::<serde_json::Value>::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?
///     // The previous secret.
///     .secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")?;
/// let refused = receiver.parse(&HeaderMap::new(), br#"{"type": "call.ended"}"#);
/// assert_eq!(refused.unwrap_err(), WebhookError::MissingHeader("webhook-id"));
/// # Ok::<(), WebhookError>(())
/// ```
pub struct Verified<T> {
    secrets: Vec<Vec<u8>>,
    tolerance: Duration,
    event: PhantomData<fn() -> T>,
}

/// A webhook that was signed with the secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Webhook<T> {
    /// The event.
    pub event: T,
    /// The id, which is the same if the service sends the webhook again.
    pub id: String,
    /// The time at which it was sent.
    pub sent_at: SystemTime,
}

impl<T> Verified<T> {
    /// Returns a receiver with the secret that the service shows: Base64, with or without `whsec_` before it.
    ///
    /// # Errors
    /// [`WebhookError::InvalidSecret`] if it is empty, or not Base64.
    pub fn new(secret: impl AsRef<str>) -> Result<Self, WebhookError> {
        let receiver = Self {
            secrets: Vec::new(),
            tolerance: TOLERANCE,
            event: PhantomData,
        };
        receiver.secret(secret)
    }

    /// Adds a secret: a webhook may be signed with any of them, so that a secret can be replaced without a gap.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn secret(mut self, secret: impl AsRef<str>) -> Result<Self, WebhookError> {
        let secret = secret.as_ref().trim();
        let text = secret.strip_prefix("whsec_").unwrap_or(secret);
        match STANDARD.decode(text) {
            Ok(key) if !key.is_empty() => self.secrets.push(key),
            _ => return Err(WebhookError::InvalidSecret),
        }
        Ok(self)
    }

    /// Sets how far the time of a webhook may be from that of this machine; 5 minutes by default. A webhook that someone
    /// has recorded can be replayed for that long.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Verifies a request without reading its body. Returns its id and its time.
    ///
    /// # Errors
    /// [`WebhookError`] if a header is missing or invalid, the time is too far away, or no signature is valid.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(String, SystemTime), WebhookError> {
        self.verify_at(headers, body, SystemTime::now())
    }

    fn verify_at(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<(String, SystemTime), WebhookError> {
        let id = header(headers, "webhook-id")?;
        let timestamp = header(headers, "webhook-timestamp")?;
        let signatures = header(headers, "webhook-signature")?;
        let sent_at = timestamp
            .parse()
            .ok()
            .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
            .ok_or(WebhookError::InvalidHeader("webhook-timestamp"))?;
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
        let is_right = |signature: &str| {
            let encoded = signature.strip_prefix("v1,");
            let decoded = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
            let expected: Option<[u8; 32]> = decoded.and_then(|decoded| decoded.try_into().ok());
            // `verify` takes the same time wherever two signatures differ.
            expected.is_some_and(|expected| {
                let mut secrets = self.secrets.iter();
                secrets.any(|secret| hmac_sha256::HMAC::verify(&signed, secret, &expected))
            })
        };
        if !signatures.split(' ').any(is_right) {
            return Err(WebhookError::WrongSignature);
        }
        let distance = now
            .duration_since(sent_at)
            .unwrap_or_else(|error| error.duration());
        if distance > self.tolerance {
            return Err(WebhookError::OutsideTolerance);
        }
        Ok((id.to_owned(), sent_at))
    }
}

impl<T: DeserializeOwned> Verified<T> {
    /// Verifies and reads a request. `body` is the unmodified body: a signature is that of its bytes.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), and [`WebhookError::Body`] if the body does not match the document.
    pub fn parse(&self, headers: &HeaderMap, body: &[u8]) -> Result<Webhook<T>, WebhookError> {
        let (id, sent_at) = self.verify(headers, body)?;
        let event = decode(body)?;
        Ok(Webhook { event, id, sent_at })
    }
}

/// Omits the secrets.
impl<T> fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("secrets", &self.secrets.len())
            .field("tolerance", &self.tolerance)
            .finish()
    }
}

/// Reads webhooks without verification: anyone who knows the URL can send them.
pub struct Unverified<T>(PhantomData<fn() -> T>);

impl<T> Unverified<T> {
    /// Returns a receiver.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Unverified<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: DeserializeOwned> Unverified<T> {
    /// Reads a request. Ignores the headers.
    ///
    /// # Errors
    /// [`WebhookError::Body`] if the body does not match the document.
    pub fn parse(&self, _headers: &HeaderMap, body: &[u8]) -> Result<T, WebhookError> {
        decode(body)
    }
}

impl<T> fmt::Debug for Unverified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unverified")
    }
}

/// The reason why a webhook is refused. Neither `Display` nor `Debug` shows the secret, or a value of the body.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebhookError {
    /// A secret is empty, or not Base64.
    InvalidSecret,
    /// The request does not have this header.
    MissingHeader(&'static str),
    /// The header of this name cannot be read.
    InvalidHeader(&'static str),
    /// No signature is that of one of the secrets.
    WrongSignature,
    /// The time of the webhook is too far from that of this machine: it may have been replayed.
    OutsideTolerance,
    /// The body does not match the document.
    Body {
        /// The place in the body, such as `call.id`; `.` is all of it.
        json_path: String,
        /// The decoder's reason.
        message: String,
    },
}

impl WebhookError {
    /// Returns the status to respond with: 401 if the sender is not authenticated, and 400 for a body that cannot be read.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Body { .. } => StatusCode::BAD_REQUEST,
            Self::InvalidSecret => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNAUTHORIZED,
        }
    }
}

impl fmt::Display for WebhookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidSecret => f.write_str(
                "invalid webhook secret: it is empty, or not Base64; copy it from the settings of the service",
            ),
            Self::MissingHeader(name) => write!(
                f,
                "webhook refused: the header `{name}` is missing; check that the sender is the service, and any proxy in between"
            ),
            Self::InvalidHeader(name) => {
                write!(f, "webhook refused: the header `{name}` is not valid")
            }
            Self::WrongSignature => f.write_str(
                "webhook refused: no signature is right; check the secret, and that the body is passed on unmodified",
            ),
            Self::OutsideTolerance => f.write_str(
                "webhook refused: its time is too far from that of this machine; check the clock, or set a longer tolerance",
            ),
            Self::Body { json_path, message } => write!(
                f,
                "the webhook is not what the API's document says: {json_path}: {message}; update the SDK"
            ),
        }
    }
}

impl std::error::Error for WebhookError {}

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, WebhookError> {
    let value = headers.get(name).ok_or(WebhookError::MissingHeader(name))?;
    let text = value.to_str().ok().filter(|text| !text.is_empty());
    text.ok_or(WebhookError::InvalidHeader(name))
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, WebhookError> {
    json(body).map_err(|mismatch| WebhookError::Body {
        json_path: escaped(&mismatch.path),
        message: mismatch.message(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The example of the Standard Webhooks specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const TIMESTAMP: u64 = 1_614_265_330;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers(signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", ID.parse().unwrap());
        headers.insert("webhook-timestamp", TIMESTAMP.into());
        headers.insert("webhook-signature", signature.parse().unwrap());
        headers
    }

    fn after(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(TIMESTAMP + seconds)
    }

    fn receiver() -> Verified<Value> {
        Verified::new(SECRET).unwrap()
    }

    fn verify(signature: &str) -> Result<(), WebhookError> {
        let verified = receiver().verify_at(&headers(signature), BODY, after(0));
        verified.map(|_| ())
    }

    #[test]
    fn example_of_the_specification_is_verified() {
        let verified = receiver().verify_at(&headers(SIGNATURE), BODY, after(0));
        assert_eq!(verified, Ok((ID.to_owned(), after(0))));
        // Without the prefix.
        let plain = Verified::<Value>::new(&SECRET[6..]).unwrap();
        assert!(plain.verify_at(&headers(SIGNATURE), BODY, after(0)).is_ok());
    }

    #[test]
    fn one_of_several_signatures_and_secrets_is_enough() {
        let others = format!("v1,{} v2,x v1a,y {SIGNATURE}", "A".repeat(43) + "=");
        assert_eq!(verify(&others), Ok(()));
        let rotated = Verified::<Value>::new("whsec_AAAA").unwrap();
        let result = rotated.verify_at(&headers(SIGNATURE), BODY, after(0));
        assert_eq!(result, Err(WebhookError::WrongSignature));
        let rotated = rotated.secret(SECRET).unwrap();
        assert!(
            rotated
                .verify_at(&headers(SIGNATURE), BODY, after(0))
                .is_ok()
        );
    }

    #[test]
    fn changed_request_is_refused() {
        let wrong = Err(WebhookError::WrongSignature);
        for signature in [
            SIGNATURE.replace("v1,", "v2,"),
            SIGNATURE.replace("v1,", ""),
            SIGNATURE.replace("g0h", "h0h"),
            SIGNATURE.replace('=', ""),
            "v1,".to_owned(),
            "v1,!".to_owned(),
        ] {
            assert_eq!(verify(&signature), wrong, "{signature}");
        }
        let changed = |headers: HeaderMap, body: &[u8]| {
            receiver().verify_at(&headers, body, after(0)).map(|_| ())
        };
        assert_eq!(
            changed(headers(SIGNATURE), br#"{"test": 2432232315}"#),
            wrong
        );
        let mut other_id = headers(SIGNATURE);
        other_id.insert("webhook-id", "msg_other".parse().unwrap());
        assert_eq!(changed(other_id, BODY), wrong);
        let mut other_time = headers(SIGNATURE);
        other_time.insert("webhook-timestamp", (TIMESTAMP + 1).into());
        assert_eq!(changed(other_time, BODY), wrong);
    }

    #[test]
    fn time_is_within_the_tolerance_on_both_sides() {
        let at = |receiver: Verified<Value>, now| {
            receiver
                .verify_at(&headers(SIGNATURE), BODY, now)
                .map(|_| ())
        };
        let late = Err(WebhookError::OutsideTolerance);
        assert_eq!(at(receiver(), after(300)), Ok(()));
        assert_eq!(at(receiver(), after(301)), late);
        assert_eq!(at(receiver(), after(0) - Duration::from_secs(300)), Ok(()));
        assert_eq!(at(receiver(), after(0) - Duration::from_secs(301)), late);
        let patient = receiver().tolerance(Duration::from_hours(1));
        assert_eq!(at(patient, after(3600)), Ok(()));
    }

    #[test]
    fn missing_and_invalid_headers_are_named() {
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut without = headers(SIGNATURE);
            without.remove(name);
            let error = receiver().verify(&without, BODY).unwrap_err();
            assert_eq!(error, WebhookError::MissingHeader(name));
            assert_eq!(error.status(), StatusCode::UNAUTHORIZED);
        }
        for time in [
            "",
            "x",
            "-1",
            "1.5",
            "99999999999999999999",
            "18446744073709551615",
        ] {
            let mut headers = headers(SIGNATURE);
            headers.insert("webhook-timestamp", time.parse().unwrap());
            let error = receiver().verify(&headers, BODY).unwrap_err();
            assert_eq!(
                error,
                WebhookError::InvalidHeader("webhook-timestamp"),
                "{time}"
            );
        }
        for secret in ["", "whsec_", "whsec_!", "é"] {
            let error = Verified::<Value>::new(secret).unwrap_err();
            assert_eq!(error, WebhookError::InvalidSecret, "{secret}");
        }
    }

    #[test]
    fn secret_and_body_are_not_shown() {
        let shown = format!("{:?}", receiver());
        assert!(!shown.contains("MfKQ") && !shown.contains("49"), "{shown}");
        let unverified = Unverified::<Vec<u8>>::new();
        let error = unverified
            .parse(&HeaderMap::new(), br#"["private"]"#)
            .unwrap_err();
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        assert!(error.to_string().contains("[0]: "), "{error}");
        assert!(!error.to_string().contains("private"), "{error}");
    }

    #[test]
    fn body_is_decoded_once_it_is_verified() {
        let forever = receiver().tolerance(Duration::MAX);
        let webhook = forever.parse(&headers(SIGNATURE), BODY).unwrap();
        assert_eq!(webhook.event, json!({"test": 2_432_232_314_u64}));
        assert_eq!((webhook.id.as_str(), webhook.sent_at), (ID, after(0)));
        // A body that is not JSON is refused for its signature.
        let error = forever.parse(&headers(SIGNATURE), b"x").unwrap_err();
        assert_eq!(error, WebhookError::WrongSignature);
    }
}
