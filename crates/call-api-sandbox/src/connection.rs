//! The connections of clients.

use std::future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The connection that a request came through.
#[derive(Clone)]
pub(crate) struct Connection {
    /// The address of the client.
    pub(crate) peer: SocketAddr,
    pub(crate) reset: Arc<Notify>,
}

impl Connection {
    /// Resets the connection without a response.
    pub(crate) async fn reset<T>(self) -> T {
        self.reset.notify_one();
        future::pending().await
    }
}

/// The open connections. An idle one, which waits for a request, can be closed to make room for another client.
pub(crate) struct Connections {
    started_at: Instant,
    activities: Mutex<Vec<Arc<Activity>>>,
    /// Notified when a connection becomes idle.
    pub(crate) became_idle: Notify,
}

/// The state of an open connection.
pub(crate) struct Activity {
    /// The time since which the connection is idle, in microseconds; [`BUSY`] during a request.
    idle_since: AtomicU64,
    /// Notified to close the connection.
    pub(crate) close: Notify,
}

const BUSY: u64 = u64::MAX;

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            started_at: Instant::now(),
            activities: Mutex::default(),
            became_idle: Notify::new(),
        }
    }

    /// Adds a connection, which is idle.
    pub(crate) fn add(&self) -> Arc<Activity> {
        let activity = Arc::new(Activity {
            idle_since: AtomicU64::new(self.now()),
            close: Notify::new(),
        });
        self.lock().push(Arc::clone(&activity));
        activity
    }

    /// Removes a closed connection.
    pub(crate) fn remove(&self, activity: &Arc<Activity>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, activity));
    }

    /// Closes the connection that has been idle for the longest time. Returns false if all are busy.
    pub(crate) fn close_idle(&self) -> bool {
        let activities = self.lock();
        let since = |activity: &&Arc<Activity>| activity.idle_since.load(Ordering::Relaxed);
        match activities.iter().min_by_key(since) {
            Some(activity) if since(&activity) != BUSY => {
                activity.close.notify_one();
                true
            }
            _ => false,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started_at.elapsed().as_micros()).unwrap_or(BUSY - 1)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Activity>>> {
        self.activities
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in progress. Its connection becomes idle when this is dropped.
pub(crate) struct RequestGuard {
    connections: Arc<Connections>,
    activity: Arc<Activity>,
}

impl RequestGuard {
    pub(crate) fn new(connections: &Arc<Connections>, activity: &Arc<Activity>) -> Self {
        activity.idle_since.store(BUSY, Ordering::Relaxed);
        Self {
            connections: Arc::clone(connections),
            activity: Arc::clone(activity),
        }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let now = self.connections.now();
        self.activity.idle_since.store(now, Ordering::Relaxed);
        self.connections.became_idle.notify_one();
    }
}

/// A response body that is part of its request: hyper drops it once it is sent.
pub(crate) struct GuardedBody {
    pub(crate) body: Body,
    pub(crate) _guard: RequestGuard,
}

impl http_body::Body for GuardedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
