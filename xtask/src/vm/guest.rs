//! What runs in the guest: the agent as users get it, and the very test programs of the real-kernel suite, all static.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::archive::Archive;
use super::engines::{self, Engines};
use super::initramfs::Initramfs;
use super::kernel::{Kernel, files_below};
use super::machine::Machine;
use super::plan::{Choice, Plan};
use super::suites::Suite;
use super::target::{Kind, Target};
use super::unpacked::Unpacked;
use crate::command::Pace;
use crate::workspace::Workspace;
use crate::{build::Arch, command, containers};

/// The case that only the real program can run.
const EVENT_GENERATOR_CASE: &str = "the_real_event_generator";
/// The case that starts an engine in a container of another.
const NESTED_ENGINE_CASE: &str = "docker_in_docker";

/// Folders that are links to those below `/usr`, as distributions have them.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// The programs for the guests of one architecture, by name.
pub(super) struct Guest {
    suites: BTreeMap<String, PathBuf>,
    /// Those that were asked for, and how.
    chosen: Vec<Suite>,
    choice: Choice,
    helpers: BTreeMap<String, PathBuf>,
    agent: PathBuf,
    busybox: PathBuf,
    /// What makes containers there; by kind of guest.
    engines: Vec<(Kind, Engines)>,
    event_generator: Option<PathBuf>,
    /// Falco's own rule files, where a folder of them was named.
    falco_rules: Vec<PathBuf>,
}

impl Guest {
    /// Builds the test programs for the architecture; the agent must have been built.
    ///
    /// Of the suites that cargo builds without extra features those go into a guest that have something to show there,
    /// by their own statement. A case that needs an engine which the guest does not have says so itself.
    pub(super) fn build(
        workspace: &Workspace,
        machine: &Machine,
        targets: &[&Target],
        filter: &[String],
        archive: &Archive,
        pace: Pace,
    ) -> Result<Self> {
        let arch = machine.arch;
        let mut cargo = workspace.cargo();
        arch.prepare(&mut cargo)?;
        // They wait longer there before they call anything hung.
        cargo.env("DETECTOR_GUEST", "1");
        cargo.args(["test", "--no-run", "--profile", "vm", "--package", "detector-tests"]);
        let mut chosen = Suite::all(&workspace.metadata()?)?;
        for name in filter {
            anyhow::ensure!(
                chosen.iter().any(|suite| suite.name == *name),
                "there is no suite `{name}` among those without extra features"
            );
        }
        chosen.retain(|suite| filter.is_empty() || filter.contains(&suite.name));
        let choice = if filter.is_empty() { Choice::ByStatement } else { Choice::All };
        let plans: Vec<Plan> = targets.iter().map(|target| Plan::of(target, &chosen, choice, &[])).collect();
        let wanted: BTreeSet<&str> = plans.iter().flat_map(Plan::programs).collect();
        for name in wanted {
            cargo.args(["--test", name]);
        }
        cargo.args(["--target", &arch.static_target(), "--message-format", "json-render-diagnostics"]);
        cargo.arg("--target-dir").arg(workspace.target());
        let mut cargo = pace.of(cargo);
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
        let (suites, helpers) = programs(&String::from_utf8_lossy(&output.stdout));
        let mut kinds: Vec<Kind> = Vec::new();
        for target in targets {
            if !kinds.contains(&target.kind) {
                kinds.push(target.kind);
            }
        }
        let (busybox, engines) = programs_of(workspace, arch, archive, &kinds)?;
        Ok(Self {
            suites,
            chosen,
            choice,
            helpers,
            agent: arch.agent(workspace),
            busybox,
            engines,
            event_generator: event_generator(workspace)?,
            falco_rules: falco_rules(),
        })
    }

    /// Leaves all suites out: the guest only starts the agent.
    pub(super) fn without_suites(mut self) -> Self {
        self.chosen.clear();
        self
    }

    /// What the first process of such a guest does.
    pub(super) fn plan(&self, target: &Target) -> Plan {
        let skip: Vec<&str> = self.left_out().into_iter().map(|(case, _)| case).collect();
        Plan::of(target, &self.chosen, self.choice, &skip)
    }

    /// The cases that cannot run in any guest, with the reason.
    pub(super) fn left_out(&self) -> Vec<(&'static str, &'static str)> {
        let nested = "a second engine inside of the first takes an emulated processor too long; it runs on this computer's kernel";
        let absent = "there is no event-generator to put into the guest: DETECTOR_EVENT_GENERATOR can name a static one; the \
                      stand-in ran";
        let mut left_out = vec![(NESTED_ENGINE_CASE, nested)];
        if self.event_generator.is_none() {
            left_out.push((EVENT_GENERATOR_CASE, absent));
        }
        left_out
    }

    /// Writes the first file system for `kernel` and what is to be done there to `path`.
    pub(super) fn write(&self, kernel: &Kernel, plan: &Plan, path: &Path) -> Result<()> {
        let mut initramfs = Initramfs::default();
        for folder in ["proc", "sys", "tmp", "run", "mnt", "root", "etc", "var/lib", "var/tmp", "vm/suites"] {
            initramfs.folder(folder)?;
        }
        for folder in MERGED {
            initramfs.folder(&format!("usr/{folder}"))?;
            initramfs.link(folder, &format!("usr/{folder}"))?;
        }
        initramfs.console()?;
        initramfs.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")?;
        initramfs.text("etc/group", "root:x:0:\n")?;
        initramfs.file("usr/bin/busybox", &self.busybox)?;
        initramfs.link("usr/bin/sh", "busybox")?;
        initramfs.file("init", self.helpers.get("vm-init").context("cargo built no vm-init")?)?;
        initramfs.link("usr/sbin/modprobe", "/init")?;
        initramfs.file("vm/bin/detector", &self.agent)?;
        for (name, program) in self.helpers.iter().filter(|(name, _)| *name != "vm-init") {
            initramfs.file(&format!("vm/bin/{name}"), program)?;
        }
        for name in plan.programs() {
            let program = self.suites.get(name).with_context(|| format!("there is no suite `{name}`"))?;
            initramfs.file(&format!("vm/suites/{name}"), program)?;
        }
        initramfs.text("vm/plan", &plan.text())?;
        self.add_engines(plan.target().kind, &mut initramfs)?;
        for file in &self.falco_rules {
            initramfs.file(&format!("vm/falco-rules/{}", name_of(file)), file)?;
        }
        for module in kernel.module_files() {
            initramfs.file(&format!("vm/modules/{}", name_of(&module)), &module)?;
        }
        std::fs::write(path, initramfs.finish()?).with_context(|| format!("cannot write {}", path.display()))
    }

    fn add_engines(&self, kind: Kind, initramfs: &mut Initramfs) -> Result<()> {
        let Some((_, engines)) = self.engines.iter().find(|(of, _)| *of == kind) else { return Ok(()) };
        for (place, file) in &engines.files {
            initramfs.file(&merged(place), file)?;
        }
        if let Some(program) = self.event_generator.as_ref().filter(|_| kind == Kind::Docker) {
            initramfs.file("vm/bin/event-generator", program)?;
        }
        Ok(())
    }
}

/// Where a file of this full path is, in the archive.
fn merged(path: &Path) -> String {
    let path = path.display().to_string();
    let path = path.trim_start_matches('/');
    let above = path.split('/').next().unwrap_or_default();
    if MERGED.contains(&above) { format!("usr/{path}") } else { path.to_owned() }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A static busybox for the architecture, and what each kind of guest makes containers with: this machine's, or the
/// archive's.
fn programs_of(
    workspace: &Workspace,
    arch: Arch,
    archive: &Archive,
    kinds: &[Kind],
) -> Result<(PathBuf, Vec<(Kind, Engines)>)> {
    if arch.is_ours() {
        let engines =
            kinds.iter().map(|kind| Ok((*kind, Engines::of(*kind)?))).collect::<Result<Vec<_>>>()?;
        return Ok((containers::static_busybox(workspace)?, engines));
    }
    let folder = workspace.target().join("tools").join(format!("packages-{}", arch.static_target()));
    let busybox = Unpacked::get(archive, &folder, &["busybox-static"])?.program("busybox")?;
    let packages = Unpacked::get(archive, &folder, &engines::PACKAGES)?;
    let engines = kinds.iter().map(|kind| Ok((*kind, Engines::unpacked(*kind, &packages)?)));
    Ok((busybox, engines.collect::<Result<Vec<_>>>()?))
}

/// The event-generator: the one that is named, or the one that the tests on this machine have built.
fn event_generator(workspace: &Workspace) -> Result<Option<PathBuf>> {
    if let Some(given) = std::env::var_os("DETECTOR_EVENT_GENERATOR").map(PathBuf::from) {
        anyhow::ensure!(
            given.is_file(),
            "DETECTOR_EVENT_GENERATOR names {}, which is no file",
            given.display()
        );
        return Ok(Some(given));
    }
    let built = files_below(&workspace.target().join("tools"));
    Ok(built.into_iter().find(|file| name_of(file) == "event-generator"))
}

/// The files of the folder that `DETECTOR_FALCO_RULES` names.
fn falco_rules() -> Vec<PathBuf> {
    let folder = std::env::var_os("DETECTOR_FALCO_RULES").map(PathBuf::from);
    let files = folder.map(|folder| files_below(&folder)).unwrap_or_default();
    files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "yaml")).collect()
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
    fn files_lie_where_the_links_lead() {
        for (path, expected) in [
            ("/bin/runc", "usr/bin/runc"),
            ("/lib64/ld.so", "usr/lib64/ld.so"),
            ("/usr/lib/x/libc.so", "usr/lib/x/libc.so"),
            ("/opt/lib/a", "opt/lib/a"),
        ] {
            assert_eq!(merged(Path::new(path)), expected);
        }
    }

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
