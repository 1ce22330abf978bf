//! What engines tell over their sockets: what the disk does not have (addresses, labels of Podman, images of
//! containerd), and everything where their files cannot be read. A socket that is in trouble is left alone for a
//! while, so that nobody waits for it again and again.

mod containerd_api;
mod cri_api;
mod cri_messages;
mod docker_api;
mod events;
mod socket;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub(super) use events::{Dialect, Events, News};
use log::debug;
pub(super) use socket::EngineError;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    bounds,
    disk::{Found, Route},
    monitor::is_plain,
    trouble::{Trouble, Troubles},
};
use crate::event::{ContainerId, ContainerMetadata, MissingReason, Runtime};

/// Questions at the same time.
const QUESTIONS: usize = 8;
/// The same to services of users, who may make them as slow as they like: nobody else waits behind these.
const QUESTIONS_TO_USERS: usize = 4;
/// How long a socket in trouble is left alone.
const REST: Duration = Duration::from_secs(5);
/// Sockets that are remembered as being in trouble.
const TROUBLED: usize = 64;
/// Users of the host whose Podman is listened to.
const USERS: usize = 16;

/// Where engines listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineSockets {
    /// Docker.
    pub docker: Vec<PathBuf>,
    /// Podman's services.
    pub podman: Vec<PathBuf>,
    /// Folder with a folder for each user, where services of rootless Podman listen.
    pub user_folders: Option<PathBuf>,
    /// Kubernetes' runtimes. containerd answers in its own way there too.
    pub cri: Vec<PathBuf>,
}

impl EngineSockets {
    /// The usual sockets of a host whose root is seen at `host_root`.
    #[must_use]
    pub fn below(host_root: &Path) -> Self {
        let all = |paths: &[&str]| {
            paths.iter().map(|path| host_root.join(path.trim_start_matches('/'))).collect::<Vec<_>>()
        };
        Self {
            docker: all(&["/run/docker.sock"]),
            podman: all(&["/run/podman/podman.sock"]),
            user_folders: Some(host_root.join("run/user")),
            cri: all(&[
                "/run/containerd/containerd.sock",
                "/run/crio/crio.sock",
                "/run/k3s/containerd/containerd.sock",
                "/run/host-containerd/containerd.sock",
                "/var/snap/microk8s/common/run/containerd.sock",
            ]),
        }
    }
}

impl EngineSockets {
    /// Those that speak containerd's own interface besides Kubernetes'.
    pub(super) fn containerd(&self) -> Vec<PathBuf> {
        self.cri.iter().filter(|socket| !socket.ends_with("crio.sock")).cloned().collect()
    }

    /// Those that speak nothing but Kubernetes' interface.
    pub(super) fn crio(&self) -> Vec<PathBuf> {
        self.cri.iter().filter(|socket| socket.ends_with("crio.sock")).cloned().collect()
    }

    /// Where the Podman of this user of the host would listen.
    pub(super) fn of_user(&self, uid: u32) -> Option<PathBuf> {
        self.user_folders.as_ref().map(|folder| folder.join(uid.to_string()).join("podman/podman.sock"))
    }

    /// Users of the host who have a folder of their own there, whether their Podman listens or not. Reads a folder.
    pub(super) fn users(&self) -> Vec<u32> {
        let entries =
            self.user_folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
        let uids = entries.flatten().filter_map(|user| user.file_name().to_str()?.parse().ok());
        uids.filter(|uid| *uid != 0).take(USERS).collect()
    }
}

/// Asks engines.
pub(super) struct Engines {
    sockets: EngineSockets,
    questions: Semaphore,
    questions_to_users: Semaphore,
    troubles: Arc<Troubles>,
    troubled: Mutex<HashMap<PathBuf, Instant>>,
}

impl Engines {
    pub(super) fn new(sockets: EngineSockets, troubles: Arc<Troubles>) -> Self {
        Self {
            sockets,
            questions: Semaphore::new(QUESTIONS),
            questions_to_users: Semaphore::new(QUESTIONS_TO_USERS),
            troubles,
            troubled: Mutex::default(),
        }
    }

    /// Fills what is missing of a container. `why` of the answer tells what stood in the way.
    pub(super) async fn complete(&self, found: Found) -> Found {
        let ContainerId::Named { id, runtime } = &found.id else { return found };
        if !is_plain(id) {
            return found;
        }
        let turns = match found.route {
            Some(Route::User(_)) => &self.questions_to_users,
            _ => &self.questions,
        };
        let Ok(_turn) = turns.acquire().await else { return found };
        let answer = match (runtime, &found.route) {
            (Runtime::Docker, _) => self.docker(id).await,
            // What a user's service says is believed of that user's containers only.
            (Runtime::Podman, Some(Route::User(uid))) => self.podman_of(*uid, id).await,
            (Runtime::Podman, _) => self.podman(id).await,
            (Runtime::Containerd | Runtime::Cri | Runtime::CriO, _) => self.kubernetes(id, &found).await,
            _ => return found,
        };
        match answer {
            Ok(mut container) => {
                if let Some(before) = &found.facts {
                    container.fill_from(ContainerMetadata::clone(before));
                }
                bounds::clip(&mut container);
                let id = ContainerId::named(id.clone(), container.runtime);
                Found { id, facts: Some(Arc::new(container)), why: MissingReason::Source, ..found }
            }
            Err(error) => {
                debug!("no answer about container {id}: {error}");
                // That nobody is there to be asked, or knows it, is no news.
                let why = if error.is_absence() { found.why } else { error.reason() };
                Found { why, ..found }
            }
        }
    }

    async fn docker(&self, id: &str) -> Result<ContainerMetadata, EngineError> {
        let mut last = EngineError::Unknown;
        for socket in &self.sockets.docker {
            match self.ask(socket, docker_api::docker(socket, id)).await {
                Ok(container) => return Ok(container),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn podman(&self, id: &str) -> Result<ContainerMetadata, EngineError> {
        let mut last = EngineError::Unknown;
        for socket in &self.sockets.podman {
            match self.ask(socket, docker_api::podman(socket, id)).await {
                Ok(container) => return Ok(container),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn podman_of(&self, uid: u32, id: &str) -> Result<ContainerMetadata, EngineError> {
        let socket = self.sockets.of_user(uid).ok_or(EngineError::Unknown)?;
        self.ask(&socket, docker_api::podman(&socket, id)).await
    }

    /// The first process of a container of this user, as the user's Podman says: whose process it is must be looked at.
    /// `None` also while its questions wait for other users' services.
    pub(super) async fn first_process_of(&self, uid: u32, id: &str) -> Option<u32> {
        let _turn = self.questions_to_users.try_acquire().ok().filter(|_| is_plain(id))?;
        self.podman_of(uid, id).await.ok()?.init_pid
    }

    async fn kubernetes(&self, id: &str, found: &Found) -> Result<ContainerMetadata, EngineError> {
        let pod = found.facts.as_ref().and_then(|facts| facts.pod.as_ref());
        let sandbox = pod.and_then(|pod| pod.sandbox_id.as_deref());
        let mut last = EngineError::Unknown;
        // Where the shim says that its containerd listens is better than any guess.
        let (told, namespace) = match &found.route {
            Some(Route::Containerd { address, namespace }) => (Some(address), Some(namespace.as_str())),
            _ => (None, None),
        };
        let others = self.sockets.cri.iter().filter(|socket| Some(*socket) != told);
        for socket in told.into_iter().chain(others) {
            let of_cri = pod.is_some() || namespace.is_none_or(|namespace| namespace == "k8s.io");
            let answer = if of_cri {
                self.ask(socket, cri_api::cri(socket, id, sandbox)).await
            } else {
                let namespace = namespace.unwrap_or("default");
                self.ask(socket, containerd_api::containerd(socket, namespace, id)).await
            };
            match answer {
                Ok(container) => return Ok(container),
                Err(error) if matches!(last, EngineError::Unknown) || error.is_trouble() => last = error,
                Err(_) => {}
            }
        }
        Err(last)
    }

    async fn ask<T>(
        &self,
        socket: &Path,
        question: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        if self.rests(socket) {
            self.troubles.add(Trouble::EngineSilent);
            return Err(EngineError::Silent(socket.to_path_buf()));
        }
        let answer = question.await;
        self.troubles.add(answer.as_ref().err().and_then(Trouble::of_engine));
        if answer.as_ref().is_err_and(EngineError::is_trouble) {
            let mut troubled = self.troubled.lock().unwrap_or_else(PoisonError::into_inner);
            if troubled.len() >= TROUBLED {
                troubled.clear();
            }
            troubled.insert(socket.to_path_buf(), Instant::now());
        }
        answer
    }

    fn rests(&self, socket: &Path) -> bool {
        let troubled = self.troubled.lock().unwrap_or_else(PoisonError::into_inner);
        troubled.get(socket).is_some_and(|since| since.elapsed() < REST)
    }
}
