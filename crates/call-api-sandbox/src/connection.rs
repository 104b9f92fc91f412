//! The connection of a request.

use std::future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Notify;

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
