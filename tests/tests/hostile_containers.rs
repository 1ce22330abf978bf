//! Containers that do to the agent's lookups what they can: nobody but their own alerts may feel it.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::thread;

use detector_tests::{Agent, Docker, marker};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::Signal;

detector_tests::same_on_every_kernel!("it is about lookups in user space");

/// Mounts a file system over the container's `/etc` that never answers any question. It ends, and whoever waits for it
/// goes on, when the answer is dropped.
fn hang_etc(pid: i32) -> File {
    let device = File::options().read(true).write(true).open("/dev/fuse").expect("/dev/fuse");
    let namespace = File::open(format!("/proc/{pid}/ns/mnt")).expect("the container's mount namespace");
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
    let mounted = thread::scope(|scope| {
        let in_container = || {
            // Of its own folder and root, without which a thread may not change its mount namespace.
            unshare(CloneFlags::CLONE_FS)?;
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNS)?;
            mount(Some("hangs"), "/etc", Some("fuse"), MsFlags::empty(), Some(options.as_str()))
        };
        scope.spawn(in_container).join().expect("a thread")
    });
    mounted.expect("a file system over /etc of the container");
    device
}

#[test]
fn a_passwd_that_never_answers_holds_up_nobody_else() {
    let case = "a_passwd_that_never_answers_holds_up_nobody_else";
    let Some(docker) = Docker::for_case(case) else { return };
    let agent = Agent::start();
    let (hanging, other) = (marker("hangs"), marker("well"));
    let script = |name: &str, number: u8| {
        format!(
            "while [ ! -e /tmp/go{number} ]; do sleep 0.01; done; cp /bin/probe /tmp/{name}-{number}; \
             /bin/probe setuid-exec /tmp/{name}-{number}"
        )
    };
    let two = format!("{}; {}; exit 0", script(&hanging, 1), script(&hanging, 2));
    let container = docker.start_container(&["/bin/sh", "-c", &two]);
    let pid: i32 = container.inspect("{{.State.Pid}}").parse().expect("a process id");
    let device = hang_etc(pid);
    let go = |number: u8| std::fs::write(format!("/proc/{pid}/root/tmp/go{number}"), "").expect("it goes on");
    go(1);
    let alert = agent.expect_one(&format!("{hanging}-1"));
    // The name of the user is all that the alert lost. It waited for it to the bound.
    assert!(alert.field("user.name").is_null() || alert.text("user.name") == "<NA>", "in {alert}");
    assert_eq!(alert.integer("user.uid"), 1000, "in {alert}");
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
    // Others get theirs, while it still hangs.
    let well = format!("cp /bin/probe /tmp/{other}; /bin/probe setuid-exec /tmp/{other}; exit 0");
    let _ = docker.start_container(&["/bin/sh", "-c", &well]).output();
    assert_eq!(agent.expect_one(&other).text("user.name"), "carol");
    // The next of the same container does not wait for what hangs.
    go(2);
    let alert = agent.expect_one(&format!("{hanging}-2"));
    assert_eq!(alert.text("drop.metadata"), "complete", "in {alert}");
    let _ = container.output();
    // It ends as cleanly as always, and has counted both.
    let log = agent.stop_by(Signal::SIGTERM);
    let counted = |what: &str| log.iter().any(|line| line.contains(" trouble: ") && line.contains(what));
    assert!(counted("users_late=1") && counted("lookup_refused=1"), "{log:#?}");
    drop(device);
}
