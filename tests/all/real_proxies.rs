//! Direct synchronization through real proxy programs. They are not on every machine: `tests/proxy/run.sh` installs them
//! and runs these tests.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use solme_sync_protocol::TrustFile;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::proxy_stage::{ProxyStage, REAL_LOGIN, REAL_PASSWORD, USER};

/// A proxy program that runs until it is dropped.
struct RealProxy {
    address: SocketAddr,
    log: PathBuf,
    _process: Child,
    _dir: TempDir,
}

impl RealProxy {
    /// tinyproxy with these lines in its configuration.
    async fn tinyproxy(lines: &str) -> Self {
        Self::start(|address, dir| {
            let file = dir.join("tinyproxy.conf");
            let (host, port) = (address.ip(), address.port());
            fs::write(&file, format!("Listen {host}\nPort {port}\nMaxClients 20\nLogLevel Info\n{lines}\n")).unwrap();
            let mut command = Command::new("tinyproxy");
            command.arg("-d").arg("-c").arg(file);
            command
        })
        .await
    }

    /// microsocks with these arguments.
    async fn microsocks(args: &[&str]) -> Self {
        Self::start(|address, _| {
            let mut command = Command::new("microsocks");
            command.args(["-i", &address.ip().to_string(), "-p", &address.port().to_string()]).args(args);
            command
        })
        .await
    }

    /// Neither program can say which port it was given, so it is told a free one; where someone else was quicker, it
    /// ends, and is told another.
    async fn start(command: impl Fn(SocketAddr, &Path) -> Command) -> Self {
        for _ in 0..10 {
            let dir = tempfile::tempdir().unwrap();
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let log = dir.path().join("log");
            let (out, err) = (File::create(&log).unwrap(), File::options().append(true).open(&log).unwrap());
            let mut command = command(address, dir.path());
            command.stdin(Stdio::null()).stdout(out).stderr(err).kill_on_drop(true);
            let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
            while process.try_wait().unwrap().is_none() {
                if TcpStream::connect(address).await.is_ok() {
                    return Self { address, log, _process: process, _dir: dir };
                }
                tokio::task::yield_now().await;
            }
            eprintln!("tried again, for it ended: {}", fs::read_to_string(&log).unwrap());
        }
        panic!("the proxy does not start");
    }

    /// Whether it has noted this.
    fn noted(&self, what: &str) -> bool {
        fs::read_to_string(&self.log).unwrap().contains(what)
    }
}

async fn synchronizes(stage: &ProxyStage, proxy: &str) {
    let answer = stage.synchronize(proxy).await;
    assert_eq!((answer.text("outcome").as_str(), answer.exit), ("synchronized", 0), "{answer:?}");
}

fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
#[ignore = "needs tinyproxy: tests/proxy/run.sh"]
async fn both_ports_go_through_tinyproxy() {
    let (stage, proxy) = (ProxyStage::begin().await, RealProxy::tinyproxy("").await);
    synchronizes(&stage, &format!("http://{}", proxy.address)).await;
    let (https, http) = stage.targets();
    assert!(proxy.noted(&format!("CONNECT {https} HTTP/1.1")) && proxy.noted(&format!("GET http://{http}/payloads/")));
}

#[tokio::test]
#[ignore = "needs tinyproxy: tests/proxy/run.sh"]
async fn tinyproxy_lets_in_with_the_password_and_not_without() {
    let stage = ProxyStage::begin().await;
    let proxy = RealProxy::tinyproxy(&format!("BasicAuth {USER} {REAL_PASSWORD}")).await;
    synchronizes(&stage, &format!("http://{REAL_LOGIN}{}", proxy.address)).await;
    stage.fails(&format!("http://{}", proxy.address), "proxy-wants-password", "requires a user").await;
    stage.fails(&format!("http://{USER}:another@{}", proxy.address), "proxy-wrong-password", "status 401").await;
}

#[tokio::test]
#[ignore = "needs tinyproxy: tests/proxy/run.sh"]
async fn tinyproxy_refuses_the_one_port_or_the_other() {
    let stage = ProxyStage::begin().await;
    let (https, http) = stage.targets();
    let proxy = RealProxy::tinyproxy("ConnectPort 1").await;
    stage.fails(&format!("http://{}", proxy.address), "proxy-refuses-target", https).await;
    let filter = stage.file("filter", "payloads\n");
    let proxy = RealProxy::tinyproxy(&format!("FilterURLs On\nFilter \"{}\"", filter.display())).await;
    stage.fails(&format!("http://{}", proxy.address), "proxy-refuses-target", http).await;
}

#[tokio::test]
#[ignore = "needs tinyproxy: tests/proxy/run.sh"]
async fn tinyproxy_cannot_reach_the_main_server() {
    let (stage, proxy) = (ProxyStage::begin().await, RealProxy::tinyproxy("").await);
    let url = format!("http://{}", proxy.address);
    let honest = stage.main_server.trust().clone();
    stage.trust(&TrustFile { https: format!("https://{}", nowhere()), ..honest.clone() }).await;
    stage.fails(&url, "443-unreachable", "the proxy http://").await;
    stage.trust(&TrustFile { http: format!("http://{}", nowhere()), ..honest }).await;
    stage.fails(&url, "8080-unreachable", "the proxy http://").await;
}

#[tokio::test]
#[ignore = "needs microsocks: tests/proxy/run.sh"]
async fn both_ports_go_through_microsocks_with_and_without_a_password() {
    let stage = ProxyStage::begin().await;
    let (https, http) = stage.targets();
    for (args, login) in [(&[][..], ""), (&["-u", USER, "-P", REAL_PASSWORD][..], REAL_LOGIN)] {
        let proxy = RealProxy::microsocks(args).await;
        for scheme in ["socks5", "socks5h"] {
            synchronizes(&stage, &format!("{scheme}://{login}{}", proxy.address)).await;
        }
        assert!(proxy.noted(https) && proxy.noted(http));
        if !login.is_empty() {
            stage.fails(&format!("socks5://{}", proxy.address), "proxy-wants-password", "requires a user").await;
            let wrong = format!("socks5://{USER}:another@{}", proxy.address);
            stage.fails(&wrong, "proxy-wrong-password", "login status").await;
        }
    }
}

#[tokio::test]
#[ignore = "needs microsocks: tests/proxy/run.sh"]
async fn microsocks_cannot_reach_the_main_server() {
    let (stage, proxy) = (ProxyStage::begin().await, RealProxy::microsocks(&[]).await);
    let honest = stage.main_server.trust().clone();
    stage.trust(&TrustFile { http: format!("http://{}", nowhere()), ..honest.clone() }).await;
    stage.fails(&format!("socks5://{}", proxy.address), "8080-refused", "was refused by").await;
    stage.trust(&TrustFile { https: "https://main-server.invalid:443".to_owned(), ..honest }).await;
    stage.fails(&format!("socks5h://{}", proxy.address), "443-unreachable", "the proxy socks5h://").await;
}
