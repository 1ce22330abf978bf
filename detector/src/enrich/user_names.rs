//! Names of users and groups, from the files of the container itself or of the host.
//!
//! A container's files are read through the root directory of one of its processes, which was opened when the event
//! arrived: see `pin`. What the container may have put there (links
//! out, fifos, devices, giants, a file system that never answers) must not do more harm than a missing name: see
//! `bounded_read`, and `workers` for what hangs.

use std::{
    collections::{HashMap, VecDeque},
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use log::debug;

use super::{
    account_files::NameTables,
    bounded_read::{Links, ReadError, is_link, open_place, read_below},
    trouble::{Trouble, Troubles},
    turns::Owner,
};
use crate::event::{Account, ExecEvent, Names};

/// Bytes of `passwd` or `group` that are read.
const FILE_BYTES: usize = 4 << 20;
/// Tables that are kept; the oldest goes first.
const TABLES: usize = 512;
/// How long a table is believed: users are added to running containers.
const FRESH: Duration = Duration::from_secs(30);
/// How long it is believed that an id has no name.
const FRESH_MISS: Duration = Duration::from_secs(1);

struct Kept {
    tables: Arc<NameTables>,
    since: Instant,
}

/// Looks names up, and keeps the tables that it read.
pub(super) struct UserLookup {
    host_root: PathBuf,
    kept: Mutex<(HashMap<Owner, Kept>, VecDeque<Owner>)>,
    troubles: Arc<Troubles>,
}

impl UserLookup {
    pub(super) fn new(host_root: &Path, troubles: Arc<Troubles>) -> Self {
        Self { host_root: host_root.to_path_buf(), kept: Mutex::default(), troubles }
    }

    /// The names of an event, if they can be told without touching a file.
    pub(super) fn known(&self, event: &ExecEvent) -> Option<Names> {
        let own = self.kept_tables(event, Owner::of(event))?;
        if login_uid(event).is_none() {
            return Some(names(event, &own, &NameTables::default()));
        }
        Some(names(event, &own, &*self.kept_tables(event, Owner::Host)?))
    }

    /// The names of an event, from files where need be; `root` is the container's root directory, if there is one. May
    /// hang where a container's file system does.
    pub(super) fn look_up(&self, event: &ExecEvent, root: Option<BorrowedFd<'_>>) -> Names {
        let owner = Owner::of(event);
        let own = self.kept_tables(event, owner).unwrap_or_else(|| self.read(owner, root));
        if login_uid(event).is_none() {
            return names(event, &own, &NameTables::default());
        }
        let host = self.kept_tables(event, Owner::Host).unwrap_or_else(|| self.read(Owner::Host, None));
        names(event, &own, &host)
    }

    fn kept_tables(&self, event: &ExecEvent, owner: Owner) -> Option<Arc<NameTables>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.0.get(&owner)?;
        let (uid, gid) = inner_ids(event);
        let has_all = uid.is_none_or(|uid| found.tables.users.contains_key(&uid))
            && gid.is_none_or(|gid| found.tables.groups.contains_key(&gid));
        let believed = if has_all { FRESH } else { FRESH_MISS };
        (found.since.elapsed() < believed).then(|| Arc::clone(&found.tables))
    }

    fn read(&self, owner: Owner, root: Option<BorrowedFd<'_>>) -> Arc<NameTables> {
        let [passwd, group] = match (owner, root) {
            (Owner::Host, _) => match open_place(&self.host_root) {
                Ok(place) => self.files(place.as_fd()),
                Err(_) => return Arc::default(),
            },
            (Owner::Namespace(..), Some(root)) => self.files(root),
            // Without a process left there is nothing to read, and nothing to remember.
            (Owner::Namespace(..), None) => return Arc::default(),
        };
        let tables = Arc::new(NameTables::parse(&passwd, &group));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Kept { tables: Arc::clone(&tables), since: Instant::now() };
        if kept.0.insert(owner, entry).is_none() {
            kept.1.push_back(owner);
            if kept.1.len() > TABLES
                && let Some(oldest) = kept.1.pop_front()
            {
                kept.0.remove(&oldest);
            }
        }
        tables
    }

    fn files(&self, place: BorrowedFd<'_>) -> [Vec<u8>; 2] {
        ["/etc/passwd", "/etc/group"].map(|path| self.file(place, path))
    }

    fn file(&self, place: BorrowedFd<'_>, path: &str) -> Vec<u8> {
        match read_below(place, Path::new(path), Links::InRoot, FILE_BYTES) {
            Ok(bytes) => bytes,
            // Images without any user are common. A link that leads nowhere in the container meant another place.
            Err(ReadError::Absent) => {
                self.troubles.add(is_link(place, Path::new(path)).then_some(Trouble::UsersFileLink));
                Vec::new()
            }
            Err(error) => {
                self.troubles.add(Trouble::of_users_file(&error));
                debug!("{path} of a container cannot be used: {error}");
                Vec::new()
            }
        }
    }
}

/// Effective uid and gid as the container counts; `None` where the user namespace cannot tell.
fn inner_ids(event: &ExecEvent) -> (Option<u32>, Option<u32>) {
    let credentials = &event.credentials;
    match credentials.inner {
        Some((uid, gid)) => (Some(uid), Some(gid)),
        None if credentials.user_ns_level == 0 => (Some(credentials.euid), Some(credentials.egid)),
        None => (None, None),
    }
}

/// The uid that logged in, if anybody did.
fn login_uid(event: &ExecEvent) -> Option<u32> {
    event.process.loginuid.filter(|uid| *uid != u32::MAX)
}

/// The names of an event without any file. The host's superuser needs none (whoever shows names knows that), but that
/// of a user namespace is just as much root inside.
pub(super) fn without_files(event: &ExecEvent) -> Names {
    let (uid, gid) = inner_ids(event);
    let mapped = event.credentials.user_ns_level > 0;
    let root = || Account { name: b"root".to_vec(), home: b"/root".to_vec(), shell: b"<NA>".to_vec() };
    Names {
        user: (mapped && uid == Some(0)).then(root),
        group: (mapped && gid == Some(0)).then(|| b"root".to_vec()),
        login: None,
    }
}

/// Who logged in did so on the host, so that name is looked for there.
fn names(event: &ExecEvent, own: &NameTables, host: &NameTables) -> Names {
    let (uid, gid) = inner_ids(event);
    let without = without_files(event);
    Names {
        user: uid.and_then(|uid| own.users.get(&uid)).cloned().or(without.user),
        group: gid.and_then(|gid| own.groups.get(&gid)).cloned().or(without.group),
        login: login_uid(event).and_then(|uid| host.users.get(&uid)).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        path::{Path, PathBuf},
        sync::Arc,
    };

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::UserLookup;
    use crate::{
        enrich::{
            pin::{Pin, Pins},
            sample::{ancestor, container, host},
        },
        event::{Account, ExecEvent, Names},
    };

    const MNT: u32 = 7;

    /// A host whose process 4711 is in mount namespace 7 with its root in `c`.
    struct World {
        folder: tempfile::TempDir,
        users: UserLookup,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            for path in ["etc", "c/etc", "proc/4711/ns"] {
                fs::create_dir_all(folder.path().join(path)).unwrap();
            }
            symlink("mnt:[7]", folder.path().join("proc/4711/ns/mnt")).unwrap();
            symlink(folder.path().join("c"), folder.path().join("proc/4711/root")).unwrap();
            fs::write(folder.path().join("etc/passwd"), "alice:x:1000:1000::/home/alice:/bin/zsh\n").unwrap();
            fs::write(folder.path().join("etc/group"), "staff:x:1000:\n").unwrap();
            let users = UserLookup::new(folder.path(), Arc::default());
            Self { folder, users }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.folder.path().join(path)
        }

        /// What went wrong, and how often.
        fn troubles(&self) -> Vec<(&'static str, u64)> {
            self.users.troubles.by_name().into_iter().filter(|(_, count)| *count > 0).collect()
        }

        fn look_up(&self, event: &ExecEvent) -> Names {
            let pin = Pins::default().pin(event, &self.path("proc"));
            self.users.look_up(event, pin.as_ref().map(Pin::root))
        }

        fn with_accounts() -> Self {
            let world = Self::new();
            fs::write(world.path("c/etc/passwd"), "web:x:1000:33::/var/www:/bin/sh\n").unwrap();
            fs::write(world.path("c/etc/group"), "www:x:33:\n").unwrap();
            world
        }
    }

    fn event(uid: u32, gid: u32) -> ExecEvent {
        let mut event = container(MNT, "/");
        event.credentials.euid = uid;
        event.credentials.egid = gid;
        event.credentials.inner = Some((uid, gid));
        event
    }

    fn account(name: &str, home: &str, shell: &str) -> Account {
        Account { name: name.into(), home: home.into(), shell: shell.into() }
    }

    fn user(names: &Names) -> Option<&str> {
        names.user.as_ref().map(|user| std::str::from_utf8(&user.name).unwrap())
    }

    #[test]
    fn a_container_has_its_own_names() {
        let world = World::with_accounts();
        let names = world.look_up(&event(1000, 33));
        assert_eq!(names.user, Some(account("web", "/var/www", "/bin/sh")));
        assert_eq!((names.group.as_deref(), names.login), (Some(&b"www"[..]), None));
    }

    #[test]
    fn the_host_has_its_own_names_and_who_logged_in_did_so_there() {
        let world = World::with_accounts();
        let mut on_host = host();
        (on_host.credentials.inner, on_host.process.loginuid) = (Some((1000, 1000)), Some(1000));
        let names = world.look_up(&on_host);
        assert_eq!(names.user, Some(account("alice", "/home/alice", "/bin/zsh")));
        assert_eq!((names.group.as_deref(), &names.login), (Some(&b"staff"[..]), &names.user));
        let mut inside = event(1000, 33);
        inside.process.loginuid = Some(1000);
        assert_eq!(world.look_up(&inside).login.unwrap().name, b"alice");
        inside.process.loginuid = Some(u32::MAX);
        assert_eq!(world.look_up(&inside).login, None);
    }

    #[test]
    fn unknown_ids_have_no_name() {
        let world = World::new();
        assert_eq!(world.look_up(&event(5, 6)), Names::default());
        assert_eq!(world.look_up(&event(0, 0)), Names::default());
        assert_eq!(world.troubles(), [], "an image without users is no fault");
    }

    #[test]
    fn in_a_user_namespace_the_inner_id_counts() {
        let world = World::with_accounts();
        let mut mapped = event(101_000, 100_033);
        (mapped.credentials.user_ns_level, mapped.credentials.inner) = (1, Some((1000, 33)));
        assert_eq!(user(&world.look_up(&mapped)), Some("web"));
        mapped.credentials.inner = Some((0, 0));
        let root = world.look_up(&mapped);
        assert_eq!((root.user, root.group), (Some(account("root", "/root", "<NA>")), Some(b"root".to_vec())));
        mapped.credentials.inner = None;
        assert_eq!(world.look_up(&mapped), Names::default());
    }

    #[test]
    fn the_topmost_process_counts_because_others_may_have_changed_their_root() {
        let world = World::with_accounts();
        fs::create_dir_all(world.path("proc/4712/ns")).unwrap();
        symlink("mnt:[7]", world.path("proc/4712/ns/mnt")).unwrap();
        symlink(world.path(""), world.path("proc/4712/root")).unwrap();
        let mut below = event(1000, 33);
        below.ancestors.push(ancestor(4711, "init"));
        below.process.pid = 4712;
        assert_eq!(user(&world.look_up(&below)), Some("web"));
    }

    #[test]
    fn a_root_that_was_opened_in_time_outlives_its_process() {
        let world = World::with_accounts();
        let pin = Pins::default().pin(&event(1000, 33), &world.path("proc")).unwrap();
        fs::remove_dir_all(world.path("proc/4711")).unwrap();
        assert_eq!(user(&world.users.look_up(&event(1000, 33), Some(pin.root()))), Some("web"));
    }

    #[test]
    fn a_process_of_another_namespace_is_not_asked() {
        let world = World::with_accounts();
        let mut other = event(1000, 33);
        other.namespaces.mnt = 8;
        assert_eq!(user(&world.look_up(&other)), None);
    }

    #[test]
    fn what_was_read_is_known_afterwards() {
        let world = World::with_accounts();
        assert_eq!(world.users.known(&event(1000, 33)), None);
        let names = world.look_up(&event(1000, 33));
        fs::remove_dir_all(world.path("proc/4711")).unwrap();
        assert_eq!(world.users.known(&event(1000, 33)), Some(names));
        let mut later = event(1000, 33);
        later.process.pidns_start_ns = Some(1);
        assert_eq!(world.users.known(&later), None, "the number of the namespace is used again");
    }

    fn bad(make: impl Fn(&Path)) -> (Option<Account>, Vec<(&'static str, u64)>) {
        let world = World::new();
        make(&world.path("c/etc/passwd"));
        (world.look_up(&event(1000, 33)).user, world.troubles())
    }

    fn refused(what: &'static str) -> (Option<Account>, Vec<(&'static str, u64)>) {
        (None, vec![(what, 1)])
    }

    #[test]
    fn hostile_files_cost_a_name_and_are_counted() {
        let no_file = refused("users_file_not_regular");
        assert_eq!(bad(|path| mkfifo(path, Mode::S_IRWXU).unwrap()), no_file, "a fifo");
        assert_eq!(bad(|path| fs::create_dir(path).unwrap()), no_file, "a folder");
        let giant = |path: &Path| fs::write(path, "web:x:1000:33\n".repeat(8 << 20)).unwrap();
        assert_eq!(bad(giant), refused("users_file_too_large"), "more than 100 MB");
        assert_eq!(
            bad(|path| symlink("passwd", path).unwrap()),
            refused("users_file_link"),
            "a link to itself"
        );
    }

    #[test]
    fn a_device_is_not_opened() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let device = |path: &Path| {
            use nix::sys::stat::{SFlag, makedev, mknod};
            // /dev/zero: would be read for ever.
            mknod(path, SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 5)).unwrap();
        };
        assert_eq!(bad(device), refused("users_file_not_regular"));
    }

    #[test]
    fn a_link_to_the_host_stays_in_the_container() {
        // The host has alice with this id; the container must not show her, nor any file of the host.
        for target in ["../../../../../../etc/passwd", "/proc/1/root/etc/passwd"] {
            assert_eq!(bad(|path| symlink(target, path).unwrap()), refused("users_file_link"), "{target}");
        }
        let world = World::new();
        symlink(world.path("etc/passwd"), world.path("c/etc/passwd")).unwrap();
        assert_eq!(user(&world.look_up(&event(1000, 33))), None);
        symlink("/etc/real", world.path("c/etc/group")).unwrap();
        fs::write(world.path("c/etc/real"), "www:x:33:\n").unwrap();
        assert_eq!(world.fresh_group().as_deref(), Some(&b"www"[..]), "a link inside is followed");
    }

    impl World {
        fn fresh_group(&self) -> Option<Vec<u8>> {
            let fresh = UserLookup::new(self.folder.path(), Arc::default());
            let pin = Pins::default().pin(&event(1000, 33), &self.path("proc"));
            fresh.look_up(&event(1000, 33), pin.as_ref().map(Pin::root)).group
        }
    }
}
