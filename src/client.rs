//! The client: every operation of the API, and the helpers for phone calls.

use std::borrow::Borrow;
use std::ops::Deref;

use call_api_transport::Transport;
use futures_core::Stream;
use futures_util::stream;
use uuid::Uuid;

use crate::many::GetCalls;
use crate::recording::FetchRecording;
use crate::wait::{WaitUntilEnded, WaitUntilSettled};
use crate::{Call, Error};

/// A client of the call API. Cheap to clone: clones share connections, token and retry budget.
///
/// It has the helpers for phone calls below, and by `Deref` every operation of the API, such as
/// [`get_call`](call_api_client::Client::get_call). A request owns its client, so it can be spawned and collected.
///
/// Every request has one deadline (45 s) for all it does, is retried where that is safe, and sends the token only to the
/// base URL's host. [`Client::builder`] changes these defaults for the client, and
/// [`RequestOptions`](crate::RequestOptions) for one request.
///
/// ```
/// use call_api::Client;
/// use call_api_sandbox::Sandbox;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = Sandbox::start().await?;
///     let id = Sandbox::EXAMPLE_ID;
///     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let task = tokio::spawn(client.get_call(id).send());
///     assert_eq!(client.get_call(id).await?, task.await??.value);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Client(call_api_client::Client);

/// Builds a [`Client`]; see [`guide`](crate::guide#settings) for all settings.
///
/// ```
/// use std::time::Duration;
///
/// use call_api::{Client, ClientBuilder};
/// use call_api_sandbox::Sandbox;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = Sandbox::start().await?;
///     let builder: ClientBuilder = Client::builder().base_url(sandbox.base_url()).token(sandbox.token());
///     let client = builder.deadline(Duration::from_secs(20)).build()?;
///     assert_eq!(client.get_call(Sandbox::EXAMPLE_ID).await?.id, Sandbox::EXAMPLE_ID);
///     Ok(())
/// }
/// ```
pub type ClientBuilder = call_api_client::ClientBuilder<Client>;

impl Client {
    /// Returns a client configured from the environment: the token from
    /// [`CALL_API_TOKEN`](crate::TOKEN_VARIABLE), and the base URL from [`CALL_API_BASE_URL`](crate::BASE_URL_VARIABLE)
    /// or else [`DEFAULT_BASE_URL`](crate::DEFAULT_BASE_URL).
    ///
    /// ```
    /// use call_api::{BASE_URL_VARIABLE, Client, DEFAULT_BASE_URL, TOKEN_VARIABLE};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = call_api_sandbox::Sandbox::start().await?;
    /// # // No other thread reads the environment.
    /// # unsafe { std::env::set_var("CALL_API_BASE_URL", sandbox.base_url()) };
    /// # unsafe { std::env::set_var("CALL_API_TOKEN", sandbox.token()) };
    ///     let id = "3c90c3cc-0d44-4b50-8888-8dd25736052a".parse()?;
    ///     let client = Client::from_env()?;
    ///     println!("the token is from {TOKEN_VARIABLE}, the base URL from {BASE_URL_VARIABLE}, or {DEFAULT_BASE_URL:?}");
    ///     assert_eq!(client.get_call(id).await?.id, id);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the token is missing, or one of the two is unusable.
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build()
    }

    /// Returns a builder, to configure a client in code.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Returns a client that sends its requests through `transport`.
    ///
    /// ```
    /// use call_api::transport::Transport;
    /// use call_api::{Client, Token};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = call_api_sandbox::Sandbox::start().await?;
    ///     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    ///     let transport = Transport::builder(sandbox.base_url()).token(Token::new(sandbox.token())?).build()?;
    ///     let client = Client::new(transport);
    ///     assert_eq!(client.get_call(id).await?.id, id);
    ///     Ok(())
    /// }
    /// ```
    pub fn new(transport: Transport) -> Self {
        Self(call_api_client::Client::new(transport))
    }

    /// Waits until a call has ended: polls `GET /v1/call/{id}`; see [`WaitUntilEnded`] for how often, and which errors it
    /// tolerates.
    ///
    /// Await it for the ended call, or read its [`updates`](WaitUntilEnded::updates) for each change until then:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use call_api::Client;
    /// use call_api_sandbox::Sandbox;
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = Sandbox::start().await?;
    ///     let mut call = Sandbox::example_call();
    ///     let id = call.id;
    ///     call.status = call_api::CallStatus::Completed;
    ///     sandbox.put(call);
    ///     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///
    ///     let call = client
    ///         .wait_until_ended(id)
    ///         .deadline(Duration::from_secs(15 * 60))
    ///         .on_change(|change| println!("{}", change.call.status))
    ///         .await?;
    ///     assert!(call.is_ended());
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) if the call has not ended in time, with its
    /// [last state](Error::last_seen), and any error that is not transient, such as
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound).
    pub fn wait_until_ended(&self, id: Uuid) -> WaitUntilEnded {
        WaitUntilEnded::new(&self.0, id)
    }

    /// Waits until a call is settled: it has ended, and nothing that services send later is missing, such as its
    /// recording. See [`WaitUntilSettled`] for what is expected of which call.
    ///
    /// ```
    /// use call_api::Client;
    /// use call_api::LateProperty;
    /// use call_api_sandbox::Sandbox;
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = Sandbox::start().await?;
    ///     let mut call = call_api::Call::sample();
    ///     call.recording_url = None;
    ///     let id = call.id;
    ///     sandbox.put(call);
    ///     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///
    ///     let settled = client.wait_until_settled(id).await?;
    ///     if !settled.is_complete() {
    ///         assert_eq!(settled.missing, [LateProperty::RecordingUrl]);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`wait_until_ended`](Self::wait_until_ended). A call that lacks something when the settle time is over is a
    /// result, not an error.
    pub fn wait_until_settled(&self, id: Uuid) -> WaitUntilSettled {
        WaitUntilSettled::new(self.wait_until_ended(id))
    }

    /// Fetches many calls: `GET /v1/call/{id}` for each id, eight at a time; see [`GetCalls`] for its settings, and for
    /// what happens to duplicates and on a 429.
    ///
    /// ```
    /// use call_api::{Client, Uuid};
    /// use call_api_sandbox::Sandbox;
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = Sandbox::start().await?;
    ///     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///     let ids = [Sandbox::EXAMPLE_ID, Uuid::nil(), Sandbox::EXAMPLE_ID];
    ///     let mut calls = client.get_calls(ids);
    ///     let mut lines = Vec::new();
    ///     while let Some((id, result)) = calls.next().await {
    ///         match result {
    ///             Ok(call) => lines.push(format!("{id} {}", call.status)),
    ///             Err(error) => lines.push(format!("{id} {}", error.kind())),
    ///         }
    ///     }
    ///     assert_eq!(lines, [
    ///         "3c90c3cc-0d44-4b50-8888-8dd25736052a dialing",
    ///         "00000000-0000-0000-0000-000000000000 not found",
    ///     ]);
    ///     Ok(())
    /// }
    /// ```
    pub fn get_calls<'a, I>(&self, ids: I) -> GetCalls<'a>
    where
        I: IntoIterator<Item: Borrow<Uuid>, IntoIter: Send + 'a>,
    {
        self.get_calls_from(stream::iter(ids.into_iter().map(|id| *id.borrow())))
    }

    /// Fetches many calls, as [`get_calls`](Self::get_calls), whose ids arrive as a stream.
    ///
    /// ```
    /// use call_api::Client;
    /// use call_api_sandbox::Sandbox;
    /// use futures_util::stream;
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = Sandbox::start().await?;
    ///     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///     let ids = stream::once(async { Sandbox::EXAMPLE_ID });
    ///     let mut calls = client.get_calls_from(ids);
    ///     assert!(matches!(calls.next().await, Some((Sandbox::EXAMPLE_ID, Ok(_)))));
    ///     Ok(())
    /// }
    /// ```
    pub fn get_calls_from<'a>(&self, ids: impl Stream<Item = Uuid> + Send + 'a) -> GetCalls<'a> {
        GetCalls::new(&self.0, ids)
    }

    /// Downloads the recording of a call: to a file, atomically, or to a writer. Interrupted downloads resume, and a
    /// recording that the service is still making is waited for. A call without a recording is a
    /// [result](crate::Recording), not an error. See [`FetchRecording`] for the requests that it sends.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = call_api_sandbox::Sandbox::start().await?;
    ///     sandbox.run(call_api_sandbox::Sandbox::example_call(), call_api_sandbox::Script::completed());
    ///     sandbox.advance(Duration::from_secs(60));
    ///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
    ///     let call = client.get_call(id).await?;
    ///     let folder = std::env::temp_dir();
    ///     let folder = folder.join(format!("call-api-doc-{}", std::process::id()));
    ///     std::fs::create_dir_all(&folder)?;
    ///     if let Some(saved) = client.recording(&call).to_folder(&folder).await?.saved() {
    ///         println!("{} bytes in {:?}", saved.bytes, saved.path);
    ///         assert!(saved.bytes > 0);
    ///     }
    ///     std::fs::remove_dir_all(folder)?;
    ///     Ok(())
    /// }
    /// ```
    pub fn recording<'a>(&self, call: &Call) -> FetchRecording<'a> {
        FetchRecording::new(&self.0, call)
    }
}

impl From<call_api_client::Client> for Client {
    fn from(client: call_api_client::Client) -> Self {
        Self(client)
    }
}

/// Every operation of the API, and what all clients have in common.
impl Deref for Client {
    type Target = call_api_client::Client;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
