//! The stage of a case: main servers, sites, and the License Servers that are played there.

use std::sync::Arc;

use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use solme_sync_protocol::{Allocation, Digest, PublicJwk, Receipt, SealingKey, SyncId, sealing_info};

use super::answer::{Answer, Reply, legible, same_bytes};
use super::closed_lists;
use super::draft::{Draft, Object, Request, string};
use super::keys::{PlayedKey, Random};
use super::main_server::{MainServer, broken};
use crate::conformance::{Finding, Outcome, WireLog};
use crate::subject::Subject;

/// More than any answer of a main server has.
const BODY: usize = 9 << 20;

/// What a case plays on.
pub(crate) struct Stage {
    subject: Subject,
    shared: Result<Arc<MainServer>, Finding>,
    random: Arc<Random>,
    wire: Arc<WireLog>,
}

impl Stage {
    pub(super) fn new(subject: Subject, shared: Result<Arc<MainServer>, Finding>, seed: u64) -> Self {
        Self { subject, shared, random: Arc::new(Random::new(seed)), wire: Arc::default() }
    }

    pub(super) fn wire(&self) -> &WireLog {
        &self.wire
    }

    /// A site with a license server id of its own and one license, at the main server that all cases share.
    pub(super) async fn site(&self) -> Result<Site, Finding> {
        let site = self.site_at(self.shared.clone()?);
        site.set_up().await?;
        Ok(site)
    }

    /// The same, at a main server that this case has for itself: for what concerns the whole main server.
    pub(super) async fn site_of_its_own(&self) -> Result<Site, Finding> {
        // A subject that does not even start is not started again for each case.
        self.shared.clone()?;
        let site = self.site_at(Arc::new(MainServer::start(&self.subject, &self.wire).await?));
        site.set_up().await?;
        Ok(site)
    }

    /// A License Server that has synchronized once, and how.
    pub(super) async fn synchronized(&self) -> Result<(LicenseServer, Synchronized), Finding> {
        let mut server = self.site().await?.license_server();
        let first = server.synchronize().await?;
        Ok((server, first))
    }

    /// A License Server whose key pair was cleared, and the next one of the id, which has synchronized.
    pub(super) async fn replaced(&self) -> Result<(LicenseServer, LicenseServer), Finding> {
        let (old, _) = self.synchronized().await?;
        old.site.clear().await?;
        let mut next = old.with_new_key_pair();
        next.synchronize().await?;
        Ok((old, next))
    }

    /// The main server of another vendor, as far as this one is concerned.
    pub(super) async fn site_of_another_main_server(&self) -> Result<Site, Finding> {
        self.site_of_its_own().await
    }

    fn site_at(&self, main_server: Arc<MainServer>) -> Site {
        let (random, wire) = (Arc::clone(&self.random), Arc::clone(&self.wire));
        let id = random.id();
        Site { main_server, id, random, wire }
    }
}

/// A license server id at a main server.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) main_server: Arc<MainServer>,
    /// The license server id.
    pub(super) id: String,
    pub(super) random: Arc<Random>,
    wire: Arc<WireLog>,
}

impl Site {
    async fn set_up(&self) -> Outcome {
        let required = |finding| match finding {
            Finding::Unimplemented(what) => Finding::deviates("add-id and allocate (every case needs them)", what),
            other => other,
        };
        self.control("add-id", &["--id", &self.id]).await.map_err(required)?;
        self.allocate(FIRST_LICENSE).await.map_err(required)
    }

    /// Another license server id at the same main server.
    pub(super) async fn another(&self) -> Result<Self, Finding> {
        let other = self.unknown();
        other.set_up().await?;
        Ok(other)
    }

    /// The same main server, and a license server id that it does not know.
    pub(super) fn unknown(&self) -> Self {
        Self { id: self.random.id(), ..self.clone() }
    }

    /// A License Server with this id and a new key pair.
    pub(super) fn license_server(&self) -> LicenseServer {
        LicenseServer { site: self.clone(), key: self.random.signing_key(), last_receipt: None }
    }

    pub(super) fn trusted(&self) -> &[PublicJwk] {
        &self.main_server.trust.signing_jwks
    }

    /// Carries out a verb that has to be `done`.
    async fn control(&self, verb: &str, flags: &[&str]) -> Outcome {
        let outcome = self.main_server.control(verb, flags, &self.wire).await?;
        Finding::unless_equal(&format!("{verb}: done"), &format!("{verb}: {outcome}"))
    }

    pub(super) async fn allocate(&self, number: &str) -> Outcome {
        self.control("allocate", &["--id", &self.id, "--number", number]).await
    }

    pub(super) async fn remove_license(&self, number: &str) -> Outcome {
        self.control("remove-license", &["--id", &self.id, "--number", number]).await
    }

    pub(super) async fn disable(&self) -> Outcome {
        self.control("disable", &["--id", &self.id]).await
    }

    pub(super) async fn enable(&self) -> Outcome {
        self.control("enable", &["--id", &self.id]).await
    }

    /// Clears the key pair in use.
    pub(super) async fn clear(&self) -> Outcome {
        self.control("clear", &["--id", &self.id]).await
    }

    /// Clears the key pair of this License Server, if it is the one in use; gives the outcome.
    pub(super) async fn clear_that_of(&self, named: &LicenseServer) -> Result<String, Finding> {
        let thumbprint = named.key.thumbprint().to_string();
        self.main_server.control("clear", &["--id", &self.id, "--thumbprint", &thumbprint], &self.wire).await
    }

    /// Clears the key pair in use, and reserves the id for that of this License Server.
    pub(super) async fn clear_for(&self, next: &LicenseServer) -> Outcome {
        self.control("clear", &["--id", &self.id, "--reserve-for", &next.key.thumbprint().to_string()]).await
    }

    /// Reserves the free id for this License Server, or lifts the reservation.
    pub(super) async fn reserve(&self, next: Option<&LicenseServer>) -> Outcome {
        match next.map(|next| next.key.thumbprint().to_string()) {
            Some(thumbprint) => self.control("reserve", &["--id", &self.id, "--thumbprint", &thumbprint]).await,
            None => self.control("reserve", &["--id", &self.id]).await,
        }
    }

    pub(super) async fn advance_clock(&self, seconds: u64) -> Outcome {
        self.control("advance-clock", &["--seconds", &seconds.to_string()]).await
    }

    pub(super) async fn snapshot(&self) -> Outcome {
        self.control("snapshot", &[]).await
    }

    pub(super) async fn restore(&self) -> Outcome {
        self.control("restore", &[]).await
    }

    /// Kills the main server, and starts it again over its data. Only the site of its own can do that.
    async fn power_failure(self) -> Result<Self, Finding> {
        let Self { main_server, id, random, wire } = self;
        let main_server = Arc::into_inner(main_server).ok_or_else(|| broken("other cases use this main server"))?;
        let main_server = Arc::new(main_server.killed_and_started_again(&wire).await?);
        Ok(Self { main_server, id, random, wire })
    }

    /// Has a request file processed; gives the response file, or none where the main server says that it failed.
    pub(super) async fn process(&self, file: &[u8]) -> Result<Option<Vec<u8>>, Finding> {
        let name = self.random.name();
        let (request, response) =
            (self.main_server.path(&format!("r{name}")), self.main_server.path(&format!("a{name}")));
        std::fs::write(&request, file).map_err(broken)?;
        let flags = ["--in", &request.to_string_lossy(), "--out", &response.to_string_lossy()];
        let outcome = self.main_server.control("process-request", &flags, &self.wire).await?;
        let written = std::fs::read(&response).ok();
        self.wire.add("file -> harness", written.as_deref().map_or("(none)".into(), String::from_utf8_lossy));
        match (outcome.as_str(), written) {
            ("done", Some(file)) => Ok(Some(file)),
            ("failed", None) => Ok(None),
            (outcome, written) => {
                let file = if written.is_some() { "a file" } else { "no file" };
                Err(Finding::deviates("done with a file, or failed without one", format!("{outcome} and {file}")))
            }
        }
    }

    /// Has a request file processed, and reads the answer in it, with the payload beside a receipt.
    pub(super) async fn answer_file(&self, file: &[u8]) -> Result<(Answer, Option<Vec<u8>>), Finding> {
        match self.process(file).await? {
            Some(file) => {
                let (answer, payload) = Answer::read_file(&file, self.trusted())?;
                Ok((closed_lists::heard(answer, &self.wire), payload))
            }
            None => Err(Finding::deviates("a response file", "failed")),
        }
    }

    /// Sends bytes to the 443 role; the answer as it came.
    pub(super) async fn post(&self, body: &[u8]) -> Result<Reply, Finding> {
        let url = format!("{}/synchronize", self.main_server.trust.https);
        let request = self.main_server.client.post(url);
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/jose")).body(body.to_vec());
        self.exchange("443", request, &legible(body)).await
    }

    /// Sends bytes to the 443 role, and reads the answer.
    pub(super) async fn send(&self, body: impl AsRef<[u8]>) -> Result<Answer, Finding> {
        let answer = Answer::read(&self.post(body.as_ref()).await?, self.trusted())?;
        Ok(closed_lists::heard(answer, &self.wire))
    }

    /// Fetches a payload from the 8080 role; the answer as it came.
    pub(super) async fn get_payload(&self, name: &str) -> Result<Reply, Finding> {
        let url = format!("{}/payloads/{name}", self.main_server.trust.http);
        self.exchange("8080", self.main_server.client.get(url), "").await
    }

    /// Any exchange with either role.
    pub(super) async fn exchange(
        &self,
        role: &str,
        request: reqwest::RequestBuilder,
        body: &str,
    ) -> Result<Reply, Finding> {
        let (client, request) = request.build_split();
        let request = request.map_err(broken)?;
        self.wire.add(format!("harness -> {role}"), format!("{} {}\n{body}", request.method(), request.url().path()));
        match self.fetch(&client, request).await {
            Ok(reply) => {
                self.wire.add(format!("{role} -> harness"), reply.shown());
                Ok(reply)
            }
            Err(why) => {
                self.wire.add(format!("{role} -> harness"), &why);
                Err(Finding::deviates(format!("an answer of the {role} role"), why))
            }
        }
    }

    async fn fetch(&self, client: &Client, request: reqwest::Request) -> Result<Reply, String> {
        let why = |error: reqwest::Error| {
            let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            format!("{error}{cause}{}", self.main_server.trouble())
        };
        let fetched = async {
            let mut response = client.execute(request).await.map_err(why)?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(why)? {
                body.extend_from_slice(&chunk);
                if body.len() > BODY {
                    return Err("a body that does not end".to_owned());
                }
            }
            Ok(Reply::new(status, headers, body))
        };
        let limit = self.main_server.time_limit();
        let hangs = format!("nothing within {} s", limit.as_secs_f32());
        tokio::time::timeout(limit, fetched).await.unwrap_or(Err(hangs))
    }
}

/// The license that every site has from the beginning.
pub(super) const FIRST_LICENSE: &str = "AVIX1-CONFO-RMANC-ESUIT-E0000-0000001";
/// One that a case may allocate besides.
pub(super) const SECOND_LICENSE: &str = "AVIX1-CONFO-RMANC-ESUIT-E0000-0000002";

/// A License Server that is played: a key pair, and the last receipt that it has applied.
#[derive(Clone)]
pub(super) struct LicenseServer {
    pub(super) site: Site,
    pub(super) key: PlayedKey,
    pub(super) last_receipt: Option<String>,
}

/// A request, and the receipt that answers it.
pub(super) struct Synchronized {
    pub(super) request: Request,
    /// The receipt, the whole JWS.
    pub(super) text: String,
    pub(super) receipt: Receipt,
}

impl LicenseServer {
    /// The same key pair under another license server id.
    pub(super) fn at(&self, site: &Site) -> Self {
        Self { site: site.clone(), key: self.key.clone(), last_receipt: None }
    }

    /// The license server id with another key pair: a thief, or a reinstalled server.
    pub(super) fn with_new_key_pair(&self) -> Self {
        self.site.license_server()
    }

    /// An honest request (P 5), before it is signed.
    pub(super) fn draft(&self) -> Draft {
        let sealing = self.site.random.sealing_key();
        let last_receipt = self.last_receipt.as_deref().map_or("null".to_owned(), string);
        let payload = Object::new([
            ("version", "1".to_owned()),
            ("iss", string(&self.site.id)),
            ("aud", string(self.site.main_server.trust.main_server_id.as_str())),
            ("jti", string(&self.site.random.name())),
            ("iat", "1795478400".to_owned()),
            ("sealing_jwk", Object::jwk(&sealing.public_jwk()).json()),
            ("last_receipt", last_receipt),
            ("high_water_mark", "0".to_owned()),
            ("product", string("conformance")),
            ("product_version", string("1")),
        ]);
        let header = Object::new([
            ("alg", string("ES384")),
            ("typ", string("solme-sync-request+jwt")),
            ("jwk", Object::jwk(&self.key.jwk).json()),
        ]);
        Draft { header, payload, key: self.key.clone(), sealing }
    }

    /// An honest request.
    pub(super) fn request(&self) -> Request {
        self.draft().sign()
    }

    /// A request whose payload was changed before it was signed.
    pub(super) fn request_with(&self, change: impl FnOnce(&mut Object)) -> Request {
        let mut draft = self.draft();
        change(&mut draft.payload);
        draft.sign()
    }

    /// A request whose header was changed before it was signed.
    pub(super) fn request_with_header(&self, change: impl FnOnce(&mut Object)) -> Request {
        let mut draft = self.draft();
        change(&mut draft.header);
        draft.sign()
    }

    /// The same License Server after its main server was killed, and started again over its data. Only at a main server of
    /// its own, and nobody else may hold a site there.
    pub(super) async fn over_a_power_failure(self) -> Result<Self, Finding> {
        let Self { site, key, last_receipt } = self;
        Ok(Self { site: site.power_failure().await?, key, last_receipt })
    }

    /// Sends a request.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, Finding> {
        self.site.send(&request.jws).await
    }

    /// Sends an honest request, and reads the answer.
    pub(super) async fn ask(&self) -> Result<Answer, Finding> {
        self.send(&self.request()).await
    }

    /// Synchronizes: an honest request that has to be accepted. Its receipt is applied; the payload is not fetched.
    pub(super) async fn synchronize(&mut self) -> Result<Synchronized, Finding> {
        let request = self.request();
        self.synchronize_with(request).await
    }

    /// Synchronizes with this request.
    pub(super) async fn synchronize_with(&mut self, request: Request) -> Result<Synchronized, Finding> {
        let (text, receipt) = self.send(&request).await?.accepted()?;
        self.last_receipt = Some(text.clone());
        Ok(Synchronized { request, text, receipt })
    }

    /// Sends a request that was accepted again, and gets the same receipt.
    pub(super) async fn gets_again(&self, synchronized: &Synchronized) -> Outcome {
        let (again, _) = self.send(&synchronized.request).await?.accepted()?;
        same_bytes("the same receipt", synchronized.text.as_bytes(), again.as_bytes())
    }

    /// Fetches the payload of a receipt.
    pub(super) async fn payload(&self, synchronized: &Synchronized) -> Result<Vec<u8>, Finding> {
        let reply = self.site.get_payload(synchronized.receipt.payload_name.as_str()).await?;
        match (reply.status, reply.content_type().as_str()) {
            (200, "application/octet-stream") => Ok(reply.body),
            _ => Err(Finding::deviates("status 200, application/octet-stream", reply.shown())),
        }
    }

    /// Fetches and opens the payload of a receipt.
    pub(super) async fn allocation(&self, synchronized: &Synchronized) -> Result<Allocation, Finding> {
        let payload = self.payload(synchronized).await?;
        let clear = self.open(&synchronized.request.sealing, synchronized, &payload)?;
        let allocation = Allocation::from_json(&clear);
        allocation.map_err(|error| Finding::deviates("an allocation as in section 7", error.to_string()))
    }

    /// Opens a payload under the `info` of 7.4.
    pub(super) fn open(
        &self,
        key: &SealingKey,
        synchronized: &Synchronized,
        payload: &[u8],
    ) -> Result<Vec<u8>, Finding> {
        let info = self.info(&synchronized.request.digest, &synchronized.receipt.sync_id)?;
        key.open(&info, payload)
            .map_err(|error| Finding::deviates("a payload that opens (7.3, 7.4)", error.to_string()))
    }

    fn info(&self, request_digest: &Digest, sync_id: &SyncId) -> Result<Vec<u8>, Finding> {
        let id = self.site.id.parse().map_err(broken)?;
        Ok(sealing_info(&self.site.main_server.trust.main_server_id, &id, request_digest, sync_id))
    }
}

/// The license numbers of an allocation, in order.
pub(super) fn numbers(allocation: &Allocation) -> Vec<&str> {
    let mut numbers: Vec<&str> = allocation.licenses.iter().map(|license| license.number.as_str()).collect();
    numbers.sort_unstable();
    numbers
}
