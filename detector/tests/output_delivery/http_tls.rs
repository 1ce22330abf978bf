//! HTTPS: whom the output trusts, and how it shows who it is.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use detector::output::{HttpSettings, OutputSettings, Outputs, TlsSettings};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;

use crate::{
    counters, eventually, finish,
    http::{settings, start},
    receiver::Receiver,
    send,
};

/// An authority with a server's and a client's certificate, in files.
struct Certificates {
    folder: TempDir,
    authority: rcgen::Certificate,
    server: (rcgen::Certificate, KeyPair),
}

impl Certificates {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&key).unwrap();
        let issuer = Issuer::new(parameters, key);
        let leaf = |purpose, name: &str| {
            let key = KeyPair::generate().unwrap();
            let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
            parameters.extended_key_usages = vec![purpose];
            (parameters.signed_by(&key, &issuer).unwrap(), key)
        };
        let server = leaf(ExtendedKeyUsagePurpose::ServerAuth, "127.0.0.1");
        let client = leaf(ExtendedKeyUsagePurpose::ClientAuth, "agent");
        fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
        fs::write(folder.path().join("client.crt"), client.0.pem()).unwrap();
        fs::write(folder.path().join("client.key"), client.1.serialize_pem()).unwrap();
        Self { folder, authority, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn receiver(&self, wants_client: bool) -> Receiver {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if wants_client {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.der().clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.server.1.serialize_der()));
        let config = builder.with_single_cert(vec![self.server.0.der().clone()], key).unwrap();
        Receiver::secure(Arc::new(config))
    }
}

fn https(receiver: &Receiver, tls: TlsSettings) -> HttpSettings {
    HttpSettings { tls, ..settings(&format!("https://{}/", receiver.address())) }
}

fn assert_delivers(receiver: &Receiver, tls: TlsSettings) {
    let outputs = start(https(receiver, tls));
    send(&outputs, "line", 0..3);
    assert_eq!(finish(&outputs, "http").delivered, 3);
}

fn assert_delivers_nothing(receiver: &Receiver, tls: TlsSettings) {
    let outputs = start(https(receiver, tls));
    send(&outputs, "line", 0..3);
    eventually("it is tried again", || counters(&outputs, "http").retried > 2);
    assert_eq!(outputs.flush(Duration::from_millis(50)).dropped, 3);
    assert!(receiver.requests().is_empty());
}

#[test]
fn a_receiver_of_a_trusted_authority_gets_lines() {
    let certificates = Certificates::new();
    let receiver = certificates.receiver(false);
    let ca = certificates.path("ca.crt");
    assert_delivers(&receiver, TlsSettings { ca_cert: Some(ca.clone()), ..TlsSettings::default() });
    assert_delivers(&receiver, TlsSettings { ca_bundle: Some(ca), ..TlsSettings::default() });
    // A folder that holds other things, too.
    let ca_path = Some(certificates.folder.path().to_path_buf());
    assert_delivers(&receiver, TlsSettings { ca_path, ..TlsSettings::default() });
    assert_eq!(receiver.connections(), 3, "one for each output");
}

#[test]
fn a_receiver_of_nobody_we_know_gets_nothing_unless_that_was_asked_for() {
    let certificates = Certificates::new();
    let receiver = certificates.receiver(false);
    let other = Certificates::new();
    let ca_cert = Some(other.path("ca.crt"));
    assert_delivers_nothing(&receiver, TlsSettings { ca_cert: ca_cert.clone(), ..TlsSettings::default() });
    assert_delivers(&receiver, TlsSettings { ca_cert, insecure: true, ..TlsSettings::default() });
}

#[test]
fn a_receiver_of_another_name_gets_nothing() {
    let certificates = Certificates::new();
    let receiver = certificates.receiver(false);
    let tls = TlsSettings { ca_cert: Some(certificates.path("ca.crt")), ..TlsSettings::default() };
    let mut http = https(&receiver, tls);
    http.url = format!("https://localhost:{}/", receiver.address().port());
    let outputs = start(http);
    send(&outputs, "line", 0..1);
    eventually("it is tried again", || counters(&outputs, "http").retried > 2);
    assert!(receiver.requests().is_empty());
    outputs.flush(Duration::ZERO);
}

#[test]
fn a_receiver_that_wants_to_know_us_does() {
    let certificates = Certificates::new();
    let receiver = certificates.receiver(true);
    let ca_cert = Some(certificates.path("ca.crt"));
    assert_delivers_nothing(&receiver, TlsSettings { ca_cert: ca_cert.clone(), ..TlsSettings::default() });
    let client = Some((certificates.path("client.crt"), certificates.path("client.key")));
    assert_delivers(&receiver, TlsSettings { ca_cert, client, ..TlsSettings::default() });
}

#[test]
fn files_that_are_missing_or_hold_something_else_are_named() {
    let certificates = Certificates::new();
    let (ca, key) = (certificates.path("ca.crt"), certificates.path("client.key"));
    let missing = certificates.path("missing");
    let empty = tempfile::tempdir().unwrap();
    let none = TlsSettings::default;
    for (tls, expected) in [
        (TlsSettings { ca_cert: Some(missing.clone()), ..none() }, "missing, named by `ca_cert`"),
        (
            TlsSettings { ca_bundle: Some(key.clone()), ..none() },
            "client.key, named by `ca_bundle`, holds no certificate",
        ),
        (
            TlsSettings { ca_path: Some(empty.path().to_path_buf()), ..none() },
            "named by `ca_path`, holds no certificate",
        ),
        (
            TlsSettings { ca_cert: Some(ca.clone()), client: Some((missing, key)), ..none() },
            "named by `client_cert`",
        ),
        (
            TlsSettings { ca_cert: Some(ca.clone()), client: Some((ca.clone(), ca)), ..none() },
            "ca.crt, named by `client_key`, holds no private key",
        ),
    ] {
        let http = Some(HttpSettings { tls, ..settings("https://127.0.0.1:9/") });
        let error =
            Outputs::start(&OutputSettings { http, ..OutputSettings::default() }).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
