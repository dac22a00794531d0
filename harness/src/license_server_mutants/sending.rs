//! Bugs in what is sent, where, and how often.

use std::ffi::OsString;
use std::sync::Arc;

use anyhow::Result;
use solme_sync_protocol::{Request, RequestId, SealingKey};

use super::{RunVerb, mutants};

mutants! {
    /// P 3.3: makes a new key pair when a request has to be sent again.
    RegeneratesTheKeyPairOnRetry = "regenerates-the-key-pair-on-retry" before new_key_pair_on_retry {}
    /// P 12.1: stores a request once it was sent.
    StoresAfterSending = "stores-after-sending" {
        fn stores_before_sending(&self) -> bool { false }
    }
    /// P 12.2: makes a new request when one has to be sent again.
    MakesANewRequestOnRetry = "makes-a-new-request-on-retry" {
        fn sends_again(&self) -> bool { false }
    }
    /// P 3.4: the one-time key is always the same.
    ReusesTheOneTimeKey = "reuses-the-one-time-key" {
        fn sealing_key(&self, fresh: Arc<SealingKey>) -> Arc<SealingKey> {
            SealingKey::from_bytes(&[1; 48]).map_or(fresh, Arc::new)
        }
    }
    /// P 5.4: the request id is always the same.
    ReusesTheRequestId = "reuses-the-request-id" {
        fn request(&self, request: Request) -> Request {
            Request { request_id: RequestId::from_random([0; 16]), ..request }
        }
    }
    /// P 5.1: never claims the last receipt.
    ForgetsTheLastReceipt = "forgets-the-last-receipt" {
        fn request(&self, request: Request) -> Request { Request { last_receipt: None, ..request } }
    }
    /// P 13.5: goes where a redirect points.
    FollowsRedirects = "follows-redirects" {
        fn follows_redirects(&self) -> bool { true }
    }
    /// P 13.5: does not send the request again after a 404.
    GivesUpAtA404 = "gives-up-at-a-404" {
        fn tries(&self) -> u32 { 1 }
    }
}

fn new_key_pair_on_retry(words: &[OsString], run: &RunVerb<'_>) -> Result<()> {
    if words.first().is_some_and(|verb| verb == "synchronize") && run(&["status"])?["outstanding_request"].is_object() {
        run(&["new-key-pair", "--yes"])?;
    }
    Ok(())
}
