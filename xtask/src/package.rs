//! `cargo xtask package`: the agent as what people install: packages of Debian and Red Hat, a container image, the
//! Helm chart and the manifest, with check sums and a list of the parts.
mod chart_check;
mod checksums;
mod deb;
mod debian;
mod image;
mod kubernetes;
mod manual;
mod rpm;
mod sbom;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{build, build_ebpf, command};
pub(crate) use chart_check::prepare as prepare_chart_check;
pub(crate) use debian::archive as clean_debian;
use tree::Tree;

/// Build the agent and pack it: .deb, .rpm, container image, chart, manual, SBOM, SHA256SUMS in `target/package`
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Pack the agent that is at `target/detector` instead of building it
    #[arg(long)]
    pub(crate) no_build: bool,

    /// Check the chart and the manifest afterwards, with Helm's own code and the schemas of Kubernetes
    #[arg(long)]
    pub(crate) check_chart: bool,
}

const SUMMARY: &str = "sees in the kernel that a container runs a binary that is not part of its image";
/// Packages must name an address; there is none, and `.invalid` is the domain that says so (RFC 2606).
const MAINTAINER: &str = "The detector authors <maintainers@detector.invalid>";

/// What all packages say of themselves.
struct Facts {
    version: String,
    /// As Rust names it.
    architecture: &'static str,
    /// Seconds since the epoch; every time stamp in a package is this one, so that the same sources give the same bytes.
    time: u64,
}

impl Facts {
    /// As Debian and container images name it.
    fn short_architecture(&self) -> &'static str {
        match self.architecture {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let workspace = Workspace::find()?;
    package(&workspace, options)?;
    if options.check_chart { prepare_chart_check(&workspace)?.run() } else { Ok(()) }
}

/// The verb, for other verbs: the folder with everything in it.
pub(crate) fn package(workspace: &Workspace, options: &Options) -> Result<PathBuf> {
    if !options.no_build {
        build::build(workspace, &build_ebpf::Options::default())?;
    }
    let facts = Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        architecture: std::env::consts::ARCH,
        time: source_time(workspace)?,
    };
    let folder = workspace.target().join("package");
    // Only this verb writes here: what an earlier version left would be summed up as if it were of this one.
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot empty {}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;

    manual::write(workspace, &folder)?;
    let tree = Tree::of_agent(workspace, &folder)?;
    let program = folder.join(format!("detector-{}-linux-{}", facts.version, facts.short_architecture()));
    fs::copy(workspace.agent(), &program).with_context(|| format!("cannot write {}", program.display()))?;
    deb::write(&tree, &facts, &folder)?;
    rpm::write(&tree, &facts, &folder)?;
    image::write(&tree, &facts, &folder)?;
    kubernetes::write(workspace, &facts, &folder)?;
    sbom::write(workspace, &facts, &folder)?;
    checksums::write(&folder)?;
    print(workspace, &folder)?;
    Ok(folder)
}

/// `SOURCE_DATE_EPOCH`, else the time of the last commit.
fn source_time(workspace: &Workspace) -> Result<u64> {
    if let Ok(time) = std::env::var("SOURCE_DATE_EPOCH") {
        return time
            .parse()
            .with_context(|| format!("SOURCE_DATE_EPOCH is `{time}`, not a number of seconds"));
    }
    let mut git = command::program("git");
    let time = command::ask(git.arg("-C").arg(workspace.root()).args(["log", "-1", "--format=%ct"]))
        .context("cannot ask git for the time of the last commit; set SOURCE_DATE_EPOCH")?;
    time.parse().with_context(|| format!("git says `{time}` for the time of the last commit"))
}

fn print(workspace: &Workspace, folder: &Path) -> Result<()> {
    println!("packages in {}:", workspace.short(folder));
    for path in checksums::files(folder)? {
        let size = path.metadata().map_or(0, |data| data.len());
        println!("{size:>10}  {}", path.strip_prefix(folder).unwrap_or(&path).display());
    }
    Ok(())
}
