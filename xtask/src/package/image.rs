//! The container image: an archive in the layout of the Open Container Initiative, made without a daemon and without a
//! base image, as the agent is one static program. `podman load`, `ctr image import` and `skopeo copy oci-archive:` take it.
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use super::Facts;
use super::checksums::sha256;
use super::tree::{Entry, Tree, gzip};

const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// What containerd calls an imported image.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

pub(super) fn write(tree: &Tree, facts: &Facts, to: &Path) -> Result<()> {
    let layer = layer(tree, facts)?;
    let packed = gzip(&layer)?;
    let mut blobs = Vec::new();
    let layer_blob = blob(&mut blobs, packed, "image.layer.v1.tar+gzip");
    let config = blob(&mut blobs, config(facts, &layer).to_string().into_bytes(), "image.config.v1+json");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": [layer_blob],
    });
    let mut manifest = blob(&mut blobs, manifest.to_string().into_bytes(), "image.manifest.v1+json");
    manifest["platform"] = json!({"os": "linux", "architecture": facts.short_architecture()});
    manifest["annotations"] = json!({
        REF_NAME: facts.version, CONTAINERD_NAME: format!("docker.io/library/detector:{}", facts.version),
    });
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest],
    });

    let path = to.join(format!("detector-{}-linux-{}.oci.tar", facts.version, facts.short_architecture()));
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut archive = Archive { tar: Builder::new(file), time: facts.time };
    archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
    archive.file("index.json", index.to_string().as_bytes(), 0o644)?;
    archive.folder("blobs")?;
    archive.folder("blobs/sha256")?;
    for (digest, bytes) in &blobs {
        archive.file(&format!("blobs/sha256/{digest}"), bytes, 0o644)?;
    }
    archive.tar.into_inner().context("cannot end the image's archive").map(|_| ())
}

/// What a person who starts the image gets.
fn config(facts: &Facts, layer: &[u8]) -> Value {
    let label = |name: &str| format!("org.opencontainers.image.{name}");
    json!({
        "os": "linux", "architecture": facts.short_architecture(),
        "config": {
            "Entrypoint": ["/usr/bin/detector"],
            "Cmd": ["-c", "/etc/detector/detector.yaml"],
            "Env": ["PATH=/usr/bin"],
            // Rights are taken away at the start; which are needed is in docs/deployment.md.
            "User": "0:0",
            "Labels": {
                label("title"): "detector", label("version"): facts.version, label("licenses"): "Apache-2.0",
                label("description"): super::SUMMARY,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(layer))]},
        "history": [{"created_by": "cargo xtask package"}],
    })
}

/// The root file system, not compressed: its digest is part of the configuration.
fn layer(tree: &Tree, facts: &Facts) -> Result<Vec<u8>> {
    let mut archive = Archive { tar: Builder::new(Vec::new()), time: facts.time };
    let entries: Vec<_> = tree.entries().iter().filter(|entry| belongs_in_image(entry)).collect();
    let mut folders = BTreeSet::new();
    for entry in &entries {
        let parents = Path::new(&entry.path).ancestors().skip(1);
        folders.extend(
            parents.filter(|path| !path.as_os_str().is_empty()).map(|path| path.display().to_string()),
        );
        if entry.bytes().is_none() {
            folders.insert(entry.path.clone());
        }
    }
    for folder in &folders {
        archive.folder(folder)?;
    }
    for entry in &entries {
        if let Some(bytes) = entry.bytes() {
            archive.file(&entry.path, bytes, entry.mode)?;
        }
    }
    archive.tar.into_inner().context("cannot end the image's layer")
}

/// Nobody reads manuals in a container, and no service manager runs there.
fn belongs_in_image(entry: &Entry) -> bool {
    let unused = ["usr/lib/systemd/", "usr/share/man/", "usr/share/bash", "usr/share/zsh", "usr/share/fish"];
    !unused.iter().any(|start| entry.path.starts_with(start))
}

/// Keeps the bytes under their digest; the answer points to them.
fn blob(blobs: &mut Vec<(String, Vec<u8>)>, bytes: Vec<u8>, kind: &str) -> Value {
    let digest = sha256(&bytes);
    let pointer = json!({
        "mediaType": format!("application/vnd.oci.{kind}"), "digest": format!("sha256:{digest}"), "size": bytes.len(),
    });
    blobs.push((digest, bytes));
    pointer
}

/// A tar archive whose entries all belong to root and are all of the same time.
struct Archive<W: Write> {
    tar: Builder<W>,
    time: u64,
}

impl<W: Write> Archive<W> {
    fn folder(&mut self, path: &str) -> Result<()> {
        self.entry(&format!("{path}/"), EntryType::Directory, &[], 0o755)
    }

    fn file(&mut self, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
        self.entry(path, EntryType::Regular, bytes, mode)
    }

    fn entry(&mut self, path: &str, kind: EntryType, bytes: &[u8], mode: u32) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.time);
        header.set_size(u64::try_from(bytes.len())?);
        self.tar
            .append_data(&mut header, path, bytes)
            .with_context(|| format!("cannot add {path} to the image"))
    }
}
