//! The facts about streams: operations whose response has items that arrive one by one.

use std::fmt;

use serde::Serialize;

use super::Type;

/// A response that is a stream of items.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stream {
    /// The status of the response, as the document writes it.
    #[serde(skip)]
    pub status: String,
    /// The media type, as the document writes it.
    pub media_type: String,
    /// The form of the items.
    pub format: StreamFormat,
    /// The type of the items.
    #[serde(skip)]
    pub item: Type,
}

/// The form of the items of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamFormat {
    /// Server-sent events.
    Events(EventData),
    /// One JSON value on each line.
    Lines,
}

/// The content of a server-sent event. The client has an enum with the same variants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventData {
    /// The JSON in `data`.
    Json,
    /// The text in `data`.
    Text,
    /// All fields. `data` is JSON in the events of these names; in all that are JSON for `None`.
    Fields(Option<Vec<String>>),
}

/// One line, such as `text/event-stream, JSON in data`.
impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.media_type)?;
        match &self.format {
            StreamFormat::Events(EventData::Json) => f.write_str(", JSON in `data`"),
            StreamFormat::Events(EventData::Text) => f.write_str(", text in `data`"),
            StreamFormat::Events(EventData::Fields(None)) => {
                f.write_str(", all fields, JSON in `data`")
            }
            StreamFormat::Events(EventData::Fields(Some(names))) if names.is_empty() => {
                f.write_str(", all fields, text in `data`")
            }
            StreamFormat::Events(EventData::Fields(Some(names))) => {
                write!(
                    f,
                    ", all fields, JSON in `data` of `{}`",
                    names.join("`, `")
                )
            }
            StreamFormat::Lines => f.write_str(", one value on each line"),
        }
    }
}
