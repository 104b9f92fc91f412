//! The sandbox's connections: how many there are, how long they may take, and how they end.

use std::convert::Infallible;
use std::future::{self, Future};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse as _;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

use crate::routes::Service;

/// How long a shutdown waits for requests that are being answered: as they are answered at once, what takes longer is a
/// client that doesn't read or doesn't finish its request, or a fault.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait where the system has no connection to give.
const PAUSE: Duration = Duration::from_millis(100);

/// What a sandbox takes from its clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at once; others wait until they are accepted.
    pub(crate) connections: usize,
    /// How long a request's head may take, also the next one's on a connection, and how long nothing of an answer may be
    /// taken.
    pub(crate) patience: Option<Duration>,
}

/// The bytes of a request's head, beyond which it is answered with 431.
const HEAD: usize = 32 * 1024;
/// The number of a request's headers.
const HEADERS: usize = 100;

/// The connection that a request came by.
#[derive(Clone)]
pub(crate) struct Connection {
    /// Who is at its other end.
    pub(crate) peer: SocketAddr,
    reset: Arc<Notify>,
}

impl Connection {
    /// Ends it in the hardest way there is; nothing is answered.
    pub(crate) async fn reset<T>(self) -> T {
        self.reset.notify_one();
        future::pending().await
    }
}

/// Serves until `ended` is ready, and then for as long as answers take.
pub(crate) async fn serve(
    listener: TcpListener,
    service: Service,
    limits: Limits,
    ended: oneshot::Receiver<()>,
) {
    let service = Arc::new(service);
    let mut ended = pin!(ended);
    let places = Arc::new(Semaphore::new(
        limits.connections.clamp(1, Semaphore::MAX_PERMITS),
    ));
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            // A connection for which there is no place is left waiting, as the system has it.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let accepted = tokio::select! {
            _ = &mut ended => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepted => accepted,
        };
        match accepted {
            Some((place, Ok((stream, peer)))) => {
                let connection =
                    answer(stream, peer, Arc::clone(&service), limits, stopped.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Some((_, Err(error))) if is_the_clients(&error) => {}
            // As many files are open as may be: some will be closed.
            Some((_, Err(_))) => tokio::time::sleep(PAUSE).await,
            None => break,
        }
    }
    drop(listener);
    drop(stop);
    let all = async { while connections.join_next().await.is_some() {} };
    // Those that are still there are ended with the set.
    let _ = tokio::time::timeout(GRACE, all).await;
}

fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// The bytes of a request's head. hyper's own limit is one on its buffer, which a head that comes in few pieces may pass.
fn head<T>(request: &Request<T>) -> usize {
    let uri = request
        .uri()
        .path_and_query()
        .map_or("", |uri| uri.as_str());
    let first = request.method().as_str().len() + uri.len() + "  HTTP/1.1\r\n".len();
    let lines = request.headers().iter();
    let lines = lines.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    first + lines.sum::<usize>() + "\r\n".len()
}

/// Answers what comes by a connection.
fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    service: Arc<Service>,
    limits: Limits,
    mut stopped: watch::Receiver<()>,
) -> impl Future<Output = ()> {
    // Small answers should not wait for more to send. A connection that refuses is one that is gone.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(Notify::new());
    let this = Connection {
        peer,
        reset: Arc::clone(&reset),
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let is_too_large = head(&request) > HEAD;
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(this.clone());
        let service = Arc::clone(&service);
        async move {
            Ok::<_, Infallible>(if is_too_large {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response()
            } else {
                service.answer(request).await
            })
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD).max_headers(HEADERS);
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.patience);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(limits.patience);
    let mut connection = builder.serve_connection(TokioIo::new(Box::pin(stream)), service);
    async move {
        let mut is_stopping = false;
        loop {
            tokio::select! {
                biased;
                () = reset.notified() => {
                    let stream = connection.into_parts().io.into_inner();
                    let _ = stream.get_ref().set_zero_linger();
                    return;
                }
                // What a client does wrong is between it and hyper.
                _ = &mut connection => return,
                _ = stopped.changed(), if !is_stopping => {
                    is_stopping = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
    }
}
