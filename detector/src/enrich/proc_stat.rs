//! `/proc/PID/stat`: who a process is.

use std::path::Path;

use super::bounded_read::{ReadError, read_proc};

/// Bytes of `stat` that are read.
const BYTES: usize = 64 * 1024;
/// Clock ticks of procfs per second are 100 (`USER_HZ`, the same on all architectures of interest).
pub(super) const TICK_NS: u64 = 10_000_000;

/// The parts of `stat` that tell who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// Its name.
    pub(super) comm: Vec<u8>,
    /// Its parent, in the pid namespace of procfs.
    pub(super) parent: u32,
    /// When it was started, in ticks since boot.
    pub(super) start_ticks: u64,
}

impl Stat {
    /// Reads it; `proc`: where procfs is mounted.
    pub(super) fn read(proc: &Path, pid: u32) -> Result<Self, ReadError> {
        Self::parse(&read_proc(&proc.join(pid.to_string()).join("stat"), BYTES)?)
            .ok_or_else(|| ReadError::Garbage("not the fields of a process".to_owned()))
    }

    /// The fields are counted behind the name, which may hold anything.
    fn parse(stat: &[u8]) -> Option<Self> {
        let name_starts = stat.iter().position(|byte| *byte == b'(')?;
        let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
        let comm = stat.get(name_starts + 1..name_ends)?.to_vec();
        let rest = std::str::from_utf8(&stat[name_ends + 1..]).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        // State, parent, ..., start.
        let parent = fields.nth(1)?.parse().ok()?;
        Some(Self { comm, parent, start_ticks: fields.nth(17)?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn the_fields_are_read_behind_any_name() {
        let fields: Vec<String> = (5..22).map(|number| number.to_string()).collect();
        let line = format!("40 (a ) (b) S 7 {} 1234 0 0", fields.join(" "));
        let want = Stat { comm: b"a ) (b".to_vec(), parent: 7, start_ticks: 1234 };
        assert_eq!(Stat::parse(line.as_bytes()), Some(want));
    }

    #[test]
    fn this_process_is_read() {
        let own = Stat::read(std::path::Path::new("/proc"), std::process::id()).unwrap();
        assert_eq!(own.parent, std::os::unix::process::parent_id());
        assert!(own.start_ticks > 0);
    }

    #[test]
    fn what_is_no_stat_is_none() {
        for bad in [&b""[..], b"1 (x", b"1 )x(", b"1 (x) S", b"1 (x) S y 1 2", b"\xff(\xff)\xff"] {
            assert_eq!(Stat::parse(bad), None, "{bad:?}");
        }
    }
}
