//! The description of an operation, for checking and authenticating its requests.

/// An operation of an API, as a generated client describes it.
///
/// ```
/// use call_api_transport::{Auth, Operation, ResponseBody};
///
/// const GET_PET: Operation = Operation {
///     id: "get_pet",
///     path: "/v1/pets/{id}",
///     auth: Auth::Bearer,
///     body: ResponseBody::Buffered,
/// };
/// # let _ = GET_PET;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Its id, as in `operationId`.
    pub id: &'static str,
    /// Its path below the base URL, as in OpenAPI: `/v1/pets/{id}`. A request whose path does not match is rejected.
    pub path: &'static str,
    /// The place of the token in the request.
    pub auth: Auth,
    /// The reader of the body.
    pub body: ResponseBody,
}

/// The place of the token in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Auth {
    /// Nowhere: no token is requested.
    None,
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer,
    /// `Authorization: Basic …` (RFC 7617); the token is `user:password`.
    Basic,
    /// In the header of this name.
    ApiKeyHeader(&'static str),
    /// In the query parameter of this name. Proxies and servers write queries to their logs: prefer a header where the
    /// service offers one.
    ApiKeyQuery(&'static str),
    /// In the cookie of this name, after the cookies that the request has.
    ApiKeyCookie(&'static str),
    /// In the same place, but another credential than the token: the one of the security scheme of this name, which
    /// [`credential`](crate::TransportBuilder::credential) sets.
    Scheme(&'static str, &'static Auth),
    /// Several credentials: those that are set are sent, each in its place. Of two in the same place, the first is sent. If
    /// the token is among them, it comes first.
    Each(&'static [Auth]),
}

impl Auth {
    /// Returns the place only, without the security scheme; of several credentials, that of the first.
    pub(crate) fn place(self) -> Self {
        match self {
            Self::Scheme(_, place) => place.place(),
            Self::Each(all) => all.first().map_or(Self::None, |first| first.place()),
            place => place,
        }
    }

    /// Returns the credentials beside the first.
    pub(crate) fn others(self) -> &'static [Self] {
        match self {
            Self::Each([_, others @ ..]) => others,
            _ => &[],
        }
    }

    /// Returns true if a request holds only one of these two: both are in the same header, or have the same name elsewhere.
    pub(crate) fn excludes(self, other: Self) -> bool {
        let header = |auth: Self| match auth {
            Self::Bearer | Self::Basic => Some("authorization"),
            Self::ApiKeyHeader(name) => Some(name),
            _ => None,
        };
        let (own, other) = (self.place(), other.place());
        match (header(own), header(other)) {
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            _ => own == other,
        }
    }
}

/// The reader of the body of a successful response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseBody {
    /// The transport, inside the attempt: limited, within the deadline, and retried if it is interrupted.
    Buffered,
    /// The program, as it arrives. All policies apply up to the end of the head; after it there is neither limit nor
    /// deadline, but a body that is idle for the idle timeout fails as
    /// [`Stalled`](crate::Stalled). The bodies of error responses are buffered.
    Streamed,
}
