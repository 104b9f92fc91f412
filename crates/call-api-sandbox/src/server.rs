//! The HTTP server: connection limits, timeouts, shutdown.

use std::convert::Infallible;
use std::future::Future;
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
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

use crate::connection::{Connection, Connections, GuardedBody, RequestGuard};
use crate::routes::Service;

/// The time that a shutdown waits for requests in flight. Responses are immediate, so only slow clients and faults
/// take longer.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// The delay before accepting again when the process is out of file descriptors.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);

/// Limits on clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The maximum number of open connections. At the maximum, a new client replaces the one that has been idle
    /// for the longest time, or waits while all are busy.
    pub(crate) connections: usize,
    /// The time limit for a request head, including the wait for it on an idle connection, and for a client to read some of
    /// a response.
    pub(crate) client_timeout: Option<Duration>,
}

/// The maximum size of a request head; larger ones get a 431.
const MAX_HEAD: usize = 32 * 1024;
/// The maximum number of headers.
const MAX_HEADERS: usize = 100;

/// Serves until `shutdown` is ready, then finishes requests in flight.
pub(crate) async fn serve(
    listener: TcpListener,
    service: Service,
    limits: Limits,
    shutdown: oneshot::Receiver<()>,
) {
    let service = Arc::new(service);
    let mut shutdown = pin!(shutdown);
    let (stop, stopped) = watch::channel(());
    let max_connections = limits.connections.max(1);
    let open = Arc::new(Connections::new());
    let mut tasks = JoinSet::new();
    // A client without a slot. Until it has one, further clients stay in the listen backlog.
    let mut waiting = None;
    let mut is_closing = false;
    loop {
        tokio::select! {
            _ = &mut shutdown => break,
            Some(_) = tasks.join_next() => {}
            () = open.became_idle.notified(), if waiting.is_some() && !is_closing => {
                is_closing = open.close_idle();
            }
            accepted = listener.accept(), if waiting.is_none() => match accepted {
                Ok(client) => {
                    is_closing = tasks.len() >= max_connections && open.close_idle();
                    waiting = Some(client);
                }
                Err(error) if is_client_error(&error) => {}
                // Out of file descriptors: wait for connections to close.
                Err(_) => tokio::time::sleep(ACCEPT_DELAY).await,
            },
        }
        if tasks.len() < max_connections
            && let Some((stream, peer)) = waiting.take()
        {
            let connection = serve_connection(
                stream,
                peer,
                Arc::clone(&service),
                Arc::clone(&open),
                limits,
                stopped.clone(),
            );
            tasks.spawn(connection);
        }
    }
    drop(listener);
    drop(stop);
    let all = async { while tasks.join_next().await.is_some() {} };
    // Dropping the set aborts the remaining connections.
    let _ = tokio::time::timeout(SHUTDOWN_GRACE, all).await;
}

fn is_client_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// Returns the size of a request head. hyper limits only its buffer, which a head sent in few packets may exceed.
fn head_size<T>(request: &Request<T>) -> usize {
    let uri = request
        .uri()
        .path_and_query()
        .map_or("", |uri| uri.as_str());
    let first = request.method().as_str().len() + uri.len() + "  HTTP/1.1\r\n".len();
    let lines = request.headers().iter();
    let lines = lines.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    first + lines.sum::<usize>() + "\r\n".len()
}

/// Serves the requests of a connection.
fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: Arc<Service>,
    open: Arc<Connections>,
    limits: Limits,
    mut stopped: watch::Receiver<()>,
) -> impl Future<Output = ()> {
    // Small responses must not wait for more data. Fails only when the connection is gone.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(Notify::new());
    let this_connection = Connection {
        peer,
        reset: Arc::clone(&reset),
    };
    let activity = open.add();
    let (this_activity, all_connections) = (Arc::clone(&activity), Arc::clone(&open));
    let service = service_fn(move |request: Request<Incoming>| {
        let guard = RequestGuard::new(&all_connections, &this_activity);
        let is_too_large = head_size(&request) > MAX_HEAD;
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(this_connection.clone());
        let service = Arc::clone(&service);
        async move {
            let response = if is_too_large {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response()
            } else {
                service.handle(request).await
            };
            Ok::<_, Infallible>(response.map(|body| GuardedBody {
                body,
                _guard: guard,
            }))
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.client_timeout);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(limits.client_timeout);
    let mut connection = builder.serve_connection(TokioIo::new(Box::pin(stream)), service);
    async move {
        let mut is_stopping = false;
        loop {
            tokio::select! {
                biased;
                () = reset.notified() => {
                    let stream = connection.into_parts().io.into_inner();
                    let _ = stream.get_ref().set_zero_linger();
                    break;
                }
                () = activity.close.notified() => break,
                // Protocol errors of the client are answered by hyper.
                _ = &mut connection => break,
                _ = stopped.changed(), if !is_stopping => {
                    is_stopping = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
        open.remove(&activity);
    }
}
