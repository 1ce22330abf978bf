//! Listens to engines, so that a container is known before its first alert. Nothing depends on it: what was not heard is
//! looked up when it is asked for. An engine that is not there costs nothing (`arrivals`), one in trouble is tried again
//! at growing distances, and after some of them only when something changes about its socket.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use log::debug;
use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinSet},
};

use super::{
    arrivals::Arrivals,
    engines::{Dialect, EngineError, EngineSockets, Events, News},
    trouble::{Trouble, Troubles},
};

/// Distance of the first two tries; doubled each time.
const FIRST_REST: Duration = Duration::from_secs(1);
/// Tries in a row, after which only a change of the socket is waited for: about two minutes.
const TRIES: u32 = 7;
/// Distance of events that are taken from a user's engine: it may tell as many as it likes.
const PACE_OF_USERS: Duration = Duration::from_millis(20);

/// What was heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Events of containers.
    pub(super) events: AtomicU64,
    /// Streams that ended or could not be had, other than by the engine's absence.
    pub(super) troubles: Arc<Troubles>,
}

/// Who tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) socket: PathBuf,
    pub(super) dialect: Dialect,
    /// The user of the host whose engine it is, where that is not root: what it says may be a lie.
    pub(super) user: Option<u32>,
}

/// Whether the engine that told of a container is still listened to: as long as it is, what is known of the container
/// stays true until it tells otherwise.
pub(super) type Listening = Arc<AtomicBool>;

/// One engine that is listened to.
struct Engine {
    source: Source,
    arrivals: Arc<Notify>,
    heard: Arc<Heard>,
}

/// Listens to all engines at these sockets; each event is handed to `tell`, with who told it and whether that engine is
/// still listened to. The tasks end when the answer is dropped. Must be called in a runtime of tokio.
pub(super) fn listen(
    sockets: &EngineSockets,
    heard: &Arc<Heard>,
    tell: impl Fn(&Source, News, Listening) + Clone + Send + Sync + 'static,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let all = |paths: &[PathBuf], dialect| {
        let source = move |path: &PathBuf| Source { socket: path.clone(), dialect, user: None };
        paths.iter().map(source).collect::<Vec<_>>()
    };
    let engines = [
        all(&sockets.docker, Dialect::Docker),
        all(&sockets.podman, Dialect::Podman),
        all(&sockets.containerd(), Dialect::Containerd),
        all(&sockets.crio(), Dialect::Cri),
    ]
    .concat();
    let fixed = engines.iter().map(|source| source.socket.clone());
    // Users come and go; for their folder any of them stands.
    let fixed = fixed.chain(sockets.of_user(0)).collect();
    let of_users = sockets.clone();
    let users = move || of_users.users().into_iter().filter_map(|uid| of_users.of_user(uid)).collect();
    let arrivals = match Arrivals::of(fixed, users) {
        Ok(arrivals) => arrivals,
        Err(error) => {
            debug!("cannot notice new sockets of engines: {error}");
            return tasks;
        }
    };
    let bell = arrivals.news();
    tasks.spawn(arrivals.run());
    for source in engines {
        let engine = Engine { source, arrivals: Arc::clone(&bell), heard: Arc::clone(heard) };
        tasks.spawn(engine.listen(tell.clone()));
    }
    tasks.spawn(listen_to_users(sockets.clone(), bell, Arc::clone(heard), tell));
    tasks
}

/// Listens to the Podman of each user who is there. Never ends.
async fn listen_to_users(
    sockets: EngineSockets,
    arrivals: Arc<Notify>,
    heard: Arc<Heard>,
    tell: impl Fn(&Source, News, Listening) + Clone + Send + Sync + 'static,
) {
    let mut tasks = JoinSet::new();
    let mut listened: HashMap<u32, AbortHandle> = HashMap::new();
    loop {
        let bell = Arc::clone(&arrivals);
        let changed = bell.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let there = sockets.users();
        listened.retain(|uid, task| {
            let stays = there.contains(uid);
            if !stays {
                task.abort();
            }
            stays
        });
        while tasks.try_join_next().is_some() {}
        for uid in there {
            let Some(socket) = sockets.of_user(uid) else { continue };
            listened.entry(uid).or_insert_with(|| {
                let source = Source { socket, dialect: Dialect::Podman, user: Some(uid) };
                let engine = Engine { source, arrivals: Arc::clone(&arrivals), heard: Arc::clone(&heard) };
                tasks.spawn(engine.listen(tell.clone()))
            });
        }
        changed.await;
    }
}

impl Engine {
    async fn listen(self, tell: impl Fn(&Source, News, Listening)) {
        let mut failures = 0;
        loop {
            let bell = Arc::clone(&self.arrivals);
            let changed = bell.notified();
            tokio::pin!(changed);
            // From here on no ring is missed.
            changed.as_mut().enable();
            let (told, error) = self.follow(&tell).await;
            if error.is_missing() || matches!(error, EngineError::Mute) {
                failures = 0;
                changed.await;
                continue;
            }
            debug!("events of {}: {error}", self.source.socket.display());
            self.heard.troubles.add(Trouble::EngineStreamBroken);
            // One that told something was well; it was restarted, perhaps.
            failures = if told { 1 } else { failures + 1 };
            if failures > TRIES {
                changed.await;
                failures = 0;
                continue;
            }
            let rest = FIRST_REST * 2_u32.saturating_pow(failures - 1);
            // A change of the socket ends the rest, as the engine may be back.
            let _ = tokio::time::timeout(rest, changed).await;
        }
    }

    /// Hands on events until there is an error; whether any came.
    async fn follow(&self, tell: &impl Fn(&Source, News, Listening)) -> (bool, EngineError) {
        let mut events = match Events::of(&self.source.socket, self.source.dialect).await {
            Ok(events) => events,
            Err(error) => return (false, error),
        };
        let listening = Listening::new(AtomicBool::new(true));
        let mut told = false;
        loop {
            match events.next().await {
                Ok(news) => {
                    told = true;
                    self.heard.events.fetch_add(1, Ordering::Relaxed);
                    tell(&self.source, news, Arc::clone(&listening));
                    if self.source.user.is_some() {
                        tokio::time::sleep(PACE_OF_USERS).await;
                    }
                }
                Err(error) => {
                    listening.store(false, Ordering::Relaxed);
                    return (told, error);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        path::{Path, PathBuf},
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::UnixListener,
        sync::mpsc::{UnboundedReceiver, unbounded_channel},
        task::JoinSet,
        time::timeout,
    };

    use super::{Heard, Listening, Source, Trouble, listen};
    use crate::enrich::engines::{Dialect, EngineSockets, News};

    /// A limit for failures.
    const LIMIT: Duration = Duration::from_secs(20);

    struct World {
        folder: tempfile::TempDir,
        heard: Arc<Heard>,
        news: UnboundedReceiver<(Source, News, Listening)>,
        _tasks: JoinSet<()>,
    }

    impl World {
        fn new(prepare: impl FnOnce(&Path)) -> Self {
            let folder = tempfile::tempdir().unwrap();
            prepare(folder.path());
            let (sender, news) = unbounded_channel();
            let heard = Arc::new(Heard::default());
            let tell = move |source: &Source, news, listening| {
                drop(sender.send((source.clone(), news, listening)));
            };
            let tasks = listen(&EngineSockets::below(folder.path()), &heard, tell);
            Self { folder, heard, news, _tasks: tasks }
        }

        fn socket(&self) -> PathBuf {
            self.folder.path().join("run/docker.sock")
        }

        async fn next(&mut self) -> (String, Listening) {
            let (_, news, listening) = timeout(LIMIT, self.news.recv()).await.unwrap().unwrap();
            (news.id, listening)
        }

        fn broken(&self) -> u64 {
            self.heard.troubles.of(Trouble::EngineStreamBroken)
        }
    }

    /// Answers each of these connections with some bytes and closes it.
    fn server(path: &Path, answers: Vec<String>) {
        let listener = UnixListener::bind(path).unwrap();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut question = [0; 4096];
                let _ = stream.read(&mut question).await;
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
    }

    fn event(id: &str) -> String {
        let line = format!("{{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{{\"ID\":\"{id}\"}}}}\n");
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{line}\r\n", line.len())
    }

    #[tokio::test]
    async fn an_engine_that_comes_later_is_heard_and_heard_again_when_it_was_restarted() {
        let mut world = World::new(|_| ());
        std::fs::create_dir(world.folder.path().join("run")).unwrap();
        server(&world.socket(), vec![event("one"), event("two")]);
        let (id, listening) = world.next().await;
        assert_eq!(id, "one");
        // The connection was closed: it is tried again, and what was known by the first is no longer kept fresh.
        assert_eq!(world.next().await.0, "two");
        assert!(!listening.load(Ordering::Relaxed));
        assert!(world.broken() >= 1);
    }

    #[tokio::test]
    async fn a_socket_that_was_replaced_is_the_new_one() {
        let mut world = World::new(|folder| {
            std::fs::create_dir(folder.join("run")).unwrap();
            std::fs::write(folder.join("run/docker.sock"), "no socket at all").unwrap();
        });
        std::fs::remove_file(world.socket()).unwrap();
        server(&world.socket(), vec![event("new")]);
        assert_eq!(world.next().await.0, "new");
    }

    #[tokio::test]
    async fn users_are_heard_when_they_come_also_again() {
        let mut world = World::new(|_| ());
        for (uid, id) in [(1000, "one"), (1001, "two"), (1000, "three")] {
            let folder = world.folder.path().join(format!("run/user/{uid}"));
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(folder.join("podman")).unwrap();
            server(&folder.join("podman/podman.sock"), vec![event(id)]);
            let (source, news, _) = timeout(LIMIT, world.news.recv()).await.unwrap().unwrap();
            let want = (Dialect::Podman, Some(uid), id.to_owned());
            assert_eq!((source.dialect, source.user, news.id), want);
            assert_eq!(source.socket, folder.join("podman/podman.sock"));
        }
    }

    /// A server of gRPC that answers each call by this status alone: it has no events to tell. Counts the calls.
    async fn answer_by_status(listener: UnixListener, status: &'static str, asked: Arc<AtomicUsize>) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            asked.fetch_add(1, Ordering::Relaxed);
            let answer = move |_| async move {
                let response = hyper::Response::builder().header("grpc-status", status);
                response.body(http_body_util::Empty::<bytes::Bytes>::new())
            };
            let service = hyper::service::service_fn(answer);
            let server = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
            let _ = server.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cri_o_that_tells_no_events_is_well_and_asked_no_more() {
        // As it is by default, and as it was before it had events.
        for status in ["0", "12"] {
            let asked = Arc::<AtomicUsize>::default();
            let world = World::new(|folder| {
                std::fs::create_dir_all(folder.join("run/crio")).unwrap();
                let listener = UnixListener::bind(folder.join("run/crio/crio.sock")).unwrap();
                tokio::spawn(answer_by_status(listener, status, Arc::clone(&asked)));
            });
            // A day of the paused clock.
            tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
            assert_eq!((asked.load(Ordering::Relaxed), world.broken()), (1, 0), "{status}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_talks_nonsense_is_left_alone_in_the_end() {
        let world = World::new(|folder| {
            std::fs::create_dir(folder.join("run")).unwrap();
            server(&folder.join("run/docker.sock"), vec!["HTTP/1.1 200 OK\r\n\r\n[{\n".to_owned(); 1000]);
        });
        // A day of the paused clock.
        tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
        assert_eq!(world.broken(), u64::from(super::TRIES) + 1);
        assert_eq!(world.heard.events.load(Ordering::Relaxed), 0);
    }
}
