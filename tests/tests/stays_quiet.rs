//! What is not a drop of a container must not be called one. Each case proves that its file really ran.

use std::process::Command;

use detector_tests::host_overlay::HostOverlay;
use detector_tests::image_tree::TOOL;
use detector_tests::{BareContainer, Facts, agent_for, helper_binaries, marker, process, program_copy};

#[test]
fn a_file_of_the_image() {
    let Some(agent) = agent_for("a_file_of_the_image") else { return };
    let name = marker("image");
    let facts = Facts::parse(&BareContainer::new().sh(&format!("{TOOL} {name}")).ok());
    assert_eq!((facts.exe.as_str(), facts.arguments_lossy()[1].as_str()), (TOOL, name.as_str()));
    agent.expect_quiet(&name);
}

#[test]
fn a_symlink_to_a_file_of_the_image() {
    let Some(agent) = agent_for("a_symlink_to_a_file_of_the_image") else { return };
    let name = marker("to-image");
    let facts =
        Facts::parse(&BareContainer::new().sh(&format!("ln -s {TOOL} /tmp/{name}; /tmp/{name}")).ok());
    assert_eq!(
        (facts.exe.as_str(), facts.arguments_lossy()[0].as_str()),
        (TOOL, format!("/tmp/{name}").as_str())
    );
    agent.expect_quiet(&name);
}

/// A matter of another rule (fileless execution): a memfd has no upper layer.
#[test]
fn a_memfd() {
    let Some(agent) = agent_for("a_memfd") else { return };
    let container = BareContainer::new();
    for verb in ["memfd", "memfd-by-proc"] {
        // argv[0] is the file that the memfd was filled from, so the name would be in an alert.
        let name = marker(verb);
        let facts =
            Facts::parse(&container.sh(&format!("cp /bin/probe /tmp/{name}; probe {verb} /tmp/{name}")).ok());
        assert_eq!(facts.exe, "/memfd:drop (deleted)");
        assert_eq!(facts.arguments_lossy(), [format!("/tmp/{name}")]);
        agent.expect_quiet(&name);
    }
}

#[test]
fn a_dropped_file_that_is_never_executed() {
    let Some(agent) = agent_for("a_dropped_file_that_is_never_executed") else { return };
    let (container, name) = (BareContainer::new(), marker("unused"));
    let _ = container
        .sh(&format!("cp /bin/probe /tmp/{name}; chmod 755 /tmp/{name}; cat /tmp/{name} > /dev/null"))
        .ok();
    assert!(container.upper().join("tmp").join(&name).is_file());
    agent.expect_quiet(&name);
}

/// The file is there and executable by bits, but the kernel refuses it: nothing of it ran.
#[test]
fn an_exec_that_fails() {
    let Some(agent) = agent_for("an_exec_that_fails") else { return };
    let (container, name) = (BareContainer::new(), marker("refused"));
    // Not by the shell, which would take the file for a script and read it itself.
    let script = format!("printf '\\177ELF' > /tmp/{name}; chmod 755 /tmp/{name}; probe argv0 /tmp/{name} x");
    let finished = container.sh(&script);
    assert!(finished.code() == 1 && finished.stderr.contains("ENOEXEC"), "{finished}");
    agent.expect_quiet(&name);
}

/// Upper layer, but of an overlay on the host, run by the host: no container.
#[test]
fn a_host_process_from_an_overlay() {
    let Some(agent) = agent_for("a_host_process_from_an_overlay") else { return };
    let (overlay, name) = (HostOverlay::mount(), marker("host"));
    let file = overlay.root().join(&name);
    program_copy::copy(&helper_binaries::path("probe"), &file);
    let facts = Facts::parse(&process::run(Command::new(&file)).ok());
    assert_eq!(facts.exe, file.display().to_string());
    drop(overlay);
    agent.expect_quiet(&name);
}
