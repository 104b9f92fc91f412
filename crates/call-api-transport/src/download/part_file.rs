//! A file that is not whole yet: its bytes so far under a name of their own, and beside them what they are a part of.
//!
//! For a target `a.mp3` the bytes are in `a.mp3.part`, and `a.mp3.part-state` says of which thing they are the beginning,
//! and how many of them the disk surely has. A process that is killed leaves both behind, and the next one goes on from
//! there. Only what is whole gets the target's name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::metadata::{Digest, Hasher, ResourceMetadata};

/// Bytes are written in pieces of this size.
const PIECE: usize = 256 << 10;

/// After so many bytes the disk is made to have them: what a crash costs at most.
const SYNC_EVERY: u64 = 1 << 20;

/// The first line of a state file. One of another form is as good as none.
const FORM: &str = "partial download, form 1";

/// A file under way. It is locked: of two downloads of one target the second one fails.
pub(crate) struct PartFile {
    file: Arc<File>,
    part: PathBuf,
    state: PathBuf,
    /// The file of that name, at its end.
    notes: Arc<File>,
    /// What the caller says it is; bytes of another thing are not gone on with.
    identity: String,
    /// What is not written yet.
    buffer: Vec<u8>,
    written: u64,
    synced: u64,
}

impl PartFile {
    /// Opens the part, or begins one. The second answer is what is known of the bytes that are there.
    pub(crate) async fn open(
        part: PathBuf,
        identity: String,
    ) -> io::Result<(Self, ResourceMetadata)> {
        off_thread(move || {
            let state = with_suffix(&part, "-state");
            let file = open_plain(&part)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(busy(&part)),
                // Not every file system has locks.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            if !is_at(&file, &part) {
                // Another download was done with it just now, or somebody made a link of it.
                return Err(busy(&part));
            }
            let mut notes = open_plain(&state)?;
            if !is_at(&notes, &state) {
                return Err(busy(&state));
            }
            let mut text = Vec::new();
            notes.read_to_end(&mut text)?;
            let (known, mut written) = std::str::from_utf8(&text)
                .ok()
                .and_then(|text| parse(text, &identity))
                .unwrap_or_default();
            // What is not sure to be on the disk may be anything; what is complete is not told from too much.
            if file.metadata()?.len() < written || known.total.is_some_and(|total| total <= written)
            {
                written = 0;
            }
            file.set_len(written)?;
            (&file).seek(SeekFrom::Start(written))?;
            let part_file = Self {
                file: Arc::new(file),
                part,
                state,
                notes: Arc::new(notes),
                identity,
                buffer: Vec::new(),
                written,
                synced: written,
            };
            Ok((
                part_file,
                if written > 0 {
                    known
                } else {
                    ResourceMetadata::default()
                },
            ))
        })
        .await
    }

    /// The bytes so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Drops what is there, and begins what `known` is about.
    pub(crate) async fn begin(&mut self, known: &ResourceMetadata) -> io::Result<()> {
        self.buffer.clear();
        (self.written, self.synced) = (0, 0);
        let (file, notes) = (Arc::clone(&self.file), Arc::clone(&self.notes));
        let text = write(known, &self.identity);
        off_thread(move || {
            for mut file in [&*file, &notes] {
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
            }
            // Before any byte that it speaks of: a state of other bytes must not outlive a crash.
            (&*notes).write_all(text.as_bytes())?;
            notes.sync_data()
        })
        .await
    }

    pub(crate) async fn write(&mut self, chunk: &Bytes) -> io::Result<()> {
        self.buffer.extend_from_slice(chunk);
        self.written += chunk.len() as u64;
        if self.buffer.len() < PIECE {
            return Ok(());
        }
        self.flush(self.written - self.synced >= SYNC_EVERY).await
    }

    /// Leaves what came in a state that a later download can go on from; where none can, nothing.
    pub(crate) async fn persist(&mut self, resumable: bool) -> io::Result<()> {
        if resumable && self.written > 0 {
            return self.flush(true).await;
        }
        let (part, state) = (self.part.clone(), self.state.clone());
        off_thread(move || {
            let _ = std::fs::remove_file(state);
            std::fs::remove_file(part)
        })
        .await
    }

    async fn flush(&mut self, sync: bool) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        let piece = std::mem::take(&mut self.buffer);
        let note = (sync && self.written > self.synced).then(|| {
            (
                Arc::clone(&self.notes),
                format!("synced {}\n", self.written),
            )
        });
        off_thread(move || {
            (&*file).write_all(&piece)?;
            let Some((notes, line)) = note else {
                return Ok(());
            };
            file.sync_data()?;
            (&*notes).write_all(line.as_bytes())
        })
        .await?;
        if sync {
            self.synced = self.written;
        }
        Ok(())
    }

    /// Compares what the disk has with the digest, if there is one, and gives it the target's name. `Ok(false)` where
    /// the digest is another: then nothing is left.
    pub(crate) async fn finish(
        &mut self,
        digest: Option<Digest>,
        target: PathBuf,
    ) -> io::Result<bool> {
        self.flush(false).await?;
        let file = Arc::clone(&self.file);
        let (part, state) = (self.part.clone(), self.state.clone());
        off_thread(move || {
            file.sync_all()?;
            let sound = match digest {
                Some(digest) => digest_of(&file, &digest)? == digest,
                None => true,
            };
            // First, while the part is locked under its name: once that is free, another download may begin there, and
            // the state is that one's. Of bytes that are all here it says nothing that is needed.
            let _ = std::fs::remove_file(&state);
            if sound {
                std::fs::rename(&part, &target)?;
                sync_folder(&target);
            } else {
                std::fs::remove_file(&part)?;
            }
            Ok(sound)
        })
        .await
    }
}

/// `a.mp3` and `.part` are `a.mp3.part`.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens the file, or makes it. Through a link, whoever made that would say what is written to.
fn open_plain(path: &Path) -> io::Result<File> {
    let is_plain = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.is_file(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(error),
    };
    if !is_plain {
        let message = format!("{} is no plain file; remove it", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

fn busy(part: &Path) -> io::Error {
    let message = format!(
        "another download is writing to {}; wait until it is done",
        part.display()
    );
    io::Error::new(io::ErrorKind::ResourceBusy, message)
}

fn digest_of(mut file: &File, digest: &Digest) -> io::Result<Digest> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Hasher::for_one(digest);
    let mut buffer = vec![0; PIECE];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Whether the path still names this file, which was opened by it, and is no link to it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(opened), Ok(named)) => id(opened) == id(named),
        _ => false,
    }
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// Makes the new name outlive a crash. Not every system can, and the bytes are safe without.
fn sync_folder(target: &Path) {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

fn write(known: &ResourceMetadata, identity: &str) -> String {
    let mut text = format!("{FORM}\nof {}\n", one_line(identity));
    let mut line = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            text.push_str(&format!("{key} {value}\n"));
        }
    };
    line("validator", known.validator.as_deref());
    line(
        "total",
        known.total.map(|total| total.to_string()).as_deref(),
    );
    line(
        "digest",
        known.digest.map(|digest| digest.write()).as_deref(),
    );
    line("type", known.content_type.as_deref());
    text
}

/// A header's value has no line break, but an identity may.
fn one_line(text: &str) -> String {
    text.escape_debug().collect()
}

/// What is known of the bytes, and how many of them the disk has; `None` where they can't be gone on with.
fn parse(text: &str, identity: &str) -> Option<(ResourceMetadata, u64)> {
    let mut known = ResourceMetadata::default();
    let mut synced = 0;
    // What follows the last line break was cut off.
    let (lines, _) = text.rsplit_once('\n')?;
    let mut lines = lines.split('\n');
    if lines.next()? != FORM || lines.next()?.strip_prefix("of ")? != one_line(identity) {
        return None;
    }
    for line in lines {
        match line.split_once(' ')? {
            ("validator", value) => known.validator = Some(value.to_owned()),
            ("total", value) => known.total = Some(value.parse().ok()?),
            ("digest", value) => known.digest = Some(Digest::parse(value)?),
            ("type", value) => known.content_type = Some(value.to_owned()),
            ("synced", value) => synced = value.parse().ok()?,
            _ => return None,
        }
    }
    known.validator.is_some().then_some((known, synced))
}

/// Runs what waits for the disk where it keeps nothing else from running.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known() -> ResourceMetadata {
        ResourceMetadata {
            validator: Some("\"v1\"".to_owned()),
            total: Some(1 << 40),
            digest: Some(Digest::Md5([7; 16])),
            content_type: Some("audio/mpeg; x=\"a b\"".to_owned()),
        }
    }

    #[test]
    fn a_state_says_what_was_written() {
        let mut text = write(&known(), "a\ncall");
        assert_eq!(parse(&text, "a\ncall"), Some((known(), 0)));
        text.push_str("synced 1048576\nsynced 2097152\nsynced 31");
        assert_eq!(parse(&text, "a\ncall"), Some((known(), 2_097_152)));
        assert_eq!(parse(&text, "another"), None);
        let bare = write(&ResourceMetadata::default(), "a");
        assert_eq!(parse(&bare, "a"), None, "nothing to ask for the rest by");
    }

    proptest! {
        /// Whatever a crash leaves of a state, no more bytes are taken for good than it says.
        #[test]
        fn a_damaged_state_is_none_or_sound(cut in 0_usize..200, garbage in ".{0,20}", at in 0_usize..200) {
            let whole = format!("{}synced 1048576\n", write(&known(), "a"));
            let cut = &whole[..cut.min(whole.len())];
            if let Some((found, synced)) = parse(cut, "a") {
                prop_assert!(found.validator == known().validator && (synced == 0 || synced == 1_048_576));
            }
            let at = at.min(whole.len());
            let _ = parse(&format!("{}{garbage}{}", &whole[..at], &whole[at..]), "a");
        }
    }
}
