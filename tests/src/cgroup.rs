//! A cgroup whose name looks like Docker's, in every hierarchy that tells a container's id.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// The cgroups of one container, usually `/docker/<id>`; removed on drop.
#[derive(Debug)]
pub struct ContainerCgroups {
    folders: Vec<PathBuf>,
    /// Parts of the path: so many folders above may go with it.
    depth: usize,
}

impl ContainerCgroups {
    /// Makes `/docker/<id>` in the unified hierarchy, and in the memory and pids hierarchies of version 1 where the
    /// host has them.
    #[must_use]
    pub fn create(id: &str) -> Self {
        Self::create_at(&format!("docker/{id}"))
    }

    /// The same at this path in each hierarchy.
    #[must_use]
    pub fn create_at(path: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts")
            .unwrap_or_else(|error| panic!("cannot read /proc/self/mounts: {error}"));
        let hierarchies = hierarchies(&mounts);
        assert!(
            !hierarchies.is_empty(),
            "no cgroup hierarchy is mounted (mount -t cgroup2 none /sys/fs/cgroup)"
        );
        let mut made = Self { folders: Vec::new(), depth: path.split('/').count() };
        for hierarchy in hierarchies {
            let folder = hierarchy.join(path);
            if let Err(error) = create_with_parents(&folder) {
                panic!("cannot make the cgroup {}: {error}", folder.display());
            }
            made.folders.push(folder);
        }
        made
    }

    /// The folders, one per hierarchy.
    #[must_use]
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }
}

impl Drop for ContainerCgroups {
    fn drop(&mut self) {
        for folder in &self.folders {
            remove_when_free(folder);
            // Those above (`docker`) go with their last container; another container (or an engine) keeps them.
            for parent in folder.ancestors().skip(1).take(self.depth - 1) {
                let _ = fs::remove_dir(parent);
            }
        }
    }
}

/// A cgroup that looks like nobody's container: whatever is started in it can be found again. Removed on drop.
#[derive(Debug)]
pub struct PlainCgroup(PathBuf);

impl PlainCgroup {
    /// Makes it at the top of the first hierarchy.
    #[must_use]
    pub fn create(name: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts")
            .unwrap_or_else(|error| panic!("cannot read /proc/self/mounts: {error}"));
        let hierarchies = hierarchies(&mounts);
        let folder = hierarchies.last().map(|hierarchy| hierarchy.join(name));
        let Some(folder) = folder else { panic!("no cgroup hierarchy is mounted") };
        if let Err(error) = fs::create_dir(&folder) {
            panic!("cannot make the cgroup {}: {error}", folder.display());
        }
        Self(folder)
    }

    /// Has the command, and all that it starts, live in the group.
    pub fn start_in(&self, command: &mut Command) {
        let list = self.0.join("cgroup.procs");
        // SAFETY: opens, writes and closes a file; its path is made before the fork.
        unsafe { command.pre_exec(move || fs::write(&list, "0")) };
    }

    /// Process ids of those that live in it, one a line.
    #[must_use]
    pub fn processes(&self) -> String {
        let list = self.0.join("cgroup.procs");
        fs::read_to_string(&list).unwrap_or_else(|error| panic!("cannot read {}: {error}", list.display()))
    }
}

impl Drop for PlainCgroup {
    fn drop(&mut self) {
        remove_when_free(&self.0);
    }
}

/// The kernel lets go of a dead process a moment after its parent was told: busy means try again.
fn remove_when_free(folder: &Path) {
    for _ in 0..500 {
        match fs::remove_dir(folder) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => {
                eprintln!("left behind: cgroup {}: {error}", folder.display());
                break;
            }
            Ok(()) => break,
        }
    }
}

/// Removes the parent cgroup `docker` that an engine left in each hierarchy; one that is in use stays.
pub fn remove_empty_docker() {
    for line in fs::read_to_string("/proc/self/mounts").unwrap_or_default().lines() {
        let mut words = line.split(' ').skip(1);
        if let (Some(folder), Some("cgroup" | "cgroup2")) = (words.next(), words.next()) {
            let _ = fs::remove_dir(Path::new(folder).join("docker"));
        }
    }
}

/// Parallel containers make and remove the shared parent `docker`: it may vanish between the two steps.
fn create_with_parents(folder: &Path) -> std::io::Result<()> {
    let mut result = Ok(());
    for _ in 0..100 {
        result = fs::create_dir_all(folder);
        match &result {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            _ => break,
        }
    }
    result
}

/// Mount points of cgroup version 2 and of version 1 with memory or pids, from the text of `/proc/self/mounts`.
fn hierarchies(mounts: &str) -> Vec<PathBuf> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (folder, kind, options) = (words.next()?, words.next()?, words.next()?);
            let wanted = match kind {
                "cgroup2" => true,
                "cgroup" => options.split(',').any(|option| option == "memory" || option == "pids"),
                _ => false,
            };
            wanted.then(|| PathBuf::from(folder))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_host_has_three_hierarchies() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
            cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0\n\
            cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        let expected = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified"];
        assert_eq!(hierarchies(mounts), expected.map(PathBuf::from));
    }
}
