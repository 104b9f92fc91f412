//! Where the bytes go: into a file that may be gone on with later, or to a writer that keeps nothing.

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
}

impl Sink<'_> {
    pub(crate) fn written(&self) -> u64 {
        match self {
            Self::File(part_file) => part_file.written(),
            Self::Writer { written, .. } => *written,
        }
    }

    /// Whether what was written can be dropped, to begin again.
    pub(crate) fn can_begin(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Writer { written, .. } => *written == 0,
        }
    }

    /// Drops what was written, where that [can be](Self::can_begin), and begins what `known` is about.
    pub(crate) async fn begin(&mut self, known: &ResourceMetadata) -> io::Result<()> {
        match self {
            Self::File(part_file) => part_file.begin(known).await,
            Self::Writer { hasher, .. } => {
                *hasher = known.digest.as_ref().map(Hasher::for_one);
                Ok(())
            }
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
        }
    }

    /// What a writer was given comes to, where that was asked for at the beginning.
    pub(crate) fn digest(&mut self) -> Option<Digest> {
        match self {
            Self::File(_) => None,
            Self::Writer { hasher, .. } => hasher.take().map(Hasher::finish),
        }
    }
}
