//! Certificates: whom to trust, and who we are.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::crypto::ring;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::output::settings::TlsSettings;

/// Where distributions keep the certificates to trust.
const CA_PATH: &str = "/etc/ssl/certs";

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file or folder.
    #[error("cannot read {path}, named by `{key}`: {source}", path = path.display())]
    Read {
        /// The setting.
        key: &'static str,
        /// What it says.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A file or folder without what it is for.
    #[error("{path}, named by `{key}`, holds no {what} in PEM form", path = path.display())]
    Empty {
        /// The setting.
        key: &'static str,
        /// What it says.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
}

/// What the client needs to know.
pub(super) fn config(settings: &TlsSettings) -> Result<TlsConfig, TlsError> {
    let mut config = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .disable_verification(settings.insecure);
    if !settings.insecure {
        config = config.root_certs(RootCerts::new_with_certs(&trusted(settings)?));
    }
    if let Some((certificate, key)) = &settings.client {
        config = config.client_cert(Some(client(certificate, key)?));
    }
    Ok(config.build())
}

/// One file wins over the other, and both over the folder.
fn trusted(settings: &TlsSettings) -> Result<Vec<Certificate<'static>>, TlsError> {
    for (key, file) in [("ca_cert", &settings.ca_cert), ("ca_bundle", &settings.ca_bundle)] {
        if let Some(path) = file {
            return certificates(key, path);
        }
    }
    let folder = settings.ca_path.as_deref().unwrap_or(Path::new(CA_PATH));
    from_folder("ca_path", folder)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<Certificate<'static>>, TlsError> {
    let found: Vec<_> = items(&read(key, path)?)
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(TlsError::Empty { key, path: path.to_path_buf(), what: "certificate" });
    }
    Ok(found)
}

/// All certificates of all files. The same one is there up to three times: as a file, under its hash, in a bundle.
fn from_folder(key: &'static str, folder: &Path) -> Result<Vec<Certificate<'static>>, TlsError> {
    let error = |source| TlsError::Read { key, path: folder.to_path_buf(), source };
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        // Dangling links and other things that are no certificates are common there.
        let Ok(bytes) = fs::read(entry.map_err(error)?.path()) else { continue };
        for item in items(&bytes) {
            if let PemItem::Certificate(certificate) = item
                && seen.insert(certificate.der().to_vec())
            {
                found.push(certificate);
            }
        }
    }
    if found.is_empty() {
        return Err(TlsError::Empty { key, path: folder.to_path_buf(), what: "certificate" });
    }
    Ok(found)
}

fn client(certificate: &Path, key: &Path) -> Result<ClientCert, TlsError> {
    let chain = certificates("client_cert", certificate)?;
    let private: Option<PrivateKey<'static>> = items(&read("client_key", key)?).find_map(|item| match item {
        PemItem::PrivateKey(key) => Some(key),
        _ => None,
    });
    match private {
        Some(private) => Ok(ClientCert::new_with_certs(&chain, private)),
        None => Err(TlsError::Empty { key: "client_key", path: key.to_path_buf(), what: "private key" }),
    }
}

fn items(pem: &[u8]) -> impl Iterator<Item = PemItem<'static>> + '_ {
    parse_pem(pem).filter_map(Result::ok)
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { key, path: path.to_path_buf(), source })
}
