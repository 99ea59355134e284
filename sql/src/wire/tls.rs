//! TLS of the server. If it is configured and cannot be had, the server does not start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Why connections cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or is not PEM.
    #[error("{key}: {} cannot be read: give a file in the format PEM", .file.display())]
    File {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        cause: pem::Error,
    },
    /// The file has no certificate.
    #[error("serve.tls_certificate: {} has no certificate: give one, and after it its chain", .0.display())]
    NoCertificate(PathBuf),
    /// The certificate and the key do not fit.
    #[error("serve.tls_certificate and serve.tls_key cannot be used: give a certificate and its own key")]
    Unusable(#[source] rustls::Error),
}

/// What encrypts connections, if it is configured.
pub(super) fn acceptor(certificate: Option<&Path>, key: Option<&Path>) -> Result<Option<TlsAcceptor>, TlsError> {
    let Some((certificate, key)) = certificate.zip(key) else { return Ok(None) };
    let unreadable = |key: &'static str, file: &Path| {
        let file = file.to_owned();
        move |cause| TlsError::File { key, file, cause }
    };
    let of_certificate = unreadable("serve.tls_certificate", certificate);
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(of_certificate)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable("serve.tls_key", key))?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Unusable)?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}
