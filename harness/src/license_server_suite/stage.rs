//! What a case plays on: a main server of its own, which is mock-solme, and the subject as any number of License Servers.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use mock_solme::{Builder, Carrier, JournalEntry, MockSolme, NewLicense, OperatorError};
use serde_json::Value;
use solme_sync_protocol::{
    InvalidRequestReason, LicenseNumber, LicenseServerId, PublicJwk, Refusal, RefusalCode, Request, RustCrypto,
    SignEs384 as _, Signed, SigningKey, SyncFile, base64url,
};
use tempfile::TempDir;

use super::license_server::Server;
use crate::conformance::{Finding, WireEntry, WireLog};
use crate::subject::Subject;
use crate::subject::answers::Changes;
use crate::work_folders::copy_folder;

/// The license server id that has one license from the beginning.
pub(super) const ID: &str = "SITE-1";
pub(super) const DAY: i64 = 86_400;

/// The stage of one case. It is torn down on drop.
pub(crate) struct Stage {
    /// The main server.
    pub(super) main: MockSolme,
    /// The license that [`ID`] has from the beginning.
    pub(super) license: LicenseNumber,
    pub(super) subject: Subject,
    pub(super) log: WireLog,
    second_key: SigningKey,
    directory: TempDir,
}

/// The main server under test is not the subject: where it does not do as it is told, the case breaks.
type Operated<T> = std::result::Result<T, Finding>;

impl Stage {
    /// A main server with [`ID`] and one license.
    pub(super) fn set_up(subject: Subject, seed: u64) -> Result<Self> {
        // What a person has to type again is short; the simulator's seed has 32 bits.
        let seed = u32::try_from(seed & u64::from(u32::MAX)).unwrap_or_default();
        let main = MockSolme::builder().empty().seed(seed).try_start()?;
        main.add_id(&id(ID), &[]).context("cannot add the license server id")?;
        let license = main.add_license(&id(ID), NewLicense::default()).context("cannot allocate")?.number;
        let directory = tempfile::tempdir()?;
        Ok(Self { main, license, subject, log: WireLog::default(), second_key: SigningKey::generate(), directory })
    }

    /// A License Server that was set up with [`ID`], and has not synchronized.
    pub(super) async fn server(&self, name: &str) -> Result<Server<'_>, Finding> {
        let server = self.bare_server(name);
        server.init(ID, self.main.trust_file()).await?.is_done()?;
        Ok(server)
    }

    /// A License Server that has synchronized once.
    pub(super) async fn synchronized_server(&self, name: &str) -> Result<Server<'_>, Finding> {
        let server = self.server(name).await?;
        self.synchronize(&server).await?;
        Ok(server)
    }

    /// Synchronizes by file, which costs a fifth of the time, or directly where the subject has no files.
    pub(super) async fn synchronize(&self, server: &Server<'_>) -> Result<Changes, Finding> {
        match self.synchronize_by_file(server).await {
            Err(Finding::Unimplemented(_)) => server.synchronize().await?.expect_synchronized(),
            by_file => by_file,
        }
    }

    /// Exports a request, has it processed, and imports the response.
    pub(super) async fn synchronize_by_file(&self, server: &Server<'_>) -> Result<Changes, Finding> {
        let response = self.process(&server.export("by-file").await?)?;
        server.import(&response).await?.expect_synchronized()
    }

    /// A License Server with an empty state directory.
    pub(super) fn bare_server(&self, name: &str) -> Server<'_> {
        let state = self.path(name);
        // Where this fails, the subject says so.
        let _ = fs::create_dir_all(&state);
        Server::new(self, state)
    }

    /// A License Server with a copy of the state of another one.
    pub(super) fn copy_of(&self, server: &Server<'_>, name: &str) -> Result<Server<'_>, Finding> {
        let state = self.path(name);
        let _ = fs::remove_dir_all(&state);
        copy_folder(&server.state, &state).map_err(broken)?;
        Ok(Server::new(self, state))
    }

    /// A file of this name.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file.
    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<PathBuf, Finding> {
        let path = self.path(name);
        fs::write(&path, bytes).map_err(broken)?;
        Ok(path)
    }

    /// Has the main server process a request file; gives the response file.
    pub(super) fn process(&self, request: &Path) -> Result<PathBuf, Finding> {
        process_at(&self.main, request)
    }

    /// The message in a request file or response file.
    pub(super) fn message(&self, file: &Path) -> Result<String, Finding> {
        let bytes = fs::read(file).map_err(|error| Finding::deviates("a file", error.to_string()))?;
        match SyncFile::parse(&bytes) {
            Ok(SyncFile::Request(message) | SyncFile::Response { message, .. }) => Ok(message),
            Err(error) => Err(Finding::deviates("a file as in section 14", error.to_string())),
        }
    }

    /// A copy of a request file whose signature was damaged: the signing input is the same, and with it the digest.
    pub(super) fn with_another_signature(&self, request: &Path) -> Result<PathBuf, Finding> {
        let message = self.message(request)?;
        let (input, signature) = message.rsplit_once('.').unwrap_or_default();
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        let damaged = format!("{input}.{other}{}", &signature[1..]);
        self.write("damaged.request", SyncFile::Request(damaged).to_bytes(&[]))
    }

    /// A License Server with [`ID`] whose trust file has two keys: that of the main server, and one with which
    /// [`Self::refuse`] signs what this main server has no occasion to say.
    pub(super) async fn server_with_two_keys(&self, name: &str) -> Result<Server<'_>, Finding> {
        let mut trust = self.main.trust().clone();
        trust.signing_jwks.push(self.second_key());
        let trust = self.write("two-keys.json", trust.to_json())?;
        let server = self.bare_server(name);
        server.init(ID, &trust).await?.is_done()?;
        Ok(server)
    }

    /// The public half of the second key.
    pub(super) fn second_key(&self) -> PublicJwk {
        *self.second_key.public_jwk()
    }

    /// A response file that refuses a request, signed with the second key.
    pub(super) fn refuse(&self, request: &Path, code: RefusalCode) -> Result<PathBuf, Finding> {
        let request = self.message(request)?;
        let unreadable = |error| Finding::deviates("a request as in sections 4 and 5", error);
        let signed = Signed::<Request>::parse(&request).map_err(|error| unreadable(error.to_string()))?;
        let refusal = Refusal {
            version: solme_sync_protocol::VERSION,
            main_server_id: self.main.main_server_id().clone(),
            license_server_id: signed.unverified_frame().issuer.clone(),
            main_server_time: self.main.now(),
            code,
            reason: (code == RefusalCode::InvalidRequest).then_some(InvalidRequestReason::MalformedClaims),
            key_thumbprint: signed.header().jwk.thumbprint(),
            request_digest: signed.digest(),
            text: "Refused for a test.".to_owned(),
            cure: "Nothing to do.".to_owned(),
        };
        let message = Signed::sign(&refusal, &self.second_key).as_str().to_owned();
        self.write("refused.response", SyncFile::Response { message, payload: None }.to_bytes(&[]))
    }

    /// Allocates one more license.
    pub(super) fn allocate(&self, license: NewLicense) -> Operated<LicenseNumber> {
        Ok(self.main.add_license(&id(ID), license).map_err(operated)?.number)
    }

    /// Takes a license back.
    pub(super) fn remove(&self, number: &LicenseNumber) -> Operated<()> {
        self.main.remove_license(&id(ID), number).map(drop).map_err(operated)
    }

    /// Clears the key pair in use.
    pub(super) fn clear_key_pair(&self) -> Operated<()> {
        self.main.clear_key_pair(&id(ID), mock_solme::Clear::default()).map(drop).map_err(operated)
    }

    /// The exchanges that carried a request, oldest first.
    pub(super) fn exchanges(&self) -> Vec<JournalEntry> {
        let carries = |entry: &JournalEntry| entry.carrier != Carrier::Http;
        self.main.journal().into_iter().filter(carries).collect()
    }

    /// The requests that came, oldest first, each as it was sent.
    pub(super) fn sent(&self) -> Vec<String> {
        self.exchanges().into_iter().map(|entry| entry.request).collect()
    }

    /// The requests that came, oldest first, each read and verified.
    pub(super) fn requests(&self) -> Result<Vec<Request>, Finding> {
        self.sent().iter().map(|jws| read(jws)).collect()
    }

    /// The newest request, its header and its payload as they stand in it.
    pub(super) fn newest_request(&self) -> Result<(Value, Value), Finding> {
        let sent = self.sent();
        let jws = sent.last().ok_or_else(|| Finding::deviates("a request", "none"))?;
        let part = |n| {
            let bytes = jws.split('.').nth(n).and_then(|part| base64url::decode(part).ok())?;
            serde_json::from_slice(&bytes).ok()
        };
        part(0).zip(part(1)).ok_or_else(|| Finding::deviates("a compact JWS (4.1)", jws.clone()))
    }

    /// What the main server has noticed of the subject's mistakes.
    pub(super) fn judgements(&self) -> Vec<String> {
        self.main.journal().into_iter().flat_map(|entry| entry.judgements).collect()
    }

    /// What went over the wire, and what the subject said.
    pub(super) fn wire(&self) -> Vec<WireEntry> {
        let exchanges = self.main.journal().into_iter().map(|entry| WireEntry {
            way: format!("subject -> main server, {}", entry.carrier.as_str()).into(),
            what: format!(
                "{}\n-> {} ({}) {}\n{}",
                in_clear(&entry.request),
                entry.verdict,
                entry.clause,
                entry.judgements.join(", "),
                in_clear(&entry.answer)
            )
            .into(),
        });
        self.log.entries().into_iter().chain(exchanges).collect()
    }
}

/// A main server that knows the id as well, beside that of the stage.
pub(super) fn second_main_server(builder: Builder) -> Result<MockSolme, Finding> {
    let main = builder.empty().try_start();
    let main = main.map_err(|error| Finding::deviates("a second main server", error.to_string()))?;
    main.add_id(&id(ID), &[]).map_err(operated)?;
    Ok(main)
}

/// Has a main server process a request file; gives the response file beside it.
pub(super) fn process_at(main: &MockSolme, request: &Path) -> Result<PathBuf, Finding> {
    let bytes = fs::read(request).map_err(|error| Finding::deviates("a request file", error.to_string()))?;
    let response = main
        .process_request_file(&bytes)
        .map_err(|error| Finding::deviates("a request file that can be processed", error.to_string()))?;
    let path = request.with_extension("response");
    fs::write(&path, response.bytes).map_err(broken)?;
    Ok(path)
}

/// A license server id.
///
/// # Panics
/// Where a case writes one that has not its form.
pub(super) fn id(text: &str) -> LicenseServerId {
    text.parse().expect("the ids of the cases have the form of 2.7")
}

/// Something of the referee's own did not work.
pub(super) fn broken(error: std::io::Error) -> Finding {
    Finding::deviates("a working case", format!("the referee cannot use a file: {error}"))
}

/// The main server does not do as it is told.
pub(super) fn operated(error: OperatorError) -> Finding {
    Finding::deviates("a working case", format!("the main server does not carry out a command: {error}"))
}

fn read(jws: &str) -> Result<Request, Finding> {
    let wrong = |what: String| Finding::deviates("a request as in sections 4 and 5", format!("{what}: {jws}"));
    let signed = Signed::<Request>::parse(jws).map_err(|error| wrong(error.to_string()))?;
    let verified = signed.verify(&RustCrypto).map_err(|error| wrong(error.to_string()))?;
    verified.read().map_err(|error| wrong(error.to_string()))
}

/// A JWS for people: its header and payload in clear. Anything else as it is.
fn in_clear(text: &str) -> String {
    let part = |part: &str| String::from_utf8(base64url::decode(part).ok()?).ok();
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, _] = parts[..] else { return text.to_owned() };
    part(header).zip(part(payload)).map_or_else(|| text.to_owned(), |(header, payload)| format!("{header}\n{payload}"))
}
