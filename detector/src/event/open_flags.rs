//! How a file was opened, as a number of the kernel and in words.

use serde::{Deserialize, Serialize};

/// Access mode.
const ACCESS: u32 = 3;
/// `O_SYNC`, which has the bit of `O_DSYNC` in it.
const SYNC: u32 = 0o4_010_000;

/// Flags beside the access mode that are the same number on every processor that the agent runs on, with their names.
const NAMES: [(u32, &str); 10] = [
    (0o100, "O_CREAT"),
    (0o200, "O_EXCL"),
    (0o400, "O_NOCTTY"),
    (0o1000, "O_TRUNC"),
    (0o2000, "O_APPEND"),
    (0o4000, "O_NONBLOCK"),
    (0o10_000, "O_DSYNC"),
    (0o1_000_000, "O_NOATIME"),
    (0o2_000_000, "O_CLOEXEC"),
    (0o20_000_000, "O_TMPFILE"),
];

/// Flags of an opening for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFlags {
    bits: u32,
    created: bool,
}

impl OpenFlags {
    /// `bits` as the kernel has them, and whether the opening has `created` the file; `None` where there is no access mode among
    /// them, which an opening for writing has.
    #[must_use]
    pub const fn new(bits: u32, created: bool) -> Option<Self> {
        if bits & ACCESS == 0 { None } else { Some(Self { bits, created }) }
    }

    /// `O_WRONLY|O_CREAT|O_TRUNC|O_F_CREATED`: the names with `|` between. The last one is what Falco says of an opening that has
    /// made the file. `O_DIRECT`, `O_DIRECTORY`, `O_LARGEFILE` and `O_NOFOLLOW`, whose numbers depend on the processor, are
    /// left out: recordings do not tell where they come from.
    #[must_use]
    pub fn text(self) -> String {
        let mut text = match self.bits & ACCESS {
            1 => "O_WRONLY",
            2 => "O_RDWR",
            // Neither is granted; the driver is asked all the same.
            _ => "O_ACCMODE",
        }
        .to_owned();
        let mut add = |name: &str| {
            text.push('|');
            text.push_str(name);
        };
        let mut rest = self.bits;
        if rest & SYNC == SYNC {
            rest &= !SYNC;
            add("O_SYNC");
        }
        NAMES.iter().filter(|(bit, _)| rest & bit != 0).for_each(|(_, name)| add(name));
        if self.created {
            add("O_F_CREATED");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use nix::fcntl::OFlag;

    use super::OpenFlags;

    fn text(bits: u32) -> Option<String> {
        OpenFlags::new(bits, false).map(OpenFlags::text)
    }

    #[test]
    fn names_are_those_of_the_system() {
        let bits = |flags: OFlag| u32::try_from(flags.bits()).unwrap();
        for (flags, expected) in [
            (OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC, "O_WRONLY|O_CREAT|O_TRUNC"),
            (OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CLOEXEC, "O_RDWR|O_APPEND|O_CLOEXEC"),
            (OFlag::O_WRONLY | OFlag::O_SYNC, "O_WRONLY|O_SYNC"),
            (OFlag::O_WRONLY | OFlag::O_DSYNC | OFlag::O_NOATIME, "O_WRONLY|O_DSYNC|O_NOATIME"),
            (OFlag::O_WRONLY | OFlag::O_TMPFILE, "O_WRONLY|O_TMPFILE"),
            (OFlag::O_WRONLY | OFlag::O_EXCL | OFlag::O_NOCTTY, "O_WRONLY|O_EXCL|O_NOCTTY"),
            (OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW, "O_WRONLY|O_NONBLOCK"),
        ] {
            assert_eq!(text(bits(flags)).as_deref(), Some(expected));
        }
        let created = OpenFlags::new(0o101, true).map(OpenFlags::text);
        assert_eq!(created.as_deref(), Some("O_WRONLY|O_CREAT|O_F_CREATED"));
    }

    #[test]
    fn without_an_access_mode_they_are_unknown() {
        assert_eq!(text(0), None);
        assert_eq!(text(0o100), None);
    }
}
