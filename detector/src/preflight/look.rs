//! Looks the facts up. What cannot be read becomes "could not be seen"; nothing here fails as a whole.

use std::{fs, os::unix::fs::FileTypeExt as _, os::unix::fs::MetadataExt as _, path::Path};

use detector_common::settings::Settings as KernelSettings;

use super::{CapabilitySet, Facts, cgroups, file_system_mounted, lockdown, lsm_list, status_field};
use crate::kernel::{
    Host, Kernel, LoadOptions, Sights,
    btf::{Btf, BtfChoice},
    hook_probes,
    offsets::resolve_all,
};

/// Inode number of the first pid namespace (`PROC_PID_INIT_INO`).
const FIRST_PID_NAMESPACE: u64 = 0xefff_fffc;

/// Where container runtimes listen by default.
const RUNTIME_SOCKETS: [&str; 6] = [
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/podman/podman.sock",
    "/run/cri-dockerd.sock",
];

impl Facts {
    /// Looks at the host with BTF of the user's choice, and tries out the hooks: for a moment programs are attached that do nothing.
    #[must_use]
    pub fn look(btf_choice: &BtfChoice) -> Self {
        let lsm = read("/sys/kernel/security/lsm").map(|text| lsm_list(&text));
        let lsm_listed = lsm.as_ref().map(|names| names.iter().any(|name| name == "bpf"));
        let bytes = btf_choice.read();
        let btf = match &bytes {
            Ok(bytes) => Btf::parse(bytes).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let offsets = match &btf {
            Ok(btf) => match resolve_all(btf) {
                Ok((_, absent)) => Ok(absent.iter().map(ToString::to_string).collect()),
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(error.clone()),
        };
        let mountinfo = read("/proc/self/mountinfo");
        Self {
            kernel_release: Host::look().ok().map(|host| host.kernel_release),
            euid: nix::unistd::geteuid().as_raw(),
            capabilities: capabilities(),
            offsets,
            lockdown: read("/sys/kernel/security/lockdown").and_then(|text| lockdown(&text)),
            lsm,
            bpffs: mountinfo.as_deref().map(|text| file_system_mounted(text, "bpf", "/sys/fs/bpf")),
            cgroups: mountinfo.as_deref().map(cgroups),
            overlay: read("/proc/filesystems")
                .map(|text| text.lines().any(|line| line.trim_start_matches("nodev").trim() == "overlay")),
            overlay_btf: Path::new("/sys/kernel/btf/overlay").exists(),
            host_pid_namespace: fs::metadata("/proc/self/ns/pid")
                .ok()
                .map(|namespace| namespace.ino() == FIRST_PID_NAMESPACE),
            runtime_sockets: RUNTIME_SOCKETS
                .into_iter()
                .filter(|path| fs::metadata(path).is_ok_and(|found| found.file_type().is_socket()))
                .map(ToOwned::to_owned)
                .collect(),
            hooks: hook_probes::probe(btf.as_ref().ok(), lsm_listed),
            kernel_btf: btf.map(drop),
            armed: arm(btf_choice),
        }
    }
}

/// Arms the agent's own hook with a filter that lets nothing pass.
fn arm(btf: &BtfChoice) -> Result<(), String> {
    let options = LoadOptions {
        settings: KernelSettings::default(),
        sights: Sights::default(),
        kernel_log: false,
        pins: None,
    };
    Host::look()
        .and_then(|host| Kernel::arm(&host.with_btf(btf), &options))
        .map(drop)
        .map_err(|error| error.to_string())
}

fn capabilities() -> Option<CapabilitySet> {
    let status = read("/proc/self/status")?;
    u64::from_str_radix(status_field(&status, "CapEff")?, 16).ok().map(CapabilitySet)
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}
