//! Reading a body within bounds: of bytes, enforced while they come, and of time.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};

/// A body that takes longer is given up.
const AT_MOST: Duration = Duration::from_secs(30);

/// A body that did not come whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is incomplete")]
pub(crate) struct Broken;

/// Reads a body, but never much more than `limit` bytes of it: what is longer than `limit` was too long.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Vec<u8>, Broken> {
    tokio::time::timeout(AT_MOST, read_frames(body, limit)).await.map_err(|_| Broken)?
}

async fn read_frames(mut body: Body, limit: usize) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame.map_err(|_| Broken)?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > limit {
            break;
        }
    }
    Ok(bytes)
}
