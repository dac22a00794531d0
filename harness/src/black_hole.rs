//! A port that drops whatever comes, as a firewall does.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// A port of the loopback interface that no connection to comes about: its queue is full, and nobody accepts any.
#[derive(Debug)]
pub struct BlackHole {
    /// Where it is.
    pub address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    /// Opens one. It lasts until it is dropped.
    ///
    /// # Errors
    /// Where the operating system gives no port.
    pub async fn dig() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut waiting = Vec::new();
        // A connection over loopback takes microseconds; the first one that does not come about finds the queue full.
        while let Ok(connected) = timeout(Duration::from_millis(250), TcpStream::connect(address)).await {
            waiting.push(connected?);
        }
        Ok(Self { address, _listener: listener, _waiting: waiting })
    }
}
