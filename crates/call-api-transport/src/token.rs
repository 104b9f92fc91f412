//! The secret that a request carries, and where it comes from.

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
/// It can be given to a [`Transport`](crate::Transport) and to nothing else: it has no `Display`, no `Serialize` and no
/// accessor, its `Debug` prints stars, and its memory is overwritten when the last clone is dropped, and so is that of the
/// header values made of it. (What the HTTP library writes to a connection is a copy in its own memory, which is not.)
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
    /// Made once: a request copies nothing of it.
    bearer: HeaderValue,
}

impl Token {
    /// Takes a secret.
    ///
    /// # Errors
    /// [`TokenError`] where it is empty, has a space at either end, or holds anything but printable ASCII: a line break
    /// would end the header (RFC 9110, section 5.5). The error never shows the secret.
    pub fn new(secret: impl Into<String>) -> Result<Self, TokenError> {
        // The caller's own buffer, where it is one, is overwritten too: also on error.
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
        if let Some(position) = secret
            .bytes()
            .position(|byte| !(0x20..=0x7e).contains(&byte))
        {
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

    /// Takes the secret that an environment variable holds now.
    ///
    /// # Errors
    /// [`TokenError`] where the variable is not set or its value is no token.
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
            Err(std::env::VarError::NotUnicode(_)) => Err(TokenError::Forbidden { position: 0 }),
        }
    }

    /// Says how long a token from a provider may be used: when that time has passed since it was handed over, the
    /// provider is asked again. Without it a token is used until the service answers 401.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use call_api_transport::{BoxError, Token, Transport};
    ///
    /// let ask = || async { Ok::<_, BoxError>(Token::new("s3cret")?.with_lifetime(Duration::from_secs(600))) };
    /// let transport = Transport::builder("https://calls.example").token_provider(ask).build()?;
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

    /// As HTTP Basic sends it.
    pub(crate) fn encoded(&self) -> Zeroizing<String> {
        Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(self.secret().as_bytes()))
    }

    fn plain(&self) -> Option<HeaderValue> {
        sensitive(self.secret().to_owned())
    }

    /// Puts the token into the request, where the operation wants it; `None` where it fits into no header.
    pub(crate) fn authorize(&self, auth: Auth, request: &mut reqwest::Request) -> Option<()> {
        let (name, value) = match auth.place() {
            Auth::None | Auth::Scheme(..) => return Some(()),
            Auth::Bearer => (header::AUTHORIZATION, self.secret.bearer.clone()),
            Auth::Basic => (header::AUTHORIZATION, self.basic()?),
            Auth::ApiKeyHeader(name) => {
                (HeaderName::from_bytes(name.as_bytes()).ok()?, self.plain()?)
            }
            Auth::ApiKeyQuery(name) => {
                self.append_to_query(request.url_mut(), name);
                return Some(());
            }
        };
        request.headers_mut().insert(name, value);
        Some(())
    }

    fn append_to_query(&self, url: &mut url::Url, name: &str) {
        url.query_pairs_mut().append_pair(name, self.secret());
    }

    /// For comparing; nothing may show it.
    pub(crate) fn secret(&self) -> &str {
        &self.secret.text
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.secret() == other.secret()
    }
}

/// `None` can't be: a token holds only printable ASCII. The text becomes the value, without a copy that would stay
/// behind, and is overwritten with the last clone of it.
fn sensitive(text: String) -> Option<HeaderValue> {
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

/// Why a text can't be a token. Never shows the text.
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
    /// It holds a byte that a header can't carry.
    #[error(
        "the token holds a control or non-ASCII character at byte {position}, perhaps a line break; \
         give it exactly as the service issued it"
    )]
    Forbidden {
        /// Where, counted in bytes from 0.
        position: usize,
    },
    /// The environment variable is not set.
    #[error(
        "the environment variable {variable} is not set; set it to the token that the service issued"
    )]
    NotSet {
        /// Its name.
        variable: String,
    },
    /// The file can't be read.
    #[error("the token file {} cannot be read; check that it exists and who may read it", path.display())]
    File {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// The future that a [`TokenProvider`] returns.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<Token, BoxError>> + Send + 'a>>;

/// Something that can be asked for a token: a secret store, an identity service, a file.
///
/// It is asked when the first call needs a token, when the last one's [lifetime](Token::with_lifetime) is over, and
/// once after a 401; while it is at it, all other calls wait for that one answer. What it takes counts against the
/// deadline of the call that asked, and it is dropped with it, so it should hold no lock across an await.
///
/// Closures are providers:
///
/// ```
/// use call_api_transport::{BoxError, Token, Transport};
///
/// let transport = Transport::builder("https://calls.example")
///     .token_provider(|| async {
///         let secret = String::from("from wherever"); // ask the secret store
///         Ok::<_, BoxError>(Token::new(secret)?)
///     })
///     .build();
/// # let _ = transport;
/// ```
///
/// And so may types of your own be:
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
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # assert!(Store.token().await.is_ok());
/// # }
/// ```
pub trait TokenProvider: Send + Sync + 'static {
    /// Fetches a token. The error becomes the source of the call's failure, so it must not show a secret.
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

/// A token in a file that may change, as Kubernetes and Vault agents write it. White space at the end is left out.
///
/// The file is read again a minute after it was last read, and after a 401.
///
/// ```
/// use call_api_transport::{TokenFile, TokenProvider as _};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("call-api-doc-{}.token", std::process::id()));
/// std::fs::write(&path, "s3cret\n")?;
/// let file = TokenFile::new(&path);
/// println!("{:?}, and again after {:?}", file.token().await.is_ok(), TokenFile::REREAD_AFTER);
/// # assert!(file.token().await.is_ok());
/// # std::fs::remove_file(path)?;
/// assert!(file.token().await.is_err(), "it is gone");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// How long a token that was read is used before the file is read again.
    pub const REREAD_AFTER: Duration = Duration::from_secs(60);

    /// Names the file; it is read when a call needs the token.
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
    /// Returns the source of the credential that an operation asks for.
    pub(crate) fn of(&self, auth: Auth) -> &Source {
        match auth {
            Auth::Scheme(name, _) => self.by_scheme.get(name).unwrap_or(&self.none),
            _ => &self.token,
        }
    }
}

/// Where a transport's token comes from.
pub(crate) enum Source {
    None,
    Fixed(Token),
    Provider {
        provider: Box<dyn TokenProvider>,
        single_flight: SingleFlight<CachedToken, Arc<BoxError>>,
    },
}

/// A token and the moment from which it is not to be used.
#[derive(Clone)]
pub(crate) struct CachedToken {
    token: Token,
    until: Option<Instant>,
}

/// A token for one attempt, and which one it is.
pub(crate) struct IssuedToken {
    pub(crate) token: Token,
    generation: u64,
}

impl Source {
    pub(crate) fn provider(provider: impl TokenProvider) -> Self {
        Self::Provider {
            provider: Box::new(provider),
            single_flight: SingleFlight::new(),
        }
    }

    /// What is had without waiting, `Some(None)` where the client has no token; `None` where a provider is to be asked.
    pub(crate) fn cached(&self) -> Option<Option<IssuedToken>> {
        match self {
            Self::None => Some(None),
            Self::Fixed(token) => Some(Some(IssuedToken {
                token: token.clone(),
                generation: 0,
            })),
            Self::Provider { .. } => None,
        }
    }

    /// `Ok(None)` where the client has no token.
    pub(crate) async fn get(&self, time: &Time) -> Result<Option<IssuedToken>, Arc<BoxError>> {
        match self {
            Self::None | Self::Fixed(_) => Ok(self.cached().flatten()),
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
                Ok(Some(IssuedToken {
                    token: value.token,
                    generation,
                }))
            }
        }
    }

    /// After a 401: `true` where asking again may bring another token.
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

/// A provider's error, which all calls that waited for it share.
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
    fn a_header_value_is_overwritten_with_its_last_owner() {
        // Long, so that what the allocator writes into free memory leaves most of it as it was.
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
            // Made before, so that it doesn't take the place of what is freed.
            let mut bytes = vec![0; before.len()];
            let mut is_there = || {
                let memory = std::fs::File::open("/proc/self/mem").unwrap();
                memory.read_exact_at(&mut bytes, address).unwrap();
                bytes.windows(14).any(|part| part == &before[700..714])
            };
            assert!(is_there(), "{auth:?}");
            drop(value);
            assert!(!is_there(), "{auth:?}");
        }
    }
}
