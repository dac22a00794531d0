//! Who this main server is: its id, its signing key, and the throw-away CA for the 443 role.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::{TLS12, TLS13};
use solme_sync_protocol::{MainServerId, base64url};

use crate::crypto::{self, CryptoError, MainServerKey};
use crate::data::{CA_CERTIFICATE, CA_KEY, DataDirectory, DataError, SIGNING_KEY, sync_directory};
use crate::seams::DurableSteps;

/// What every certificate is for.
pub(crate) const LOOPBACK: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

const CA_NAME: &str = "mock-solme throw-away CA";

/// Why a main server has no identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// A file of the identity cannot be written.
    #[error("{}: {error}; check free space and permissions there", path.display())]
    File { path: PathBuf, error: io::Error },
    /// A file of the identity cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file holds no key or certificate that can be used.
    #[error("{} cannot be used: {what}. Next: restore it from a backup", path.display())]
    Unusable { path: PathBuf, what: String },
    /// The signing key could not be made.
    #[error("{0}; start it again")]
    Crypto(#[from] CryptoError),
    /// A certificate could not be made.
    #[error("the certificate cannot be made: {0}; check the public names, then start it again")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library does not take key and certificate.
    #[error("TLS does not take the certificate: {0}; check the public names, then start it again")]
    Tls(#[from] rustls::Error),
}

/// Who this main server is, but for its id, which lies in the store.
pub(crate) struct Identity {
    pub(crate) key: MainServerKey,
    pub(crate) ca: Ca,
    /// What the 443 role speaks, made anew at each start.
    pub(crate) tls: Arc<rustls::ServerConfig>,
}

/// The CA that the trust file names. It certifies this main server, and is of no use elsewhere.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    /// Certificate of the CA, in PEM.
    pub(crate) certificate: String,
}

impl Identity {
    /// A new identity, kept nowhere, with a certificate for `hosts`.
    pub(crate) fn generate(hosts: &[String]) -> Result<Self, IdentityError> {
        let (ca, _) = Ca::generate(CA_NAME)?;
        Ok(Self { key: MainServerKey::generate()?, tls: ca.tls(hosts, Tls::Right)?, ca })
    }

    /// The identity in a data directory, with a certificate for `hosts`; made there while that is set up. Each file is
    /// whole or absent.
    pub(crate) fn in_directory(
        directory: &DataDirectory,
        steps: &DurableSteps,
        hosts: &[String],
    ) -> Result<Self, IdentityError> {
        let signing_key = directory.path(SIGNING_KEY);
        let key = match directory.read_key(SIGNING_KEY)? {
            Some(pkcs8) => MainServerKey::from_pkcs8(&pkcs8).map_err(|error| unusable(&signing_key, &error))?,
            None => {
                let key = MainServerKey::generate()?;
                steps.step("signing key", || create(&signing_key, key.expose_secret_pkcs8()?.as_ref(), SECRET))?;
                key
            }
        };
        let ca = Ca::in_directory(directory, steps)?;
        Ok(Self { key, tls: ca.tls(hosts, Tls::Right)?, ca })
    }
}

impl Ca {
    /// The CA of an inspecting proxy, of which no trust file knows.
    pub(crate) fn of_somebody_else() -> Result<Self, IdentityError> {
        Ok(Self::generate("Inspecting Proxy CA")?.0)
    }

    fn generate(name: &str) -> Result<(Self, String), IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let key_pem = key.serialize_pem();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certified = CertifiedIssuer::self_signed(params.clone(), &key)?;
        let certificate = certified.pem();
        Ok((Self { issuer: Issuer::new(params, key), certificate }, key_pem))
    }

    /// The certificate is written last: a key alone is replaced.
    fn in_directory(directory: &DataDirectory, steps: &DurableSteps) -> Result<Self, IdentityError> {
        let (key_file, certificate_file) = (directory.path(CA_KEY), directory.path(CA_CERTIFICATE));
        if let (Some(key), Some(certificate)) = (directory.read_key(CA_KEY)?, directory.read_key(CA_CERTIFICATE)?) {
            let key = KeyPair::from_pem(&String::from_utf8_lossy(&key)).map_err(|error| unusable(&key_file, &error))?;
            let certificate = String::from_utf8_lossy(&certificate).into_owned();
            let issuer = Issuer::from_ca_cert_pem(&certificate, key);
            return Ok(Self { issuer: issuer.map_err(|error| unusable(&certificate_file, &error))?, certificate });
        }
        let (ca, key_pem) = Self::generate(CA_NAME)?;
        steps.step("CA key", || create(&key_file, key_pem.as_bytes(), SECRET))?;
        steps.step("CA certificate", || create(&certificate_file, ca.certificate.as_bytes(), SECRET))?;
        Ok(ca)
    }

    /// What the 443 role speaks (P 13.2), for the loopback addresses and `hosts`.
    pub(crate) fn tls(&self, hosts: &[String], tls: Tls) -> Result<Arc<rustls::ServerConfig>, IdentityError> {
        let names = if tls == Tls::OtherHost {
            vec!["another-host.example".to_owned()]
        } else {
            let others = hosts.iter().map(String::as_str).filter(|host| !LOOPBACK.contains(host));
            LOOPBACK.into_iter().chain(others).map(str::to_owned).collect()
        };
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "mock-solme");
        if tls == Tls::Expired {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[if tls == Tls::Old { &TLS12 } else { &TLS13 }])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// What the 443 role shows and speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    /// TLS 1.3, with a certificate that is good.
    Right,
    /// A certificate that expired in 2001.
    Expired,
    /// A certificate for another host.
    OtherHost,
    /// Nothing newer than TLS 1.2.
    Old,
}

/// A main server id that no other instance has. The prefix is there because an id may not begin with - or _.
pub(crate) fn new_main_server_id() -> Result<MainServerId, CryptoError> {
    let random: [u8; 16] = crypto::random()?;
    Ok(format!("solme-{}", base64url::encode(random)).parse().expect("a letter, then base64url, 28 characters"))
}

const SECRET: u32 = 0o600;

fn unusable(path: &Path, error: &impl ToString) -> IdentityError {
    IdentityError::Unusable { path: path.to_owned(), what: error.to_string() }
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), IdentityError> {
    write_durably(path, bytes, mode).map_err(|error| IdentityError::File { path: path.to_owned(), error })
}

/// Writes a file so that it is there whole or not at all, whenever the power fails.
pub(crate) fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), sync_directory)
}
