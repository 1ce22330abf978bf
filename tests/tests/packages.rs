//! What `cargo xtask package` makes is what people get: installed in a clean Debian, run by a real systemd, loaded by
//! real container engines.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use detector_tests::clean_debian::{CleanDebian, packages};
use detector_tests::engine::is_here;
use detector_tests::process::DEADLINE;
use detector_tests::{BareContainer, Containerd, Podman, marker, process};

detector_tests::same_on_every_kernel!("it is about what is installed, and how systemd and engines start it");

const INSTALL: &str = "dpkg --install /packages/detector_*.deb >/dev/null";

#[test]
fn the_deb_comes_and_goes_in_a_clean_debian() {
    let Some(debian) = CleanDebian::for_case("the_deb_comes_and_goes_in_a_clean_debian") else { return };
    let version = debian.run(&format!("{INSTALL}; detector --version")).ok();
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    // What it brings agrees with itself.
    let script = "detector -V /etc/detector/falco_rules.yaml >&2; detector -c /etc/detector/detector.yaml --dry-run >&2
        zcat /usr/share/man/man8/detector.8.gz | grep -c '^.SH'; test -s /usr/share/man/man8/detector-doctor.8.gz
        test -s /usr/share/bash-completion/completions/detector";
    let _ = debian.run(script).ok();
    // systemd's own reader finds nothing to say about the unit. There is no `man` in a minimal Debian to find the page with.
    let verified =
        debian.run("systemd-analyze verify --man=no /usr/lib/systemd/system/detector.service 2>&1");
    assert!(verified.status.success() && verified.stdout.trim_ascii().is_empty(), "{verified}");
    assert_eq!(debian.run("systemctl is-enabled detector").ok().trim(), "enabled");
    // The administrator's files stay with the package's last trace.
    let script = "echo '# ours' >/etc/detector/rules.d/ours.yaml; dpkg --purge detector >/dev/null 2>&1
        find / -xdev -name '*detector*' -not -path '/var/lib/dpkg/*' -not -path '/proc/*' -not -path '/packages/*' -not -path '/var/log/*'; ls -R /etc/detector";
    let left = debian.run(script);
    assert!(left.status.success(), "{left}");
    let text = String::from_utf8_lossy(&left.stdout);
    let found: Vec<_> =
        text.lines().take_while(|line| line.starts_with('/') && !line.ends_with(':')).collect();
    assert!(text.contains("ours.yaml") && found == ["/etc/detector"], "{left}");
}

/// Type=notify: `active` means that the agent has said it is ready, which it does when its hooks are armed.
#[test]
fn the_service_runs_reloads_and_stops_under_systemd() {
    let Some(debian) = CleanDebian::for_case("the_service_runs_reloads_and_stops_under_systemd") else {
        return;
    };
    let _ = debian.run(INSTALL).ok();
    let machine = debian.boot();
    let show = |property: &str| {
        machine.run(&format!("systemctl show -P {property} detector")).ok().trim().to_owned()
    };
    let _ = machine.run("systemctl start detector").ok();
    assert_eq!((show("ActiveState"), show("SubState")), ("active".to_owned(), "running".to_owned()));
    assert!(show("StatusText").contains("hooks armed"), "{}", show("StatusText"));
    let before = show("MainPID");
    // What the unit takes away is told as what it is, and not as blindness.
    let told = "self-test: cannot test itself: needs CAP_SYS_ADMIN";
    let _ = machine.run(&format!("journalctl -u detector -f -n all -o cat | grep -m1 -q '{told}'")).ok();

    let name = marker("under-systemd");
    let container = BareContainer::new();
    let _ = container.sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
    // --follow ends with its first match; the deadline of the harness is the limit.
    let _ = machine.run(&format!("journalctl -u detector -f -n all -o cat | grep -m1 -q {name}")).ok();

    let _ = machine.run("systemctl reload detector").ok();
    assert_eq!((show("ActiveState"), show("MainPID")), ("active".to_owned(), before.clone()));

    // An agent that hangs is replaced: the watchdog sees that its loop gives no more signs.
    let script = "mkdir -p /run/systemd/system/detector.service.d
        printf '[Service]\\nWatchdogSec=2\\n' >/run/systemd/system/detector.service.d/quick.conf
        systemctl daemon-reload; systemctl restart detector";
    let _ = machine.run(script).ok();
    let restarted = show("MainPID");
    assert_ne!(restarted, before);
    let script = format!(
        "kill -STOP {restarted}
        while [ \"$(systemctl show -P NRestarts detector)\" = 0 ] || [ \"$(systemctl show -P ActiveState detector)\" != active ]
        do sleep 0.1; done"
    );
    let _ = machine.run(&script).ok();
    assert_ne!(show("MainPID"), restarted);

    let _ = machine.run("systemctl stop detector").ok();
    assert_eq!((show("ActiveState"), show("Result")), ("inactive".to_owned(), "success".to_owned()));
}

#[test]
fn the_rpm_installs_with_all_its_files() {
    let case = "the_rpm_installs_with_all_its_files";
    if !is_here(case, &[("rpm", "rpm")]) {
        return;
    }
    let Some(folder) = packages(case) else { return };
    let rpm = one(&folder, ".rpm");
    let root = tempfile::tempdir().unwrap();
    let command = |arguments: &[&str]| {
        let mut command = Command::new("rpm");
        command.arg("--root").arg(root.path()).args(arguments);
        command
    };
    // No shell and no systemd is in this root, so the scripts are left out; a file that is in the way would fail it.
    let mut install = command(&["--install", "--nodeps", "--noscripts"]);
    install.arg(&rpm);
    let _ = process::run(install).ok();
    let verified = process::run(command(&["--verify", "--nodeps", "--noscripts", "detector"]));
    assert!(verified.status.success(), "{verified}");
    let configs = process::run(command(&["--query", "--configfiles", "detector"])).ok();
    assert!(configs.lines().any(|line| line == "/etc/detector/detector.yaml"), "{configs}");
    let mut version = Command::new(root.path().join("usr/bin/detector"));
    version.arg("--version");
    assert!(process::run(version).ok().contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_image_runs_under_containerd() {
    let case = "the_image_runs_under_containerd";
    let Some(folder) = packages(case) else { return };
    let Some(containerd) = Containerd::for_case(case) else { return };
    let archive = one(&folder, ".oci.tar");
    let _ =
        process::run(containerd.ctr("default", &["image", "import", &archive.display().to_string()])).ok();
    let image = format!("docker.io/library/detector:{}", env!("CARGO_PKG_VERSION"));
    let run = |arguments: &[&str]| {
        let name = marker("image");
        let all = [&["run", "--rm", &image, &name, "/usr/bin/detector"], arguments].concat();
        process::run(containerd.ctr("default", &all))
    };
    assert!(run(&["--version"]).ok().contains(env!("CARGO_PKG_VERSION")));
    // The configuration and the rules are in it.
    let _ = run(&["-c", "/etc/detector/detector.yaml", "--dry-run"]).ok();
}

/// Neither privileged nor `CAP_SYS_ADMIN`: what docs/deployment.md says is enough.
#[test]
fn the_image_sees_a_drop_with_the_rights_that_the_docs_name() {
    let case = "the_image_sees_a_drop_with_the_rights_that_the_docs_name";
    let Some(folder) = packages(case) else { return };
    let Some(podman) = Podman::for_case(case, false) else { return };
    let mut load = podman.command(&["load", "--quiet", "--input"]);
    load.arg(one(&folder, ".oci.tar"));
    let loaded = process::run(load).ok();
    let Some((_, image)) = loaded.trim().rsplit_once(' ') else { panic!("podman loaded `{loaded}`") };
    let mut run =
        podman.command(&["run", "--detach", "--pull=never", "--network=none", "--read-only", "--pid=host"]);
    run.args(["--ulimit=nofile=4096:4096", "--ulimit=nproc=1024:1024", "--cap-drop=ALL"]);
    run.args(["BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH"].map(|right| format!("--cap-add={right}")));
    run.args([
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--env=HOST_ROOT=/host",
    ]);
    run.args(
        ["/proc:/host/proc:ro", "/etc:/host/etc:ro", "/run:/host/run:ro,rslave"]
            .map(|mount| format!("--volume={mount}")),
    );
    run.arg(image);
    let id = process::run(run).ok();
    let said = |what: &str| {
        let end = Instant::now() + DEADLINE;
        loop {
            let logs = process::run(podman.command(&["logs", id.trim()]));
            if String::from_utf8_lossy(&logs.stdout).contains(what) || logs.stderr.contains(what) {
                return;
            }
            assert!(Instant::now() < end, "the agent did not say `{what}`: {logs}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    said("hooks armed");
    let name = marker("by-the-image");
    let _ = BareContainer::new().sh(&format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit")).ok();
    said(&name);
}

#[test]
fn the_check_sums_are_right_and_complete() {
    let Some(folder) = packages("the_check_sums_are_right_and_complete") else { return };
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", "--quiet", "SHA256SUMS"]).current_dir(&folder);
    let _ = process::run(check).ok();
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    for end in
        [".deb", ".rpm", ".oci.tar", ".cdx.json", ".tgz", "daemonset.yaml", "detector.8", "detector.bash"]
    {
        assert!(sums.lines().any(|line| line.ends_with(end)), "nothing ends with {end} in:\n{sums}");
    }
}

/// The file whose name ends like this.
#[track_caller]
fn one(folder: &std::path::Path, end: &str) -> PathBuf {
    let Ok(entries) = fs::read_dir(folder) else { panic!("cannot list {}", folder.display()) };
    let found: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(end))
        .collect();
    assert_eq!(found.len(), 1, "files that end with {end}: {found:?}");
    found[0].clone()
}
