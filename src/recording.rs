//! The recording of a call, as a file.

#[cfg(feature = "blocking")]
mod blocking_writer;
mod file_name;
mod outcome;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use call_api_client::{Client, Error, ErrorKind, RequestOptions};
use call_api_transport::{
    Auth, Download, DownloadError, Downloaded, Operation, Progress, ResponseBody,
};
use tokio::io::AsyncWrite;

#[cfg(feature = "blocking")]
use blocking_writer::BlockingWriter;
use file_name::{extension, file_name};
pub use outcome::{Recording, SavedRecording};

use crate::poll::{left_after_end, respect_retry_after};
use crate::{Call, Uuid};

/// The download, for the transport: the token is sent if the recording is on the API's own origin.
const OPERATION: Operation = Operation {
    id: FetchRecording::OPERATION_ID,
    path: "",
    auth: Auth::Bearer,
    body: ResponseBody::Streamed,
};

/// The interval at which a call without a recording is polled: it doubles from the first to the second.
const POLL_INTERVAL: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

type OnProgress<'a> = Box<dyn FnMut(Progress) + Send + 'a>;

/// A download of a call's recording, begun by [`Client::recording`](crate::Client::recording) and sent by giving it a
/// destination: [`to_file`](Self::to_file), [`to_folder`](Self::to_folder) or [`to_writer`](Self::to_writer).
///
/// # Requests
/// Only the recording's URL, if the given call has ended and has one. Otherwise it polls `GET /v1/call/{id}` at once, then
/// after 2 s, 4 s and so on up to every 30 s, honoring `Retry-After`, until there is one or the
/// [ready timeout](Self::ready_timeout) is over: 14 times in the default 5 minutes. If the URL is refused with 401, 403,
/// 404 or 410, it fetches the call once more, since such URLs expire, unless a writer has already received a part. The
/// recording itself is requested once, and resumed after an interruption, as often as
/// [`max_attempts`](RequestOptions::max_attempts) without a further byte.
///
/// # Security
/// The token, and all else that the client was configured with, is sent only to the API's own origin, through redirects
/// too, of which five are followed. Except for https, only http to this machine is allowed, unless
/// [`allow_insecure_http`](Self::allow_insecure_http) is set.
///
/// Its futures can be dropped at any point. What a file has by then is resumed by the next download of that call to that
/// place, also after the process was killed.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use call_api::RequestOptions;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     sandbox.run(call_api_sandbox::Sandbox::example_call(), call_api_sandbox::Script::completed());
///     sandbox.advance(Duration::from_secs(60));
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
///     let call = client.get_call(id).await?;
///     // The name of the download in attempt logs, observers and spans.
///     assert_eq!(call_api::FetchRecording::OPERATION_ID, "recording");
///     let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
///     let mut sound = Vec::new();
///     let recording = client
///         .recording(&call)
///         .ready_timeout(minutes(1))
///         .deadline(minutes(10))
///         .stall_timeout(Duration::from_secs(10))
///         .size_limit(100 << 20)
///         .allow_insecure_http(false)
///         .options(RequestOptions::new().max_attempts(5))
///         .on_progress(|progress| println!("{} of {:?} bytes", progress.bytes, progress.total))
///         .to_writer(&mut sound)
///         .await?;
///     assert!(recording.saved().is_some() && sound.starts_with(b"RIFF"));
///     Ok(())
/// }
/// ```
#[must_use = "a download does nothing until it has a destination"]
pub struct FetchRecording<'a> {
    client: Client,
    call: Call,
    options: RequestOptions,
    ready_timeout: Duration,
    deadline: Duration,
    /// In a mutex that is never locked: a future that shares it must be `Sync`.
    on_progress: Option<Mutex<OnProgress<'a>>>,
    stall_timeout: Option<Duration>,
    size_limit: Option<u64>,
    allow_insecure_http: bool,
}

/// The destination of a recording.
enum Target<'w> {
    File(PathBuf),
    Folder(PathBuf),
    Writer(&'w mut (dyn AsyncWrite + Send + Unpin)),
}

/// The result of waiting for the URL of a recording.
enum Found {
    /// The call, the URL, and the rest of the ready timeout.
    At(Call, String, Duration),
    Nowhere(Call),
}

impl FetchRecording<'_> {
    /// The id by which attempt logs, observers and spans name the download.
    pub const OPERATION_ID: &'static str = "recording";
}

impl<'a> FetchRecording<'a> {
    pub(crate) fn new(client: &Client, call: &Call) -> Self {
        Self {
            client: client.clone(),
            call: call.clone(),
            options: RequestOptions::new(),
            ready_timeout: Duration::from_secs(300),
            deadline: Duration::from_secs(3600),
            on_progress: None,
            stall_timeout: None,
            size_limit: None,
            allow_insecure_http: false,
        }
    }

    /// Sets how long after the end of the call its recording may still become available: while the call has no URL yet,
    /// or the URL is answered with 404, 202 or 425. 5 minutes by default; [`Duration::ZERO`] does not wait. For a call
    /// that has not ended, or whose end is not known, the time starts now.
    pub fn ready_timeout(mut self, timeout: Duration) -> Self {
        self.ready_timeout = timeout;
        self
    }

    /// Limits the total time, including the ready timeout. 1 h by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how long a download may receive nothing before it is interrupted and resumed. 30 s by default.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = Some(timeout);
        self
    }

    /// Limits the length of the recording in bytes. 1 GiB by default.
    pub fn size_limit(mut self, bytes: u64) -> Self {
        self.size_limit = Some(bytes);
        self
    }

    /// Allows plain http to other machines. Anyone on the network path can then hear the recording, or change it.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.allow_insecure_http = allow;
        self
    }

    /// Sets a callback that is given the number of bytes whenever more have arrived.
    pub fn on_progress(mut self, on_progress: impl FnMut(Progress) + Send + 'a) -> Self {
        self.on_progress = Some(Mutex::new(Box::new(on_progress)));
        self
    }

    /// Sets options for each request. Its deadline is that of one fetch of the call; headers are sent only to the API's
    /// own origin.
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.options = self.options.merge(options);
        self
    }

    /// Downloads the recording to this file, and replaces one that exists.
    ///
    /// The file appears only once it is complete: its length and its digest, if there is one, were compared with what the
    /// service announced, and it was synced to disk. Until then the bytes are in `{path}.part`, and what they are a part
    /// of is in `{path}.part-state`. Neither may be a link.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use call_api::{Client, Recording};
    /// use call_api_sandbox::{Sandbox, Script};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = Sandbox::start().await?;
    ///     sandbox.run(Sandbox::example_call(), Script::completed());
    ///     sandbox.advance(Duration::from_secs(60));
    ///     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///
    ///     let id = Sandbox::EXAMPLE_ID;
    ///     let path = std::env::temp_dir().join(format!("call-api-doc-{}.wav", std::process::id()));
    ///     let call = client.get_call(id).await?;
    ///     match client.recording(&call).to_file(&path).await? {
    ///         Recording::Saved(saved) => println!("{} bytes of {:?}", saved.bytes, saved.media_type),
    ///         Recording::Absent(call) => println!("{call} was not recorded"),
    ///         other => println!("not yet: {other:?}"),
    ///     }
    ///     assert!(std::fs::read(&path)?.starts_with(b"RIFF"));
    ///     std::fs::remove_file(&path)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt): the download is not what the service announced.
    /// - [`ErrorKind::Io`](crate::ErrorKind::Io): the file cannot be written, or another download writes it.
    /// - [`ErrorKind::BodyTooLarge`](crate::ErrorKind::BodyTooLarge): see [`size_limit`](Self::size_limit).
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest): the URL is invalid or not allowed.
    /// - Any other [`ErrorKind`](crate::ErrorKind), of the recording's host or of the API.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<Recording, Error> {
        let path = path.as_ref().to_owned();
        self.send(Target::File(path)).await
    }

    /// Downloads the recording to this folder, as [`to_file`](Self::to_file), named by the call's id with the extension
    /// for its type. The folder must exist.
    ///
    /// ```
    /// use call_api::Client;
    /// use call_api_sandbox::{Sandbox, Script};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = Sandbox::start().await?;
    ///     sandbox.run(Sandbox::example_call(), Script::completed());
    ///     sandbox.advance(std::time::Duration::from_secs(60));
    ///     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///     let call = client.get_call(Sandbox::EXAMPLE_ID).await?;
    ///     let folder = std::env::temp_dir().join(format!("call-api-doc-{}", std::process::id()));
    ///     std::fs::create_dir_all(&folder)?;
    ///     if let Some(saved) = client.recording(&call).to_folder(&folder).await?.saved() {
    ///         assert_eq!(saved.path, Some(folder.join(format!("{}.wav", call.id))));
    ///     }
    ///     std::fs::remove_dir_all(folder)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file).
    pub async fn to_folder(self, folder: impl AsRef<Path>) -> Result<Recording, Error> {
        let folder = folder.as_ref().to_owned();
        self.send(Target::Folder(folder)).await
    }

    /// Downloads the recording to a writer, in order, each byte once. If the result is an error, the writer has a part of
    /// it, or corrupt bytes.
    ///
    /// ```
    /// use call_api::Client;
    /// use call_api_sandbox::{Sandbox, Script};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let sandbox = Sandbox::start().await?;
    ///     sandbox.run(Sandbox::example_call(), Script::completed());
    ///     sandbox.advance(std::time::Duration::from_secs(60));
    ///     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///     let call = client.get_call(Sandbox::EXAMPLE_ID).await?;
    ///     let mut sound = Vec::new();
    ///     let recording = client
    ///         .recording(&call)
    ///         .size_limit(100 << 20)
    ///         .on_progress(|progress| println!("{} of {:?} bytes", progress.bytes, progress.total))
    ///         .to_writer(&mut sound)
    ///         .await?;
    ///     assert_eq!(recording.saved().map(|saved| saved.bytes), Some(sound.len() as u64));
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file).
    pub async fn to_writer(
        self,
        writer: &mut (impl AsyncWrite + Send + Unpin),
    ) -> Result<Recording, Error> {
        self.send(Target::Writer(writer)).await
    }

    /// Downloads as [`to_file`](Self::to_file), and blocks the thread. The callback runs on this thread.
    ///
    /// ```
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let runtime = tokio::runtime::Runtime::new()?;
    ///     let sandbox = runtime.block_on(call_api_sandbox::Sandbox::start())?;
    ///     sandbox.run(call_api_sandbox::Sandbox::example_call(), call_api_sandbox::Script::completed());
    ///     sandbox.advance(std::time::Duration::from_secs(60));
    ///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///     let folder = std::env::temp_dir().join(format!("call-api-doc-{}", std::process::id()));
    ///     std::fs::create_dir_all(&folder)?;
    ///     let call = client.get_call(call_api_sandbox::Sandbox::EXAMPLE_ID).wait()?;
    ///     let mut sound = Vec::new();
    ///     client.recording(&call).to_writer_blocking(&mut sound)?.saved().ok_or("no recording")?;
    ///     client.recording(&call).to_file_blocking(folder.join("sound.wav"))?.saved().ok_or("no recording")?;
    ///     client.recording(&call).to_folder_blocking(&folder)?.saved().ok_or("no recording")?;
    ///     assert_eq!(std::fs::read(folder.join("sound.wav"))?, sound);
    ///     std::fs::remove_dir_all(folder)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file).
    #[cfg(feature = "blocking")]
    pub fn to_file_blocking(self, path: impl AsRef<Path>) -> Result<Recording, Error> {
        let client = self.client.clone();
        client.block_on(self.to_file(path))
    }

    /// Downloads as [`to_folder`](Self::to_folder), and blocks the thread. The callback runs on this thread.
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file).
    #[cfg(feature = "blocking")]
    pub fn to_folder_blocking(self, folder: impl AsRef<Path>) -> Result<Recording, Error> {
        let client = self.client.clone();
        client.block_on(self.to_folder(folder))
    }

    /// Downloads as [`to_writer`](Self::to_writer), to a writer without `async`, and blocks the thread. The callback runs
    /// on this thread.
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file).
    #[cfg(feature = "blocking")]
    pub fn to_writer_blocking(
        self,
        writer: &mut (impl std::io::Write + Send),
    ) -> Result<Recording, Error> {
        let client = self.client.clone();
        let mut writer = BlockingWriter(writer);
        client.block_on(self.to_writer(&mut writer))
    }

    async fn send(mut self, mut target: Target<'_>) -> Result<Recording, Error> {
        let transport = self.client.transport().with_options(self.options.clone());
        let begun = transport.now();
        let mut on_progress = self.on_progress.take().map(|on_progress| {
            on_progress
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)
        });
        let mut found = self.find().await?;
        let mut is_refreshed = false;
        let mut written = 0;
        loop {
            let (call, url, ready_timeout) = match found {
                Found::At(call, url, ready_timeout) => (call, url, ready_timeout),
                Found::Nowhere(call) if call.is_ended() => {
                    return Ok(Recording::Absent(call));
                }
                Found::Nowhere(call) => return Ok(Recording::NotEnded(call)),
            };
            let passed = transport.now().saturating_duration_since(begun);
            let Some(mut download) = transport.download(&OPERATION, &url) else {
                return Err(invalid_url());
            };
            download = download
                .not_ready_timeout(ready_timeout)
                .deadline(self.deadline.saturating_sub(passed))
                .allow_insecure_http(self.allow_insecure_http)
                .on_progress(|progress| {
                    written = progress.bytes;
                    if let Some(on_progress) = &mut on_progress {
                        on_progress(progress);
                    }
                });
            if let Some(timeout) = self.stall_timeout {
                download = download.stall_timeout(timeout);
            }
            if let Some(bytes) = self.size_limit {
                download = download.size_limit(bytes);
            }
            let downloaded = download_to(download, &mut target, call.id, &url).await;
            let error = match downloaded.map_err(failed) {
                Ok(downloaded) => {
                    return Ok(Recording::Saved(SavedRecording::new(
                        call.id, &url, downloaded,
                    )));
                }
                Err(error) => error,
            };
            // Another URL starts from the beginning, which a writer must not get twice.
            let may_restart = written == 0 || !matches!(target, Target::Writer(_));
            if is_refreshed || !may_be_expired(&error) || !may_restart {
                return Err(error);
            }
            is_refreshed = true;
            let passed = transport.now().saturating_duration_since(begun);
            let call = self.get_call(self.deadline.saturating_sub(passed)).await?;
            match url_of(&call) {
                Some(other) if other != url => {
                    let other = other.to_owned();
                    found = Found::At(call, other, Duration::ZERO);
                }
                _ => return Err(error),
            }
        }
    }

    /// Waits until the call has ended and has a recording.
    async fn find(&self) -> Result<Found, Error> {
        let transport = self.client.transport();
        let begun = transport.now();
        let mut call = self.call.clone();
        let mut failed = None;
        let mut ours = Duration::ZERO;
        loop {
            let waited = transport.now().saturating_duration_since(begun);
            let left = left_after_end(&call, self.ready_timeout, transport.system_now())
                .min(self.ready_timeout.min(self.deadline).saturating_sub(waited));
            if call.is_ended()
                && let Some(url) = url_of(&call)
            {
                let url = url.to_owned();
                return Ok(Found::At(call, url, left));
            }
            // The given state may be old, so the first poll is immediate.
            let retry_after = failed.as_ref().and_then(Error::retry_after);
            let delay = respect_retry_after(ours, retry_after, transport);
            if delay > left || (!delay.is_zero() && left.is_zero()) {
                return match failed {
                    Some(error) => Err(error),
                    None => Ok(Found::Nowhere(call)),
                };
            }
            if !delay.is_zero() {
                transport.sleep(delay).await;
            }
            ours = (ours * 2).clamp(POLL_INTERVAL.0, POLL_INTERVAL.1);
            let passed = transport.now().saturating_duration_since(begun);
            let left = self.deadline.saturating_sub(passed);
            match self.get_call(left).await {
                Ok(newer) => (call, failed) = (newer, None),
                Err(error) if error.is_retryable() => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
    }

    /// Fetches the call within what is left of the deadline.
    async fn get_call(&self, left: Duration) -> Result<Call, Error> {
        let options = self.options.clone();
        let transport = self.client.transport();
        let usual = transport.with_options(options.clone()).deadline();
        let options = options.deadline(usual.min(left));
        self.client.get_call(self.call.id).options(options).await
    }
}

impl fmt::Debug for FetchRecording<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchRecording")
            .field("call", &self.call.id)
            .field("options", &self.options)
            .field("ready_timeout", &self.ready_timeout)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Some services send an empty string instead of null.
pub(crate) fn url_of(call: &Call) -> Option<&str> {
    call.recording_url.as_deref().filter(|url| !url.is_empty())
}

/// Returns true if the status is one of those with which expired signed URLs are refused.
fn may_be_expired(error: &Error) -> bool {
    error.transport_error().is_none() && matches!(error.status(), Some(401 | 403 | 404 | 410))
}

fn invalid_url() -> Error {
    Error::builder(ErrorKind::InvalidRequest)
        .message(
            "the recording cannot be downloaded: the call's recording_url is not an absolute URL",
        )
        .advice("ask the service's owner what it means")
        .build()
}

/// The error of a download. A refused URL is not a matter of the base URL.
fn failed(error: DownloadError) -> Error {
    let error = Error::from(error);
    if error.transport_error().is_some() {
        return error;
    }
    error.with_advice("fetch the call again: its recording may be gone, or the URL expired")
}

async fn download_to(
    download: Download<'_>,
    target: &mut Target<'_>,
    id: Uuid,
    url: &str,
) -> Result<Downloaded, DownloadError> {
    match target {
        Target::File(path) => {
            let mut part = path.clone().into_os_string();
            part.push(".part");
            download.to_file(part, id, |_| path.clone()).await
        }
        Target::Folder(folder) => {
            let part = folder.join(format!("{id}.part"));
            let name = |media_type: Option<&str>| {
                folder.join(file_name(id, extension(media_type, url).as_deref()))
            };
            download.to_file(part, id, name).await
        }
        Target::Writer(writer) => download.to_writer(*writer).await,
    }
}
