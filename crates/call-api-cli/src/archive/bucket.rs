//! An archive in a bucket: an object for each recording, and one for each line of the manifest.
//!
//! A recording is downloaded to a local folder first, since only a file is resumed after a kill, and since its name and digest
//! must be known before the upload. Uploads are atomic: an object is whole, or not there. A recording is complete when its entry
//! `manifest/saved/{id}.json` is there, which is written after it. No object is ever deleted, and the entries of different outcomes
//! are different objects, so that runs on several machines do not harm each other.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use call_api::Uuid;
use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::{Path as Key, PathPart};
use object_store::{
    Attribute, Attributes, Certificate, ClientOptions, ObjectStore, ObjectStoreScheme,
    PutMultipartOptions, PutOptions, RetryConfig,
};
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::entry::{Entry, Outcome};
use crate::config::{self, Network};
use crate::error::{CliError, ErrorClass};
use crate::state_file::StateFile;

/// The length of a part of a large recording: the least that stores accept. One such buffer is held for each job.
const PART: usize = 5 << 20;

/// The time limit of a request, unless the environment sets one: for a part, 8.5 KiB per second, since jobs share a connection
/// to the internet.
const REQUEST_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The time in which the first request is repeated. It is short, since a mistake in the settings is more likely than an outage.
const FIRST_RETRIES: Duration = Duration::from_secs(10);

/// The longest time in which a request is repeated: its signature expires.
const MAX_RETRIES: Duration = Duration::from_secs(4 * 60);

/// The folder of the manifest.
const MANIFEST: &str = "manifest";

/// The advice for a bucket that cannot be used.
const CHECK_SETTINGS: &str =
    "check the bucket, and the credentials, region and endpoint in the environment";

/// The bucket, used by one run of this machine at a time.
#[derive(Debug)]
pub(super) struct Bucket {
    store: Box<dyn ObjectStore>,
    /// The URL without a slash at its end, for messages.
    url: String,
    prefix: Key,
    /// The local folder that recordings are downloaded to.
    pub(super) folder: PathBuf,
    /// Locked.
    _lock: StateFile,
}

impl Bucket {
    /// Opens a bucket. Also returns the calls whose recording is complete, or that have none.
    pub(super) fn open(
        url: &Url,
        give_up_after: Duration,
        network: &Network,
    ) -> Result<(Self, HashSet<Uuid>), CliError> {
        // Without one, reqwest panics; the SDK names its own in each client.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = local_folder(url)?;
        let lock = StateFile::open(&folder.join("lock"), "use another URL")?;
        remove_complete(&folder)
            .map_err(|error| CliError::cannot_write(&folder, error, "check its permissions"))?;
        let text = url.as_str().trim_end_matches('/').to_owned();
        let (_, prefix) = ObjectStoreScheme::parse(url).map_err(|error| {
            CliError::usage(format!("{text} is not the URL of a bucket: {error}"))
        })?;
        let retries = give_up_after.min(MAX_RETRIES);
        let kept = list(url, &prefix, retries, network)?;
        Ok((
            Self {
                store: connect(url, retries, network)?,
                url: text,
                prefix,
                folder,
                _lock: lock,
            },
            kept,
        ))
    }

    /// Uploads a recording, if there is one, and then its entry. Removes the local file.
    pub(super) async fn keep(&self, entry: &Entry, file: Option<&Path>) -> Result<(), CliError> {
        if let (Some(file), Some(name)) = (file, &entry.file) {
            self.upload(file, name, entry).await?;
        }
        let folder = match entry.outcome {
            Outcome::Saved => "saved",
            Outcome::Absent => "absent",
            Outcome::Failed => "failed",
        };
        let name = format!("{MANIFEST}/{folder}/{}.json", entry.id);
        let line = entry
            .to_line()
            .map_err(|error| self.cannot_write(&name, &error))?;
        let attributes = Attributes::from_iter([(Attribute::ContentType, "application/json")]);
        self.put(&name, line.into_bytes(), attributes).await?;
        if let Some(file) = file {
            fs::remove_file(file)
                .map_err(|error| CliError::cannot_write(file, error, "check its permissions"))?;
        }
        Ok(())
    }

    async fn upload(&self, file: &Path, name: &str, entry: &Entry) -> Result<(), CliError> {
        let mut attributes = Attributes::new();
        if let Some(media_type) = &entry.media_type {
            attributes.insert(Attribute::ContentType, media_type.clone().into());
        }
        if let Some(sha256) = &entry.sha256 {
            let name = Attribute::Metadata("sha256".into());
            attributes.insert(name, sha256.clone().into());
        }
        let cannot_read = |error| super::cannot_read(file, &error);
        let mut reader = tokio::fs::File::open(file).await.map_err(cannot_read)?;
        let first = next_part(&mut reader).await.map_err(cannot_read)?;
        if first.len() < PART {
            return self.put(name, first, attributes).await;
        }
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let key = self.key(name);
        let cannot_write = |error| self.cannot_write(name, &error);
        let upload = self.store.put_multipart_opts(&key, options).await;
        let mut upload = upload.map_err(cannot_write)?;
        let mut part = first;
        let failure = loop {
            if let Err(error) = upload.put_part(part.into()).await {
                break cannot_write(error);
            }
            part = match next_part(&mut reader).await {
                Ok(part) if part.is_empty() => match upload.complete().await {
                    Ok(_) => return Ok(()),
                    Err(error) => break cannot_write(error),
                },
                Ok(part) => part,
                Err(error) => break cannot_read(error),
            };
        };
        // Otherwise its parts stay until a rule of the bucket removes them. The failure is that of the upload.
        let _ = upload.abort().await;
        Err(failure)
    }

    async fn put(
        &self,
        name: &str,
        bytes: Vec<u8>,
        attributes: Attributes,
    ) -> Result<(), CliError> {
        let options = PutOptions::from(attributes);
        let key = self.key(name);
        let put = self.store.put_opts(&key, bytes.into(), options);
        let result = put.await.map(|_| ());
        result.map_err(|error| self.cannot_write(name, &error))
    }

    fn key(&self, name: &str) -> Key {
        name.split('/')
            .fold(self.prefix.clone(), |key, part| key.join(part))
    }

    fn cannot_write(&self, name: &str, error: &dyn std::error::Error) -> CliError {
        let path = format!("{}/{name}", self.url);
        let remedy = format!("{CHECK_SETTINGS}, and run the command again to resume");
        CliError::cannot_write(Path::new(&path), reason(error), &remedy)
    }
}

/// Returns the local folder for the downloads of a bucket, which is created if it does not exist.
fn local_folder(url: &Url) -> Result<PathBuf, CliError> {
    let Some(state) = config::state_folder() else {
        let message = "no folder for downloads: there is no home folder; set XDG_STATE_HOME";
        return Err(CliError::config(message));
    };
    let digest = hmac_sha256::Hash::hash(url.as_str().trim_end_matches('/').as_bytes());
    let folder = state.join("archives").join(super::hex(&digest[..8]));
    fs::create_dir_all(&folder)
        .map_err(|error| CliError::cannot_write(&folder, error, "set XDG_STATE_HOME"))?;
    Ok(folder)
}

/// Removes complete downloads that a killed run left: they are downloaded again, or are in the bucket.
fn remove_complete(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_part = path
            .extension()
            .is_some_and(|extension| extension == "part" || extension == "part-state");
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if !is_part && stem.parse::<Uuid>().is_ok() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Reads up to the length of a part; less at the end of the file.
async fn next_part(reader: &mut (impl tokio::io::AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    reader.take(PART as u64).read_to_end(&mut part).await?;
    Ok(part)
}

/// Lists the calls whose recording is complete, or that have none.
fn list(
    url: &Url,
    prefix: &Key,
    retries: Duration,
    network: &Network,
) -> Result<HashSet<Uuid>, CliError> {
    let failed = |error: &dyn std::error::Error| {
        let message = format!("cannot read {url}: {}; {CHECK_SETTINGS}", reason(error));
        CliError::new(ErrorClass::Failed, message)
    };
    // Of its own, as the connections of a store belong to the runtime that opened them.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let store = connect(url, FIRST_RETRIES.min(retries), network)?;
    let listed = runtime.block_on(async {
        let (mut files, mut saved, mut kept) = (HashSet::new(), HashSet::new(), HashSet::new());
        let mut objects = store.list(Some(prefix));
        while let Some(object) = objects.try_next().await? {
            let Some(parts) = object.location.prefix_match(prefix) else {
                continue;
            };
            let parts: Vec<PathPart<'_>> = parts.collect();
            let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
            match parts[..] {
                [file] => files.extend(id_of(file)),
                [MANIFEST, "saved", entry] => saved.extend(id_of(entry)),
                [MANIFEST, "absent", entry] => kept.extend(id_of(entry)),
                _ => {}
            }
        }
        kept.extend(saved.intersection(&files));
        Ok(kept)
    });
    listed.map_err(|error: object_store::Error| failed(&error))
}

/// Returns the id that an object is named after.
fn id_of(name: &str) -> Option<Uuid> {
    name.split('.').next()?.parse().ok()
}

/// Connects to the store of a URL, with the settings in the environment.
fn connect(
    url: &Url,
    retries: Duration,
    network: &Network,
) -> Result<Box<dyn ObjectStore>, CliError> {
    let connector = Connector::new(network)?;
    let retry = RetryConfig {
        max_retries: usize::MAX,
        retry_timeout: retries,
        ..RetryConfig::default()
    };
    let scheme = ObjectStoreScheme::parse(url).map(|(scheme, _)| scheme);
    let store: object_store::Result<Box<dyn ObjectStore>> = match scheme {
        Ok(ObjectStoreScheme::AmazonS3) => {
            let mut builder = AmazonS3Builder::from_env();
            if builder
                .get_config_value(&AmazonS3ConfigKey::Checksum)
                .is_none()
            {
                builder = builder.with_checksum_algorithm(Checksum::SHA256);
            }
            let builder = builder.with_url(url.as_str()).with_retry(retry);
            let store = builder.with_http_connector(connector).build();
            store.map(|store| Box::new(store) as _)
        }
        Ok(ObjectStoreScheme::GoogleCloudStorage) => {
            let builder = GoogleCloudStorageBuilder::from_env().with_url(url.as_str());
            let builder = builder.with_retry(retry).with_http_connector(connector);
            builder.build().map(|store| Box::new(store) as _)
        }
        _ => {
            let builder = MicrosoftAzureBuilder::from_env().with_url(url.as_str());
            let builder = builder.with_retry(retry).with_http_connector(connector);
            builder.build().map(|store| Box::new(store) as _)
        }
    };
    store.map_err(|error| {
        let reason = reason(&error);
        CliError::config(format!("cannot use {url}: {reason}; {CHECK_SETTINGS}"))
    })
}

/// Connects with the proxy and the root certificates of the program, and otherwise as the environment says.
#[derive(Debug)]
struct Connector {
    proxy: Option<String>,
    roots: Vec<Certificate>,
}

impl Connector {
    fn new(network: &Network) -> Result<Self, CliError> {
        let roots = match &network.cacert {
            None => Vec::new(),
            Some(path) => {
                let pem = fs::read(path).map_err(|error| super::cannot_read(path, &error))?;
                Certificate::from_pem_bundle(&pem).map_err(|error| {
                    let (path, reason) = (path.display(), reason(&error));
                    let message =
                        format!("cannot use the certificates {path}: {reason}; use a PEM file");
                    CliError::config(message)
                })?
            }
        };
        let proxy = network.proxy.clone();
        Ok(Self { proxy, roots })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut options = options.clone().with_timeout(REQUEST_LIMIT);
        if let Some(proxy) = &self.proxy {
            options = options
                .with_proxy_url(proxy)
                // This machine, and the credentials of machines in a cloud.
                .with_proxy_excludes("localhost,127.0.0.0/8,::1,169.254.0.0/16,fd00:ec2::/32,metadata.google.internal");
        }
        for root in &self.roots {
            options = options.with_root_certificate(root.clone());
        }
        ReqwestConnector::default().connect(&options)
    }
}

/// Returns the innermost error on one line, without the XML of a response but with its code.
fn reason(error: &dyn std::error::Error) -> String {
    let innermost = std::iter::successors(Some(error), |error| error.source()).last();
    let text = innermost.unwrap_or(error).to_string();
    let (text, xml) = text.split_once('<').unwrap_or((&text, ""));
    let code = xml
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    let words: Vec<_> = text
        .split_whitespace()
        .chain(code.map(|(code, _)| code))
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_one_line_with_the_code() {
        for (text, expected) in [
            ("connection refused", "connection refused"),
            (
                "status code: 403 Forbidden: <?xml?>\n<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
                "status code: 403 Forbidden: AccessDenied",
            ),
            ("502: <html>\n</html>", "502:"),
            ("a\n b", "a b"),
        ] {
            assert_eq!(reason(&io::Error::other(text)), expected);
        }
    }

    #[test]
    fn id_is_the_name_up_to_a_dot() {
        let id = Uuid::from_u128(1);
        for name in [format!("{id}.wav"), id.to_string(), format!("{id}.json")] {
            assert_eq!(id_of(&name), Some(id), "{name}");
        }
        assert_eq!(id_of("manifest"), None);
        assert_eq!(id_of(""), None);
    }
}
