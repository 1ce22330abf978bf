//! Drops the second record of an exec. Where two copies of the program are attached both can, rarely, send one: the
//! first leaves a mark for the second, and another exec can overwrite it. Costs nothing where there is one copy.

use std::collections::{HashSet, VecDeque};

use detector_common::record::{
    RecordKind,
    exec::{ExecRecord, known},
};
use zerocopy::FromBytes as _;

/// Execs of the first copy that are remembered: far more than can run between the two copies' records of one exec.
const REMEMBERED: usize = 256;

/// Nanoseconds after its last one for which a record of hooks that were replaced can have a twin from the new ones. Both
/// run for the same exec, one right behind the other; on a loaded host that may take a while.
const TWIN_WITHIN_NS: u64 = 5_000_000_000;

/// The name of an exec: process, its start, how often it has executed.
type ExecName = (u32, u64, u64);

/// Knows the latest execs.
#[derive(Default)]
pub(super) struct Duplicates {
    seen: VecDeque<ExecName>,
    dropped: u64,
    /// Execs that hooks have told of which the new ones replaced.
    told_before: HashSet<ExecName>,
    /// Boot time of the latest of them.
    told_until: u64,
}

impl Duplicates {
    /// The exec of this record was seen by hooks that have been replaced: the new ones may have seen it, too.
    pub(super) fn will_come_again(&mut self, record: &[u8]) {
        let Some(record) = exec(record) else { return };
        self.told_until = self.told_until.max(record.header.boot_ns);
        // Without a number the name stands for all execs of the process.
        if record.task.exec_id != 0 {
            self.told_before.insert((record.task.pid, record.task.start_boot_ns, record.task.exec_id));
        }
    }

    /// Whether no record of the same exec came before. What a program has mapped bears the name of its exec, and is
    /// always new.
    pub(super) fn is_new(&mut self, record: &[u8]) -> bool {
        let Some(record) = exec(record) else { return true };
        let name = (record.task.pid, record.task.start_boot_ns, record.task.exec_id);
        if !self.told_before.is_empty() {
            if self.told_before.contains(&name) {
                return false;
            }
            if record.header.boot_ns > self.told_until + TWIN_WITHIN_NS {
                self.told_before = HashSet::new();
            }
        }
        if record.known & known::SECOND_LOOK != 0 && self.seen.contains(&name) {
            self.dropped += 1;
            return false;
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(name);
        true
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The record, if it is about an exec.
fn exec(record: &[u8]) -> Option<ExecRecord> {
    let (record, _) = ExecRecord::read_from_prefix(record).ok()?;
    (record.header.kind == RecordKind::Exec as u16).then_some(record)
}

#[cfg(test)]
mod tests {
    use super::{Duplicates, REMEMBERED};
    use detector_common::record::{
        RecordKind,
        exec::{ExecRecord, known},
    };
    use zerocopy::{FromZeros as _, IntoBytes as _};

    fn record(pid: u32, exec_id: u64, second: bool) -> ExecRecord {
        let mut record = ExecRecord::new_zeroed();
        record.header.kind = RecordKind::Exec as u16;
        record.task.pid = pid;
        record.task.exec_id = exec_id;
        record.known = if second { known::SECOND_LOOK } else { 0 };
        record
    }

    #[test]
    fn only_a_second_look_at_the_same_exec_is_dropped() {
        let mut duplicates = Duplicates::default();
        let table = [
            (record(1, 1, false), true),
            (record(1, 1, true), false),
            (record(1, 2, true), true),
            (record(2, 1, true), true),
            // The first copy never repeats itself: what looks so is another exec, and is not dropped.
            (record(2, 1, false), true),
        ];
        for (index, (record, expected)) in table.iter().enumerate() {
            assert_eq!(duplicates.is_new(record.as_bytes()), *expected, "{index}");
        }
        assert_eq!(duplicates.dropped(), 1);
        assert!(duplicates.is_new(b"no record"));
    }

    #[test]
    fn what_replaced_hooks_have_told_is_not_told_again() {
        let mut duplicates = Duplicates::default();
        let at = |pid, exec_id, boot_ns| {
            let mut record = record(pid, exec_id, false);
            record.header.boot_ns = boot_ns;
            record
        };
        duplicates.will_come_again(at(1, 1, 100).as_bytes());
        duplicates.will_come_again(at(2, 0, 200).as_bytes());
        assert!(!duplicates.is_new(at(1, 1, 100).as_bytes()));
        assert!(duplicates.is_new(at(1, 2, 300).as_bytes()));
        assert!(duplicates.is_new(at(2, 0, 200).as_bytes()), "a process without numbers for its execs");
        assert!(duplicates.is_new(at(3, 1, 201 + super::TWIN_WITHIN_NS).as_bytes()));
        assert!(duplicates.told_before.is_empty(), "later there is nothing to remember");
    }

    #[test]
    fn what_a_program_maps_is_not_taken_for_its_exec() {
        let mut duplicates = Duplicates::default();
        let exec = record(1, 1, false);
        let mut mapping = exec;
        mapping.header.kind = RecordKind::ExecMap as u16;
        duplicates.will_come_again(mapping.as_bytes());
        assert!(duplicates.is_new(exec.as_bytes()));
        duplicates.will_come_again(exec.as_bytes());
        assert!(!duplicates.is_new(exec.as_bytes()));
        assert!(duplicates.is_new(mapping.as_bytes()) && duplicates.is_new(mapping.as_bytes()));
    }

    #[test]
    fn old_execs_are_forgotten() {
        let mut duplicates = Duplicates::default();
        for exec in 0..=REMEMBERED as u64 {
            assert!(duplicates.is_new(record(1, exec, false).as_bytes()));
        }
        assert_eq!(duplicates.seen.len(), REMEMBERED);
        assert!(!duplicates.is_new(record(1, 1, true).as_bytes()));
        assert!(duplicates.is_new(record(1, 0, true).as_bytes()));
    }
}
