//! Forged receipts, and the payloads that go with them.

use solme_sync_protocol::{
    Digest, KeyThumbprint, LicenseServerId, PayloadName, PublicJwk, Receipt, RequestId, SYNCHRONIZE_WITHIN, Salt,
    SignEs384 as _, Signed, SyncId, limits, sealing_info,
};

use super::{Accepted, ForgeError, MainServer};
use crate::crypto::{self, CryptoError, MainServerKey};
use crate::identity::new_main_server_id;
use crate::main_server::Carrier;
use crate::quirks::{Fired, Quirk};
use crate::store::records;

const DAY: u64 = 86_400;

/// A license without most of its members (P 7.2), under the revision that stands before it.
const MALFORMED_LICENSES: &str =
    r#""salt":"AAAAAAAAAAAAAAAAAAAAAA","licenses":[{"number":"AVIX1-00000-00000-00000-00000-DEMO001"}]}"#;

impl MainServer {
    /// The receipt that the quirk makes of an honest one, and its payload.
    pub(super) fn forge_receipt(
        &self,
        fired: Fired,
        id: &LicenseServerId,
        accepted: &Accepted,
        carrier: Carrier,
    ) -> Result<(String, Vec<u8>), ForgeError> {
        let quirk = fired.quirk;
        let honest_payload = || accepted.payload.clone();
        match (quirk, &accepted.last, &accepted.older) {
            (Quirk::OldReceipt, Some((last, _)), _) => return Ok((last.clone(), honest_payload())),
            (Quirk::OlderReceipt, _, Some(older)) => return Ok((older.clone(), honest_payload())),
            (Quirk::OldReceipt | Quirk::OlderReceipt, ..) => return Err(ForgeError::NotOffered),
            _ => {}
        }
        let mut receipt = accepted.receipt.clone();
        if let Some(payload) = self.forge_payload(fired, id, accepted, &mut receipt)? {
            receipt.payload_name = PayloadName::from_random(crypto::random()?);
            let signed = Signed::sign(&receipt, &self.identity.key).as_str().to_owned();
            if carrier == Carrier::Https {
                self.forged_payloads.keep(receipt.payload_name, id.clone(), payload);
                return Ok((signed, Vec::new()));
            }
            return Ok((signed, payload));
        }
        change_members(quirk, &mut receipt)?;
        let other_key = if quirk == Quirk::OtherKey { Some(MainServerKey::generate()?) } else { None };
        let signed = Signed::sign(&receipt, other_key.as_ref().unwrap_or(&self.identity.key));
        Ok((signed.as_str().to_owned(), honest_payload()))
    }

    /// The payload of the quirks that have one of their own; the receipt fits it as far as the quirk wants.
    fn forge_payload(
        &self,
        fired: Fired,
        id: &LicenseServerId,
        accepted: &Accepted,
        receipt: &mut Receipt,
    ) -> Result<Option<Vec<u8>>, ForgeError> {
        let key = accepted.request.sealing_jwk;
        let revision = receipt.allocation_revision;
        let payload = match fired.quirk {
            Quirk::SealedToAnotherKey => {
                let other = *MainServerKey::generate()?.public_jwk();
                crypto::seal(&other, &info(receipt), &self.allocation(id, revision)?)?
            }
            Quirk::WrongInfo => seal_for_another_receipt(accepted, receipt, &self.allocation(id, revision)?)?,
            // The receipt keeps the digest of the honest payload.
            Quirk::PayloadOfAnotherReceipt => {
                return Ok(Some(seal_for_another_receipt(accepted, receipt, &self.allocation(id, revision)?)?));
            }
            Quirk::HugePayload => {
                let mut payload = accepted.payload.clone();
                payload.resize(limits::PAYLOAD + 1, 0);
                payload
            }
            Quirk::MalformedAllocation => {
                let allocation = format!("{{\"revision\":{revision},{MALFORMED_LICENSES}");
                seal_another(&key, receipt, allocation.as_bytes())?
            }
            Quirk::AllocationVariant => {
                let variant = fired.parameters.variant.ok_or(ForgeError::NotOffered)?;
                let allocation = variant.of_document(&self.allocation(id, revision)?).ok_or(ForgeError::NotOffered)?;
                seal_another(&key, receipt, &allocation)?
            }
            Quirk::RevisionBack => {
                let (_, last) = accepted.last.as_ref().ok_or(ForgeError::NotOffered)?;
                receipt.allocation_revision = last.allocation_revision.saturating_sub(1);
                seal_another(&key, receipt, &self.allocation(id, receipt.allocation_revision)?)?
            }
            _ => return Ok(None),
        };
        receipt.payload_size = payload.len() as u64;
        receipt.payload_digest = Digest::of(&payload);
        Ok(Some(payload))
    }

    /// What is allocated to the id now, under this revision.
    fn allocation(&self, id: &LicenseServerId, revision: u64) -> Result<Vec<u8>, ForgeError> {
        let record = self.store.read(|store| records::load(store, id))?.ok_or(ForgeError::NotOffered)?;
        let mut allocation = record.allocation;
        allocation.revision = revision;
        Ok(allocation.to_json(&Salt::from_random(crypto::random()?)))
    }
}

fn info(receipt: &Receipt) -> Vec<u8> {
    let Receipt { main_server_id, license_server_id, request_digest, sync_id, .. } = receipt;
    sealing_info(main_server_id, license_server_id, request_digest, sync_id)
}

/// Seals another allocation, whose digest the receipt gets.
fn seal_another(key: &PublicJwk, receipt: &mut Receipt, allocation: &[u8]) -> Result<Vec<u8>, CryptoError> {
    receipt.allocation_digest = Digest::of(allocation);
    crypto::seal(key, &info(receipt), allocation)
}

fn seal_for_another_receipt(accepted: &Accepted, receipt: &Receipt, allocation: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let another = Receipt { sync_id: SyncId::from_random(crypto::random()?), ..receipt.clone() };
    crypto::seal(&accepted.request.sealing_jwk, &info(&another), allocation)
}

/// The quirks that change members of the receipt, and nothing else.
fn change_members(quirk: Quirk, receipt: &mut Receipt) -> Result<(), CryptoError> {
    match quirk {
        Quirk::ReceiptForAnotherRequest => {
            receipt.request_id = RequestId::from_random(crypto::random()?);
            receipt.request_digest = Digest::of("another request");
        }
        Quirk::ReceiptForAnotherId => receipt.license_server_id = another_id(),
        Quirk::ReceiptForAnotherKeyPair => receipt.key_thumbprint = another_thumbprint()?,
        Quirk::ReceiptOfAnotherMainServer => receipt.main_server_id = new_main_server_id()?,
        Quirk::SequenceBack => receipt.sequence = receipt.sequence.saturating_sub(1),
        Quirk::SequenceSkips => receipt.sequence += 1,
        Quirk::GenerationBack => receipt.key_generation = receipt.key_generation.saturating_sub(1),
        Quirk::GenerationSkips => receipt.key_generation += 1,
        Quirk::DeadlineTooFar => receipt.synchronize_by = receipt.main_server_time.plus(SYNCHRONIZE_WITHIN + DAY),
        Quirk::DeadlineInThePast => {
            let day_before = receipt.main_server_time.as_secs().saturating_sub(DAY);
            receipt.synchronize_by = solme_sync_protocol::UtcTime::from_secs(day_before);
        }
        Quirk::WrongPayloadDigest => receipt.payload_digest = Digest::of("another payload"),
        Quirk::WrongPayloadSize => receipt.payload_size += 1,
        Quirk::WrongAllocationDigest => receipt.allocation_digest = Digest::of("another allocation"),
        Quirk::RevisionMismatch => receipt.allocation_revision += 1,
        // The key is another one, or the payload was forged: all members are right.
        _ => {}
    }
    Ok(())
}

pub(super) fn another_id() -> LicenseServerId {
    "SOMEBODY-ELSE".parse().expect("of the form of an id")
}

/// That of a key pair that exists nowhere else.
pub(super) fn another_thumbprint() -> Result<KeyThumbprint, CryptoError> {
    Ok(MainServerKey::generate()?.public_jwk().thumbprint())
}
