//! What the program says when it fails, and the exit code it ends with.

use std::fmt;
use std::io;

use call_api::{Call, Error, ErrorKind, Uuid};
use serde::Serialize;

/// A class of errors. Scripts tell them by the exit code, which never changes its meaning, or by the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
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
}

impl Class {
    pub(crate) const ALL: [Self; 12] = [
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
    ];

    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// The name in `--json-errors`.
    pub(crate) fn name(self) -> &'static str {
        self.words().0
    }

    /// The line in the manual.
    pub(crate) fn meaning(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Failed => (
                "failed",
                "something on this machine failed, such as writing a file; or several calls failed, each in another way",
            ),
            Self::Usage => ("usage", "wrong arguments"),
            Self::Config => ("config", "a setting is missing or can't be used"),
            Self::NotFound => ("not_found", "there is no such call (404, 410)"),
            Self::Refused => (
                "refused",
                "the token is not accepted, or not for this (401, 403)",
            ),
            Self::InvalidRequest => (
                "invalid_request",
                "the service does not accept the request (another 4xx)",
            ),
            Self::RateLimited => ("rate_limited", "there were too many requests (429)"),
            Self::Service => ("service", "the service failed (5xx)"),
            Self::Unreachable => ("unreachable", "no connection could be made, or it broke"),
            Self::Timeout => ("timeout", "time was over"),
            Self::BadResponse => (
                "bad_response",
                "the answer is not what the API's document says, or not whole",
            ),
            Self::NoRecording => ("no_recording", "the call ended without a recording"),
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
            | ErrorKind::Redirected
            | ErrorKind::UnexpectedStatus
            | ErrorKind::Corrupt => Self::BadResponse,
            _ => Self::Failed,
        }
    }
}

/// Why a command did not do what it was asked for: one line that says what happened and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    class: Class,
    message: String,
    /// The call that it is about.
    id: Option<Uuid>,
    /// What the SDK says of it.
    error: Option<Error>,
}

impl Failure {
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            id: None,
            error: None,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Class::Usage, message)
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(Class::Config, message)
    }

    /// Says which call it is about.
    pub(crate) fn of_call(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// For `--json-errors`: the same, in parts.
    pub(crate) fn parts(&self) -> Parts<'_> {
        let error = self.error.as_ref();
        Parts {
            class: self.class.name(),
            exit_code: self.class.code(),
            message: &self.message,
            id: self.id,
            retryable: error.map(Error::is_retryable),
            status: error.and_then(Error::status),
            json_path: error.and_then(Error::json_path),
            request_id: error.and_then(Error::request_id),
            retry_after_seconds: error.and_then(|error| Some(error.retry_after()?.as_secs_f64())),
            attempts: error.and_then(|error| Some(error.attempt_log()?.attempts().len())),
        }
    }
}

/// A failure in parts; those that there are none of are left out.
#[derive(Debug, Serialize)]
pub(crate) struct Parts<'a> {
    class: &'static str,
    exit_code: u8,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
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

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            class: Class::of(error.kind()),
            message: message(&error),
            id: None,
            error: Some(error),
        }
    }
}

/// The class and the line of an error that is needed elsewhere, too.
impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self::new(Class::of(error.kind()), message(error))
    }
}

/// What the SDK says, with what there is to do in this program in place of what there is to do in one's own.
fn message(error: &Error) -> String {
    ADVICE
        .iter()
        .fold(error.to_string(), |message, (sdk, here)| {
            message.replace(sdk, here)
        })
}

const ADVICE: &[(&str, &str)] = &[
    (
        "use https, or allow_insecure_http(true) where that is meant",
        "use https",
    ),
    (
        "allow insecure http where that is meant; check the call's parameters",
        "ask the service's owner for recordings over https",
    ),
    (
        "leave that out and give the token to the builder",
        "leave that out and give the token in CALL_API_TOKEN or with --token-file",
    ),
    (
        "set a larger body limit if that size is right",
        "tell the service's owner: no call is as large",
    ),
    ("update the SDK", "update this program"),
    (
        "that this SDK knows its version",
        "that this program knows its version",
    ),
    (
        "fetch the call anew: its recording may be gone, or the URL expired",
        "run the same command again: it asks for the recording's URL anew",
    ),
];

/// The call that was asked for, or why there is none.
pub(crate) fn asked_for(id: Uuid, result: Result<Call, Error>) -> Result<Call, Failure> {
    let call = result.map_err(|error| Failure::from(error).of_call(id))?;
    is_asked_for(id, &call)?;
    Ok(call)
}

/// Whether it is the call that was asked for: a service, or what is on the way to it, may answer with another's.
pub(crate) fn is_asked_for(id: Uuid, call: &Call) -> Result<(), Failure> {
    if call.id == id {
        return Ok(());
    }
    let message = format!(
        "call {id} was asked for, and call {} was answered; tell the service's owner",
        call.id
    );
    Err(Failure::new(Class::BadResponse, message).of_call(id))
}

/// How a command ends before its time.
#[derive(Debug)]
pub(crate) enum End {
    /// With one error that is still to be said.
    Failed(Failure),
    /// With errors that were said as they happened; the class is theirs.
    Said(Class),
    /// By a signal, such as that of Ctrl-C.
    Stopped {
        /// The exit code.
        code: u8,
        /// What to do now.
        hint: Option<&'static str>,
    },
    /// Nobody reads the output any more, as in `call-api get … | head -n 1`.
    BrokenPipe,
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

/// What went wrong with standard output.
impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::Failed(Failure::new(
            Class::Failed,
            format!("cannot write to standard output: {error}; check where it goes"),
        ))
    }
}

/// The class of several failures: theirs where they have one, otherwise [`Class::Failed`].
#[derive(Debug, Default)]
pub(crate) struct Tally(Option<Class>);

impl Tally {
    pub(crate) fn add(&mut self, class: Class) {
        self.0 = match self.0 {
            None => Some(class),
            Some(same) if same == class => Some(class),
            Some(_) => Some(Class::Failed),
        };
    }

    /// How the command ends, now that all failures were said.
    pub(crate) fn end(self) -> Result<(), End> {
        match self.0 {
            None => Ok(()),
            Some(class) => Err(End::Said(class)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_distinct_and_none_is_a_signal_s() {
        for (index, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(class.code()), index + 1);
            assert!(class.code() < 128);
        }
    }

    #[test]
    fn several_failures_of_one_class_keep_it() {
        let tally = |classes: &[Class]| {
            let mut tally = Tally::default();
            classes.iter().for_each(|class| tally.add(*class));
            match tally.end() {
                Ok(()) => None,
                Err(End::Said(class)) => Some(class),
                Err(end) => panic!("{end:?}"),
            }
        };
        assert_eq!(tally(&[]), None);
        assert_eq!(tally(&[Class::NotFound; 3]), Some(Class::NotFound));
        let mixed = [Class::NotFound, Class::Service, Class::NotFound];
        assert_eq!(tally(&mixed), Some(Class::Failed));
    }
}
