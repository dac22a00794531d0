//! TLS 1.3 with the CA of the trust file and no other (P 13.2).

use std::sync::{Arc, Mutex};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use solme_sync_protocol::TrustFile;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::conduct::Conduct;

/// What a peer showed in the last handshake, kept so that a failure can name it.
#[derive(Debug, Clone, Default)]
pub(super) struct Presented(Arc<Mutex<Option<Certificate>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Its issuer, as far as it can be read.
    pub(super) issuer: String,
    /// Whether that is the name of the CA of the trust file. The name alone proves nothing.
    pub(super) names_the_trusted_ca: bool,
}

impl Presented {
    pub(super) fn last(&self) -> Option<Certificate> {
        self.0.lock().ok()?.clone()
    }
}

/// Checks that the trust file has a CA certificate that can be used.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn check_ca_certificate(trust: &TrustFile) -> Result<(), String> {
    let certificates = ca_certificates(trust)?;
    if certificates.is_empty() {
        return Err("it has no certificate".to_owned());
    }
    certificates.iter().try_for_each(|der| X509Certificate::from_der(der).map(drop).map_err(|e| e.to_string()))
}

/// The configuration for the 443 role, and where it notes what it was shown.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) config: ClientConfig,
    pub(super) presented: Presented,
}

impl Tls {
    pub(super) fn new(trust: &TrustFile, conduct: &'static dyn Conduct) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in ca_certificates(trust)? {
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        let ca_names = roots.subjects();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| error.to_string())?;
        let presented = Presented::default();
        let recording = Recording { verifier, ca_names, presented: presented.clone(), conduct };
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(conduct.tls_versions())
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(recording))
            .with_no_client_auth();
        Ok(Self { config, presented })
    }
}

fn ca_certificates(trust: &TrustFile) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(trust.ca_certificate.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

/// webpki's verifier; it notes who issued what it was shown.
#[derive(Debug)]
struct Recording {
    verifier: Arc<WebPkiServerVerifier>,
    ca_names: Vec<DistinguishedName>,
    presented: Presented,
    conduct: &'static dyn Conduct,
}

impl Recording {
    fn note(&self, end_entity: &CertificateDer<'_>) {
        let certificate = match X509Certificate::from_der(end_entity) {
            Ok((_, certificate)) => Certificate {
                issuer: certificate.issuer().to_string(),
                names_the_trusted_ca: self.ca_names.iter().any(|name| name.as_ref() == certificate.issuer().as_raw()),
            },
            Err(_) => Certificate { issuer: "unreadable".to_owned(), names_the_trusted_ca: false },
        };
        if let Ok(mut presented) = self.presented.0.lock() {
            *presented = Some(certificate);
        }
    }
}

impl ServerCertVerifier for Recording {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.note(end_entity);
        let verified = self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.or_else(|error| match self.conduct.accepts_certificate(&error) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(error),
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
