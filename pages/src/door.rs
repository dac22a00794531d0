//! The one way in: a listener on loopback, and the token that belongs to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use axum::Router;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::guard::{Guard, guarded};
use crate::shell;

/// 256 bits, in base64url.
const TOKEN_LENGTH: usize = 43;
/// A file of port and token is far shorter.
const KEPT_LIMIT: u64 = 1_024;

/// A listener on 127.0.0.1, with the token of whoever may use it.
pub struct Door {
    listener: TcpListener,
    guard: Guard,
}

/// Port and token of the last run.
#[derive(Serialize, Deserialize)]
struct Kept {
    port: u16,
    token: String,
}

impl Door {
    /// Listens on `port` of 127.0.0.1; without one, on the port of the last run that `kept` has, else on a free one.
    ///
    /// A page that is open can come back to a program that was started again only if port and token are the same. So they are
    /// kept in the file `kept`, which nobody else can read. The token belongs to its port: on another port it is a new one.
    ///
    /// # Errors
    /// The port is taken, or the file cannot be written.
    pub fn open(kept: Option<&Path>, port: Option<u16>) -> io::Result<Self> {
        let last = kept.and_then(read).filter(|last| port.is_none_or(|port| port == last.port));
        let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let (listener, token) = match last.and_then(|last| Some((listen(last.port).ok()?, last.token))) {
            Some(again) => again,
            None => (listen(port.unwrap_or(0))?, new_token()),
        };
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        if let Some(kept) = kept {
            write(kept, &Kept { port: address.port(), token: token.clone() })?;
        }
        Ok(Self { listener, guard: Guard::new(address, token) })
    }

    /// The address for a browser, with the token in its fragment. For the person who started the program, not for logs.
    pub fn address(&self) -> String {
        format!("http://{}/#{}", self.guard.address(), self.guard.token())
    }

    /// The socket address where it listens.
    pub fn socket(&self) -> SocketAddr {
        self.guard.address()
    }

    /// Serves `pages` and the house's own files to whoever may have them, until `stop`.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(self, pages: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let pages = guarded(pages.merge(shell::house()).fallback(no_such_page), self.guard);
        tokio::select! {
            served = axum::serve(listener, pages).into_future() => served,
            () = stop => Ok(()),
        }
    }
}

async fn no_such_page() -> Problem {
    let cure = "Open the address that the program printed.";
    Problem::new(StatusCode::NOT_FOUND, "no-such-page", "There is no such page", cure)
}

fn new_token() -> String {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).expect("the operating system gives random numbers");
    BASE64_URL_SAFE_NO_PAD.encode(bits)
}

/// What the last run left. A file that others can read or that is damaged counts as none.
fn read(path: &Path) -> Option<Kept> {
    let file = File::open(path).ok()?;
    if !is_private(&file.metadata().ok()?) {
        return None;
    }
    let mut json = Vec::new();
    file.take(KEPT_LIMIT).read_to_end(&mut json).ok()?;
    let kept: Kept = serde_json::from_slice(&json).ok()?;
    (kept.port != 0 && is_token(&kept.token)).then_some(kept)
}

fn is_token(text: &str) -> bool {
    text.len() == TOKEN_LENGTH && BASE64_URL_SAFE_NO_PAD.decode(text).is_ok()
}

/// Writes a new file in the place of the old one, so that whoever could open that one cannot read this.
fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let part = path.with_extension("part");
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&part)?.write_all(&serde_json::to_vec(kept)?)?;
    fs::rename(part, path)
}

#[cfg(unix)]
fn is_private(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.is_file() && metadata.mode() & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(metadata: &fs::Metadata) -> bool {
    metadata.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_and_token_are_those_of_the_last_run_while_the_port_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let kept = directory.path().join("manager.page");
        let first = Door::open(Some(&kept), None).unwrap();
        let address = first.address();
        let beside = Door::open(Some(&kept), None).unwrap().address();
        assert_ne!(beside, address, "the port was taken");
        assert_ne!(beside.split('#').nth(1), address.split('#').nth(1), "the token belongs to its port");
        drop(first);
        assert_eq!(Door::open(Some(&kept), None).unwrap().address(), beside, "the port of the last one is free again");
    }

    #[cfg(unix)]
    #[test]
    fn a_kept_token_that_others_could_read_or_that_is_damaged_is_replaced() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let kept = directory.path().join("manager.page");
        let address = Door::open(Some(&kept), None).unwrap().address();
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o644)).unwrap();
        let next = Door::open(Some(&kept), None).unwrap().address();
        assert_ne!(next, address);
        for damaged in ["", "{", r#"{"port":1,"token":"short"}"#, r#"{"port":0,"token":""}"#] {
            fs::write(&kept, damaged).unwrap();
            assert_ne!(Door::open(Some(&kept), None).unwrap().address(), next, "{damaged}");
        }
    }

    #[test]
    fn a_port_that_is_asked_for_and_taken_is_an_error() {
        let taken = Door::open(None, None).unwrap();
        let error = Door::open(None, Some(taken.socket().port())).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
