//! An image in the layout of the Open Container Initiative, made of one tar archive: what containerd imports.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::process;

/// Writes the image below `folder`.
#[track_caller]
pub fn write(folder: &Path, layer: &Path, name: &str) {
    let blobs = folder.join("blobs/sha256");
    must(fs::create_dir_all(&blobs), &blobs);
    let layer =
        blob(&blobs, &fs::read(layer).unwrap_or_else(|error| panic!("no {}: {error}", layer.display())));
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture, "os": "linux",
        // As the image of a pod's sandbox it has something to do.
        "config": {"Labels": {"of": "image"}, "Cmd": ["/bin/sleep", "1000"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    });
    let config = blob(&blobs, config.to_string().as_bytes());
    let typed = |mut blob: Value, kind: &str| {
        blob["mediaType"] = json!(format!("application/vnd.oci.image.{kind}"));
        blob
    };
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": typed(config, "config.v1+json"), "layers": [typed(layer, "layer.v1.tar")],
    });
    let mut manifest = typed(blob(&blobs, manifest.to_string().as_bytes()), "manifest.v1+json");
    manifest["annotations"] = json!({"io.containerd.image.name": name});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    must(fs::write(folder.join("index.json"), index.to_string()), folder);
    must(fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#), folder);
}

/// Stores bytes by their digest.
#[track_caller]
fn blob(blobs: &Path, bytes: &[u8]) -> Value {
    let unnamed = blobs.join("unnamed");
    must(fs::write(&unnamed, bytes), &unnamed);
    let mut sum = Command::new("sha256sum");
    sum.arg(&unnamed);
    let digest = process::run(sum).ok().split(' ').next().unwrap_or_default().to_owned();
    must(fs::rename(&unnamed, blobs.join(&digest)), &unnamed);
    json!({"digest": format!("sha256:{digest}"), "size": bytes.len()})
}

#[track_caller]
fn must<T>(result: std::io::Result<T>, path: &Path) -> T {
    result.unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()))
}
