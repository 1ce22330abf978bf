//! What the root of each running container is: an overlay, whose layers tell where a file comes from, or something that has
//! none.

use std::path::Path;

use super::{
    bounded_read::read_proc,
    running::{Running, running},
};

/// Bytes of `mountinfo` that are read.
const MOUNTS: usize = 4 << 20;

/// A container that runs, and its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningRoot {
    /// Its eldest process, as the host counts.
    pub pid: u32,
    /// Its id, where its cgroup tells one.
    pub id: Option<String>,
    /// Type of the file system of its root; `None` = could not be seen.
    pub file_system: Option<String>,
}

/// All of them. Reads some files of procfs for each process of the host.
#[must_use]
pub fn running_roots(proc: &Path) -> Vec<RunningRoot> {
    let host = root_of(proc, 1);
    let of = |Running { subject, named, since }: Running| {
        let root = root_of(proc, subject.pid);
        // A service of the host with mounts of its own has the host's root, and no processes of its own.
        if since == 0 && named.is_none() && root.is_some() && root == host {
            return None;
        }
        let file_system = root.map(|root| root.file_system);
        Some(RunningRoot { pid: subject.pid, id: named.map(|(id, _)| id), file_system })
    };
    let mut found: Vec<RunningRoot> = running(proc).into_iter().filter_map(of).collect();
    found.sort_by_key(|one| one.pid);
    found
}

/// What is mounted at `/`.
#[derive(Debug, PartialEq, Eq)]
struct Root {
    device: String,
    folder: String,
    file_system: String,
}

fn root_of(proc: &Path, pid: u32) -> Option<Root> {
    let text = read_proc(&proc.join(pid.to_string()).join("mountinfo"), MOUNTS).ok()?;
    String::from_utf8_lossy(&text).lines().rev().find_map(root)
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS TAG... - TYPE SOURCE SUPER-OPTIONS`, if the point is `/`.
fn root(line: &str) -> Option<Root> {
    let mut fields = line.split(' ').skip(2);
    let (device, folder, point) = (fields.next()?, fields.next()?, fields.next()?);
    if point != "/" {
        return None;
    }
    fields.find(|field| *field == "-")?;
    let owned = |text: &str| text.to_owned();
    Some(Root { device: owned(device), folder: owned(folder), file_system: owned(fields.next()?) })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Root, root, root_of, running_roots};

    #[test]
    fn only_the_root_is_looked_at() {
        let line = "700 1 0:60 / / rw,relatime master:3 - overlay overlay rw,lowerdir=/l";
        let expected =
            Root { device: "0:60".to_owned(), folder: "/".to_owned(), file_system: "overlay".to_owned() };
        assert_eq!(root(line), Some(expected));
        for other in ["701 700 0:61 / /dev rw - tmpfs tmpfs rw", "701 700 0:61 / / rw", "", "a b c"] {
            assert_eq!(root(other), None, "{other}");
        }
    }

    #[test]
    fn this_host_is_looked_through() {
        assert!(root_of(Path::new("/proc"), std::process::id()).is_some());
        let own = running_roots(Path::new("/proc"));
        assert!(own.iter().all(|one| one.pid != std::process::id() && one.pid != 1));
        assert_eq!(running_roots(Path::new("/nowhere")), []);
    }
}
