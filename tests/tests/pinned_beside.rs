//! Hooks beside the main one that outlive the agent: what was written, what is mapped and which script is executed is told
//! across agents. Where the kernel takes no programs at its security checks there are none, and the agent says so; the other
//! kernels (`cargo xtask vm`) show it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use detector_tests::case::has_root;
use detector_tests::not_run::{Reason, not_run};
use detector_tests::process::Patience;
use detector_tests::{Agent, Alert, BareContainer, PinPlace, marker};
use tempfile::TempDir;

detector_tests::depends_on_security_modules!();

const STOCK: &str = "Drop and execute new binary in container";
const SCRIPT: &str = "Dropped script executed in container";
const MAPPED: &str = "Dropped file mapped executable in container";

/// Our rules before the stock one, which is to show who wrote the file, too.
fn rules() -> TempDir {
    const WRITER: &str = "
- rule: Drop and execute new binary in container
  output: by %drop.by.comm %drop.by.where %drop.by.open_flags
  override: {output: append}
";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = [
        ("1.yaml", include_str!("../../detector/rules/detector_rules.yaml")),
        ("2.yaml", include_str!("../../detector/rules/falco_rules.yaml")),
        ("3.yaml", WRITER),
    ];
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("the rules");
    }
    folder
}

fn start(place: &PinPlace, rules: &TempDir, more: &[&str]) -> Agent {
    let mut arguments: Vec<OsString> = place.arguments().into();
    arguments.extend(["-r".into(), rules.path().into()]);
    arguments.extend(more.iter().map(OsString::from));
    Agent::start_with(&arguments.iter().map(OsString::as_os_str).collect::<Vec<&OsStr>>())
}

/// A process of the host. As long as it lives, whoever waits for it in a container waits.
struct Gate(Child);

impl Gate {
    fn closed() -> Self {
        let mut wait = Command::new("sleep");
        Self(wait.arg("1000").stdin(Stdio::null()).spawn().expect("a process to wait for"))
    }

    /// The shell's words for waiting, in a container.
    fn wait(&self) -> String {
        format!("while [ -e /host-proc/{} ]; do sleep 0.1; done", self.0.id())
    }

    fn open(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits until a container has written this file.
#[track_caller]
fn expect_file(path: &Path) {
    let patience = Patience::begin();
    while !path.exists() {
        assert!(patience.left().is_some(), "{} never came", path.display());
        thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Files are dropped while one agent runs and while none does, and executed and mapped when another one runs, started with
/// these arguments. `remembered`: the other takes over what the first knew of writers.
fn across_agents(case: &str, more: &[&str], remembered: bool) {
    if !has_root(case) {
        return;
    }
    let (place, rules) = (PinPlace::new(), rules());
    let first = start(&place, &rules, &[]);
    let log = ["who writes files is", "what is mapped executable is", "the file of each script is"]
        .map(|sight| first.expect_log_line(sight));
    if log.iter().any(|line| line.contains(" is not seen")) {
        first.stop();
        not_run(case, Reason::Unobtainable, "this kernel takes no programs at its security checks");
        return;
    }
    let container = BareContainer::new();
    let [ready, before, between, script, library] =
        ["ready", "before", "between", "script", "library"].map(marker);
    let (gone, there) = (Gate::closed(), Gate::closed());
    let deeds = format!(
        "cp /bin/probe /tmp/{before}; cp /bin/probe /tmp/{library}\n\
         printf '#!/bin/sh\\n: $0\\n' > /tmp/{script}; chmod 755 /tmp/{script}\n\
         cp /bin/probe /tmp/{ready}; /tmp/{ready} exit\n\
         {}\n\
         cp /bin/probe /tmp/{between}; : > /tmp/{between}-written\n\
         {}\n\
         /tmp/{before} exit; /tmp/{between} exit; /tmp/{script}; probe map /tmp/{library} 1; sleep 3",
        gone.wait(),
        there.wait()
    );
    let next = thread::scope(|scope| {
        let life = scope.spawn(|| container.sh(&deeds).ok());
        let _ = first.expect_alert("the first drop", |alert| alert.mentions(&ready));
        first.stop();
        gone.open();
        expect_file(&container.upper().join("tmp").join(format!("{between}-written")));
        let next = start(&place, &rules, more);
        next.expect_log(if remembered { "took over the pinned hooks" } else { "replaced the pinned hooks" });
        there.open();
        assert!(life.join().is_ok(), "the container failed");
        next
    });
    let about = |name: &str, rule: &str| -> Alert {
        let is_it = |alert: &Alert| {
            let fields = alert.part("output_fields");
            let named = ["drop.path", "drop.script.path"]
                .iter()
                .any(|field| fields[*field].as_str().is_some_and(|path| path.contains(name)));
            alert.part_text("rule") == rule && (named || alert.mentions(name))
        };
        next.expect_alert(&format!("`{rule}` about {name}"), is_it)
    };
    for (name, rule, comm) in
        [(&before, STOCK, "cp"), (&between, STOCK, "cp"), (&script, SCRIPT, "sh"), (&library, MAPPED, "cp")]
    {
        let alert = about(name, rule);
        if remembered {
            assert_eq!(alert.text("drop.by.comm"), comm, "in {alert}");
        } else {
            // Hooks of another making remember in another layout.
            assert!(alert.field("drop.by.comm").is_null(), "in {alert}");
        }
        if rule == SCRIPT {
            assert_eq!(alert.text("drop.script.source"), "kernel", "in {alert}");
        }
        if remembered && rule == STOCK {
            assert_eq!(alert.text("drop.by.where"), "same_container", "in {alert}");
        }
    }
    next.stop();
    assert!(next.alerts_about(&ready).is_empty(), "told again");
}

#[test]
fn who_wrote_a_file_before_the_agent_ran_is_told_where_it_takes_the_hooks_over() {
    across_agents("who_wrote_a_file_before_the_agent_ran_is_told_where_it_takes_the_hooks_over", &[], true);
}

/// The debug log of the kernel side makes programs of another making, as another version of the agent would.
#[test]
fn an_agent_of_another_making_sees_scripts_and_mappings_and_knows_no_earlier_writers() {
    across_agents(
        "an_agent_of_another_making_sees_scripts_and_mappings_and_knows_no_earlier_writers",
        &["-o", "kernel_log=true"],
        false,
    );
}
