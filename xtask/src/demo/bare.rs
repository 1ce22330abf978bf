//! A container without an engine: what an engine does, in the four steps that matter here. An overlay over the
//! image, a cgroup named like Docker's, new mount and pid namespaces, a new root.
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::command;

/// Runs a shell script in the container and waits for its end.
pub(super) fn run(folder: &Path, image: &Path, script: &str) -> Result<()> {
    let root = Overlay::mount(folder, image)?;
    let cgroups = Cgroups::create()?;
    // The shell joins the cgroups, then becomes the container.
    let procs = cgroups.folders.iter().map(|cgroup| cgroup.join("cgroup.procs"));
    let mut container = command::program("sh");
    container.args(["-ec", r#"until [ "$1" = -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@""#, "sh"]);
    container.args(procs);
    container.args(["--", "unshare", "--mount", "--pid", "--fork", "--propagation", "private", "chroot"]);
    command::run(container.arg(&root.path).args(["/bin/sh", "-c", script]))
}

/// The container's root file system; unmounted when it goes away.
struct Overlay {
    path: PathBuf,
}

impl Overlay {
    fn mount(folder: &Path, image: &Path) -> Result<Self> {
        let [upper, work, path] = ["upper", "work", "root"].map(|name| folder.join(name));
        for folder in [&upper, &work, &path] {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let options =
            format!("lowerdir={},upperdir={},workdir={}", image.display(), upper.display(), work.display());
        eprintln!("$ mount -t overlay overlay -o {options} {}", path.display());
        mount(Some("overlay"), &path, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
            .context("cannot mount an overlay file system: is the kernel module `overlay` there?")?;
        Ok(Self { path })
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        if let Err(error) = umount2(&self.path, MntFlags::MNT_DETACH) {
            eprintln!("error: cannot unmount {}: {error}", self.path.display());
        }
    }
}

/// `/docker/ID` in every hierarchy that takes it; removed when it goes away.
struct Cgroups {
    folders: Vec<PathBuf>,
}

impl Cgroups {
    fn create() -> Result<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
        let id = random_id()?;
        let mut cgroups = Self { folders: Vec::new() };
        for hierarchy in hierarchies(&mounts) {
            let folder = hierarchy.join("docker").join(&id);
            if std::fs::create_dir_all(&folder).is_ok() {
                cgroups.folders.push(folder);
            }
        }
        if cgroups.folders.is_empty() {
            bail!("no cgroup can be made: no hierarchy that names containers is mounted writable");
        }
        Ok(cgroups)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for folder in &self.folders {
            if let Err(error) = std::fs::remove_dir(folder) {
                eprintln!("error: cannot remove {}: {error}", folder.display());
            }
            // The parent is shared with a real Docker: it stays when it is in use.
            let _ = folder.parent().map(std::fs::remove_dir);
        }
    }
}

/// Mount points of the hierarchies that are made for naming: version 2, and of version 1 those that need no setting
/// before a process may join (as cpuset would).
fn hierarchies(mounts: &str) -> Vec<PathBuf> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (point, kind, options) = (words.next()?, words.next()?, words.next()?);
            let has = |name| options.split(',').any(|option| option == name);
            let wanted =
                kind == "cgroup2" || (kind == "cgroup" && ["memory", "pids", "cpu"].into_iter().any(has));
            wanted.then(|| PathBuf::from(point))
        })
        .collect()
}

/// 64 hex digits, as Docker names its containers.
fn random_id() -> Result<String> {
    use std::fmt::Write as _;
    use std::io::Read as _;
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("no /dev/urandom")?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_of_both_versions_are_found() {
        let mounts = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid 0 0\n\
                      cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0\n\
                      cgroup /sys/fs/cgroup/pids cgroup rw,nosuid,pids 0 0\n\
                      tmpfs /sys/fs/cgroup tmpfs rw 0 0\n";
        assert_eq!(hierarchies(mounts), ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids"].map(PathBuf::from));
    }

    #[test]
    fn an_id_looks_like_one_of_docker() {
        let id = random_id().unwrap();
        assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_ne!(id, random_id().unwrap());
    }
}
