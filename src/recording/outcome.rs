//! The outcome of a request for a recording.

use std::path::PathBuf;

use call_api_client::AttemptLog;
use call_api_transport::Downloaded;

use super::file_name::{extension, file_name};
use crate::{Call, Uuid};

/// The outcome of a request for a recording.
///
/// ```
/// use std::time::Duration;
///
/// use call_api::Recording;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
///     let call = client.get_call(id).await?;
///     // `saved` is for programs that need not distinguish the other two.
///     let recording = client.recording(&call).ready_timeout(Duration::ZERO).to_writer(&mut Vec::new()).await?;
///     assert!(recording.clone().saved().is_none());
///     match recording {
///         Recording::Saved(saved) => println!("{} bytes", saved.bytes),
///         Recording::Absent(call) => println!("{} was not recorded", call.id),
///         Recording::NotEnded(call) => println!("{} is still {}", call.id, call.status),
///         other => println!("{other:?}"),
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "the recording may be absent"]
#[non_exhaustive]
pub enum Recording {
    /// The complete recording was downloaded.
    Saved(SavedRecording),
    /// The call has ended and had no recording in time. Its last state.
    Absent(Call),
    /// The call has not ended in time. Its last state.
    NotEnded(Call),
}

impl Recording {
    /// Returns the recording, if there is one.
    pub fn saved(self) -> Option<SavedRecording> {
        match self {
            Self::Saved(saved) => Some(saved),
            Self::Absent(_) | Self::NotEnded(_) => None,
        }
    }
}

/// A completely downloaded recording.
///
/// ```
/// use std::time::Duration;
///
/// use call_api::SavedRecording;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     sandbox.run(call_api_sandbox::Sandbox::example_call(), call_api_sandbox::Script::completed());
///     sandbox.advance(Duration::from_secs(60));
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
///     let call = client.get_call(id).await?;
///     let mut sound = Vec::new();
///     let recording = client.recording(&call).to_writer(&mut sound).await?;
///     let saved: SavedRecording = recording.saved().ok_or("there is none")?;
///     assert_eq!(saved.suggested_name(), "3c90c3cc-0d44-4b50-8888-8dd25736052a.wav");
///     assert_eq!(saved.media_type.as_deref(), Some("audio/wav"));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SavedRecording {
    /// The call's id.
    pub call_id: Uuid,
    /// The length in bytes.
    pub bytes: u64,
    /// The bytes of it that an earlier, interrupted download had left.
    pub resumed_from: u64,
    /// The type as the service sent it, such as `audio/mpeg`.
    pub media_type: Option<String>,
    /// The entity tag that the service sent, such as `"33a64df5"`, unless it is weak.
    pub etag: Option<String>,
    /// The file extension for that type, such as `mp3`, or else that of the URL.
    pub extension: Option<String>,
    /// The file, unless it went to a writer.
    pub path: Option<PathBuf>,
    /// True if the service sent a digest (`Repr-Digest`, `Digest` or `Content-MD5`), which was compared.
    pub digest_checked: bool,
    /// The attempts.
    pub attempt_log: AttemptLog,
}

impl SavedRecording {
    pub(super) fn new(call_id: Uuid, url: &str, downloaded: Downloaded) -> Self {
        Self {
            call_id,
            bytes: downloaded.bytes,
            resumed_from: downloaded.resumed_from,
            extension: extension(downloaded.content_type.as_deref(), url),
            media_type: downloaded.content_type,
            etag: downloaded.etag,
            path: downloaded.path,
            digest_checked: downloaded.digest_checked,
            attempt_log: downloaded.attempt_log,
        }
    }

    /// Returns a name for the file: the call's id with the extension for its type.
    pub fn suggested_name(&self) -> String {
        file_name(self.call_id, self.extension.as_deref())
    }
}
