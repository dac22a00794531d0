//! What anybody was told, and what the main server has of it afterwards. It decides; it asks nobody.

use std::collections::HashMap;

use mock_solme::api;
use serde::Serialize;
use solme_sync_protocol::{KeyThumbprint, LicenseServerId, Receipt, printable};

/// Findings that are written out; the others are only counted.
const WRITTEN_OUT: usize = 50;

/// What must not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Somebody was told what the main server does not have.
    Lost,
    /// Two key pairs were served for an id without a clear between.
    BoundTwice,
    /// A License Server whose state is whole was refused.
    WronglyRefused,
    /// A License Server did not synchronize after all faults had ended.
    NotRecovered,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Lost, Self::BoundTwice, Self::WronglyRefused, Self::NotRecovered];

    /// In words.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::BoundTwice => "bound twice",
            Self::WronglyRefused => "wrongly refused",
            Self::NotRecovered => "not recovered",
        }
    }
}

/// One time that it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    pub(crate) license_server_id: LicenseServerId,
    /// For people.
    pub(crate) what: String,
}

/// Every answer that anybody has got, as far as it can be wrong, and what was wrong.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By id and sequence, the first bytes of the digest of the request that was answered.
    requests: HashMap<(LicenseServerId, u64), [u8; 8]>,
    ids: HashMap<LicenseServerId, Told>,
    counts: [u64; Kind::ALL.len()],
    findings: Vec<Finding>,
}

/// What was told about an id.
#[derive(Debug, Default)]
struct Told {
    newest: Option<Newest>,
    /// Of each generation, the key pair that was served.
    key_pairs: HashMap<u64, KeyThumbprint>,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    sequence: u64,
    generation: u64,
    revision: u64,
    key: KeyThumbprint,
}

impl Ledger {
    /// Somebody has got this receipt.
    pub(crate) fn told(&mut self, receipt: &Receipt) {
        let Receipt { license_server_id: id, sequence, key_generation: generation, key_thumbprint: key, .. } = receipt;
        let digest = receipt.request_digest.as_bytes();
        let request = [0, 1, 2, 3, 4, 5, 6, 7].map(|at| digest[at]);
        let before = self.requests.insert((id.clone(), *sequence), request);
        if before.is_some_and(|before| before != request) {
            self.found(Kind::Lost, id, format!("sequence {sequence} was told to two requests"));
        }
        let told = self.ids.entry(id.clone()).or_default();
        let served = *told.key_pairs.entry(*generation).or_insert(*key);
        let came_back = told.key_pairs.iter().find(|(of, served)| *of != generation && *served == key);
        let twice = match came_back {
            _ if served != *key => Some(format!("{served} and {key} were both served in generation {generation}")),
            Some((of, _)) => Some(format!("{key} was served in generation {generation} as well as in {of}")),
            None => None,
        };
        let newest =
            Newest { sequence: *sequence, generation: *generation, revision: receipt.allocation_revision, key: *key };
        if told.newest.is_none_or(|before| before.sequence <= *sequence) {
            told.newest = Some(newest);
        }
        if let Some(what) = twice {
            self.found(Kind::BoundTwice, id, what);
        }
    }

    /// This must not have happened.
    pub(crate) fn found(&mut self, kind: Kind, id: &LicenseServerId, what: String) {
        self.counts[kind as usize] += 1;
        if self.findings.len() < WRITTEN_OUT {
            self.findings.push(Finding { kind, license_server_id: id.clone(), what: printable(&what).to_string() });
        }
    }

    /// Compares what was told with what the main server has.
    pub(crate) fn compare(&mut self, records: &[api::ListedId]) {
        let sound = records.iter().filter_map(|listed| match listed {
            api::ListedId::Sound(id) => Some((&id.license_server_id, &**id)),
            api::ListedId::Damaged { .. } => None,
        });
        let records: HashMap<&LicenseServerId, &api::Id> = sound.collect();
        let lost = self.ids.iter().filter_map(|(id, told)| {
            let what = told.newest.as_ref().and_then(|newest| newest.missing_in(records.get(id).copied()))?;
            Some((id.clone(), what))
        });
        for (id, what) in lost.collect::<Vec<_>>() {
            self.found(Kind::Lost, &id, what);
        }
    }

    /// How often it happened.
    pub(crate) fn count(&self, kind: Kind) -> u64 {
        self.counts[kind as usize]
    }

    /// The first of what happened.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl Newest {
    /// What the main server does not have of it.
    fn missing_in(&self, record: Option<&api::Id>) -> Option<String> {
        let Some(record) = record else { return Some("the main server has no record of it".to_owned()) };
        let behind = [
            ("sequence", self.sequence, record.sequence),
            ("key generation", self.generation, record.key_generation),
            ("allocation revision", self.revision, record.allocation_revision),
        ];
        if let Some((what, told, has)) = behind.into_iter().find(|(_, told, has)| told > has) {
            return Some(format!("{what} {told} was told, the main server has {has}"));
        }
        let other = record.key_generation == self.generation && record.key_thumbprint != Some(self.key);
        other.then(|| format!("{} was served, the main server has bound another key pair", self.key))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use solme_sync_protocol::{Digest, base64url};

    use super::*;

    const ID: &str = "SITE-1";

    fn thumbprint(of: &str) -> String {
        base64url::encode(&Digest::of(of).as_bytes()[..32])
    }

    fn receipt(sequence: u64, generation: u64, key: &str, request: &str) -> Receipt {
        let digest = Digest::of(request).to_string();
        serde_json::from_value(json!({
            "version": 1, "iss": "solme-sim", "aud": ID, "jti": "AAAAAAAAAAAAAAAAAAAAAA", "iat": 1,
            "request_id": "AAAAAAAAAAAAAAAAAAAAAA", "request_digest": digest, "key_thumbprint": thumbprint(key),
            "key_generation": generation, "sequence": sequence, "allocation_revision": 1,
            "synchronize_by": 1, "payload_name": "AAAAAAAAAAAAAAAAAAAAAA", "payload_size": 1,
            "payload_digest": digest, "allocation_digest": digest,
        }))
        .unwrap()
    }

    fn record(sequence: u64, generation: u64, key: Option<&str>) -> api::ListedId {
        serde_json::from_value(json!({
            "license_server_id": ID, "name": null, "contacts": [], "added_at": "2026-01-01T00:00:00Z", "disabled": null,
            "allocation_revision": 1, "licenses": 1, "key_thumbprint": key.map(thumbprint),
            "key_generation": generation, "sequence": sequence, "last_synchronized_at": null, "reserved_for": null,
        }))
        .unwrap()
    }

    fn counts(ledger: &Ledger) -> [u64; 2] {
        [Kind::Lost, Kind::BoundTwice].map(|kind| ledger.count(kind))
    }

    fn ledger(told: &[(u64, u64, &str, &str)]) -> Ledger {
        let mut ledger = Ledger::default();
        told.iter().for_each(|(sequence, generation, key, request)| {
            ledger.told(&receipt(*sequence, *generation, key, request));
        });
        ledger
    }

    #[test]
    fn what_the_main_server_has_is_not_lost_and_an_answer_may_be_told_again() {
        let mut ledger = ledger(&[(1, 1, "a", "r1"), (2, 1, "a", "r2"), (1, 1, "a", "r1"), (3, 2, "b", "r3")]);
        ledger.compare(&[record(3, 2, Some("b"))]);
        assert_eq!(counts(&ledger), [0, 0]);
        ledger.compare(&[record(3, 3, None)]);
        assert_eq!(counts(&ledger), [0, 0], "it was cleared since");
    }

    #[test]
    fn a_sequence_a_generation_or_a_record_that_is_not_there_is_lost() {
        for records in [vec![record(1, 1, Some("a"))], vec![record(2, 1, None)], vec![record(2, 1, Some("b"))], vec![]]
        {
            let mut ledger = ledger(&[(1, 1, "a", "r1"), (2, 1, "a", "r2")]);
            ledger.compare(&records);
            assert_eq!(counts(&ledger), [1, 0], "{records:?}");
        }
    }

    #[test]
    fn two_requests_with_one_sequence_mean_that_one_is_lost() {
        assert_eq!(counts(&ledger(&[(1, 1, "a", "r1"), (1, 1, "a", "r2")])), [1, 0]);
    }

    #[test]
    fn two_key_pairs_in_one_generation_and_one_in_two_are_bound_twice() {
        assert_eq!(counts(&ledger(&[(1, 1, "a", "r1"), (2, 1, "b", "r2")])), [0, 1]);
        assert_eq!(counts(&ledger(&[(1, 1, "a", "r1"), (2, 2, "b", "r2"), (3, 3, "a", "r3")])), [0, 1]);
    }

    #[test]
    fn all_findings_are_counted_and_the_first_are_written_out() {
        let mut ledger = Ledger::default();
        for _ in 0..100 {
            ledger.found(Kind::NotRecovered, &ID.parse().unwrap(), "why".to_owned());
        }
        assert_eq!((ledger.count(Kind::NotRecovered), ledger.findings().len()), (100, WRITTEN_OUT));
    }
}
