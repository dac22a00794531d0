//! Bugs in what is kept: the outstanding request, the cleared key pair, the times.

use license_server::testing::{Consequence, Fate, Times};
use solme_sync_protocol::{Receipt, Refusal, RefusalCode, Request, UtcTime};

use super::mutants;

/// Takes a refusal with this code for `key-pair-cleared`.
macro_rules! cleared_by {
    ($code:path) => {
        fn after_refusal(&self, refusal: &Refusal, copy_verifies: bool) -> Consequence {
            let consequence = Consequence::of(refusal.code, copy_verifies);
            Consequence { clears: consequence.clears || refusal.code == $code, ..consequence }
        }
    };
}

mutants! {
    /// P 12.3: every failure ends the request, whatever the answer to it is worth.
    EndsTheRequestWithAnyFailure = "ends-the-request-with-any-failure" {
        fn after_failure(&self, _: &str) -> Fate { Fate::Ends }
    }
    /// P 11.11: the second import of a response is a failure.
    FailsTheSecondImport = "fails-the-second-import" {
        fn takes_again(&self) -> bool { false }
    }
    /// P 12.3: every refusal ends the request.
    EndsTheRequestWithAnyRefusal = "ends-the-request-with-any-refusal" {
        fn after_refusal(&self, refusal: &Refusal, copy_verifies: bool) -> Consequence {
            Consequence { fate: Fate::Ends, ..Consequence::of(refusal.code, copy_verifies) }
        }
    }
    /// P 12.3: no refusal ends the request.
    KeepsTheRequestWithAnyRefusal = "keeps-the-request-with-any-refusal" {
        fn after_refusal(&self, refusal: &Refusal, copy_verifies: bool) -> Consequence {
            Consequence { fate: Fate::Stays, ..Consequence::of(refusal.code, copy_verifies) }
        }
    }
    /// P 9.3: an unknown license server id makes it cleared.
    IsClearedByAnUnknownId = "is-cleared-by-an-unknown-id" {
        cleared_by! { RefusalCode::UnknownLicenseServerId }
    }
    /// P 9.4: a limit of requests makes it cleared.
    IsClearedByARateLimit = "is-cleared-by-a-rate-limit" {
        cleared_by! { RefusalCode::RateLimited }
    }
    /// P 9.5: a disabled license server id makes it cleared.
    IsClearedByADisabledId = "is-cleared-by-a-disabled-id" {
        cleared_by! { RefusalCode::LicenseServerIdDisabled }
    }
    /// P 9.9: the key pair of another server, in use, makes it cleared.
    IsClearedByAKeyPairInUse = "is-cleared-by-a-key-pair-in-use" {
        cleared_by! { RefusalCode::KeyPairInUse }
    }
    /// P 9.12: a diverged state makes it cleared.
    IsClearedByADivergedState = "is-cleared-by-a-diverged-state" {
        cleared_by! { RefusalCode::StateDiverged }
    }
    /// P 12.4: `invalid-signature` ends the request, although the stored copy verifies.
    EndsADamagedCopysRequest = "ends-a-damaged-copys-request" {
        fn after_refusal(&self, refusal: &Refusal, _: bool) -> Consequence { Consequence::of(refusal.code, false) }
    }
    /// P 12.6: a cleared key pair changes nothing.
    GoesOnWhenCleared = "goes-on-when-cleared" {
        fn after_refusal(&self, refusal: &Refusal, copy_verifies: bool) -> Consequence {
            Consequence { clears: false, ..Consequence::of(refusal.code, copy_verifies) }
        }
    }
    /// P 17.2: has no high-water mark, the local clock is the time.
    TrustsTheLocalClock = "trusts-the-local-clock" {
        fn observed(&self, times: Times) -> Times { Times::starting_at(times.local_clock) }
    }
    /// P 17.3: states no mark in its requests.
    StatesNoMark = "states-no-mark" {
        fn request(&self, request: Request) -> Request {
            Request { high_water_mark: UtcTime::from_secs(0), ..request }
        }
    }
    /// P 17.5: every receipt lowers the mark.
    LowersTheMarkWithAnyReceipt = "lowers-the-mark-with-any-receipt" {
        fn settle(&self, times: Times, _: &Request, receipt: &Receipt) -> Times {
            Times { high_water_mark: receipt.main_server_time, set_back: 0, ..times }
        }
    }
    /// P 17.5: lowers the mark to the receipt, whatever has passed since the request was made.
    ForgetsWhatHasPassed = "forgets-what-has-passed" {
        fn settle(&self, times: Times, request: &Request, receipt: &Receipt) -> Times {
            let times = Times { advanced: 0, ..times };
            times.settle(request.made_at, request.high_water_mark, receipt.main_server_time)
        }
    }
}
