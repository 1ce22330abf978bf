//! Drops the second record of an exec. Where two copies of the program are attached both can, rarely, send one: the
//! first leaves a mark for the second, and another exec can overwrite it. Costs nothing where there is one copy.

use std::collections::VecDeque;

use detector_common::record::exec::{ExecRecord, known};
use zerocopy::FromBytes as _;

/// Execs of the first copy that are remembered: far more than can run between the two copies' records of one exec.
const REMEMBERED: usize = 256;

/// The name of an exec: process, its start, how often it has executed.
type ExecName = (u32, u64, u64);

/// Knows the latest execs.
#[derive(Default)]
pub(super) struct Duplicates {
    seen: VecDeque<ExecName>,
    dropped: u64,
}

impl Duplicates {
    /// Whether no record of the same exec came before.
    pub(super) fn is_new(&mut self, record: &[u8]) -> bool {
        let Ok((record, _)) = ExecRecord::read_from_prefix(record) else { return true };
        let name = (record.task.pid, record.task.start_boot_ns, record.task.exec_id);
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

#[cfg(test)]
mod tests {
    use super::{Duplicates, REMEMBERED};
    use detector_common::record::exec::{ExecRecord, known};
    use zerocopy::{FromZeros as _, IntoBytes as _};

    fn record(pid: u32, exec_id: u64, second: bool) -> ExecRecord {
        let mut record = ExecRecord::new_zeroed();
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
