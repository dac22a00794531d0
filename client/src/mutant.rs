//! Bugs on purpose, one at a time: the referee is refereed with them. They come in through [`crate::Seams`] alone, and an
//! ordinary run has none. `grep Mutant:: client/src` shows every place where one acts.

use std::str::FromStr;

use crate::core::{PayloadWrong, Rule, Wrong};

/// One bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// P 11.1: takes an answer whoever signed it.
    SkipsTheSignature,
    /// P 11.2: takes a receipt for another license server id.
    AcceptsAnotherIdsReceipt,
    /// P 11.3: takes a receipt for another request.
    AcceptsAnotherRequestsReceipt,
    /// P 11.3: takes a receipt for another key pair.
    AcceptsAnotherKeyPairsReceipt,
    /// P 11.4: takes any sequence.
    AcceptsAnySequence,
    /// P 11.4: takes any key generation.
    AcceptsAnyKeyGeneration,
    /// P 11.4: takes an allocation that is older than its own.
    AcceptsALowerRevision,
    /// P 6.2: takes any deadline.
    AcceptsAnyDeadline,
    /// P 11.6: does not compare the digest of the payload.
    SkipsThePayloadDigest,
    /// P 11.9: ends the outstanding request in its store before the answer to it is verified.
    StoresBeforeVerifying,
    /// P 11.10: takes a problem document without a signature for a refusal.
    AcceptsAnUnsignedRefusal,
    /// P 11.10: takes a refusal of another request.
    AcceptsAnotherRequestsRefusal,
    /// P 11.11: the second import of a response is a failure.
    FailsTheSecondImport,
    /// P 3.3: makes a new key pair when a request has to be sent again.
    RegeneratesTheKeyPairOnRetry,
    /// P 12.2: makes a new request when one has to be sent again.
    MakesANewRequestOnRetry,
    /// P 5.4: the one-time key is always the same.
    ReusesTheOneTimeKey,
    /// P 5.4: the request id is always the same.
    ReusesTheRequestId,
    /// P 5: never claims the last receipt.
    ForgetsTheLastReceipt,
    /// P 12.3: every refusal ends the request.
    EndsTheRequestWithAnyRefusal,
    /// P 12.6: a cleared key pair changes nothing.
    GoesOnWhenCleared,
    /// P 13.5: goes where a redirect points.
    FollowsRedirects,
    /// P 13.5: does not send the request again after a 404.
    GivesUpAtA404,
    /// P 17.1: issues beyond `synchronize_by`.
    ForgetsTheDeadline,
    /// P 17.2: has no high-water mark, the local clock is the time.
    TrustsTheLocalClock,
    /// P 17.4: issues with a clock that was set back.
    IssuesWithAWrongClock,
    /// P 17.5: every receipt lowers the mark.
    LowersTheMarkWithAnyReceipt,
    /// P 7.1: issues licenses that are no longer allocated.
    KeepsRemovedLicenses,
    /// P 17.7: issues licenses that are not valid yet, or not any more.
    IgnoresTheValidityOfLicenses,
    /// P 17.8: issues from a state that was tampered with.
    IssuesWhenTampered,
}

impl Mutant {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::SkipsTheSignature,
        Self::AcceptsAnotherIdsReceipt,
        Self::AcceptsAnotherRequestsReceipt,
        Self::AcceptsAnotherKeyPairsReceipt,
        Self::AcceptsAnySequence,
        Self::AcceptsAnyKeyGeneration,
        Self::AcceptsALowerRevision,
        Self::AcceptsAnyDeadline,
        Self::SkipsThePayloadDigest,
        Self::StoresBeforeVerifying,
        Self::AcceptsAnUnsignedRefusal,
        Self::AcceptsAnotherRequestsRefusal,
        Self::FailsTheSecondImport,
        Self::RegeneratesTheKeyPairOnRetry,
        Self::MakesANewRequestOnRetry,
        Self::ReusesTheOneTimeKey,
        Self::ReusesTheRequestId,
        Self::ForgetsTheLastReceipt,
        Self::EndsTheRequestWithAnyRefusal,
        Self::GoesOnWhenCleared,
        Self::FollowsRedirects,
        Self::GivesUpAtA404,
        Self::ForgetsTheDeadline,
        Self::TrustsTheLocalClock,
        Self::IssuesWithAWrongClock,
        Self::LowersTheMarkWithAnyReceipt,
        Self::KeepsRemovedLicenses,
        Self::IgnoresTheValidityOfLicenses,
        Self::IssuesWhenTampered,
    ];

    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SkipsTheSignature => "skips-the-signature",
            Self::AcceptsAnotherIdsReceipt => "accepts-another-ids-receipt",
            Self::AcceptsAnotherRequestsReceipt => "accepts-another-requests-receipt",
            Self::AcceptsAnotherKeyPairsReceipt => "accepts-another-key-pairs-receipt",
            Self::AcceptsAnySequence => "accepts-any-sequence",
            Self::AcceptsAnyKeyGeneration => "accepts-any-key-generation",
            Self::AcceptsALowerRevision => "accepts-a-lower-revision",
            Self::AcceptsAnyDeadline => "accepts-any-deadline",
            Self::SkipsThePayloadDigest => "skips-the-payload-digest",
            Self::StoresBeforeVerifying => "stores-before-verifying",
            Self::AcceptsAnUnsignedRefusal => "accepts-an-unsigned-refusal",
            Self::AcceptsAnotherRequestsRefusal => "accepts-another-requests-refusal",
            Self::FailsTheSecondImport => "fails-the-second-import",
            Self::RegeneratesTheKeyPairOnRetry => "regenerates-the-key-pair-on-retry",
            Self::MakesANewRequestOnRetry => "makes-a-new-request-on-retry",
            Self::ReusesTheOneTimeKey => "reuses-the-one-time-key",
            Self::ReusesTheRequestId => "reuses-the-request-id",
            Self::ForgetsTheLastReceipt => "forgets-the-last-receipt",
            Self::EndsTheRequestWithAnyRefusal => "ends-the-request-with-any-refusal",
            Self::GoesOnWhenCleared => "goes-on-when-cleared",
            Self::FollowsRedirects => "follows-redirects",
            Self::GivesUpAtA404 => "gives-up-at-a-404",
            Self::ForgetsTheDeadline => "forgets-the-deadline",
            Self::TrustsTheLocalClock => "trusts-the-local-clock",
            Self::IssuesWithAWrongClock => "issues-with-a-wrong-clock",
            Self::LowersTheMarkWithAnyReceipt => "lowers-the-mark-with-any-receipt",
            Self::KeepsRemovedLicenses => "keeps-removed-licenses",
            Self::IgnoresTheValidityOfLicenses => "ignores-the-validity-of-licenses",
            Self::IssuesWhenTampered => "issues-when-tampered",
        }
    }

    /// Whether it takes a message in spite of this.
    pub(crate) const fn lets_pass(self, wrong: &Wrong) -> bool {
        matches!(
            (self, wrong),
            (Self::AcceptsAnotherIdsReceipt, Wrong::OtherLicenseServer { .. })
                // A receipt names its request, a refusal does not.
                | (Self::AcceptsAnotherRequestsReceipt, Wrong::OtherRequest { found: Some(_) })
                | (Self::AcceptsAnotherRequestsRefusal, Wrong::OtherRequest { found: None })
                | (Self::AcceptsAnotherKeyPairsReceipt, Wrong::OtherKeyPair { .. })
                | (Self::AcceptsAnySequence, Wrong::Sequence { .. } | Wrong::Older { .. })
                | (Self::AcceptsAnyKeyGeneration, Wrong::KeyGeneration { .. })
                | (Self::AcceptsALowerRevision, Wrong::AllocationRevision { .. })
                | (Self::AcceptsAnyDeadline, Wrong::SynchronizeBy { .. })
        )
    }

    /// Whether it opens a payload in spite of this.
    pub(crate) const fn lets_open(self, wrong: &PayloadWrong) -> bool {
        matches!((self, wrong), (Self::SkipsThePayloadDigest, PayloadWrong::Digest))
    }

    /// Whether it issues in spite of this.
    pub(crate) const fn lets_issue(self, rule: &Rule) -> bool {
        matches!(
            (self, rule),
            (Self::ForgetsTheDeadline, Rule::Overdue { .. })
                | (Self::IssuesWithAWrongClock, Rule::LocalClockWrong(_))
                | (Self::KeepsRemovedLicenses, Rule::NotAllocated { .. } | Rule::NothingAllocated)
                | (Self::IgnoresTheValidityOfLicenses, Rule::NotYetValid { .. } | Rule::Expired { .. })
                | (Self::IssuesWhenTampered, Rule::Tampered { .. })
        )
    }
}

impl FromStr for Mutant {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|mutant| mutant.name() == name);
        known.copied().ok_or_else(|| format!("there is no mutant {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_has_a_name_of_its_own() {
        for mutant in Mutant::ALL {
            assert_eq!(mutant.name().parse(), Ok(*mutant));
        }
        assert!("none".parse::<Mutant>().is_err());
    }
}
