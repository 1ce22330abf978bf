//! The web server's certificate: one PEM file with the key and the certificate, as Falco has it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

/// Why the certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebTlsError {
    /// The file, or what is in it.
    #[error("cannot read {what} in {path}, named by `webserver.ssl_certificate`: {reason}", path = path.display())]
    Read {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// Key and certificate do not work.
    #[error("key and certificate in {path} cannot be used: {source}", path = path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

pub(super) fn acceptor(path: &Path) -> Result<TlsAcceptor, WebTlsError> {
    let failed = |what: &'static str| {
        move |error: rustls::pki_types::pem::Error| WebTlsError::Read {
            what,
            path: path.to_owned(),
            reason: error.to_string(),
        }
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed("the certificate"))?;
    let key = PrivateKeyDer::from_pem_file(path).map_err(failed("the key"))?;
    let unusable = |source| WebTlsError::Unusable { path: path.to_owned(), source };
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(unusable)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
