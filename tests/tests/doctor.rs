//! `detector doctor` on this kernel: what it says must be what the kernel does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use detector_tests::case::has_root;
use detector_tests::{BareContainer, process, program_copy};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

detector_tests::depends_on_security_modules!();

/// Every key that programs may rely on, in the order of the output.
const KEYS: [&str; 19] = [
    "main_hook",
    "kernel_release",
    "capabilities",
    "lockdown",
    "kernel_btf",
    "offsets",
    "overlay",
    "ring_buffer",
    "raw_tracepoint",
    "lsm_list",
    "bpf_lsm",
    "fentry",
    "kprobe",
    "bpffs",
    "cgroups",
    "pid_namespace",
    "runtime_sockets",
    "selftest",
    "rules",
];

/// What `doctor --json` said.
struct Said {
    code: i32,
    can_run: bool,
    checks: BTreeMap<String, Value>,
    features: BTreeMap<String, Value>,
    containers: Vec<Value>,
}

impl Said {
    #[track_caller]
    fn status(&self, key: &str) -> &str {
        self.checks[key]["status"].as_str().expect("a word")
    }

    #[track_caller]
    fn text(&self, key: &str) -> String {
        ["fact", "consequence", "remedy"]
            .map(|part| self.checks[key][part].as_str().expect("a text"))
            .join("; ")
    }
}

/// Runs the doctor after `prepare` has run in its process.
#[track_caller]
fn doctor(prepare: fn() -> io::Result<()>) -> Said {
    let (_folder, program) = program_copy::agent_for_everyone();
    let mut command = Command::new(&program);
    command.args(["doctor", "--json"]);
    // SAFETY: what the cases do there are system calls, which touch no memory of the parent.
    unsafe { command.pre_exec(prepare) };
    let finished = process::run(command);
    let all: Value =
        serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"));
    let by = |list: &str, key: &str| -> Vec<(String, Value)> {
        let entries = all[list].as_array().expect("a list");
        entries.iter().map(|entry| (entry[key].as_str().expect("a name").to_owned(), entry.clone())).collect()
    };
    let checks = by("checks", "key");
    let keys: Vec<&str> = checks.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, KEYS);
    Said {
        code: finished.code(),
        can_run: all["can_run"].as_bool().expect("yes or no"),
        checks: checks.into_iter().collect(),
        features: by("features", "name").into_iter().collect(),
        containers: all["containers"].as_array().expect("a list").clone(),
    }
}

#[test]
fn with_root_the_main_hook_is_armed_and_the_facts_are_the_kernels() {
    if !has_root("with_root_the_main_hook_is_armed_and_the_facts_are_the_kernels") {
        return;
    }
    let said = doctor(|| Ok(()));
    assert_eq!((said.code, said.can_run), (0, true), "{:?}", said.checks);
    for key in ["main_hook", "ring_buffer", "raw_tracepoint", "kernel_btf", "offsets", "selftest", "rules"] {
        assert_eq!(said.status(key), "ok", "{key}: {}", said.text(key));
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("the release");
    assert!(said.text("kernel_release").contains(release.trim()), "{}", said.text("kernel_release"));

    assert_eq!(said.features["exec"]["hook"], "raw tracepoint");
    for name in ["script", "exec_map", "dropper"] {
        let (lsm, fentry) = (said.status("bpf_lsm") == "ok", said.status("fentry") == "ok");
        let hook = &said.features[name]["hook"];
        let expected = if lsm {
            "BPF LSM".into()
        } else if fentry {
            "fentry".into()
        } else {
            Value::Null
        };
        assert_eq!(*hook, expected, "{name}: {}", said.features[name]["reason"]);
    }

    // A kprobe works only where the kernel has them.
    let kprobes = fs::exists("/sys/bus/event_source/devices/kprobe").expect("sysfs");
    assert_eq!(said.status("kprobe") == "ok", kprobes, "{}", said.text("kprobe"));
}

/// Whether the kernel lists `bpf` among its active security modules, if it tells.
fn bpf_is_listed() -> Option<bool> {
    let list = fs::read_to_string("/sys/kernel/security/lsm").ok()?;
    Some(list.split(',').any(|name| name.trim() == "bpf"))
}

/// Where `bpf` is no active security module an LSM program loads and attaches all the same, and the kernel never runs
/// it: no feature may live on it. Where it is one, the program was seen running. `fentry` tells whether this kernel takes
/// such programs at all; the development machines' does not.
#[test]
fn an_lsm_program_counts_where_the_kernel_runs_it_and_nowhere_else() {
    if !has_root("an_lsm_program_counts_where_the_kernel_runs_it_and_nowhere_else") {
        return;
    }
    let said = doctor(|| Ok(()));
    let Some(listed) = bpf_is_listed() else {
        assert_eq!(said.status("lsm_list"), "unknown", "{}", said.text("lsm_list"));
        return;
    };
    let takes_programs = said.status("fentry") == "ok";
    assert_eq!(said.status("bpf_lsm") == "ok", listed && takes_programs, "{}", said.text("bpf_lsm"));
    if !listed {
        assert_eq!(said.status("lsm_list"), "limited", "{}", said.text("lsm_list"));
        assert!(said.text("lsm_list").contains(",bpf`"), "{}", said.text("lsm_list"));
        assert!(said.text("bpf_lsm").contains("not among the active LSMs"), "{}", said.text("bpf_lsm"));
    }
    // A feature whose best hook is the LSM's takes that one where it runs, and else the next.
    let expected = match (said.status("bpf_lsm"), said.status("fentry")) {
        ("ok", _) => "BPF LSM",
        (_, "ok") => "fentry",
        _ => return,
    };
    for name in ["script", "exec_map", "dropper"] {
        let feature = &said.features[name];
        assert_eq!(feature["hook"], expected, "{name}: {feature}");
    }
}

/// Without the list it is found out by trying: the program must be seen running, as attaching proves nothing.
#[test]
fn an_lsm_program_that_attaches_and_never_runs_is_found_out() {
    if !has_root("an_lsm_program_that_attaches_and_never_runs_is_found_out") {
        return;
    }
    let Some(listed) = bpf_is_listed() else { return };
    let said = doctor(|| {
        let none = None::<&str>;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        Ok(mount(Some("none"), "/sys/kernel/security", Some("tmpfs"), MsFlags::empty(), none)?)
    });
    assert_eq!(said.status("lsm_list"), "unknown", "{}", said.text("lsm_list"));
    if said.status("fentry") != "ok" {
        assert_eq!(said.status("bpf_lsm"), "limited", "{}", said.text("bpf_lsm"));
    } else if listed {
        assert_eq!(said.status("bpf_lsm"), "ok", "{}", said.text("bpf_lsm"));
    } else {
        assert_eq!(said.status("bpf_lsm"), "limited");
        let text = said.text("bpf_lsm");
        assert!(text.contains("loads and attaches, but the kernel never runs it"), "{text}");
    }
}

#[test]
fn without_root_it_works_and_says_what_is_missing() {
    if !has_root("without_root_it_works_and_says_what_is_missing") {
        return;
    }
    let said = doctor(|| {
        nix::unistd::setgroups(&[])?;
        nix::unistd::setgid(65534.into())?;
        Ok(nix::unistd::setuid(65534.into())?)
    });
    assert_eq!((said.code, said.can_run), (1, false));
    assert_eq!(said.status("main_hook"), "missing");
    assert_eq!(said.status("capabilities"), "missing");
    assert!(said.text("capabilities").contains("uid 65534 with none"), "{}", said.text("capabilities"));
    assert!(said.text("capabilities").contains("run it as root"), "{}", said.text("capabilities"));
    assert_eq!(said.features["exec"]["hook"], Value::Null);
    assert_eq!(said.status("selftest"), "limited", "{}", said.text("selftest"));
    assert!(said.text("selftest").contains("needs CAP_SYS_ADMIN"), "{}", said.text("selftest"));
    assert_eq!(said.status("rules"), "ok", "rules do not need root: {}", said.text("rules"));
}

#[test]
fn a_kernel_without_btf_is_told_apart_from_missing_rights() {
    if !has_root("a_kernel_without_btf_is_told_apart_from_missing_rights") {
        return;
    }
    let said = doctor(|| {
        let none = None::<&str>;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        Ok(mount(Some("none"), "/sys/kernel/btf", Some("tmpfs"), MsFlags::empty(), none)?)
    });
    assert_eq!((said.code, said.can_run), (1, false));
    assert_eq!(said.status("kernel_btf"), "missing");
    assert!(said.text("kernel_btf").contains("CONFIG_DEBUG_INFO_BTF"), "{}", said.text("kernel_btf"));
    assert_eq!(said.status("raw_tracepoint"), "ok", "needs no BTF: {}", said.text("raw_tracepoint"));
    assert_eq!(said.status("fentry"), "unknown", "was not tried: {}", said.text("fentry"));
}

#[test]
fn what_would_be_missed_is_told_of_each_running_container() {
    if !has_root("what_would_be_missed_is_told_of_each_running_container") {
        return;
    }
    let container = BareContainer::new();
    let ready = container.upper().join("ready");
    let said = std::thread::scope(|scope| {
        let life = scope.spawn(|| container.sh("echo > /ready; sleep 60"));
        while !ready.exists() && !life.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let said = doctor(|| Ok(()));
        container.kill();
        let _ = life.join();
        said
    });
    let found = said.containers.iter().find(|one| one["id"] == container.id());
    let found = found.unwrap_or_else(|| panic!("no {} in {:#?}", container.id(), said.containers));
    assert_eq!((&found["root"], &found["covered"]), (&"overlay".into(), &"yes".into()), "{found}");
    // What no hook sees here is what would be missed.
    let missing = said.features.values().filter(|feature| feature["hook"].is_null()).count();
    assert_eq!(found["missed"].as_array().map(Vec::len), Some(missing), "{found}");
}
