//! The door of a role: what happens to a connection before anybody knows whose it is.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;

use axum_server::accept::Accept;
use tokio::io::AsyncReadExt as _;
use tower_http::add_extension::AddExtension;

use super::wire::{Wire, WireControl};
use crate::connections::Connection;
use crate::main_server::MainServer;
use crate::quirks::{Operation, Quirk};

/// Another way to accept, for the quirks of TLS.
type Instead<A> = Arc<dyn Fn(Quirk) -> Option<A> + Send + Sync>;

/// Accepts connections as `honest` does, unless a quirk says otherwise.
#[derive(Clone)]
pub(crate) struct Door<A> {
    operation: Operation,
    main_server: Arc<MainServer>,
    honest: A,
    instead: Instead<A>,
}

impl<A> Door<A> {
    /// `instead` gives the acceptor of a quirk that has one.
    pub(crate) fn new(
        operation: Operation,
        main_server: Arc<MainServer>,
        honest: A,
        instead: impl Fn(Quirk) -> Option<A> + Send + Sync + 'static,
    ) -> Self {
        Self { operation, main_server, honest, instead: Arc::new(instead) }
    }
}

/// What a door comes to.
type Accepting<A, S> = Pin<
    Box<
        dyn Future<
                Output = io::Result<(
                    Wire<<A as Accept<Connection, S>>::Stream>,
                    AddExtension<<A as Accept<Connection, S>>::Service, WireControl>,
                )>,
            > + Send,
    >,
>;

impl<A, S> Accept<Connection, S> for Door<A>
where
    A: Accept<Connection, S> + Clone + Send + 'static,
    A::Stream: Send,
    A::Service: Send,
    A::Future: Send,
    S: Send + 'static,
{
    type Stream = Wire<A::Stream>;
    type Service = AddExtension<A::Service, WireControl>;
    type Future = Accepting<A, S>;

    fn accept(&self, stream: Connection, service: S) -> Self::Future {
        let quirk = self.main_server.connection_quirk(self.operation).map(|fired| fired.quirk);
        let acceptor = quirk.and_then(|quirk| (self.instead)(quirk)).unwrap_or_else(|| self.honest.clone());
        Box::pin(async move {
            match quirk {
                Some(Quirk::PortClosed) => return Err(reset(&stream)),
                Some(Quirk::PortBlackHoled) => return Err(hold(stream).await),
                _ => {}
            }
            let (stream, service) = acceptor.accept(stream, service).await?;
            let control = WireControl::default();
            Ok((Wire::new(stream, control.clone()), AddExtension::new(service, control)))
        })
    }
}

/// The connection ends with RST instead of FIN when it is dropped.
fn reset(stream: &Connection) -> io::Error {
    match stream.set_zero_linger() {
        Ok(()) => io::Error::new(ErrorKind::ConnectionReset, "a quirk has reset the connection"),
        Err(error) => error,
    }
}

/// Swallows whatever comes, until the client has enough of it.
async fn hold(mut stream: Connection) -> io::Error {
    let mut swallowed = [0; 1024];
    while matches!(stream.read(&mut swallowed).await, Ok(1..)) {}
    io::Error::new(ErrorKind::TimedOut, "a quirk has swallowed the connection")
}
