//! What the window shows of a state.

use std::sync::Arc;

use super::view;
use crate::server::LicenseServer;
use crate::tests::Environment;
use crate::tests::world::{MAIN_TIME, NUMBERS, allocation};

fn window(local: &Environment) -> String {
    let server = LicenseServer::open(local.state()).unwrap().with_clock(Arc::new(|| MAIN_TIME));
    let (status, verdict) = (server.status().unwrap(), server.may_issue_any().unwrap());
    let license = view::license(&status.licenses[0], &verdict).into_string();
    view::view(&status, &verdict, "<b>avix.example</b>").into_string() + &license
}

#[test]
fn the_window_shows_days_left_messages_licenses_and_components() {
    let shown = window(&Environment::synchronized());
    for wanted in [
        r#"<strong id="days">366</strong>"#,
        "expires at 2027-02-04",
        NUMBERS[0],
        NUMBERS[1],
        "Base",
        "DFX",
        "open to all",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
}

#[test]
fn text_of_others_is_text_in_the_window() {
    let local = Environment::new();
    let mut hostile = allocation(2, &[0, 1]);
    hostile.licenses[0].display = Some("<script>alert(1)</script>".to_owned());
    local.main().allocation = hostile;
    local.run("synchronize");
    let shown = window(&local);
    assert!(shown.contains("&lt;script&gt;") && !shown.contains("<script") && !shown.contains("<b>avix"), "{shown}");
}
