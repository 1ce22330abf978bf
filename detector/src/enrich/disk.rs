//! Containers as they are on disk: needs no socket, works while daemons are dead or hang, and is there before a
//! container's first process runs.

mod docker_files;
mod oci_spec;
mod storage_files;
mod task_folders;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

pub(super) use docker_files::nanoseconds;
use log::debug;
pub(super) use oci_spec::Spec;
use task_folders::Kin;

use super::{
    bounded_read::ReadError,
    bounds,
    container_id::Judgement,
    monitor::{self, Monitor, is_plain, on_host},
    subject::Subject,
    trouble::{Trouble, Troubles},
};
use crate::event::{ContainerId, ContainerMetadata, MetadataState, MissingReason, Runtime};

/// Data roots of Docker that are remembered besides the configured ones.
const LEARNED_ROOTS: usize = 16;
/// Folders above a container's root file system in which its engine's data root is looked for.
const LEVELS: usize = 6;

/// Where engines keep their files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskPlaces {
    /// Docker's data roots.
    pub docker: Vec<PathBuf>,
    /// containerd's task folders: below are namespaces, below them containers.
    pub tasks: Vec<PathBuf>,
    /// Storage roots of Podman and CRI-O.
    pub storage: Vec<PathBuf>,
    /// State folders of runc and crun.
    pub oci: Vec<PathBuf>,
    /// procfs of the host.
    pub proc: PathBuf,
}

impl DiskPlaces {
    /// The usual places on a host whose root is seen at `host_root` (`/` when the agent is no container).
    #[must_use]
    pub fn below(host_root: &Path) -> Self {
        let all = |paths: &[&str]| {
            paths.iter().map(|path| host_root.join(path.trim_start_matches('/'))).collect::<Vec<_>>()
        };
        Self {
            docker: all(&["/var/lib/docker"]),
            tasks: all(&[
                "/run/containerd/io.containerd.runtime.v2.task",
                "/run/docker/containerd/daemon/io.containerd.runtime.v2.task",
                "/run/k3s/containerd/io.containerd.runtime.v2.task",
                "/var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task",
            ]),
            storage: all(&["/var/lib/containers/storage", "/run/containers/storage"]),
            oci: all(&["/run/runc", "/run/crun"]),
            proc: host_root.join("proc"),
        }
    }
}

/// What was found out about a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its identity, perhaps better known than before.
    pub(super) id: ContainerId,
    /// What is known of it.
    pub(super) facts: Option<Arc<ContainerMetadata>>,
    /// Why not all is known, where it is not.
    pub(super) why: MissingReason,
    /// Where to ask for more.
    pub(super) route: Option<Route>,
}

/// The engine that a container belongs to, where its monitor told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A containerd.
    Containerd {
        /// Its socket.
        address: PathBuf,
        /// The container's namespace there.
        namespace: String,
    },
    /// The Podman of this user of the host, who is not root. No other user's is believed about it.
    User(u32),
}

impl Found {
    /// How complete that is.
    pub(super) fn state(&self) -> MetadataState {
        match &self.facts {
            Some(facts) => facts.state(self.why),
            None => MetadataState::Partial { missing: Vec::new(), why: self.why },
        }
    }
}

/// Looks containers up on disk.
#[derive(Debug)]
pub(super) struct Disk {
    places: DiskPlaces,
    troubles: Arc<Troubles>,
    learned: Mutex<VecDeque<PathBuf>>,
}

/// One container being looked up.
struct Search<'a> {
    troubles: &'a Troubles,
    container: ContainerMetadata,
    /// Something besides the id is known.
    known: bool,
    /// The worst that happened on the way.
    trouble: Option<MissingReason>,
}

impl Search<'_> {
    fn merge(&mut self, what: &str, read: Result<ContainerMetadata, ReadError>) {
        match read {
            Ok(mut better) => {
                better.fill_from(std::mem::take(&mut self.container));
                self.container = better;
                self.known = true;
            }
            Err(error) => self.fail(what, &error),
        }
    }

    fn fail(&mut self, what: &str, error: &ReadError) {
        // A folder that another engine would have is no trouble.
        if !matches!(error, ReadError::Absent) {
            debug!("{what} of container {} cannot be used: {error}", self.container.id);
            self.troubles.add(Trouble::of_engine_file(error));
            self.trouble = Some(error.reason());
        }
    }
}

impl Disk {
    pub(super) fn new(places: DiskPlaces, troubles: Arc<Troubles>) -> Self {
        Self { places, troubles, learned: Mutex::default() }
    }

    /// Everything that the disk tells about the container of this process. Reads many small files: not for the thread
    /// that takes records.
    pub(super) fn look_up(&self, subject: &Subject, judgement: &Judgement) -> Found {
        let monitor = monitor::find(subject, &self.places.proc);
        let kin = self.kin(subject);
        let named = match &judgement.id {
            ContainerId::Named { id, runtime } if judgement.certain => Some((id.clone(), *runtime)),
            ContainerId::Host | ContainerId::Unknown => None,
            other => self.name(other, monitor.as_ref(), &kin),
        };
        let route = match &monitor {
            Some(Monitor::Shim { namespace, address: Some(address), .. }) => {
                Some(Route::Containerd { address: address.clone(), namespace: namespace.clone() })
            }
            Some(Monitor::Conmon { owner: Some(owner), .. }) if *owner != 0 => Some(Route::User(*owner)),
            _ => None,
        };
        let found = match named {
            Some((id, runtime)) if is_plain(&id) => self.describe(id, runtime, monitor.as_ref(), &kin),
            Some((id, runtime)) => {
                let mut facts = ContainerMetadata::new(id.clone(), runtime);
                facts.name = Some(id.clone());
                Found {
                    id: ContainerId::named(id, runtime),
                    facts: Some(Arc::new(facts)),
                    why: MissingReason::NotFound,
                    route: None,
                }
            }
            None => Found { id: judgement.id.clone(), facts: None, why: MissingReason::Unnamed, route: None },
        };
        Found { route, ..found }
    }

    /// Where the root file system of this process's container is mounted, by its bundle: a way to its files when none of
    /// its processes is left.
    pub(super) fn root_of(&self, subject: &Subject, judgement: &Judgement) -> Option<PathBuf> {
        let ContainerId::Named { id, .. } = &judgement.id else { return None };
        if !is_plain(id) {
            return None;
        }
        let monitor = monitor::find(subject, &self.places.proc);
        let bundle = self.bundle(id, monitor.as_ref(), &self.kin(subject))?;
        let root = PathBuf::from(oci_spec::read(&bundle).ok()?.root.path);
        (!root.as_os_str().is_empty()).then(|| on_host(&self.places.proc, bundle.join(root)))
    }

    fn kin(&self, subject: &Subject) -> Kin {
        let all = [subject.pid].into_iter().chain(subject.above.iter().map(|above| above.pid));
        Kin { pids: all.filter(|pid| *pid != 0).collect(), mnt: subject.mnt, proc: self.places.proc.clone() }
    }

    /// Finds the name of a container by what looks after it, or by its first process.
    fn name(&self, claimed: &ContainerId, monitor: Option<&Monitor>, kin: &Kin) -> Option<(String, Runtime)> {
        match monitor {
            Some(Monitor::Shim { namespace, bundle, .. }) => {
                let id = task_folders::task_of(bundle.parent()?, kin);
                if let Some(id) = id {
                    let runtime = if namespace == "moby" { Runtime::Docker } else { Runtime::Containerd };
                    return Some((id, runtime));
                }
            }
            Some(Monitor::Conmon { id, pid_file: Some(file), .. })
                if task_folders::pid_file_is_of(file, kin) =>
            {
                return Some((id.clone(), Runtime::Podman));
            }
            Some(Monitor::Nspawn { name }) => return Some((name.clone(), Runtime::Nspawn)),
            Some(Monitor::Conmon { .. }) | None => {}
        }
        let mut states = self.places.oci.iter();
        if let Some(state) = states.find_map(|root| task_folders::oci_state_of(root, kin)) {
            return Some((state.id, Runtime::Oci));
        }
        match claimed {
            ContainerId::Named { id, runtime } => Some((id.clone(), *runtime)),
            _ => None,
        }
    }

    fn describe(&self, id: String, runtime: Runtime, monitor: Option<&Monitor>, kin: &Kin) -> Found {
        let mut search = Search {
            troubles: &self.troubles,
            container: ContainerMetadata::new(id.clone(), runtime),
            known: false,
            trouble: None,
        };
        let mut rootfs = None;
        if let Some(bundle) = self.bundle(&id, monitor, kin) {
            match oci_spec::read(&bundle) {
                Ok(spec) => {
                    spec.describe(&mut search.container);
                    search.known = true;
                    rootfs = Some(on_host(&self.places.proc, PathBuf::from(&spec.root.path)));
                }
                Err(error) => search.fail("config.json", &error),
            }
        }
        // Under CRI-O the pod's labels stand with its sandbox.
        if let Some(pod) = search.container.pod.as_mut().filter(|_| search.container.runtime == Runtime::CriO)
            && let Some(sandbox) = pod.sandbox_id.as_deref().filter(|id| is_plain(id))
            && let Some(bundle) = self.stored_bundle(sandbox)
            && let Ok(spec) = oci_spec::read(&bundle)
        {
            pod.labels = spec.pod_labels();
        }
        if let Some(root) = self.docker_root(&id, rootfs.as_deref()) {
            search.merge("config.v2.json", docker_files::read(&root, &id));
        } else {
            self.search_storage(&id, monitor, &mut search);
        }
        let Search { mut container, known, trouble, .. } = search;
        finish(&mut container);
        bounds::clip(&mut container);
        let nameless = matches!(
            container.runtime,
            Runtime::Docker | Runtime::Podman | Runtime::Cri | Runtime::CriO | Runtime::Containerd
        );
        let why = trouble.unwrap_or(if known { MissingReason::Source } else { MissingReason::NotFound });
        let facts = (known || !nameless).then(|| Arc::new(container));
        let runtime = facts.as_ref().map_or(runtime, |facts| facts.runtime);
        Found { id: ContainerId::named(id, runtime), facts, why, route: None }
    }

    /// The folder with the container's `config.json`.
    fn bundle(&self, id: &str, monitor: Option<&Monitor>, kin: &Kin) -> Option<PathBuf> {
        match monitor {
            Some(Monitor::Shim { bundle, id: of, .. }) if of == id => return Some(bundle.clone()),
            Some(Monitor::Shim { bundle, .. }) => {
                let beside = bundle.parent()?.join(id);
                if beside.is_dir() {
                    return Some(beside);
                }
            }
            Some(Monitor::Conmon { bundle, id: of, .. }) if of == id => return Some(bundle.clone()),
            _ => {}
        }
        let tasks = self.places.tasks.iter().flat_map(|root| std::fs::read_dir(root).into_iter().flatten());
        let task = tasks.flatten().map(|namespace| namespace.path().join(id)).find(|task| task.is_dir());
        // Podman's and CRI-O's, where conmon does not lead there (it ended, or is conmon-rs).
        task.or_else(|| self.stored_bundle(id)).or_else(|| {
            let mut states = self.places.oci.iter();
            let state = states.find_map(|root| task_folders::oci_state_of(root, kin))?;
            state.bundle.map(|bundle| on_host(&self.places.proc, bundle))
        })
    }

    fn stored_bundle(&self, id: &str) -> Option<PathBuf> {
        let of = |root: &PathBuf| root.join("overlay-containers").join(id).join("userdata");
        self.places.storage.iter().map(of).find(|bundle| bundle.join("config.json").is_file())
    }

    /// The data root of the Docker daemon that has this container.
    fn docker_root(&self, id: &str, rootfs: Option<&Path>) -> Option<PathBuf> {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.places.docker.iter().chain(learned.iter());
        if let Some(root) = known.into_iter().find(|root| docker_files::has(root, id)) {
            return Some(root.clone());
        }
        // Its file system is mounted somewhere below the data root.
        let found = rootfs?.ancestors().skip(1).take(LEVELS).find(|root| docker_files::has(root, id))?;
        if learned.len() == LEARNED_ROOTS {
            learned.pop_front();
        }
        learned.push_back(found.to_path_buf());
        Some(found.to_path_buf())
    }

    fn search_storage(&self, id: &str, monitor: Option<&Monitor>, search: &mut Search<'_>) {
        // STORAGE/overlay-containers/ID/userdata
        let of_bundle = match monitor {
            Some(Monitor::Conmon { bundle, .. }) => bundle.ancestors().nth(3),
            _ => None,
        };
        let runtime = match search.container.runtime {
            Runtime::CriO => Runtime::CriO,
            _ => Runtime::Podman,
        };
        let roots = of_bundle.into_iter().chain(self.places.storage.iter().map(PathBuf::as_path));
        for root in roots {
            match storage_files::read(root, id, runtime) {
                Ok(found) => return search.merge("containers.json", Ok(found)),
                Err(error) => search.fail("containers.json", &error),
            }
        }
        if let Some(Monitor::Conmon { name: Some(name), .. }) = monitor
            && runtime == Runtime::Podman
        {
            search.container.name.get_or_insert_with(|| name.clone());
        }
    }
}

/// What follows from the rest.
fn finish(container: &mut ContainerMetadata) {
    match container.runtime {
        // Nobody named these; Falco shows the short id.
        Runtime::Containerd if container.pod.is_none() => {
            container.name.get_or_insert_with(|| container.id.chars().take(12).collect());
        }
        Runtime::Lxc | Runtime::LibvirtLxc | Runtime::Nspawn | Runtime::Bpm | Runtime::Oci => {
            container.name.get_or_insert_with(|| container.id.clone());
        }
        _ => {}
    }
}
