//! Messages that foreign libraries made (`tests/peer/run.sh`).

use std::path::PathBuf;

use solme_sync_protocol::{
    Allocation, Digest, PublicJwk, Receipt, Refusal, RefusalCode, Request, RustCrypto, SealingKey, Signed, base64url,
    parse_json, sealing_info,
};

use crate::{read, read_answer, read_request};

fn made(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("PEER_MESSAGES").expect("PEER_MESSAGES names the folder that interop.py wrote");
    read(PathBuf::from(folder).join(name))
}

fn made_text(name: &str) -> String {
    String::from_utf8(made(name)).expect("text")
}

#[test]
#[ignore = "needs Python and the messages that it makes: tests/peer/run.sh runs it"]
fn messages_of_foreign_libraries_are_opened() {
    let request = made_text("request.jws");
    let digest = Signed::<Request>::parse(&request).unwrap().digest();
    let verified = Signed::<Request>::parse(&request).unwrap().verify(&RustCrypto).unwrap();
    assert_eq!(verified.thumbprint().to_string(), made_text("local-server.thumbprint"));
    let request = read_request(&request).unwrap();

    let trusted: [PublicJwk; 1] = [parse_json(&made("main-server-key.jwk.json")).unwrap()];
    let receipt: Receipt = read_answer(&made_text("receipt.jws"), &trusted).unwrap();
    assert_eq!((receipt.request_id, receipt.request_digest), (request.request_id, digest));
    assert_eq!(receipt.key_thumbprint.to_string(), made_text("local-server.thumbprint"));
    assert_eq!(receipt.synchronize_by, receipt.main_server_time.synchronize_by());

    let key = SealingKey::from_bytes(&base64url::decode(made_text("sealing-key.d")).unwrap()).unwrap();
    assert_eq!(key.public_jwk(), request.sealing_jwk);
    let info = sealing_info(&receipt.main_server_id, &receipt.license_server_id, &digest, &receipt.sync_id);
    for payload in ["payload-pyhpke.bin", "payload-cryptography.bin"] {
        let clear = key.open(&info, &made(payload)).unwrap_or_else(|e| panic!("{payload}: {e}"));
        assert_eq!(clear, made("allocation.json"), "{payload}");
        assert_eq!(Digest::of(&clear), receipt.allocation_digest);
        assert_eq!(Allocation::from_json(&clear).unwrap().revision, receipt.allocation_revision);
    }
    assert_eq!(Digest::of(made("payload-pyhpke.bin")), receipt.payload_digest);

    let refusal: Refusal = read_answer(&made_text("refusal.jws"), &trusted).unwrap();
    assert_eq!((refusal.code, refusal.request_digest), (RefusalCode::KeyPairInUse, digest));
}
