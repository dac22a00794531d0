//! The journal: every exchange with a License Server, its bytes, the verdict and the clause that decided it.
//!
//! It lies in memory and is bounded; with a data directory it is kept there as well, a line each, and read again at the
//! next start. It is no part of a transaction: the audit is what lasts. It also judges the client.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use solme_sync_protocol::{Digest, KeyThumbprint, LicenseServerId, UtcTime};

use crate::data::{self, DataError};
use crate::quirks::{Operation, Quirk};

/// Exchanges that are kept.
const ENTRIES: usize = 10_000;
/// Bytes of requests and answers that are kept.
const BYTES: usize = 64 << 20;

/// What carried an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// The 443 role: HTTPS (P 13.2).
    Https,
    /// The 8080 role: plain HTTP (P 13.4).
    Http,
    /// A request file and its response file (P 14).
    File,
}

impl Carrier {
    /// The carrier as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::File => "file",
        }
    }

    /// What a License Server does over it.
    pub fn operation(self) -> Operation {
        match self {
            Self::Https => Operation::Synchronize,
            Self::Http => Operation::Payload,
            Self::File => Operation::File,
        }
    }

    pub(crate) fn of(operation: Operation) -> Self {
        match operation {
            Operation::Synchronize | Operation::Probe => Self::Https,
            Operation::Payload => Self::Http,
            Operation::File => Self::File,
        }
    }
}

/// One exchange with a License Server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalEntry {
    /// Raised by one with each exchange since the start.
    pub number: u64,
    /// Main server time, UTC in seconds.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::form::Time")]
    pub at: UtcTime,
    /// Port or file that carried it.
    pub carrier: Carrier,
    /// Who asked, as the request says, when it could be read.
    #[schemars(with = "Option<crate::form::LicenseServerId>")]
    pub license_server_id: Option<LicenseServerId>,
    /// The key in the request.
    #[schemars(with = "Option<crate::form::KeyThumbprint>")]
    pub thumbprint: Option<KeyThumbprint>,
    /// The request digest (P 4.6), if the request could be parsed.
    #[schemars(with = "Option<crate::form::Digest>")]
    pub request_digest: Option<Digest>,
    /// `accepted`, `answered-again`, `payload`, or the code of a refusal or problem: what the main server has decided.
    /// Where a quirk kept the request from it: `not-looked-at`, or `no-exchange` of a connection.
    pub verdict: String,
    /// The clause that decided.
    pub clause: String,
    /// More about the verdict, for people: why a signature failed, what cannot be read.
    pub detail: String,
    /// What the client did that the protocol forbids, each with its clause.
    pub judgements: Vec<String>,
    /// What the main server did wrong on purpose. Its `answer` is the wrong one then, where the quirk changes a message.
    #[serde(default)]
    pub quirk: Option<Quirk>,
    /// Microseconds from the whole request to the answer; null if an earlier version kept it.
    #[serde(default)]
    pub took_us: Option<u64>,
    /// The request as it came.
    pub request: String,
    /// The answer; of a payload, its size and digest.
    pub answer: String,
}

impl JournalEntry {
    /// The entry without the bytes of request and answer.
    fn brief(&self) -> Self {
        let Self { license_server_id, verdict, clause, detail, judgements, .. } = self;
        Self {
            license_server_id: license_server_id.clone(),
            verdict: verdict.clone(),
            clause: clause.clone(),
            detail: detail.clone(),
            judgements: judgements.clone(),
            request: String::new(),
            answer: String::new(),
            ..*self
        }
    }
}

/// Verdicts with which the License Server got what it asked for.
const GOOD: [&str; 4] = ["accepted", "answered-again", "payload", "healthy"];

/// Which entries are wanted: those that fit all that is named.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) id: Option<LicenseServerId>,
    /// `refused` is every verdict but the good ones.
    pub(crate) verdict: Option<String>,
    /// A clause, or those below it.
    pub(crate) clause: Option<String>,
    pub(crate) quirk: Option<Quirk>,
    pub(crate) carrier: Option<Carrier>,
}

impl Filter {
    /// All exchanges of one id.
    pub(crate) fn of(id: &LicenseServerId) -> Self {
        Self { id: Some(id.clone()), ..Self::default() }
    }

    /// Whether an entry is wanted.
    pub(crate) fn fits(&self, entry: &JournalEntry) -> bool {
        let verdict = |wanted: &String| match wanted.as_str() {
            "refused" => !GOOD.contains(&entry.verdict.as_str()),
            wanted => entry.verdict == wanted,
        };
        let below = |wanted: &String| {
            entry.clause.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.id.as_ref().is_none_or(|id| entry.license_server_id.as_ref() == Some(id))
            && self.verdict.as_ref().is_none_or(verdict)
            && self.clause.as_ref().is_none_or(below)
            && self.quirk.is_none_or(|quirk| entry.quirk == Some(quirk))
            && self.carrier.is_none_or(|carrier| entry.carrier == carrier)
    }
}

/// What came of one exchange, without what is random by nature: keys, signatures, ciphertext, ports. The same seed and
/// the same exchanges give the same trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TraceEntry {
    /// What the License Server did.
    pub operation: Operation,
    /// Which one, as far as it is known.
    #[schemars(with = "Option<crate::form::LicenseServerId>")]
    pub license_server_id: Option<LicenseServerId>,
    /// What the main server did wrong on purpose.
    pub quirk: Option<Quirk>,
    /// As in the journal.
    pub verdict: String,
    /// The clause that decided.
    pub clause: String,
}

impl From<JournalEntry> for TraceEntry {
    fn from(entry: JournalEntry) -> Self {
        let JournalEntry { carrier, license_server_id, quirk, verdict, clause, .. } = entry;
        Self { operation: carrier.operation(), license_server_id, quirk, verdict, clause }
    }
}

/// An exchange that is to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// What goes into the journal; number and time are those of the recording.
    pub(crate) entry: JournalEntry,
    pub(crate) operation: Operation,
    /// Of the one-time key in a verified request.
    pub(crate) sealing_thumbprint: Option<KeyThumbprint>,
    /// When the request was whole.
    pub(crate) began: Instant,
}

#[derive(Default)]
struct Inner {
    /// Each with the one-time key of its request.
    entries: VecDeque<(JournalEntry, Option<KeyThumbprint>)>,
    bytes: usize,
    last_number: u64,
    /// Which request first had a one-time key, as long as that request is in the journal.
    sealing_keys: HashMap<KeyThumbprint, (Digest, u64)>,
    kept: Option<Kept>,
}

/// The journal on disk: what is in memory, and at most as much again that is in memory no more.
struct Kept {
    path: PathBuf,
    file: File,
    lines: usize,
    bytes: usize,
    /// The last line may be there in part: a full disk takes what it can.
    half: bool,
}

/// A line of the journal on disk.
#[derive(Serialize, Deserialize)]
struct Line<E> {
    #[serde(flatten)]
    entry: E,
    #[serde(default)]
    sealing_thumbprint: Option<KeyThumbprint>,
}

#[derive(Default)]
pub(crate) struct Journal {
    inner: Mutex<Inner>,
}

impl Journal {
    /// The journal in this file, which is made if there is none. Lines that cannot be read are left out: the last one may
    /// be half after a power failure.
    pub(crate) fn kept_in(path: &Path) -> Result<Self, DataError> {
        let failed = |error| DataError::File { path: path.to_owned(), error };
        let mut inner = Inner::default();
        if data::regular(path)? {
            let file = BufReader::new(File::open(path).map_err(failed)?);
            for line in file.split(b'\n') {
                if let Ok(line) = serde_json::from_slice::<Line<JournalEntry>>(&line.map_err(failed)?) {
                    inner.last_number = inner.last_number.max(line.entry.number);
                    inner.push(line.entry, line.sealing_thumbprint);
                }
            }
        }
        inner.kept = Some(Kept::written(path, &inner.entries).map_err(failed)?);
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Keeps an exchange. It is returned as it was numbered, without the bytes.
    pub(crate) fn record(&self, at: UtcTime, exchange: Exchange) -> JournalEntry {
        self.lock().record(at, exchange)
    }

    /// The newest `limit` entries before `before` that fit, oldest first.
    pub(crate) fn list(&self, filter: &Filter, before: Option<u64>, limit: usize) -> Vec<JournalEntry> {
        self.newest(filter, before, limit, JournalEntry::clone)
    }

    /// The same without the bytes.
    pub(crate) fn brief(&self, filter: &Filter, before: Option<u64>, limit: usize) -> Vec<JournalEntry> {
        self.newest(filter, before, limit, JournalEntry::brief)
    }

    fn newest(
        &self,
        filter: &Filter,
        before: Option<u64>,
        limit: usize,
        kept: impl Fn(&JournalEntry) -> JournalEntry,
    ) -> Vec<JournalEntry> {
        let inner = self.lock();
        let entries = inner.entries.iter().rev().map(|(entry, _)| entry);
        let wanted = entries.filter(|entry| before.is_none_or(|before| entry.number < before) && filter.fits(entry));
        let mut entries: Vec<_> = wanted.take(limit).map(kept).collect();
        entries.reverse();
        entries
    }

    /// The entry of this number, if the journal has it still.
    pub(crate) fn entry(&self, number: u64) -> Option<JournalEntry> {
        let inner = self.lock();
        let at = inner.entries.binary_search_by_key(&number, |(entry, _)| entry.number).ok()?;
        Some(inner.entries[at].0.clone())
    }

    pub(crate) fn clear(&self) {
        let mut inner = self.lock();
        let kept = inner.kept.take();
        *inner = Inner::default();
        inner.kept = kept;
        inner.rewrite();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn record(&mut self, at: UtcTime, mut exchange: Exchange) -> JournalEntry {
        self.last_number += 1;
        (exchange.entry.number, exchange.entry.at) = (self.last_number, at);
        exchange.entry.took_us = u64::try_from(exchange.began.elapsed().as_micros()).ok();
        let judgement = self.judge_sealing_key(&exchange);
        exchange.entry.judgements.extend(judgement);
        self.keep(&exchange.entry, exchange.sealing_thumbprint);
        let brief = exchange.entry.brief();
        self.push(exchange.entry, exchange.sealing_thumbprint);
        brief
    }

    fn push(&mut self, entry: JournalEntry, sealing_thumbprint: Option<KeyThumbprint>) {
        if let (Some(key), Some(digest)) = (sealing_thumbprint, entry.request_digest) {
            self.sealing_keys.entry(key).or_insert((digest, entry.number));
        }
        self.bytes += size(&entry);
        self.entries.push_back((entry, sealing_thumbprint));
        while self.entries.len() > ENTRIES || self.bytes > BYTES {
            let Some((oldest, sealing_key)) = self.entries.pop_front() else { break };
            self.bytes -= size(&oldest);
            if let Some(key) = sealing_key
                && self.sealing_keys.get(&key).is_some_and(|(_, number)| *number == oldest.number)
            {
                self.sealing_keys.remove(&key);
            }
        }
    }

    /// Where the disk does not take it the journal goes on in memory.
    fn keep(&mut self, entry: &JournalEntry, sealing_thumbprint: Option<KeyThumbprint>) {
        let Some(kept) = &mut self.kept else { return };
        if let Err(error) = kept.append(entry, sealing_thumbprint) {
            tracing::error!(%error, file = %kept.path.display(), "an exchange could not be added to the journal file");
        }
        if kept.lines > 2 * ENTRIES || kept.bytes > 2 * BYTES {
            self.rewrite();
        }
    }

    fn rewrite(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        match Kept::written(&kept.path, &self.entries) {
            Ok(written) => *kept = written,
            Err(error) => {
                tracing::error!(%error, file = %kept.path.display(), "the journal file could not be shortened")
            }
        }
    }

    fn judge_sealing_key(&mut self, exchange: &Exchange) -> Option<String> {
        let (key, digest) = (exchange.sealing_thumbprint?, exchange.entry.request_digest?);
        let (first, _) = *self.sealing_keys.entry(key).or_insert((digest, exchange.entry.number));
        (first != digest).then(|| "reused a one-time sealing key: violates 5.4".to_owned())
    }
}

impl Kept {
    /// A file of these entries, in place of the one that is there.
    fn written(path: &Path, entries: &VecDeque<(JournalEntry, Option<KeyThumbprint>)>) -> io::Result<Self> {
        let unfinished = path.with_extension("unfinished");
        let file = data::private().write(true).create(true).truncate(true).open(&unfinished)?;
        let mut kept = Self { path: path.to_owned(), file, lines: 0, bytes: 0, half: false };
        let mut all = Vec::new();
        for (entry, sealing_thumbprint) in entries {
            all.extend(line(entry, *sealing_thumbprint)?);
        }
        kept.file.write_all(&all)?;
        if !all.is_empty() {
            kept.file.sync_data()?; // or a power failure now could leave neither file
        }
        std::fs::rename(&unfinished, path)?;
        (kept.lines, kept.bytes) = (entries.len(), all.len());
        Ok(kept)
    }

    fn append(&mut self, entry: &JournalEntry, sealing_thumbprint: Option<KeyThumbprint>) -> io::Result<()> {
        let mut line = line(entry, sealing_thumbprint)?;
        self.lines += 1;
        self.bytes += line.len();
        if std::mem::replace(&mut self.half, true) {
            line.insert(0, b'\n');
        }
        self.file.write_all(&line)?;
        self.half = false;
        Ok(())
    }
}

fn line(entry: &JournalEntry, sealing_thumbprint: Option<KeyThumbprint>) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&Line { entry, sealing_thumbprint })?;
    line.push(b'\n');
    Ok(line)
}

fn size(entry: &JournalEntry) -> usize {
    entry.request.len() + entry.answer.len() + entry.detail.len()
}

#[cfg(test)]
mod tests {
    use solme_sync_protocol::SigningKey;

    use super::*;

    fn exchange(request: &str, sealing_thumbprint: Option<KeyThumbprint>) -> Exchange {
        let mut exchange = Exchange::new(Carrier::Https, request.as_bytes(), Vec::new());
        exchange.entry.request_digest = Some(Digest::of(request));
        exchange.entry.request = request.to_owned();
        Exchange { sealing_thumbprint, ..exchange }
    }

    #[test]
    fn the_journal_keeps_the_newest_entries_and_forgets_the_keys_of_the_others() {
        let journal = Journal::default();
        let key = Some(SigningKey::generate().thumbprint());
        journal.record(UtcTime::from_secs(0), exchange("first", key));
        for _ in 0..ENTRIES {
            journal.record(UtcTime::from_secs(0), exchange("other", None));
        }
        let entries = journal.list(&Filter::default(), None, usize::MAX);
        assert_eq!((entries.len(), entries[0].number), (ENTRIES, 2));
        assert!(journal.lock().sealing_keys.is_empty());
    }

    #[test]
    fn the_journal_is_bounded_in_bytes_as_well() {
        let journal = Journal::default();
        let megabyte = "x".repeat(1 << 20);
        for _ in 0..=BYTES >> 20 {
            journal.record(UtcTime::from_secs(0), exchange(&megabyte, None));
        }
        assert_eq!(journal.list(&Filter::default(), None, usize::MAX).len(), BYTES >> 20);
        assert!(journal.lock().bytes <= BYTES);
    }

    #[test]
    fn a_filter_wants_all_that_it_names() {
        let journal = Journal::default();
        for (verdict, clause, quirk) in [
            ("accepted", "9.10", None),
            ("key-pair-in-use", "9.9", None),
            ("not-looked-at", "12.3", Some(Quirk::DropReply)),
        ] {
            let mut exchange = exchange("", None);
            exchange.decided(verdict, clause, "");
            exchange.entry.quirk = quirk;
            journal.record(UtcTime::from_secs(0), exchange);
        }
        let text = |text: &str| Some(text.to_owned());
        for (filter, numbers) in [
            (Filter::default(), &[1, 2, 3][..]),
            (Filter { verdict: text("refused"), ..Filter::default() }, &[2, 3]),
            (Filter { verdict: text("accepted"), ..Filter::default() }, &[1]),
            (Filter { clause: text("9"), ..Filter::default() }, &[1, 2]),
            (Filter { clause: text("9.1"), ..Filter::default() }, &[]),
            (Filter { quirk: Some(Quirk::DropReply), ..Filter::default() }, &[3]),
            (Filter { carrier: Some(Carrier::File), ..Filter::default() }, &[]),
            (Filter { clause: text("9"), verdict: text("refused"), ..Filter::default() }, &[2]),
            (Filter::of(&"SITE-1".parse().unwrap()), &[]),
        ] {
            let found: Vec<_> = journal.brief(&filter, None, 9).iter().map(|entry| entry.number).collect();
            assert_eq!(found, numbers, "{filter:?}");
        }
        assert_eq!(journal.entry(2).unwrap().clause, "9.9");
        assert!(journal.entry(4).is_none());
    }

    #[test]
    fn the_same_request_again_reuses_no_key() {
        let journal = Journal::default();
        let key = Some(SigningKey::generate().thumbprint());
        for request in ["a", "a", "b"] {
            journal.record(UtcTime::from_secs(0), exchange(request, key));
        }
        let judged: Vec<_> =
            journal.list(&Filter::default(), None, 9).iter().map(|entry| entry.judgements.len()).collect();
        assert_eq!(judged, [0, 0, 1]);
    }
}
