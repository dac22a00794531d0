//! Clauses that no case for a main server is about, each with its reason.

/// Of a whole section, or of one clause.
const REASONS: [(&str, &str); 21] = [
    ("1.4", "what every case does: it reads one answer to one request, and a refusal as an answer"),
    ("2.9", "every digest that a main server states is read strictly in every case, and compared in 4.8 and 7.5"),
    ("3.3", "binds the local server"),
    ("3.4", "binds the local server; that the main server seals to the one-time key is 7.3"),
    ("8.3", "binds the local server, which goes by the code"),
    ("9.4", "an extension that is off unless switched on; the contract has no verb to switch it on"),
    ("9.14", "a main server in trouble cannot be had for the asking"),
    ("11", "what the local server checks"),
    ("12", "the outstanding request is the local server's"),
    ("13.5", "binds the local server"),
    ("13.7", "a MAY, with refusals that cannot be had for the asking"),
    ("13.9", "a MAY that decides nothing; ours is seen in mock-solme/tests/simulator/refusals.rs"),
    ("13.10", "binds the local server"),
    ("15.2", "binds the local server, which reads the trust file"),
    ("15.3", "binds the local server, which keeps the identity"),
    ("16.5", "the old server is not told: there is nothing to see"),
    ("17", "time and the right to issue are the local server's"),
    ("10.2", "the way out is the operator's: it is a clear, or a restore"),
    ("13.12", "binds the local server"),
    ("14.7", "says what a file shows; the reservation is 16.7"),
    ("14.8", "says what cannot be seen"),
];

/// Why there is no case for a clause.
pub(crate) fn no_case(clause: &str) -> Option<&'static str> {
    let section = clause.split('.').next().unwrap_or_default();
    REASONS.iter().find(|(of, _)| *of == clause || *of == section).map(|(_, reason)| *reason)
}
