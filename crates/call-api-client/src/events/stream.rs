//! The streams of a response that users read: events, and JSON lines.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use call_api_transport::RequestOptions;
use futures_core::Stream;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::connection::{Connection, EVENT_STREAM, Step};
use super::item;
use super::line::{LineEnd, Lines};
use super::parser::{EventParser, RawEvent};
use super::{EventData, Streamed};
use crate::client::Client;
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::request::Prepared;

/// The delay before a reconnection, where the service names none.
const RECONNECTION_TIME: Duration = Duration::from_secs(1);

/// The longest delay between reconnections that bring no event, unless the service names a longer one.
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// The data by which many services mark the end of a stream of JSON. It is not JSON.
const DONE: &str = "[DONE]";

/// A server-sent event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Event<T> {
    /// The content.
    pub item: T,
    /// The name; `message` if the service gives none.
    pub name: String,
    /// The id of this event, if it has one.
    pub id: Option<String>,
}

/// The server-sent events of a response, as a [`Stream`].
///
/// The request is sent when the stream is first read. The deadline ends with the head of the response: then only the
/// [idle timeout](crate::ClientBuilder::idle_timeout) applies, to the time without any byte.
///
/// An event that does not match the document is an error with an [`ItemError`](Error::item), and the stream continues after
/// it. Any other error ends the stream.
///
/// # Reconnection
/// If the connection ends, for whatever reason, the request is sent again with `Last-Event-ID`, after the delay that the
/// service asks for (`retry`, else 1 s), provided that its method is `GET` and that an event had an id. Reconnections that
/// bring no event take ever longer delays, and there is one deadline from the end of the connection until the next byte
/// arrives. The stream ends if the service answers with 204, or with no byte to a reconnection.
///
/// A service may ignore `Last-Event-ID`, and send its first event again. If the body before had an end, the stream ends
/// there; a connection that broke is an error.
///
/// Without a position to resume from, the end of the body ends the stream, and a connection that breaks is an error.
#[must_use = "a stream does nothing until it is read"]
pub struct Events<T> {
    connection: Connection,
    parser: EventParser,
    data: EventData,
    index: usize,
    reconnects: bool,
    /// The number of reconnections since the last event.
    attempts: u32,
    /// The end of the connection, until the next byte.
    interrupted_at: Option<Instant>,
    received: Received,
    /// The reconnection whose first event has not arrived.
    resumed: Option<Resumed>,
    item: PhantomData<fn() -> T>,
}

/// The events that have arrived.
enum Received {
    Nothing,
    /// No event had an id, and not all had a name.
    WithoutId,
    /// The hash of the first event with an id. Ids alone may be those of a connection.
    From(u64),
}

/// A reconnection.
struct Resumed {
    after: String,
    /// The error of a connection that broke; `None` if the body had an end.
    broken: Option<Error>,
}

impl<T> Events<T> {
    /// Returns the events of an operation, from the builder of its requests: what the builder's `events` returns.
    pub fn new<O: Streamed<StreamItem = T>>(operation: O) -> Self {
        Self::prepared(operation.prepare(), *O::SPEC, O::EVENT_DATA)
    }

    pub(crate) fn prepared(
        prepared: Prepared,
        operation: call_api_transport::Operation,
        data: EventData,
    ) -> Self {
        let connection = Connection::new(prepared, operation, EVENT_STREAM);
        let limit = connection.client().transport().body_limit();
        Self {
            parser: EventParser::new(limit),
            connection,
            data,
            index: 0,
            reconnects: true,
            attempts: 0,
            interrupted_at: None,
            received: Received::Nothing,
            resumed: None,
            item: PhantomData,
        }
    }

    /// Starts after the event with this id, such as [`last_event_id`](Self::last_event_id) of an earlier stream. No effect
    /// once the stream has been read.
    pub fn after(mut self, last_event_id: impl Into<String>) -> Self {
        if self.connection.is_new() {
            self.parser.set_last_event_id(last_event_id.into());
        }
        self
    }

    /// Sets if the request is sent again when the connection ends; true by default. Without it, the end of the body ends
    /// the stream, and a connection that breaks is an error.
    pub fn reconnect(mut self, reconnect: bool) -> Self {
        self.reconnects = reconnect;
        self
    }

    /// Returns the id of the last event that had one, to continue from later; `None` if there was none.
    pub fn last_event_id(&self) -> Option<&str> {
        Some(self.parser.last_event_id()).filter(|id| !id.is_empty())
    }

    fn client(&self) -> &Client {
        self.connection.client()
    }

    /// Requests the rest after the connection has ended. Returns false if the stream has ended.
    fn resume(&mut self, broken: Option<Error>) -> Result<bool, Error> {
        let ended = |broken: Option<Error>| broken.map_or(Ok(false), Err);
        if !self.reconnects
            || !self.connection.can_reconnect()
            || self.parser.last_event_id().is_empty()
            // The position is that of `after`, and a service that sends no ids does not have it.
            || matches!(self.received, Received::WithoutId)
        {
            return ended(broken);
        }
        // A service that has nothing more to send ends the connection at once.
        if broken.is_none() && self.interrupted_at.is_some() {
            return Ok(false);
        }
        let transport = self.connection.client().transport();
        let now = transport.now();
        let interrupted_at = *self.interrupted_at.get_or_insert(now);
        let delay = self.delay();
        let delay = delay + transport.jitter(delay / 4);
        let passed = now.saturating_duration_since(interrupted_at);
        let left = transport.deadline().saturating_sub(passed);
        if delay >= left {
            let message = format!(
                "the stream was interrupted, and is not resumed: the delay of {} ms exceeds what is left of the deadline, {} ms",
                delay.as_millis(),
                left.as_millis(),
            );
            let error = Error::builder(ErrorKind::Interrupted).message(message);
            let error = match broken {
                Some(broken) => error.source(broken),
                None => error,
            };
            let error = error.advice("try later").build();
            return Err(match self.connection.head() {
                Some(head) => head.add_to(error),
                None => error,
            });
        }
        self.attempts = self.attempts.saturating_add(1);
        self.parser.restart();
        let options = RequestOptions::new().deadline(left - delay);
        let after = self.parser.last_event_id().to_owned();
        self.connection.open(&after, delay, Some(options))?;
        // A reconnection without an event leaves the error of the one before.
        let before = self.resumed.take().and_then(|resumed| resumed.broken);
        let broken = broken.or(before);
        self.resumed = Some(Resumed { after, broken });
        Ok(true)
    }

    /// Notes an event. Returns the reconnection that it follows, if the service has begun again with its first event.
    fn note(&mut self, event: &RawEvent) -> Option<Resumed> {
        let Some(id) = event.id.as_deref().filter(|id| !id.is_empty()) else {
            // An event with a name of its own may be a greeting.
            if matches!(self.received, Received::Nothing) && event.name.is_empty() {
                self.received = Received::WithoutId;
            }
            return None;
        };
        let resumed = self.resumed.take();
        let hash = || {
            let mut hasher = DefaultHasher::new();
            (id, &event.name, &event.data).hash(&mut hasher);
            hasher.finish()
        };
        match self.received {
            Received::From(first) => resumed.filter(|_| first == hash()),
            Received::Nothing | Received::WithoutId => {
                self.received = Received::From(hash());
                None
            }
        }
    }

    /// Ends the stream where the service has begun again: with an error if the connection before broke.
    fn end(&mut self, resumed: Resumed) -> Option<Error> {
        self.parser.restart();
        self.parser.set_last_event_id(resumed.after);
        let error = resumed.broken.map(|broken| {
            let error = Error::builder(ErrorKind::Interrupted)
                .message("the stream was interrupted, and the service sends it from its first event again")
                .source(broken)
                .advice("start the stream again; events may repeat")
                .build();
            match self.connection.head() {
                Some(head) => head.add_to(error),
                None => error,
            }
        });
        self.connection.close();
        error
    }

    /// Returns the delay before the next reconnection, without jitter.
    fn delay(&self) -> Duration {
        let first = self.parser.reconnection_time().unwrap_or(RECONNECTION_TIME);
        match self.attempts {
            0 => first,
            attempts => {
                let doubled = 1_u32.checked_shl(attempts).unwrap_or(u32::MAX);
                first
                    .max(RECONNECTION_TIME / 4)
                    .saturating_mul(doubled)
                    .min(LONGEST_DELAY.max(first))
            }
        }
    }

    /// Returns the JSON of the item.
    fn json<'a>(&self, event: &'a RawEvent) -> Cow<'a, str> {
        match self.data {
            EventData::Json => Cow::Borrowed(&event.data),
            EventData::Text => Cow::Owned(quoted(&event.data)),
            EventData::Fields { json } => {
                let is_json = json.is_none_or(|names| names.contains(&event.name.as_str()))
                    && serde_json::from_str::<&RawValue>(&event.data).is_ok();
                let data = match is_json {
                    true => Cow::Borrowed(event.data.as_str()),
                    false => Cow::Owned(quoted(&event.data)),
                };
                let mut object = format!(r#"{{"data":{data}"#);
                if !event.name.is_empty() {
                    object.push_str(&format!(r#","event":{}"#, quoted(&event.name)));
                }
                if let Some(id) = &event.id {
                    object.push_str(&format!(r#","id":{}"#, quoted(id)));
                }
                if let Some(retry) = event.retry {
                    object.push_str(&format!(r#","retry":{retry}"#));
                }
                object.push('}');
                Cow::Owned(object)
            }
        }
    }
}

/// Returns a text as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl<T: DeserializeOwned> Events<T> {
    /// Returns the next event; `None` at the end. Dropping this future loses nothing.
    ///
    /// # Errors
    /// [`Error`] for an event that cannot be decoded, after which the stream continues, and if there is no response, or its
    /// body cannot be read to its end.
    pub async fn next(&mut self) -> Option<Result<Event<T>, Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Returns the events as an iterator, which blocks the thread until the next one is there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the system has no thread for the connections.
    #[cfg(feature = "blocking")]
    pub fn blocking(self) -> Result<crate::blocking::BlockingStream<Self>, Error> {
        self.client().clone().block_on_list(self)
    }

    /// Decodes an event; `None` if it is the mark of the end.
    fn decode(&mut self, event: RawEvent) -> Option<Result<Event<T>, Error>> {
        if self.data != EventData::Text && event.data == DONE {
            return None;
        }
        let index = self.index;
        self.index += 1;
        let head = self.connection.head()?;
        if event.is_too_long {
            return Some(Err(item::too_long(self.client(), head, index)));
        }
        let json = self.json(&event);
        let item = item::decode(self.client(), head, index, json.as_bytes());
        Some(item.map(|item| Event {
            item,
            id: event.id,
            name: match event.name {
                name if name.is_empty() => "message".to_owned(),
                name => name,
            },
        }))
    }
}

impl<T: DeserializeOwned> Stream for Events<T> {
    type Item = Result<Event<T>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.connection.is_new() {
            let id = this.parser.last_event_id();
            if let Err(error) = this.connection.open(id, Duration::ZERO, None) {
                this.connection.close();
                return Poll::Ready(Some(Err(error)));
            }
        }
        loop {
            if let Some(event) = this.parser.next() {
                this.attempts = 0;
                if let Some(resumed) = this.note(&event) {
                    return Poll::Ready(this.end(resumed).map(Err));
                }
                let item = this.decode(event);
                if item.is_none() {
                    this.connection.close();
                    this.parser.restart();
                }
                return Poll::Ready(item);
            }
            match ready!(this.connection.poll(context)) {
                Step::Bytes(bytes) => {
                    if !bytes.is_empty() {
                        this.interrupted_at = None;
                    }
                    this.parser.push(bytes);
                }
                Step::Ended(broken) => match this.resume(broken) {
                    Ok(true) => {}
                    Ok(false) => return Poll::Ready(None),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                Step::Failed(error) => return Poll::Ready(Some(Err(error))),
                Step::Closed => return Poll::Ready(None),
            }
        }
    }
}

impl<T> fmt::Debug for Events<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// The items of a response that has one JSON value on each line, as a [`Stream`].
///
/// The request is sent when the stream is first read. The deadline ends with the head of the response: then only the
/// [idle timeout](crate::ClientBuilder::idle_timeout) applies, to the time without any byte.
///
/// An item that does not match the document is an error with an [`ItemError`](Error::item), and the stream continues after
/// it. A connection that breaks is an error, which ends the stream: there is no position to resume from.
#[must_use = "a stream does nothing until it is read"]
pub struct JsonLines<T> {
    connection: Connection,
    lines: Lines,
    index: usize,
    item: PhantomData<fn() -> T>,
}

impl<T> JsonLines<T> {
    /// Returns the items of an operation, from the builder of its requests: what the builder's `lines` returns.
    pub fn new<O: Streamed<StreamItem = T>>(operation: O) -> Self {
        Self::prepared(operation.prepare(), *O::SPEC, O::MEDIA_TYPE)
    }

    pub(crate) fn prepared(
        prepared: Prepared,
        operation: call_api_transport::Operation,
        media_type: &str,
    ) -> Self {
        let connection = Connection::new(prepared, operation, media_type);
        let limit = connection.client().transport().body_limit();
        Self {
            lines: Lines::new(LineEnd::LineFeed, limit),
            connection,
            index: 0,
            item: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> JsonLines<T> {
    /// Returns the next item; `None` at the end. Dropping this future loses nothing.
    ///
    /// # Errors
    /// [`Error`] for an item that cannot be decoded, after which the stream continues, and if there is no response, or its
    /// body cannot be read to its end.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Returns the items as an iterator, which blocks the thread until the next one is there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the system has no thread for the connections.
    #[cfg(feature = "blocking")]
    pub fn blocking(self) -> Result<crate::blocking::BlockingStream<Self>, Error> {
        self.connection.client().clone().block_on_list(self)
    }

    /// Decodes a line; `None` if it is blank.
    fn decode(&mut self, line: &super::line::Line) -> Option<Result<T, Error>> {
        let json = line.bytes.trim_ascii();
        if json.is_empty() && !line.is_cut {
            return None;
        }
        let index = self.index;
        self.index += 1;
        let head = self.connection.head()?;
        let client = self.connection.client();
        Some(match line.is_cut {
            true => Err(item::too_long(client, head, index)),
            false => item::decode(client, head, index, json),
        })
    }
}

impl<T: DeserializeOwned> Stream for JsonLines<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.connection.is_new()
            && let Err(error) = this.connection.open("", Duration::ZERO, None)
        {
            this.connection.close();
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            while let Some(line) = this.lines.next() {
                if let Some(item) = this.decode(&line) {
                    return Poll::Ready(Some(item));
                }
            }
            match ready!(this.connection.poll(context)) {
                Step::Bytes(bytes) => this.lines.push(bytes),
                Step::Ended(Some(error)) | Step::Failed(error) => {
                    return Poll::Ready(Some(Err(error)));
                }
                // The last line may have no end.
                Step::Ended(None) => {
                    let rest = this.lines.rest();
                    return Poll::Ready(rest.and_then(|line| this.decode(&line)));
                }
                Step::Closed => return Poll::Ready(None),
            }
        }
    }
}

impl<T> fmt::Debug for JsonLines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").finish_non_exhaustive()
    }
}
