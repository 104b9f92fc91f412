//! A call's recording, as a file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use call_api_transport::{
    AttemptLog, Auth, Download, DownloadError, Downloaded, Operation, Progress, RequestOptions,
    ResponseBody,
};
use tokio::io::AsyncWrite;

use crate::cadence::no_sooner;
use crate::client::Client;
use crate::error::Error;
use crate::{Call, Uuid};

/// What the transport is told about it: the token goes along where the recording is on the API's own origin.
pub(crate) const OPERATION: Operation = Operation {
    id: "recording",
    path: "",
    auth: Auth::Bearer,
    body: ResponseBody::Streamed,
};

/// The wait before a call is asked for its recording again: it doubles from the first to the second.
const POLL: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// What became of a request for a recording.
///
/// ```
/// use std::time::Duration;
///
/// use call_api::Recording;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// let call = client.get_call(id).await?;
/// // For callers who tell neither of the two from the other, there is `saved`.
/// let recording = client.recording(&call).wait(Duration::ZERO).to_writer(&mut Vec::new()).await?;
/// assert!(recording.clone().saved().is_none());
/// match recording {
///     Recording::Saved(saved) => println!("{} bytes", saved.bytes),
///     Recording::Absent(call) => println!("{} was not recorded", call.id),
///     Recording::NotEnded(call) => println!("{} is still {}", call.id, call.status),
///     other => println!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Recording {
    /// It was fetched, whole.
    Saved(SavedRecording),
    /// The call is over, and there was no recording of it within the time that was waited. Its last state.
    Absent(Call),
    /// The call was not over within the time that was waited. Its last state.
    NotEnded(Call),
}

impl Recording {
    /// The recording, if there is one.
    pub fn saved(self) -> Option<SavedRecording> {
        match self {
            Self::Saved(saved) => Some(saved),
            Self::Absent(_) | Self::NotEnded(_) => None,
        }
    }
}

/// A recording that was fetched, whole.
///
/// ```
/// use std::time::Duration;
///
/// use call_api::SavedRecording;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # sandbox.run(call_api_sandbox::Sandbox::example_call(), call_api_sandbox::Script::completed());
/// # sandbox.advance(Duration::from_secs(60));
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// # let call = client.get_call(id).await?;
/// let mut sound = Vec::new();
/// let recording = client.recording(&call).to_writer(&mut sound).await?;
/// let saved: SavedRecording = recording.saved().ok_or("there is none")?;
/// assert_eq!(saved.suggested_name(), "3c90c3cc-0d44-4b50-8888-8dd25736052a.wav");
/// assert_eq!(saved.media_type.as_deref(), Some("audio/wav"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SavedRecording {
    /// The call's id.
    pub call_id: Uuid,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many of them an earlier, interrupted download had left.
    pub resumed_from: u64,
    /// Its type as the service gave it, such as `audio/mpeg`.
    pub media_type: Option<String>,
    /// The ending for a file of that type, such as `mp3`; where the type is none of sound or film, that of the URL.
    pub extension: Option<String>,
    /// The file, where it was fetched into one.
    pub path: Option<PathBuf>,
    /// Whether the service gave a digest (`Repr-Digest`, `Digest` or `Content-MD5`), which was compared.
    pub digest_checked: bool,
    /// What was tried.
    pub attempt_log: AttemptLog,
}

impl SavedRecording {
    /// A name for the file: the call's id, and the ending for its type.
    pub fn suggested_name(&self) -> String {
        file_name(self.call_id, self.extension.as_deref())
    }
}

fn file_name(id: Uuid, extension: Option<&str>) -> String {
    match extension {
        Some(extension) => format!("{id}.{extension}"),
        None => id.to_string(),
    }
}

type OnProgress<'a> = Box<dyn FnMut(Progress) + Send + 'a>;

/// A request for a call's recording, made by [`Client::recording`]. It is sent by saying where to:
/// [`to_file`](Self::to_file), [`to_folder`](Self::to_folder) or [`to_writer`](Self::to_writer).
///
/// # What it asks
/// Nothing but the recording's URL, where the call given is over and has one. Else it fetches the call
/// (`GET /v1/call/{id}`) at once, then after 2 s, 4 s and so on up to every 30 s, no sooner than a `Retry-After` asks,
/// until there is one or the [wait](Self::wait) is over: for the usual 5 minutes that is 14 times. Where the URL is
/// refused with 401, 403, 404 or 410 it fetches the call once more, since such URLs expire, but for a writer that has a
/// part already. The recording itself is fetched once, and again from where it broke off, as often as the client's
/// [`max_attempts`](RequestOptions::max_attempts) without a further byte.
///
/// # What is safe about it
/// The token, and whatever else the client was set up with, goes to the API's own origin and nowhere else, through
/// redirects too, of which five are followed. Other than https, only http to this machine is asked, unless
/// [allowed](Self::allow_insecure_http).
///
/// Its futures may be dropped at any point. What a file has by then is gone on with by the next download of that call to
/// that place, also after the process was killed.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use call_api::RequestOptions;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # sandbox.run(call_api_sandbox::Sandbox::example_call(), call_api_sandbox::Script::completed());
/// # sandbox.advance(Duration::from_secs(60));
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// # let call = client.get_call(id).await?;
/// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
/// let mut sound = Vec::new();
/// let recording = client
///     .recording(&call)
///     .wait(minutes(1))
///     .deadline(minutes(10))
///     .stall_timeout(Duration::from_secs(10))
///     .size_limit(100 << 20)
///     .allow_insecure_http(false)
///     .options(RequestOptions::new().max_attempts(5))
///     .on_progress(|progress| println!("{} of {:?} bytes", progress.bytes, progress.total))
///     .to_writer(&mut sound)
///     .await?;
/// assert!(recording.saved().is_some() && sound.starts_with(b"RIFF"));
/// # Ok(())
/// # }
/// ```
#[must_use = "a request does nothing until it is told where to"]
pub struct FetchRecording<'a> {
    client: &'a Client,
    call: &'a Call,
    options: Option<RequestOptions>,
    wait: Duration,
    deadline: Duration,
    /// In a mutex that is never locked: what is shared while the call is asked for must be `Sync`.
    on_progress: Option<Mutex<OnProgress<'a>>>,
    stall_timeout: Option<Duration>,
    size_limit: Option<u64>,
    allow_insecure_http: bool,
}

/// Where a recording is to go.
enum Target<'w> {
    File(PathBuf),
    Folder(PathBuf),
    Writer(&'w mut (dyn AsyncWrite + Send + Unpin)),
}

/// What is known of the recording before it is fetched.
enum Found {
    /// The call, the URL, and how much of the wait is left for it to answer.
    At(Call, String, Duration),
    Nowhere(Call),
}

impl<'a> FetchRecording<'a> {
    pub(crate) fn new(client: &'a Client, call: &'a Call) -> Self {
        Self {
            client,
            call,
            options: None,
            wait: Duration::from_secs(300),
            deadline: Duration::from_secs(3600),
            on_progress: None,
            stall_timeout: None,
            size_limit: None,
            allow_insecure_http: false,
        }
    }

    /// How long after the end of the call its recording is waited for, while the call names none yet, or the URL is
    /// answered with 404, 202 or 425. 5 minutes by default; nothing is waited for with [`Duration::ZERO`], nor of a call
    /// that was over so long ago. A call that isn't over yet, or whose end is not known, is waited for so long from now.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The limit of everything, the wait included. 1 h by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long a download may bring nothing before it is broken off and gone on with. 30 s by default.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = Some(timeout);
        self
    }

    /// The most bytes that a recording may have. 1 GiB by default.
    pub fn size_limit(mut self, bytes: u64) -> Self {
        self.size_limit = Some(bytes);
        self
    }

    /// Allows plain http to another machine. Anyone on the way can then hear the recording, or change it.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.allow_insecure_http = allow;
        self
    }

    /// Is told how many bytes are there, whenever more have come.
    pub fn on_progress(mut self, on_progress: impl FnMut(Progress) + Send + 'a) -> Self {
        self.on_progress = Some(Mutex::new(Box::new(on_progress)));
        self
    }

    /// Settings for each of the requests, such as its time-out and how often it is retried; but for the deadline, which
    /// is that of one fetch of the call. Headers go to the API's own origin only.
    pub fn options(mut self, options: RequestOptions) -> Self {
        self.options = Some(options);
        self
    }

    /// Fetches the recording into this file, in place of one that is there.
    ///
    /// The file is there only once it is whole: its length was compared with what the service said, and so was its
    /// digest where there was one, and the disk has it. Until then the bytes are in `{path}.part`, and what they are a
    /// part of is in `{path}.part-state`. Neither may be a link.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use call_api::{Client, Recording};
    /// use call_api_sandbox::{Sandbox, Script};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = Sandbox::start().await?;
    /// sandbox.run(Sandbox::example_call(), Script::completed());
    /// sandbox.advance(Duration::from_secs(60));
    /// let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    ///
    /// # let id = Sandbox::EXAMPLE_ID;
    /// # let path = std::env::temp_dir().join(format!("call-api-doc-{}.wav", std::process::id()));
    /// let call = client.get_call(id).await?;
    /// match client.recording(&call).to_file(&path).await? {
    ///     Recording::Saved(saved) => println!("{} bytes of {:?}", saved.bytes, saved.media_type),
    ///     Recording::Absent(call) => println!("{call} was not recorded"),
    ///     other => println!("not yet: {other:?}"),
    /// }
    /// # assert!(std::fs::read(&path)?.starts_with(b"RIFF"));
    /// # std::fs::remove_file(&path)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt): what came can't be taken for the whole.
    /// - [`ErrorKind::Io`](crate::ErrorKind::Io): the file can't be written, or another download writes it.
    /// - [`ErrorKind::BodyTooLarge`](crate::ErrorKind::BodyTooLarge): see [`size_limit`](Self::size_limit).
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest): the URL is none, or may not be asked.
    /// - Whatever else [`ErrorKind`](crate::ErrorKind) lists, of the recording's host or of the API.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<Recording, Error> {
        let path = path.as_ref().to_owned();
        self.send(Target::File(path)).await
    }

    /// Fetches the recording into this folder, under the call's id with the ending for its type; see
    /// [`to_file`](Self::to_file) for what that means and for its errors. The folder must be there.
    ///
    /// ```
    /// # use call_api::Client;
    /// # use call_api_sandbox::{Sandbox, Script};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = Sandbox::start().await?;
    /// # sandbox.run(Sandbox::example_call(), Script::completed());
    /// # sandbox.advance(std::time::Duration::from_secs(60));
    /// # let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// # let call = client.get_call(Sandbox::EXAMPLE_ID).await?;
    /// # let folder = std::env::temp_dir().join(format!("call-api-doc-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// if let Some(saved) = client.recording(&call).to_folder(&folder).await?.saved() {
    ///     assert_eq!(saved.path, Some(folder.join(format!("{}.wav", call.id))));
    /// }
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file).
    pub async fn to_folder(self, folder: impl AsRef<Path>) -> Result<Recording, Error> {
        let folder = folder.as_ref().to_owned();
        self.send(Target::Folder(folder)).await
    }

    /// Fetches the recording into a writer, in order, each byte once. Where the result is an error, the writer has a part
    /// of it, or what is not sound.
    ///
    /// ```
    /// # use call_api::Client;
    /// # use call_api_sandbox::{Sandbox, Script};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = Sandbox::start().await?;
    /// # sandbox.run(Sandbox::example_call(), Script::completed());
    /// # sandbox.advance(std::time::Duration::from_secs(60));
    /// # let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
    /// # let call = client.get_call(Sandbox::EXAMPLE_ID).await?;
    /// let mut sound = Vec::new();
    /// let recording = client
    ///     .recording(&call)
    ///     .size_limit(100 << 20)
    ///     .on_progress(|progress| println!("{} of {:?} bytes", progress.bytes, progress.total))
    ///     .to_writer(&mut sound)
    ///     .await?;
    /// assert_eq!(recording.saved().map(|saved| saved.bytes), Some(sound.len() as u64));
    /// # Ok(())
    /// # }
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

    async fn send(mut self, mut target: Target<'_>) -> Result<Recording, Error> {
        let transport = match self.options.clone() {
            Some(options) => self.client.raw().transport().with_options(options),
            None => self.client.raw().transport().clone(),
        };
        let begun = transport.now();
        let mut on_progress = self.on_progress.take().map(|on_progress| {
            on_progress
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)
        });
        let mut found = self.find().await?;
        let mut is_fresh = false;
        let mut handed_on = 0;
        loop {
            let (call, url, not_ready_timeout) = match found {
                Found::At(call, url, not_ready_timeout) => (call, url, not_ready_timeout),
                Found::Nowhere(call) if call.is_ended() => {
                    return Ok(Recording::Absent(call));
                }
                Found::Nowhere(call) => return Ok(Recording::NotEnded(call)),
            };
            let passed = transport.now().saturating_duration_since(begun);
            let Some(mut fetch) = transport.download(&OPERATION, &url) else {
                return Err(Error::no_recording_url());
            };
            fetch = fetch
                .not_ready_timeout(not_ready_timeout)
                .deadline(self.deadline.saturating_sub(passed))
                .allow_insecure_http(self.allow_insecure_http)
                .on_progress(|progress| {
                    handed_on = progress.bytes;
                    if let Some(on_progress) = &mut on_progress {
                        on_progress(progress);
                    }
                });
            if let Some(timeout) = self.stall_timeout {
                fetch = fetch.stall_timeout(timeout);
            }
            if let Some(bytes) = self.size_limit {
                fetch = fetch.size_limit(bytes);
            }
            match send_to(fetch, &mut target, call.id, &url).await {
                Ok(fetched) => return Ok(Recording::Saved(saved(call.id, &url, fetched))),
                Err(DownloadError::Refused(exchange))
                    if !is_fresh
                        && may_be_expired(&exchange)
                        // Another URL is fetched from its beginning, which a writer must not get twice.
                        && (handed_on == 0 || !matches!(target, Target::Writer(_))) =>
                {
                    is_fresh = true;
                    let passed = transport.now().saturating_duration_since(begun);
                    let call = self.get_call(self.deadline.saturating_sub(passed)).await?;
                    match url_of(&call) {
                        Some(other) if other != url => {
                            let other = other.to_owned();
                            found = Found::At(call, other, Duration::ZERO);
                        }
                        _ => return Err(Error::from_fetch(DownloadError::Refused(exchange))),
                    }
                }
                Err(error) => return Err(Error::from_fetch(error)),
            }
        }
    }

    /// Waits for the call to be over and to name a recording.
    async fn find(&self) -> Result<Found, Error> {
        let transport = self.client.raw().transport();
        let begun = transport.now();
        let mut call = self.call.clone();
        let mut failed = None;
        let mut ours = Duration::ZERO;
        loop {
            let waited = transport.now().saturating_duration_since(begun);
            let left = self
                .wait_of(&call, transport.system_now())
                .min(self.wait.min(self.deadline).saturating_sub(waited));
            if call.is_ended()
                && let Some(url) = url_of(&call)
            {
                let url = url.to_owned();
                return Ok(Found::At(call, url, left));
            }
            // The call given may be of long ago, so it is asked for at once.
            let asked = failed.as_ref().and_then(Error::retry_after);
            let pause = no_sooner(ours, asked, transport);
            if pause > left || (!pause.is_zero() && left.is_zero()) {
                return match failed {
                    Some(error) => Err(error),
                    None => Ok(Found::Nowhere(call)),
                };
            }
            if !pause.is_zero() {
                transport.sleep(pause).await;
            }
            ours = (ours * 2).clamp(POLL.0, POLL.1);
            let passed = transport.now().saturating_duration_since(begun);
            let left = self.deadline.saturating_sub(passed);
            match self.get_call(left).await {
                Ok(newer) => (call, failed) = (newer, None),
                Err(error) if error.is_retryable() => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
    }

    /// How long the recording is still waited for, as far as the call's own times say.
    fn wait_of(&self, call: &Call, now: SystemTime) -> Duration {
        let since = call
            .ended_at()
            .and_then(|ended| now.duration_since(ended.into()).ok());
        self.wait.saturating_sub(since.unwrap_or_default())
    }

    /// The call as it is now, asked for no longer than what is left of the deadline.
    async fn get_call(&self, left: Duration) -> Result<Call, Error> {
        let options = self.options.clone().unwrap_or_default();
        let transport = self.client.raw().transport();
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
            .field("wait", &self.wait)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Some services send an empty text for none.
fn url_of(call: &Call) -> Option<&str> {
    call.recording_url.as_deref().filter(|url| !url.is_empty())
}

/// Signed URLs are refused so when their time is over.
fn may_be_expired(exchange: &call_api_transport::Exchange) -> bool {
    let status = exchange.status.map(|status| status.as_u16());
    matches!(status, Some(401 | 403 | 404 | 410))
}

async fn send_to(
    fetch: Download<'_>,
    target: &mut Target<'_>,
    id: Uuid,
    url: &str,
) -> Result<Downloaded, DownloadError> {
    match target {
        Target::File(path) => {
            let mut part = path.clone().into_os_string();
            part.push(".part");
            fetch.to_file(part, id, |_| path.clone()).await
        }
        Target::Folder(folder) => {
            let part = folder.join(format!("{id}.part"));
            let name = |media_type: Option<&str>| {
                folder.join(file_name(id, extension(media_type, url).as_deref()))
            };
            fetch.to_file(part, id, name).await
        }
        Target::Writer(writer) => fetch.to_writer(*writer).await,
    }
}

fn saved(call_id: Uuid, url: &str, fetched: Downloaded) -> SavedRecording {
    SavedRecording {
        call_id,
        bytes: fetched.bytes,
        resumed_from: fetched.resumed_from,
        extension: extension(fetched.content_type.as_deref(), url),
        media_type: fetched.content_type,
        path: fetched.path,
        digest_checked: fetched.digest_checked,
        attempt_log: fetched.attempt_log,
    }
}

/// The ending for a file of that type; where the type says nothing, that of the URL, if it looks like one.
fn extension(media_type: Option<&str>, url: &str) -> Option<String> {
    let essence = media_type.unwrap_or_default().split(';').next();
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    let known = match essence.as_str() {
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/wav" | "audio/wave" | "audio/x-wav" | "audio/vnd.wave" => "wav",
        "audio/mp4" | "audio/m4a" | "audio/x-m4a" => "m4a",
        "audio/aac" => "aac",
        "audio/flac" | "audio/x-flac" => "flac",
        "audio/ogg" | "application/ogg" => "ogg",
        "audio/opus" => "opus",
        "audio/webm" | "video/webm" => "webm",
        "audio/basic" => "au",
        "audio/amr" => "amr",
        "video/mp4" => "mp4",
        _ => {
            let path = url.split(['?', '#']).next().unwrap_or_default();
            let (_, ending) = path.rsplit('/').next()?.rsplit_once('.')?;
            // That of a file which is not whole yet is none.
            let is_plain = (2..=4).contains(&ending.len())
                && !ending.eq_ignore_ascii_case("part")
                && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
            return is_plain.then(|| ending.to_ascii_lowercase());
        }
    };
    Some(known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_come_from_the_type_and_else_from_the_url() {
        let mp3 = "https://r.example/a/b.mp3?key=x.exe";
        for (media_type, url, expected) in [
            (Some("audio/mpeg"), "https://r.example/a", Some("mp3")),
            (Some("Audio/X-WAV; rate=8000"), mp3, Some("wav")),
            (Some("application/octet-stream"), mp3, Some("mp3")),
            (None, mp3, Some("mp3")),
            (None, "https://r.example/a.b/c", None),
            (None, "https://r.example/a.%2e%2e", None),
            (None, "https://r.example/a.longer", None),
            (None, "https://r.example/a.Part", None),
            (None, "", None),
        ] {
            assert_eq!(extension(media_type, url).as_deref(), expected, "{url}");
        }
    }
}
