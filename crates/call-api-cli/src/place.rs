//! The place of recordings: a path, or a bucket of an object store.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
#[cfg(feature = "object-store")]
use url::Url;

/// The schemes of the URLs of buckets: S3, Google Cloud Storage and Azure.
const SCHEMES: [&str; 8] = ["s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss"];

/// The place of recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A path, or `-`.
    Path(PathBuf),
    /// The URL of a bucket, or of a prefix in it.
    #[cfg(feature = "object-store")]
    Bucket(Url),
}

impl Place {
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        PathBufValueParser::new().try_map(Self::parse)
    }

    fn parse(path: PathBuf) -> Result<Self, String> {
        let url = path.to_str().and_then(|text| text.split_once("://"));
        match url {
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                let scheme = scheme.to_ascii_lowercase();
                if SCHEMES.contains(&scheme.as_str()) {
                    return bucket(&path);
                }
                Err("not a folder, nor the URL of a bucket (s3://, gs:// or az://)".to_owned())
            }
            _ => Ok(Self::Path(path)),
        }
    }

    /// Returns the path, unless it is a bucket.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            #[cfg(feature = "object-store")]
            Self::Bucket(_) => None,
        }
    }
}

#[cfg(feature = "object-store")]
fn bucket(text: &Path) -> Result<Place, String> {
    let example = "expected a URL such as s3://bucket/prefix";
    let url = Url::parse(&text.to_string_lossy()).map_err(|error| format!("{error}; {example}"))?;
    // `abfs://container@account` names the account so.
    let has_user = !url.username().is_empty() && !url.scheme().starts_with("abfs");
    let is_plain =
        url.query().is_none() && url.fragment().is_none() && url.password().is_none() && !has_user;
    match url.host() {
        Some(_) if is_plain => Ok(Place::Bucket(url)),
        Some(_) => Err(format!("it has more than a bucket and a prefix; {example}")),
        None => Err(format!("it has no bucket; {example}")),
    }
}

#[cfg(not(feature = "object-store"))]
fn bucket(_: &Path) -> Result<Place, String> {
    let message = "this program was built without the feature `object-store`; build it with `--features object-store`, or use a folder";
    Err(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_urls() {
        for path in ["-", "a", "/a/b", "./s3://b", "a b://c", "s3:/b"] {
            let expected = Place::Path(path.into());
            assert_eq!(Place::parse(path.into()), Ok(expected), "{path}");
        }
        for url in ["https://h/x", "file:///x", "ftp://h"] {
            let error = Place::parse(url.into()).unwrap_err();
            assert!(error.contains("s3://"), "{url}: {error}");
        }
    }

    #[cfg(feature = "object-store")]
    #[test]
    fn urls_of_buckets_have_a_bucket_and_a_prefix_only() {
        for url in [
            "s3://b",
            "S3://b/a/b",
            "gs://b/x",
            "az://b",
            "abfss://c@a.dfs.core.windows.net/p",
        ] {
            assert!(
                matches!(Place::parse(url.into()), Ok(Place::Bucket(_))),
                "{url}"
            );
        }
        for url in [
            "s3://",
            "s3:///p",
            "s3://b/p?x=y",
            "gs://b#f",
            "s3://u:p@b",
            "az://[/p",
        ] {
            let error = Place::parse(url.into()).unwrap_err();
            assert!(error.contains("s3://bucket/prefix"), "{url}: {error}");
        }
    }

    #[cfg(not(feature = "object-store"))]
    #[test]
    fn bucket_names_the_feature_that_is_missing() {
        for url in ["s3://b", "S3://b/a/b", "gs://b/x", "az://b"] {
            let error = Place::parse(url.into()).unwrap_err();
            assert!(error.contains("--features object-store"), "{url}: {error}");
        }
    }
}
