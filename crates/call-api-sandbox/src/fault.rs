//! Fault injection by rules and a seed.

mod injection;

use std::io;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

pub(crate) use injection::{Injector, Subject, inject};

/// The name of the recordings beside the operations of the document.
pub(crate) const RECORDING: &str = "recording";

/// A fault to inject.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// Answers with this status, from 200 to 599, without handling the request.
    Status {
        /// The status.
        #[serde(deserialize_with = "crate::integer::deserialize")]
        status: u16,
        /// The body, if any. Its `Content-Type` is `application/json` if it is JSON, `text/html` if it starts with `<`, and
        /// `text/plain` otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        /// The `Retry-After` header; any text, so that invalid values can be tested.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<String>,
    },
    /// Delays the response. Another fault may apply as well.
    Latency {
        /// The delay.
        #[serde(rename = "seconds", with = "crate::seconds")]
        by: Duration,
    },
    /// Answers 429 with `Retry-After` once there were this many requests in a period, until it is over. A period begins with
    /// the first request after the one before.
    Quota {
        /// The number of requests in a period.
        #[serde(deserialize_with = "crate::integer::deserialize")]
        requests: u64,
        /// The period.
        #[serde(rename = "seconds", with = "crate::seconds")]
        per: Duration,
    },
    /// Reads the request and never answers.
    Stall,
    /// Reads the request and resets the connection.
    Reset,
    /// Sends half of the response body and closes the connection.
    Truncated,
    /// Answers 200 with a body that claims to be JSON and is random bytes.
    Garbage,
    /// Replaces the status of the call with one that the document does not list.
    UnknownStatus {
        /// The status.
        status: String,
    },
    /// Adds a property to the call.
    ExtraProperty {
        /// The name.
        name: String,
        /// The value.
        value: Value,
    },
    /// Removes a property from the call.
    MissingProperty {
        /// The name.
        name: String,
    },
}

impl Fault {
    /// Returns a status fault with a body like FastAPI's: `{"detail":"Service Unavailable"}`.
    pub fn status(status: StatusCode) -> Self {
        let detail = status.canonical_reason().unwrap_or("Error");
        Self::Status {
            status: status.as_u16(),
            body: Some(format!(r#"{{"detail":"{detail}"}}"#)),
            retry_after: None,
        }
    }

    /// Returns a status fault, such as a 429, with a `Retry-After` header: `"2"` is two seconds.
    pub fn retry_after(status: StatusCode, retry_after: impl Into<String>) -> Self {
        match Self::status(status) {
            Self::Status { status, body, .. } => Self::Status {
                status,
                body,
                retry_after: Some(retry_after.into()),
            },
            other => other,
        }
    }
}

/// A [`Fault`] and the requests it applies to; by default all of them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    #[serde(deserialize_with = "strict")]
    fault: Fault,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default = "all_requests")]
    share: f64,
    #[serde(
        default,
        deserialize_with = "crate::integer::optional",
        skip_serializing_if = "Option::is_none"
    )]
    times: Option<u64>,
}

/// Deserializes a fault. By itself, serde ignores all properties of a kind that has none.
fn strict<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fault, D::Error> {
    let properties = Map::deserialize(deserializer)?;
    let count = properties.len();
    match Fault::deserialize(Value::Object(properties)).map_err(D::Error::custom)? {
        Fault::Stall | Fault::Reset | Fault::Truncated | Fault::Garbage if count > 1 => Err(
            D::Error::custom("this kind of fault has no further properties"),
        ),
        fault => Ok(fault),
    }
}

fn all_requests() -> f64 {
    1.0
}

impl FaultRule {
    /// Applies the fault to every request of an operation or for a recording.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            id: None,
            tenant: None,
            share: all_requests(),
            times: None,
        }
    }

    /// Applies the fault to one operation, by the name of the client's method, such as `get_call`, or to `recording`.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Applies the fault to requests about one call: for it, or for its recording.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// Applies the fault to requests with a token of one tenant, which must have one. A recording needs no token, so of the
    /// requests for it, only those with the token are among them.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Returns true if the rule is about such requests.
    fn matches(&self, subject: &Subject<'_>) -> bool {
        let operation = self.operation.as_deref();
        operation.is_none_or(|only| only == subject.operation)
            && self.id.is_none_or(|only| subject.id == Some(only))
            && (self.tenant.is_none() || self.tenant.as_deref() == subject.tenant)
    }

    /// Applies the fault to a share of the requests, from 0 to 1, chosen by the [seed](Faults::seeded).
    #[must_use]
    pub fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Applies the fault this many times, then never again.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
}

impl From<Fault> for FaultRule {
    fn from(fault: Fault) -> Self {
        Self::new(fault)
    }
}

/// The faults of a sandbox. The first matching rule applies to a request; latencies of all matching rules add up.
///
/// A share selects requests pseudo-randomly by the seed, so the same sequence of requests meets the same faults.
///
/// ```
/// use std::time::Duration;
///
/// use call_api_sandbox::{Fault, FaultRule, Faults, Sandbox};
/// use http::StatusCode;
///
/// #[tokio::main]
/// async fn main() -> std::io::Result<()> {
///     let faults = Faults::seeded(7)
///         // The service is unavailable for the first two requests.
///         .rule(FaultRule::new(Fault::status(StatusCode::SERVICE_UNAVAILABLE)).times(2))
///         // Every tenth request is slow, and some responses are truncated.
///         .rule(FaultRule::new(Fault::Latency { by: Duration::from_secs(3) }).share(0.1))
///         .rule(FaultRule::new(Fault::Truncated).share(0.02));
///     let sandbox = Sandbox::start().await?;
///     sandbox.set_faults(faults)?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    #[serde(default, deserialize_with = "crate::integer::deserialize")]
    seed: u64,
    #[serde(default)]
    rules: Vec<FaultRule>,
}

impl Faults {
    /// Returns an empty set of faults with a seed for [`FaultRule::share`].
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            rules: Vec::new(),
        }
    }

    /// Adds a rule. Earlier rules take precedence.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<FaultRule>) -> Self {
        self.rules.push(rule.into());
        self
    }

    /// Validates the rules.
    fn check(&self, operations: &[String], tenants: &[String]) -> Result<(), InvalidFaults> {
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check(operations, tenants)
                .map_err(|reason| InvalidFaults { index, reason })?;
        }
        Ok(())
    }
}

impl FaultRule {
    fn check(&self, operations: &[String], tenants: &[String]) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.share) {
            return Err(format!(
                "invalid share {}; use a number from 0 to 1",
                self.share
            ));
        }
        if let Some(operation) = &self.operation
            && !operations.contains(operation)
        {
            let known = operations.join("`, `");
            return Err(format!(
                "unknown operation `{operation}`; use one of `{known}`"
            ));
        }
        if let Some(tenant) = &self.tenant
            && !tenants.contains(tenant)
        {
            let known = tenants.join("`, `");
            return Err(format!(
                "unknown tenant `{tenant}`: no token is its own; use one of `{known}`, or add a token for it"
            ));
        }
        if let Fault::Quota { per, .. } = &self.fault
            && per.is_zero()
        {
            return Err("invalid quota of zero seconds; use a longer period".to_owned());
        }
        if let Fault::Status {
            status,
            retry_after,
            ..
        } = &self.fault
        {
            if !(200..600).contains(status) {
                return Err(format!("invalid status {status}; use one from 200 to 599"));
            }
            if let Some(value) = retry_after
                && HeaderValue::from_str(value).is_err()
            {
                return Err(format!("a header cannot carry retry_after {value:?}"));
            }
        }
        Ok(())
    }
}

/// Faults with an invalid rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid fault at /rules/{index}: {reason}")]
pub struct InvalidFaults {
    index: usize,
    reason: String,
}

impl From<InvalidFaults> for io::Error {
    fn from(error: InvalidFaults) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}
