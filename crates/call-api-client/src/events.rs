//! Streams of items: server-sent events, and JSON lines.
//!
//! Generated code implements [`Streamed`] for the builder of each such operation. The rest is written here once: `line`
//! divides a body into lines, `parser` makes events of them, `connection` requests the body and requests it again, `item`
//! decodes, and `stream` has what users read.

mod connection;
mod item;
mod line;
mod parser;
mod stream;

use serde::de::DeserializeOwned;

use crate::request::Operation;

pub use stream::{Event, Events, JsonLines};

/// An operation whose response is a stream of items. Implemented by the builder of its requests.
pub trait Streamed: Operation {
    /// The type of the items.
    type StreamItem: DeserializeOwned;

    /// The media type of the stream.
    const MEDIA_TYPE: &'static str;

    /// The content of an event; without meaning for JSON lines.
    const EVENT_DATA: EventData;
}

/// The content of a server-sent event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventData {
    /// The item is the JSON in `data`.
    Json,
    /// The item is the text in `data`.
    Text,
    /// The item is an object with the fields of the event: `data`, `event`, `id` and `retry`, as far as it has them.
    Fields {
        /// The events whose `data` is JSON, by name; it is text in others. `None` for all events.
        json: Option<&'static [&'static str]>,
    },
}

/// Adds to the builder of an operation with server-sent events.
#[allow(unused_macros, reason = "a document may have no events")]
macro_rules! events {
    ($builder:ident) => {
        impl $builder {
            /// Returns the events of the response, as a stream. The request is sent when the stream is first read.
            #[inline]
            pub fn events(self) -> crate::Events<<Self as crate::Streamed>::StreamItem> {
                crate::Events::new(self)
            }
        }
    };
}

/// Adds to the builder of an operation with JSON lines.
#[allow(unused_macros, reason = "a document may have no JSON lines")]
macro_rules! lines {
    ($builder:ident) => {
        impl $builder {
            /// Returns the JSON lines of the response, as a stream. The request is sent when the stream is first read.
            #[inline]
            pub fn lines(self) -> crate::JsonLines<<Self as crate::Streamed>::StreamItem> {
                crate::JsonLines::new(self)
            }
        }
    };
}

#[allow(unused_imports, reason = "a document may have no stream")]
pub(crate) use {events, lines};
