//! From facts to findings: pure, so that hosts which nobody has at hand can be tested.

use crate::{
    kernel::attach_plan::Probe,
    preflight::{Cgroups, Facts, Lockdown},
};

/// How a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As it should be.
    Ok,
    /// The agent does with less.
    Limited,
    /// The agent needs it and does not have it.
    Missing,
    /// Could not be seen.
    Unknown,
}

impl Status {
    /// The word that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Name that programs can rely on.
    pub key: &'static str,
    /// How it is to be taken.
    pub status: Status,
    /// What was found.
    pub fact: String,
    /// What follows; empty where all is well.
    pub consequence: String,
    /// What would enable it; empty where nothing has to be done.
    pub remedy: String,
}

impl Check {
    fn new(key: &'static str, status: Status, fact: impl Into<String>) -> Self {
        Self { key, status, fact: fact.into(), consequence: String::new(), remedy: String::new() }
    }

    fn so(mut self, consequence: impl Into<String>) -> Self {
        self.consequence = consequence.into();
        self
    }

    fn enabled_by(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

/// All findings, in the order in which a person would ask: first whether it runs, then why not, then the rest.
#[must_use]
pub fn checks(facts: &Facts, selftest: &Result<(), String>, filter: &Result<String, String>) -> Vec<Check> {
    let hooks = &facts.hooks;
    vec![
        main_hook(facts),
        match &facts.kernel_release {
            Some(release) => Check::new("kernel_release", Status::Ok, format!("Linux {release}")),
            None => Check::new("kernel_release", Status::Unknown, "/proc/sys/kernel/osrelease is unreadable")
                .enabled_by("mount /proc"),
        },
        capabilities(facts),
        lockdown(facts.lockdown),
        kernel_btf(facts),
        offsets(facts),
        overlay(facts),
        probe("ring_buffer", "a ring buffer", &hooks.ring_buffer, Status::Missing)
            .enabled_by_if_bad("Linux 5.8 or later with CONFIG_BPF_SYSCALL=y, and CAP_BPF"),
        probe("raw_tracepoint", "a raw tracepoint program", &hooks.raw_tracepoint, Status::Missing)
            .enabled_by_if_bad("CONFIG_BPF_EVENTS=y, CAP_BPF and CAP_PERFMON"),
        lsm_list(facts),
        probe("bpf_lsm", "a BPF LSM program", &hooks.lsm, Status::Limited)
            .enabled_by_if_bad("CONFIG_BPF_LSM=y and `bpf` added to the `lsm=` boot parameter"),
        probe("fentry", "a function entry program", &hooks.fentry, Status::Limited)
            .enabled_by_if_bad("CONFIG_DEBUG_INFO_BTF=y, CONFIG_FUNCTION_TRACER=y with direct calls"),
        probe("kprobe", "a kprobe program", &hooks.kprobe, Status::Limited)
            .enabled_by_if_bad("CONFIG_KPROBES=y, CONFIG_KPROBE_EVENTS=y and CONFIG_BPF_EVENTS=y"),
        bpffs(facts.bpffs),
        cgroups(facts.cgroups),
        pid_namespace(facts.host_pid_namespace),
        runtimes(&facts.runtime_sockets),
        self_test(selftest),
        rules(filter),
    ]
}

fn main_hook(facts: &Facts) -> Check {
    const KEY: &str = "main_hook";
    match &facts.armed {
        Ok(()) => Check::new(KEY, Status::Ok, "the agent's hook was armed and disarmed again"),
        // The reason tells the remedy as well.
        Err(reason) => {
            Check::new(KEY, Status::Missing, reason).so("the agent does not start; the lines below tell more")
        }
    }
}

fn capabilities(facts: &Facts) -> Check {
    const KEY: &str = "capabilities";
    let Some(set) = facts.capabilities else {
        return Check::new(KEY, Status::Unknown, "/proc/self/status does not tell").enabled_by("mount /proc");
    };
    let user = if facts.euid == 0 { "root".to_owned() } else { format!("uid {}", facts.euid) };
    let present = set.names(true);
    let fact =
        format!("{user} with {}", if present.is_empty() { "none".to_owned() } else { present.join(", ") });
    if !set.allows_tracing() {
        return Check::new(KEY, Status::Missing, fact).so("the kernel refuses to load the hooks").enabled_by(
            if facts.euid == 0 {
                "give the container or unit CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE"
            } else {
                "run it as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE"
            },
        );
    }
    // What the others are for CAP_SYS_ADMIN covers, but for looking into processes of other users.
    if set.has("CAP_SYS_PTRACE") {
        return Check::new(KEY, Status::Ok, fact);
    }
    Check::new(KEY, Status::Limited, fact)
        .so("/proc does not show other users' processes, which runtime metadata is looked up from")
        .enabled_by("add CAP_SYS_PTRACE")
}

fn lockdown(mode: Option<Lockdown>) -> Check {
    const KEY: &str = "lockdown";
    match mode {
        None => Check::new(KEY, Status::Unknown, "/sys/kernel/security/lockdown cannot be read")
            .so("either the kernel has no lockdown, or securityfs is not mounted; the probes below decide"),
        Some(mode @ Lockdown::Confidentiality) => Check::new(KEY, Status::Missing, mode.name())
            .so("eBPF programs may not read kernel memory")
            .enabled_by("boot with `lockdown=integrity`, or without `lockdown=`"),
        Some(mode) => Check::new(KEY, Status::Ok, mode.name()),
    }
}

fn kernel_btf(facts: &Facts) -> Check {
    const KEY: &str = "kernel_btf";
    match &facts.kernel_btf {
        Ok(()) => Check::new(KEY, Status::Ok, "the kernel describes its types"),
        Err(reason) => {
            Check::new(KEY, Status::Missing, reason).so("the hooks cannot be told where fields lie")
        }
    }
}

fn offsets(facts: &Facts) -> Check {
    const KEY: &str = "offsets";
    match &facts.offsets {
        Ok(absent) if absent.is_empty() => Check::new(KEY, Status::Ok, "every kernel field was found"),
        Ok(absent) => Check::new(KEY, Status::Ok, format!("not on this kernel: {}", absent.join("; ")))
            .so("fields made of these are empty; most are other kernels' names or switched off here"),
        Err(reason) => Check::new(KEY, Status::Missing, reason).so("an exec could not be judged"),
    }
}

fn overlay(facts: &Facts) -> Check {
    const KEY: &str = "overlay";
    let btf = if facts.overlay_btf { ", as a module with BTF" } else { "" };
    match facts.overlay {
        Some(true) => Check::new(KEY, Status::Ok, format!("the kernel knows overlay{btf}")),
        Some(false) => Check::new(KEY, Status::Ok, "the overlay module is not loaded")
            .so("no overlay is mounted now; the hooks need nothing of it when it is loaded later"),
        None => {
            Check::new(KEY, Status::Unknown, "/proc/filesystems cannot be read").enabled_by("mount /proc")
        }
    }
}

fn lsm_list(facts: &Facts) -> Check {
    const KEY: &str = "lsm_list";
    match &facts.lsm {
        None => Check::new(KEY, Status::Unknown, "/sys/kernel/security/lsm cannot be read")
            .enabled_by("mount securityfs: mount -t securityfs none /sys/kernel/security"),
        Some(names) if names.iter().any(|name| name == "bpf") => Check::new(KEY, Status::Ok, names.join(",")),
        Some(names) => Check::new(KEY, Status::Limited, names.join(","))
            .so("the kernel never calls BPF LSM programs; the main hook does not need them")
            .enabled_by(format!("boot with `lsm={},bpf`", names.join(","))),
    }
}

fn probe(key: &'static str, what: &str, probe: &Probe, bad: Status) -> Check {
    let check = match probe {
        Probe::Works => Check::new(key, Status::Ok, format!("{what} was made, and works")),
        Probe::Fails(reason) => Check::new(key, bad, reason.as_str()),
        Probe::NotTried(_) => Check::new(key, Status::Unknown, probe.reason()),
    };
    match check.status {
        Status::Missing => check.so("the agent cannot run"),
        Status::Limited => check.so("features that could live on it need another hook"),
        Status::Ok | Status::Unknown => check,
    }
}

impl Check {
    fn enabled_by_if_bad(self, remedy: &str) -> Self {
        if self.status == Status::Ok { self } else { self.enabled_by(remedy) }
    }
}

fn bpffs(mounted: Option<bool>) -> Check {
    const KEY: &str = "bpffs";
    match mounted {
        Some(true) => Check::new(KEY, Status::Ok, "mounted at /sys/fs/bpf"),
        Some(false) => Check::new(KEY, Status::Ok, "not mounted").so("nothing: the agent pins no objects"),
        None => Check::new(KEY, Status::Unknown, "/proc/self/mountinfo cannot be read"),
    }
}

fn cgroups(found: Option<Cgroups>) -> Check {
    const KEY: &str = "cgroups";
    match found {
        Some(found @ Cgroups::None) => Check::new(KEY, Status::Limited, found.name())
            .so("containers cannot be told by their cgroup")
            .enabled_by("mount cgroup2 at /sys/fs/cgroup"),
        Some(found) => Check::new(KEY, Status::Ok, found.name()),
        None => Check::new(KEY, Status::Unknown, "/proc/self/mountinfo cannot be read"),
    }
}

fn pid_namespace(host: Option<bool>) -> Check {
    const KEY: &str = "pid_namespace";
    match host {
        Some(true) => Check::new(KEY, Status::Ok, "this process lives in the host's"),
        Some(false) => Check::new(KEY, Status::Limited, "this process lives in another than the host's")
            .so("process ids of records do not match those in /proc, so looking processes up finds nothing")
            .enabled_by("run the container with the host's: `--pid=host`, `hostPID: true`"),
        None => {
            Check::new(KEY, Status::Unknown, "/proc/self/ns/pid cannot be read").enabled_by("mount /proc")
        }
    }
}

fn runtimes(sockets: &[String]) -> Check {
    const KEY: &str = "runtime_sockets";
    if sockets.is_empty() {
        return Check::new(KEY, Status::Ok, "none in the usual places").so(
            "none runs here, or the agent's container does not see them; verdicts do not depend on them",
        );
    }
    Check::new(KEY, Status::Ok, sockets.join(", "))
}

fn self_test(started: &Result<(), String>) -> Check {
    const KEY: &str = "selftest";
    match started {
        Ok(()) => Check::new(KEY, Status::Ok, "an agent with these rights can test itself"),
        Err(reason) => Check::new(KEY, Status::Limited, reason)
            .so("an agent with these rights sees as well, and cannot prove it while it runs")
            .enabled_by("run `detector selftest` as root from time to time, or give the agent CAP_SYS_ADMIN"),
    }
}

fn rules(filter: &Result<String, String>) -> Check {
    const KEY: &str = "rules";
    match filter {
        Ok(filter) => Check::new(KEY, Status::Ok, format!("the kernel sends: {filter}")),
        Err(reason) => Check::new(KEY, Status::Missing, reason)
            .so("the agent does not start with these rules")
            .enabled_by("correct the rule files; `detector -V FILE` checks one"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, Status, checks};
    use crate::{
        kernel::attach_plan::{HookFacts, Probe},
        preflight::{CapabilitySet, Cgroups, Facts, Lockdown},
    };

    fn healthy() -> Facts {
        Facts {
            kernel_release: Some("6.1.0".to_owned()),
            euid: 0,
            capabilities: Some(CapabilitySet(u64::MAX)),
            kernel_btf: Ok(()),
            offsets: Ok(Vec::new()),
            lockdown: Some(Lockdown::None),
            lsm: Some(vec!["capability".to_owned(), "bpf".to_owned()]),
            bpffs: Some(true),
            cgroups: Some(Cgroups::V2),
            overlay: Some(true),
            overlay_btf: true,
            host_pid_namespace: Some(true),
            runtime_sockets: vec!["/run/docker.sock".to_owned()],
            hooks: HookFacts {
                ring_buffer: Probe::Works,
                raw_tracepoint: Probe::Works,
                lsm: Probe::Works,
                fentry: Probe::Works,
                kprobe: Probe::Works,
            },
            armed: Ok(()),
        }
    }

    fn found(change: impl FnOnce(&mut Facts)) -> Vec<Check> {
        let mut facts = healthy();
        change(&mut facts);
        checks(&facts, &Ok(()), &Ok("everything".to_owned()))
    }

    #[test]
    fn a_healthy_host_is_ok_throughout_and_needs_nothing() {
        for check in found(|_| ()) {
            assert_eq!((check.status, check.remedy.as_str()), (Status::Ok, ""), "{check:?}");
        }
    }

    #[test]
    fn each_shortcoming_is_one_line_of_its_own() {
        type Change = fn(&mut Facts);
        let table: [(&str, Change, Status, &str); 12] = [
            ("main_hook", |facts| facts.armed = Err("no".to_owned()), Status::Missing, ""),
            ("capabilities", |facts| facts.capabilities = Some(CapabilitySet(0)), Status::Missing, "CAP_BPF"),
            (
                "capabilities",
                |facts| facts.capabilities = Some(CapabilitySet(1 << 38 | 1 << 39)),
                Status::Limited,
                "CAP_SYS_PTRACE",
            ),
            ("capabilities", |facts| facts.capabilities = None, Status::Unknown, "/proc"),
            (
                "lockdown",
                |facts| facts.lockdown = Some(Lockdown::Confidentiality),
                Status::Missing,
                "lockdown=integrity",
            ),
            ("lsm_list", |facts| facts.lsm = Some(vec!["a".to_owned()]), Status::Limited, "lsm=a,bpf"),
            ("lsm_list", |facts| facts.lsm = None, Status::Unknown, "securityfs"),
            (
                "bpf_lsm",
                |facts| facts.hooks.lsm = Probe::Fails("never runs".to_owned()),
                Status::Limited,
                "lsm=",
            ),
            (
                "ring_buffer",
                |facts| facts.hooks.ring_buffer = Probe::Fails("no".to_owned()),
                Status::Missing,
                "5.8",
            ),
            (
                "fentry",
                |facts| facts.hooks.fentry = Probe::NotTried("no BTF".to_owned()),
                Status::Unknown,
                "BTF",
            ),
            ("cgroups", |facts| facts.cgroups = Some(Cgroups::None), Status::Limited, "cgroup2"),
            ("pid_namespace", |facts| facts.host_pid_namespace = Some(false), Status::Limited, "hostPID"),
        ];
        for (key, change, status, remedy) in table {
            let found = found(change);
            let bad: Vec<&Check> = found.iter().filter(|check| check.status != Status::Ok).collect();
            assert_eq!(bad.len(), 1, "{key}: {bad:?}");
            assert_eq!((bad[0].key, bad[0].status), (key, status));
            assert!(bad[0].remedy.contains(remedy), "{:?}", bad[0]);
        }
    }

    #[test]
    fn an_agent_that_cannot_test_itself_is_limited_and_no_more() {
        let reason = "cannot test itself: needs CAP_SYS_ADMIN".to_owned();
        let found = checks(&healthy(), &Err(reason.clone()), &Ok("everything".to_owned()));
        let bad: Vec<&Check> = found.iter().filter(|check| check.status != Status::Ok).collect();
        assert_eq!((bad.len(), bad[0].key, bad[0].status), (1, "selftest", Status::Limited));
        assert_eq!(bad[0].fact, reason);
    }

    #[test]
    fn rules_that_do_not_load_are_a_finding() {
        let found = checks(&healthy(), &Ok(()), &Err("bad rule".to_owned()));
        let last = found.last().unwrap();
        assert_eq!((last.key, last.status, last.fact.as_str()), ("rules", Status::Missing, "bad rule"));
    }
}
