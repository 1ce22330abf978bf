//! Folders of running containers: containerd's `TASKS/NAMESPACE/ID` and the state that runc and crun keep. They say
//! which first process is whose, and so name a container whose cgroup names nothing.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::enrich::{
    bounded_read::{ReadError, read_in},
    monitor::is_plain,
};

/// Folders that are looked through at most.
const FOLDERS: usize = 4096;
/// Bytes of runc's state that are read.
const STATE_BYTES: usize = 4 << 20;
/// Bytes of a file with a process id.
const PID_BYTES: usize = 32;

/// The processes that tell whose container it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Kin {
    /// The process itself and those above it, initial pid namespace.
    pub(super) pids: Vec<u32>,
    /// Number of its mount namespace.
    pub(super) mnt: u32,
    /// Where procfs is mounted.
    pub(super) proc: PathBuf,
}

impl Kin {
    /// Whether the container with this first process is the one.
    fn belongs_to(&self, init: u32) -> bool {
        if self.pids.contains(&init) {
            return true;
        }
        let link = std::fs::read_link(self.proc.join(init.to_string()).join("ns/mnt"));
        link.is_ok_and(|link| link.as_os_str() == format!("mnt:[{}]", self.mnt).as_str())
    }
}

/// The number in a file that holds nothing else.
fn pid_in(folder: &Path, name: &str) -> Option<u32> {
    std::str::from_utf8(&read_in(folder, name, PID_BYTES).ok()?).ok()?.trim().parse().ok()
}

/// Whether the container of this pid file is the one.
pub(super) fn pid_file_is_of(file: &Path, kin: &Kin) -> bool {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str())) else {
        return false;
    };
    pid_in(folder, name).is_some_and(|pid| kin.belongs_to(pid))
}

fn folders(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(FOLDERS);
    entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok().filter(|name| is_plain(name))?;
        entry.file_type().ok()?.is_dir().then(|| (name, entry.path()))
    })
}

/// The task of containerd in `TASKS/NAMESPACE` whose container this is.
pub(super) fn task_of(namespace: &Path, kin: &Kin) -> Option<String> {
    let mut tasks = folders(namespace);
    tasks.find(|(_, path)| pid_in(path, "init.pid").is_some_and(|pid| kin.belongs_to(pid))).map(|(id, _)| id)
}

/// A container of runc or crun.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OciState {
    /// The id it was created with.
    pub(super) id: String,
    /// Its bundle.
    pub(super) bundle: Option<PathBuf>,
}

/// `state.json` of runc.
#[derive(Debug, Deserialize)]
struct RuncState {
    init_process_pid: u32,
    config: RuncConfig,
}

#[derive(Debug, Deserialize)]
struct RuncConfig {
    #[serde(default)]
    labels: Option<Vec<String>>,
}

/// `status` of crun.
#[derive(Debug, Deserialize)]
struct CrunStatus {
    pid: u32,
    #[serde(default)]
    bundle: Option<String>,
}

fn state_of(folder: &Path) -> Result<(u32, Option<PathBuf>), ReadError> {
    let garbage = |error: serde_json::Error| ReadError::Garbage(error.to_string());
    match read_in(folder, "state.json", STATE_BYTES) {
        Ok(bytes) => {
            let state: RuncState = serde_json::from_slice(&bytes).map_err(garbage)?;
            let labels = state.config.labels.unwrap_or_default();
            let bundle = labels.iter().find_map(|label| label.strip_prefix("bundle=")).map(PathBuf::from);
            Ok((state.init_process_pid, bundle))
        }
        Err(ReadError::Absent) => {
            let bytes = read_in(folder, "status", STATE_BYTES)?;
            let status: CrunStatus = serde_json::from_slice(&bytes).map_err(garbage)?;
            Ok((status.pid, status.bundle.map(PathBuf::from)))
        }
        Err(error) => Err(error),
    }
}

/// The container below `/run/runc` or `/run/crun` whose this is.
pub(super) fn oci_state_of(root: &Path, kin: &Kin) -> Option<OciState> {
    folders(root).find_map(|(id, path)| {
        let (pid, bundle) = state_of(&path).ok()?;
        kin.belongs_to(pid).then_some(OciState { id, bundle })
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt, symlink},
        path::Path,
    };

    use serde_json::json;

    use super::{Kin, OciState, oci_state_of, pid_file_is_of, task_of};

    fn kin(pids: &[u32]) -> Kin {
        Kin { pids: pids.to_vec(), mnt: 0, proc: "/proc".into() }
    }

    fn write(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn a_task_is_found_by_a_process_above() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "one/init.pid", "71");
        write(root.path(), "two/init.pid", "72");
        write(root.path(), "bad/init.pid", "seventy");
        fs::create_dir(root.path().join("none")).unwrap();
        assert_eq!(task_of(root.path(), &kin(&[500, 72, 40])).as_deref(), Some("two"));
        assert_eq!(task_of(root.path(), &kin(&[500, 40])), None);
        assert_eq!(task_of(Path::new("/nowhere"), &kin(&[72])), None);
    }

    #[test]
    fn a_task_is_found_by_its_mount_namespace() {
        let own = u32::try_from(fs::metadata("/proc/self/ns/mnt").unwrap().ino()).unwrap();
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "one/init.pid", &std::process::id().to_string());
        let kin = Kin { mnt: own, ..kin(&[]) };
        assert_eq!(task_of(root.path(), &kin).as_deref(), Some("one"));
        assert_eq!(task_of(root.path(), &Kin { mnt: own + 1, ..kin }), None);
    }

    #[test]
    fn containers_of_runc_and_crun_are_found_with_their_bundles() {
        let root = tempfile::tempdir().unwrap();
        let runc =
            json!({"init_process_pid": 71, "config": {"labels": ["bundle=/b/one", "x=y"]}, "id": "one"});
        write(root.path(), "one/state.json", &runc.to_string());
        write(root.path(), "two/status", &json!({"pid": 72, "bundle": "/b/two"}).to_string());
        write(root.path(), "bad/state.json", "{");
        for (pid, id) in [(71, "one"), (72, "two")] {
            let want = OciState { id: id.into(), bundle: Some(format!("/b/{id}").into()) };
            assert_eq!(oci_state_of(root.path(), &kin(&[pid])), Some(want));
        }
        assert_eq!(oci_state_of(root.path(), &kin(&[73])), None);
    }

    #[test]
    fn links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "elsewhere/pid", "71");
        fs::create_dir_all(root.path().join("tasks/one")).unwrap();
        symlink("../../elsewhere/pid", root.path().join("tasks/one/init.pid")).unwrap();
        symlink("../elsewhere", root.path().join("tasks/two")).unwrap();
        assert_eq!(task_of(&root.path().join("tasks"), &kin(&[71])), None);
        assert!(!pid_file_is_of(&root.path().join("tasks/one/init.pid"), &kin(&[71])));
        assert!(pid_file_is_of(&root.path().join("elsewhere/pid"), &kin(&[71])));
    }
}
