//! The target of a download: a file that can be resumed later, or a writer that keeps nothing.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::metadata::{Digest, Hasher, ResourceMetadata};
use super::part_file::PartFile;

pub(crate) enum Sink<'w> {
    File(PartFile),
    Writer {
        writer: &'w mut (dyn AsyncWrite + Send + Unpin),
        written: u64,
        hasher: Option<Hasher>,
    },
    /// The target was already taken, or could not be opened.
    None,
}

impl Sink<'_> {
    pub(crate) fn written(&self) -> u64 {
        match self {
            Self::File(part_file) => part_file.written(),
            Self::Writer { written, .. } => *written,
            Self::None => 0,
        }
    }

    /// Returns true if what was written can be discarded, to begin again.
    pub(crate) fn can_begin(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Writer { written, .. } => *written == 0,
            Self::None => false,
        }
    }

    /// Discards what was written, if that [is possible](Self::can_begin), and begins the content of `metadata`.
    pub(crate) async fn begin(&mut self, metadata: &ResourceMetadata) -> io::Result<()> {
        match self {
            Self::File(part_file) => part_file.begin(metadata).await,
            Self::Writer { hasher, .. } => {
                *hasher = metadata.digest.as_ref().map(Hasher::for_one);
                Ok(())
            }
            Self::None => Ok(()),
        }
    }

    pub(crate) async fn write(&mut self, chunk: &Bytes) -> io::Result<()> {
        match self {
            Self::File(part_file) => part_file.write(chunk).await,
            Self::Writer {
                writer,
                written,
                hasher,
            } => {
                writer.write_all(chunk).await?;
                *written += chunk.len() as u64;
                if let Some(hasher) = hasher {
                    hasher.update(chunk);
                }
                Ok(())
            }
            Self::None => Ok(()),
        }
    }

    /// Discards what was written after `length`. A writer keeps it.
    pub(crate) async fn roll_back(&mut self, length: u64) -> io::Result<()> {
        match self {
            Self::File(part_file) => part_file.roll_back(length).await,
            Self::Writer { .. } | Self::None => Ok(()),
        }
    }

    /// Returns the digest of the bytes given to a writer, if one was requested at the beginning.
    pub(crate) fn digest(&mut self) -> Option<Digest> {
        match self {
            Self::Writer { hasher, .. } => hasher.take().map(Hasher::finish),
            Self::File(_) | Self::None => None,
        }
    }
}
