//! Every bad file is refused for its own defect.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use solme_sync_protocol::{
    Allocation, FileError, Malformed, Problem, PublicJwk, Receipt, Refusal, SyncFile, TrustFile, TrustFileError,
};

use crate::{Reason, folder, read, read_answer, read_request, reason, trusted};

/// A bad file: its header, and what is to be read.
struct Bad {
    name: String,
    read_as: String,
    expect: String,
    body: Vec<u8>,
}

impl Bad {
    fn parse(name: String, bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (header, body) = text.split_once("\n\n").unwrap_or_else(|| panic!("{name}: no empty line"));
        let line = |key: &str| {
            let found = header.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            found.unwrap_or_else(|| panic!("{name}: no line {key:?}")).to_owned()
        };
        assert!(!line("what").is_empty() && line("clause").starts_with("P "), "{name}");
        let body = match line("body").as_str() {
            "text" => body.as_bytes().to_vec(),
            "base64" => STANDARD.decode(body).unwrap_or_else(|e| panic!("{name}: {e}")),
            other => panic!("{name}: body {other:?}"),
        };
        Self { read_as: line("read-as"), expect: line("expect"), name, body }
    }

    /// The class has to be the same, and the message has to hold the words after the colon.
    fn fits(&self, found: &Reason) -> bool {
        let (class, words) = self.expect.split_once(": ").unwrap_or((&self.expect, ""));
        found.strip_prefix(class).and_then(|rest| rest.strip_prefix(": ")).is_some_and(|text| text.contains(words))
    }

    fn read(&self, trusted: &[PublicJwk]) -> Result<(), Reason> {
        let text = || String::from_utf8(self.body.clone()).unwrap_or_else(|e| panic!("{}: {e}", self.name));
        match self.read_as.as_str() {
            "request" => read_request(&text()).map(drop),
            "receipt" => read_answer::<Receipt>(&text(), trusted).map(drop),
            "refusal" => read_answer::<Refusal>(&text(), trusted).map(drop),
            "allocation" => Allocation::from_json(&self.body).map(drop).map_err(allocation),
            "file" => SyncFile::parse(&self.body).map(drop).map_err(file),
            "trust" => TrustFile::parse(&self.body).map(drop).map_err(trust),
            "problem" => refusal_in(&self.body).map(drop),
            other => panic!("{}: read-as {other:?}", self.name),
        }
    }
}

fn allocation(error: Malformed) -> Reason {
    let class = match error {
        Malformed::Json(_) => "json",
        Malformed::TooMany { .. } => "too-many",
        Malformed::DuplicateLicense(_) => "duplicate-license",
        Malformed::License { .. } => "license",
    };
    reason(class, error)
}

fn file(error: FileError) -> Reason {
    let class = match error {
        FileError::TooLarge { .. } => "too-large",
        FileError::NotASyncFile => "not-a-sync-file",
        FileError::Truncated => "truncated",
        FileError::Damaged(_) => "damaged",
        FileError::Version(_) => "version",
    };
    reason(class, error)
}

/// What a problem document carries: nothing is no refusal.
fn refusal_in(body: &[u8]) -> Result<String, Reason> {
    let problem = Problem::parse(body).map_err(|error| reason("json", error))?;
    problem.refusal.ok_or_else(|| reason("no-refusal", "the document is a hint"))
}

fn trust(error: TrustFileError) -> Reason {
    let class = match error {
        TrustFileError::TooLarge { .. } => "too-large",
        TrustFileError::Json(_) => "json",
        TrustFileError::Version(_) => "version",
        TrustFileError::Member { .. } => "member",
    };
    reason(class, error)
}

#[test]
fn every_bad_file_is_refused_for_its_own_defect() {
    let trusted = trusted();
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder("bad")).unwrap() {
        let entry = entry.unwrap();
        let bad = Bad::parse(entry.file_name().to_string_lossy().into_owned(), &read(entry.path()));
        count += 1;
        match bad.read(&trusted) {
            Err(found) if bad.fits(&found) => {}
            found => wrong.push(format!("{}: expected {:?}, got {found:?}", bad.name, bad.expect)),
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 300, "only {count} bad files");
}
