//! A clean Debian or Ubuntu with systemd, as an archive: what the tests install packages in, ours and others. Python is
//! there for the packages of pip.
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{apt, command, privilege};

/// The archive; made once, of the release and from the sources of this machine.
pub(crate) fn archive(workspace: &Workspace) -> Result<PathBuf> {
    let release = std::fs::read_to_string("/etc/os-release").context("cannot tell which Debian this is")?;
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let suite = suite.context("/etc/os-release names no VERSION_CODENAME: this is no Debian or Ubuntu")?;
    let folder = workspace.target().join("tools");
    let archive = folder.join(format!("debian-{suite}-python.tar"));
    if archive.exists() {
        return Ok(archive);
    }
    apt::ensure(&["mmdebstrap"], "make a clean Debian for the tests of the package")?;
    let sources = [
        "/etc/apt/sources.list.d/debian.sources",
        "/etc/apt/sources.list.d/ubuntu.sources",
        "/etc/apt/sources.list",
    ]
    .into_iter()
    .find(|path| std::fs::metadata(path).is_ok_and(|data| data.len() > 0));
    let Some(sources) = sources else { bail!("apt has no list of sources here") };
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // Half an archive must not look like one.
    let beside = archive.with_extension("new.tar");
    let mut debootstrap = privilege::as_root("making a clean Debian", "mmdebstrap", &[])?;
    debootstrap.args([
        "--quiet",
        "--variant=minbase",
        "--include=systemd,systemd-sysv,dbus,python3-venv",
        suite,
    ]);
    command::run(debootstrap.arg(&beside).arg(sources))?;
    std::fs::rename(&beside, &archive).with_context(|| format!("cannot write {}", archive.display()))?;
    Ok(archive)
}
