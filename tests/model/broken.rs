//! Rules broken on purpose: whoever searches has to find each of them.

use license_server::testing::{Conduct as LicenseServerConduct, Rule, Times};
use mock_solme::StoreError;
use mock_solme::testing::registry::{self, Decision, Facts, Record, Refused};
use mock_solme::testing::{Conduct as MainServerConduct, Protocol};
use solme_sync_protocol::{
    Allocation, LicenseNumber, OpenError, PublicJwk, RefusalCode, Request, SealingKey, Signature, Verified, VerifyEs384,
};

use super::stand_in::{Honest, stand_in};

/// A rule that is broken, on one side.
pub(crate) struct Broken {
    pub(crate) rule: &'static str,
    pub(crate) license_server: &'static dyn LicenseServerConduct,
    pub(crate) main_server: &'static dyn MainServerConduct,
    /// How the law that it breaks begins.
    pub(crate) law: &'static str,
}

const WHOLE: &str = "a server with its state whole is never refused";

pub(crate) const ALL: &[Broken] = &[
    main_server("P 9.9: another key pair is bound over the one in use", &BindsOver, "while a key pair is in use"),
    main_server("P 9.7: the stored answer is not given again", &ForgetsItsAnswer, WHOLE),
    main_server("P 9.11: any claimed receipt is taken for the newest", &TakesAnyReceipt, "a copy or restored server"),
    main_server(
        "P 16.6: a reservation is ignored",
        &IgnoresReservations,
        "while a key pair is in use, or the id reserved",
    ),
    license_server("P 12.2: a new request is made while one is outstanding", &AsksAnew, WHOLE),
    license_server("P 12.1: a request is sent before it is stored", &SendsBeforeStoring, WHOLE),
    license_server(
        "P 17.1: licenses are issued past the deadline",
        &IssuesForEver,
        "nothing is issued past the deadline",
    ),
];

const fn main_server(rule: &'static str, broken: &'static dyn MainServerConduct, law: &'static str) -> Broken {
    Broken { rule, license_server: &Honest, main_server: broken, law }
}

const fn license_server(rule: &'static str, broken: &'static dyn LicenseServerConduct, law: &'static str) -> Broken {
    Broken { rule, license_server: broken, main_server: &Protocol, law }
}

type StoreFacts<'a> = &'a dyn Facts<Error = StoreError>;

/// Sees another record than there is.
macro_rules! sees {
    ($name:ident, $change:expr) => {
        #[derive(Debug)]
        struct $name;

        impl MainServerConduct for $name {
            fn decide(
                &self,
                record: Option<&Record>,
                request: &Verified<Request>,
                facts: StoreFacts<'_>,
            ) -> Result<Decision, StoreError> {
                let mut record = record.cloned();
                let change: fn(&mut Record, &Verified<Request>) = $change;
                record.iter_mut().for_each(|record| change(record, request));
                registry::decide(record.as_ref(), request, facts)
            }
        }
    };
}

sees!(BindsOver, |record, request| {
    record.key_pair_in_use = record.key_pair_in_use.take().filter(|bound| bound.thumbprint == request.thumbprint());
});
sees!(IgnoresReservations, |record, _| record.reserved_for = None);
sees!(TakesAnyReceipt, |record, request| {
    let claimed = request.read().ok().and_then(|content| content.last_receipt);
    if let (Some(claimed), Some(in_use)) = (claimed, &mut record.key_pair_in_use)
        && in_use.newest_answer.request_digest != request.signed().digest()
    {
        in_use.newest_answer.receipt = claimed;
    }
});

#[derive(Debug)]
struct ForgetsItsAnswer;

impl MainServerConduct for ForgetsItsAnswer {
    fn decide(
        &self,
        record: Option<&Record>,
        request: &Verified<Request>,
        facts: StoreFacts<'_>,
    ) -> Result<Decision, StoreError> {
        Ok(match registry::decide(record, request, facts)? {
            Decision::Resend(_) => Decision::Refuse(Refused {
                code: RefusalCode::RequestAlreadyAnswered,
                ..Refused::temporarily_unavailable()
            }),
            other => other,
        })
    }
}

#[derive(Debug)]
struct AsksAnew;

impl LicenseServerConduct for AsksAnew {
    stand_in!();

    fn sends_again(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct SendsBeforeStoring;

impl LicenseServerConduct for SendsBeforeStoring {
    stand_in!();

    fn stores_before_sending(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct IssuesForEver;

impl LicenseServerConduct for IssuesForEver {
    stand_in!();

    fn rule(&self, rule: Rule, _: Option<&Allocation>, _: &Times, _: Option<&LicenseNumber>) -> Rule {
        if matches!(rule, Rule::Overdue { .. }) { Rule::MayIssue { licenses: 1 } } else { rule }
    }
}
