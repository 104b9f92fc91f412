//! The file of an incomplete download, and the state file beside it, which describes the content.
//!
//! For a target `a.mp3` the bytes are in `a.mp3.part`, and `a.mp3.part-state` has the metadata of the content and the number of
//! bytes that are synced to the disk. A process that is killed leaves both, and the next one resumes from them. Only a
//! complete file is renamed to the target.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::metadata::{Digest, Hasher, ResourceMetadata};

/// Bytes are written in pieces of this size.
const PIECE: usize = 256 << 10;

/// The number of bytes after which the file is synced: the most that a crash loses.
const SYNC_EVERY: u64 = 1 << 20;

/// Retries and delay while a download waits for the lock of one that was dropped, whose disk operation in flight holds it.
const LOCK_RETRIES: u32 = 100;
const LOCK_DELAY: Duration = Duration::from_millis(20);

/// The first line of a state file. Others are ignored.
const FORM: &str = "partial download, form 1";

/// An incomplete file. It is locked: a second download of the same target fails.
pub(crate) struct PartFile {
    file: Arc<File>,
    part: PathBuf,
    state: PathBuf,
    /// The state file, at its end.
    notes: Arc<File>,
    /// The user's name of the content; bytes of other content are not resumed.
    identity: String,
    /// Bytes that are not in the file yet.
    buffer: Vec<u8>,
    /// Bytes in the file.
    flushed: u64,
    /// Bytes safely on the disk.
    synced: u64,
}

impl PartFile {
    /// Opens the file, or creates it, and returns what is known of its content. Waits for the lock for a moment: the disk
    /// operation of a download that was dropped may still hold it.
    pub(crate) async fn open(
        part: PathBuf,
        identity: String,
    ) -> io::Result<(Self, ResourceMetadata)> {
        let mut retries = 0;
        loop {
            let (path, name) = (part.clone(), identity.clone());
            match off_thread(move || Self::try_open(path, name)).await {
                Err(error)
                    if error.kind() == io::ErrorKind::ResourceBusy && retries < LOCK_RETRIES =>
                {
                    retries += 1;
                    tokio::time::sleep(LOCK_DELAY).await;
                }
                result => return result,
            }
        }
    }

    fn try_open(part: PathBuf, identity: String) -> io::Result<(Self, ResourceMetadata)> {
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
            // Another download has just finished with it, or it was replaced by a link.
            return Err(busy(&part));
        }
        let mut notes = open_plain(&state)?;
        if !is_at(&notes, &state) {
            return Err(busy(&state));
        }
        let mut text = Vec::new();
        notes.read_to_end(&mut text)?;
        let (metadata, mut synced) = std::str::from_utf8(&text)
            .ok()
            .and_then(|text| parse(text, &identity))
            .unwrap_or_default();
        // Bytes that may not be on the disk can be anything; a complete file cannot be distinguished from one that is too long.
        let is_complete = metadata.total.is_some_and(|total| total <= synced);
        if file.metadata()?.len() < synced || is_complete {
            synced = 0;
        }
        file.set_len(synced)?;
        (&file).seek(SeekFrom::Start(synced))?;
        let part_file = Self {
            file: Arc::new(file),
            part,
            state,
            notes: Arc::new(notes),
            identity,
            buffer: Vec::new(),
            flushed: synced,
            synced,
        };
        let metadata = if synced > 0 {
            metadata
        } else {
            ResourceMetadata::default()
        };
        Ok((part_file, metadata))
    }

    /// Returns the number of bytes so far.
    pub(crate) fn written(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    /// Discards the content, and begins that of `metadata`.
    pub(crate) async fn begin(&mut self, metadata: &ResourceMetadata) -> io::Result<()> {
        self.buffer.clear();
        (self.flushed, self.synced) = (0, 0);
        let (file, notes) = (Arc::clone(&self.file), Arc::clone(&self.notes));
        let text = write(metadata, &self.identity);
        off_thread(move || {
            for mut file in [&*file, &notes] {
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
            }
            // Before any byte that it describes: a description of other bytes must not survive a crash.
            (&*notes).write_all(text.as_bytes())?;
            notes.sync_data()
        })
        .await
    }

    pub(crate) async fn write(&mut self, chunk: &Bytes) -> io::Result<()> {
        self.buffer.extend_from_slice(chunk);
        if self.buffer.len() < PIECE {
            return Ok(());
        }
        self.flush(self.written() - self.synced >= SYNC_EVERY).await
    }

    /// Discards all bytes after `length`, also for a later run.
    pub(crate) async fn roll_back(&mut self, length: u64) -> io::Result<()> {
        if self.written() <= length {
            return Ok(());
        }
        let kept = usize::try_from(length.saturating_sub(self.flushed)).unwrap_or(usize::MAX);
        self.buffer.truncate(kept);
        if self.flushed <= length {
            return Ok(());
        }
        let was_synced = self.synced > length;
        (self.flushed, self.synced) = (length, self.synced.min(length));
        let (file, notes) = (Arc::clone(&self.file), Arc::clone(&self.notes));
        off_thread(move || {
            if was_synced {
                (&*notes).write_all(format!("synced {length}\n").as_bytes())?;
                notes.sync_data()?;
            }
            file.set_len(length)?;
            (&*file).seek(SeekFrom::Start(length)).map(drop)
        })
        .await
    }

    /// Keeps the files if they can be resumed later, and removes them otherwise.
    pub(crate) async fn persist(&mut self, resumable: bool) -> io::Result<()> {
        if resumable && self.written() > 0 {
            return self.flush(true).await;
        }
        let (part, state) = (self.part.clone(), self.state.clone());
        off_thread(move || {
            let _ = std::fs::remove_file(state);
            std::fs::remove_file(part)
        })
        .await
    }

    /// Writes the buffer to the file. On failure, such as a full disk, what was in the file before stays and counts.
    async fn flush(&mut self, sync: bool) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        let piece = std::mem::take(&mut self.buffer);
        let before = self.flushed;
        let length = piece.len() as u64;
        off_thread(move || {
            (&*file).write_all(&piece).inspect_err(|_| {
                // Removes the part of the piece that was written; the error is that of the write.
                let _ = file.set_len(before);
                let _ = (&*file).seek(SeekFrom::Start(before));
            })
        })
        .await?;
        self.flushed += length;
        if sync && self.flushed > self.synced {
            let (file, notes) = (Arc::clone(&self.file), Arc::clone(&self.notes));
            let line = format!("synced {}\n", self.flushed);
            off_thread(move || {
                file.sync_data()?;
                (&*notes).write_all(line.as_bytes())
            })
            .await?;
            self.synced = self.flushed;
        }
        Ok(())
    }

    /// Compares the content with the digest, if there is one, and renames the file to the target. Returns `Ok(false)` if
    /// the digest differs, and removes the files.
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
            let is_sound = match digest {
                Some(digest) => digest_of(&file, &digest)? == digest,
                None => true,
            };
            if is_sound {
                check_target(&target)?;
            }
            // First, while the file is locked under its name: once that is free, another download may begin there, and the
            // state is that one's. A complete file does not need it.
            let _ = std::fs::remove_file(&state);
            if is_sound {
                std::fs::rename(&part, &target)?;
                sync_folder(&target);
            } else {
                std::fs::remove_file(&part)?;
            }
            Ok(is_sound)
        })
        .await
    }
}

/// Fails if the target is a folder, a device, a pipe or a link: a rename would replace what it cannot write to.
pub(crate) fn check_target(target: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(target) {
        Ok(metadata) if !metadata.is_file() => {
            let message = format!("{} is not a regular file", target.display());
            Err(io::Error::new(io::ErrorKind::AlreadyExists, message))
        }
        _ => Ok(()),
    }
}

/// Appends a suffix: `a.mp3` and `.part` are `a.mp3.part`.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens the file, or creates it. A link is refused: whoever made it would choose what is overwritten.
fn open_plain(path: &Path) -> io::Result<File> {
    let is_plain = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.is_file(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(error),
    };
    if !is_plain {
        let message = format!("{} is not a regular file; remove it", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

fn busy(part: &Path) -> io::Error {
    let message = format!(
        "another download is writing to {}; wait until it has ended",
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

/// Returns true if the path still names this file, and is not a link to it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(opened), Ok(named)) => id(opened) == id(named),
        _ => false,
    }
}

/// An open file keeps its name on other systems.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// Syncs the new name to the disk. Not every system can, and the bytes are safe without.
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

/// Escapes line breaks, which an identity may have.
fn one_line(text: &str) -> String {
    text.escape_debug().collect()
}

/// Returns the metadata of the content and the number of synced bytes, or `None` if they cannot be resumed.
fn parse(text: &str, identity: &str) -> Option<(ResourceMetadata, u64)> {
    let mut known = ResourceMetadata::default();
    let mut synced = 0;
    // A crash may have cut the last line.
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

/// Runs disk operations on a thread that may block.
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
    fn state_round_trips() {
        let mut text = write(&known(), "a\ncall");
        assert_eq!(parse(&text, "a\ncall"), Some((known(), 0)));
        text.push_str("synced 1048576\nsynced 2097152\nsynced 31");
        assert_eq!(parse(&text, "a\ncall"), Some((known(), 2_097_152)));
        assert_eq!(parse(&text, "another"), None);
        let bare = write(&ResourceMetadata::default(), "a");
        assert_eq!(parse(&bare, "a"), None, "no validator to resume with");
    }

    #[tokio::test]
    async fn failed_write_keeps_and_counts_earlier_bytes() {
        let folder = std::env::temp_dir().join(format!("part-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let part = folder.join("a.part");
        let _ = std::fs::remove_file(&part);
        let _ = std::fs::remove_file(folder.join("a.part-state"));
        let (mut file, _) = PartFile::open(part.clone(), "a".to_owned()).await.unwrap();
        file.begin(&known()).await.unwrap();
        let piece = Bytes::from(vec![7; PIECE]);
        file.write(&piece).await.unwrap();
        // Fails to write, as a full disk does.
        let writable = std::mem::replace(&mut file.file, Arc::new(File::open(&part).unwrap()));
        file.write(&piece).await.unwrap_err();
        assert_eq!(file.written(), PIECE as u64);
        file.file = writable;
        file.persist(true).await.unwrap();
        drop(file);
        let (file, metadata) = PartFile::open(part, "a".to_owned()).await.unwrap();
        assert_eq!((file.written(), metadata), (PIECE as u64, known()));
        std::fs::remove_dir_all(folder).unwrap();
    }

    proptest! {
        /// A state that a crash truncated never claims bytes that it did not record.
        #[test]
        fn damaged_state_is_ignored_or_sound(cut in 0_usize..200, garbage in ".{0,20}", at in 0_usize..200) {
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
