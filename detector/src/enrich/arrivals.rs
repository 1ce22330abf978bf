//! Tells when something appears where an engine's socket would be, so that nobody has to look for it again and again:
//! an agent that waits for an engine sleeps.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd, RawFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::Notify,
};

/// What is told of a folder.
const KINDS: AddWatchFlags =
    AddWatchFlags::IN_CREATE.union(AddWatchFlags::IN_MOVED_TO).union(AddWatchFlags::IN_ONLYDIR);

/// The folders of some sockets.
pub(super) struct Arrivals {
    inotify: AsyncFd<Watched>,
    sockets: Vec<PathBuf>,
    of_users: Box<dyn Fn() -> Vec<PathBuf> + Send + Sync>,
    news: Arc<Notify>,
}

impl Arrivals {
    /// Watches where these sockets are or would be, and those of the users who are there at the time. Must be called in a
    /// runtime of tokio.
    pub(super) fn of(
        sockets: Vec<PathBuf>,
        of_users: impl Fn() -> Vec<PathBuf> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        // SAFETY: the descriptor belongs to the value inside, which lives as long as the AsyncFd and is never replaced.
        let inotify = unsafe { AsyncFd::register_with_interest(Watched(inotify), Interest::READABLE) };
        let inotify = inotify.map_err(io::Error::from)?;
        let arrivals = Self { inotify, sockets, of_users: Box::new(of_users), news: Arc::default() };
        arrivals.watch();
        Ok(arrivals)
    }

    /// Rings each time that something has appeared.
    pub(super) fn news(&self) -> Arc<Notify> {
        Arc::clone(&self.news)
    }

    /// Watches for ever.
    pub(super) async fn run(self) {
        while let Ok(mut ready) = self.inotify.readable().await {
            let mut any = false;
            while let Ok(events) = self.inotify.get_ref().0.read_events() {
                any |= events.iter().any(|event| event.name.as_ref().is_none_or(|name| self.concerns(name)));
            }
            ready.clear_ready();
            if any {
                // Of a socket's folders the next may be there now.
                self.watch();
                self.news.notify_waiters();
            }
        }
    }

    /// Whether a name is on the way to one of the sockets, or a user's number. Other files come and go in these folders.
    fn concerns(&self, name: &std::ffi::OsStr) -> bool {
        let is_user = || name.to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        is_user() || self.sockets.iter().any(|socket| socket.iter().any(|part| part == name))
    }

    /// The nearest folder that is there, for each socket.
    fn watch(&self) {
        for socket in self.sockets.iter().chain(&(self.of_users)()) {
            let there = socket.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
            if let Err(error) = self.inotify.get_ref().0.add_watch(there, KINDS) {
                log::debug!("cannot watch {}: {error}", there.display());
            }
        }
    }
}

/// The runtime wants to know the number of the descriptor.
struct Watched(Inotify);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use tokio::time::timeout;

    use super::Arrivals;

    #[tokio::test]
    async fn a_socket_is_noticed_also_when_its_folders_come_first() {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("podman/deep/s.sock");
        let arrivals = Arrivals::of(vec![socket.clone()], Vec::new).unwrap();
        let news = arrivals.news();
        let _task = tokio::spawn(arrivals.run());
        let steps: [&dyn Fn(); 3] = [
            &|| fs::create_dir(place.path().join("podman")).unwrap(),
            &|| fs::create_dir(place.path().join("podman/deep")).unwrap(),
            &|| fs::write(&socket, "").unwrap(),
        ];
        for step in steps {
            let rung = news.notified();
            step();
            // A limit for failures.
            timeout(Duration::from_secs(20), rung).await.unwrap();
            // The watch of the next folder is made before the bell rings.
        }
    }

    #[tokio::test]
    async fn other_files_are_no_news() {
        let place = tempfile::tempdir().unwrap();
        let arrivals = Arrivals::of(vec![place.path().join("s.sock")], Vec::new).unwrap();
        let news = arrivals.news();
        let _task = tokio::spawn(arrivals.run());
        let rung = news.notified();
        tokio::pin!(rung);
        rung.as_mut().enable();
        fs::write(place.path().join("other"), "").unwrap();
        assert!(timeout(Duration::from_millis(50), rung.as_mut()).await.is_err());
        fs::write(place.path().join("s.sock"), "").unwrap();
        timeout(Duration::from_secs(20), rung).await.unwrap();
    }
}
