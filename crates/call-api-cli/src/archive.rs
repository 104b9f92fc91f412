//! An archive of recordings: each is kept exactly once, and a manifest has the outcome for each call.
//!
//! The manifest is the only state. A recording is complete when its entry is in the manifest; a file without one, as a killed
//! run leaves it, is downloaded again.

#[cfg(feature = "object-store")]
mod bucket;
mod entry;
mod manifest;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use call_api::{Call, Client, Recording, Uuid};

#[cfg(feature = "object-store")]
use self::bucket::Bucket;
use self::entry::{Entry, Outcome};
use self::manifest::Manifest;
use crate::config::Network;
use crate::error::{CliError, ErrorClass};
use crate::place::Place;
use crate::recording::DOWNLOAD_LIMIT;

/// The archive, open for one run at a time.
#[derive(Debug)]
pub(crate) struct Archive {
    /// The folder that recordings are downloaded to.
    folder: PathBuf,
    /// The time after the end of a call in which its recording may become available.
    wait: Duration,
    store: Store,
    /// The recordings that are complete, and the calls that have none.
    kept: HashSet<Uuid>,
}

/// The place of recordings and manifest.
#[derive(Debug)]
enum Store {
    /// The folder of the downloads.
    Folder(Manifest),
    #[cfg(feature = "object-store")]
    Bucket(Box<Bucket>),
}

impl Store {
    /// Keeps an entry, and the downloaded file that it describes.
    #[cfg_attr(
        not(feature = "object-store"),
        expect(unused_variables, reason = "only buckets need them")
    )]
    async fn keep(&self, entry: &Entry, file: Option<&Path>) -> Result<(), CliError> {
        match self {
            // The file is there already.
            Self::Folder(manifest) => manifest.append(entry),
            #[cfg(feature = "object-store")]
            Self::Bucket(bucket) => bucket.keep(entry, file).await,
        }
    }
}

impl Archive {
    /// Opens an archive and reads its manifest. A folder is created if it does not exist. Requests to a bucket are repeated
    /// until `give_up_after`.
    ///
    /// Blocks, and panics in a runtime.
    #[cfg_attr(
        not(feature = "object-store"),
        expect(unused_variables, reason = "only buckets need them")
    )]
    pub(crate) fn open(
        place: &Place,
        wait: Duration,
        give_up_after: Duration,
        network: &Network,
    ) -> Result<Self, CliError> {
        let (folder, store, kept) = match place {
            Place::Path(folder) => {
                let (manifest, kept) = Manifest::open(folder)?;
                (folder.clone(), Store::Folder(manifest), kept)
            }
            #[cfg(feature = "object-store")]
            Place::Bucket(url) => {
                let (bucket, kept) = Bucket::open(url, give_up_after, network)?;
                let folder = bucket.folder.clone();
                (folder, Store::Bucket(Box::new(bucket)), kept)
            }
        };
        Ok(Self {
            folder,
            wait,
            store,
            kept,
        })
    }

    /// Returns the path that files beside the manifest are named after.
    pub(crate) fn state_path(&self) -> PathBuf {
        self.folder.join("manifest")
    }

    /// Returns true if the recording of a call is complete, or the call has none.
    pub(crate) fn has(&self, id: Uuid) -> bool {
        self.kept.contains(&id)
    }

    /// Downloads the recording of a call, unless it is complete.
    pub(crate) async fn save(&self, client: &Client, call: &Call) -> Result<(), CliError> {
        if self.has(call.id) {
            return Ok(());
        }
        match self.download(client, call).await {
            Ok((entry, file)) => self.store.keep(&entry, file.as_deref()).await,
            Err(failure) => {
                let entry = Entry {
                    error: Some(failure.class().name().to_owned()),
                    ..Entry::new(call.id, Outcome::Failed)
                };
                self.store.keep(&entry, None).await?;
                Err(failure)
            }
        }
    }

    /// Downloads a recording to the folder. Returns the entry, and the file if there is a recording.
    async fn download(
        &self,
        client: &Client,
        call: &Call,
    ) -> Result<(Entry, Option<PathBuf>), CliError> {
        let request = client
            .recording(call)
            .ready_timeout(self.wait)
            .deadline(self.wait.saturating_add(DOWNLOAD_LIMIT));
        let recording = request.to_folder(&self.folder).await;
        match recording.map_err(|error| CliError::from(error).for_call(call.id))? {
            Recording::Saved(saved) => {
                let path = saved.path.unwrap_or_default();
                let digest = sha256(path.clone()).await;
                let entry = Entry {
                    file: path
                        .file_name()
                        .map(|name| name.to_string_lossy().into_owned()),
                    size: Some(saved.bytes),
                    sha256: Some(digest.map_err(|error| cannot_read(&path, &error))?),
                    etag: saved.etag,
                    media_type: saved.media_type,
                    ..Entry::new(call.id, Outcome::Saved)
                };
                Ok((entry, Some(path)))
            }
            Recording::Absent(call) => Ok((Entry::new(call.id, Outcome::Absent), None)),
            _ => {
                let message = format!(
                    "call {} has not ended; run the command again later",
                    call.id
                );
                Err(CliError::new(ErrorClass::Timeout, message).for_call(call.id))
            }
        }
    }

    /// Flushes the manifest to the disk.
    pub(crate) fn finish(&self) -> Result<(), CliError> {
        match &self.store {
            Store::Folder(manifest) => manifest.finish(),
            #[cfg(feature = "object-store")]
            Store::Bucket(_) => Ok(()),
        }
    }
}

/// Returns the SHA-256 of a file in hexadecimal digits.
async fn sha256(path: PathBuf) -> io::Result<String> {
    let digest = tokio::task::spawn_blocking(move || {
        let mut file = File::open(path)?;
        let (mut hash, mut buffer) = (hmac_sha256::Hash::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer)? {
                0 => return io::Result::Ok(hash.finalize()),
                read => hash.update(&buffer[..read]),
            }
        }
    });
    let digest = digest.await.map_err(io::Error::other)??;
    Ok(hex(&digest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cannot_read(path: &Path, error: &io::Error) -> CliError {
    let message = format!(
        "cannot read {}: {error}; check its permissions",
        path.display()
    );
    CliError::new(ErrorClass::Failed, message)
}
