//! Errors and exit codes.

use std::fmt;
use std::io;
use std::path::Path;

use call_api::transport::{AttemptLog, BaseUrlProblem, BuildError, TransportErrorKind};
use call_api::{Call, Error, ErrorKind, FetchRecording, LateProperty, Uuid};
use serde::Serialize;

/// A class of errors. Scripts distinguish them by the exit code, whose meaning never changes, or by the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    Failed = 1,
    Usage = 2,
    Config = 3,
    NotFound = 4,
    Refused = 5,
    InvalidRequest = 6,
    RateLimited = 7,
    Service = 8,
    Unreachable = 9,
    Timeout = 10,
    BadResponse = 11,
    NoRecording = 12,
    Incomplete = 13,
}

impl ErrorClass {
    pub(crate) const ALL: [Self; 13] = [
        Self::Failed,
        Self::Usage,
        Self::Config,
        Self::NotFound,
        Self::Refused,
        Self::InvalidRequest,
        Self::RateLimited,
        Self::Service,
        Self::Unreachable,
        Self::Timeout,
        Self::BadResponse,
        Self::NoRecording,
        Self::Incomplete,
    ];

    /// Returns the exit code.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// Returns the name in `--json-errors`.
    pub(crate) fn name(self) -> &'static str {
        self.description().0
    }

    /// Returns the description in the manual.
    pub(crate) fn meaning(self) -> &'static str {
        self.description().1
    }

    fn description(self) -> (&'static str, &'static str) {
        match self {
            Self::Failed => (
                "failed",
                "a local failure, such as writing a file; or several calls failed with different errors",
            ),
            Self::Usage => ("usage", "invalid arguments"),
            Self::Config => ("config", "a setting is missing or invalid"),
            Self::NotFound => ("not_found", "the call does not exist (404, 410)"),
            Self::Refused => (
                "refused",
                "the token is not accepted, or lacks permission (401, 403)",
            ),
            Self::InvalidRequest => (
                "invalid_request",
                "the service rejected the request (another 4xx)",
            ),
            Self::RateLimited => ("rate_limited", "too many requests (429)"),
            Self::Service => ("service", "the service failed (5xx)"),
            Self::Unreachable => ("unreachable", "no connection, or it broke"),
            Self::Timeout => ("timeout", "timeout"),
            Self::BadResponse => (
                "bad_response",
                "the response does not match the API document, or is incomplete",
            ),
            Self::NoRecording => ("no_recording", "the call ended without a recording"),
            Self::Incomplete => (
                "incomplete",
                "the call has not ended, or lacks something that comes later (--settled)",
            ),
        }
    }

    fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Config | ErrorKind::Token => Self::Config,
            ErrorKind::Unauthorized | ErrorKind::Forbidden => Self::Refused,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::InvalidRequest => Self::InvalidRequest,
            ErrorKind::RateLimited => Self::RateLimited,
            ErrorKind::Server => Self::Service,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::Connect | ErrorKind::Interrupted => Self::Unreachable,
            ErrorKind::Decode
            | ErrorKind::BodyTooLarge
            | ErrorKind::Paging
            | ErrorKind::Redirected
            | ErrorKind::UnexpectedStatus
            | ErrorKind::UnexpectedId
            | ErrorKind::Corrupt => Self::BadResponse,
            _ => Self::Failed,
        }
    }
}

/// The error of a command: one line with what failed and what to do.
#[derive(Debug)]
pub(crate) struct CliError {
    class: ErrorClass,
    message: String,
    /// The call that the error is about.
    id: Option<Uuid>,
    /// The properties that the call lacks.
    missing: Vec<&'static str>,
    /// The SDK's error, if there is one.
    error: Option<Error>,
}

impl CliError {
    pub(crate) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            id: None,
            missing: Vec::new(),
            error: None,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Usage, message)
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Config, message)
    }

    /// Returns the error for a file or a folder that cannot be written; `remedy` says what to do.
    pub(crate) fn cannot_write(path: &Path, reason: impl fmt::Display, remedy: &str) -> Self {
        let message = format!("cannot write {}: {reason}; {remedy}", path.display());
        Self::new(ErrorClass::Failed, message)
    }

    /// Returns the error for an ended call that lacks something; `remedy` says what to do.
    pub(crate) fn incomplete(call: &Call, missing: &[LateProperty], remedy: &str) -> Self {
        let Call { id, status, .. } = call;
        let missing: Vec<_> = missing.iter().map(|property| property.name()).collect();
        let names = missing.join(", ");
        let message = format!("call {id} has ended ({status}) without {names}; {remedy}");
        Self {
            missing,
            ..Self::new(ErrorClass::Incomplete, message).for_call(*id)
        }
    }

    /// Sets the call that the error is about.
    pub(crate) fn for_call(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    pub(crate) fn class(&self) -> ErrorClass {
        self.class
    }

    /// Returns the fields for `--json-errors`.
    pub(crate) fn report(&self) -> ErrorReport<'_> {
        let error = self.error.as_ref();
        ErrorReport {
            class: self.class.name(),
            exit_code: self.class.code(),
            message: &self.message,
            id: self.id,
            missing: &self.missing,
            retryable: error.map(Error::is_retryable),
            status: error.and_then(Error::status),
            json_path: error.and_then(Error::json_path),
            request_id: error.and_then(Error::request_id),
            retry_after_seconds: error.and_then(|error| Some(error.retry_after()?.as_secs_f64())),
            attempts: error.and_then(|error| Some(error.attempt_log()?.attempts().len())),
        }
    }
}

/// The JSON form of an error. Fields without a value are left out.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorReport<'a> {
    class: &'static str,
    exit_code: u8,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<usize>,
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        Self {
            class: ErrorClass::of(error.kind()),
            message: message(&error) + &proxy_note(&error),
            id: None,
            missing: Vec::new(),
            error: Some(error),
        }
    }
}

/// Takes class and message of an error that is borrowed.
impl From<&Error> for CliError {
    fn from(error: &Error) -> Self {
        let message = message(error) + &proxy_note(error);
        Self::new(ErrorClass::of(error.kind()), message)
    }
}

/// Names the proxy of a request that got no connection: the error names only the service.
fn proxy_note(error: &Error) -> String {
    let url = error.attempt_log().map(|attempt_log| attempt_log.url());
    match url.and_then(crate::process::proxy_for) {
        Some(source) if error.is_connect() => {
            format!("; the request went through the proxy from {source}")
        }
        _ => String::new(),
    }
}

/// Returns the SDK's message, with advice for users of this program instead of advice for programmers.
fn message(error: &Error) -> String {
    match advice(error) {
        Some(advice) => format!("{error:#}; {advice}"),
        None => error.to_string(),
    }
}

/// Returns the advice for a user where it differs from that for a programmer.
fn advice(error: &Error) -> Option<&'static str> {
    if let Some(BuildError::BaseUrl { problem, .. }) = error.find_source() {
        return match problem {
            BaseUrlProblem::PlainHttp => Some("use https"),
            BaseUrlProblem::Credentials => {
                Some("remove it, and set the token in CALL_API_TOKEN or with --token-file")
            }
            _ => None,
        };
    }
    if let Some(transport) = error.transport_error() {
        return match transport.kind() {
            TransportErrorKind::PlainHttp => {
                Some("ask the service's owner for recordings over https")
            }
            TransportErrorKind::BodyTooLarge { .. } => {
                Some("tell the service's owner: no call is that large")
            }
            _ => None,
        };
    }
    if error.attempt_log().map(AttemptLog::operation) == Some(FetchRecording::OPERATION_ID) {
        return Some("run the same command again: it requests the recording's URL again");
    }
    match error.kind() {
        ErrorKind::Decode | ErrorKind::Drift => {
            Some("update this program, or check that the base URL names the service")
        }
        ErrorKind::UnexpectedStatus => Some(
            "check that the base URL names the service and that this program knows its version",
        ),
        _ => None,
    }
}

/// The reason a command ends early.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// An error that is not reported yet.
    Failed(CliError),
    /// Errors that were reported as they occurred, with their class.
    AlreadyReported(ErrorClass),
    /// A signal, such as that of Ctrl-C.
    Interrupted {
        /// The exit code.
        code: u8,
        /// The remedy; may be empty.
        hint: String,
    },
    /// Standard output was closed, as in `call-api get … | head -n 1`.
    BrokenPipe,
}

impl From<CliError> for CommandError {
    fn from(failure: CliError) -> Self {
        Self::Failed(failure)
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

/// An error of standard output.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::Failed(CliError::new(
            ErrorClass::Failed,
            format!("cannot write to standard output: {error}; check its destination"),
        ))
    }
}

/// The common class of several errors: theirs if it is the same for all, otherwise [`ErrorClass::Failed`].
#[derive(Debug, Default)]
pub(crate) struct ErrorTally(Option<ErrorClass>);

impl ErrorTally {
    pub(crate) fn add(&mut self, class: ErrorClass) {
        self.0 = match self.0 {
            None => Some(class),
            Some(same) if same == class => Some(class),
            Some(_) => Some(ErrorClass::Failed),
        };
    }

    /// Returns the common class, if there is an error.
    pub(crate) fn class(&self) -> Option<ErrorClass> {
        self.0
    }

    /// Ends the command after all errors were reported.
    pub(crate) fn end(self) -> Result<(), CommandError> {
        match self.0 {
            None => Ok(()),
            Some(class) => Err(CommandError::AlreadyReported(class)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_distinct_and_below_those_of_signals() {
        for (index, class) in ErrorClass::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(class.code()), index + 1);
            assert!(class.code() < 128);
        }
    }

    #[test]
    fn errors_of_one_class_keep_their_class() {
        let tally = |classes: &[ErrorClass]| {
            let mut tally = ErrorTally::default();
            classes.iter().for_each(|class| tally.add(*class));
            match tally.end() {
                Ok(()) => None,
                Err(CommandError::AlreadyReported(class)) => Some(class),
                Err(end) => panic!("{end:?}"),
            }
        };
        assert_eq!(tally(&[]), None);
        assert_eq!(
            tally(&[ErrorClass::NotFound; 3]),
            Some(ErrorClass::NotFound)
        );
        let mixed = [
            ErrorClass::NotFound,
            ErrorClass::Service,
            ErrorClass::NotFound,
        ];
        assert_eq!(tally(&mixed), Some(ErrorClass::Failed));
    }
}
