//! Section 13: the direct carrier.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use reqwest::tls::Version;
use solme_sync_protocol::Problem;

use super::super::answer::{Answer, Reply, same_bytes};
use super::super::main_server::{broken, client};
use super::super::stage::{SECOND_LICENSE, Site, Stage};
use super::of;
use crate::conformance::{Case, Finding, Outcome, cases};

pub(super) fn cases() -> Vec<Case<Stage>> {
    cases! {
        "13.1" Must _443_takes_the_request_and_8080_gives_the_payload;
        "13.1" Must neither_role_does_the_work_of_the_other;
        "13.2" Must tls_1_2_is_refused;
        "13.2" Must plain_http_on_the_443_role_gets_no_answer_of_the_protocol;
        "13.2" Must synchronize_takes_post_alone;
        "13.2" Must there_is_nothing_at_other_paths;
        "13.3" Must a_receipt_comes_with_status_200_as_application_jose;
        "13.3" Must nothing_that_443_answers_may_be_stored;
        "13.4" Must a_payload_comes_with_length_type_and_no_store;
        "13.4" Must a_payload_that_there_is_not_is_not_found;
        "13.4" Must the_payload_of_the_newest_receipt_of_each_id_is_kept;
        "13.4" Must the_payload_of_the_newest_receipt_is_kept_over_a_clear;
        "13.4" Must the_name_of_an_older_payload_gives_no_other_bytes;
        "13.6" Must a_refusal_travels_in_a_problem_document_that_says_the_same;
        "13.11" Must a_query_and_another_content_type_change_nothing;
        "13.8" Must parameters_of_the_content_type_are_ignored;
    }
}

async fn _443_takes_the_request_and_8080_gives_the_payload(stage: &Stage) -> Outcome {
    let (server, synchronized) = stage.synchronized().await?;
    server.payload(&synchronized).await.map(drop)
}

/// Sends a request of HTTP to one of the two roles.
async fn http(site: &Site, role: &str, method: Method, path: &str, body: &str) -> Result<Reply, Finding> {
    let trust = &site.main_server.trust;
    let address = if role == "443" { &trust.https } else { &trust.http };
    let request = site.main_server.client.request(method, format!("{address}{path}"));
    let request = request.header(CONTENT_TYPE, "application/jose").body(body.to_owned());
    site.exchange(role, request, body).await
}

/// Passes where the answer is an HTTP error, and carries nothing of the protocol's own.
fn is_no_success(reply: &Reply) -> Outcome {
    if (400..600).contains(&reply.status) {
        return Ok(());
    }
    Err(Finding::deviates("an HTTP error status", reply.shown()))
}

async fn neither_role_does_the_work_of_the_other(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    is_no_success(&http(&server.site, "8080", Method::POST, "/synchronize", &server.request().jws).await?)?;
    let synchronized = server.synchronize().await?;
    Finding::unless_equal(&1, &synchronized.receipt.sequence)?;
    let path = format!("/payloads/{}", synchronized.receipt.payload_name);
    is_no_success(&http(&server.site, "443", Method::GET, &path, "").await?)
}

async fn tls_1_2_is_refused(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let trust = &server.site.main_server.trust;
    let old = client(trust, Version::TLS_1_2).map_err(broken)?;
    let request = old.post(format!("{}/synchronize", trust.https)).body(server.request().jws);
    match server.site.exchange("443 with TLS 1.2", request, "").await {
        Ok(reply) => Err(Finding::deviates("no connection with TLS 1.2", reply.shown())),
        // and it is the version that was refused: the same server is there with TLS 1.3
        Err(_) => server.ask().await?.accepted().map(drop),
    }
}

async fn plain_http_on_the_443_role_gets_no_answer_of_the_protocol(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let plain = server.site.main_server.trust.https.replacen("https://", "http://", 1);
    let request = server.site.main_server.client.post(format!("{plain}/synchronize")).body(server.request().jws);
    match server.site.exchange("443 without TLS", request, "").await {
        Ok(reply) => is_no_success(&reply),
        Err(_) => server.ask().await?.accepted().map(drop),
    }
}

async fn synchronize_takes_post_alone(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let jws = server.request().jws;
        let reply = of(method.as_str(), http(&server.site, "443", method.clone(), "/synchronize", &jws).await)?;
        of(method.as_str(), is_no_success(&reply))?;
    }
    Ok(())
}

async fn there_is_nothing_at_other_paths(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    for path in ["/", "/synchronise", "/synchronize/", "/v1/synchronize"] {
        let reply = of(path, http(&server.site, "443", Method::POST, path, &server.request().jws).await)?;
        of(path, is_no_success(&reply))?;
    }
    let reply = http(&server.site, "8080", Method::GET, "/payloads", "").await?;
    of("/payloads", is_no_success(&reply))
}

async fn a_receipt_comes_with_status_200_as_application_jose(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let reply = server.site.post(server.request().jws.as_bytes()).await?;
    let found = (reply.status, reply.content_type());
    Finding::unless_equal(&(200, "application/jose".to_owned()), &found)?;
    Answer::read(&reply, server.site.trusted())?.accepted().map(drop)
}

async fn nothing_that_443_answers_may_be_stored(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let server = site.license_server();
    of("a receipt", site.post(server.request().jws.as_bytes()).await?.is_not_stored())?;
    of("a refusal", site.post(site.license_server().request().jws.as_bytes()).await?.is_not_stored())?;
    of("a problem", site.post(b"hello").await?.is_not_stored())
}

async fn a_payload_comes_with_length_type_and_no_store(stage: &Stage) -> Outcome {
    let mut server = stage.site().await?.license_server();
    let receipt = server.synchronize().await?.receipt;
    let reply = server.site.get_payload(receipt.payload_name.as_str()).await?;
    let found = (reply.status, reply.content_type(), reply.content_length().to_owned());
    let length = receipt.payload_size.to_string();
    Finding::unless_equal(&(200, "application/octet-stream".to_owned(), length), &found)?;
    reply.is_not_stored()
}

async fn a_payload_that_there_is_not_is_not_found(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let name = site.random.name();
    for name in [name.as_str(), "none", "..%2F..%2Fetc%2Fpasswd"] {
        of(name, Finding::unless_equal(&404, &site.get_payload(name).await?.status))?;
    }
    Ok(())
}

async fn the_payload_of_the_newest_receipt_of_each_id_is_kept(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    let mut server = site.license_server();
    let newest = server.synchronize().await?;
    let payload = server.payload(&newest).await?;
    let mut neighbour = site.another().await?.license_server();
    neighbour.synchronize().await?;
    site.allocate(SECOND_LICENSE).await?;
    site.license_server().ask().await?;
    same_bytes("the payload of the newest receipt", &payload, &server.payload(&newest).await?)
}

async fn the_payload_of_the_newest_receipt_is_kept_over_a_clear(stage: &Stage) -> Outcome {
    let (server, newest) = stage.synchronized().await?;
    let payload = server.payload(&newest).await?;
    server.site.clear().await?;
    // the receipt may have arrived, and the clear come before its payload was fetched
    same_bytes("the payload of the newest receipt", &payload, &server.payload(&newest).await?)
}

async fn the_name_of_an_older_payload_gives_no_other_bytes(stage: &Stage) -> Outcome {
    let (mut server, older) = stage.synchronized().await?;
    let payload = server.payload(&older).await?;
    server.synchronize().await?;
    let reply = server.site.get_payload(older.receipt.payload_name.as_str()).await?;
    match reply.status {
        404 => Ok(()),
        _ => same_bytes("404 or the payload of that name", &payload, &reply.body),
    }
}

async fn a_refusal_travels_in_a_problem_document_that_says_the_same(stage: &Stage) -> Outcome {
    let site = stage.site().await?;
    site.license_server().synchronize().await?;
    let reply = site.post(site.license_server().request().jws.as_bytes()).await?;
    let problem =
        Problem::parse(&reply.body).map_err(|error| Finding::deviates("a problem document", error.to_string()))?;
    let Answer::Refusal { refusal, .. } = Answer::read(&reply, site.trusted())? else {
        return Err(Finding::deviates("a problem document with a refusal", reply.shown()));
    };
    let code = refusal.code.as_str();
    for (member, wanted, found) in [
        ("type", format!("urn:solme-sync:problem:{code}"), problem.kind),
        ("code", code.to_owned(), problem.code),
        ("status", reply.status.to_string(), problem.status.to_string()),
    ] {
        Finding::unless_equal(&format!("{member} {wanted}"), &format!("{member} {found}"))?;
    }
    if problem.title.is_empty() || problem.detail.is_empty() {
        return Err(Finding::deviates("a title and a detail", reply.shown()));
    }
    Ok(())
}

async fn parameters_of_the_content_type_are_ignored(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let url = format!("{}/synchronize", server.site.main_server.trust.https);
    let request = server.site.main_server.client.post(url).body(server.request().jws);
    let request = request.header(CONTENT_TYPE, "Application/JOSE; charset=utf-8");
    let reply = server.site.exchange("443", request, "(a request as Application/JOSE; charset=utf-8)").await?;
    Answer::read(&reply, server.site.trusted())?.accepted().map(drop)
}

async fn a_query_and_another_content_type_change_nothing(stage: &Stage) -> Outcome {
    let server = stage.site().await?.license_server();
    let request = server.request().jws;
    let address = format!("{}/synchronize?a=b", server.site.main_server.trust.https);
    let plain = server.site.main_server.client.request(Method::POST, address).header(CONTENT_TYPE, "text/plain");
    let reply = server.site.exchange("443", plain.body(request.clone()), &request).await?;
    Finding::unless_equal(&(200, "application/jose".to_owned()), &(reply.status, reply.content_type()))
}
