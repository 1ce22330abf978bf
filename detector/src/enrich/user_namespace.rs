//! Whose a user namespace is: what a user's engine says of a container can be true only of what that user made.

use std::{fs::File, os::fd::AsRawFd, path::Path};

/// `NS_GET_OWNER_UID` of `linux/nsfs.h`.
const GET_OWNER: libc::Ioctl = 0xb704;

/// The user of the host who made the user namespace in which this process is; `None` when it is gone, or may not be
/// asked. `proc`: where procfs is mounted.
pub(super) fn owner(proc: &Path, pid: u32) -> Option<u32> {
    let namespace = File::open(proc.join(pid.to_string()).join("ns/user")).ok()?;
    let mut uid: libc::uid_t = 0;
    // SAFETY: the call writes one uid_t to the address that is given, which is that of a live variable.
    let result = unsafe { libc::ioctl(namespace.as_raw_fd(), GET_OWNER, &raw mut uid) };
    (result == 0).then_some(uid)
}

#[cfg(test)]
mod tests {
    use std::{path::Path, process::Command};

    use super::owner;

    #[test]
    fn a_namespace_belongs_to_who_made_it() {
        let proc = Path::new("/proc");
        assert_eq!(owner(proc, u32::MAX / 2), None);
        // `unshare` says by its own end that it may not make one here.
        let child = Command::new("unshare").args(["--user", "sleep", "60"]).spawn();
        let Ok(mut child) = child else { return };
        let own = std::fs::read_link("/proc/self/ns/user").unwrap();
        let apart = || std::fs::read_link(format!("/proc/{}/ns/user", child.id())).is_ok_and(|ns| ns != own);
        let made = (0..2000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            apart()
        });
        let found = owner(proc, child.id());
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        assert!(!made || found == Some(nix::unistd::geteuid().as_raw()), "{found:?}, {ended}");
    }
}
