//! Payloads that belong to forged receipts. They have names of their own, so that the honest payload keeps its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use solme_sync_protocol::{LicenseServerId, PayloadName};

/// Bytes that are kept: a few payloads of the greatest size.
const BYTES: usize = 48 << 20;
/// Payloads that are kept.
const PAYLOADS: usize = 1_000;

/// The newest payloads of forged receipts.
#[derive(Default)]
pub(crate) struct ForgedPayloads {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    payloads: VecDeque<(PayloadName, LicenseServerId, Arc<[u8]>)>,
    bytes: usize,
}

impl ForgedPayloads {
    pub(super) fn keep(&self, name: PayloadName, id: LicenseServerId, payload: Vec<u8>) {
        let mut inner = self.lock();
        inner.bytes += payload.len();
        inner.payloads.push_back((name, id, payload.into()));
        while inner.bytes > BYTES || inner.payloads.len() > PAYLOADS {
            let Some((_, _, oldest)) = inner.payloads.pop_front() else { break };
            inner.bytes -= oldest.len();
        }
    }

    pub(crate) fn get(&self, name: &PayloadName) -> Option<(LicenseServerId, Arc<[u8]>)> {
        let inner = self.lock();
        let found = inner.payloads.iter().find(|(kept, ..)| kept == name);
        found.map(|(_, id, payload)| (id.clone(), Arc::clone(payload)))
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Inner::default();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
