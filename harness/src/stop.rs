//! Being told to stop, by SIGINT or SIGTERM: what is known by then is still reported.

use std::io;

use tokio::sync::watch;

use crate::failure::Failure;

/// Whether the program was told to stop, and the exit code that says so: 128 and the number of the signal.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<Option<u8>>);

impl Stop {
    /// Listens to the signals from now on.
    ///
    /// # Errors
    /// The operating system gives no way to listen.
    pub(crate) fn on_signals() -> Result<Self, Failure> {
        let (told, stop) = watch::channel(None);
        let signal = listen().map_err(Failure::system("listen for signals"))?;
        tokio::spawn(async move { told.send(Some(signal.await)) });
        Ok(Self(stop))
    }

    /// Never told.
    #[cfg(test)]
    pub(crate) fn never() -> Self {
        Self(watch::channel(None).1)
    }

    /// The exit code, once it was told.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        *self.0.borrow()
    }

    /// Waits until it is told.
    pub(crate) async fn told(&self) {
        if self.0.clone().wait_for(Option::is_some).await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(unix)]
fn listen() -> io::Result<impl Future<Output = u8>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { _ = terminate.recv() => 128 + 15, _ = interrupt.recv() => 128 + 2 }
    })
}

#[cfg(not(unix))]
fn listen() -> io::Result<impl Future<Output = u8>> {
    Ok(async { tokio::signal::ctrl_c().await.map_or(1, |()| 128 + 2) })
}
