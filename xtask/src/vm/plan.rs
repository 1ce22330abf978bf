//! What the guest's first process does, in order: written down here for it, and held afterwards against what it did.
use std::fmt::Write as _;

use super::target::Kind;

/// The suite of which some cases run once more, under cgroup version 1.
const RUN_AGAIN: (&str, [&str; 2]) = ("sched_process_exec", ["plain_drop", "as_the_first_process"]);
/// The case that a locked down kernel is booted for.
const LOCKED_DOWN: (&str, &str) = ("start_failures", "lockdown_is_told");

/// All steps of one guest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    kind: Kind,
    steps: Vec<Step>,
}

#[derive(Debug, PartialEq, Eq)]
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

impl Plan {
    /// Everything that a guest of this kind has to show.
    pub(super) fn of(kind: Kind, suites: &[&str], skip: &[&str]) -> Self {
        let run = |name: &str, program: &str, arguments: &[&str]| Step::Suite {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        };
        if !kind.agent_starts() {
            return Self { kind, steps: vec![run("lockdown", LOCKED_DOWN.0, &[LOCKED_DOWN.1])] };
        }
        let skipped: Vec<&str> = skip.iter().flat_map(|case| ["--skip", case]).collect();
        let mut steps = vec![Step::Agent];
        steps.extend(suites.iter().map(|suite| run(suite, suite, &skipped)));
        if suites.contains(&RUN_AGAIN.0) {
            steps.push(Step::CgroupV1);
            steps.push(run("cgroup_v1", RUN_AGAIN.0, &RUN_AGAIN.1));
        }
        Self { kind, steps }
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

    /// Whether the agent has to show its programs.
    pub(super) fn shows_agent(&self) -> bool {
        self.steps.contains(&Step::Agent)
    }

    /// Whether a case may say that it did not run for this reason: it needs a program that this guest does not have.
    pub(super) fn allows(&self, reason: &str) -> bool {
        let absent = reason.strip_prefix("no ").and_then(|rest| rest.split(' ').next());
        absent.is_some_and(|absent| !self.kind.has().contains(&absent))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_guest_runs_every_suite_and_some_cases_twice() {
        let plan = Plan::of(Kind::Plain, &["burst", "sched_process_exec"], &["a_case"]);
        assert_eq!(
            plan.text(),
            "agent\nsuite burst burst --skip a_case\nsuite sched_process_exec sched_process_exec --skip a_case\n\
             cgroup_v1\nsuite cgroup_v1 sched_process_exec plain_drop as_the_first_process\n"
        );
        assert!(plan.shows_agent());
        assert_eq!(plan.runs().collect::<Vec<_>>(), ["burst", "sched_process_exec", "cgroup_v1"]);
    }

    #[test]
    fn only_what_the_guest_lacks_excuses_a_case() {
        let allows = |kind, reason| Plan::of(kind, &[], &[]).allows(reason);
        assert!(allows(Kind::Plain, "no dockerd (apt-get install docker.io containerd runc)"));
        assert!(!allows(Kind::Docker, "no dockerd (apt-get install docker.io containerd runc)"));
        assert!(allows(Kind::Docker, "no podman (apt-get install podman)"));
        assert!(!allows(Kind::Plain, "no runc (apt-get install runc)") && !allows(Kind::Plain, "needs root"));
    }

    #[test]
    fn a_locked_down_guest_runs_the_one_case_about_it() {
        let plan = Plan::of(Kind::LockedDown, &["burst"], &[]);
        assert_eq!(plan.text(), "suite lockdown start_failures lockdown_is_told\n");
        assert!(!plan.shows_agent());
        assert_eq!(plan.programs().collect::<Vec<_>>(), ["start_failures"]);
    }
}
