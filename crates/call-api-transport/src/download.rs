//! Downloads: content on any host, streamed to a file or a writer, resumed after interruptions, and verified.
//!
//! The address comes from the API, and often names another host. So the token and all headers of the client are sent only
//! while the address is on the base URL's own origin.

mod ended;
mod metadata;
mod part_file;
mod redirects;
mod request;
mod sink;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use url::{Position, Url};

use crate::Transport;
use crate::attempt_log::AttemptLog;
use crate::engine::Engine;
use crate::error::{TransportError, TransportErrorKind};
use crate::operation::Operation;
use crate::request_kind::AttemptError;
use crate::response::{BufferedBody, BufferedResponse};
use crate::settings::Settings;

use metadata::ResourceMetadata;
use part_file::{PartFile, check_target};
use request::{DownloadEnd, DownloadRequest};
use sink::Sink;

/// The progress of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Progress {
    /// The bytes so far, including those of an earlier run.
    pub bytes: u64,
    /// The bytes in total, if the service names them.
    pub total: Option<u64>,
}

/// A complete download.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Downloaded {
    /// The number of bytes.
    pub bytes: u64,
    /// The number of bytes that an earlier run had left.
    pub resumed_from: u64,
    /// The `Content-Type`, as the service gave it.
    pub content_type: Option<String>,
    /// The strong entity tag, if the service gave one.
    pub etag: Option<String>,
    /// The file, if the target is one.
    pub path: Option<PathBuf>,
    /// True if the service gave a digest, which was compared.
    pub digest_checked: bool,
    /// The attempts that were made.
    pub attempt_log: AttemptLog,
}

/// The error of a download.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// There is no usable response.
    #[error(transparent)]
    Failed(TransportError),
    /// The response has another status than 200 or 206.
    #[error(
        "{} was answered with {}, which is not the content; check that it still exists",
        .0.attempt_log.url(),
        .0.status.as_u16()
    )]
    Refused(Box<BufferedResponse>),
}

type OnProgress<'a> = Box<dyn FnMut(Progress) + Send + 'a>;

/// A download to be started; made by [`Transport::download`].
///
/// ```
/// use std::io::{Read as _, Write as _};
/// use std::time::Duration;
///
/// use call_api_transport::{Auth, Operation, Progress, ResponseBody, Transport};
///
/// const SOUND: Operation = Operation { id: "sound", path: "", auth: Auth::None, body: ResponseBody::Streamed };
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
///     let url = format!("http://{}/sound", listener.local_addr()?);
///     std::thread::spawn(move || {
///         let (mut stream, _) = listener.accept().unwrap();
///         stream.read(&mut [0; 1024]).unwrap();
///         stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsound").unwrap();
///     });
///     let transport = Transport::builder("https://pets.example").build()?;
///     let mut sound = Vec::new();
///     let downloaded = transport
///         .download(&SOUND, &url)
///         .ok_or("it is not an absolute URL")?
///         .deadline(Duration::from_secs(600))
///         .stall_timeout(Duration::from_secs(10))
///         .size_limit(100 << 20)
///         .not_ready_timeout(Duration::from_secs(60))
///         .allow_insecure_http(false)
///         .on_progress(|progress: Progress| println!("{} of {:?} bytes", progress.bytes, progress.total))
///         .to_writer(&mut sound)
///         .await?;
///     assert_eq!((downloaded.bytes, &sound[..]), (5, &b"sound"[..]));
///
///     let folder = std::env::temp_dir();
///     let part = folder.join(format!("example-{}.part", std::process::id()));
///     // The server is gone: the file gets its name only once it is complete.
///     let download = transport.download(&SOUND, &url).ok_or("it is not an absolute URL")?.deadline(Duration::from_secs(1));
///     assert!(download.to_file(&part, "sound 1", |_| folder.join("sound.wav")).await.is_err());
///     assert!(!folder.join("sound.wav").exists() && !part.exists());
///     Ok(())
/// }
/// ```
#[must_use = "a download does nothing until it is given a target"]
pub struct Download<'a> {
    transport: &'a Transport,
    operation: &'static Operation,
    url: Url,
    deadline: Duration,
    stall_timeout: Duration,
    size_limit: u64,
    not_ready_timeout: Duration,
    allow_insecure_http: bool,
    /// In a mutex that is never locked: what is shared while a request is in flight must be `Sync`.
    on_progress: Option<Mutex<OnProgress<'a>>>,
}

impl Transport {
    /// Returns a download of an absolute URL; `None` if it is not one. `operation` names it in the attempt log, for observers
    /// and in traces, and decides how the token is sent if the URL is on the base URL's origin.
    ///
    /// Other hosts have a separate HTTP client
    /// ([`configure_download_http`](crate::TransportBuilder::configure_download_http)). Compressed content is rejected, since
    /// it is not requested.
    pub fn download(&self, operation: &'static Operation, url: &str) -> Option<Download<'_>> {
        Some(Download {
            transport: self,
            operation,
            url: Url::parse(url).ok()?,
            deadline: Duration::from_secs(3600),
            stall_timeout: Duration::from_secs(30),
            size_limit: 1 << 30,
            not_ready_timeout: Duration::ZERO,
            allow_insecure_http: false,
            on_progress: None,
        })
    }
}

impl<'a> Download<'a> {
    /// Sets the limit of everything: attempts, delays and bodies. 1 h by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how long a body may be idle before the attempt fails. 30 s by default.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }

    /// Sets the maximum number of bytes. 1 GiB by default.
    pub fn size_limit(mut self, bytes: u64) -> Self {
        self.size_limit = bytes;
        self
    }

    /// Sets how long content that does not exist yet is polled, that is, an answer of 202, 404 or 425. Zero by default.
    pub fn not_ready_timeout(mut self, timeout: Duration) -> Self {
        self.not_ready_timeout = timeout;
        self
    }

    /// Allows plain http to another machine, and a redirect from https to it.
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.allow_insecure_http = allow;
        self
    }

    /// Sets a function that runs whenever more bytes have arrived.
    pub fn on_progress(mut self, on_progress: impl FnMut(Progress) + Send + 'a) -> Self {
        self.on_progress = Some(Mutex::new(Box::new(on_progress)));
        self
    }

    /// Downloads into a file.
    ///
    /// Until it is complete, the bytes are in `part`, and their description is in a file of that name with `-state` added;
    /// a later download of the same `identity` resumes from there. Then `part` is renamed to what `name` returns for its
    /// content type, which must be in the same folder, and replaces a file that is there.
    ///
    /// # Errors
    /// [`DownloadError`]; what was received is kept as far as it can be resumed.
    pub async fn to_file(
        self,
        part: impl Into<PathBuf>,
        identity: impl Into<String>,
        name: impl Fn(Option<&str>) -> PathBuf + Send + Sync,
    ) -> Result<Downloaded, DownloadError> {
        let opened = match check_target(&name(None)) {
            Ok(()) => PartFile::open(part.into(), identity.into()).await,
            Err(error) => Err(error),
        };
        let (part_file, metadata) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let (mut engine, request) = self.start(Sink::None, ResourceMetadata::default());
                let error = engine.fail(&request, write_failed(error));
                return Err(DownloadError::Failed(error));
            }
        };
        let resumed_from = part_file.written();
        let (mut engine, mut request) = self.start(Sink::File(part_file), metadata);
        let result = run(&mut engine, &mut request).await;
        let (sink, metadata) = request.take_content();
        let Sink::File(mut part_file) = sink else {
            // Unreachable: the sink is the one that it was given.
            let error = AttemptError::from(TransportErrorKind::InvalidRequest);
            return Err(DownloadError::Failed(engine.fail(&request, error)));
        };
        if let Err(error) = result {
            // The error is reported; a disk that is full is reported by the next run.
            let _ = part_file.persist(metadata.validator.is_some()).await;
            return Err(error);
        }
        let path = name(metadata.content_type.as_deref());
        let error = match part_file.finish(metadata.digest, path.clone()).await {
            Ok(true) => {
                return Ok(Downloaded {
                    bytes: part_file.written(),
                    resumed_from,
                    etag: metadata.etag(),
                    content_type: metadata.content_type,
                    path: Some(path),
                    digest_checked: metadata.digest.is_some(),
                    attempt_log: engine.finish(&request),
                });
            }
            Ok(false) => integrity_mismatch(OTHER_DIGEST),
            Err(error) => write_failed(error),
        };
        Err(DownloadError::Failed(engine.fail(&request, error)))
    }

    /// Downloads into a writer, in order. Interruptions are resumed while this future runs. If it ends with an error, the
    /// writer has received a part.
    ///
    /// # Errors
    /// [`DownloadError`].
    pub async fn to_writer(
        self,
        writer: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Downloaded, DownloadError> {
        let sink = Sink::Writer {
            writer,
            written: 0,
            hasher: None,
        };
        let (mut engine, mut request) = self.start(sink, ResourceMetadata::default());
        run(&mut engine, &mut request).await?;
        let (mut sink, metadata) = request.take_content();
        // A digest that came with a later part cannot be compared: the hash did not begin with the first byte.
        let digest = sink.digest();
        if digest.is_some() && digest != metadata.digest {
            let error = engine.fail(&request, integrity_mismatch(OTHER_DIGEST));
            return Err(DownloadError::Failed(error));
        }
        let bytes = sink.written();
        if let Sink::Writer { writer, .. } = sink
            && let Err(error) = writer.flush().await
        {
            let error = engine.fail(&request, write_failed(error));
            return Err(DownloadError::Failed(error));
        }
        Ok(Downloaded {
            bytes,
            resumed_from: 0,
            etag: metadata.etag(),
            content_type: metadata.content_type,
            path: None,
            digest_checked: digest.is_some(),
            attempt_log: engine.finish(&request),
        })
    }

    fn start<'s>(
        self,
        sink: Sink<'s>,
        metadata: ResourceMetadata,
    ) -> (Engine<'a>, DownloadRequest<'a, 's>) {
        let transport = self.transport;
        let settings = Arc::new(Settings {
            deadline: self.deadline,
            body_limit: self.size_limit,
            ..Settings::clone(&transport.settings)
        });
        let operation = self.operation;
        let request = DownloadRequest::new(self, sink, metadata);
        let throttle = transport.throttle.as_deref();
        let mut engine = Engine::new(&transport.shared, throttle, operation, settings);
        engine.start(
            #[cfg(feature = "tracing")]
            request.span(),
        );
        (engine, request)
    }
}

/// Makes attempts until the content is complete.
async fn run(
    engine: &mut Engine<'_>,
    request: &mut DownloadRequest<'_, '_>,
) -> Result<(), DownloadError> {
    match engine.run(request).await {
        Ok(DownloadEnd::Complete) => Ok(()),
        Ok(DownloadEnd::Rejected(response)) => {
            let response = *response;
            Err(DownloadError::Refused(Box::new(BufferedResponse {
                status: response.status,
                headers: response.headers,
                body: BufferedBody {
                    bytes: response.body,
                    is_truncated: response.is_truncated,
                },
                attempt_log: engine.finish(request),
            })))
        }
        Err(error) => Err(DownloadError::Failed(engine.fail(request, error))),
    }
}

impl fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = crate::redact::loggable(&self.url);
        f.debug_struct("Download")
            .field("url", &&url[..Position::AfterPath])
            .field("deadline", &self.deadline)
            .field("stall_timeout", &self.stall_timeout)
            .field("size_limit", &self.size_limit)
            .field("not_ready_timeout", &self.not_ready_timeout)
            .finish_non_exhaustive()
    }
}

const OTHER_DIGEST: &str = "its digest is not the one that the service gives";

fn integrity_mismatch(reason: &'static str) -> AttemptError {
    TransportErrorKind::IntegrityMismatch { reason }.into()
}

fn write_failed(error: io::Error) -> AttemptError {
    AttemptError {
        kind: TransportErrorKind::WriteFailed,
        source: Some(Arc::new(error)),
    }
}
