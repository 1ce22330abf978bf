//! Containers that are read ahead of their first event: those that run when the agent starts, and those of which their
//! engine tells. Nobody waits for these lookups.

use std::{
    path::Path,
    sync::{Arc, mpsc::SyncSender},
};

use super::lookups::Shared;
use crate::{
    enrich::{
        cache::Key,
        container_id::Judgement,
        disk::{Found, Route},
        engines::{Dialect, News},
        running::{Running, of_process, running},
        trouble::Trouble,
        user_namespace,
        watch::{Listening, Source},
        workers::Workers,
    },
    event::{ContainerId, MetadataState, Runtime},
};

/// What a container is called that ran before the agent did.
pub(super) struct Learned {
    pub(super) mnt: u32,
    pub(super) since: u64,
    pub(super) id: String,
    pub(super) runtime: Runtime,
}

/// What is done with what engines tell.
#[derive(Clone)]
pub(super) struct Hearing {
    pub(super) shared: Arc<Shared>,
    /// One thread: what is read ahead must not hold up what is asked for.
    pub(super) ahead: Arc<Workers>,
    pub(super) learn: SyncSender<Learned>,
}

impl Hearing {
    /// Takes what an engine tells. Never waits.
    pub(super) fn hear(&self, source: &Source, news: News, listening: Listening) {
        let (shared, source) = (Arc::clone(&self.shared), source.clone());
        let Some(uid) = source.user else {
            run(&self.shared, &self.ahead, move || {
                shared.hear(source.dialect, &source.socket, news, listening);
            });
            return;
        };
        // Nobody waits for a user's service but what it told of.
        let (ahead, learn) = (Arc::clone(&self.ahead), self.learn.clone());
        self.shared.runtime.spawn(async move {
            let Some(pid) = shared.engines.first_process_of(uid, &news.id).await else { return };
            let hearing = Arc::clone(&shared);
            run(&shared, &ahead, move || hearing.hear_of_user(uid, pid, listening, &learn));
        });
    }
}

/// Has something read ahead, if there is room.
fn run(shared: &Shared, ahead: &Workers, job: impl FnOnce() + Send + 'static) {
    if ahead.try_run(job).is_err() {
        shared.troubles.add(Trouble::EngineEventRefused);
    }
}

impl Shared {
    /// Reads the containers that run. In a thread of its own.
    pub(super) fn read_running(self: &Arc<Self>, learn: &SyncSender<Learned>) {
        for found in running(&self.proc) {
            self.read_one(found, None, learn);
        }
    }

    /// Reads the container of a process that runs.
    fn read_one(
        self: &Arc<Self>,
        running: Running,
        listening: Option<Listening>,
        learn: &SyncSender<Learned>,
    ) {
        let Running { subject, since, named } = running;
        let judgement = match named {
            Some((id, runtime)) => Judgement { id: ContainerId::named(id, runtime), certain: true },
            None => Judgement { id: ContainerId::Namespace(subject.mnt), certain: false },
        };
        let found = self.disk.look_up(&subject, &judgement);
        let ContainerId::Named { id, runtime } = &found.id else { return };
        let (id, runtime) = (id.clone(), *runtime);
        if let Some(key) = Key::of_running(&found.id, Some((subject.mnt, since))) {
            Arc::clone(self).complete(key, found, listening);
        }
        // What does not fit is learned from the container's first event.
        let _ = learn.try_send(Learned { mnt: subject.mnt, since, id, runtime });
    }

    /// Reads a container of which a user's Podman told. It can tell of any process: only what lives in a namespace of
    /// that user is that user's.
    fn hear_of_user(self: Arc<Self>, uid: u32, pid: u32, listening: Listening, learn: &SyncSender<Learned>) {
        match user_namespace::owner(&self.proc, pid) {
            Some(owner) if owner == uid => {}
            Some(_) => {
                self.troubles.add(Trouble::EngineLied);
                return;
            }
            // It has ended.
            None => return,
        }
        if let Some(running) = of_process(&self.proc, pid) {
            self.read_one(running, Some(listening), learn);
        }
    }

    /// Reads a container of which an engine told. In a thread of its own.
    fn hear(self: Arc<Self>, dialect: Dialect, socket: &Path, news: News, listening: Listening) {
        let runtime = match dialect {
            Dialect::Docker => Runtime::Docker,
            Dialect::Podman => Runtime::Podman,
            // Docker's containers are Docker's to tell.
            Dialect::Containerd if news.namespace.as_deref() == Some("moby") => return,
            Dialect::Containerd => Runtime::Containerd,
            Dialect::Cri => Runtime::CriO,
        };
        let running = news.pid.and_then(|pid| of_process(&self.proc, pid));
        let id = ContainerId::named(news.id, runtime);
        let place = running.as_ref().map(|running| (running.subject.mnt, running.since));
        let Some(key) = Key::of_running(&id, place) else { return };
        let subject = running.map(|running| running.subject).unwrap_or_default();
        let mut found = self.disk.look_up(&subject, &Judgement { id, certain: true });
        if found.route.is_none() {
            let address = socket.to_path_buf();
            found.route = news.namespace.map(|namespace| Route::Containerd { address, namespace });
        }
        self.complete(key, found, Some(listening));
    }

    fn keep_ahead(&self, key: Key, found: Found, listening: Option<Listening>) {
        let kept = self.keep(key, found, listening);
        log::debug!(
            "container {} is known ahead of its events: {}",
            kept.id.full().unwrap_or_default(),
            kept.state()
        );
    }

    /// Asks the engine for what the disk does not have, and keeps it.
    fn complete(self: Arc<Self>, key: Key, found: Found, listening: Option<Listening>) {
        if found.state() == MetadataState::Complete {
            self.keep_ahead(key, found, listening);
            return;
        }
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            let found = self.engines.complete(found).await;
            self.keep_ahead(key, found, listening);
        });
    }
}
