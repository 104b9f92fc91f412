//! Decompressing response bodies: gzip and brotli.
//!
//! reqwest could do it, but takes the end of the first gzip member for the end of the body, and loses the rest.

use std::io;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyDataStream;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead};
use tokio_util::io::{ReaderStream, StreamReader};

/// Returns the header that requests compressed responses.
pub(crate) fn accepted() -> HeaderMap {
    let accepted = HeaderValue::from_static("gzip,br");
    HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepted)])
}

/// Replaces a compressed body with its content, and removes the headers that describe the compressed form.
pub(crate) fn decompress(response: reqwest::Response) -> reqwest::Response {
    let coding = response.headers().get(header::CONTENT_ENCODING);
    let coding = coding.map_or(&b""[..], HeaderValue::as_bytes);
    let is_gzip = coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip");
    if !is_gzip && !coding.eq_ignore_ascii_case(b"br") {
        return response;
    }
    let (mut parts, body) = http::Response::from(response).into_parts();
    parts.headers.remove(header::CONTENT_ENCODING);
    parts.headers.remove(header::CONTENT_LENGTH);
    let compressed = StreamReader::new(BodyDataStream::new(body).map_err(io::Error::other));
    let body = if is_gzip {
        reqwest::Body::wrap_stream(content(compressed, |compressed| {
            let mut decoder = GzipDecoder::new(compressed);
            decoder.multiple_members(true);
            decoder
        }))
    } else {
        reqwest::Body::wrap_stream(content(compressed, BrotliDecoder::new))
    };
    http::Response::from_parts(parts, body).into()
}

/// Returns the content of a compressed body; none if the body is empty, as that of a response to HEAD.
fn content<R, D>(
    mut compressed: R,
    decoder: impl FnOnce(R) -> D,
) -> impl Stream<Item = io::Result<Bytes>>
where
    R: AsyncBufRead + Unpin,
    D: AsyncRead,
{
    let content = async move {
        let is_empty = compressed.fill_buf().await?.is_empty();
        let content = (!is_empty).then(|| ReaderStream::new(decoder(compressed)));
        Ok::<_, io::Error>(stream::iter(content).flatten())
    };
    stream::once(content).try_flatten()
}
