//! Server-sent events, as the WHATWG HTML standard specifies them (section 9.2, "Server-sent events").

use std::time::Duration;

use bytes::Bytes;

use super::line::{Line, LineEnd, Lines};

/// An event whose data is not decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RawEvent {
    /// The field `event`; empty if there is none.
    pub(super) name: String,
    /// The lines of `data`, as far as the limit allows.
    pub(super) data: String,
    /// The field `id` of this event, not of one before it.
    pub(super) id: Option<String>,
    pub(super) retry: Option<u64>,
    /// True if the event is longer than the limit.
    pub(super) is_too_long: bool,
}

/// Makes events of chunks.
#[derive(Debug)]
pub(super) struct EventParser {
    lines: Lines,
    limit: usize,
    data: Vec<u8>,
    name: Vec<u8>,
    id: Option<String>,
    retry: Option<u64>,
    is_too_long: bool,
    /// The id of the last complete event that had one; empty if there is none, or the service has reset it.
    last_event_id: String,
    /// The delay before a reconnection that the service asks for.
    reconnection_time: Option<Duration>,
}

impl EventParser {
    /// Returns a parser of events that have at most `limit` bytes each.
    pub(super) fn new(limit: u64) -> Self {
        Self {
            lines: Lines::new(LineEnd::Any, limit),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            data: Vec::new(),
            name: Vec::new(),
            id: None,
            retry: None,
            is_too_long: false,
            last_event_id: String::new(),
            reconnection_time: None,
        }
    }

    pub(super) fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    pub(super) fn set_last_event_id(&mut self, id: String) {
        self.last_event_id = id;
    }

    pub(super) fn reconnection_time(&self) -> Option<Duration> {
        self.reconnection_time
    }

    /// Begins with another body, and drops the event that the last one left incomplete.
    pub(super) fn restart(&mut self) {
        *self = Self {
            last_event_id: std::mem::take(&mut self.last_event_id),
            reconnection_time: self.reconnection_time,
            ..Self::new(self.limit as u64)
        };
    }

    /// Adds a chunk, once [`next`](Self::next) has returned `None`.
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.lines.push(chunk);
    }

    /// Returns the next event; `None` if it is not complete yet.
    pub(super) fn next(&mut self) -> Option<RawEvent> {
        while let Some(line) = self.lines.next() {
            if line.bytes.is_empty() {
                if let Some(event) = self.dispatch() {
                    return Some(event);
                }
            } else {
                self.field(&line);
            }
        }
        None
    }

    fn field(&mut self, line: &Line) {
        let mut parts = line.bytes.splitn(2, |byte| *byte == b':');
        let name = parts.next().unwrap_or_default();
        let value = parts.next().unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => {
                self.is_too_long |= line.is_cut;
                self.name = value.to_vec();
            }
            b"data" => {
                self.is_too_long |= line.is_cut || self.data.len() + value.len() > self.limit;
                if self.is_too_long {
                    // Not empty: the event is one.
                    self.data = b"\n".to_vec();
                } else {
                    self.data.extend_from_slice(value);
                    self.data.push(b'\n');
                }
            }
            b"id" if !value.contains(&0) && !line.is_cut => {
                self.id = Some(String::from_utf8_lossy(value).into_owned());
            }
            b"retry" => {
                let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
                let number = str::from_utf8(value).ok().filter(|_| digits);
                if let Some(milliseconds) = number.and_then(|number| number.parse().ok()) {
                    self.retry = Some(milliseconds);
                    self.reconnection_time = Some(Duration::from_millis(milliseconds));
                }
            }
            // A comment, or a field that the standard does not know.
            _ => {}
        }
    }

    /// Completes an event. One without data only sets the id.
    fn dispatch(&mut self) -> Option<RawEvent> {
        if let Some(id) = &self.id {
            self.last_event_id.clone_from(id);
        }
        let mut data = std::mem::take(&mut self.data);
        let event = RawEvent {
            name: String::from_utf8_lossy(&std::mem::take(&mut self.name)).into_owned(),
            id: self.id.take(),
            retry: self.retry.take(),
            is_too_long: std::mem::take(&mut self.is_too_long),
            data: String::new(),
        };
        // The last line feed is not part of the data.
        data.pop()?;
        let data = String::from_utf8(data)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Some(RawEvent { data, ..event })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    /// Returns the events, the last id and the reconnection time.
    fn events<'a>(
        limit: u64,
        chunks: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<RawEvent>, String, Option<Duration>) {
        let mut parser = EventParser::new(limit);
        let mut found = Vec::new();
        for chunk in chunks {
            parser.push(Bytes::copy_from_slice(chunk));
            found.extend(std::iter::from_fn(|| parser.next()));
        }
        let id = parser.last_event_id().to_owned();
        (found, id, parser.reconnection_time())
    }

    fn event(name: &str, data: &str, id: Option<&str>) -> RawEvent {
        RawEvent {
            name: name.to_owned(),
            data: data.to_owned(),
            id: id.map(str::to_owned),
            ..RawEvent::default()
        }
    }

    /// Samples with all that the standard says, each with its events.
    fn samples() -> Vec<(&'static str, Vec<RawEvent>)> {
        vec![
            ("data: a\n\n", vec![event("", "a", None)]),
            ("\u{feff}data: a\r\n\r\n", vec![event("", "a", None)]),
            ("\u{feff}\u{feff}data: a\n\n", vec![]),
            (
                "data: a\r\rdata: b\r\r",
                vec![event("", "a", None), event("", "b", None)],
            ),
            (
                "data:YHOO\ndata: +2\ndata:  10\n\n",
                vec![event("", "YHOO\n+2\n 10", None)],
            ),
            (
                ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
                vec![
                    event("", "first event", Some("1")),
                    event("", "second event", Some("")),
                    event("", " third event", None),
                ],
            ),
            // An event without data is none, one with an empty line of data is one; the last one is not complete.
            (
                "data\n\ndata\ndata\n\nevent: x\n\ndata: a\n\ndata:",
                vec![
                    event("", "", None),
                    event("", "\n", None),
                    event("", "a", None),
                ],
            ),
            (
                "event: first\nevent: add\nid: 7\ndata: {\"a\":\ndata: 1}\nother: x\nDATA: y\ndata : z\n\n",
                vec![event("add", "{\"a\":\n1}", Some("7"))],
            ),
            (
                "id: 1\nid: 2\u{0}\ndata: a\n\n",
                vec![event("", "a", Some("1"))],
            ),
            (
                "retry: 100\nretry: -1\nretry: 1.5\nretry:\ndata: größe 😀\n\n",
                vec![RawEvent {
                    retry: Some(100),
                    ..event("", "größe 😀", None)
                }],
            ),
        ]
    }

    #[test]
    fn sample_gives_the_same_events_at_every_split() {
        for (text, expected) in samples() {
            for ends in ["\n", "\r", "\r\n"] {
                let text = text.replace("\r\n", "\n").replace('\r', "\n");
                let text = text.replace('\n', ends);
                let bytes = text.as_bytes();
                for middle in 0..=bytes.len() {
                    for end in middle..=bytes.len() {
                        let chunks = [&bytes[..middle], &bytes[middle..end], &bytes[end..]];
                        let (found, ..) = events(1000, chunks);
                        assert_eq!(found, expected, "{text:?} at {middle} and {end}");
                    }
                }
                let (found, ..) = events(1000, bytes.chunks(1));
                assert_eq!(found, expected, "{text:?} by bytes");
            }
        }
    }

    #[test]
    fn id_counts_once_its_event_is_complete() {
        let id = |text: &str| events(99, [text.as_bytes()]).1;
        assert_eq!(id("id: 1\ndata: a\n\nid: 2\ndata: b\n"), "1");
        assert_eq!(id("id: 1\ndata: a\n\nid: 2\n\n"), "2");
        assert_eq!(id("id: 1\ndata: a\n\nid\n\n"), "");
    }

    #[test]
    fn retry_counts_at_once() {
        let (.., time) = events(99, [&b"retry: 2500\n"[..]]);
        assert_eq!(time, Some(Duration::from_millis(2500)));
    }

    #[test]
    fn invalid_utf_8_is_replaced() {
        let (found, ..) = events(99, [&b"data: a\xff\n\n"[..]]);
        assert_eq!(found, [event("", "a\u{fffd}", None)]);
    }

    #[test]
    fn long_event_is_marked_and_the_next_one_is_whole() {
        let text = "data: 12345678\ndata: 1\nid: 3\n\ndata: 1234\ndata: 1234567\n\ndata: 1234\n\n: a long comment\ndata: 1\n\n";
        for size in 1..text.len() {
            let (found, id, _) = events(10, text.as_bytes().chunks(size));
            let is_too_long: Vec<bool> = found.iter().map(|event| event.is_too_long).collect();
            assert_eq!(is_too_long, [true, true, false, false], "{size}");
            assert_eq!((found[2].data.as_str(), id.as_str()), ("1234", "3"));
        }
    }

    #[test]
    fn restarted_parser_drops_the_incomplete_event_and_keeps_its_place() {
        let mut parser = EventParser::new(99);
        parser.push(Bytes::from_static(
            b"retry: 5\nid: 1\ndata: a\n\nid: 2\ndata: b\nda",
        ));
        assert_eq!(parser.next().unwrap().data, "a");
        assert_eq!(parser.next(), None);
        parser.restart();
        parser.push(Bytes::from_static(b"\xef\xbb\xbfdata: c\n\n"));
        assert_eq!(parser.next(), Some(event("", "c", None)));
        assert_eq!(parser.last_event_id(), "1");
        assert_eq!(parser.reconnection_time(), Some(Duration::from_millis(5)));
    }

    proptest::proptest! {
        #[test]
        fn chunks_make_no_difference(
            parts in proptest::collection::vec(proptest::sample::select(&["data", "id", "event", ":", " ", "\n", "\r", "\r\n", "\0", "a", "\u{feff}", "ö"][..]), 0..60),
            sizes in proptest::collection::vec(1_usize..9, 1..9),
        ) {
            let text = parts.concat();
            let whole = events(12, [text.as_bytes()]);
            let mut rest = text.as_bytes();
            let mut chunks = Vec::new();
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, others) = rest.split_at((*size).min(rest.len()));
                chunks.push(chunk);
                rest = others;
            }
            proptest::prop_assert_eq!(events(12, chunks), whole);
        }
    }
}
