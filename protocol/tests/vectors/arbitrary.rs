//! Any well-formed message.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use solme_sync_protocol::{
    Allocation, BASE, Component, Digest, InvalidRequestReason, KeyThumbprint, License, LicenseServerId, MainServerId,
    PublicJwk, Receipt, Refusal, RefusalCode, Request, SealingKey, UtcTime, limits,
};

static KEYS: LazyLock<Vec<PublicJwk>> = LazyLock::new(|| (0..4).map(|_| SealingKey::generate().public_jwk()).collect());

fn key() -> impl Strategy<Value = PublicJwk> {
    select(KEYS.as_slice())
}

fn thumbprint() -> impl Strategy<Value = KeyThumbprint> {
    key().prop_map(|key| key.thumbprint())
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    "[A-Za-z0-9][A-Za-z0-9_-]{0,63}".prop_map(|text| text.parse().expect("the form of P 2.7"))
}

fn integer() -> impl Strategy<Value = u64> {
    prop_oneof![0..=limits::INTEGER, Just(0), Just(limits::INTEGER)]
}

fn positive() -> impl Strategy<Value = u64> {
    integer().prop_map(|value| value.max(1))
}

fn time() -> impl Strategy<Value = UtcTime> {
    integer().prop_map(UtcTime::from_secs)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 16]>().prop_map(Digest::of)
}

fn printable(at_most: usize) -> impl Strategy<Value = String> {
    vec(b' '..=b'~', 1..=at_most).prop_map(|bytes| bytes.into_iter().map(char::from).collect())
}

/// Up to `at_most` characters, whatever they are.
fn people(at_least: usize, at_most: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), at_least..=at_most).prop_map(String::from_iter)
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    let names = (id::<LicenseServerId>(), id::<MainServerId>(), any::<[u8; 16]>());
    let product = (printable(64), printable(64));
    (names, time(), key(), option::of(people(0, 2_000)), time(), product).prop_map(
        |((license_server_id, main_server_id, id), made_at, sealing_jwk, last_receipt, high_water_mark, product)| {
            Request {
                version: 1,
                license_server_id,
                main_server_id,
                request_id: solme_sync_protocol::RequestId::from_random(id),
                made_at,
                sealing_jwk,
                last_receipt,
                high_water_mark,
                product: product.0,
                product_version: product.1,
            }
        },
    )
}

pub(crate) fn receipt() -> impl Strategy<Value = Receipt> {
    let names = (id::<MainServerId>(), id::<LicenseServerId>(), any::<[[u8; 16]; 3]>());
    let numbers = (positive(), positive(), integer(), integer());
    (names, time(), time(), thumbprint(), numbers, [digest(), digest(), digest()]).prop_map(
        |((main_server_id, license_server_id, random), main_server_time, by, key_thumbprint, numbers, digests)| {
            Receipt {
                version: 1,
                main_server_id,
                license_server_id,
                sync_id: solme_sync_protocol::SyncId::from_random(random[0]),
                main_server_time,
                request_id: solme_sync_protocol::RequestId::from_random(random[1]),
                request_digest: digests[0],
                key_thumbprint,
                key_generation: numbers.0,
                sequence: numbers.1,
                allocation_revision: numbers.2,
                synchronize_by: by,
                payload_name: solme_sync_protocol::PayloadName::from_random(random[2]),
                payload_size: numbers.3,
                payload_digest: digests[1],
                allocation_digest: digests[2],
            }
        },
    )
}

pub(crate) fn refusal() -> impl Strategy<Value = Refusal> {
    let code = (select(RefusalCode::ALL), select(InvalidRequestReason::ALL));
    let names = (id::<MainServerId>(), id::<LicenseServerId>());
    (names, time(), code, thumbprint(), digest(), people(0, 300), people(0, 300)).prop_map(
        |(
            (main_server_id, license_server_id),
            main_server_time,
            (code, reason),
            key_thumbprint,
            digest,
            text,
            cure,
        )| {
            Refusal {
                version: 1,
                main_server_id,
                license_server_id,
                main_server_time,
                code,
                reason: (code == RefusalCode::InvalidRequest).then_some(reason),
                key_thumbprint,
                request_digest: digest,
                text,
                cure,
            }
        },
    )
}

fn components() -> impl Strategy<Value = Vec<Component>> {
    let ids = btree_set("[A-Za-z0-9_-]{16}", 0..6);
    (ids, people(1, 64), positive()).prop_map(|(mut ids, name, max_users)| {
        ids.insert(BASE.to_owned());
        let component =
            |id: String| Component { id: id.parse().expect("16 characters"), name: name.clone(), max_users };
        ids.into_iter().map(component).collect()
    })
}

fn license(number: u64) -> impl Strategy<Value = License> {
    let domain = printable(128).prop_map(|text| text.trim().to_owned()).prop_filter("not empty", |t| !t.is_empty());
    let validity = (0..limits::INTEGER, option::of(1..1_000_000_u64));
    let properties = btree_map(people(1, 64), people(0, 256), 0..4);
    (option::of(printable(128)), option::of(domain), components(), validity, properties).prop_map(
        move |(display, domain, components, (valid_from, days), properties): (_, _, _, _, BTreeMap<_, _>)| License {
            number: format!("ABCDE-00000-00000-00000-00000-{number:07}").parse().expect("the form of P 7"),
            display,
            domain,
            components,
            valid_from: UtcTime::from_secs(valid_from),
            expires_at: days.map(|seconds| UtcTime::from_secs(valid_from).plus(seconds)),
            properties,
        },
    )
}

pub(crate) fn allocation() -> impl Strategy<Value = Allocation> {
    (integer(), 0..4_u64).prop_flat_map(|(revision, count)| {
        let licenses: Vec<_> = (0..count).map(license).collect();
        licenses.prop_map(move |licenses| Allocation { revision, licenses })
    })
}
