//! Recordings: real WAV files, made as they are sent.

use std::convert::Infallible;
use std::f64::consts::TAU;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Frame, SizeHint};
use uuid::Uuid;

use crate::{answer, call_id};

/// Samples in a second, each of one byte.
const RATE: u64 = 8_000;
/// What stands before the samples.
const HEADER: u64 = 44;
/// A WAV file says its length in 32 bits.
const LONGEST: u64 = (u32::MAX as u64 - HEADER) / RATE;
/// How much is made at once.
const CHUNK: u64 = 64 * 1024;

/// Where the recording of a call is that was talked on for so many seconds. The path says all there is to know about it,
/// so that no recording is kept.
pub(crate) fn path(id: Uuid, seconds: Option<i64>) -> String {
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    // One of no length is no file that a player opens.
    let seconds = seconds.unwrap_or(0).clamp(1, LONGEST);
    format!("/recordings/{id}/{seconds}.wav")
}

/// The path's two segments behind `/recordings`, read back.
fn parse(id: &str, file: &str) -> Option<(Uuid, u64)> {
    let seconds = file.strip_suffix(".wav")?.parse().ok()?;
    ((1..=LONGEST).contains(&seconds)).then_some((call_id::parse(id).ok()?, seconds))
}

/// Answers with the recording, or the part of it that is asked for.
pub(crate) fn answer(id: &str, file: &str, headers: &HeaderMap) -> Response {
    let Some((id, seconds)) = parse(id, file) else {
        return answer::not_found();
    };
    let wave = Wave::new(id, seconds);
    let len = wave.len();
    let etag = format!("\"{}-{seconds}\"", id.simple());
    let mut answer = match wanted(headers, &etag, len) {
        Wanted::Nothing => StatusCode::NOT_MODIFIED.into_response(),
        Wanted::Everything => wave.body(0..len).into_response(),
        Wanted::Part(part) => {
            let content_range = format!("bytes {}-{}/{len}", part.start, part.end - 1);
            let headers = [(CONTENT_RANGE, content_range)];
            (StatusCode::PARTIAL_CONTENT, headers, wave.body(part)).into_response()
        }
        Wanted::Outside => {
            let content_range = format!("bytes */{len}");
            (
                StatusCode::RANGE_NOT_SATISFIABLE,
                [(CONTENT_RANGE, content_range)],
            )
                .into_response()
        }
    };
    let is_audio = answer.status().is_success();
    let headers = answer.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(ETAG, etag);
    }
    if is_audio {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
    }
    answer
}

/// What a request asks for, of a file of a length.
#[derive(Debug, PartialEq)]
enum Wanted {
    Everything,
    Part(Range<u64>),
    /// A part that there is none of.
    Outside,
    /// It has it already.
    Nothing,
}

fn wanted(headers: &HeaderMap, etag: &str, len: u64) -> Wanted {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let is_etag = |known: &str| known == "*" || known.trim().trim_start_matches("W/") == etag;
    if text(IF_NONE_MATCH).is_some_and(|known| known.split(',').any(is_etag)) {
        return Wanted::Nothing;
    }
    // Of a file that has changed since, a part is of no use.
    if text(IF_RANGE).is_some_and(|known| known != etag) {
        return Wanted::Everything;
    }
    // What can't be read, or is more than one part, may be answered with the whole.
    text(RANGE)
        .and_then(|range| part(range.strip_prefix("bytes=")?, len))
        .unwrap_or(Wanted::Everything)
}

/// One range of bytes: `FROM-TO`, `FROM-`, or `-LAST`.
fn part(range: &str, len: u64) -> Option<Wanted> {
    let (from, to) = range.trim().split_once('-')?;
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Beyond what can be counted is beyond the end.
        true => Some(text.parse().unwrap_or(u64::MAX)),
        false => None,
    };
    let part = match (from, to) {
        ("", "") => return None,
        ("", last) => len.saturating_sub(number(last)?)..len,
        (from, "") => number(from)?..len,
        (from, to) => {
            let (from, to) = (number(from)?, number(to)?);
            if to < from {
                return None;
            }
            from..to.saturating_add(1).min(len)
        }
    };
    Some(match part.is_empty() {
        true => Wanted::Outside,
        false => Wanted::Part(part),
    })
}

/// A WAV file: one channel of 8-bit samples, a tone that is on for a second and off for the next. Which tone is the
/// call's own.
struct Wave {
    seconds: u64,
    /// One period of the tone.
    tone: Vec<u8>,
}

impl Wave {
    fn new(id: Uuid, seconds: u64) -> Self {
        // From 421 down to 200 Hz.
        let period = 19 + id.as_bytes()[0] % 22;
        let sample = |at| (f64::from(at) / f64::from(period) * TAU).sin() * 40.0 + 128.0;
        let tone = (0..period).map(|at| sample(at) as u8).collect();
        Self { seconds, tone }
    }

    fn len(&self) -> u64 {
        HEADER + self.samples()
    }

    fn samples(&self) -> u64 {
        self.seconds * RATE
    }

    fn header(&self) -> [u8; HEADER as usize] {
        // The longest is chosen so that all of it fits.
        let samples = u32::try_from(self.samples()).unwrap_or(u32::MAX);
        let rate = u32::try_from(RATE).unwrap_or(u32::MAX).to_le_bytes();
        let fields: [&[u8]; 13] = [
            b"RIFF",
            &samples.saturating_add(36).to_le_bytes(),
            b"WAVE",
            b"fmt ",
            &16_u32.to_le_bytes(),
            // PCM, one channel.
            &1_u16.to_le_bytes(),
            &1_u16.to_le_bytes(),
            &rate,
            // Bytes in a second, bytes in a sample, bits in a sample.
            &rate,
            &1_u16.to_le_bytes(),
            &8_u16.to_le_bytes(),
            b"data",
            &samples.to_le_bytes(),
        ];
        let mut header = [0; HEADER as usize];
        for (byte, field) in header.iter_mut().zip(fields.into_iter().flatten()) {
            *byte = *field;
        }
        header
    }

    fn sample(&self, at: u64) -> u8 {
        let period = self.tone.len() as u64;
        match (at / RATE) % 2 {
            0 => usize::try_from(at % period).map_or(128, |at| self.tone[at]),
            _ => 128,
        }
    }

    fn bytes(&self, part: Range<u64>) -> Bytes {
        let header = self.header();
        let byte = |at: u64| match at.checked_sub(HEADER) {
            Some(at) => self.sample(at),
            None => usize::try_from(at).map_or(0, |at| header[at]),
        };
        part.map(byte).collect::<BytesMut>().freeze()
    }

    fn body(self, part: Range<u64>) -> Body {
        Body::new(Part {
            wave: self,
            rest: part,
        })
    }
}

/// A part of a file that is being sent.
struct Part {
    wave: Wave,
    rest: Range<u64>,
}

impl http_body::Body for Part {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let end = self.rest.end.min(self.rest.start + CHUNK);
        let chunk = self.wave.bytes(self.rest.start..end);
        self.rest.start = end;
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.end - self.rest.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_has_them() {
        let wanted = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_str(range).unwrap());
            wanted(&headers, "\"tag\"", 100)
        };
        assert_eq!(wanted("bytes=0-0"), Wanted::Part(0..1));
        assert_eq!(wanted("bytes=10-"), Wanted::Part(10..100));
        assert_eq!(wanted("bytes=90-999"), Wanted::Part(90..100));
        assert_eq!(wanted("bytes=-10"), Wanted::Part(90..100));
        assert_eq!(wanted("bytes=-999"), Wanted::Part(0..100));
        for outside in [
            "bytes=100-",
            "bytes=100-200",
            "bytes=-0",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(wanted(outside), Wanted::Outside, "{outside}");
        }
        let all = [
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=+1-",
            "bytes=0-1,5-6",
            "lines=0-1",
            "x",
        ];
        for ignored in all {
            assert_eq!(wanted(ignored), Wanted::Everything, "{ignored}");
        }
    }

    #[test]
    fn a_part_is_of_use_for_the_same_file_only() {
        let wanted = |name, tag: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_static("bytes=10-"));
            headers.insert(name, HeaderValue::from_static(tag));
            wanted(&headers, "\"tag\"", 100)
        };
        assert_eq!(wanted(IF_RANGE, "\"tag\""), Wanted::Part(10..100));
        assert_eq!(wanted(IF_RANGE, "\"other\""), Wanted::Everything);
        assert_eq!(wanted(IF_RANGE, "W/\"tag\""), Wanted::Everything);
        assert_eq!(wanted(IF_NONE_MATCH, "\"tag\""), Wanted::Nothing);
        assert_eq!(wanted(IF_NONE_MATCH, "\"x\", W/\"tag\""), Wanted::Nothing);
        assert_eq!(wanted(IF_NONE_MATCH, "\"other\""), Wanted::Part(10..100));
    }

    #[test]
    fn parts_put_together_are_the_file() {
        let wave = Wave::new(Uuid::from_u128(7), 3);
        let whole = wave.bytes(0..wave.len());
        assert_eq!(whole.len(), 44 + 3 * 8_000);
        let parts = [0..1, 1..44, 44..9_000, 9_000..wave.len()].map(|part| wave.bytes(part));
        assert_eq!(parts.concat(), whole);
        // A tone, then silence.
        assert!(whole[44..8_044].iter().any(|sample| *sample > 160));
        assert!(whole[8_044..16_044].iter().all(|sample| *sample == 128));
        // Two calls don't sound alike.
        let other = Wave::new(Uuid::from_u128(1 << 120), 3);
        assert_ne!(other.bytes(0..wave.len()), whole);
    }

    #[test]
    fn a_path_says_which_recording_it_is() {
        let id = Uuid::from_u128(7);
        for (seconds, read) in [
            (None, 1),
            (Some(-1), 1),
            (Some(30), 30),
            (Some(i64::MAX), LONGEST),
        ] {
            let path = path(id, seconds);
            let (id_segment, file) = path
                .strip_prefix("/recordings/")
                .unwrap()
                .split_once('/')
                .unwrap();
            assert_eq!(parse(id_segment, file), Some((id, read)));
        }
        for file in ["0.wav", "536871.wav", "1", "1.mp3", "x.wav", ".wav"] {
            assert_eq!(parse(&id.to_string(), file), None, "{file}");
        }
        assert_eq!(parse("x", "1.wav"), None);
    }
}
