//! The tables of ARCHITECTURE.md are what the benchmark has measured, and nobody's handiwork.
//!
//! ```text
//! cargo bench -p tests -- --json tests/benches/budgets.json    # measures
//! BUDGETS=overwrite cargo test -p tests --test all budgets     # writes the tables
//! ```

use std::fmt::Write as _;
use std::path::Path;

#[path = "../benches/budgets/measured.rs"]
mod measured;

use measured::{Load, Measured, Yardsticks};

const BEGIN: &str = "<!-- measured: tests/benches/budgets.json -->\n\n";
const END: &str = "\n<!-- end of what was measured -->";

#[test]
fn the_tables_of_budgets_are_those_that_were_measured() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = here.join("../ARCHITECTURE.md");
    let measured = std::fs::read(here.join("benches/budgets.json")).unwrap();
    let measured: Measured = serde_json::from_slice(&measured).unwrap();
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the mark before the tables");
    let (tables, after) = rest.split_once(END).expect("the mark after the tables");
    if std::env::var_os("BUDGETS").is_some_and(|wanted| wanted == "overwrite") {
        let written = [before, BEGIN, &tables_of(&measured), END, after].concat();
        std::fs::write(&page, written).unwrap();
        return;
    }
    assert_eq!(
        tables,
        tables_of(&measured),
        "write them with BUDGETS=overwrite cargo test -p tests --test all budgets"
    );
}

#[test]
fn a_number_has_as_many_digits_as_it_deserves_and_an_exceeded_budget_is_bold() {
    let measured = r#"{
        "load_average": 0.04,
        "cores": 2,
        "rounds": 5,
        "budgets": [
            { "what": "a", "measured": 0.0649, "budget": 1.4, "unit": "x" },
            { "what": "b", "measured": 2.349, "budget": 1.4, "unit": "x" }
        ],
        "yardsticks": { "cryptography": 347.1, "handshake": 81.2 },
        "loads": [{
            "what": "c", "first": 812.4, "later": 1234.5, "rate": 1746.6, "p50": 9.96, "p99": 64.2, "memory": 45.4
        }]
    }"#;
    let tables = tables_of(&serde_json::from_str(measured).unwrap());
    assert!(tables.contains("2 cores, load average 0.04 before; rounds: 5."), "{tables}");
    assert!(tables.contains("| a | 0.06 x | 1.4 x |\n| b | **2.3 x** | 1.4 x |\n"), "{tables}");
    assert!(tables.contains("verify + sign + seal (0.35 ms; a handshake takes 0.08 ms)"), "{tables}");
    assert!(tables.contains("| c | 0.81, 1.2 ms | 2.9 x | 1747/s | 10 ms, 64 ms | 45 MiB |\n"), "{tables}");
}

fn tables_of(measured: &Measured) -> String {
    let Measured { load_average, cores, rounds, budgets, yardsticks, loads } = measured;
    let mut text = format!(
        "{cores} cores, load average {load_average} before; rounds: {rounds}.\n\n| what | measured | budget |\n|---|---|---|\n"
    );
    for row in budgets {
        let measured::Budget { what, measured, budget, unit } = row;
        let mark = if row.exceeded() { "**" } else { "" };
        let _ = writeln!(text, "| {what} | {mark}{} {unit}{mark} | {budget} {unit} |", short(*measured));
    }
    let Some(Yardsticks { cryptography, handshake }) = yardsticks else { return text };
    let of = [*cryptography, *handshake].map(|microseconds| short(microseconds / 1e3));
    let _ = writeln!(
        text,
        "\n| load on the simulator | its CPU at first, later | against verify + sign + seal ({} ms; a handshake takes {} ms) | \
         rate | p50, p99 | memory |\n|---|---|---|---|---|---|",
        of[0], of[1]
    );
    for Load { what, first, later, rate, p50, p99, memory } in loads {
        let against = short((first + later) / 2.0 / cryptography);
        let [first, later] = [first, later].map(|microseconds| short(microseconds / 1e3));
        let [p50, p99] = [p50, p99].map(|milliseconds| short(*milliseconds));
        let _ = writeln!(
            text,
            "| {what} | {first}, {later} ms | {against} x | {rate:.0}/s | {p50} ms, {p99} ms | {memory:.0} MiB |"
        );
    }
    text
}

/// Two digits at least, and no more after the point than that takes.
fn short(value: f64) -> String {
    match value {
        ..0.995 => format!("{value:.2}"),
        ..9.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
