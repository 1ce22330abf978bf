//! The cgroups of the demo's containers: made for the bare one, and tidied up after an engine.
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The name under which Docker keeps its containers.
const PARENT: &str = "docker";

/// `/docker/ID` in every hierarchy that takes it; removed when it goes away.
pub(super) struct ContainerCgroups {
    folders: Vec<PathBuf>,
    /// Dropped after the folders are gone.
    _parents: NewParents,
}

impl ContainerCgroups {
    pub(super) fn create() -> Result<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
        let id = random_id()?;
        let mut cgroups = Self { folders: Vec::new(), _parents: NewParents::watch()? };
        for hierarchy in hierarchies(&mounts).into_iter().filter(|hierarchy| hierarchy.is_joined_freely) {
            let folder = hierarchy.point.join(PARENT).join(&id);
            if std::fs::create_dir_all(&folder).is_ok() {
                cgroups.folders.push(folder);
            }
        }
        if cgroups.folders.is_empty() {
            bail!("no cgroup can be made: no hierarchy that names containers is mounted writable");
        }
        Ok(cgroups)
    }

    pub(super) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }
}

impl Drop for ContainerCgroups {
    fn drop(&mut self) {
        for folder in &self.folders {
            if let Err(error) = std::fs::remove_dir(folder) {
                eprintln!("error: cannot remove {}: {error}", folder.display());
            }
        }
    }
}

/// Removes the parent cgroups that appeared since `watch`; those of a Docker that was here before stay.
pub(super) struct NewParents {
    absent: Vec<PathBuf>,
}

impl NewParents {
    pub(super) fn watch() -> Result<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
        let parents = hierarchies(&mounts).into_iter().map(|hierarchy| hierarchy.point.join(PARENT));
        Ok(Self { absent: parents.filter(|parent| !parent.exists()).collect() })
    }
}

impl Drop for NewParents {
    fn drop(&mut self) {
        for parent in &self.absent {
            // Absent still, or in use by a Docker that was started meanwhile: both are right as they are.
            let _ = std::fs::remove_dir(parent);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    point: PathBuf,
    /// A process may join without a setting made first (as cpuset of version 1 would need).
    is_joined_freely: bool,
}

fn hierarchies(mounts: &str) -> Vec<Hierarchy> {
    let hierarchy = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (point, kind, options) = (words.next()?, words.next()?, words.next()?);
        let has = |name| options.split(',').any(|option| option == name);
        let is_joined_freely = kind == "cgroup2" || ["memory", "pids", "cpu"].into_iter().any(has);
        kind.starts_with("cgroup").then(|| Hierarchy { point: Path::new(point).to_owned(), is_joined_freely })
    };
    mounts.lines().filter_map(hierarchy).collect()
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
        let found: Vec<_> = hierarchies(mounts).into_iter().map(|h| (h.point, h.is_joined_freely)).collect();
        let expected = [("unified", true), ("cpuset", false), ("pids", true)];
        assert_eq!(found, expected.map(|(name, free)| (Path::new("/sys/fs/cgroup").join(name), free)));
    }

    #[test]
    fn an_id_looks_like_one_of_docker() {
        let id = random_id().unwrap();
        assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_ne!(id, random_id().unwrap());
    }
}
