//! Mixtures of faults.

use super::catalogue::Quirk;
use super::fault::Fault;

/// In a row, of the exchanges of one operation and one id.
const IN_A_ROW: u64 = 2;

/// The profile `hostile`: about every third exchange has a quirk, drawn from the seed, and of the exchanges of one
/// operation and one license server id never more than two in a row.
///
/// So a License Server that does what the protocol says gets through: a request is answered as it should at the third
/// try, and a payload at its third; a whole direct synchronization needs at most 9 requests, one via file at most 3
/// response files. Quirks of the connection are not in it: a connection is nobody's yet, so that nothing could be
/// promised to one of several License Servers.
pub fn hostile() -> Vec<Fault> {
    let mixture = [
        (Quirk::DropReply, 0.06),
        (Quirk::CloseBeforeHeaders, 0.03),
        (Quirk::CloseWithinHeaders, 0.02),
        (Quirk::CloseAfterHeaders, 0.02),
        (Quirk::CloseWithinBody, 0.03),
        (Quirk::Truncate, 0.02),
        (Quirk::FlipByte, 0.02),
        (Quirk::Status500, 0.02),
        (Quirk::Status502, 0.02),
        (Quirk::Redirect, 0.02),
        (Quirk::CaptivePortal, 0.02),
        (Quirk::WrongContentType, 0.02),
        (Quirk::ContentEncoding, 0.01),
        (Quirk::PayloadNotFound, 0.02),
        (Quirk::WrongSignature, 0.02),
        (Quirk::OtherKey, 0.01),
        (Quirk::ReceiptForAnotherRequest, 0.02),
        (Quirk::SequenceSkips, 0.01),
        (Quirk::DeadlineTooFar, 0.01),
        (Quirk::SealedToAnotherKey, 0.01),
        (Quirk::WrongPayloadDigest, 0.01),
        (Quirk::PayloadOfAnotherReceipt, 0.01),
        (Quirk::MalformedAllocation, 0.01),
        (Quirk::UnknownMembers, 0.03),
        (Quirk::ReorderedMembers, 0.03),
        (Quirk::UnsignedRefusal, 0.02),
        (Quirk::RefusalOfAnotherRequest, 0.02),
        (Quirk::UnknownRefusalCode, 0.01),
    ];
    let plain = mixture.map(|(quirk, probability)| Fault::new(quirk).probability(probability));
    let told = [
        Fault::new(Quirk::Delay).milliseconds(50).probability(0.02),
        Fault::new(Quirk::Status429).retry_after(1).probability(0.01),
        Fault::new(Quirk::Status503).retry_after_date(1).probability(0.02),
    ];
    plain.into_iter().chain(told).map(|fault| fault.at_most_in_a_row(IN_A_ROW)).collect()
}
