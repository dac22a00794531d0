//! Thieves: they know a license server id, and have a key pair of their own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use axum::body::Bytes;
use license_server::{Direct, Transport as _};
use mock_solme::testing::AwsLc;
use reqwest::{Certificate, Client, redirect};
use solme_sync_protocol::{
    LicenseServerId, Problem, Receipt, Refusal, Request, RequestId, SealingKey, Signed, SigningKey, TrustFile, UtcTime,
    VERSION,
};
use tokio::task::JoinSet;

use super::member::receipt;

/// Connections on which they ask at once in a flood.
pub(crate) const IN_A_FLOOD: usize = 32;
/// What they have ready in a flood: each for another id.
const READY: usize = 64;
/// The word for a thief who was served.
pub(crate) const SERVED: &str = "served";
/// Longer than they wait for an answer.
const AT_MOST: Duration = Duration::from_secs(30);

/// What a thief got.
pub(crate) enum Loot {
    /// The id's receipt, which must not be.
    Served(Box<Receipt>),
    /// The code of a refusal, or of a failure.
    Nothing(String),
}

/// A thief: one key pair for all ids.
pub(crate) struct Thief {
    key: SigningKey,
    trust: TrustFile,
}

impl Thief {
    pub(crate) fn new(trust: &TrustFile) -> Self {
        Self { key: SigningKey::generate(), trust: trust.clone() }
    }

    /// Tries an id once.
    pub(crate) fn tries(&self, id: &LicenseServerId, direct: &Direct) -> Loot {
        let answer = direct.connect(&self.trust).and_then(|way| way.post_request(&self.request(id)));
        match answer {
            Ok(answer) => match receipt(&answer.body, &self.trust.signing_jwks, &AwsLc) {
                Some(receipt) => Loot::Served(Box::new(receipt)),
                None => Loot::Nothing(self.code(&answer.body).unwrap_or_else(|| format!("status {}", answer.status))),
            },
            Err(failure) => Loot::Nothing(failure.code().to_owned()),
        }
    }

    /// The code of the signed refusal in an answer.
    fn code(&self, body: &[u8]) -> Option<String> {
        let refusal = Problem::parse(body).ok()?.refusal?;
        let refusal = Signed::<Refusal>::parse(&refusal).ok()?.verify(&AwsLc, &self.trust.signing_jwks).ok()?;
        Some(refusal.read().ok()?.code.as_str().to_owned())
    }

    fn request(&self, id: &LicenseServerId) -> String {
        let sealing_jwk = SealingKey::generate().public_jwk();
        let random = sealing_jwk.to_sec1();
        let request = Request {
            version: VERSION,
            license_server_id: id.clone(),
            main_server_id: self.trust.main_server_id.clone(),
            request_id: RequestId::from_random(std::array::from_fn(|at| random[at + 1])),
            made_at: UtcTime::from_secs(1),
            sealing_jwk,
            last_receipt: None,
            high_water_mark: UtcTime::from_secs(0),
            product: "thief".to_owned(),
            product_version: "1".to_owned(),
        };
        Signed::sign(&request, &self.key).as_str().to_owned()
    }
}

/// A flood: requests that are signed already, on connections that are kept, as fast as they are answered.
pub(crate) struct Flood {
    over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Result<Tally>>,
}

/// What came of a flood, by code.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) codes: BTreeMap<String, u64>,
    pub(crate) served: Vec<Receipt>,
}

impl Flood {
    /// Begins. It has a thread of its own, so that nobody else has to wait for it.
    pub(crate) fn begin(trust: &TrustFile, ids: &[LicenseServerId]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (ended, thief, ids) = (Arc::clone(&over), Thief::new(trust), ids[..ids.len().min(READY)].to_vec());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(flood(thief, ids, ended))
        });
        Self { over, thread }
    }

    /// Ends it, and waits for the last answers.
    pub(crate) fn end(self) -> Result<Tally> {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

async fn flood(thief: Thief, ids: Vec<LicenseServerId>, over: Arc<AtomicBool>) -> Result<Tally> {
    let ca = Certificate::from_pem(thief.trust.ca_certificate.as_bytes())?;
    let client = Client::builder().no_proxy().http1_only().redirect(redirect::Policy::none()).timeout(AT_MOST);
    let client = client.tls_certs_only([ca]).build()?;
    let requests: Arc<[String]> = ids.iter().map(|id| thief.request(id)).collect();
    let thief = Arc::new(thief);
    let mut asking = JoinSet::new();
    for first in 0..IN_A_FLOOD {
        let asks = asks(Arc::clone(&thief), client.clone(), Arc::clone(&requests), first, Arc::clone(&over));
        asking.spawn(asks);
    }
    let mut all = Tally::default();
    while let Some(tally) = asking.join_next().await {
        let Tally { codes, served } = tally?;
        codes.into_iter().for_each(|(code, times)| *all.codes.entry(code).or_default() += times);
        all.served.extend(served);
    }
    Ok(all)
}

/// Asks on one connection until it is over.
async fn asks(
    thief: Arc<Thief>,
    client: Client,
    requests: Arc<[String]>,
    first: usize,
    over: Arc<AtomicBool>,
) -> Tally {
    let url = format!("{}/synchronize", thief.trust.https);
    let mut tally = Tally::default();
    for request in requests.iter().cycle().skip(first) {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let answer = client.post(&url).header("content-type", "application/jose").body(request.clone()).send().await;
        let body = match answer {
            Ok(answer) => answer.bytes().await.unwrap_or_default(),
            Err(_) => Bytes::new(),
        };
        let code = match receipt(&body, &thief.trust.signing_jwks, &AwsLc) {
            Some(receipt) => {
                tally.served.push(receipt);
                SERVED.to_owned()
            }
            None => Problem::parse(&body).map_or_else(|_| "no answer".to_owned(), |problem| problem.code),
        };
        *tally.codes.entry(code).or_default() += 1;
    }
    tally
}
