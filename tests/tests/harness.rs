//! The harness proves itself: containers are what they claim to be, the odd ways of execution happen, and nothing is
//! left behind. Without this a quiet agent could mean that nothing ran.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use detector_tests::bare_container::RootBy;
use detector_tests::case::has_root;
use detector_tests::host_overlay::HostOverlay;
use detector_tests::{BareContainer, Docker, Facts, facts, marker};
use nix::unistd::{Whence, lseek};

detector_tests::oldest_and_newest_kernel!("it is about what other suites take for granted");

/// File system type number of overlay, as `stat -f` prints it.
const OVERLAY: &str = "794c7630";

#[test]
fn a_bare_container_is_a_container() {
    if !has_root("a_bare_container_is_a_container") {
        return;
    }
    let container = BareContainer::new();
    let name = marker("itself");
    let script = format!(
        "stat -f -c %t /\n\
         readlink /proc/self/ns/mnt\n\
         readlink /proc/self/ns/pid\n\
         cat /proc/self/cgroup\n\
         cp /bin/probe /tmp/{name}\n\
         cd /tmp; ./{name}"
    );
    let output = container.sh(&script).ok();
    let mut lines = output.lines();
    assert_eq!(lines.next(), Some(OVERLAY), "the root's file system in: {output}");
    for namespace in ["mnt", "pid"] {
        let own = fs::read_link(format!("/proc/self/ns/{namespace}")).expect("our namespace");
        let inside = lines.next().unwrap_or_default();
        assert!(inside.starts_with(namespace), "expected the {namespace} namespace in: {output}");
        assert_ne!(Path::new(inside), own, "the {namespace} namespace is the host's");
    }
    let cgroup = format!(":/docker/{}", container.id());
    let hierarchies = output.lines().filter(|line| line.ends_with(&cgroup)).count();
    assert_eq!(hierarchies, container.cgroups().len(), "hierarchies with {cgroup} in: {output}");

    let facts = Facts::parse(&output);
    assert_eq!((facts.exe.as_str(), facts.cwd.as_str()), (format!("/tmp/{name}").as_str(), "/tmp"));
    assert_eq!(facts.ancestors.first().map(String::as_str), Some("sh"), "in {facts:?}");
    assert_eq!(facts.ancestors.get(1).map(String::as_str), Some("bare-init"), "in {facts:?}");
    assert_eq!(facts.session_name.as_deref(), Some("sh"), "in {facts:?}");
    assert!(facts.vpid < 100 && facts.host_pid.is_some_and(|pid| pid != facts.vpid), "in {facts:?}");
    assert!(container.upper().join("tmp").join(&name).is_file(), "the file is not in the upper layer");
    assert!(!container.lower().join("tmp").join(&name).exists(), "the file is in the image");
}

#[test]
fn nothing_is_left_behind() {
    if !has_root("nothing_is_left_behind") {
        return;
    }
    let container = BareContainer::new();
    let paths: Vec<_> = container.cgroups().iter().cloned().chain([container.folder().to_owned()]).collect();
    assert!(paths.iter().all(|path| path.exists()), "not all of {paths:?} is there");
    // What the first process leaves running dies with its namespace.
    let finished = container.sh("sleep 1000 & exit 3");
    assert_eq!(finished.code(), 3, "{finished}");
    let panicked = std::thread::spawn(move || {
        let _container = container;
        panic!("on purpose: cleaning up must survive a failing test");
    });
    assert!(panicked.join().is_err());
    for path in paths {
        assert!(!path.exists(), "{} is left behind", path.display());
    }
}

#[test]
fn a_failing_script_is_seen() {
    if !has_root("a_failing_script_is_seen") {
        return;
    }
    let finished = BareContainer::new().sh("false\necho not reached");
    assert_eq!((finished.code(), finished.stdout.as_slice()), (1, &b""[..]), "{finished}");
}

#[test]
fn chroot_leaves_the_overlay_below_the_root() {
    if !has_root("chroot_leaves_the_overlay_below_the_root") {
        return;
    }
    let container = BareContainer::new().root_by(RootBy::Chroot);
    let output = container.sh("stat -f -c %t /\nls /").ok();
    assert!(output.starts_with(OVERLAY) && output.contains("host-proc"), "{output}");
}

/// Each way of execution shows in what the executed file sees of itself.
#[test]
fn the_probe_executes_as_told() {
    if !has_root("the_probe_executes_as_told") {
        return;
    }
    let container = BareContainer::new();
    let run = |verb: &str, rest: &str| {
        let name = marker("way");
        let script =
            format!("cp /bin/probe /tmp/{name}; chmod 4755 /tmp/{name}; probe {verb} /tmp/{name} {rest}");
        (Facts::parse(&container.sh(&script).ok()), name)
    };
    let (facts, name) = run("exec-at-empty-path", "");
    assert_eq!(facts.exe, format!("/tmp/{name}"));
    let (facts, name) = run("unlink-then-exec", "");
    assert_eq!(facts.exe, format!("/tmp/{name} (deleted)"));
    for verb in ["memfd", "memfd-by-proc"] {
        assert_eq!(run(verb, "").0.exe, "/memfd:drop (deleted)", "{verb}");
    }
    let (facts, _) = run("thread-exec", "");
    assert!(facts.vpid > 1, "{facts:?}");
    let arguments = run("no-argv", "").0.arguments;
    assert!(arguments.is_empty() || arguments == [""], "{arguments:?}");
    assert_eq!(run("argv0", "[kworker/0:1] -x").0.arguments_lossy(), ["[kworker/0:1]", "-x"]);
    assert_eq!(run("big-argv", "9000").0.arguments_lossy()[1].len(), 9000);
    let odd = run("odd-argv", "").0.arguments_lossy();
    assert_eq!(odd[1..=4], ["", "a b", "\"'", "x\ny"], "{odd:?}");
    assert_eq!(odd[8], "\u{fffd}\u{fffd}", "{odd:?}");
    let (facts, _) = run("setuid-exec", "");
    assert_eq!((facts.uid, facts.euid), (1000, 0));
}

#[test]
fn a_deep_tree_is_deep() {
    if !has_root("a_deep_tree_is_deep") {
        return;
    }
    let name = marker("deep");
    let output =
        BareContainer::new().sh(&format!("cp /bin/probe /tmp/{name}; probe deep 12 /tmp/{name}")).ok();
    let ancestors = Facts::parse(&output).ancestors;
    let expected: Vec<String> = (1..12).rev().map(|level| format!("deep-{level}")).collect();
    assert_eq!(ancestors[..11], expected, "{ancestors:?}");
    assert_eq!(ancestors[11..14], ["probe", "sh", "bare-init"], "{ancestors:?}");
}

/// Each file of it is made anew, executed, and removed.
#[test]
fn a_burst_leaves_no_files() {
    if !has_root("a_burst_leaves_no_files") {
        return;
    }
    let (container, name) = (BareContainer::new(), marker("burst"));
    assert_eq!(container.sh(&format!("probe burst /tmp/{name} 40")).ok(), "burst of 40 done\n");
    let files = fs::read_dir(container.upper().join("tmp")).expect("the upper layer").count();
    assert_eq!(files, 0);
}

/// With `metacopy=on` a chmod copies the metadata up and leaves the data in the image.
#[test]
fn metacopy_leaves_the_data_in_the_image() {
    if !has_root("metacopy_leaves_the_data_in_the_image") {
        return;
    }
    for (container, expected_data) in
        [(BareContainer::new().mount_option("metacopy=on"), false), (BareContainer::new(), true)]
    {
        let _ = container.sh("chmod 700 /usr/bin/tool").ok();
        let upper = container.upper().join("usr/bin/tool");
        let metadata = fs::metadata(&upper).expect("the copied-up file");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
        let file = fs::File::open(&upper).expect("the copied-up file");
        let has_data = lseek(&file, 0, Whence::SeekData).is_ok();
        assert_eq!(has_data, expected_data, "data in {}", upper.display());
    }
}

#[test]
fn an_overlay_on_the_host_is_the_hosts() {
    if !has_root("an_overlay_on_the_host_is_the_hosts") {
        return;
    }
    let root = {
        let overlay = HostOverlay::mount();
        let mounts = fs::read_to_string("/proc/self/mounts").expect("our mounts");
        let line = format!("overlay {} overlay", overlay.root().display());
        assert!(mounts.contains(&line), "no `{line}` in: {mounts}");
        overlay.root()
    };
    assert!(!root.exists(), "{} is left behind", root.display());
}

#[test]
fn a_private_docker_runs_containers() {
    let Some(docker) = Docker::for_case("a_private_docker_runs_containers") else { return };
    let name = marker("docker");
    let container =
        docker.start_container(&["/bin/sh", "-c", &format!("cp /bin/probe /tmp/{name}; /tmp/{name}; true")]);
    let facts = Facts::parse(&container.output());
    assert_eq!(facts.exe, format!("/tmp/{name}"));
    assert!(facts.host_pid.is_some(), "{} is not mounted in the container", facts::HOST_PROC);
    assert_eq!(facts.ancestors[..2], ["sh", "containerd-shim"], "{facts:?}");
    assert_eq!(container.inspect("{{.Id}}"), container.id());
    assert_eq!(container.inspect("{{.GraphDriver.Name}}"), "overlay2");
}

/// The stand-in does what was measured of the real action: the file is gone at once, and a copy of `ls` ran under the
/// name that it was dropped with.
#[test]
fn the_stand_in_drops_like_the_event_generator() {
    let Some(docker) = Docker::for_case("the_stand_in_drops_like_the_event_generator") else { return };
    let container = docker.start_container(&["/bin/probe", "event-generator-stand-in"]);
    let output = container.output();
    let path = "dropped /bin/falco-event-generator-syscall-DropAndExecuteNewBinaryInContainer-";
    // 127: busybox does not know itself under that name; had the copy not been executed, it would not be busybox's.
    assert!(
        output.starts_with(path) && output.contains("Exited(Pid(") && output.contains(", 127)"),
        "{output}"
    );
}
