//! The error of building a transport.

use std::fmt;
use std::sync::Arc;

/// The reason why a transport could not be built. `{}` ends with advice, which `{:#}` leaves out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A token must not be sent to the base URL.
    BaseUrl {
        /// The URL as it was given, without its query; `None` if it may hold a password.
        given: Option<String>,
        /// The reason.
        problem: BaseUrlProblem,
    },
    /// The user agent cannot be sent as a header.
    UserAgent,
    /// A setting cannot be used.
    Setting {
        /// The problem, and a remedy.
        reason: &'static str,
    },
    /// The base URL is https, and neither of the features `rustls` and `native-tls` is compiled in.
    NoTls,
    /// A root certificate, client certificate or key cannot be used.
    Certificate {
        /// The setting.
        what: &'static str,
        /// The problem.
        reason: String,
    },
    /// The HTTP client cannot be built.
    HttpClient(Arc<dyn std::error::Error + Send + Sync>),
}

/// The reason why a text is not a base URL that a token may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BaseUrlProblem {
    /// It contains a space or a control character.
    Space,
    /// It contains a backslash.
    Backslash,
    /// It contains a `.` or `..` segment.
    DotSegment,
    /// It is not a URL.
    NotUrl,
    /// It is neither https nor http.
    Scheme,
    /// It contains a user or password.
    Credentials,
    /// It contains a query.
    Query,
    /// It contains a fragment.
    Fragment,
    /// It has no host.
    NoHost,
    /// It is plain http to another machine.
    PlainHttp,
}

impl BaseUrlProblem {
    /// Returns the problem, and what to do about it.
    fn texts(self) -> (&'static str, &'static str) {
        const FORM: &str = "use the form https://api.example.com";
        match self {
            Self::Space => ("it contains a space or a control character", "remove it"),
            Self::Backslash => ("it contains a backslash", "write a slash"),
            Self::DotSegment => (
                "it contains a `.` or `..` segment",
                "write the path without it",
            ),
            Self::NotUrl => ("it is not a URL", FORM),
            Self::Scheme => ("it is neither https nor http", FORM),
            Self::Credentials => (
                "it contains a user or password",
                "remove it, and set the token with the builder",
            ),
            Self::Query => ("it contains a query", "remove it"),
            Self::Fragment => ("it contains a fragment", "remove it"),
            Self::NoHost => ("it has no host", FORM),
            Self::PlainHttp => (
                "it is plain http to another machine, which would expose the token",
                "use https, or allow_insecure_http(true) where that is meant",
            ),
        }
    }
}

impl fmt::Display for BaseUrlProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.texts().0)
    }
}

impl BuildError {
    /// Returns what to do about the error; empty if the reason says that.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::BaseUrl { problem, .. } => problem.texts().1,
            Self::UserAgent => "remove it",
            Self::Setting { .. } => "",
            Self::NoTls => "enable the feature `rustls` or `native-tls`, or set http_client",
            Self::Certificate { .. } => "give it in PEM",
            Self::HttpClient(_) => "check its TLS settings and the system's certificate store",
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BaseUrl { given, problem } => {
                f.write_str("base URL ")?;
                if let Some(given) = given {
                    write!(f, "{given:?} ")?;
                }
                write!(f, "is invalid: {problem}")?;
            }
            Self::UserAgent => {
                f.write_str("the user agent contains a control or non-ASCII character")?;
            }
            Self::Setting { reason } => write!(f, "invalid setting: {reason}")?,
            Self::NoTls => f.write_str("no TLS is compiled in")?,
            Self::Certificate { what, reason } => write!(f, "{what} cannot be used: {reason}")?,
            Self::HttpClient(_) => f.write_str("the HTTP client cannot be created")?,
        }
        match self.advice() {
            advice if f.alternate() || advice.is_empty() => Ok(()),
            advice => write!(f, "; {advice}"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::HttpClient(source) => Some(&**source),
            _ => None,
        }
    }
}
