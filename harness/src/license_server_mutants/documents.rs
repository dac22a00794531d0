//! Bugs in what is read: allocations, response files, trust files and problem documents that are not as they have to be.

use std::borrow::Cow;
use std::collections::BTreeSet;

use license_server::testing::Document;
use serde_json::{Value, json};
use solme_sync_protocol::{BASE, base64url};

use super::lenient::{Members, components, document, last_of_each, licenses};
use super::mutants;

/// Mutants that take one kind of defective document.
macro_rules! readers {
    ($($(#[doc = $doc:literal])+ $mutant:ident = $name:literal $document:ident $fix:expr;)+) => {
        mutants! {$(
            $(#[doc = $doc])+
            $mutant = $name {
                fn document<'a>(&self, document: Document, bytes: &'a [u8]) -> Cow<'a, [u8]> {
                    let fix: fn(&'a [u8]) -> Cow<'a, [u8]> = $fix;
                    if document == Document::$document { fix(bytes) } else { Cow::Borrowed(bytes) }
                }
            }
        )+}
    };
}

readers! {
    /// P 11.8: takes any display string.
    TakesAnyDisplay = "takes-any-display" Allocation |bytes| licenses(bytes, |license| text(license, "display"));
    /// P 11.8: takes any domain.
    TakesAnyDomain = "takes-any-domain" Allocation |bytes| licenses(bytes, |license| text(license, "domain"));
    /// P 11.8: takes any license number.
    TakesAnyLicenseNumber = "takes-any-license-number" Allocation |bytes| licenses(bytes, |license| {
        if license.get("number").is_some_and(|number| number.as_str().is_some_and(|number| number.len() < 37)) {
            license.insert("number".to_owned(), json!("AVIX1-00000-00000-00000-00000-DEMO001"));
        }
    });
    /// P 11.8: takes a license of which Base is no part.
    DoesNotNeedBase = "does-not-need-base" Allocation |bytes| components(bytes, |components| {
        if components.iter().all(|component| component["id"] != BASE) {
            components.push(json!({ "id": BASE, "name": "Base", "max_users": 1 }));
        }
    });
    /// P 11.8: takes a license that ends before it begins.
    TakesAnEndBeforeTheBeginning = "takes-an-end-before-the-beginning" Allocation |bytes| licenses(bytes, |license| {
        if license.get("expires_at").and_then(Value::as_u64) <= license.get("valid_from").and_then(Value::as_u64) {
            license.insert("expires_at".to_owned(), Value::Null);
        }
    });
    /// P 11.8: takes two licenses of one number.
    TakesALicenseTwice = "takes-a-license-twice" Allocation |bytes| document(bytes, |allocation| {
        let mut seen = BTreeSet::new();
        if let Some(licenses) = allocation.get_mut("licenses").and_then(Value::as_array_mut) {
            licenses.retain(|license| seen.insert(license["number"].to_string()));
        }
    });
    /// P 11.8: takes two components of one id.
    TakesAComponentTwice = "takes-a-component-twice" Allocation |bytes| components(bytes, |components| {
        let mut seen = BTreeSet::new();
        components.retain(|component| seen.insert(component["id"].to_string()));
    });
    /// P 11.8: takes a component for nobody.
    TakesAComponentForNobody = "takes-a-component-for-nobody" Allocation |bytes| components(bytes, |components| {
        for component in components.iter_mut().filter(|component| component["max_users"] == 0) {
            component["max_users"] = json!(1);
        }
    });
    /// P 11.8: takes any component id.
    TakesAnyComponentId = "takes-any-component-id" Allocation |bytes| components(bytes, |components| {
        components.retain(|component| component["id"].as_str().is_some_and(|id| id.len() == 16 && !id.contains('+')));
    });
    /// P 7.2: takes a license without some of its members.
    DoesNotNeedAllMembers = "does-not-need-all-members" Allocation |bytes| licenses(bytes, |license| {
        for name in ["display", "domain", "expires_at"] {
            license.entry(name).or_insert(Value::Null);
        }
        license.entry("properties").or_insert(json!({}));
    });
    /// P 2.2: takes two members of one name in an allocation.
    TakesAMemberTwice = "takes-a-member-of-an-allocation-twice" Allocation last_of_each;
    /// P 2.5: takes an allocation revision with a fraction.
    TakesAFractionOfARevision = "takes-a-fraction-of-a-revision" Allocation |bytes| document(bytes, |allocation| {
        if let Some(revision) = allocation.get("revision").and_then(Value::as_f64) {
            allocation.insert("revision".to_owned(), json!(revision.to_string().parse::<u64>().unwrap_or_default()));
        }
    });
    /// P 11.8: takes more licenses than there may be.
    TakesTooManyLicenses = "takes-too-many-licenses" Allocation |bytes| document(bytes, |allocation| {
        if let Some(licenses) = allocation.get_mut("licenses").and_then(Value::as_array_mut) {
            licenses.truncate(1_000);
        }
    });
    /// P 11.8: takes more components than there may be.
    TakesTooManyComponents = "takes-too-many-components" Allocation
        |bytes| components(bytes, |components| components.truncate(64));
    /// P 11.8: takes more properties than there may be.
    TakesTooManyProperties = "takes-too-many-properties" Allocation |bytes| licenses(bytes, |license| {
        if let Some(properties) = license.get_mut("properties").and_then(Value::as_object_mut) {
            *properties = std::mem::take(properties).into_iter().take(64).collect();
        }
    });
    /// P 2.4: takes a payload with padding in a file.
    TakesAPaddedPayload = "takes-a-padded-payload" ResponseFile |bytes| document(bytes, |file| {
        let pieces = file.get_mut("payload").and_then(Value::as_array_mut).into_iter().flatten();
        for piece in pieces {
            *piece = json!(piece.as_str().unwrap_or_default().replace('=', ""));
        }
    });
    /// P 14.2: takes a message in one string.
    TakesAMessageInOneString = "takes-a-message-in-one-string" ResponseFile |bytes| document(bytes, |file| {
        if let Some(message) = file.get("message").filter(|message| message.is_string()).cloned() {
            file.insert("message".to_owned(), json!([message]));
        }
    });
    /// P 14.2: does not read the version of a file.
    DoesNotReadTheVersionOfAFile = "does-not-read-the-version-of-a-file" ResponseFile
        |bytes| document(bytes, |file| drop(file.insert("version".to_owned(), json!(1))));
    /// P 14.2: does not mind a payload beside a refusal.
    TakesAPayloadBesideARefusal = "takes-a-payload-beside-a-refusal" ResponseFile |bytes| document(bytes, |file| {
        if message_says_refusal(file) {
            file.remove("payload");
        }
    });
    /// P 2.2: takes two members of one name in a file.
    TakesTwoMembersInAFile = "takes-two-members-in-a-file" ResponseFile last_of_each;
    /// P 2.2: takes two members of one name in a problem document.
    TakesTwoMembersInAProblem = "takes-two-members-in-a-problem" Problem last_of_each;
    /// P 2.1: takes a byte-order mark before a problem document.
    TakesAMarkedProblem = "takes-a-marked-problem" Problem
        |bytes| Cow::Borrowed(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    /// P 13.6: takes a refusal in an array.
    TakesARefusalInAnArray = "takes-a-refusal-in-an-array" Problem |bytes| document(bytes, |problem| {
        if let Some([refusal]) = problem.get("refusal").and_then(Value::as_array).map(Vec::as_slice) {
            let refusal = refusal.clone();
            problem.insert("refusal".to_owned(), refusal);
        }
    });
    /// P 13.6: reads a problem document however long it is.
    ReadsALongProblem = "reads-a-long-problem" Problem |bytes| document(bytes, |problem| drop(problem.remove("more")));
    /// P 15.1: does not read the version of a trust file.
    DoesNotReadTheVersionOfATrustFile = "does-not-read-the-version-of-a-trust-file" TrustFile
        |bytes| document(bytes, |trust| drop(trust.insert("solme_sync_trust".to_owned(), json!(1))));
    /// P 15.1: takes a trust file without a name.
    DoesNotNeedAName = "does-not-need-a-name" TrustFile
        |bytes| document(bytes, |trust| {
            trust.entry("name").or_insert(json!("nameless"));
        });
    /// P 15.1: takes an address with a path.
    TakesAnAddressWithAPath = "takes-an-address-with-a-path" TrustFile |bytes| document(bytes, |trust| {
        for name in ["https", "http"] {
            let Some(address) = trust.get(name).and_then(Value::as_str).map(str::to_owned) else { continue };
            let host = address.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            trust.insert(name.to_owned(), json!(host));
        }
    });
    /// P 15.2: takes two members of one name in a trust file.
    TakesTwoMembersInATrustFile = "takes-two-members-in-a-trust-file" TrustFile last_of_each;
    /// P 15.1: takes further members of a key, a private half too.
    TakesFurtherMembersOfAKey = "takes-further-members-of-a-key" TrustFile |bytes| document(bytes, |trust| {
        let keys = trust.get_mut("signing_jwks").and_then(Value::as_array_mut).into_iter().flatten();
        for key in keys.filter_map(Value::as_object_mut) {
            key.retain(|name, _| ["kty", "crv", "x", "y"].contains(&name.as_str()));
        }
    });
}

/// None where it has not the form that it should.
fn text(license: &mut Members, name: &str) {
    let sound = |text: &str| {
        (1..=128).contains(&text.len())
            && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
            && text.trim().len() == text.len()
    };
    if license.get(name).and_then(Value::as_str).is_some_and(|text| !sound(text)) {
        license.insert(name.to_owned(), Value::Null);
    }
}

fn message_says_refusal(file: &Members) -> bool {
    let pieces = file.get("message").and_then(Value::as_array).into_iter().flatten();
    let message: String = pieces.filter_map(Value::as_str).collect();
    let header = message.split('.').next().and_then(|header| base64url::decode(header).ok()).unwrap_or_default();
    String::from_utf8_lossy(&header).contains("solme-sync-refusal+jwt")
}
