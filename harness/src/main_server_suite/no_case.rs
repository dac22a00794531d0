//! Clauses that no case for a main server is about, each with its reason.

/// Of a whole section, or of one clause.
const REASONS: [(&str, &str); 21] = [
    ("1.4", "every case covers it: one answer to one request, and a refusal as an answer"),
    ("2.9", "every digest of a main server is parsed strictly in every case, and compared in 4.8 and 7.5"),
    ("3.3", "binds the local server"),
    ("3.4", "binds the local server; that the main server seals to the one-time key is 7.3"),
    ("8.3", "binds the local server, which goes by the code"),
    ("9.4", "an extension that is off by default; the contract has no verb to turn it on"),
    ("9.14", "trouble of the main server cannot be provoked"),
    ("11", "the local server's checks"),
    ("12", "the outstanding request is the local server's"),
    ("13.5", "binds the local server"),
    ("13.7", "a MAY, with refusals that cannot be provoked"),
    ("13.9", "a MAY that decides nothing; ours is tested in mock-solme/tests/simulator/refusals.rs"),
    ("13.10", "binds the local server"),
    ("15.2", "binds the local server, which reads the trust file"),
    ("15.3", "binds the local server, which keeps the identity"),
    ("16.5", "the old server is not told, so there is nothing to see"),
    ("17", "time and the right to issue are the local server's"),
    ("10.2", "the cure is the operator's: a clear or a restore"),
    ("13.12", "binds the local server"),
    ("14.7", "describes what a file reveals; the reservation is 16.7"),
    ("14.8", "describes what cannot be observed"),
];

/// Why there is no case for a clause.
pub(crate) fn no_case(clause: &str) -> Option<&'static str> {
    let section = clause.split('.').next().unwrap_or_default();
    REASONS.iter().find(|(of, _)| *of == clause || *of == section).map(|(_, reason)| *reason)
}
