//! Clauses that no case for a License Server is about, each with its reason.

const REASONS: [(&str, &str); 26] = [
    ("2.6", "every time in a request is parsed strictly in 5.1"),
    ("3.5", "binds the main server"),
    ("4.8", "a wrong request digest fails 11.3"),
    ("7.4", "a wrong info opens nothing: 7.3 and 11.7"),
    ("7.5", "wrong digests fail 11.6 and 11.7"),
    ("8.3", "texts for people are not part of the contract"),
    ("9.1", "a conforming License Server sends no unreadable request"),
    ("9.8", "a conforming License Server sends no invalid request; the effect of the refusal is 12.3"),
    ("9.10", "binds the main server"),
    ("9.11", "binds the main server"),
    ("9.13", "binds the main server"),
    ("9.14", "trouble of the main server cannot be provoked; its code is covered by 10.1"),
    ("9.15", "binds the main server"),
    ("13.7", "a MAY, and a wait is all one could see"),
    ("13.9", "binds the main server, and decides nothing"),
    ("13.10", "a MAY, and the contract has no verb for a service; ours is tested in client/src/tests/automatic.rs"),
    ("16.1", "the mail is not part of the contract"),
    ("16.2", "binds the main server"),
    ("16.6", "binds the main server"),
    ("17.9", "describes what cannot be observed"),
    ("10.2", "the cure is the vendor's; that the local server keeps working is 17.8"),
    ("13.11", "binds the main server; that such an answer is never a refusal is 8.2 and 13.8"),
    ("13.12", "a verb that does not end fails its case after 20 seconds; the defaults are settings"),
    ("14.7", "describes what a file reveals, and what the vendor can do"),
    ("14.8", "describes what cannot be observed"),
    ("16.7", "binds the main server"),
];

/// Why there is no case for a clause.
pub(crate) fn no_case(clause: &str) -> Option<&'static str> {
    REASONS.iter().find(|(of, _)| *of == clause).map(|(_, reason)| *reason)
}
