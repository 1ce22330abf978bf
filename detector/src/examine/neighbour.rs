//! Another process of a container, for when those of an event are gone: what `docker exec` starts may have ended before
//! anybody can look, while the container lives on.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

/// Mount namespaces of which a process is remembered.
const REMEMBERED: usize = 256;

/// Finds them, and remembers which it found.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    known: Mutex<HashMap<u32, u32>>,
}

impl Neighbours {
    /// A process that lives in this mount namespace: the one that was found last, else the one with the lowest number. Then
    /// every process of the host is asked, which takes some microseconds for each. One whose root directory is the namespace's
    /// comes first: whoever has chosen another root sees other files under the same names.
    pub(super) fn of(&self, mount_namespace: u32, proc: &Path) -> Option<u32> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = known().get(&mount_namespace).copied();
        if let Some(pid) = remembered
            && lives_in(pid, mount_namespace, proc)
            && is_at_top(pid, proc)
        {
            return Some(pid);
        }
        let mut pids: Vec<u32> = std::fs::read_dir(proc)
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        pids.sort_unstable();
        let all: Vec<u32> = pids.into_iter().filter(|pid| lives_in(*pid, mount_namespace, proc)).collect();
        let at_top = all.iter().find(|pid| is_at_top(**pid, proc));
        let found = *at_top.or_else(|| all.first())?;
        let mut known = known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(mount_namespace, found);
        Some(found)
    }
}

/// Whether this process is there, and in that mount namespace.
pub(super) fn lives_in(pid: u32, mount_namespace: u32, proc: &Path) -> bool {
    let wanted = format!("mnt:[{mount_namespace}]");
    let link = std::fs::read_link(proc.join(pid.to_string()).join("ns/mnt"));
    link.is_ok_and(|link| link.as_os_str() == wanted.as_str())
}

/// Whether the root directory of a process is that of its mount namespace, as the kernel shows it.
fn is_at_top(pid: u32, proc: &Path) -> bool {
    std::fs::read_link(proc.join(pid.to_string()).join("root")).is_ok_and(|root| root == Path::new("/"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::{Neighbours, REMEMBERED};

    fn process(proc: &Path, pid: u32, namespace: u32) {
        rooted(proc, pid, namespace, "/");
    }

    fn rooted(proc: &Path, pid: u32, namespace: u32, root: &str) {
        let folder = proc.join(pid.to_string());
        fs::create_dir_all(folder.join("ns")).unwrap();
        symlink(format!("mnt:[{namespace}]"), folder.join("ns/mnt")).unwrap();
        symlink(root, folder.join("root")).unwrap();
    }

    /// The path of a script, looked up there, is another file.
    #[test]
    fn a_neighbour_with_another_root_is_the_last_choice() {
        let proc = tempfile::tempdir().unwrap();
        let proc = proc.path();
        let neighbours = Neighbours::default();
        rooted(proc, 30, 77, "/tmp/jail");
        assert_eq!(neighbours.of(77, proc), Some(30), "all there is");
        process(proc, 40, 77);
        assert_eq!(neighbours.of(77, proc), Some(40));
        fs::remove_file(proc.join("40/root")).unwrap();
        symlink("/tmp/jail", proc.join("40/root")).unwrap();
        process(proc, 50, 77);
        assert_eq!(neighbours.of(77, proc), Some(50), "the remembered one has chosen another root");
    }

    #[test]
    fn the_eldest_is_found_and_the_next_one_when_it_is_gone() {
        let proc = tempfile::tempdir().unwrap();
        let proc = proc.path();
        let neighbours = Neighbours::default();
        fs::create_dir(proc.join("sys")).unwrap();
        for (pid, namespace) in [(1, 10), (30, 77), (200, 77), (40, 78)] {
            process(proc, pid, namespace);
        }
        assert_eq!(neighbours.of(77, proc), Some(30));
        fs::remove_dir_all(proc.join("30")).unwrap();
        // The number is another's by now.
        process(proc, 30, 10);
        assert_eq!(neighbours.of(77, proc), Some(200));
        assert_eq!(neighbours.of(79, proc), None);
        assert_eq!(neighbours.of(77, Path::new("/nowhere")), None);
    }

    #[test]
    fn so_many_are_remembered() {
        let proc = tempfile::tempdir().unwrap();
        let neighbours = Neighbours::default();
        for number in 1..=u32::try_from(REMEMBERED).unwrap() + 1 {
            process(proc.path(), number, number);
            assert_eq!(neighbours.of(number, proc.path()), Some(number));
        }
        assert_eq!(neighbours.known.lock().unwrap().len(), 1);
    }
}
