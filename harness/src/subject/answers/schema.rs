//! `harness/schema/` is what the types say. `WRITE_SCHEMAS=1 cargo test -p solme-sync-harness schema` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};
use solme_sync_protocol::RefusalCode;

use super::*;

/// If the outcome is `outcome`, then `then`.
fn if_outcome(outcome: &str, then: Value) -> Value {
    json!({ "if": { "properties": { "outcome": { "const": outcome } } }, "then": then })
}

fn code(codes: Vec<&str>) -> Value {
    json!({ "required": ["code"], "properties": { "code": { "enum": codes } } })
}

pub(super) fn code_of_a_refusal() -> Value {
    if_outcome("refused", code(RefusalCode::ALL.iter().map(|code| code.as_str()).collect()))
}

pub(super) fn code_of_a_failure() -> Value {
    if_outcome("failed", code(FAILURES.to_vec()))
}

pub(super) fn changes() -> Value {
    if_outcome("synchronized", json!({ "required": ["changes"], "properties": { "changes": { "type": "object" } } }))
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator()
}

/// The schema of an answer.
fn of<T: JsonSchema>() -> Value {
    generator().into_root_schema_for::<T>().to_value()
}

/// The schema of an answer that may be replaced by a failure.
fn or_failed<T: JsonSchema>() -> Value {
    let mut answer = of::<T>();
    let failed = json!({
        "required": ["outcome", "code"],
        "properties": { "outcome": { "const": "failed" }, "code": { "enum": FAILURES } },
    });
    let of_the_page = answer.as_object_mut().map(|answer| (answer.remove("$schema"), answer.remove("description")));
    let (schema, description) = of_the_page.unwrap_or_default();
    json!({ "$schema": schema, "description": description, "anyOf": [answer, failed] })
}

/// The verbs of SUBJECT.md, and what they answer.
fn all() -> BTreeMap<&'static str, Value> {
    let mut all = BTreeMap::from([
        ("status", or_failed::<Status>()),
        ("may-issue", or_failed::<MayIssue>()),
        ("synchronize", of::<Synchronization>()),
        ("import-response", of::<Synchronization>()),
        ("serve", of::<Serving>()),
        ("clear", of::<Cleared>()),
        ("worker", of::<super::super::worker::Said>()),
    ]);
    for verb in ["init", "export-request", "new-key-pair", "set-clock"] {
        all.insert(verb, of::<CarriedOut>());
    }
    for verb in ["add-id", "allocate", "remove-license", "disable", "enable", "reserve", "advance-clock"] {
        all.insert(verb, of::<Controlled>());
    }
    for verb in ["process-request", "snapshot", "restore"] {
        all.insert(verb, of::<Controlled>());
    }
    for (verb, schema) in &mut all {
        schema["title"] = json!(format!("The answer to {verb} (harness/SUBJECT.md)"));
    }
    all
}

#[test]
fn the_schemas_are_those_of_the_types_and_each_verb_has_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let page = include_str!("../../../SUBJECT.md");
    for (verb, schema) in all() {
        let path = folder.join(format!("{verb}.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("WRITE_SCHEMAS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "{}: WRITE_SCHEMAS=1", path.display());
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), all().len(), "a file of no verb");
    // A verb, its flags, its answer.
    let rows = page.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 4);
    let verbs = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2));
    let verbs: BTreeSet<&str> = verbs.chain(["worker"]).collect();
    assert_eq!(verbs, all().into_keys().collect());
}

/// What is wrong with an answer, as a report says it.
fn got<T: DeserializeOwned + fmt::Debug>(answer: Value) -> String {
    match read::<T>("status", &answer) {
        Err(Finding::Deviates { got, .. }) => got.lines().next().unwrap_or_default().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_wrong_with_an_answer_is_named() {
    let status = json!({ "state": "synchronized", "key_thumbprint": "t", "licenses": ["A", "B"] });
    assert!(read::<Status>("status", &status).is_ok(), "null and absent are the same");
    let with = |member: &str, value: Value| {
        let mut status = status.clone();
        status[member] = value;
        status
    };
    for (answer, wanted) in [
        (with("licenses", json!(["A", 5])), "licenses[1]: invalid type: integer `5`, expected a string"),
        (with("sequence", json!("1")), "sequence: invalid type: string \"1\", expected u64"),
        (with("sequence", json!(-1)), "sequence: invalid value: integer `-1`, expected u64"),
        (
            with("state", json!("fine")),
            "state: unknown variant `fine`, expected one of `unsynchronized`, `synchronized`, `overdue`, `cleared`, `tampered`",
        ),
        (json!({ "state": "cleared" }), "missing field `key_thumbprint`"),
    ] {
        assert_eq!(got::<Status>(answer), wanted);
    }
    let changes = json!({ "added": [], "removed": [] });
    for (answer, wanted) in [
        (
            json!({ "outcome": "ok" }),
            "outcome: unknown variant `ok`, expected one of `synchronized`, `refused`, `failed`",
        ),
        (json!({ "outcome": "refused" }), "missing field `code`, which `refused` has"),
        (json!({ "outcome": "synchronized" }), "missing field `changes`, which `synchronized` has"),
        (json!({ "outcome": "synchronized", "changes": changes }), "changes: missing field `changed`"),
    ] {
        assert_eq!(got::<Synchronized>(answer), wanted);
    }
    let code = got::<Synchronized>(json!({ "outcome": "failed", "code": "key-pair-in-use" }));
    assert!(
        code.starts_with("code: unknown variant `key-pair-in-use` of `failed`, expected one of not-reached, "),
        "{code}"
    );
    let done = got::<Done>(json!({ "outcome": "synchronized" }));
    assert_eq!(done, "outcome: unknown variant `synchronized`, expected `done` or `failed`");
    assert_eq!(
        got::<MayIssue>(json!({ "may_issue": "yes" })),
        "may_issue: invalid type: string \"yes\", expected a boolean"
    );
}
