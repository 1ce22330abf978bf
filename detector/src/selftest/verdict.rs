//! Holds what was seen against what was run. Pure.

use std::{fmt::Write as _, time::Duration};

use super::sandbox::Ran;
use crate::event::{ExecEvent, Origin};

/// One file that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictCheck {
    /// The origin that it has.
    pub expected: Origin,
    /// The origin that was told of it; `None` = no record came.
    pub seen: Option<Origin>,
    /// Whether the filter lets its record through.
    wanted: bool,
    /// Process id as the test saw it.
    pid: u32,
}

impl VerdictCheck {
    fn is_right(&self) -> bool {
        self.seen.map_or(!self.wanted, |seen| seen == self.expected)
    }
}

/// What came of a self-test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One for each file.
    pub verdicts: Vec<VerdictCheck>,
    /// Records of the test that no file explains.
    pub surplus: u64,
    /// Records that could not be decoded, with the reason.
    pub undecodable: Vec<String>,
    /// Records that the kernel side lost.
    pub lost: u64,
    /// From the start until the hooks were armed.
    pub arming: Duration,
    /// From then until the last verdict.
    pub proving: Duration,
    mount_namespace: u32,
}

impl Report {
    /// What must come of this run, when the filter lets the records of the wanted files through.
    #[must_use]
    pub fn expecting(ran: &Ran, wanted: [bool; 3]) -> Self {
        let verdicts = [Origin::Image, Origin::New, Origin::Modified]
            .into_iter()
            .zip(ran.pids)
            .zip(wanted)
            .map(|((expected, pid), wanted)| VerdictCheck { expected, seen: None, wanted, pid })
            .collect();
        Self {
            verdicts,
            surplus: 0,
            undecodable: Vec::new(),
            lost: 0,
            arming: Duration::ZERO,
            proving: Duration::ZERO,
            mount_namespace: ran.mount_namespace,
        }
    }

    /// Takes an event into account, if it is one of the test's.
    pub(super) fn take(&mut self, event: &ExecEvent) {
        if event.namespaces.mnt == self.mount_namespace {
            self.add(event.process.vpid, event.file.origin);
        }
    }

    /// Takes a record of the test into account, by process id and origin.
    pub fn add(&mut self, pid: Option<u32>, origin: Origin) {
        let check = self.verdicts.iter_mut().find(|check| Some(check.pid) == pid && check.seen.is_none());
        match check {
            Some(check) => check.seen = Some(origin),
            None => self.surplus += 1,
        }
    }

    /// Whether a record came of each file of which one must.
    #[must_use]
    pub fn all_seen(&self) -> bool {
        self.verdicts.iter().all(|check| check.seen.is_some() || !check.wanted)
    }

    /// Whether each file was seen once, with the origin that it has; one that the filter keeps back not at all.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.surplus == 0 && self.verdicts.iter().all(VerdictCheck::is_right)
    }

    /// What is wrong; empty when all is well.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for check in &self.verdicts {
            match check.seen {
                _ if check.is_right() => {}
                Some(seen) => faults.push(format!(
                    "a file of origin `{}` was judged `{}`: where the kernel keeps the layer of an overlay's file \
                     is not known for this kernel, please report it",
                    check.expected.name(),
                    seen.name()
                )),
                None => faults.push(format!(
                    "no record came of a file of origin `{}`: the agent is blind to it",
                    check.expected.name()
                )),
            }
        }
        if self.surplus > 0 {
            faults.push(format!("{} records came that no file explains", self.surplus));
        }
        if !faults.is_empty() {
            if self.lost > 0 {
                faults.push(format!("the kernel side lost {} records meanwhile", self.lost));
            }
            faults.extend(
                self.undecodable.iter().map(|reason| format!("a record could not be decoded: {reason}")),
            );
        }
        faults
    }

    /// The table for people, without a final newline.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for check in &self.verdicts {
            let status = if check.is_right() { "ok" } else { "failed" };
            let seen = check.seen.map_or("no record", Origin::name);
            let _ = writeln!(out, "{status:7} executed: {:9} seen: {seen}", check.expected.name());
        }
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let _ = write!(
            out,
            "armed in {:.1} ms, proven in {:.1} ms",
            milliseconds(self.arming),
            milliseconds(self.proving)
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, Ran, Report};

    /// Process id and origin of an event.
    type Seen = (Option<u32>, Origin);

    fn report(seen: &[Seen]) -> Report {
        let mut report = Report::expecting(&Ran { mount_namespace: 7, pids: [2, 3, 4] }, [true; 3]);
        for (pid, origin) in seen {
            report.add(*pid, *origin);
        }
        report
    }

    const GOOD: [Seen; 3] = [(Some(2), Origin::Image), (Some(3), Origin::New), (Some(4), Origin::Modified)];

    #[test]
    fn three_right_verdicts_pass_in_any_order() {
        let mut reversed = GOOD;
        reversed.reverse();
        for seen in [GOOD, reversed] {
            let report = report(&seen);
            assert!(report.passed() && report.all_seen() && report.faults().is_empty(), "{report:?}");
        }
    }

    #[test]
    fn everything_else_fails_and_says_why() {
        let [image, new, modified] = GOOD;
        let table: [(&[Seen], &str); 7] = [
            (&[], "no record came of a file of origin `image`"),
            (&[image, new], "no record came of a file of origin `modified`"),
            (&[image, (Some(3), Origin::Image), modified], "origin `new` was judged `image`"),
            (&[image, (Some(3), Origin::Unknown), modified], "origin `new` was judged `unknown`"),
            (&[image, new, (Some(4), Origin::New)], "origin `modified` was judged `new`"),
            (&[image, new, modified, new], "1 records came that no file explains"),
            (&[image, (None, Origin::New), modified], "no record came of a file of origin `new`"),
        ];
        for (seen, fault) in table {
            let report = report(seen);
            assert!(!report.passed(), "{seen:?}");
            assert!(report.faults().iter().any(|text| text.contains(fault)), "{:?}", report.faults());
        }
    }

    #[test]
    fn what_the_filter_keeps_back_need_not_be_seen_and_must_be_judged_right() {
        let ran = Ran { mount_namespace: 7, pids: [2, 3, 4] };
        let mut report = Report::expecting(&ran, [false, true, true]);
        report.add(Some(3), Origin::New);
        assert!(!report.all_seen());
        report.add(Some(4), Origin::Modified);
        assert!(report.all_seen() && report.passed() && report.faults().is_empty(), "{report:?}");
        report.add(Some(2), Origin::New);
        assert!(!report.passed(), "a file of the image passed as a new one");
        assert!(report.faults()[0].contains("origin `image` was judged `new`"), "{:?}", report.faults());
    }

    #[test]
    fn loss_and_garbage_are_told_as_causes_of_a_failure_and_not_otherwise() {
        let mut good = report(&GOOD);
        good.lost = 5;
        assert!(good.passed() && good.faults().is_empty());
        let mut bad = report(&GOOD[..2]);
        bad.lost = 5;
        bad.undecodable.push("too short".to_owned());
        let faults = bad.faults().join("\n");
        assert!(faults.contains("lost 5 records") && faults.contains("too short"), "{faults}");
    }

    #[test]
    fn the_table_has_a_line_for_each_file() {
        let text = report(&GOOD[..2]).text();
        assert_eq!(text.lines().filter(|line| line.starts_with("ok ")).count(), 2, "{text}");
        assert!(text.lines().any(|line| line.starts_with("failed") && line.ends_with("no record")), "{text}");
    }
}
