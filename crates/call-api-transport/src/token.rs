//! Tokens, and the providers that they come from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use crate::clock::Time;
use crate::operation::Auth;
use crate::single_flight::{Produced, SingleFlight};

/// A boxed error, as token providers return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A secret: an API token, or `user:password` for an operation with HTTP Basic.
///
/// It can be given to a [`Transport`](crate::Transport) and nothing else: it has no `Display`, no `Serialize` and no
/// accessor, its `Debug` prints stars, and its memory and that of its header values are overwritten when the last clone is
/// dropped. (The HTTP library's own copy, which it writes to a connection, is not.)
///
/// ```
/// let token = call_api_transport::Token::new("s3cret")?;
/// assert_eq!(format!("{token:?}"), "Token(***)");
/// # Ok::<(), call_api_transport::TokenError>(())
/// ```
///
/// ```compile_fail,E0277
/// let token = call_api_transport::Token::new("s3cret").unwrap();
/// println!("{token}"); // no `Display`
/// ```
#[derive(Clone)]
pub struct Token {
    secret: Arc<Secret>,
    lifetime: Option<Duration>,
}

struct Secret {
    text: Zeroizing<String>,
    /// Made once, so that a request copies nothing.
    bearer: HeaderValue,
}

impl Token {
    /// Returns a token of this secret.
    ///
    /// # Errors
    /// [`TokenError`] if it is empty, begins with `Bearer `, has a space at either end, or holds anything but printable
    /// ASCII: a line break would end the header (RFC 9110, section 5.5). The error never shows the secret.
    pub fn new(secret: impl Into<String>) -> Result<Self, TokenError> {
        // The user's own buffer is overwritten, too, also on error.
        let secret = Zeroizing::new(secret.into());
        if secret.is_empty() {
            return Err(TokenError::Empty);
        }
        if secret.starts_with(' ') || secret.ends_with(' ') {
            return Err(TokenError::Space);
        }
        let scheme = secret.get(..7).unwrap_or_default();
        if scheme.eq_ignore_ascii_case("bearer ") {
            return Err(TokenError::Scheme);
        }
        if let Some(position) = forbidden(secret.as_bytes()) {
            return Err(TokenError::Forbidden { position });
        }
        // Infallible: validated above.
        let bearer = sensitive(["Bearer ", &secret].concat())
            .ok_or(TokenError::Forbidden { position: 0 })?;
        Ok(Self {
            secret: Arc::new(Secret {
                text: secret,
                bearer,
            }),
            lifetime: None,
        })
    }

    /// Returns a token of the value of an environment variable.
    ///
    /// # Errors
    /// [`TokenError`] if the variable is not set or its value is not a token.
    ///
    /// ```
    /// use call_api_transport::{Token, TokenError};
    ///
    /// let error = Token::from_env("NO_SUCH_VARIABLE").unwrap_err();
    /// assert!(matches!(error, TokenError::NotSet { variable } if variable == "NO_SUCH_VARIABLE"));
    /// ```
    pub fn from_env(variable: &str) -> Result<Self, TokenError> {
        match std::env::var(variable) {
            Ok(secret) => Self::new(secret),
            Err(std::env::VarError::NotPresent) => Err(TokenError::NotSet {
                variable: variable.to_owned(),
            }),
            Err(std::env::VarError::NotUnicode(text)) => Err(TokenError::Forbidden {
                position: forbidden(text.as_encoded_bytes()).unwrap_or_default(),
            }),
        }
    }

    /// Sets how long a token from a provider may be used: the provider is asked again when that time has passed. Without it,
    /// a token is used until the service answers 401.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use call_api_transport::{BoxError, Token, Transport};
    ///
    /// let ask = || async { Ok::<_, BoxError>(Token::new("s3cret")?.with_lifetime(Duration::from_secs(600))) };
    /// let transport = Transport::builder("https://pets.example").token_provider(ask).build()?;
    /// # Ok::<(), call_api_transport::BuildError>(())
    /// ```
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    fn basic(&self) -> Option<HeaderValue> {
        sensitive(["Basic ", &self.encoded()].concat())
    }

    /// Returns the token in the encoding of HTTP Basic.
    pub(crate) fn encoded(&self) -> Zeroizing<String> {
        Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(self.secret().as_bytes()))
    }

    fn plain(&self) -> Option<HeaderValue> {
        sensitive(self.secret().to_owned())
    }

    /// Puts the token into its place in the request; `None` if it fits into no header.
    fn authorize(&self, auth: Auth, request: &mut reqwest::Request) -> Option<()> {
        let (name, value) = match auth.place() {
            Auth::None | Auth::Scheme(..) | Auth::Each(_) => return Some(()),
            Auth::Bearer => (header::AUTHORIZATION, self.secret.bearer.clone()),
            Auth::Basic => (header::AUTHORIZATION, self.basic()?),
            Auth::ApiKeyHeader(name) => {
                (HeaderName::from_bytes(name.as_bytes()).ok()?, self.plain()?)
            }
            Auth::ApiKeyQuery(name) => {
                self.append_to_query(request.url_mut(), name);
                return Some(());
            }
            Auth::ApiKeyCookie(name) => {
                let given = request.headers().get_all(header::COOKIE).iter();
                let mut cookies: Vec<_> = given.map(|cookies| cookies.as_bytes()).collect();
                let own = Zeroizing::new(format!("{name}={}", self.secret()));
                cookies.push(own.as_bytes());
                (header::COOKIE, sensitive(cookies.join(&b"; "[..]))?)
            }
        };
        request.headers_mut().insert(name, value);
        Some(())
    }

    fn append_to_query(&self, url: &mut url::Url, name: &str) {
        url.query_pairs_mut().append_pair(name, self.secret());
    }

    /// Returns the secret, for comparisons only.
    pub(crate) fn secret(&self) -> &str {
        &self.secret.text
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.secret() == other.secret()
    }
}

/// Returns a header value that owns the text, without a copy, and overwrites it with its last clone. Never `None` for
/// printable ASCII.
fn sensitive(text: impl Into<Vec<u8>>) -> Option<HeaderValue> {
    let text: Vec<u8> = text.into();
    let text = Bytes::from_owner(Zeroizing::new(text));
    let mut value = HeaderValue::from_maybe_shared(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Returns the position of the first byte that is not printable ASCII.
fn forbidden(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| !(0x20..=0x7e).contains(byte))
}

/// The reason why a text is not a token. Never shows the text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is empty.
    #[error("the token is empty; give the token that the service issued")]
    Empty,
    /// It begins or ends with a space.
    #[error("the token begins or ends with a space; give it exactly as the service issued it")]
    Space,
    /// It begins with `Bearer `, which is not part of the token.
    #[error(
        "the token begins with `Bearer `; give what follows, the scheme is added when it is sent"
    )]
    Scheme,
    /// It contains a byte that is not allowed in a header.
    #[error(
        "the token contains a control or non-ASCII character at byte {position}, perhaps a line break; \
         give it exactly as the service issued it"
    )]
    Forbidden {
        /// The position, in bytes from 0.
        position: usize,
    },
    /// The environment variable is not set.
    #[error(
        "the environment variable {variable} is not set; set it to the token that the service issued"
    )]
    NotSet {
        /// The name.
        variable: String,
    },
    /// The file cannot be read.
    #[error("the token file {} cannot be read; check that it exists and who may read it", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
}

/// The future that a [`TokenProvider`] returns.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<Token, BoxError>> + Send + 'a>>;

/// A source of tokens: a secret store, an identity service, a file.
///
/// It runs when the first request needs a token, when the [lifetime](Token::with_lifetime) of the last one has passed,
/// and once after a 401. Other requests wait for that one token. The time counts against the deadline of the request that
/// started it. Dropping that request drops the future, so it should not hold a lock across an await.
///
/// Closures are providers:
///
/// ```
/// use call_api_transport::{BoxError, Token, Transport};
///
/// let transport = Transport::builder("https://pets.example")
///     .token_provider(|| async {
///         let secret = String::from("from wherever"); // ask the secret store
///         Ok::<_, BoxError>(Token::new(secret)?)
///     })
///     .build();
/// # let _ = transport;
/// ```
///
/// Your own types can implement it, too:
///
/// ```
/// use call_api_transport::{Token, TokenFuture, TokenProvider};
///
/// struct Store;
///
/// impl TokenProvider for Store {
///     fn token(&self) -> TokenFuture<'_> {
///         Box::pin(async { Ok(Token::new("from wherever")?) })
///     }
/// }
///
/// #[tokio::main]
/// async fn main() {
///     assert!(Store.token().await.is_ok());
/// }
/// ```
pub trait TokenProvider: Send + Sync + 'static {
    /// Returns a token. The error becomes the source of the request's, so it must not show a secret.
    fn token(&self) -> TokenFuture<'_>;
}

impl<F, Fetching> TokenProvider for F
where
    F: Fn() -> Fetching + Send + Sync + 'static,
    Fetching: Future<Output = Result<Token, BoxError>> + Send + 'static,
{
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(self())
    }
}

impl<T: TokenProvider + ?Sized> TokenProvider for Arc<T> {
    fn token(&self) -> TokenFuture<'_> {
        (**self).token()
    }
}

impl TokenProvider for Box<dyn TokenProvider> {
    fn token(&self) -> TokenFuture<'_> {
        (**self).token()
    }
}

/// A token in a file that may change, as Kubernetes and Vault agents write it. Trailing white space is ignored.
///
/// The file is read again after a minute, and after a 401.
///
/// ```
/// use call_api_transport::{TokenFile, TokenProvider as _};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let path = std::env::temp_dir().join(format!("example-{}.token", std::process::id()));
///     std::fs::write(&path, "s3cret\n")?;
///     let file = TokenFile::new(&path);
///     println!("{:?}, and again after {:?}", file.token().await.is_ok(), TokenFile::REREAD_AFTER);
///     assert!(file.token().await.is_ok());
///     std::fs::remove_file(path)?;
///     assert!(file.token().await.is_err(), "the file was removed");
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The time after which the file is read again.
    pub const REREAD_AFTER: Duration = Duration::from_secs(60);

    /// Returns a provider for this file, which is read when a request needs the token.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl TokenProvider for TokenFile {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(async move {
            let text = tokio::fs::read_to_string(&self.path)
                .await
                .map_err(|source| TokenError::File {
                    path: self.path.clone(),
                    source,
                })?;
            let text = Zeroizing::new(text);
            Ok(Token::new(text.trim_end())?.with_lifetime(Self::REREAD_AFTER))
        })
    }
}

/// The credentials of a transport, each of which is sent to the operations of its security scheme alone.
pub(crate) struct Credentials {
    pub(crate) token: Source,
    pub(crate) by_scheme: BTreeMap<String, Source>,
    none: Source,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            token: Source::None,
            by_scheme: BTreeMap::new(),
            none: Source::None,
        }
    }
}

impl Credentials {
    /// Returns the source of the credential that an operation requires; of several, of the first.
    pub(crate) fn of(&self, auth: Auth) -> &Source {
        match auth {
            Auth::Scheme(name, _) => self.by_scheme.get(name).unwrap_or(&self.none),
            Auth::Each([first, ..]) => self.of(*first),
            _ => &self.token,
        }
    }

    /// Returns the credentials that an operation takes beside the first, with their places. None of them has a provider.
    pub(crate) fn others(&self, auth: Auth) -> impl Iterator<Item = (&Token, Auth)> {
        let others = auth.others();
        others.iter().enumerate().filter_map(move |(index, other)| {
            let issued = self.of(*other).cached().flatten()?;
            let mut earlier = std::iter::once(&auth).chain(&others[..index]);
            let is_taken = earlier.any(|one| one.excludes(*other) && !self.of(*one).is_none());
            (!is_taken).then_some((&issued.token, *other))
        })
    }

    /// Returns true if there is a credential for the operation.
    pub(crate) fn have(&self, auth: Auth) -> bool {
        let mut others = auth.others().iter();
        !self.of(auth).is_none() || others.any(|auth| !self.of(*auth).is_none())
    }

    /// Puts the token, which was issued for the first of the credentials that the operation takes, and the others into the
    /// request; `None` if one fits into no header.
    pub(crate) fn authorize(
        &self,
        token: Option<&Token>,
        auth: Auth,
        request: &mut reqwest::Request,
    ) -> Option<()> {
        let first = token.map(|token| (token, auth));
        let mut all = first.into_iter().chain(self.others(auth));
        all.try_for_each(|(token, auth)| token.authorize(auth, request))
    }
}

/// The source of a transport's token.
pub(crate) enum Source {
    None,
    Fixed(IssuedToken),
    Provider {
        provider: Box<dyn TokenProvider>,
        single_flight: SingleFlight<CachedToken, Arc<BoxError>>,
    },
}

/// A token, and the time from which it must not be used.
#[derive(Clone)]
pub(crate) struct CachedToken {
    token: Token,
    until: Option<Instant>,
}

/// A token for one attempt, and its number.
#[derive(Clone)]
pub(crate) struct IssuedToken {
    pub(crate) token: Token,
    generation: u64,
}

impl Source {
    pub(crate) fn fixed(token: Token) -> Self {
        Self::Fixed(IssuedToken {
            token,
            generation: 0,
        })
    }

    pub(crate) fn provider(provider: impl TokenProvider) -> Self {
        Self::Provider {
            provider: Box::new(provider),
            single_flight: SingleFlight::new(),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Returns the token if it needs no provider; `Some(None)` if the client has none.
    pub(crate) fn cached(&self) -> Option<Option<&IssuedToken>> {
        match self {
            Self::None => Some(None),
            Self::Fixed(token) => Some(Some(token)),
            Self::Provider { .. } => None,
        }
    }

    /// Returns the token; `Ok(None)` if the client has none.
    pub(crate) async fn get(
        &self,
        time: &Time,
    ) -> Result<Option<Cow<'_, IssuedToken>>, Arc<BoxError>> {
        match self {
            Self::None | Self::Fixed(_) => Ok(self.cached().flatten().map(Cow::Borrowed)),
            Self::Provider {
                provider,
                single_flight,
            } => {
                let fresh =
                    |cached: &CachedToken| cached.until.is_none_or(|until| time.now() < until);
                let make = || async {
                    let token = provider.token().await.map_err(Arc::new)?;
                    let until = token
                        .lifetime
                        .and_then(|lifetime| time.now().checked_add(lifetime));
                    Ok(CachedToken { token, until })
                };
                let Produced { value, generation } = single_flight.get(fresh, make).await?;
                Ok(Some(Cow::Owned(IssuedToken {
                    token: value.token,
                    generation,
                })))
            }
        }
    }

    /// Discards a token after a 401. Returns true if a provider may give another.
    pub(crate) fn reject(&self, issued: &IssuedToken) -> bool {
        match self {
            Self::None | Self::Fixed(_) => false,
            Self::Provider { single_flight, .. } => {
                single_flight.forget(issued.generation);
                true
            }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Fixed(_) => "Fixed(***)",
            Self::Provider { .. } => "Provider(***)",
        })
    }
}

/// The error of a provider, which all requests that waited for it share.
#[derive(Clone)]
pub(crate) struct ProviderError(pub(crate) Arc<BoxError>);

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.0, f)
    }
}

impl fmt::Debug for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl std::error::Error for ProviderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    #[test]
    fn header_value_is_overwritten_after_the_last_drop() {
        // Long, so that the bookkeeping of the allocator in freed memory overwrites only a small part.
        let secret = "5ecret-".repeat(600);
        for auth in [Auth::Bearer, Auth::Basic, Auth::ApiKeyHeader("x-key")] {
            let token = Token::new(secret.clone()).unwrap();
            let url = url::Url::parse("http://localhost").unwrap();
            let mut request = reqwest::Request::new(http::Method::GET, url);
            token.authorize(auth, &mut request).unwrap();
            let value = request.headers().values().next().unwrap().clone();
            let (address, before) = (value.as_bytes().as_ptr() as u64, value.as_bytes().to_vec());
            assert!(value.is_sensitive() && before.len() > secret.len() - 100);
            drop((token, request));
            // Allocated before, so that it does not reuse the freed memory.
            let mut bytes = vec![0; before.len()];
            let mut is_in_memory = || {
                let memory = std::fs::File::open("/proc/self/mem").unwrap();
                memory.read_exact_at(&mut bytes, address).unwrap();
                bytes.windows(14).any(|part| part == &before[700..714])
            };
            assert!(is_in_memory(), "{auth:?}");
            drop(value);
            assert!(!is_in_memory(), "{auth:?}");
        }
    }
}
