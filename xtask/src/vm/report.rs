//! The result of a run over several kernels, as a table and as a verdict.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Result, bail};

use super::attempt::Outcome;
use super::target::Target;

/// All kernels of a run.
pub(crate) struct Report {
    outcomes: Vec<Outcome>,
    /// Kernels that the archive does not have, with its answer.
    not_offered: Vec<(String, String)>,
    /// Cases that no guest could run, with the reason.
    left_out: Vec<(String, String)>,
    logs: String,
}

impl Report {
    pub(super) fn new(logs: String) -> Self {
        Self { outcomes: Vec::new(), not_offered: Vec::new(), left_out: Vec::new(), logs }
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    pub(super) fn add_not_offered(&mut self, target: &Target, answer: &str) {
        self.not_offered.push((target.to_string(), answer.to_owned()));
    }

    pub(super) fn add_left_out(&mut self, case: &str, reason: &str) {
        self.left_out.push((case.to_owned(), reason.to_owned()));
    }

    /// Machines end in any order; they are shown in the order in which they were asked for.
    pub(super) fn sort(&mut self, wanted: &[Target]) {
        self.outcomes.sort_by_key(|outcome| wanted.iter().position(|one| *one == outcome.target));
    }

    pub(super) fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Kernels that the archive does not offer, with its own answer.
    pub(crate) fn not_offered(&self) -> &[(String, String)] {
        &self.not_offered
    }

    /// Cases that the outside keeps from running in a guest, by name and reason.
    pub(crate) fn not_run(&self) -> Vec<(String, String)> {
        let refused = self.outcomes.iter().flat_map(|outcome| {
            let cases = outcome.console.cases().2.into_iter().filter(|case| case.unobtainable);
            cases.map(|case| (format!("{} on {}", case.case, outcome.target), case.reason.clone()))
        });
        let left_out = self
            .left_out
            .iter()
            .map(|(case, reason)| (format!("{case} in a virtual machine"), reason.clone()));
        refused.chain(left_out).collect()
    }

    pub(crate) fn print(&self) {
        print!("{}{}", self.table(), self.gaps());
    }

    /// What did not run in a guest, counted by reason.
    fn gaps(&self) -> String {
        let mut cases: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
        let mut suites: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for outcome in &self.outcomes {
            let target = outcome.target.to_string();
            for case in outcome.console.cases().2 {
                let (count, targets) = cases.entry(&case.reason).or_default();
                *count += 1;
                if targets.last() != Some(&target) {
                    targets.push(target.clone());
                }
            }
            for (suite, reason) in &outcome.left_out {
                suites.entry((reason, suite)).or_default().push(target.clone());
            }
        }
        let mut text = String::new();
        for (reason, (count, targets)) in cases {
            let _ = writeln!(text, "{count} cases did not run on {}: {reason}", targets.join(", "));
        }
        for ((reason, suite), targets) in suites {
            let _ = writeln!(text, "suite {suite} is left out on {}: {reason}", targets.join(", "));
        }
        text
    }

    /// An error when a kernel failed; kernels that the archive does not offer are forgiven where the caller lists them.
    pub(crate) fn verdict(&self, forgive_not_offered: bool) -> Result<()> {
        let failed = self.outcomes.iter().filter(|outcome| !outcome.faults.is_empty());
        let failed: Vec<_> = failed.map(|outcome| outcome.release.as_str()).collect();
        if !failed.is_empty() {
            bail!("not all passed on {}: what the machines said is in {}", failed.join(", "), self.logs);
        }
        if let Some((series, answer)) = self.not_offered.first().filter(|_| !forgive_not_offered) {
            bail!("no kernel {series}: {answer}");
        }
        if self.outcomes.is_empty() {
            bail!("no kernel at all was booted");
        }
        Ok(())
    }

    /// One line per kernel, and below it what went wrong.
    fn table(&self) -> String {
        let mut text = format!(
            "\n{:<15} {:<29} {:>6} {:>7} {:>6} {:>6} {:>6} {:>7} {:>8}  hooks\n",
            "kernel", "release", "boot s", "total s", "cpu s", "passed", "failed", "not run", "verified"
        );
        for Outcome { target, release, console, took, retried, faults, .. } in &self.outcomes {
            let boot = console.boot.map_or("-".to_owned(), |boot| format!("{boot:.1}"));
            let (passed, failed, not_run) = console.cases();
            let hooks = console.hooks.as_deref().unwrap_or("-");
            let verified: Option<u32> = console.programs.iter().map(|program| program.verified).sum();
            let verified =
                verified.filter(|count| *count > 0).map_or("-".to_owned(), |count| count.to_string());
            let _ = writeln!(
                text,
                "{:<15} {release:<29} {boot:>6} {:>7.1} {:>6.1} {passed:>6} {failed:>6} {:>7} {verified:>8}  {hooks}",
                target.to_string(),
                took.wall.as_secs_f32(),
                took.processor.as_secs_f32(),
                not_run.len()
            );
            for fault in retried {
                let _ = writeln!(text, "        retried: {fault}");
            }
            for fault in faults {
                let _ = writeln!(text, "        FAILED: {fault}");
            }
        }
        for (series, answer) in &self.not_offered {
            let _ = writeln!(text, "{series:<15} not offered: {answer}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::vm::console::Console;
    use crate::vm::kernel_choice::Wanted;
    use crate::vm::qemu::Took;
    use crate::vm::target::Kind;

    fn target(kernel: Wanted) -> Target {
        Target { kernel, kind: Kind::Plain }
    }

    fn outcome(kernel: Wanted, faults: &[&str]) -> Outcome {
        Outcome {
            target: target(kernel),
            release: "6.1.0-56-cloud-amd64".to_owned(),
            console: Console::default(),
            took: Took {
                wall: Duration::from_secs(50),
                processor: Duration::from_secs(20),
                ..Took::default()
            },
            retried: vec!["a panic".to_owned()],
            faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
            left_out: vec![("outputs".to_owned(), "the same".to_owned())],
        }
    }

    #[test]
    fn what_did_not_run_is_counted_with_its_reason() {
        let mut report = Report::new(String::new());
        for kernel in [Wanted::Series(6, 1), Wanted::Newest] {
            let mut outcome = outcome(kernel, &[]);
            for line in [
                "VM-SUITE begin=docker overlay=absent",
                "VM-NOT-RUN a\tmissing\tno dockerd",
                "VM-NOT-RUN b\tmissing\tno dockerd",
                "VM-SUITE end=docker code=0",
            ] {
                outcome.console.read(line);
            }
            report.add(outcome);
        }
        assert_eq!(
            report.gaps(),
            "4 cases did not run on 6.1, newest: no dockerd\n\
             suite outputs is left out on 6.1, newest: the same\n"
        );
    }

    #[test]
    fn one_failed_kernel_fails_all_and_a_retry_is_shown() {
        let mut report = Report::new("target/vm/logs".to_owned());
        assert!(report.verdict(true).is_err(), "nothing was booted");
        report.add(outcome(Wanted::Newest, &[]));
        assert!(report.verdict(false).is_ok());
        report.add(outcome(Wanted::Series(6, 1), &["burst::x failed"]));
        report.sort(&[target(Wanted::Series(6, 1)), target(Wanted::Newest)]);
        assert!(report.verdict(true).is_err());
        let table = report.table();
        assert!(table.contains("retried: a panic") && table.contains("FAILED: burst::x failed"), "{table}");
        assert!(table.find("newest").unwrap() > table.find("6.1 ").unwrap(), "{table}");
    }

    #[test]
    fn what_the_archive_does_not_offer_is_forgiven_only_where_it_is_listed() {
        let mut report = Report::new(String::new());
        report.add(outcome(Wanted::Newest, &[]));
        report.add_not_offered(&target(Wanted::Series(5, 10)), "none found");
        assert!(report.verdict(true).is_ok() && report.verdict(false).is_err());
        assert_eq!(report.not_offered().len(), 1);
    }
}
