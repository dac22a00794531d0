//! Direct synchronization through a proxy: both ports go through it, and each way in which it says no has its code.

use std::net::TcpListener;
use std::sync::Arc;

use solme_sync_harness::BlackHole;
use solme_sync_harness::programs::LicenseServer;
use solme_sync_protocol::TrustFile;

use crate::foreign_main_server::ThrowAwayCa;
use crate::proxy_stage::{BASIC, LOGIN, PASSWORD, ProxyStage, USER};
use crate::stage::programs;
use crate::test_proxies::{Does, HttpProxy, Running, SocksProxy, TestProxy as _, WANTS_A_PASSWORD, greets, silent};

/// Asserts that a first synchronization, and the one for people after it, went through the proxy with both ports.
fn went_through(proxy: &Running, stage: &ProxyStage) {
    went_through_with(proxy, stage, [0, 0]);
}

/// As [`went_through`], with so many more questions for each port: a password is tried first, once in each run, where the
/// proxy only carries bytes.
fn went_through_with(proxy: &Running, stage: &ProxyStage, more: [usize; 2]) {
    let (https, http) = stage.targets();
    let asked_for = proxy.asked_for();
    let on = |target: &str| asked_for.iter().filter(|asked| asked.contains(target)).count();
    let [https_asked, http_asked] = more.map(|more| 2 + more);
    let awaited = (https_asked + http_asked, https_asked, http_asked);
    assert_eq!((asked_for.len(), on(https), on(http)), awaited, "{asked_for:?}");
}

async fn synchronizes(stage: &ProxyStage, proxy: &str) {
    let answer = stage.synchronize(proxy).await;
    assert_eq!((answer.text("outcome").as_str(), answer.exit), ("synchronized", 0), "{answer:?}");
}

#[tokio::test]
async fn both_ports_go_through_an_http_proxy() {
    let (stage, proxy) = (ProxyStage::begin().await, HttpProxy::HONEST.start().await);
    synchronizes(&stage, &format!("http://{}", proxy.address)).await;
    went_through(&proxy, &stage);
    let (https, http) = stage.targets();
    assert_eq!(proxy.asked_for()[0], format!("CONNECT {https}"));
    assert!(proxy.asked_for()[1].starts_with(&format!("GET http://{http}/payloads/")));
}

#[tokio::test]
async fn both_ports_go_through_an_http_proxy_that_wants_a_password() {
    let stage = ProxyStage::begin().await;
    let proxy = HttpProxy { wants: Some(BASIC), ..HttpProxy::HONEST }.start().await;
    synchronizes(&stage, &format!("http://{LOGIN}{}", proxy.address)).await;
    went_through_with(&proxy, &stage, [2, 0]);
}

#[tokio::test]
async fn both_ports_go_through_a_socks5_proxy_with_and_without_a_password() {
    let stage = ProxyStage::begin().await;
    for scheme in ["socks5", "socks5h"] {
        let proxy = SocksProxy::HONEST.start().await;
        synchronizes(&stage, &format!("{scheme}://{}", proxy.address)).await;
        went_through(&proxy, &stage);
        let proxy = SocksProxy { wants: Some((USER, PASSWORD)), ..SocksProxy::HONEST }.start().await;
        synchronizes(&stage, &format!("{scheme}://{LOGIN}{}", proxy.address)).await;
        went_through_with(&proxy, &stage, [2, 2]);
    }
}

#[tokio::test]
async fn the_password_of_a_file_is_used_instead_of_the_one_in_the_address() {
    let stage = ProxyStage::begin().await;
    let proxy = HttpProxy { wants: Some(BASIC), ..HttpProxy::HONEST }.start().await;
    let mut command = stage.command(&format!("http://me:another@{}", proxy.address));
    command.arg("--proxy-password-file").arg(stage.file("password", PASSWORD));
    let answer = stage.run(command).await;
    assert_eq!(answer.exit, 0, "{answer:?}");
    went_through_with(&proxy, &stage, [2, 0]);
}

#[tokio::test]
async fn the_systems_proxy_is_used_where_it_is_asked_for() {
    let (stage, proxy) =
        (ProxyStage::begin().await, HttpProxy { wants: Some(BASIC), ..HttpProxy::HONEST }.start().await);
    let url = format!("http://{LOGIN}{}", proxy.address);
    let with = |setting: &str, no_proxy: &str| {
        let mut command = stage.command(setting);
        for name in ["ALL_PROXY", "all_proxy", "https_proxy", "http_proxy", "no_proxy", "REQUEST_METHOD"] {
            command.env_remove(name);
        }
        command.env("HTTPS_PROXY", &url).env("HTTP_PROXY", &url).env("NO_PROXY", no_proxy);
        command
    };
    for (setting, no_proxy) in [("none", ""), ("system", "127.0.0.0/8"), ("system", "*")] {
        assert_eq!(stage.run(with(setting, no_proxy)).await.exit, 0);
        assert_eq!(proxy.asked_for(), Vec::<String>::new(), "{setting} {no_proxy}");
    }
    assert_eq!(stage.run(with("system", "")).await.exit, 0);
    went_through_with(&proxy, &stage, [2, 0]);
    let mut command = with("system", "");
    command.env("HTTPS_PROXY", format!("https://{LOGIN}{}", proxy.address));
    assert_eq!(stage.run(command).await.text("code"), "proxy-not-supported");
}

#[tokio::test]
async fn this_computer_and_the_exceptions_are_reached_without_a_proxy() {
    let (stage, proxy) = (ProxyStage::begin().await, HttpProxy::HONEST.start().await);
    let url = format!("http://{}", proxy.address);
    let unasked = stage.server.command(["synchronize", "--proxy", &url]);
    assert_eq!(stage.run(unasked).await.exit, 0);
    let mut excepted = stage.command(&url);
    excepted.args(["--no-proxy", "solme.example,127.0.0.0/8"]);
    assert_eq!(stage.run(excepted).await.exit, 0);
    assert_eq!(proxy.asked_for(), Vec::<String>::new());
}

#[tokio::test]
async fn the_name_of_the_main_server_is_looked_up_by_the_proxy_or_by_this_computer() {
    let stage = ProxyStage::begin().await;
    let trust = TrustFile { https: "https://main-server.invalid:443".to_owned(), ..stage.main_server.trust().clone() };
    stage.trust(&trust).await;
    let socks = SocksProxy { reply: 4, ..SocksProxy::HONEST }.start().await;
    stage.fails(&format!("socks5h://{}", socks.address), "443-unreachable", "host unreachable").await;
    assert_eq!(socks.asked_for()[0], "name main-server.invalid:443");
    let http = HttpProxy { on_connect: Does::Says("HTTP/1.1 503 x\r\n\r\n"), ..HttpProxy::HONEST }.start().await;
    stage.fails(&format!("http://{}", http.address), "443-unreachable", "main-server.invalid:443").await;
    assert_eq!(http.asked_for()[0], "CONNECT main-server.invalid:443");
    let asked_before = socks.asked_for().len();
    stage.fails(&format!("socks5://{}", socks.address), "name-lookup-failed", "main-server.invalid").await;
    let asked_since = socks.asked_for().split_off(asked_before);
    assert!(!asked_since.iter().any(|asked| asked.contains("main-server.invalid")), "{asked_since:?}");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_unreachable() {
    let stage = ProxyStage::begin().await;
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for scheme in ["http", "socks5", "socks5h"] {
        stage.fails(&format!("{scheme}://{LOGIN}{nowhere}"), "proxy-unreachable", "refused").await;
        stage.fails(&format!("{scheme}://{LOGIN}proxy.invalid:1"), "proxy-unreachable", "looked up").await;
    }
    let answer = stage.synchronize(&format!("http://{LOGIN}{nowhere}")).await;
    assert!(answer.text("message").contains(&format!("http://me:***@{nowhere}")), "{answer:?}");
    assert_eq!(answer.json["transient"], true);
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_told_from_a_main_server_that_says_nothing() {
    let (stage, silent, black_hole) = (ProxyStage::begin().await, silent().await, BlackHole::dig().await.unwrap());
    for scheme in ["http", "socks5"] {
        stage
            .fails_in_time(
                &format!("{scheme}://{}", black_hole.address),
                "proxy-unreachable",
                "no connection within 1 s",
            )
            .await;
    }
    stage.fails_in_time(&format!("socks5://{}", silent.address), "proxy-unreachable", "no answer within 1 s").await;
    // Whether an HTTP proxy waits for the main server or does nothing at all cannot be seen.
    stage.fails_in_time(&format!("http://{}", silent.address), "443-timed-out", "no answer within 1 s").await;
    let proxy = HttpProxy { on_connect: Does::Says("HTTP/1.1 504 x\r\n\r\n"), ..HttpProxy::HONEST }.start().await;
    stage.fails(&format!("http://{}", proxy.address), "443-timed-out", "status 504").await;
    let proxy = HttpProxy { on_plain: Does::Nothing, ..HttpProxy::HONEST }.start().await;
    let mut command = stage.command(&format!("http://{}", proxy.address));
    command.args(["--total-limit", "2s"]);
    let answer = stage.run_once(command).await;
    assert_eq!(answer.text("code"), "answer-interrupted", "{answer:?}");
    assert!(answer.text("message").contains("through the proxy"), "{answer:?}");
}

#[tokio::test]
async fn a_password_that_is_wanted_is_told_from_a_wrong_one() {
    let stage = ProxyStage::begin().await;
    let http = HttpProxy { wants: Some("Basic another"), ..HttpProxy::HONEST }.start().await;
    let socks = SocksProxy { wants: Some((USER, "another")), ..SocksProxy::HONEST }.start().await;
    for (scheme, address) in [("http", http.address), ("socks5", socks.address), ("socks5h", socks.address)] {
        stage.fails(&format!("{scheme}://{address}"), "proxy-wants-password", "requires a user").await;
        stage.fails(&format!("{scheme}://{LOGIN}{address}"), "proxy-wrong-password", "me:***@").await;
    }
    let plain = HttpProxy { on_plain: Does::Says(WANTS_A_PASSWORD), ..HttpProxy::HONEST }.start().await;
    stage.fails(&format!("http://{}", plain.address), "proxy-wants-password", "requires a user").await;
    stage.fails(&format!("http://{LOGIN}{}", plain.address), "proxy-wrong-password", "407").await;
    let windows = "HTTP/1.1 407 x\r\nproxy-authenticate: Negotiate\r\nproxy-authenticate: NTLM\r\n\r\n";
    let windows = HttpProxy { on_connect: Does::Says(windows), ..HttpProxy::HONEST }.start().await;
    stage.fails(&format!("http://{LOGIN}{}", windows.address), "proxy-not-supported", "Negotiate, NTLM").await;
    let open = SocksProxy::HONEST.start().await;
    stage.fails(&format!("socks5://{LOGIN}{}", open.address), "proxy-wrong-password", "no such login").await;
}

#[tokio::test]
async fn each_no_of_an_http_proxy_on_443_has_its_code() {
    let stage = ProxyStage::begin().await;
    for (says, code, word) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "proxy-refuses-target", "status 403"),
        ("HTTP/1.1 405 Not Allowed\r\n\r\n", "proxy-refuses-target", "status 405"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "proxy-refuses-target", "status 400"),
        ("HTTP/1.1 500 Unable to connect\r\n\r\n", "443-unreachable", "status 500"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "443-unreachable", "status 502"),
        ("HTTP/1.1 302 Found\r\nlocation: http://login.example/\r\n\r\n", "proxy-own-page", "status 302"),
        ("HTTP/1.1 511 Network Authentication Required\r\n\r\n", "proxy-own-page", "status 511"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "proxy-own-page", "does not speak HTTP"),
        ("", "proxy-unreachable", "closes the connection"),
    ] {
        let wants = Some(BASIC); // the right one: whoever asks again has to say it again
        let proxy = HttpProxy { wants, on_connect: Does::Says(says), ..HttpProxy::HONEST }.start().await;
        stage.fails(&format!("http://{LOGIN}{}", proxy.address), code, word).await;
    }
}

#[tokio::test]
async fn each_no_of_an_http_proxy_on_8080_has_its_code() {
    let stage = ProxyStage::begin().await;
    for (says, code, word) in [
        ("HTTP/1.1 403 x\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n", "proxy-refuses-target", "403"),
        ("HTTP/1.1 200 x\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n", "proxy-own-page", "text/html"),
        ("HTTP/1.1 302 x\r\nlocation: http://login.example/\r\n\r\n", "proxy-own-page", "login.example"),
        ("HTTP/1.1 404 x\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n", "proxy-own-page", "404"),
        ("HTTP/1.1 500 x\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n", "8080-unreachable", "500"),
        ("HTTP/1.1 503 x\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n", "8080-unreachable", "503"),
        ("HTTP/1.1 504 x\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n", "8080-timed-out", "504"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "proxy-own-page", "not HTTP"),
        ("", "answer-interrupted", "through the proxy http://me:***@"),
    ] {
        let proxy = HttpProxy { wants: Some(BASIC), on_plain: Does::Says(says), ..HttpProxy::HONEST }.start().await;
        stage.fails(&format!("http://{LOGIN}{}", proxy.address), code, word).await;
    }
    let first = stage.main_server.record(stage.main_server.demo_id()).unwrap();
    assert!(first.sequence > 0, "the request came through each time, and its answer waits for the payload");
}

#[tokio::test]
async fn each_reply_of_a_socks5_proxy_has_its_code_on_either_port() {
    let stage = ProxyStage::begin().await;
    let honest = SocksProxy { wants: Some((USER, PASSWORD)), ..SocksProxy::HONEST };
    let url = |proxy: &Running| format!("socks5://{LOGIN}{}", proxy.address);
    let named = "the proxy socks5://me:***@";
    for (reply, fault) in [(1, "unreachable"), (3, "unreachable"), (4, "unreachable"), (5, "refused"), (6, "timed-out")]
    {
        let proxy = SocksProxy { reply, ..honest.clone() }.start().await;
        stage.fails(&url(&proxy), &format!("443-{fault}"), named).await;
        let only_to = Some(stage.targets().1.to_owned());
        let proxy = SocksProxy { only_to, reply, ..honest.clone() }.start().await;
        stage.fails(&url(&proxy), &format!("8080-{fault}"), named).await;
    }
    for reply in [2, 7, 8] {
        let proxy = SocksProxy { reply, ..honest.clone() }.start().await;
        stage.fails(&url(&proxy), "proxy-refuses-target", "refuses to connect").await;
    }
}

#[tokio::test]
async fn a_socks5_proxy_that_is_none_is_told() {
    let stage = ProxyStage::begin().await;
    let mail_server = greets("220 mail.example ESMTP\r\n").await;
    stage.fails(&format!("socks5://{}", mail_server.address), "proxy-own-page", "does not speak SOCKS5").await;
}

#[tokio::test]
async fn a_proxy_that_opens_tls_is_named_with_the_issuer() {
    let stage = ProxyStage::begin().await;
    let inspector = Arc::new(ThrowAwayCa::new("Inspection Inc.").server_config());
    let proxy = HttpProxy { on_connect: Does::Intercepts(inspector), ..HttpProxy::HONEST }.start().await;
    let url = format!("http://{LOGIN}{}", proxy.address);
    stage.fails(&url, "tls-not-solme", "CN=Inspection Inc.").await;
    stage.fails(&url, "tls-not-solme", &format!("through the proxy http://me:***@{}", proxy.address)).await;
}

#[tokio::test]
async fn a_wrong_setting_is_wrong_input_that_is_not_repeated() {
    let stage = ProxyStage::begin().await;
    for (proxy, word) in [
        (format!("https://{LOGIN}proxy.example:3128"), "https proxies are not supported"),
        (format!("gopher://{LOGIN}proxy.example:3128"), "socks5h://"),
        (format!("http://{LOGIN}proxy.example"), "no port"),
        (format!("http://me:{PASSWORD}@proxy.example:3128"), "malformed"),
        (format!("{LOGIN}proxy.example:3128"), "http://proxy.example:3128"),
    ] {
        let answer = stage.synchronize(&proxy).await;
        assert_eq!((answer.text("code").as_str(), answer.exit), ("configuration", 2), "{answer:?}");
        assert!(answer.text("message").contains(word), "{answer:?}");
        assert!(answer.text("cure").contains("license-server config"), "{answer:?}");
    }
    let mut command = stage.command("http://me@proxy.example:3128");
    command.args(["--proxy-password-file", "/nowhere/password"]);
    let answer = stage.run(command).await;
    assert_eq!(answer.exit, 2, "{answer:?}");
    assert!(answer.text("message").contains("/nowhere/password"), "{answer:?}");
    let untouched = LicenseServer::new(&programs(), stage.server.state.clone());
    assert_eq!(untouched.run(["history"]).await.unwrap().json["events"].as_array().map(Vec::len), Some(1), "only init");
}
