//! What meets foreign bytes in the programs, over inputs that are damaged at random: the targets of `fuzz/`, without a nightly
//! compiler. Those of the protocol crate are run by its own tests.

use mock_solme::quirks::Fault;
use mock_solme::testing::foreign;
use mock_solme::{ReceivedMail, api};
use solme_sync_harness::testing as harness;

use crate::{damage, programs};

#[test]
fn no_parser_of_the_programs_breaks_a_property_over_whole_and_damaged_seeds() {
    let seeds = damage::seeds(&["fuzz/seeds", "fixtures/scenarios", "fixtures/golden"]);
    assert!(seeds.len() > 60, "{} seeds", seeds.len());
    damage::try_all(&seeds, programs::ALL, 1_000);
}

fn seed(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A seed that is refused at its first byte leads a fuzzer nowhere.
#[test]
fn each_seed_of_the_programs_is_accepted_by_what_it_is_for() {
    let text = |name: &str| String::from_utf8(seed(name)).unwrap();
    assert!(foreign::admin_call::<api::NewId>(&seed("admin_new-id.json")).is_ok());
    assert!(foreign::admin_call::<api::LicenseTerms>(&seed("admin_license.json")).is_ok());
    assert!(foreign::admin_call::<api::Clear>(&seed("admin_clear.json")).is_ok());
    assert!(foreign::admin_call::<api::SetClock>(&seed("admin_set-clock.json")).is_ok());
    assert!(foreign::admin_call::<api::AdvanceClock>(&seed("admin_advance-clock.json")).is_ok());
    assert!(foreign::admin_call::<Fault>(&seed("admin_fault.json")).is_ok());
    assert_eq!(foreign::faults(&text("quirk_plan.toml")).map(|faults| faults.len()).ok(), Some(2));
    assert_eq!(harness::deviations(&text("deviations.toml")).map(|cases| cases.len()), Ok(2));
    assert_eq!(license_server::testing::settings(&seed("settings.toml")).map(drop), Ok(()));
    assert!(harness::answer(&seed("subject_answer.json")).is_some());
    assert!(harness::worker_line(&seed("subject_worker.json")).is_some());
    for (name, id) in [("mail_clear.eml", "DEMO-4711"), ("mail_multipart.eml", "SITE-1")] {
        let mail = ReceivedMail { envelope_from: None, envelope_to: Vec::new(), raw: seed(name) };
        assert!(foreign::mail(&mail).candidates.iter().any(|found| found.as_str() == id), "{name}");
    }
    let mails = |name: &str| foreign::smtp(&seed(name), usize::MAX).mails.into_iter().map(|mail| mail.raw);
    assert_eq!(mails("smtp_mail.txt").collect::<Vec<_>>(), [b"Subject: clear DEMO-4711\r\n\r\n.dots\r\n"]);
    assert_eq!(mails("smtp_smuggling.txt").count(), 1);
}
