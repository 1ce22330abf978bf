//! What runs in the guest: the agent as users get it, and the very test programs of the real-kernel suite, all static.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::initramfs::Initramfs;
use super::kernel::Kernel;
use super::machine::Machine;
use crate::workspace::Workspace;
use crate::{build, command, containers};

/// Suites that need an engine or a network, neither of which is in the guest.
const NOT_FOR_THE_GUEST: [&str; 2] = ["docker", "event_generator"];
/// Cases of the other suites of which the same is true.
const SKIPPED_CASES: [&str; 2] =
    ["a_private_docker_runs_containers", "the_stand_in_drops_like_the_event_generator"];

/// The suite of which the first process runs some cases once more, under cgroup version 1.
const RUN_AGAIN: &str = "sched_process_exec";

/// The programs for the guest, by name.
pub(super) struct Guest {
    suites: BTreeMap<String, PathBuf>,
    helpers: BTreeMap<String, PathBuf>,
    agent: PathBuf,
    busybox: PathBuf,
}

impl Guest {
    /// Builds the test programs; the agent must have been built.
    pub(super) fn build(workspace: &Workspace, machine: &Machine, filter: &[String]) -> Result<Self> {
        build::ensure_target(machine.target)?;
        let mut cargo = workspace.cargo();
        cargo.args(["test", "--no-run", "--profile", "vm", "--package", "detector-tests", "--test", "*"]);
        cargo.args(["--target", machine.target, "--message-format", "json-render-diagnostics"]);
        cargo.arg("--target-dir").arg(workspace.target());
        command::show(&cargo);
        let output = cargo
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start cargo to build the tests for the guest")?;
        anyhow::ensure!(
            output.status.success(),
            "cannot build the tests for the guest: see cargo's output above"
        );
        let (mut suites, helpers) = programs(&String::from_utf8_lossy(&output.stdout));
        for name in filter {
            anyhow::ensure!(suites.contains_key(name), "there is no suite `{name}` among tests/tests");
        }
        suites.retain(|name, _| {
            let chosen = filter.is_empty() || filter.contains(name);
            chosen && !NOT_FOR_THE_GUEST.contains(&name.as_str())
        });
        anyhow::ensure!(!suites.is_empty(), "no suite is left to run in the guest");
        let busybox = containers::static_busybox(workspace)?;
        Ok(Self { suites, helpers, agent: workspace.agent(), busybox })
    }

    /// A guest that only starts the agent.
    pub(super) fn build_without_suites(workspace: &Workspace, machine: &Machine) -> Result<Self> {
        Ok(Self { suites: BTreeMap::new(), ..Self::build(workspace, machine, &[])? })
    }

    /// Names of all that the first process will run.
    pub(super) fn suites(&self) -> impl Iterator<Item = &str> {
        let again = self.suites.contains_key(RUN_AGAIN).then_some("cgroup_v1");
        self.suites.keys().map(String::as_str).chain(again)
    }

    /// Writes the first file system for `kernel` to `path`.
    pub(super) fn write(&self, kernel: &Kernel, path: &Path) -> Result<()> {
        let mut initramfs = Initramfs::default();
        for folder in ["dev", "proc", "sys", "tmp", "run", "root", "etc", "bin", "sbin"] {
            initramfs.folder(folder)?;
        }
        for folder in ["vm", "vm/bin", "vm/suites", "vm/modules"] {
            initramfs.folder(folder)?;
        }
        initramfs.console()?;
        initramfs.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")?;
        initramfs.text("etc/group", "root:x:0:\n")?;
        initramfs.file("bin/busybox", &self.busybox)?;
        initramfs.link("bin/sh", "busybox")?;
        initramfs.file("init", self.helpers.get("vm-init").context("cargo built no vm-init")?)?;
        initramfs.link("sbin/modprobe", "/init")?;
        initramfs.file("vm/bin/detector", &self.agent)?;
        for (name, program) in self.helpers.iter().filter(|(name, _)| *name != "vm-init") {
            initramfs.file(&format!("vm/bin/{name}"), program)?;
        }
        for (name, program) in &self.suites {
            initramfs.file(&format!("vm/suites/{name}"), program)?;
        }
        initramfs.text("vm/skip", &SKIPPED_CASES.join("\n"))?;
        for module in kernel.module_files() {
            let name = module.file_name().unwrap_or_default().to_string_lossy().into_owned();
            initramfs.file(&format!("vm/modules/{name}"), &module)?;
        }
        std::fs::write(path, initramfs.finish()?).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Test programs and ordinary programs among cargo's messages.
fn programs(messages: &str) -> (BTreeMap<String, PathBuf>, BTreeMap<String, PathBuf>) {
    let (mut suites, mut helpers) = (BTreeMap::new(), BTreeMap::new());
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let (Some(path), Some(name)) = (message["executable"].as_str(), message["target"]["name"].as_str())
        else {
            continue;
        };
        let kind = message["target"]["kind"][0].as_str();
        match (kind, message["profile"]["test"].as_bool()) {
            (Some("test"), Some(true)) => suites.insert(name.to_owned(), PathBuf::from(path)),
            (Some("bin"), Some(false)) => helpers.insert(name.to_owned(), PathBuf::from(path)),
            _ => None,
        };
    }
    (suites, helpers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_tells_suites_and_helpers_apart() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"burst","kind":["test"]},"profile":{"test":true},"executable":"/t/burst-1"}
{"reason":"compiler-artifact","target":{"name":"probe","kind":["bin"]},"profile":{"test":false},"executable":"/t/probe"}
{"reason":"compiler-artifact","target":{"name":"probe","kind":["bin"]},"profile":{"test":true},"executable":"/t/probe-2"}
{"reason":"compiler-artifact","target":{"name":"libc","kind":["lib"]},"profile":{"test":false},"executable":null}
{"reason":"build-finished","success":true}"#;
        let (suites, helpers) = programs(messages);
        assert_eq!(suites, BTreeMap::from([("burst".to_owned(), PathBuf::from("/t/burst-1"))]));
        assert_eq!(helpers, BTreeMap::from([("probe".to_owned(), PathBuf::from("/t/probe"))]));
    }
}
