//! Limits of PROTOCOL.md 18 that would make large fixtures: just enough is accepted, one more is not.

use solme_sync_protocol::{
    Allocation, FileError, Malformed, Message as _, Problem, Receipt, Refusal, Request, SEALING_OVERHEAD, Salt, Signed,
    SyncFile, TrustFile, TrustFileError, Unreadable, base64url, limits,
};

use crate::{golden, golden_text, read_answer, read_request, trusted};

#[test]
fn licenses_of_an_allocation() {
    let sample = Allocation::from_json(&golden("allocation-1.json")).unwrap();
    let with = |count: usize| {
        let mut allocation = Allocation { licenses: Vec::new(), ..sample };
        for n in 0..count {
            let mut license = sample.licenses[0].clone();
            license.number = format!("AVIX1-00000-00000-00000-00000-{n:07}").parse().unwrap();
            allocation.licenses.push(license);
        }
        Allocation::from_json(&allocation.to_json(&Salt::from_random([1; 16]))).map(|read| read.licenses.len())
    };
    assert_eq!(with(limits::LICENSES), Ok(limits::LICENSES));
    let what = "licenses".to_owned();
    assert_eq!(with(limits::LICENSES + 1), Err(Malformed::TooMany { what, found: 1_001, at_most: 1_000 }));
}

#[test]
fn bytes_of_an_allocation() {
    let padded = |bytes: usize| {
        let mut json = golden("allocation-1.json");
        json.resize(bytes, b' ');
        Allocation::from_json(&json).map(drop)
    };
    assert_eq!(padded(limits::ALLOCATION), Ok(()));
    assert_eq!(limits::ALLOCATION + SEALING_OVERHEAD, limits::PAYLOAD);
    let (found, at_most) = (limits::ALLOCATION + 1, limits::ALLOCATION);
    assert_eq!(padded(found), Err(Malformed::TooMany { what: "bytes".to_owned(), found, at_most }));
}

#[test]
fn bytes_of_a_file() {
    let padded = |bytes: usize| {
        let mut file = golden("response-file.json");
        file.resize(bytes, b'\n');
        SyncFile::parse(&file).map(drop)
    };
    assert_eq!(padded(limits::FILE), Ok(()));
    assert_eq!(padded(limits::FILE + 1), Err(FileError::TooLarge { bytes: limits::FILE + 1 }));
}

#[test]
fn bytes_of_a_trust_file_and_of_a_problem() {
    let padded = |name: &str, bytes: usize| {
        let mut json = golden(name);
        json.resize(bytes, b' ');
        json
    };
    assert!(TrustFile::parse(&padded("trust.json", limits::TRUST_FILE)).is_ok());
    let bytes = limits::TRUST_FILE + 1;
    assert_eq!(TrustFile::parse(&padded("trust.json", bytes)), Err(TrustFileError::TooLarge { bytes }));
    assert!(Problem::parse(&padded("problem-key-pair-in-use.json", limits::PROBLEM)).is_ok());
    assert!(Problem::parse(&padded("problem-key-pair-in-use.json", limits::PROBLEM + 1)).is_err());
}

#[test]
fn a_trust_file_that_fits_is_written_so_that_it_fits() {
    let mut trust = TrustFile::parse(&golden("trust.json")).unwrap();
    let room = limits::TRUST_FILE - serde_json::to_vec(&trust).unwrap().len();
    trust.ca_certificate += &"x".repeat(room);
    let largest = serde_json::to_vec(&trust).unwrap();
    assert_eq!((largest.len(), TrustFile::parse(&largest)), (limits::TRUST_FILE, Ok(trust.clone())));
    assert_eq!(TrustFile::parse(&trust.to_json()), Ok(trust));
}

#[test]
fn characters_of_texts() {
    fn met(limit: usize, check: impl Fn(String) -> Result<(), String>) {
        assert_eq!(check("x".repeat(limit)), Ok(()));
        assert!(check("x".repeat(limit + 1)).is_err());
    }
    let request = read_request(&golden_text("request-1.jws")).unwrap();
    met(limits::PRODUCT, |product| Request { product, ..request.clone() }.check());
    met(limits::PRODUCT, |product_version| Request { product_version, ..request.clone() }.check());
    met(limits::ANSWER, |receipt| Request { last_receipt: Some(receipt), ..request.clone() }.check());
    let trust = TrustFile::parse(&golden("trust.json")).unwrap();
    met(limits::NAME, |name| {
        TrustFile::parse(&TrustFile { name, ..trust.clone() }.to_json()).map(drop).map_err(|error| error.to_string())
    });
    let refusal: Refusal = read_answer(&golden_text("refusal-state-diverged.jws"), &trusted()).unwrap();
    met(limits::TEXT, |text| Refusal { text, ..refusal.clone() }.check());
    met(limits::TEXT, |cure| Refusal { cure, ..refusal.clone() }.check());
}

#[test]
fn bytes_of_a_header() {
    let request = golden_text("request-1.jws");
    let (header, rest) = request.split_once('.').unwrap();
    let padded = |bytes: usize| {
        let mut header = base64url::decode(header).unwrap();
        header.resize(bytes, b' ');
        Signed::<Request>::parse(&format!("{}.{rest}", base64url::encode(header))).map(drop)
    };
    assert_eq!(padded(limits::HEADER), Ok(()));
    assert!(matches!(padded(limits::HEADER + 1), Err(Unreadable::Header(_))));
}

#[test]
fn bytes_of_a_message() {
    fn check<M: solme_sync_protocol::Message>(good: &str, at_most: usize) {
        let long = |bytes: usize| format!("{}{good}", "A".repeat(bytes - good.len()));
        let too_large = Err(Unreadable::TooLarge { bytes: at_most + 1, at_most });
        assert_eq!(Signed::<M>::parse(&long(at_most + 1)).map(drop), too_large);
        assert!(matches!(
            Signed::<M>::parse(&long(at_most)),
            Err(Unreadable::NotCompactJws(_) | Unreadable::Header(_))
        ));
        assert!(!matches!(Signed::<M>::parse(good), Err(Unreadable::TooLarge { .. })));
    }
    check::<Request>(&golden_text("request-1.jws"), 16_384);
    check::<Receipt>(&golden_text("receipt-1.jws"), 8_192);
    check::<Refusal>(&golden_text("refusal-state-diverged.jws"), 8_192);
}
