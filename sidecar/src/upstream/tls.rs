//! TLS to apps: system roots, a CA bundle, or (said loudly) none.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sidecar_policy::config::Tls;

/// Why TLS to an app cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TlsError {
    /// No certificate, or one that cannot be read.
    #[error("the CA bundle holds no usable PEM certificate")]
    CaBundle,
    /// The provider lacks what TLS needs.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
    /// The certificate cannot carry such a name.
    #[error("not a name that a certificate can carry: {0}")]
    ServerName(String),
}

/// The client side of TLS to an app; `None` stands for the defaults: system roots, verified.
pub(crate) fn client_config(tls: Option<&Tls>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?;
    let mut config = match tls {
        Some(tls) if !tls.verify => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(TakeAny(provider))).with_no_client_auth()
        }
        Some(Tls { ca_bundle: Some(pem), .. }) => builder.with_root_certificates(bundle(pem)?).with_no_client_auth(),
        _ => builder.with_root_certificates(system_roots()).with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The name that the app's certificate must carry.
pub(crate) fn server_name(tls: Option<&Tls>, host: &str) -> Result<ServerName<'static>, TlsError> {
    let name = tls.and_then(|tls| tls.server_name.as_deref()).unwrap_or(host);
    let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(name.clone()).map_err(|_| TlsError::ServerName(name))
}

fn bundle(pem: &str) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| TlsError::CaBundle)?;
        roots.add(certificate).map_err(|_| TlsError::CaBundle)?;
    }
    if roots.is_empty() { Err(TlsError::CaBundle) } else { Ok(Arc::new(roots)) }
}

/// Read once: the file system is not asked again at a reload.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    Arc::clone(ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "some of the system's certificates cannot be read");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        Arc::new(roots)
    }))
}

/// Takes any certificate, because the configuration says so.
#[derive(Debug)]
struct TakeAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakeAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
