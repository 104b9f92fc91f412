//! The metadata of a download in the headers of a response: its validator, length, range and digest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, StatusCode, header};

/// The metadata of the content, kept beside a part of it until it is complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceMetadata {
    /// An entity tag or a date by which `If-Range` requests the rest of the same version only.
    pub(crate) validator: Option<String>,
    pub(crate) total: Option<u64>,
    pub(crate) digest: Option<Digest>,
    pub(crate) content_type: Option<String>,
}

impl ResourceMetadata {
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap) -> Self {
        let whole = status == StatusCode::OK;
        Self {
            validator: validator(headers),
            total: if whole {
                number(headers, header::CONTENT_LENGTH)
            } else {
                ContentRange::read(headers).and_then(|range| range.total)
            },
            digest: Digest::read(headers, whole),
            content_type: text(headers, header::CONTENT_TYPE).map(str::to_owned),
        }
    }

    /// Returns the validator if it is an entity tag.
    pub(crate) fn etag(&self) -> Option<String> {
        self.validator.clone().filter(|tag| tag.starts_with('"'))
    }
}

pub(crate) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

pub(crate) fn number(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    digits(text(headers, name)?)
}

fn digits(text: &str) -> Option<u64> {
    // `parse` accepts a sign.
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Returns a strong validator: an entity tag that is not weak, or a date before that of the response, so that no second
/// version can have the same (RFC 9110, sections 8.8.1, 8.8.2.2 and 13.1.5).
fn validator(headers: &HeaderMap) -> Option<String> {
    if let Some(tag) = text(headers, header::ETAG) {
        return tag.starts_with('"').then(|| tag.to_owned());
    }
    let modified = text(headers, header::LAST_MODIFIED)?;
    let date = |text| httpdate::parse_http_date(text).ok();
    (date(modified)? < date(text(headers, header::DATE)?)?).then(|| modified.to_owned())
}

/// The part that a 206 has: `bytes 5-9/10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) first: u64,
    /// In bytes, and never 0.
    pub(crate) length: u64,
    pub(crate) total: Option<u64>,
}

impl ContentRange {
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let (range, total) = text(headers, header::CONTENT_RANGE)?
            .strip_prefix("bytes ")?
            .split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (digits(first)?, digits(last)?);
        let total = match total {
            "*" => None,
            total => Some(digits(total)?),
        };
        let length = last.checked_sub(first)?.checked_add(1)?;
        total.is_none_or(|total| last < total).then_some(Self {
            first,
            length,
            total,
        })
    }
}

/// A digest that a service gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digest {
    Sha256([u8; 32]),
    Md5([u8; 16]),
}

impl Digest {
    /// Reads `Repr-Digest` and `Content-Digest` (RFC 9530), `Digest` (RFC 3230) and `Content-MD5` (RFC 2616), and prefers
    /// SHA-256 to MD5. Digests of the content count only if the response is `whole`.
    fn read(headers: &HeaderMap, whole: bool) -> Option<Self> {
        let named = |name: &'static str| {
            let values = headers.get_all(name).into_iter();
            values.filter_map(|value| value.to_str().ok())
        };
        let listed = named("repr-digest")
            .chain(named("digest"))
            .chain(named("content-digest").filter(|_| whole))
            .flat_map(|list| list.split(','))
            .filter_map(|entry| entry.trim().split_once('='));
        let (mut sha256, mut md5) = (None, None);
        for (algorithm, value) in listed {
            if algorithm.eq_ignore_ascii_case("sha-256") {
                sha256 = sha256.or_else(|| decoded(value).map(Self::Sha256));
            } else if algorithm.eq_ignore_ascii_case("md5") {
                md5 = md5.or_else(|| decoded(value).map(Self::Md5));
            }
        }
        let mut content = named("content-md5").filter(|_| whole);
        sha256
            .or(md5)
            .or_else(|| content.find_map(decoded).map(Self::Md5))
    }

    /// Formats it for the state file.
    pub(crate) fn write(&self) -> String {
        match self {
            Self::Sha256(bytes) => format!("sha-256={}", STANDARD.encode(bytes)),
            Self::Md5(bytes) => format!("md5={}", STANDARD.encode(bytes)),
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_once('=')? {
            ("sha-256", value) => decoded(value).map(Self::Sha256),
            ("md5", value) => decoded(value).map(Self::Md5),
            _ => None,
        }
    }
}

/// Decodes Base64 of that many bytes, with or without colons around it.
fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.trim();
    let text = text
        .strip_prefix(':')
        .and_then(|text| text.strip_suffix(':'))
        .unwrap_or(text);
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Computes a digest.
#[derive(Clone)]
pub(crate) enum Hasher {
    Sha256(Box<hmac_sha256::Hash>),
    Md5(Box<md5::Context>),
}

impl Hasher {
    /// Returns a hasher of the kind of `digest`.
    pub(crate) fn for_one(digest: &Digest) -> Self {
        match digest {
            Digest::Sha256(_) => Self::Sha256(Box::new(hmac_sha256::Hash::new())),
            Digest::Md5(_) => Self::Md5(Box::new(md5::Context::new())),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Md5(context) => context.consume(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hash) => Digest::Sha256(hash.finalize()),
            Self::Md5(context) => Digest::Md5(context.finalize().0),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn only_what_names_one_version_is_a_validator() {
        let early = "Sun, 01 Nov 2026 11:59:59 GMT";
        let noon = "Sun, 01 Nov 2026 12:00:00 GMT";
        for (list, expected) in [
            (&[("etag", "\"a\"")][..], Some("\"a\"")),
            (&[("etag", "W/\"a\"")], None),
            (&[("etag", "a")], None),
            // A weak tag says that the date is no better.
            (
                &[
                    ("etag", "W/\"a\""),
                    ("last-modified", early),
                    ("date", noon),
                ],
                None,
            ),
            (&[("last-modified", early), ("date", noon)], Some(early)),
            (&[("last-modified", noon), ("date", noon)], None),
            (&[("last-modified", early)], None),
            (&[("last-modified", "yesterday"), ("date", noon)], None),
            (&[], None),
        ] {
            assert_eq!(validator(&headers(list)).as_deref(), expected, "{list:?}");
        }
    }

    #[test]
    fn parts_are_read_or_refused() {
        let read = |text| ContentRange::read(&headers(&[("content-range", text)]));
        let range = |first, length, total| {
            Some(ContentRange {
                first,
                length,
                total,
            })
        };
        assert_eq!(read("bytes 5-9/10"), range(5, 5, Some(10)));
        assert_eq!(read("bytes 0-0/*"), range(0, 1, None));
        for text in [
            "bytes 5-9/9",
            "bytes 9-5/10",
            "bytes */10",
            "bytes 5-9",
            "bytes -5/10",
            "bytes +5-9/10",
            "items 5-9/10",
            "bytes 5-99999999999999999999/*",
            "bytes 0-18446744073709551615/*",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn digests_are_read_in_each_form() {
        // Of "abc".
        let sha256 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        let md5 = "kAFQmDzST7DWlj99KOF/cg==";
        let mut hasher = Hasher::Sha256(Box::new(hmac_sha256::Hash::new()));
        hasher.update(b"a");
        hasher.update(b"bc");
        let abc = hasher.finish();
        let mut hasher = Hasher::Md5(Box::new(md5::Context::new()));
        hasher.update(b"abc");
        let abc_md5 = hasher.finish();
        for (list, expected) in [
            (
                vec![("repr-digest", format!("sha-256=:{sha256}:"))],
                Some(abc),
            ),
            (
                vec![("repr-digest", format!("sha-512=:AA==:, sha-256=:{sha256}:"))],
                Some(abc),
            ),
            (
                vec![("digest", format!("MD5={md5},SHA-256={sha256}"))],
                Some(abc),
            ),
            (vec![("digest", format!("md5={md5}"))], Some(abc_md5)),
            (vec![("content-md5", md5.to_owned())], Some(abc_md5)),
            (
                vec![
                    ("content-md5", md5.to_owned()),
                    ("digest", format!("sha-256={sha256}")),
                ],
                Some(abc),
            ),
            (vec![("digest", "sha-256=AAAA".to_owned())], None),
            (vec![("content-md5", "?".to_owned())], None),
        ] {
            let list: Vec<_> = list
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            assert_eq!(Digest::read(&headers(&list), true), expected, "{list:?}");
        }
        // The digest of a part is not that of the whole.
        let content_digest = format!("sha-256=:{sha256}:");
        let of_content = [("content-md5", md5), ("content-digest", &content_digest)];
        assert_eq!(Digest::read(&headers(&of_content), true), Some(abc));
        assert_eq!(Digest::read(&headers(&of_content), false), None);
        for digest in [abc, abc_md5] {
            assert_eq!(Digest::parse(&digest.write()), Some(digest));
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(text in "[ -~]{0,40}") {
            for name in ["content-range", "digest", "repr-digest", "content-md5", "etag", "content-length"] {
                let list = headers(&[(name, &text)]);
                let _ = (ResourceMetadata::read(StatusCode::OK, &list), ResourceMetadata::read(StatusCode::PARTIAL_CONTENT, &list));
            }
        }
    }
}
