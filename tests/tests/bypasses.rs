//! The known ways around "a dropped file is executed", each done in a real container, with the rule that must see it. The
//! table is the one of docs/detection.md: a test holds both together.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use detector_tests::case::has_root;
use detector_tests::image_tree::TOOL;
use detector_tests::not_run::{Reason, not_run};
use detector_tests::{Agent, BareContainer, marker, program_copy};

detector_tests::oldest_and_newest_kernel!("it is about rules for what other suites show");

const STOCK: &str = "Drop and execute new binary in container";
const SCRIPT: &str = "Dropped script executed in container";
const ARGUMENT: &str = "Dropped script run by interpreter in container";
const PIPED: &str = "Program piped into interpreter in container";
const MEMORY: &str = "Execution from memory in container";
const TMPFS: &str = "Execution from tmpfs in container";
const VOLUME: &str = "Execution from a volume in container";
const FOREIGN: &str = "Execution from a foreign overlay in container";
const IDENTICAL: &str = "Image file executed after its metadata changed";

/// Switches on what is off because it costs records.
const ALL_ON: &str = "
- rule: Dropped script run by interpreter in container
  enabled: true
  override: {enabled: replace}
- rule: Program piped into interpreter in container
  enabled: true
  override: {enabled: replace}
";

/// What becomes of a bypass.
enum Verdict {
    /// These things are done, and this rule speaks about each.
    Caught(&'static [(&'static str, &'static str)]),
    /// Another test shows it.
    CaughtElsewhere,
    OutOfScope,
}
use Verdict::{Caught, CaughtElsewhere, OutOfScope};

impl Verdict {
    const fn word(&self) -> &'static str {
        match self {
            Caught(_) | CaughtElsewhere => "caught",
            OutOfScope => "out of scope",
        }
    }
}

/// A script is on disk and its name is `$N`; programs of the image: a shell, busybox, the probe.
const WRITE_SCRIPT: &str = "printf '#!/bin/sh\\n: $0\\n' > /tmp/$N; chmod 755 /tmp/$N;";

const TABLE: [Verdict; 17] = [
    // 1: an interpreter is told to run it
    Caught(&[
        ("printf ': x\\n' > /tmp/$N; sh /tmp/$N", ARGUMENT),
        ("printf ': x\\n' > /tmp/$N; cd /tmp; sh -e ./$N", ARGUMENT),
        ("printf ': x\\n' > /tmp/$N; sh -s $N < /tmp/$N", ARGUMENT),
        ("printf ': x\\n' | sh -s $N", PIPED),
    ]),
    // 2: a dropped script
    Caught(&[("SCRIPT /tmp/$N", SCRIPT), ("SCRIPT cd /tmp; ./$N", SCRIPT)]),
    // 3 and 4: mapped by a dynamic loader
    CaughtElsewhere,
    CaughtElsewhere,
    // 5: memfd
    Caught(&[("cp /bin/probe /tmp/$N; probe memfd /tmp/$N > /dev/null", MEMORY)]),
    // 6: the memory of a running process
    OutOfScope,
    // 7: other file systems
    Caught(&[
        ("mkdir /$N; busybox mount -t tmpfs none /$N; cp /bin/probe /$N/x; /$N/x exit", TMPFS),
        ("mkdir /$N; busybox mount -t ramfs none /$N; cp /bin/probe /$N/x; /$N/x exit", VOLUME),
    ]),
    // 8: an overlay of the attacker's own, with the payload in its lower layer
    Caught(&[("FOREIGN /$N/m/x exit", FOREIGN)]),
    // 9: the same behind chroot
    Caught(&[("FOREIGN busybox chroot /$N/m /x exit $N", FOREIGN)]),
    // 10: a copy of a program of the image
    Caught(&[("cp /bin/probe /tmp/$N; /tmp/$N exit", STOCK)]),
    // 11: a program of the image, overwritten in place
    Caught(&[("cat /bin/probe > TOOL; echo x >> TOOL; TOOL exit $N", STOCK)]),
    // 12: without a name
    Caught(&[("cp /bin/probe /tmp/$N; probe unlink-then-exec /tmp/$N > /dev/null", STOCK)]),
    // 13: written in other ways than by write(2): the verdict is the inode's
    Caught(&[("busybox dd if=/bin/probe of=/tmp/$N 2>/dev/null; chmod 755 /tmp/$N; /tmp/$N exit", STOCK)]),
    // 14: arguments changed behind the kernel's back
    CaughtElsewhere,
    // 15: a handler of binfmt_misc
    CaughtElsewhere,
    // 16: in another cgroup
    CaughtElsewhere,
    // 17: a process of the host enters the container
    CaughtElsewhere,
];

/// An agent with our rules before the stock one, and everything on.
fn agent(folder: &Path) -> Agent {
    let files = [
        ("1.yaml", include_str!("../../detector/rules/detector_rules.yaml")),
        ("2.yaml", ALL_ON),
        ("3.yaml", include_str!("../../detector/rules/falco_rules.yaml")),
    ];
    for (name, text) in files {
        if let Err(error) = fs::write(folder.join(name), text) {
            panic!("cannot write {name}: {error}");
        }
    }
    Agent::start_with(&[OsStr::new("-r"), folder.as_os_str()])
}

/// A container whose life ends when this is dropped.
struct Killed<'container>(&'container BareContainer);

impl Drop for Killed<'_> {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// Does these things in one container and waits for the alert about each.
fn check(deeds: &[(&str, &str)], container: &BareContainer) {
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => panic!("cannot make a temporary folder: {error}"),
    };
    let agent = agent(folder.path());
    let base = marker("way");
    let foreign = "mkdir /$N; busybox mount -t tmpfs none /$N; mkdir /$N/l /$N/u /$N/w /$N/m; \
        cp /bin/busybox /$N/l/busybox; cp /bin/probe /$N/l/x; \
        busybox mount -t overlay -o lowerdir=/$N/l,upperdir=/$N/u,workdir=/$N/w none /$N/m;";
    let mut script = String::new();
    for (index, (deed, _)) in deeds.iter().enumerate() {
        let tool = format!("/usr/bin/{base}-tool-{index}-");
        program_copy::copy(
            &container.lower().join(TOOL.trim_start_matches('/')),
            &container.lower().join(tool.trim_start_matches('/')),
        );
        let deed = deed.replace("SCRIPT", WRITE_SCRIPT).replace("FOREIGN", foreign).replace("TOOL", &tool);
        let _ = writeln!(script, "(N={base}-{index}-; {deed})");
    }
    // Scripts are looked up after they ran, by a process of the container that still lives.
    script.push_str("sleep 1000");
    std::thread::scope(|scope| {
        scope.spawn(|| container.sh(&script));
        let end = Killed(container);
        for (index, (deed, rule)) in deeds.iter().enumerate() {
            let name = format!("{base}-{index}-");
            let about = |alert: &detector_tests::Alert| {
                let memfd = *rule == MEMORY && alert.text("proc.exepath").starts_with("memfd:");
                (alert.mentions(&name) || memfd || alert.line.contains(&format!("tool-{index}-")))
                    && alert.part_text("rule") == *rule
            };
            let _ = agent.expect_alert(&format!("`{rule}` about `{deed}`"), about);
        }
        drop(end);
    });
    agent.stop();
}

#[test]
fn each_bypass_that_is_caught() {
    if !has_root("each_bypass_that_is_caught") {
        return;
    }
    let deeds: Vec<(&str, &str)> = TABLE
        .iter()
        .flat_map(|verdict| match verdict {
            Caught(deeds) => deeds.to_vec(),
            _ => Vec::new(),
        })
        .collect();
    check(&deeds, &BareContainer::new());
}

#[test]
fn files_of_the_image_that_were_only_touched_are_told_from_drops() {
    if !has_root("files_of_the_image_that_were_only_touched_are_told_from_drops") {
        return;
    }
    check(
        &[
            ("chmod 700 TOOL; TOOL exit $N", IDENTICAL),
            ("chown 1000 TOOL; TOOL exit $N", IDENTICAL),
            ("touch TOOL; TOOL exit $N", IDENTICAL),
            ("cp TOOL /tmp/copy-$N; cp /tmp/copy-$N TOOL; TOOL exit $N", IDENTICAL),
            ("echo x >> TOOL; TOOL exit $N", STOCK),
        ],
        &BareContainer::new(),
    );
}

/// 1: whatever user space takes for an interpreter the kernel side must send.
#[test]
fn interpreters_by_all_their_names() {
    const NAMES: &str = "ash bash dash java ksh lua5.4 luajit mksh node nodejs perl5.36 php8.2 pypy3 python3.11 rbash \
                         ruby3.1 sh toybox zsh";
    if !has_root("interpreters_by_all_their_names") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let agent = agent(folder.path());
    let container = BareContainer::new();
    let base = marker("by-name");
    let mut script = format!("printf ': x\\n' > /tmp/{base}; ");
    for name in NAMES.split_whitespace() {
        fs::create_dir_all(container.lower().join("opt")).expect("a folder of the image");
        program_copy::copy(&container.lower().join("bin/probe"), &container.lower().join("opt").join(name));
        let before = match name {
            "java" => "-jar ",
            "toybox" => "sh ",
            _ => "",
        };
        let _ = write!(script, "/opt/{name} {before}/tmp/{base} > /dev/null; ");
    }
    script.push_str("/bin/sleep 2; :");
    let _ = container.sh(&script).ok();
    for name in NAMES.split_whitespace() {
        let path = format!("/opt/{name}");
        let _ = agent.expect_alert(name, |alert| {
            alert.part_text("rule") == ARGUMENT && alert.text("proc.exepath") == path && alert.mentions(&base)
        });
    }
    agent.stop();
}

/// What an earlier life of the container has changed lies in its upper layer from the beginning.
#[test]
fn a_file_that_was_copied_up_before_a_restart_is_still_the_images() {
    if !has_root("a_file_that_was_copied_up_before_a_restart_is_still_the_images") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let agent = agent(folder.path());
    let (container, name) = (BareContainer::new(), marker("restart"));
    let _ = container.sh(&format!("chmod 700 {TOOL}; cp /bin/probe /tmp/{name}")).ok();
    let _ = container.sh(&format!("{TOOL} exit {name}; /tmp/{name} exit; /bin/sleep 2; :")).ok();
    let rule_about = |path: &str| {
        let alert =
            agent.expect_alert(path, |alert| alert.text("proc.exepath") == path && alert.mentions(&name));
        alert.part_text("rule").to_owned()
    };
    assert_eq!(rule_about(TOOL), IDENTICAL);
    assert_eq!(rule_about(&format!("/tmp/{name}")), STOCK);
    agent.stop();
}

/// 15: the handler is what runs, as the interpreter of a script is. The handlers are the kernel's, so this one is of a
/// name that nothing else has, and is taken away again.
#[test]
fn a_handler_of_binfmt_misc_is_told_as_a_script() {
    const CASE: &str = "a_handler_of_binfmt_misc_is_told_as_a_script";
    if !has_root(CASE) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let agent = agent(folder.path());
    let container = BareContainer::new();
    let name = marker("bf");
    let finished = container.sh(&format!(
        "mkdir /m; busybox mount -t binfmt_misc none /m || exit 33\n\
         echo ':{name}:E::{name}::/bin/sh:' > /m/register\n\
         printf ': x\\n' > /tmp/f.{name}; chmod 755 /tmp/f.{name}; /tmp/f.{name}; echo -1 > /m/{name}; sleep 2"
    ));
    if finished.code() == 33 {
        not_run(CASE, Reason::Unobtainable, "no binfmt_misc in this kernel");
        return;
    }
    let alert = agent
        .expect_alert("the handled file", |alert| alert.part_text("rule") == SCRIPT && alert.mentions(&name));
    assert_eq!(alert.text("drop.script.path"), format!("/tmp/f.{name}"), "in {alert}");
    agent.stop();
}

/// `| NUMBER | what | verdict | how |`
#[test]
fn the_documentation_has_the_same_table() {
    let text = include_str!("../../docs/detection.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| ") && line[2..].starts_with(|digit: char| digit.is_ascii_digit()))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), TABLE.len(), "rows of docs/detection.md");
    for ((number, verdict), row) in (1..).zip(&TABLE).zip(&rows) {
        assert_eq!(row[0], number.to_string(), "{row:?}");
        assert_eq!(row[2], verdict.word(), "{row:?}");
        if let Caught(deeds) = verdict {
            for (_, rule) in *deeds {
                assert!(row[3].contains(rule), "`{rule}` is not named in {row:?}");
            }
        }
    }
}
