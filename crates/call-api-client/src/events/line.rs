//! Lines of a body that arrives in chunks.

use bytes::{Buf as _, Bytes};

/// The characters that end a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// `\n`, `\r\n` or `\r`.
    Any,
    /// `\n` only: `\r` is white space inside of JSON.
    LineFeed,
}

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) bytes: Bytes,
    /// True if the line is longer than the limit, where it is cut.
    pub(super) is_cut: bool,
}

/// Divides chunks into lines. However the bytes are divided into chunks, the lines are the same.
#[derive(Debug)]
pub(super) struct Lines {
    end: LineEnd,
    limit: usize,
    /// The rest of the last chunk.
    chunk: Bytes,
    /// The beginning of a line, from earlier chunks.
    begun: Vec<u8>,
    is_cut: bool,
    /// True if the last line ended with `\r`, to which a `\n` may belong.
    after_return: bool,
    /// True before the first line ends, which may begin with a byte order mark.
    is_start: bool,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Lines {
    pub(super) fn new(end: LineEnd, limit: u64) -> Self {
        Self {
            end,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            chunk: Bytes::new(),
            begun: Vec::new(),
            is_cut: false,
            after_return: false,
            is_start: true,
        }
    }

    /// Adds a chunk, once [`next`](Self::next) has returned `None`.
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    /// Returns the next line; `None` if it has not ended yet.
    pub(super) fn next(&mut self) -> Option<Line> {
        if self.after_return && !self.chunk.is_empty() {
            self.after_return = false;
            if self.chunk[0] == b'\n' {
                self.chunk.advance(1);
            }
        }
        let is_end = |byte: &u8| match self.end {
            LineEnd::Any => matches!(byte, b'\n' | b'\r'),
            LineEnd::LineFeed => *byte == b'\n',
        };
        let Some(length) = self.chunk.iter().position(is_end) else {
            let part = std::mem::take(&mut self.chunk);
            self.begin(&part);
            return None;
        };
        let part = self.chunk.split_to(length);
        self.after_return = self.chunk[0] == b'\r';
        self.chunk.advance(1);
        Some(self.finish(part))
    }

    /// Returns the last line, if the body has ended without an end of it.
    pub(super) fn rest(&mut self) -> Option<Line> {
        let line = self.finish(Bytes::new());
        (!line.bytes.is_empty()).then_some(line)
    }

    /// Keeps a part of a line up to the limit.
    fn begin(&mut self, part: &[u8]) {
        let room = self.limit.saturating_sub(self.begun.len());
        self.is_cut |= part.len() > room;
        self.begun.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn finish(&mut self, part: Bytes) -> Line {
        let mut bytes = if self.begun.is_empty() {
            self.is_cut |= part.len() > self.limit;
            let length = part.len().min(self.limit);
            part.slice(..length)
        } else {
            self.begin(&part);
            std::mem::take(&mut self.begun).into()
        };
        if std::mem::take(&mut self.is_start) && bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.advance(BYTE_ORDER_MARK.len());
        }
        Line {
            bytes,
            is_cut: std::mem::take(&mut self.is_cut),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(end: LineEnd, limit: u64, chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::new(end, limit);
        let mut found = Vec::new();
        let text = |line: Line| {
            let cut = if line.is_cut { "…" } else { "" };
            format!("{}{cut}", String::from_utf8_lossy(&line.bytes))
        };
        for chunk in chunks {
            lines.push(Bytes::copy_from_slice(chunk));
            while let Some(line) = lines.next() {
                found.push(text(line));
            }
        }
        found.extend(lines.rest().map(text));
        found
    }

    #[test]
    fn each_end_of_line_counts_once() {
        let text = b"\xef\xbb\xbfa\r\nb\rc\n\n\r\r\nd";
        assert_eq!(
            lines(LineEnd::Any, 99, &[text]),
            ["a", "b", "c", "", "", "", "d"]
        );
        assert_eq!(
            lines(LineEnd::LineFeed, 99, &[text]),
            ["a\r", "b\rc", "", "\r\r", "d"]
        );
    }

    #[test]
    fn long_line_is_cut_at_the_limit_and_the_next_one_is_whole() {
        for chunks in [
            &[&b"abcdef\nabc\nabcd"[..]][..],
            &[b"ab", b"cdef\nab", b"c\na", b"bcd"],
        ] {
            assert_eq!(lines(LineEnd::Any, 3, chunks), ["abc…", "abc", "abc…"]);
        }
    }
}
