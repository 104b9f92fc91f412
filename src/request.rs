//! A request that is still to be sent: it can be given settings of its own, and is sent by being awaited.

use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use call_api_transport::{AttemptLog, Exchange, RequestOptions};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::client::Client;
use crate::drift::Drift;
use crate::error::Error;
use crate::{Call, raw};

/// A value, and how it was come by.
///
/// ```
/// use call_api::{Call, Response};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// let response: Response<Call> = client.get_call(id).with_meta().await?;
/// assert_eq!((response.status, response.value.id), (200, id));
/// println!("request {:?} in {:?}", response.request_id(), response.attempt_log.elapsed());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Response<T> {
    /// The value.
    pub value: T,
    /// The HTTP status.
    pub status: u16,
    /// The attempts: how many, how long, and what went wrong before one succeeded.
    pub attempt_log: AttemptLog,
}

impl<T> Response<T> {
    /// The id by which the service knows the request, where it names one.
    pub fn request_id(&self) -> Option<&str> {
        self.attempt_log.request_id()
    }
}

/// The future of a request.
pub(crate) type Sending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A request for one call, made by [`Client::get_call`]. Awaiting it sends it.
///
/// It sends the operation `get_call` (`GET /v1/call/{id}`), three times at most where none is set. It may be dropped at any
/// point: it leaves nothing behind.
///
/// ```
/// use std::time::Duration;
///
/// use call_api::RequestOptions;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// let call = client.get_call(id).deadline(Duration::from_secs(2)).max_attempts(1).await?;
///
/// let patient = RequestOptions::new().attempt_timeout(Duration::from_secs(10));
/// let response = client.get_call(id).options(patient).with_meta().await?;
/// assert_eq!(response.value, call);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a request does nothing until it is awaited"]
pub struct GetCall<'a> {
    client: &'a Client,
    id: Uuid,
    options: Option<RequestOptions>,
}

impl<'a> GetCall<'a> {
    pub(crate) fn new(client: &'a Client, id: Uuid) -> Self {
        Self {
            client,
            id,
            options: None,
        }
    }

    /// The limit on everything that this call does, instead of the client's.
    pub fn deadline(self, deadline: Duration) -> Self {
        self.change(|options| options.deadline(deadline))
    }

    /// How often at the most the request is sent, instead of the client's 3; with 1 it is not retried.
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.change(|options| options.max_attempts(attempts))
    }

    /// All that can be set for one call; replaces what was set for this one before.
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.options = Some(options);
        self
    }

    /// The same request, answering with the log of its attempts beside the call.
    pub fn with_meta(self) -> WithMeta<'a> {
        WithMeta(self)
    }

    fn change(mut self, change: impl FnOnce(RequestOptions) -> RequestOptions) -> Self {
        self.options = Some(change(self.options.unwrap_or_default()));
        self
    }

    async fn send(self) -> Result<(Call, Exchange), Error> {
        let id = self.id;
        send(self.client, self.options, async move |client| {
            client.get_call().id(id).send().await
        })
        .await
    }
}

impl<'a> IntoFuture for GetCall<'a> {
    type Output = Result<Call, Error>;
    type IntoFuture = Sending<'a, Call>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { self.send().await.map(|(call, _)| call) })
    }
}

/// A request whose answer comes with its attempt log, made by [`GetCall::with_meta`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// let response = client.get_call(id).with_meta().await?;
/// let attempt_log = response.attempt_log;
/// assert_eq!(attempt_log.attempts().len(), 1);
/// println!("{} took {:?}: {}", attempt_log.operation(), attempt_log.elapsed(), attempt_log.stop_reason());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a request does nothing until it is awaited"]
pub struct WithMeta<'a>(GetCall<'a>);

impl<'a> IntoFuture for WithMeta<'a> {
    type Output = Result<Response<Call>, Error>;
    type IntoFuture = Sending<'a, Response<Call>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async {
            let (value, exchange) = self.0.send().await?;
            Ok(Response {
                value,
                status: exchange.status.map_or(200, |status| status.as_u16()),
                attempt_log: exchange.attempt_log,
            })
        })
    }
}

/// Sends one operation of the generated client, and makes one error of whatever goes wrong.
async fn send<T, E>(
    client: &Client,
    options: Option<RequestOptions>,
    operation: impl AsyncFnOnce(&raw::Client) -> Result<raw::ResponseValue<T>, raw::Error<E>>,
) -> Result<(T, Exchange), Error>
where
    T: DeserializeOwned,
{
    let transport = client.raw().transport();
    let (transport, recording) = match options {
        Some(options) => transport.with_options(options).recorded(),
        None => transport.recorded(),
    };
    let result = operation(&raw::Client::new(transport)).await;
    match (result, recording.take()) {
        (Ok(value), Some(exchange)) => match drift(client, &exchange) {
            Ok(()) => Ok((value.into_inner(), exchange)),
            Err(drifts) => Err(Error::from_drift(&drifts, Some(exchange))),
        },
        (Ok(_), None) => Err(Error::without_exchange()),
        (Err(error), exchange) => {
            // The error says more than that there was drift, which is counted all the same.
            let _ = exchange.as_ref().map(|exchange| drift(client, exchange));
            Err(Error::from_raw::<T, E>(error, exchange))
        }
    }
}

/// Looks for drift, where the client is to.
fn drift(client: &Client, exchange: &Exchange) -> Result<(), Vec<Drift>> {
    match (client.sentinel(), exchange.status) {
        (Some(sentinel), Some(status)) if !exchange.body_is_cut => {
            let operation = exchange.attempt_log.operation();
            sentinel.look(operation, status.as_u16(), &exchange.body)
        }
        _ => Ok(()),
    }
}
