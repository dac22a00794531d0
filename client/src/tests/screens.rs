//! What a person sees on a screen. That every line fits is looked at in each test, by [`Environment::run`].

use super::Environment;
use crate::output::Exit;
use crate::seams::Seams;

/// The text of a command on a screen of 60 columns, without styles.
fn screen(local: &Environment, words: &[&str]) -> String {
    let report = local.report(words.iter().map(|word| (*word).to_owned()), local.seams());
    anstream::adapter::strip_str(&report.text.for_screen(Some(60))).to_string()
}

#[test]
fn long_names_go_on_in_the_next_line_and_license_numbers_stay_whole() {
    let local = Environment::new();
    for license in &mut local.main().allocation.licenses {
        license.display = Some("Gate 7 to 11, with the long conveyor belt and its two cranes".to_owned());
        license.domain = Some("plant-2.example".to_owned());
        license.components[0].name = "Connections to controllers of every make and model".to_owned();
    }
    assert_eq!(local.run("synchronize").exit, Exit::Done);
    let number = local.main().allocation.licenses[0].number.to_string();
    let status = screen(&local, &["status"]);
    let rows: Vec<&str> =
        status.lines().skip_while(|line| !line.starts_with("license ") || line.contains("server id")).collect();
    assert_eq!(rows[0], format!(r#"license {number} "Gate 7 to 11,"#), "{status}");
    assert_eq!(rows[1], r#"  with the long conveyor belt and its two cranes""#, "{status}");
    assert_eq!(rows[2], "  from 2027-01-15T08:00:00Z until 2037-01-12T08:00:00Z,", "{status}");
    assert_eq!(rows[3], "    domain plant-2.example", "{status}");
    assert!(rows.contains(&"  Connections to controllers of every make and model 5 users"), "{status}");

    local.main().allocation.revision += 1;
    local.main().allocation.licenses[0].display = Some("Gate 8".to_owned());
    let changes = screen(&local, &["synchronize"]);
    assert!(changes.contains(&format!("\n  ~ {number} changed: display:\n    Gate 7 ")), "{changes}");
    assert!(screen(&local, &["history"]).contains("\n    synchronization number 2, 0 added, 0 removed, 1 changed\n"));
    assert!(screen(&local, &["doctor"]).lines().all(|line| line.chars().count() <= 60));
}

#[test]
fn without_a_screen_tables_have_80_columns_and_sentences_one_line() {
    let local = Environment::new();
    local.main().allocation.licenses[0].display =
        Some("A display of a length that no screen of eighty columns holds".to_owned());
    assert_eq!(local.run("synchronize").exit, Exit::Done);
    let report =
        local.report(["status".to_owned()].into_iter(), Seams::default().with_clock(|| crate::tests::world::MAIN_TIME));
    let text = report.text.for_screen(None);
    let (sentences, rows): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.contains("Note: ") || line.contains("Next: "));
    assert!(sentences.len() == 2 && rows.iter().all(|row| textwrap::core::display_width(row) <= 80), "{text}");
    let report = local.report(["import-response".to_owned(), "no/such/file".repeat(12)].into_iter(), local.seams());
    assert_eq!(report.text.for_screen(None).lines().count(), 2);
}
