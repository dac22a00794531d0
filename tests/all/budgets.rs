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
        "yardsticks": {
            "alone": { "cryptography": 347.1, "handshake": 81.2 },
            "busy": { "cryptography": 501.0, "handshake": 102.0 }
        },
        "loads": [{
            "what": "c", "connections": 1, "first": 812.4, "later": 1234.5, "rate": 1746.6, "p50": 9.96, "p99": 64.2, "memory": 45.4
        }, {
            "what": "d", "connections": 16, "first": 812.4, "later": 1234.5, "rate": 1746.6, "p50": 9.96, "p99": 64.2, "memory": 45.4
        }]
    }"#;
    let tables = tables_of(&serde_json::from_str(measured).unwrap());
    assert!(tables.contains("2 cores, load average 0.04 before; rounds: 5."), "{tables}");
    assert!(tables.contains("| a | 0.06 x | 1.4 x |\n| b | **2.3 x** | 1.4 x |\n"), "{tables}");
    assert!(tables.contains("verify + sign + seal take 0.35 ms and a handshake of TLS 0.08"), "{tables}");
    assert!(tables.contains("0.50 and 0.10."), "{tables}");
    assert!(tables.contains("| c | 0.81, 1.2 ms | 2.9 x | 1747/s | 10 ms, 64 ms | 45 MiB |\n"), "{tables}");
    assert!(tables.contains("| d | 0.81, 1.2 ms | 2.0 x |"), "{tables}");
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
    let Some(yardsticks) = yardsticks else { return text };
    let Yardsticks { alone, busy } = yardsticks;
    let [verify, handshake, busy_verify, busy_handshake] =
        [alone.cryptography, alone.handshake, busy.cryptography, busy.handshake]
            .map(|microseconds| short(microseconds / 1e3));
    let _ = writeln!(
        text,
        "\nOn a core of their own, verify + sign + seal take {verify} ms and a handshake of TLS {handshake}: what one connection \
         is held against. With every core at it, as many connections keep them, {busy_verify} and {busy_handshake}.\n\n\
         | load on the simulator | its CPU at first, later | against verify + sign + seal | rate | p50, p99 | memory |\n\
         |---|---|---|---|---|---|"
    );
    for Load { what, connections, first, later, rate, p50, p99, memory } in loads {
        let against = short((first + later) / 2.0 / yardsticks.at(*connections).cryptography);
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
