//! What the guest says on its serial console, understood. The line `VM-EXIT` is the machine's exit status; what QEMU
//! itself returns tells nothing.
use std::collections::BTreeMap;

use super::plan::Plan;

/// What has been seen of one run.
#[derive(Debug, Default)]
pub(super) struct Console {
    /// Seconds after power-on at which the first process ran.
    pub(super) boot: Option<f32>,
    /// `uname -r` as the guest says it.
    pub(super) release: Option<String>,
    /// The active security modules and the lockdown, as the guest says them; `-` where it cannot tell.
    pub(super) security: Option<(String, String)>,
    /// Exit code of the first process, and seconds after power-on.
    pub(super) exit: Option<(i32, f32)>,
    /// The suites that began, by name.
    pub(super) suites: BTreeMap<String, Suite>,
    /// The agent's programs, as the kernel tells.
    pub(super) programs: Vec<Program>,
    /// The agent's own line about its hooks.
    pub(super) hooks: Option<String>,
    /// The kernel's or the first process' own cry.
    pub(super) fault: Option<String>,
    running: Option<String>,
}

/// One loaded program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// The first 15 bytes of its name.
    pub(super) name: String,
    /// Instructions that the verifier processed; kernels before 5.16 do not tell.
    pub(super) verified: Option<u32>,
    /// Bytes of machine code.
    pub(super) machine_code: u32,
}

/// A case that said so itself, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotRun {
    pub(super) case: String,
    /// Whether the outside refuses what it needs.
    pub(super) unobtainable: bool,
    pub(super) reason: String,
}

/// One test program in the guest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Suite {
    /// Whether overlay was there before the agent was.
    pub(super) overlay_before: bool,
    /// Cases that passed.
    pub(super) passed: u32,
    /// Cases that did not run.
    pub(super) not_run: Vec<NotRun>,
    /// Names of the cases that failed.
    pub(super) failed: Vec<String>,
    /// Exit code; none while it runs, or when the machine stopped under it.
    pub(super) code: Option<i32>,
}

impl Console {
    /// Takes in one line.
    pub(super) fn read(&mut self, line: &str) {
        let line = line.trim_end_matches('\r');
        if let Some(rest) = line.strip_prefix("VM-BOOT ") {
            self.boot = field(rest, "up").and_then(|up| up.parse().ok());
            self.release = field(rest, "release").map(str::to_owned);
            self.security = field(rest, "lsm")
                .zip(field(rest, "lockdown"))
                .map(|(lsm, lockdown)| (lsm.into(), lockdown.into()));
        } else if let Some(rest) = line.strip_prefix("VM-EXIT ") {
            let code = field(rest, "rc").and_then(|code| code.parse().ok());
            let up = field(rest, "up").and_then(|up| up.parse().ok()).unwrap_or_default();
            self.exit = code.map(|code| (code, up));
        } else if let Some(rest) = line.strip_prefix("VM-SUITE ") {
            self.suite(rest);
        } else if let Some(rest) = line.strip_prefix("VM-NOT-RUN ") {
            self.not_run(rest);
        } else if let Some(rest) = line.strip_prefix("VM-PROGRAM ") {
            self.programs.extend(program(rest));
        } else if line.starts_with("VM-FAULT ") || is_kernel_fault(line) {
            // The first one is the cause.
            self.fault.get_or_insert_with(|| line.to_owned());
        } else if let Some(at) = line.find("hooks armed: ") {
            let hooks = line[at + "hooks armed: ".len()..].split(", kernel ").next();
            self.hooks = self.hooks.take().or(hooks.map(str::to_owned));
        } else if let Some(rest) = line.strip_prefix("test ") {
            self.case(rest);
        }
    }

    fn suite(&mut self, rest: &str) {
        if let Some(name) = field(rest, "begin") {
            let overlay_before = field(rest, "overlay") != Some("absent");
            self.suites.insert(name.to_owned(), Suite { overlay_before, ..Suite::default() });
            self.running = Some(name.to_owned());
        } else if let Some(name) = field(rest, "end")
            && let Some(suite) = self.suites.get_mut(name)
        {
            suite.code = field(rest, "code").and_then(|code| code.parse().ok());
            self.running = None;
        }
    }

    /// `case<TAB>class<TAB>reason`; the test program has counted the case as passed.
    fn not_run(&mut self, rest: &str) {
        let Some(suite) = self.running.as_ref().and_then(|name| self.suites.get_mut(name)) else { return };
        let mut words = rest.splitn(3, '\t').map(str::to_owned);
        let (case, class) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let reason = words.next().unwrap_or_default();
        suite.passed = suite.passed.saturating_sub(1);
        suite.not_run.push(NotRun { case, unobtainable: class == "unobtainable", reason });
    }

    /// A line of a test program: `test NAME ... ok`.
    fn case(&mut self, rest: &str) {
        let Some(suite) = self.running.as_ref().and_then(|name| self.suites.get_mut(name)) else { return };
        match rest.split_once(" ... ") {
            Some((_, "ok")) => suite.passed += 1,
            Some((name, "FAILED")) => suite.failed.push(name.to_owned()),
            _ => {}
        }
    }

    /// True when the emulator or the guest's kernel broke down, which says nothing about the agent yet.
    pub(super) fn broke_down(&self) -> bool {
        self.exit.is_none()
    }

    /// The runs of the plan that did not end well.
    pub(super) fn failed_runs<'plan>(&self, plan: &'plan Plan) -> Vec<&'plan str> {
        let ended_well = |name: &&str| {
            let suite = self.suites.get(*name);
            suite.is_some_and(|suite| suite.code == Some(0) && suite.failed.is_empty())
        };
        plan.runs().filter(|name| !ended_well(name)).collect()
    }

    /// Takes over what came of runs that were tried once more.
    pub(super) fn replace_by(&mut self, again: Self) {
        self.suites.extend(again.suites);
        self.exit = again.exit;
        self.fault = again.fault;
        if self.boot.is_none() {
            (self.boot, self.release, self.security) = (again.boot, again.release, again.security);
        }
        if self.programs.is_empty() {
            (self.programs, self.hooks) = (again.programs, again.hooks);
        }
    }

    /// Everything that is wrong, for a machine that had this plan.
    pub(super) fn faults(&self, plan: &Plan) -> Vec<String> {
        let mut faults: Vec<String> = self.fault.iter().cloned().collect();
        if self.boot.is_none() {
            faults.push("the guest did not come up".to_owned());
        } else {
            let (modules, lockdown) =
                self.security.as_ref().map_or(("-", "-"), |(modules, lockdown)| (modules, lockdown));
            faults.extend(plan.target().kind.not_as_meant(modules, lockdown));
        }
        if plan.shows_agent() && self.programs.is_empty() {
            faults.push("the agent loaded no program".to_owned());
        }
        for name in plan.runs() {
            let Some(suite) = self.suites.get(name) else {
                faults.push(format!("{name} did not run"));
                continue;
            };
            faults.extend(suite.failed.iter().map(|case| format!("{name}::{case} failed")));
            match suite.code {
                None => faults.push(format!("{name} did not end")),
                Some(0) if suite.passed == 0 && suite.not_run.is_empty() => {
                    faults.push(format!("{name} ran no case"));
                }
                Some(0) => {}
                Some(code) if suite.failed.is_empty() => faults.push(format!("{name} ended with {code}")),
                Some(_) => {}
            }
            for NotRun { case, unobtainable, reason } in &suite.not_run {
                if !unobtainable && !plan.allows(reason) {
                    faults.push(format!("{name}::{case} did not run: {reason}"));
                }
            }
            if suite.overlay_before {
                faults.push(format!("{name}: overlay was loaded before the agent"));
            }
        }
        match self.exit {
            None => faults.push("the guest never said VM-EXIT".to_owned()),
            Some((0, _)) => {}
            Some((code, _)) if faults.is_empty() => faults.push(format!("the guest ended with {code}")),
            Some(_) => {}
        }
        faults
    }

    /// How many cases passed and failed, and which did not run.
    pub(super) fn cases(&self) -> (u32, usize, Vec<&NotRun>) {
        let suites = self.suites.values();
        (
            suites.clone().map(|suite| suite.passed).sum(),
            suites.clone().map(|suite| suite.failed.len()).sum(),
            suites.flat_map(|suite| &suite.not_run).collect(),
        )
    }
}

fn program(rest: &str) -> Option<Program> {
    Some(Program {
        name: field(rest, "name")?.to_owned(),
        verified: field(rest, "verified")?.parse().ok(),
        machine_code: field(rest, "machine_code")?.parse().ok()?,
    })
}

/// The value of `name=value` among the words of a line.
fn field<'line>(line: &'line str, name: &str) -> Option<&'line str> {
    line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn is_kernel_fault(line: &str) -> bool {
    ["Kernel panic - not syncing", "Oops: ", "BUG: ", "soft lockup"].iter().any(|cry| line.contains(cry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::plan::Choice;
    use crate::vm::suites::Suite;

    fn console(lines: &[&str]) -> Console {
        let mut console = Console::default();
        for line in lines {
            console.read(line);
        }
        console
    }

    fn plan(suites: &[&str]) -> Plan {
        plan_of("6.1", suites)
    }

    fn plan_of(target: &str, suites: &[&str]) -> Plan {
        let suites: Vec<Suite> = suites.iter().map(|name| Suite::of_test(name, None)).collect();
        Plan::of(&target.parse().unwrap(), &suites, Choice::All, &[])
    }

    #[test]
    fn a_guest_that_is_not_what_was_asked_for_is_a_fault() {
        let with = |boot: &'static str, target| {
            let mut lines = GOOD.to_vec();
            lines[0] = boot;
            console(&lines).faults(&plan_of(target, &["burst"]))
        };
        let boot = "VM-BOOT up=3.2 release=6.12.1-cloud-amd64 lsm=lockdown,yama,bpf lockdown=none";
        assert_eq!(with(boot, "6.12/bpf-lsm"), Vec::<String>::new());
        assert_eq!(with(boot, "6.12/no-bpf-lsm").len(), 1);
        assert_eq!(with(GOOD[0], "6.12/no-bpf-lsm").len(), 1, "it does not say");
    }

    #[test]
    fn a_case_that_did_not_run_is_excused_only_by_what_the_guest_lacks() {
        let with = |line| {
            let mut lines = GOOD.to_vec();
            lines.insert(6, line);
            console(&lines)
        };
        let excused = with("VM-NOT-RUN two\tmissing\tno dockerd (apt-get install docker.io)");
        assert_eq!(excused.faults(&plan(&["burst"])), Vec::<String>::new());
        assert_eq!((excused.cases().0, excused.cases().2.len()), (1, 1), "it is no passed case");
        let missing = with("VM-NOT-RUN two\tmissing\tno runc (apt-get install runc)");
        assert_eq!(missing.faults(&plan(&["burst"])).len(), 1);
        let refused = with("VM-NOT-RUN two\tunobtainable\tthe proxy said no");
        assert_eq!(refused.faults(&plan(&["burst"])), Vec::<String>::new());
    }

    #[test]
    fn what_was_tried_once_more_counts_instead_of_the_first_time() {
        let plan = plan(&["burst", "copy_up"]);
        let mut lines = GOOD.to_vec();
        let other = [
            "VM-SUITE begin=copy_up overlay=absent",
            "test one ... FAILED",
            "VM-SUITE end=copy_up code=101 up=8",
        ];
        lines.splice(7..7, other);
        lines[10] = "VM-EXIT rc=1 up=9";
        let mut first = console(&lines);
        assert_eq!(first.failed_runs(&plan), ["copy_up"]);
        assert_eq!(first.faults(&plan), ["copy_up::one failed"]);
        let again =
            ["VM-SUITE begin=copy_up overlay=absent", "test one ... ok", "VM-SUITE end=copy_up code=0 up=4"];
        first.replace_by(console(&[&[GOOD[0]], &again[..], &["VM-EXIT rc=0 up=5"]].concat()));
        assert_eq!(first.faults(&plan), Vec::<String>::new());
        assert_eq!((first.cases().0, first.cases().1), (3, 0));
    }

    const GOOD: [&str; 8] = [
        "VM-BOOT up=3.21 release=6.1.0-56-cloud-amd64\r",
        "VM-PROGRAM name=exec verified=1234 machine_code=567",
        "VM-SUITE begin=burst overlay=absent",
        "running 2 tests",
        "test two ... ok",
        "test three ... ok",
        "VM-SUITE end=burst code=0 up=7.10",
        "VM-EXIT rc=0 up=7.50",
    ];

    #[test]
    fn a_good_run_has_no_fault() {
        let console = console(&GOOD);
        assert_eq!(console.faults(&plan(&["burst"])), Vec::<String>::new());
        assert_eq!((console.cases().0, console.cases().1, console.boot), (2, 0, Some(3.21)));
        assert_eq!(console.exit, Some((0, 7.5)));
        assert_eq!(console.release.as_deref(), Some("6.1.0-56-cloud-amd64"));
        let program = Program { name: "exec".to_owned(), verified: Some(1234), machine_code: 567 };
        assert_eq!(console.programs, [program]);
    }

    #[test]
    fn whatever_is_missing_is_a_fault() {
        assert_eq!(console(&GOOD).faults(&plan(&["burst", "copy_up"])), ["copy_up did not run"]);
        for absent in 0..GOOD.len() {
            // Headings of the test program carry nothing, and one case of two may be filtered out.
            if [3, 4, 5].contains(&absent) {
                continue;
            }
            let mut lines = GOOD.to_vec();
            lines.remove(absent);
            assert_ne!(console(&lines).faults(&plan(&["burst"])), Vec::<String>::new(), "without {absent}");
        }
        let nothing_ran: Vec<&str> = GOOD.into_iter().filter(|line| !line.starts_with("test ")).collect();
        assert_eq!(console(&nothing_ran).faults(&plan(&["burst"])), ["burst ran no case"]);
    }

    #[test]
    fn failures_are_told_by_name() {
        let mut lines = GOOD;
        lines[4] = "test two ... FAILED";
        lines[6] = "VM-SUITE end=burst code=101 up=7.10";
        lines[7] = "VM-EXIT rc=1 up=7.50";
        assert_eq!(console(&lines).faults(&plan(&["burst"])), ["burst::two failed"]);
        lines[2] = "VM-SUITE begin=burst overlay=present";
        assert!(console(&lines).faults(&plan(&["burst"])).iter().any(|fault| fault.contains("overlay")));
    }

    #[test]
    fn a_panic_is_a_break_down() {
        let console = console(&[GOOD[0], GOOD[2], "[    7.1] Kernel panic - not syncing: Fatal exception"]);
        assert!(console.broke_down());
        assert!(console.faults(&plan(&["burst"]))[0].contains("Kernel panic"));
    }
}
