//! Being told to stop: SIGTERM, or SIGINT, which is Ctrl-C.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::timeout;

/// Whether the program was told to stop. Storage needs no warning: whatever is cut off there heals (`store`). What
/// waits for the network, for the time, or for another program, waits for this too.
#[derive(Clone)]
pub(crate) struct Stop(Option<watch::Receiver<bool>>);

impl Stop {
    /// For what ends by itself. A signal ends the process at once, as usual.
    pub(crate) const NEVER: Self = Self(None);

    /// Listens to the signals from now on.
    ///
    /// # Errors
    /// The operating system gives no way to listen.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (told, stop) = watch::channel(false);
        let signal = listen(&runtime)?;
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(signal);
            let _ = told.send(true);
        })?;
        Ok(Self(Some(stop)))
    }

    pub(crate) fn is_told(&self) -> bool {
        self.0.as_ref().is_some_and(|told| *told.borrow())
    }

    pub(crate) async fn told(&self) {
        if let Some(told) = &self.0
            && told.clone().wait_for(|told| *told).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    /// Waits for this long, unless it is told to stop, which is the answer.
    pub(crate) fn within(&self, span: Duration) -> bool {
        match Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime.block_on(async { timeout(span, self.told()).await.is_ok() }),
            Err(_) => {
                std::thread::sleep(span);
                self.is_told()
            }
        }
    }
}

#[cfg(unix)]
fn listen(runtime: &Runtime) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let _inside = runtime.enter();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    })
}

#[cfg(not(unix))]
fn listen(_: &Runtime) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}
