//! Listens to engines, so that a container is known before its first alert. Nothing depends on it: what was not heard is
//! looked up when it is asked for. An engine that is not there costs nothing (`arrivals`), one in trouble is tried again
//! at growing distances, and after some of them only when something changes about its socket.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use log::debug;
use tokio::{sync::Notify, task::JoinSet};

use super::{
    arrivals::Arrivals,
    engines::{Dialect, EngineError, EngineSockets, Events, News},
};

/// Distance of the first two tries; doubled each time.
const FIRST_REST: Duration = Duration::from_secs(1);
/// Tries in a row, after which only a change of the socket is waited for: about two minutes.
const TRIES: u32 = 7;

/// What was heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Events of containers.
    pub(super) events: AtomicU64,
    /// Events that nobody had time for.
    pub(super) refused: AtomicU64,
    /// Streams that ended or could not be had, other than by the engine's absence.
    pub(super) broken: AtomicU64,
}

/// Whether the engine that told of a container is still listened to: as long as it is, what is known of the container
/// stays true until it tells otherwise.
pub(super) type Listening = Arc<AtomicBool>;

/// One engine that is listened to.
struct Engine {
    socket: PathBuf,
    dialect: Dialect,
    arrivals: Arc<Notify>,
    heard: Arc<Heard>,
}

/// Listens to all engines at these sockets; each event is handed to `tell`, with the socket and whether the engine is
/// still listened to. The tasks end when the answer is dropped. Must be called in a runtime of tokio.
pub(super) fn listen(
    sockets: &EngineSockets,
    heard: &Arc<Heard>,
    tell: impl Fn(Dialect, &Path, News, Listening) + Clone + Send + Sync + 'static,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let all = |paths: &[PathBuf], dialect| {
        paths.iter().map(move |path| (path.clone(), dialect)).collect::<Vec<_>>()
    };
    // CRI-O speaks no containerd: it refuses once and is left alone.
    let engines = [
        all(&sockets.docker, Dialect::Docker),
        all(&sockets.podman, Dialect::Podman),
        all(&sockets.containerd(), Dialect::Containerd),
    ]
    .concat();
    let arrivals = match Arrivals::of(engines.iter().map(|(socket, _)| socket.clone()).collect()) {
        Ok(arrivals) => arrivals,
        Err(error) => {
            debug!("cannot notice new sockets of engines: {error}");
            return tasks;
        }
    };
    let bell = arrivals.news();
    tasks.spawn(arrivals.run());
    for (socket, dialect) in engines {
        let engine = Engine { socket, dialect, arrivals: Arc::clone(&bell), heard: Arc::clone(heard) };
        tasks.spawn(engine.listen(tell.clone()));
    }
    tasks
}

impl Engine {
    async fn listen(self, tell: impl Fn(Dialect, &Path, News, Listening)) {
        let mut failures = 0;
        loop {
            let bell = Arc::clone(&self.arrivals);
            let changed = bell.notified();
            tokio::pin!(changed);
            // From here on no ring is missed.
            changed.as_mut().enable();
            let (told, error) = self.follow(&tell).await;
            if error.is_missing() {
                failures = 0;
                changed.await;
                continue;
            }
            debug!("events of {}: {error}", self.socket.display());
            self.heard.broken.fetch_add(1, Ordering::Relaxed);
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
    async fn follow(&self, tell: &impl Fn(Dialect, &Path, News, Listening)) -> (bool, EngineError) {
        let mut events = match Events::of(&self.socket, self.dialect).await {
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
                    tell(self.dialect, &self.socket, news, Arc::clone(&listening));
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
        sync::{Arc, atomic::Ordering},
        time::Duration,
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::UnixListener,
        sync::mpsc::{UnboundedReceiver, unbounded_channel},
        task::JoinSet,
        time::timeout,
    };

    use super::{Heard, Listening, listen};
    use crate::enrich::engines::{EngineSockets, News};

    /// A limit for failures.
    const LIMIT: Duration = Duration::from_secs(20);

    struct World {
        folder: tempfile::TempDir,
        heard: Arc<Heard>,
        news: UnboundedReceiver<(News, Listening)>,
        _tasks: JoinSet<()>,
    }

    impl World {
        fn new(prepare: impl FnOnce(&Path)) -> Self {
            let folder = tempfile::tempdir().unwrap();
            prepare(folder.path());
            let (sender, news) = unbounded_channel();
            let heard = Arc::new(Heard::default());
            let tell = move |_, _: &Path, news, listening| drop(sender.send((news, listening)));
            let tasks = listen(&EngineSockets::below(folder.path()), &heard, tell);
            Self { folder, heard, news, _tasks: tasks }
        }

        fn socket(&self) -> PathBuf {
            self.folder.path().join("run/docker.sock")
        }

        async fn next(&mut self) -> (String, Listening) {
            let (news, listening) = timeout(LIMIT, self.news.recv()).await.unwrap().unwrap();
            (news.id, listening)
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
        assert!(world.heard.broken.load(Ordering::Relaxed) >= 1);
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

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_talks_nonsense_is_left_alone_in_the_end() {
        let world = World::new(|folder| {
            std::fs::create_dir(folder.join("run")).unwrap();
            server(&folder.join("run/docker.sock"), vec!["HTTP/1.1 200 OK\r\n\r\n[{\n".to_owned(); 1000]);
        });
        // A day of the paused clock.
        tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
        assert_eq!(world.heard.broken.load(Ordering::Relaxed), u64::from(super::TRIES) + 1);
        assert_eq!(world.heard.events.load(Ordering::Relaxed), 0);
    }
}
