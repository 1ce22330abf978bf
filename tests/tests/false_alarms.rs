//! What is harmless and looks like a drop, done by the real tools in real containers: which rule speaks, at which priority,
//! and what the tuning that comes with our rules makes of it. docs/detection.md has the same as a table.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use detector_tests::docker::Container;
use detector_tests::image_tree::TOOL;
use detector_tests::not_run::{Reason, not_run};
use detector_tests::{Agent, Docker, Runc, engine, helper_binaries, marker, process, program_copy};
use tempfile::TempDir;

detector_tests::same_on_every_kernel!("it is about what tools do with files, and about rules");

const STOCK: (&str, &str) = ("Drop and execute new binary in container", "Critical");
const SCRIPT: (&str, &str) = ("Dropped script executed in container", "Warning");
const IDENTICAL: (&str, &str) = ("Image file executed after its metadata changed", "Informational");
const BY_TOOL: (&str, &str) = ("Package manager ran its own files in container", "Informational");

/// A Debian as Docker image.
const DEBIAN: &str = "detector-debian:1.0";
/// What a user who expects package managers in it loads behind our rules.
const TUNING: &str = "
- list: drop_known_tools
  items: [dpkg, pip]
  override: {items: replace}
- list: drop_known_tool_images
  items: [detector-debian]
  override: {items: replace}
";

/// Our rules before the stock one, and this tuning.
fn rules(tuning: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = [
        ("1.yaml", include_str!("../../detector/rules/detector_rules.yaml")),
        ("2.yaml", include_str!("../../detector/rules/falco_rules.yaml")),
        ("3.yaml", tuning),
    ];
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("the rules");
    }
    folder
}

/// Which rule speaks shall depend on what the file is, and not on how busy this computer is with importing images: half a
/// second may be too short to hold a file against its image then.
const PATIENT: &str = "metadata.wait=20s";

fn arguments(rules: &TempDir) -> [&OsStr; 4] {
    [OsStr::new("-r"), rules.path().as_os_str(), OsStr::new("-o"), OsStr::new(PATIENT)]
}

/// An agent that knows the containers of this Docker.
fn agent(docker: &Docker, rules: &TempDir) -> Agent {
    Agent::start_with_run_with(&docker.run_folder(), &arguments(rules))
}

/// Stops the agent; the rules that spoke about this name, with their priorities.
fn spoke(agent: &Agent, name: &str) -> BTreeSet<(String, String)> {
    agent.stop();
    let about = agent.alerts_where(|alert| {
        let script = alert.part("output_fields")["drop.script.path"].as_str();
        alert.mentions(name) || script.is_some_and(|path| path.contains(name))
    });
    let of = |alert: &detector_tests::Alert, part: &str| alert.part_text(part).to_owned();
    about.iter().map(|alert| (of(alert, "rule"), of(alert, "priority"))).collect()
}

fn set(rules: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    rules.iter().map(|(rule, priority)| ((*rule).to_owned(), (*priority).to_owned())).collect()
}

fn waiting<'docker>(docker: &'docker Docker, image: &str) -> Container<'docker> {
    docker.start_image(image, &["/bin/sleep", "1000"])
}

#[test]
fn an_entry_point_that_gives_the_images_files_other_owners_and_modes() {
    const CASE: &str = "an_entry_point_that_gives_the_images_files_other_owners_and_modes";
    let Some(docker) = Docker::for_case(CASE) else { return };
    let (rules, name) = (rules(""), marker("entry"));
    let agent = agent(&docker, &rules);
    let container = waiting(&docker, detector_tests::docker::IMAGE);
    // One after the other: a file that is changed again while it is looked at cannot be held against the image.
    for (before, change) in ["chown 1000:1000", "chmod 700", "touch"].iter().enumerate() {
        let script = format!("{change} {TOOL}; {TOOL} {name}; exit 0");
        let _ = container.exec(&["/bin/sh", "-c", &script]).ok();
        let _ = agent.expect_exactly(before + 1, &name);
    }
    assert_eq!(spoke(&agent, &name), set(&[IDENTICAL]));
}

/// As Kubernetes does for pods with users of their own where the kernel or the runtime knows no idmapped mounts.
#[test]
fn a_root_that_was_given_to_the_users_of_a_user_namespace() {
    const CASE: &str = "a_root_that_was_given_to_the_users_of_a_user_namespace";
    let Some(runc) = Runc::for_case(CASE) else { return };
    let (rules, name) = (rules(""), marker("userns"));
    let agent = Agent::start_with(&arguments(&rules));
    // It stays for a while: what is gone cannot be held against its image.
    let script = format!(
        "{TOOL} {name} one; /bin/probe {name} two; cp /bin/probe /tmp/{name}; /tmp/{name}; /bin/sleep 15; exit 0"
    );
    let _ = runc.run_chowned(&name, &script).ok();
    let alert = agent.expect_alert("the real drop", |alert| alert.text("proc.exepath").ends_with(&name));
    assert_eq!(alert.part_text("rule"), STOCK.0, "{alert}");
    let _ = agent.expect_alert("the image's program", |alert| alert.text("proc.exepath") == TOOL);
    // The shell of the image, too, is nothing more than that.
    assert_eq!(spoke(&agent, &name), set(&[IDENTICAL, STOCK]));
}

/// Nobody of the container is there any more when the script is looked for, but the container is.
#[test]
fn a_script_of_docker_exec_whose_process_is_gone_at_once() {
    const CASE: &str = "a_script_of_docker_exec_whose_process_is_gone_at_once";
    const RUNS: usize = 5;
    let Some(docker) = Docker::for_case(CASE) else { return };
    let (rules, name) = (rules(""), marker("exec"));
    let agent = agent(&docker, &rules);
    let container = waiting(&docker, detector_tests::docker::IMAGE);
    let script = format!("printf '#!/bin/sh\\n:\\n' > /tmp/{name}; chmod 755 /tmp/{name}");
    let _ = container.exec(&["/bin/sh", "-c", &script]).ok();
    for run in 0..RUNS {
        let _ = container.exec(&[&format!("/tmp/{name}"), &run.to_string()]).ok();
    }
    let alerts = agent.expect_exactly(RUNS, &name);
    for alert in &alerts {
        assert_eq!(alert.text("drop.script.origin"), "new", "in {alert}");
        assert_eq!(alert.text("drop.script.sha256").len(), 64, "in {alert}");
    }
    assert_eq!(spoke(&agent, &name), set(&[SCRIPT]));
}

/// A Docker with a Debian in it; `None`, and the case is listed as not run, where there is none.
fn debian(case: &str) -> Option<Docker> {
    let docker = Docker::alone_for_case(case)?;
    let Some(archive) = std::env::var_os("DETECTOR_DEBIAN").map(PathBuf::from) else {
        not_run(
            case,
            Reason::Missing,
            "DETECTOR_DEBIAN names no archive of a Debian; `cargo xtask test` makes one",
        );
        return None;
    };
    docker.import_archive(&archive, DEBIAN);
    Some(docker)
}

/// A package with a program that its script runs when it is installed.
fn package(folder: &Path, name: &str) -> PathBuf {
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("DEBIAN")).expect("a folder");
    fs::create_dir_all(tree.join("usr/bin")).expect("a folder");
    program_copy::copy(&helper_binaries::path("probe"), &tree.join("usr/bin").join(name));
    let control = format!(
        "Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: a test\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).expect("its description");
    let script = tree.join("DEBIAN/postinst");
    fs::write(&script, format!("#!/bin/sh\n/usr/bin/{name} configure > /dev/null\n")).expect("its script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("its mode");
    let package = folder.join(format!("{name}.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Znone", "--build"]).arg(&tree).arg(&package);
    let _ = process::run(build).ok();
    package
}

/// A folder that apt takes for a repository with this one package, and where it is in the container.
fn repository(folder: &Path, package: &Path, name: &str) -> (PathBuf, String) {
    let (here, there) = (folder.join(format!("{name}-repository")), format!("/{name}-repository"));
    fs::create_dir(&here).expect("a folder");
    fs::copy(package, here.join("x.deb")).expect("the package");
    let ask = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).arg(package);
        process::run(command).ok()
    };
    let (described, hash) = (ask("dpkg-deb", &["--field"]), ask("sha256sum", &[]));
    let hash = hash.split(' ').next().unwrap_or_default();
    let size = fs::metadata(package).expect("the package").len();
    let index = format!("{described}Filename: ./x.deb\nSize: {size}\nSHA256: {hash}\n");
    fs::write(here.join("Packages"), index).expect("its index");
    fs::write(here.join("sources.list"), format!("deb [trusted=yes] file:{there} ./\n")).expect("its source");
    (here, there)
}

/// Has a package of its own installed by `install`, without tuning and with it, and holds what speaks about it, and about the
/// container, against the table.
fn hold_installing(case: &str, install: impl Fn(&Container<'_>, &Path, &str)) {
    if !engine::is_here(case, &[("dpkg-deb", "dpkg")]) {
        return;
    }
    let Some(docker) = debian(case) else { return };
    let container = waiting(&docker, DEBIAN);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (tuning, while_installing) in [("", set(&[SCRIPT, STOCK])), (TUNING, set(&[BY_TOOL]))] {
        let (rules, name) = (rules(tuning), marker("pkg"));
        let package = package(&folder.path().join(&name), &name);
        let agent = agent(&docker, &rules);
        install(&container, &package, &name);
        let _ = agent.expect_alert("the program of the package", |alert| {
            alert.text("proc.exepath") == format!("/usr/bin/{name}")
        });
        for alert in agent.alerts_about(&name).iter().filter(|alert| alert.part_text("rule") != STOCK.0) {
            assert_eq!(alert.text("drop.via"), "dpkg", "in {alert}");
        }
        assert_eq!(spoke(&agent, &name), while_installing, "with the tuning {tuning:?}");
        let id = container.short_id().to_owned();
        let of_container =
            agent.alerts_where(|alert| alert.part("output_fields")["container.id"] == id.as_str());
        let about: BTreeSet<String> =
            of_container.iter().map(|alert| alert.part_text("rule").to_owned()).collect();
        let expected = while_installing.into_iter().map(|(rule, _)| rule).collect();
        assert_eq!(about, expected, "of the whole container, with the tuning {tuning:?}");
    }
}

#[test]
fn dpkg_installs_a_package() {
    hold_installing("dpkg_installs_a_package", |container, package, _| {
        container.copy_in(package, "/tmp/x.deb");
        let _ = container.exec(&["dpkg", "-i", "/tmp/x.deb"]).ok();
    });
}

/// From a repository in a folder: the container has no network.
#[test]
fn apt_get_installs_a_package_of_a_repository() {
    hold_installing("apt_get_installs_a_package_of_a_repository", |container, package, name| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (here, there) = repository(folder.path(), package, name);
        container.copy_in(&here, &there);
        let source = format!("Dir::Etc::sourcelist={there}/sources.list");
        let apt = |words: &[&str]| {
            let begin = ["/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
            let options = ["-o", &source, "-o", "Dir::Etc::sourceparts=-"];
            let _ = container.exec(&[&begin[..], &options, words].concat()).ok();
        };
        apt(&["update"]);
        apt(&["install", "--yes", name]);
    });
}

/// A wheel with a command of Python's and a program of its own, installed into an environment that is made in the container.
#[test]
fn pip_installs_a_wheel() {
    const CASE: &str = "pip_installs_a_wheel";
    let Some(docker) = debian(CASE) else { return };
    let container = waiting(&docker, DEBIAN);
    let _ = container.exec(&["/bin/sh", "-c", "python3 -m venv /venv && mkdir /tmp/wheel"]).ok();
    let (rules, name) = (rules(""), marker("whl").replace('-', "_"));
    container.copy_in(&helper_binaries::path("probe"), "/tmp/wheel/native");
    let make = format!(
        "import zipfile\n\
         z = zipfile.ZipFile('/tmp/wheel/{name}-1.0-py3-none-any.whl', 'w')\n\
         d = '{name}-1.0.dist-info/'\n\
         z.writestr('{name}.py', 'def main():\\n    pass\\n')\n\
         z.write('/tmp/wheel/native', '{name}-1.0.data/scripts/{name}-native')\n\
         z.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n')\n\
         z.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
         z.writestr(d + 'entry_points.txt', '[console_scripts]\\n{name}-command = {name}:main\\n')\n\
         z.writestr(d + 'RECORD', '')\n\
         z.close()\n"
    );
    let _ = container.exec(&["python3", "-c", &make]).ok();
    let installing = agent(&docker, &rules);
    let wheel = format!("/tmp/wheel/{name}-1.0-py3-none-any.whl");
    let _ = container.exec(&["/venv/bin/python", "-m", "pip", "install", "--no-index", &wheel]).ok();
    assert_eq!(spoke(&installing, &name), set(&[]), "to install runs nothing new");
    let running = agent(&docker, &rules);
    for (command, rule) in [("command", SCRIPT), ("native", STOCK)] {
        let path = format!("/venv/bin/{name}-{command}");
        let _ = container.exec(&[&path]).ok();
        let alert = running.expect_alert(&path, |alert| alert.line.contains(&format!("{name}-{command}")));
        assert_eq!(alert.part_text("rule"), rule.0, "{alert}");
    }
    assert_eq!(spoke(&running, &name), set(&[SCRIPT, STOCK]));
    // Who starts them later is no package manager: the image is what can be named.
    let known = "
- list: drop_known_images
  items: [detector-debian]
  override: {items: replace}
- list: known_drop_and_execute_containers
  items: [detector-debian]
  override: {items: replace}
";
    let rules = self::rules(known);
    let tuned = agent(&docker, &rules);
    for command in ["command", "native"] {
        let _ = container.exec(&[&format!("/venv/bin/{name}-{command}")]).ok();
    }
    assert_eq!(spoke(&tuned, &name), set(&[]), "with the image named");
}
