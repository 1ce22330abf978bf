//! The process of the host that looks after a container: containerd's shim, conmon or systemd-nspawn. Its arguments name the container
//! and the folder with its files, also where the cgroup names nothing (rootless Podman) and where the engine keeps its
//! data in an unusual place. It outlives the container's processes, so it can still be asked when these are gone.

use std::{
    ffi::OsString,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use super::{
    bounded_read::{ReadError, read_proc},
    proc_stat::Stat,
    subject::{Above, Subject},
};
/// Bytes of a command line that are read.
const CMDLINE_BYTES: usize = 64 * 1024;
/// Bytes of `status` that are read.
const STATUS_BYTES: usize = 64 * 1024;

/// A container's monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Monitor {
    /// `containerd-shim-runc-v2`: one per container, or per pod.
    Shim {
        /// containerd's namespace: `moby`, `k8s.io`, `default`.
        namespace: String,
        /// The container, or the pod's sandbox.
        id: String,
        /// Bundle of that container; those of the others of its pod lie beside it.
        bundle: PathBuf,
        /// Where its containerd listens.
        address: Option<PathBuf>,
    },
    /// `conmon` of Podman and CRI-O.
    Conmon {
        /// The container.
        id: String,
        /// Its name.
        name: Option<String>,
        /// Its bundle.
        bundle: PathBuf,
        /// File with the first process's id.
        pid_file: Option<PathBuf>,
        /// The user of the host whose Podman this is; `None` where that cannot be told.
        owner: Option<u32>,
    },
    /// `systemd-nspawn`, which runs one container.
    Nspawn {
        /// The container.
        name: String,
    },
}

/// Looks for the monitor among the ancestors of a process. `proc`: where procfs is mounted.
pub(super) fn find(subject: &Subject, proc: &Path) -> Option<Monitor> {
    subject.above.iter().find_map(|ancestor| {
        let read = match ancestor.comm.as_slice() {
            b"containerd-shim" => shim,
            b"conmon" => conmon,
            b"systemd-nspawn" => nspawn,
            _ => return None,
        };
        let folder = proc.join(ancestor.pid.to_string());
        // A process in a container can call itself what it likes; only one of the host's pid namespace is believed.
        (is_same(ancestor, proc).ok()? && is_of_host(&folder).ok()?).then_some(())?;
        let cmdline = read_proc(&folder.join("cmdline"), CMDLINE_BYTES).ok()?;
        read(&arguments(&cmdline), &folder).map(|monitor| monitor.seen_from(proc))
    })
}

/// A path of the host as the agent sees it: below the folder that holds the host's procfs, where it is there.
pub(super) fn on_host(proc: &Path, path: PathBuf) -> PathBuf {
    let below = proc.parent().zip(path.strip_prefix("/").ok()).map(|(root, path)| root.join(path));
    below.filter(|below| below.exists()).unwrap_or(path)
}

impl Monitor {
    fn seen_from(self, proc: &Path) -> Self {
        let seen = |path| on_host(proc, path);
        match self {
            Self::Shim { namespace, id, bundle, address } => {
                Self::Shim { namespace, id, bundle: seen(bundle), address: address.map(seen) }
            }
            Self::Conmon { id, name, bundle, pid_file, owner } => {
                Self::Conmon { id, name, bundle: seen(bundle), pid_file: pid_file.map(seen), owner }
            }
            Self::Nspawn { .. } => self,
        }
    }
}

/// Whether the process with this id is still the one of the record, and not a later one with the same number.
fn is_same(ancestor: &Above, proc: &Path) -> Result<bool, ReadError> {
    Ok(Stat::read(proc, ancestor.pid)?.start_ticks == ancestor.start_ticks)
}

/// Whether it has but one process id: it is in no nested pid namespace.
fn is_of_host(folder: &Path) -> Result<bool, ReadError> {
    let status = read_proc(&folder.join("status"), STATUS_BYTES)?;
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"));
    let ids =
        line.map_or(0, |line| line.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()).count());
    Ok(ids == 1)
}

fn arguments(cmdline: &[u8]) -> Vec<Vec<u8>> {
    let cmdline = cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    cmdline.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

/// The argument behind one of these options.
fn value<'a>(arguments: &'a [Vec<u8>], names: &[&str]) -> Option<&'a [u8]> {
    let at = arguments.iter().position(|argument| names.iter().any(|name| argument == name.as_bytes()))?;
    arguments.get(at + 1).map(Vec::as_slice)
}

fn text(arguments: &[Vec<u8>], names: &[&str]) -> Option<String> {
    value(arguments, names).and_then(|value| String::from_utf8(value.to_vec()).ok())
}

fn path(arguments: &[Vec<u8>], names: &[&str]) -> Option<PathBuf> {
    let path = PathBuf::from(OsString::from_vec(value(arguments, names)?.to_vec()));
    path.is_absolute().then_some(path)
}

fn shim(arguments: &[Vec<u8>], folder: &Path) -> Option<Monitor> {
    let namespace = text(arguments, &["-namespace", "--namespace"])?;
    let id = text(arguments, &["-id", "--id"])?;
    // The shim is started in the bundle and stays there.
    let bundle = std::fs::read_link(folder.join("cwd")).ok()?;
    let address = path(arguments, &["-address", "--address"]);
    (is_plain(&namespace) && is_plain(&id)).then_some(Monitor::Shim { namespace, id, bundle, address })
}

fn conmon(arguments: &[Vec<u8>], folder: &Path) -> Option<Monitor> {
    let id = text(arguments, &["-c", "--cid"])?;
    let bundle = path(arguments, &["-b", "--bundle"])?;
    let name = text(arguments, &["-n", "--name"]);
    let pid_file = path(arguments, &["-p", "--container-pidfile"]);
    let owner = std::fs::metadata(folder).ok().map(|process| process.uid());
    is_plain(&id).then_some(Monitor::Conmon { id, name, bundle, pid_file, owner })
}

fn nspawn(arguments: &[Vec<u8>], _folder: &Path) -> Option<Monitor> {
    // `--machine NAME`, `--machine=NAME`, `-M NAME`, `-MNAME`; else systemd-nspawn makes it of the folder's name.
    let option = |long: &str, short: &str| {
        let joined = arguments.iter().find_map(|argument| {
            let text = std::str::from_utf8(argument).ok()?;
            text.strip_prefix(long)?.strip_prefix('=').map(str::to_owned)
        });
        let attached = || {
            let found = arguments.iter().find_map(|argument| argument.strip_prefix(short.as_bytes()));
            found.filter(|rest| !rest.is_empty()).and_then(|rest| String::from_utf8(rest.to_vec()).ok())
        };
        joined.or_else(|| text(arguments, &[long, short])).or_else(attached)
    };
    let of_folder = || {
        let folder = PathBuf::from(option("--directory", "-D")?);
        Some(folder.file_name()?.to_str()?.to_owned())
    };
    let name = option("--machine", "-M").or_else(of_folder)?;
    is_plain(&name).then_some(Monitor::Nspawn { name })
}

/// Whether this can be one component of a path: these words come from a command line and are put into paths.
pub(super) fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 128
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
        && !matches!(word, "." | "..")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::{Monitor, find, is_plain};
    use crate::{
        enrich::{
            sample::{ancestor, container},
            subject::Subject,
        },
        event::{Ancestor, ExecEvent},
    };

    /// A procfs with one process, started at tick 1234.
    fn procfs(pid: u32, cmdline: &str, nspid: &str) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        let folder = proc.path().join(pid.to_string());
        fs::create_dir(&folder).unwrap();
        let fields: Vec<String> = (4..22).map(|number| number.to_string()).collect();
        fs::write(folder.join("stat"), format!("{pid} (a ) b) S {} 1234 0 0", fields.join(" "))).unwrap();
        fs::write(folder.join("status"), format!("Name:\tx\nNSpid:\t{nspid}\nNSpgid:\t1\t2\n")).unwrap();
        fs::write(folder.join("cmdline"), cmdline.replace(' ', "\0") + "\0").unwrap();
        symlink("/run/tasks/moby/abc", folder.join("cwd")).unwrap();
        proc
    }

    fn event(comm: &str) -> ExecEvent {
        let mut event = container(7, "/");
        let ancestor = |pid, comm: &str| Ancestor { start_boot_ns: 12_345_678_901, ..ancestor(pid, comm) };
        event.ancestors = vec![ancestor(50, "sh"), ancestor(40, comm), ancestor(1, "systemd")];
        event
    }

    const SHIM: &str = "/usr/bin/containerd-shim-runc-v2 -namespace moby -id abc -address /run/c.sock";
    const CONMON: &str = "/usr/bin/conmon --api-version 1 -c abc -u abc -r /usr/bin/runc -b /s/abc/userdata \
                          -p /r/abc/pidfile -n web --exit-command-arg -n";

    fn found(comm: &str, cmdline: &str) -> Option<Monitor> {
        find(&Subject::of(&event(comm)), procfs(40, cmdline, "40").path())
    }

    #[test]
    fn a_shim_tells_namespace_id_and_bundle() {
        let want = Monitor::Shim {
            namespace: "moby".into(),
            id: "abc".into(),
            bundle: "/run/tasks/moby/abc".into(),
            address: Some("/run/c.sock".into()),
        };
        assert_eq!(found("containerd-shim", SHIM), Some(want));
    }

    #[test]
    fn conmon_tells_id_name_and_files() {
        let want = Monitor::Conmon {
            id: "abc".into(),
            name: Some("web".into()),
            bundle: "/s/abc/userdata".into(),
            pid_file: Some("/r/abc/pidfile".into()),
            // The folder of the test is this user's.
            owner: Some(nix::unistd::geteuid().as_raw()),
        };
        assert_eq!(found("conmon", CONMON), Some(want));
    }

    #[test]
    fn nspawn_tells_the_name() {
        let named = |options: &str| {
            let found = found("systemd-nspawn", &format!("systemd-nspawn --quiet {options} /bin/sh"));
            found.map(|monitor| match monitor {
                Monitor::Nspawn { name } => name,
                other => panic!("{other:?}"),
            })
        };
        for options in
            ["--machine=web", "--machine web", "-M web", "-Mweb", "-D /srv/web", "--directory=/srv/web"]
        {
            assert_eq!(named(options).as_deref(), Some("web"), "{options}");
        }
        assert_eq!(named("--machine=../etc"), None);
        assert_eq!(named("--ephemeral"), None);
    }

    #[test]
    fn other_processes_and_other_arguments_are_none() {
        assert_eq!(found("bash", SHIM), None);
        assert_eq!(found("containerd-shim", CONMON), None);
        assert_eq!(found("containerd-shim", ""), None);
        assert_eq!(found("containerd-shim", &SHIM.replace("-id abc", "-id ../../etc")), None);
        assert_eq!(found("conmon", &CONMON.replace("/s/abc", "s/abc")), None);
    }

    #[test]
    fn a_process_in_a_container_that_calls_itself_a_shim_is_not_believed() {
        let proc = procfs(40, SHIM, "40\t7");
        assert_eq!(find(&Subject::of(&event("containerd-shim")), proc.path()), None);
    }

    #[test]
    fn a_later_process_with_the_same_number_is_not_believed() {
        let proc = procfs(40, SHIM, "40");
        let mut event = event("containerd-shim");
        event.ancestors[1].start_boot_ns += 10_000_000;
        assert_eq!(find(&Subject::of(&event), proc.path()), None);
        assert_eq!(find(&Subject::of(&event), Path::new("/nowhere")), None);
    }

    #[test]
    fn words_for_paths_are_plain() {
        assert!(is_plain("k8s.io") && is_plain("my-web_1"));
        for word in ["", ".", "..", "a/b", "/a", "a\0b", "a b"] {
            assert!(!is_plain(word), "{word}");
        }
    }
}
