//! Every connection of the four listeners: how many there may be, how long one may take, and who has to go.
//!
//! [`pool`] decides who gets a place, [`stream`] is a connection that keeps to its limits. All listeners share one
//! [`Pool`], whose places are fewer than the descriptors of the process: what is left belongs to the store.

mod pool;
mod stream;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum_server::{AddrListener, Address, Server};
use tokio::net::TcpListener;

pub(crate) use pool::{Pool, Port};
pub(crate) use stream::Connection;

/// Bytes of the head of a request, and of answers that wait to be sent beside a body. A longer head gets 431.
const HEAD: usize = 16 << 10;
/// The wait for a whole head, on a new connection and on one that idles between two requests.
const IDLE: Duration = Duration::from_secs(30);
/// Connections that the operating system keeps until there is a place for them.
#[cfg(unix)]
const BACKLOG: i32 = 1024;

/// A listener whose connections have a place in the [`Pool`].
pub(crate) struct Listener {
    listener: TcpListener,
    pool: Arc<Pool>,
    port: Port,
}

impl Listener {
    /// Listens for `port`, within the current tokio runtime.
    pub(crate) fn new(listener: std::net::TcpListener, port: Port, pool: &Arc<Pool>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // The standard library's backlog is so short that a flood of it keeps others waiting for seconds.
        #[cfg(unix)]
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(Self { listener: TcpListener::from_std(listener)?, pool: Arc::clone(pool), port })
    }

    /// The next connection, once there is a place for it.
    pub(crate) async fn accept(&self) -> io::Result<(Connection, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "TCP_NODELAY could not be set");
        }
        let place = self.pool.place(self.port, peer.ip()).await;
        Ok((Connection::new(stream, place), peer))
    }

    #[cfg(test)]
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

/// What `axum_server` takes for the address of a client: it names the listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client;

impl Address for Client {
    type Stream = Connection;
    type Listener = Listener;
}

impl AddrListener<Connection, Client> for Listener {
    async fn bind_to(_: Client) -> io::Result<Self> {
        Err(ErrorKind::Unsupported.into())
    }

    async fn accept_stream(&self) -> io::Result<(Connection, Client)> {
        self.accept().await.map(|(connection, _)| (connection, Client))
    }

    fn get_local_addr(&self) -> io::Result<Client> {
        Ok(Client)
    }
}

/// An HTTP/1.1 server (P 13.2, 13.4) within limits.
pub(crate) fn http(listener: Listener) -> Server<Client> {
    let mut server = Server::from_listener(listener).http1_only();
    server.http_builder().http1().max_buf_size(HEAD).header_read_timeout(IDLE);
    server
}
