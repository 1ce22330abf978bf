//! Files that are mapped executable: a library, or a program that a dynamic loader was told to run. Where the kernel takes no
//! programs at its security checks nothing is seen, and the agent says so; the other kernels (`cargo xtask vm`) show it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use detector_tests::case::has_root;
use detector_tests::not_run::{Reason, not_run};
use detector_tests::{Agent, Alert, BareContainer, marker, program_copy};
use nix::sys::signal::Signal;

detector_tests::depends_on_security_modules!();

const RULE: &str = "Dropped file mapped executable in container";
/// The agent says this at its start.
const SEEN: &str = "what is mapped executable is seen";
const NOT_SEEN: &str = "what is mapped executable is not seen";

/// An agent with our rules before the stock one.
fn agent(folder: &Path) -> Agent {
    let files = [
        ("1.yaml", include_str!("../../detector/rules/detector_rules.yaml")),
        ("2.yaml", include_str!("../../detector/rules/falco_rules.yaml")),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("the rules");
    }
    Agent::start_with(&[OsStr::new("-r"), folder.as_os_str()])
}

/// Runs the script in a container, and stops the agent; `None`, and the case is listed as not run, where mappings are not
/// seen.
fn agent_after(case: &str, container: &BareContainer, script: &str) -> Option<Agent> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let agent = agent(folder.path());
    let last = marker("last");
    let _ = container.sh(&format!("{script}\ncp /bin/probe /tmp/{last}; /tmp/{last} exit")).ok();
    // Alerts come in the order of what happened, up to the waiting for metadata.
    let _ = agent.expect_alert("the end", |alert| alert.mentions(&last));
    let log = agent.stop_by(Signal::SIGTERM);
    if log.iter().any(|line| line.contains(SEEN)) {
        return Some(agent);
    }
    assert!(log.iter().any(|line| line.contains(NOT_SEEN)), "{log:#?}");
    not_run(case, Reason::Unobtainable, "this kernel takes no programs at its security checks");
    None
}

/// What was said of a mapped file. Its process mentions `name`.
fn about(agent: &Agent, name: &str, path: &str) -> Vec<Alert> {
    let of_rule = |alert: &Alert| alert.part_text("rule") == RULE && alert.text("drop.path") == path;
    agent.alerts_about(name).into_iter().filter(of_rule).collect()
}

#[test]
fn a_dropped_library_is_reported_once_for_each_process() {
    const CASE: &str = "a_dropped_library_is_reported_once_for_each_process";
    if !has_root(CASE) {
        return;
    }
    let container = BareContainer::new();
    let [dropped, other] = ["dropped", "other"].map(|name| format!("/tmp/{}.so", marker(name)));
    let script = format!(
        "cp /bin/probe {dropped}; probe map {dropped} 3; probe map {dropped} 1\n\
         cp /bin/probe {other}; probe read {other}\n\
         probe map /bin/busybox 1; probe map-memfd /bin/probe; cp /bin/probe /tmp/x; /tmp/x exit"
    );
    let Some(agent) = agent_after(CASE, &container, &script) else { return };
    let of_dropped = about(&agent, &dropped, &dropped);
    assert_eq!(of_dropped.len(), 2, "one for each process: {of_dropped:#?}");
    let first = &of_dropped[0];
    assert_eq!(first.text("drop.kind"), "exec_map", "in {first}");
    assert_eq!(first.text("drop.origin"), "new", "in {first}");
    assert_eq!(first.text("proc.exepath"), "/bin/probe", "in {first}");
    assert_eq!(first.text("proc.cmdline"), format!("probe map {dropped} 3"), "in {first}");
    assert_eq!(first.text("container.id"), container.short_id(), "in {first}");
    // Read, of the image, or executed: no mapping of its own.
    for path in [other.as_str(), "/bin/busybox", "/tmp/x"] {
        let found = about(&agent, path, path);
        assert_eq!(found.len(), 0, "{path}: {found:#?}");
    }
    let [in_memory] = &agent.alerts_about("map-memfd")[..] else { panic!("one about the memfd") };
    assert_eq!(in_memory.part_text("rule"), RULE, "{in_memory}");
    assert_eq!(in_memory.text("drop.origin"), "memfd", "{in_memory}");
}

/// The real loader, with a real program and a real library: a program that it is told to run, a library by `LD_PRELOAD`, by
/// `/etc/ld.so.preload`, and by `LD_AUDIT`, which is opened as `dlopen` opens one.
#[test]
fn by_the_dynamic_loader() {
    const CASE: &str = "by_the_dynamic_loader";
    if !has_root(CASE) {
        return;
    }
    let Some(Dynamic { loader, program, libraries }) = Dynamic::find() else {
        not_run(CASE, Reason::Unobtainable, "no dynamic loader here");
        return;
    };
    let container = BareContainer::new();
    let below = |path: &Path| container.lower().join(path.strip_prefix("/").unwrap_or(path));
    for file in libraries.iter().chain([&loader]) {
        fs::create_dir_all(below(file.parent().expect("a folder"))).expect("the folder of a library");
        program_copy::copy(file, &below(file));
    }
    program_copy::copy(&program, &container.lower().join("bin/dynamic"));
    let library = libraries.first().expect("the C library").display();
    let loader = loader.display();
    let [told, preloaded, by_file, audited] =
        ["told", "preloaded", "by-file", "audited"].map(|name| format!("/tmp/{}", marker(name)));
    // A copy of the C library under another name is what the program then runs with.
    let script = format!(
        "/bin/dynamic\n\
         cp /bin/dynamic {told}; {loader} {told} {told}\n\
         cp {library} {preloaded}; LD_PRELOAD={preloaded} /bin/dynamic {preloaded}\n\
         cp {library} {by_file}; echo {by_file} > /etc/ld.so.preload; /bin/dynamic {by_file}; rm /etc/ld.so.preload\n\
         cp {library} {audited}; LD_AUDIT={audited} /bin/dynamic {audited} || true"
    );
    let Some(agent) = agent_after(CASE, &container, &script) else { return };
    for (file, process) in [
        (&told, loader.to_string()),
        (&preloaded, "/bin/dynamic".to_owned()),
        (&by_file, "/bin/dynamic".to_owned()),
        (&audited, "/bin/dynamic".to_owned()),
    ] {
        let [alert] = &about(&agent, file, file)[..] else { panic!("one alert about {file}") };
        assert_eq!(alert.text("proc.exepath"), process, "in {alert}");
        assert_eq!(alert.text("drop.kind"), "exec_map", "in {alert}");
        assert_eq!(alert.text("drop.origin"), "new", "in {alert}");
    }
    // What the image has is mapped by each of these, too.
    let of_image = |alert: &Alert| alert.part_text("rule") == RULE && alert.text("drop.origin") == "image";
    assert_eq!(agent.alerts_where(of_image).len(), 0);
}

/// What is needed to run a program that is linked dynamically.
struct Dynamic {
    loader: PathBuf,
    program: PathBuf,
    libraries: Vec<PathBuf>,
}

impl Dynamic {
    fn find() -> Option<Self> {
        const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
        const PROGRAMS: [&str; 2] = ["/usr/bin/true", "/bin/true"];
        let loader = LOADERS.map(PathBuf::from).into_iter().find(|path| path.exists())?;
        let name = loader.to_str()?.as_bytes().to_vec();
        let asks = |path: &PathBuf| {
            fs::read(path).is_ok_and(|bytes| bytes.windows(name.len()).any(|window| window == name))
        };
        let program = PROGRAMS.map(PathBuf::from).into_iter().find(asks)?;
        let listed = Command::new(&loader).arg("--list").arg(&program).output().ok()?;
        let libraries = String::from_utf8_lossy(&listed.stdout)
            .lines()
            .filter_map(|line| line.split_once(" => ")?.1.split(' ').next().map(PathBuf::from))
            .filter(|path| path.is_absolute())
            .collect();
        Some(Self { loader, program, libraries })
    }
}
