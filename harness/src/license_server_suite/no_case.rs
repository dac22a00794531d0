//! Clauses that no case for a License Server is about, each with its reason.

const REASONS: [(&str, &str); 26] = [
    ("2.6", "every time in a request is read strictly, which 5.1 looks at"),
    ("3.5", "binds the main server"),
    ("4.8", "a request digest that is taken otherwise lets nothing through: 11.3"),
    ("7.4", "another info opens nothing: 7.3, and 11.7 with a wrong one"),
    ("7.5", "other digests let nothing through: 11.6 and 11.7"),
    ("8.3", "what people are shown is no part of the contract"),
    ("9.1", "an unreadable request cannot be had from a License Server that conforms"),
    ("9.8", "a request that is not valid cannot be had from a License Server that conforms; its effect is 12.3"),
    ("9.10", "binds the main server"),
    ("9.11", "binds the main server"),
    ("9.13", "binds the main server"),
    ("9.14", "a main server in trouble cannot be had for the asking; the code is heard in 10.1"),
    ("9.15", "binds the main server"),
    ("13.7", "a MAY, and waiting would be all that there is to see"),
    ("13.9", "binds the main server, and decides nothing"),
    ("13.10", "a MAY, and the contract has no verb for a service; ours is seen in client/src/tests/automatic.rs"),
    ("16.1", "the mail is no part of the contract"),
    ("16.2", "binds the main server"),
    ("16.6", "binds the main server"),
    ("17.9", "says what cannot be seen"),
    ("10.2", "the way out is the vendor's; that the local server goes on is 17.8"),
    ("13.11", "binds the main server; that no such answer is a refusal is 8.2 and 13.8"),
    ("13.12", "a verb that does not end fails its case after 20 seconds; the defaults are settings"),
    ("14.7", "says what a file shows, and what the vendor can do"),
    ("14.8", "says what cannot be seen"),
    ("16.7", "binds the main server"),
];

/// Why there is no case for a clause.
pub(crate) fn no_case(clause: &str) -> Option<&'static str> {
    REASONS.iter().find(|(of, _)| *of == clause).map(|(_, reason)| *reason)
}
