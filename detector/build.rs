//! Puts the eBPF object into the agent. Without it the agent still builds, so that `cargo test` and `cargo clippy`
//! work on stable; it then says at start what is missing.

use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=DETECTOR_EBPF_OBJECT");
    let (Some(out), Some(manifest)) = (env::var_os("OUT_DIR"), env::var_os("CARGO_MANIFEST_DIR")) else {
        println!(
            "cargo::error=cargo sets OUT_DIR and CARGO_MANIFEST_DIR for build scripts, but they are not set"
        );
        return;
    };
    let object = env::var_os("DETECTOR_EBPF_OBJECT")
        .map_or_else(|| PathBuf::from(manifest).join("../target/ebpf/detector-ebpf.o"), PathBuf::from);
    println!("cargo::rerun-if-changed={}", object.display());
    let bytes = fs::read(&object).unwrap_or_else(|_| {
        println!("cargo::warning=the eBPF object is missing: `cargo xtask build` makes it");
        Vec::new()
    });
    let copy = PathBuf::from(out).join("detector-ebpf.o");
    if let Err(error) = fs::write(&copy, bytes) {
        println!("cargo::error=cannot write {}: {error}", copy.display());
    }
}
