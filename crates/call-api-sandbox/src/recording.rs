//! Recordings: WAV files, generated while they are sent.

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

use crate::{call_id, responses};

/// Samples per second, one byte each.
const SAMPLE_RATE: u64 = 8_000;
/// The length of the WAV header.
const HEADER_LEN: u64 = HEADER_BYTES as u64;
const HEADER_BYTES: usize = 44;
/// The maximum length in seconds: a WAV file has a 32-bit length.
const MAX_SECONDS: u64 = (u32::MAX as u64 - HEADER_LEN) / SAMPLE_RATE;
/// Bytes generated at a time.
const CHUNK_LEN: u64 = 64 * 1024;

/// Returns the path of a call's recording. The path has everything needed to generate it, so nothing is stored.
pub(crate) fn path(id: Uuid, seconds: Option<i64>) -> String {
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    // Players reject a file without samples.
    let seconds = seconds.unwrap_or(0).clamp(1, MAX_SECONDS);
    format!("/_sandbox/recordings/{id}/{seconds}.wav")
}

/// Parses the two path segments after `/_sandbox/recordings`.
fn parse(id: &str, file: &str) -> Option<(Uuid, u64)> {
    let seconds = file.strip_suffix(".wav")?.parse().ok()?;
    ((1..=MAX_SECONDS).contains(&seconds)).then_some((call_id::parse(id).ok()?, seconds))
}

/// Serves a recording, or the requested range of it.
pub(crate) fn serve(id: &str, file: &str, headers: &HeaderMap) -> Response {
    let Some((id, seconds)) = parse(id, file) else {
        return responses::not_found();
    };
    let wav = WavFile::new(id, seconds);
    let len = wav.len();
    let etag = format!("\"{}-{seconds}\"", id.simple());
    let mut response = match evaluate(headers, &etag, len) {
        RangeOutcome::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        RangeOutcome::Full => wav.body(0..len).into_response(),
        RangeOutcome::Partial(part) => {
            let content_range = format!("bytes {}-{}/{len}", part.start, part.end - 1);
            let headers = [(CONTENT_RANGE, content_range)];
            (StatusCode::PARTIAL_CONTENT, headers, wav.body(part)).into_response()
        }
        RangeOutcome::Unsatisfiable => {
            let content_range = format!("bytes */{len}");
            (
                StatusCode::RANGE_NOT_SATISFIABLE,
                [(CONTENT_RANGE, content_range)],
            )
                .into_response()
        }
    };
    let is_audio = response.status().is_success();
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(ETAG, etag);
    }
    if is_audio {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
    }
    response
}

/// The outcome of the conditional and range headers of a request.
#[derive(Debug, PartialEq)]
enum RangeOutcome {
    Full,
    Partial(Range<u64>),
    /// 416.
    Unsatisfiable,
    /// 304.
    NotModified,
}

fn evaluate(headers: &HeaderMap, etag: &str, len: u64) -> RangeOutcome {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let is_current = |known: &str| known == "*" || known.trim().trim_start_matches("W/") == etag;
    if text(IF_NONE_MATCH).is_some_and(|known| known.split(',').any(is_current)) {
        return RangeOutcome::NotModified;
    }
    // A range of a file that has changed is useless.
    if text(IF_RANGE).is_some_and(|known| known != etag) {
        return RangeOutcome::Full;
    }
    // An invalid or multiple range may be answered with the whole file.
    text(RANGE)
        .and_then(|range| parse_range(range.strip_prefix("bytes=")?, len))
        .unwrap_or(RangeOutcome::Full)
}

/// Parses one byte range: `FROM-TO`, `FROM-`, or `-SUFFIX`.
fn parse_range(range: &str, len: u64) -> Option<RangeOutcome> {
    let (from, to) = range.trim().split_once('-')?;
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for u64 is past the end.
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
        true => RangeOutcome::Unsatisfiable,
        false => RangeOutcome::Partial(part),
    })
}

/// A WAV file of one channel with 8-bit samples: a tone that alternates with silence each second. The pitch depends on
/// the call's id.
struct WavFile {
    seconds: u64,
    /// One period of the tone.
    tone: Vec<u8>,
}

impl WavFile {
    fn new(id: Uuid, seconds: u64) -> Self {
        // 421 Hz down to 200 Hz.
        let period = 19 + id.as_bytes()[0] % 22;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 88 and 168"
        )]
        let sample = |at| ((f64::from(at) / f64::from(period) * TAU).sin() * 40.0 + 128.0) as u8;
        let tone = (0..period).map(sample).collect();
        Self { seconds, tone }
    }

    fn len(&self) -> u64 {
        HEADER_LEN + self.samples()
    }

    fn samples(&self) -> u64 {
        self.seconds * SAMPLE_RATE
    }

    fn header(&self) -> [u8; HEADER_BYTES] {
        // MAX_SECONDS keeps this within 32 bits.
        let samples = u32::try_from(self.samples()).unwrap_or(u32::MAX);
        let rate = u32::try_from(SAMPLE_RATE).unwrap_or(u32::MAX).to_le_bytes();
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
            // Bytes per second, bytes per sample, bits per sample.
            &rate,
            &1_u16.to_le_bytes(),
            &8_u16.to_le_bytes(),
            b"data",
            &samples.to_le_bytes(),
        ];
        let mut header = [0; HEADER_BYTES];
        for (byte, field) in header.iter_mut().zip(fields.into_iter().flatten()) {
            *byte = *field;
        }
        header
    }

    fn sample(&self, at: u64) -> u8 {
        let period = self.tone.len() as u64;
        match (at / SAMPLE_RATE) % 2 {
            0 => usize::try_from(at % period).map_or(128, |at| self.tone[at]),
            _ => 128,
        }
    }

    fn bytes(&self, part: Range<u64>) -> Bytes {
        let header = self.header();
        let byte = |at: u64| match at.checked_sub(HEADER_LEN) {
            Some(at) => self.sample(at),
            None => usize::try_from(at).map_or(0, |at| header[at]),
        };
        part.map(byte).collect::<BytesMut>().freeze()
    }

    fn body(self, part: Range<u64>) -> Body {
        Body::new(WavBody {
            wav: self,
            rest: part,
        })
    }
}

/// The body of a range of the file.
struct WavBody {
    wav: WavFile,
    rest: Range<u64>,
}

impl http_body::Body for WavBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let end = self.rest.end.min(self.rest.start + CHUNK_LEN);
        let chunk = self.wav.bytes(self.rest.start..end);
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
    fn range_header_is_parsed_as_in_rfc_9110() {
        let evaluate = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_str(range).unwrap());
            evaluate(&headers, "\"tag\"", 100)
        };
        assert_eq!(evaluate("bytes=0-0"), RangeOutcome::Partial(0..1));
        assert_eq!(evaluate("bytes=10-"), RangeOutcome::Partial(10..100));
        assert_eq!(evaluate("bytes=90-999"), RangeOutcome::Partial(90..100));
        assert_eq!(evaluate("bytes=-10"), RangeOutcome::Partial(90..100));
        assert_eq!(evaluate("bytes=-999"), RangeOutcome::Partial(0..100));
        for outside in [
            "bytes=100-",
            "bytes=100-200",
            "bytes=-0",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(evaluate(outside), RangeOutcome::Unsatisfiable, "{outside}");
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
            assert_eq!(evaluate(ignored), RangeOutcome::Full, "{ignored}");
        }
    }

    #[test]
    fn if_range_and_if_none_match_compare_etags() {
        let evaluate = |name, tag: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_static("bytes=10-"));
            headers.insert(name, HeaderValue::from_static(tag));
            evaluate(&headers, "\"tag\"", 100)
        };
        assert_eq!(
            evaluate(IF_RANGE, "\"tag\""),
            RangeOutcome::Partial(10..100)
        );
        assert_eq!(evaluate(IF_RANGE, "\"other\""), RangeOutcome::Full);
        assert_eq!(evaluate(IF_RANGE, "W/\"tag\""), RangeOutcome::Full);
        assert_eq!(
            evaluate(IF_NONE_MATCH, "\"tag\""),
            RangeOutcome::NotModified
        );
        assert_eq!(
            evaluate(IF_NONE_MATCH, "\"x\", W/\"tag\""),
            RangeOutcome::NotModified
        );
        assert_eq!(
            evaluate(IF_NONE_MATCH, "\"other\""),
            RangeOutcome::Partial(10..100)
        );
    }

    #[test]
    fn concatenated_ranges_equal_the_file() {
        let wav = WavFile::new(Uuid::from_u128(7), 3);
        let whole = wav.bytes(0..wav.len());
        assert_eq!(whole.len(), 44 + 3 * 8_000);
        let parts = [0..1, 1..44, 44..9_000, 9_000..wav.len()].map(|part| wav.bytes(part));
        assert_eq!(parts.concat(), whole);
        // A tone, then silence.
        assert!(whole[44..8_044].iter().any(|sample| *sample > 160));
        assert!(whole[8_044..16_044].iter().all(|sample| *sample == 128));
        // Another call has another pitch.
        let other = WavFile::new(Uuid::from_u128(1 << 120), 3);
        assert_ne!(other.bytes(0..wav.len()), whole);
    }

    #[test]
    fn recording_path_round_trips() {
        let id = Uuid::from_u128(7);
        for (seconds, read) in [
            (None, 1),
            (Some(-1), 1),
            (Some(30), 30),
            (Some(i64::MAX), MAX_SECONDS),
        ] {
            let path = path(id, seconds);
            let (id_segment, file) = path
                .strip_prefix("/_sandbox/recordings/")
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
