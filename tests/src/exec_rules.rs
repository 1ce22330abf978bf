//! What Falco's widely used exec rules are about, done in real containers: for each rule a deed that it must report,
//! and its innocent twin that it must not. The same for any rule files that have rules of these names.

use std::ffi::OsStr;
use std::path::Path;

use crate::docker::Container;
use crate::{Agent, BareContainer, Docker, image_tree, marker, program_copy};

/// Name of the image with the programs that the deeds need.
const IMAGE: &str = "detector-exec-rules:1.0";
/// All six rules.
const RULES: [&str; 6] = [
    "Drop and execute new binary in container",
    "Fileless execution via memfd_create",
    "Execution from /dev/shm",
    "Terminal shell in container",
    "Run shell untrusted",
    "Launch Package Management Process in Container",
];

/// Starts an agent with these rule files and goes through all deeds and twins. Every rule that matches is wanted, as
/// two rules may be right about one deed.
#[track_caller]
pub fn check(docker: &Docker, rule_files: &[&Path]) {
    let mut arguments: Vec<&OsStr> = vec![OsStr::new("-o"), OsStr::new("rule_matching=all")];
    for file in rule_files {
        arguments.extend([OsStr::new("-r"), file.as_os_str()]);
    }
    import(docker);
    let agent = Agent::start_with(&arguments);
    let container = docker.start_image(IMAGE, &["/bin/sleep", "1000"]);
    for (rule, deed) in deeds(&container) {
        // Not every output shows argv, which is all that tells one memfd from another.
        let memfd = rule == RULES[1];
        let _ = agent.expect_alert(&format!("`{rule}` about {deed}"), |alert| {
            (alert.mentions(&deed) || (memfd && alert.mentions("memfd:drop")))
                && alert.part_text("rule") == rule
        });
        for alert in agent.alerts_about(&deed) {
            let name = alert.part_text("rule");
            // A file below /dev/shm of a container without a tmpfs there is a dropped one, too.
            let both = name == RULES[0] && rule == RULES[2];
            // Rule files of others may have further rules that are right about it.
            let further = !RULES.contains(&name);
            assert!(name == rule || both || further, "{deed} is about `{rule}`, not about `{name}`: {alert}");
        }
    }
    let innocent = twins(&container);
    for twin in &innocent {
        agent.expect_quiet(twin);
    }
    agent.stop();
}

/// The usual image with a package manager and a web server in it. Both are other programs under these names: rules
/// know processes by name.
#[track_caller]
fn import(docker: &Docker) {
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => panic!("cannot make a temporary folder: {error}"),
    };
    image_tree::build(folder.path());
    let root = |path: &str| folder.path().join(path);
    for (from, to) in [("bin/probe", "bin/apk"), ("bin/busybox", "bin/nginx")] {
        program_copy::copy(&root(from), &root(to));
    }
    docker.import(folder.path(), IMAGE);
}

/// Does what the rules report; a unique name for each deed.
#[track_caller]
fn deeds(container: &Container<'_>) -> Vec<(&'static str, String)> {
    let mut done = Vec::new();
    let mut deed = |rule: usize, theme: &str, act: &dyn Fn(&str)| {
        let name = marker(theme);
        act(&name);
        done.push((RULES[rule], name));
    };
    let sh = |script: String| drop(container.exec(&["/bin/sh", "-c", &script]).ok());
    deed(0, "drop", &|name| sh(format!("cp /bin/probe /tmp/{name}; /tmp/{name} exit; exit 0")));
    deed(1, "memfd", &|name| {
        // Below a shell: the rule leaves out what runc itself starts, and runc is the parent of what docker exec runs
        // until it has handed it over.
        sh(format!("cp /bin/probe /tmp/{name}; /bin/probe memfd /tmp/{name}; exit 0"));
    });
    deed(2, "shm-script", &|name| sh(format!("echo true >/dev/shm/{name}; /bin/sh /dev/shm/{name}; exit 0")));
    deed(2, "shm-file", &|name| {
        let script =
            format!("mkdir -p /dev/shm; cp /bin/probe /dev/shm/{name}; /dev/shm/{name} exit; exit 0");
        let _ = BareContainer::new().sh(&script).ok();
    });
    deed(3, "terminal", &|name| {
        let _ = container.exec_with_terminal(&["/bin/sh", "-c", &format!("true {name}; exit 0")]).ok();
    });
    deed(4, "nginx-shell", &|name| nginx(container, &format!("/bin/sh -c 'true {name}; exit 0'; exit 0")));
    deed(5, "apk", &|name| {
        let _ = container.exec(&["/bin/apk", "add", name]).ok();
    });
    done
}

/// Does what is nearly the same and what the rules do not report.
#[track_caller]
fn twins(container: &Container<'_>) -> Vec<String> {
    let names =
        ["image", "from-shm-copy", "no-terminal", "terminal-no-shell", "nginx-tool", "sh-shell", "not-apk"];
    let [image, copied, no_terminal, no_shell, no_shell_below, no_server, no_apk] = names.map(marker);
    let run = |command: &[&str]| drop(container.exec(command).ok());
    run(&["/bin/probe", &image]);
    run(&["/bin/sh", "-c", &format!("cp /bin/probe /dev/shm/{copied}; rm /dev/shm/{copied}; exit 0")]);
    run(&["/bin/sh", "-c", &format!("true {no_terminal}; exit 0")]);
    let _ = container.exec_with_terminal(&["/bin/probe", &no_shell]).ok();
    nginx(container, &format!("/bin/probe {no_shell_below}; exit 0"));
    run(&["/bin/sh", "-c", &format!("/bin/sh -c 'true {no_server}; exit 0'; exit 0")]);
    run(&["/bin/probe", "apk", "add", &no_apk]);
    vec![image, copied, no_terminal, no_shell, no_shell_below, no_server, no_apk]
}

/// A process whose file is named nginx runs this shell script.
#[track_caller]
fn nginx(container: &Container<'_>, script: &str) {
    let _ = container.exec(&["/bin/probe", "argv0", "/bin/nginx", "sh", "-c", script]).ok();
}
