//! What the guest's first process does, in order: written down here for it, and held afterwards against what it did.
use std::fmt::Write as _;

use super::suites::{Statement, Suite};
use super::target::Target;

/// The suite of which some cases run once more, under cgroup version 1.
const RUN_AGAIN: (&str, [&str; 2]) = ("sched_process_exec", ["plain_drop", "as_the_first_process"]);
/// What that run is called.
const CGROUP_V1: &str = "cgroup_v1";
/// The case that a locked down kernel is booted for.
const LOCKED_DOWN: (&str, &str) = ("start_failures", "lockdown_is_told");

/// All steps of one guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    target: Target,
    steps: Vec<Step>,
    left_out: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Starts the agent alone, and shows its hooks and programs.
    Agent,
    /// Changes to cgroup version 1.
    CgroupV1,
    /// Runs a test program.
    Suite {
        /// What the run is called.
        name: String,
        /// The program.
        program: String,
        /// Its arguments: cases, or `--skip` and a case.
        arguments: Vec<String>,
    },
}

/// Which suites a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Those that have something to show in the guest.
    ByStatement,
    /// All that are there: they were asked for by name.
    All,
}

impl Plan {
    /// Everything that such a guest has to show.
    pub(super) fn of(target: &Target, suites: &[Suite], choice: Choice, skip: &[&str]) -> Self {
        let run = |name: &str, program: &str, arguments: &[&str]| Step::Suite {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        };
        let mut left_out = Vec::new();
        if !target.kind.agent_starts() {
            let steps = vec![run("lockdown", LOCKED_DOWN.0, &[LOCKED_DOWN.1])];
            return Self { target: target.clone(), steps, left_out };
        }
        let skipped: Vec<&str> = skip.iter().flat_map(|case| ["--skip", case]).collect();
        let mut steps = vec![Step::Agent];
        for suite in suites {
            match why_not(target, suite).filter(|_| choice == Choice::ByStatement) {
                Some(reason) => left_out.push((suite.name.clone(), reason)),
                None => steps.push(run(&suite.name, &suite.name, &skipped)),
            }
        }
        let runs = |name: &str| {
            steps.iter().any(|step| matches!(step, Step::Suite { program, .. } if program == name))
        };
        if runs(RUN_AGAIN.0) {
            steps.push(Step::CgroupV1);
            steps.push(run(CGROUP_V1, RUN_AGAIN.0, &RUN_AGAIN.1));
        }
        Self { target: target.clone(), steps, left_out }
    }

    /// The same with no other runs than these.
    pub(super) fn only(&self, names: &[&str]) -> Self {
        let mut only = self.clone();
        only.steps.retain(|step| match step {
            Step::Agent => true,
            Step::CgroupV1 => names.contains(&CGROUP_V1),
            Step::Suite { name, .. } => names.contains(&name.as_str()),
        });
        only
    }

    /// One line for each step.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            match step {
                Step::Agent => text.push_str("agent\n"),
                Step::CgroupV1 => text.push_str("cgroup_v1\n"),
                Step::Suite { name, program, arguments } => {
                    let _ = writeln!(text, "suite {name} {program} {}", arguments.join(" "));
                }
            }
        }
        text
    }

    /// The guest that it is for.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Suites that do not run in it, with the reason.
    pub(super) fn left_out(&self) -> &[(String, String)] {
        &self.left_out
    }

    /// Whether the agent has to show its programs.
    pub(super) fn shows_agent(&self) -> bool {
        self.steps.contains(&Step::Agent)
    }

    /// Whether a case may say that it did not run for this reason: it needs a program that this guest does not have.
    pub(super) fn allows(&self, reason: &str) -> bool {
        let absent = reason.strip_prefix("no ").and_then(|rest| rest.split(' ').next());
        absent.is_some_and(|absent| !self.target.kind.has().contains(&absent))
    }

    /// The runs of test programs, by name.
    pub(super) fn runs(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Suite { name, .. } => Some(name.as_str()),
            Step::Agent | Step::CgroupV1 => None,
        })
    }

    /// The test programs that it needs.
    pub(super) fn programs(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Suite { program, .. } => Some(program.as_str()),
            Step::Agent | Step::CgroupV1 => None,
        })
    }
}

/// Why the suite has nothing to show there that another guest does not; none when it has.
fn why_not(target: &Target, suite: &Suite) -> Option<String> {
    let about_modules = target.kind.is_about_security_modules();
    match &suite.statement {
        // It has run on this computer's own kernel.
        Some(Statement::SameOnEveryKernel(reason)) => Some(format!("same on every kernel: {reason}")),
        Some(Statement::OldestAndNewestKernel(reason)) if !target.is_end_or_middle() => {
            Some(format!("on the oldest and newest kernel and one between: {reason}"))
        }
        Some(Statement::NotInAVirtualMachine(reason)) => Some(format!("not in a virtual machine: {reason}")),
        Some(Statement::DependsOnSecurityModules) => None,
        _ if about_modules => Some("does not depend on the security modules".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(target: &str, suites: &[Suite], skip: &[&str]) -> Plan {
        Plan::of(&target.parse().unwrap(), suites, Choice::ByStatement, skip)
    }

    #[test]
    fn a_plain_guest_runs_every_suite_and_some_cases_twice() {
        let suites = ["burst", "sched_process_exec"].map(|name| Suite::of_test(name, None));
        let plan = plan("6.1", &suites, &["a_case"]);
        assert_eq!(
            plan.text(),
            "agent\nsuite burst burst --skip a_case\nsuite sched_process_exec sched_process_exec --skip a_case\n\
             cgroup_v1\nsuite cgroup_v1 sched_process_exec plain_drop as_the_first_process\n"
        );
        assert!(plan.shows_agent());
        assert_eq!(plan.runs().collect::<Vec<_>>(), ["burst", "sched_process_exec", "cgroup_v1"]);
    }

    #[test]
    fn what_failed_can_be_planned_alone() {
        let suites = ["burst", "sched_process_exec"].map(|name| Suite::of_test(name, None));
        let plan = plan("6.1", &suites, &[]);
        assert_eq!(plan.only(&["burst"]).text(), "agent\nsuite burst burst \n");
        assert_eq!(
            plan.only(&["cgroup_v1"]).text(),
            "agent\ncgroup_v1\nsuite cgroup_v1 sched_process_exec plain_drop as_the_first_process\n"
        );
        assert_eq!(plan.only(&["burst", "sched_process_exec", "cgroup_v1"]), plan);
    }

    #[test]
    fn what_a_suite_states_decides_where_it_runs() {
        let user_space = Statement::SameOnEveryKernel("it is about sockets".to_owned());
        let suites = [
            Suite::of_test("outputs", Some(user_space)),
            Suite::of_test("copy_up", None),
            Suite::of_test("doctor", Some(Statement::DependsOnSecurityModules)),
            Suite::of_test("pinned", Some(Statement::OldestAndNewestKernel("it is about pins".to_owned()))),
            Suite::of_test("many", Some(Statement::NotInAVirtualMachine("it takes time".to_owned()))),
        ];
        let table: [(&str, &[&str]); 7] = [
            ("6.1", &["copy_up", "doctor"]),
            ("5.10", &["copy_up", "doctor", "pinned"]),
            ("newest", &["copy_up", "doctor", "pinned"]),
            ("6.12/docker", &["copy_up", "doctor", "pinned"]),
            ("6.12/arm64", &["copy_up", "doctor"]),
            ("5.10/bpf-lsm", &["doctor"]),
            ("6.12/no-bpf-lsm", &["doctor"]),
        ];
        for (target, expected) in table {
            let plan = plan(target, &suites, &[]);
            assert_eq!(plan.runs().collect::<Vec<_>>(), expected, "{target}");
            assert_eq!(plan.left_out().len(), suites.len() - expected.len(), "{target}");
        }
        let asked = Plan::of(&"6.1".parse().unwrap(), &suites, Choice::All, &[]);
        assert_eq!((asked.runs().count(), asked.left_out()), (5, [].as_slice()));
    }

    #[test]
    fn only_what_the_guest_lacks_excuses_a_case() {
        let allows = |target, reason| plan(target, &[], &[]).allows(reason);
        assert!(allows("6.1", "no dockerd (apt-get install docker.io containerd runc)"));
        assert!(!allows("6.12/docker", "no dockerd (apt-get install docker.io containerd runc)"));
        assert!(allows("6.12/docker", "no podman (apt-get install podman)"));
        assert!(!allows("6.1", "no runc (apt-get install runc)") && !allows("6.1", "needs root"));
    }

    #[test]
    fn a_locked_down_guest_runs_the_one_case_about_it() {
        let plan = plan("6.12/lockdown", &[Suite::of_test("burst", None)], &[]);
        assert_eq!(plan.text(), "suite lockdown start_failures lockdown_is_told\n");
        assert!(!plan.shows_agent());
        assert_eq!(plan.programs().collect::<Vec<_>>(), ["start_failures"]);
    }
}
