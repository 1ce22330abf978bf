//! The programs that make containers on this machine, and the packages that bring those which are absent.
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _};

use crate::workspace::Workspace;
use crate::{apt, command};

/// A program that the real-kernel tests use, and the package of Debian and Ubuntu that has it.
pub(crate) struct Needed {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

/// Asked for by program, not by package: an engine from elsewhere (docker-ce, for instance) is as good.
const ENGINE: [Needed; 4] = [
    Needed { program: "dockerd", package: "docker.io" },
    Needed { program: "containerd", package: "containerd" },
    Needed { program: "runc", package: "runc" },
    Needed { program: "iptables", package: "iptables" },
];
/// Part of docker.io on older releases, a package of its own on newer ones.
const CLIENT: Needed = Needed { program: "docker", package: "docker-cli" };

/// True when a private Docker daemon can be started here.
pub(crate) fn has_docker() -> bool {
    ENGINE.iter().chain([&CLIENT]).all(|needed| command::find(needed.program).is_some())
}

/// Installs the parts of Docker that are absent.
pub(crate) fn install_docker() -> Result<()> {
    let absent: Vec<_> = ENGINE.iter().filter(|needed| command::find(needed.program).is_none()).collect();
    let packages: Vec<_> = absent.iter().map(|needed| needed.package).collect();
    apt::ensure(&packages, "run real Docker containers")?;
    if command::find(CLIENT.program).is_none() {
        apt::ensure(&[CLIENT.package], "run real Docker containers")?;
    }
    Ok(())
}

/// A further engine of the real-kernel tests: its name, and what of it must be here.
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    needed: &'static [Needed],
}

/// Each is installed by itself: what one distribution lacks costs its own tests only.
pub(crate) const ENGINES: [Engine; 3] = [
    Engine {
        name: "Podman",
        needed: &[
            Needed { program: "podman", package: "podman" },
            Needed { program: "conmon", package: "conmon" },
            // Without it a user has but one id in a container.
            Needed { program: "newuidmap", package: "uidmap" },
            // Starts it as a user without rights; in every Debian, but not in every image of one.
            Needed { program: "setpriv", package: "util-linux" },
        ],
    },
    Engine { name: "LXC", needed: &[Needed { program: "lxc-start", package: "lxc" }] },
    Engine {
        name: "systemd-nspawn",
        needed: &[Needed { program: "systemd-nspawn", package: "systemd-container" }],
    },
];

impl Engine {
    /// Installs what of it is absent.
    pub(crate) fn install(&self) -> Result<()> {
        let absent: Vec<_> =
            self.needed.iter().filter(|part| command::find(part.program).is_none()).collect();
        let packages: Vec<_> = absent.iter().map(|needed| needed.package).collect();
        apt::ensure(&packages, &format!("run real containers of {}", self.name))
    }
}

/// A busybox that needs no library: the whole content of the images that are made here.
///
/// Where the shared busybox is installed (an initramfs may depend on it), the static one is unpacked into the target
/// folder instead of replacing it.
pub(crate) fn static_busybox(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target().join("tools/busybox-static");
    let ours = folder.join("bin/busybox");
    let here =
        || [command::find("busybox"), Some(ours.clone())].into_iter().flatten().find(|path| is_static(path));
    if let Some(found) = here() {
        return Ok(found);
    }
    if command::find("busybox").is_none() {
        apt::ensure(&["busybox-static"], "fill the container images")?;
    } else {
        unpack_busybox(&folder)?;
    }
    here().context("busybox-static is here now, but its busybox is no static program")
}

fn unpack_busybox(folder: &Path) -> Result<()> {
    let why =
        "no static busybox: the shared one is installed and must stay, and the other cannot be unpacked";
    anyhow::ensure!(apt::has("busybox-static"), "{why}: apt does not know `busybox-static`");
    let downloads = tempfile::tempdir().context("cannot create a folder for a download")?;
    let mut download = command::program("apt-get");
    command::run(download.current_dir(downloads.path()).args(["-qq", "download", "busybox-static"]))
        .context(why)?;
    let package = std::fs::read_dir(downloads.path()).context(why)?.flatten().next().context(why)?.path();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    command::run(command::program("dpkg-deb").arg("-x").arg(package).arg(folder)).context(why)?;
    let (bin, usr_bin) = (folder.join("bin/busybox"), folder.join("usr/bin/busybox"));
    if !bin.exists() && usr_bin.exists() {
        std::fs::create_dir_all(folder.join("bin"))
            .and_then(|()| std::fs::rename(usr_bin, bin))
            .context(why)?;
    }
    Ok(())
}

fn is_static(path: &Path) -> bool {
    let Ok(bytes) = std::fs::read(path) else { return false };
    object::File::parse(&*bytes).is_ok_and(|file| {
        file.section_by_name(".interp").is_none() && file.sections().any(|section| section.size() > 0)
    })
}

/// Ends everything that a private daemon may have left mounted below `folder`, so that it can be removed.
pub(crate) fn unmount_below(folder: &Path) {
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return };
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(Path::new);
    let below: Vec<_> = points.filter(|point| point.starts_with(folder)).collect();
    for point in below.iter().rev() {
        // What cannot be unmounted shows itself when the folder is removed.
        let _ = nix::mount::umount2(*point, nix::mount::MntFlags::MNT_DETACH);
    }
}
