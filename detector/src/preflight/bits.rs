//! Reading the kernel's small text files. Pure: text in, facts out.

/// Effective capabilities as `/proc/PID/status` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapabilitySet(pub u64);

impl CapabilitySet {
    /// Number and name of those that the agent has a use for; numbers from `include/uapi/linux/capability.h`.
    pub const OF_INTEREST: [(u8, &'static str); 5] = [
        (19, "CAP_SYS_PTRACE"),
        (21, "CAP_SYS_ADMIN"),
        (24, "CAP_SYS_RESOURCE"),
        (38, "CAP_PERFMON"),
        (39, "CAP_BPF"),
    ];

    /// Whether the capability of that name, one of [`Self::OF_INTEREST`], is in the set.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        Self::OF_INTEREST.iter().any(|(bit, of)| *of == name && self.0 >> bit & 1 == 1)
    }

    /// Whether eBPF programs that trace can be loaded: before 5.8 `CAP_SYS_ADMIN` alone allows it.
    #[must_use]
    pub fn allows_tracing(self) -> bool {
        self.has("CAP_SYS_ADMIN") || (self.has("CAP_BPF") && self.has("CAP_PERFMON"))
    }

    /// Those of interest that are in the set, or not.
    #[must_use]
    pub fn names(self, present: bool) -> Vec<&'static str> {
        Self::OF_INTEREST.iter().map(|(_, name)| *name).filter(|name| self.has(name) == present).collect()
    }
}

/// How far the kernel is locked down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lockdown {
    /// Not at all.
    None,
    /// Nobody may change the kernel; eBPF may read it.
    Integrity,
    /// Nobody may read the kernel either.
    Confidentiality,
}

impl Lockdown {
    /// The kernel's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Integrity => "integrity",
            Self::Confidentiality => "confidentiality",
        }
    }
}

/// Which versions of cgroups are mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cgroups {
    /// None is.
    None,
    /// Version 1 alone.
    V1,
    /// Version 2 alone.
    V2,
    /// Both.
    Hybrid,
}

impl Cgroups {
    /// The word that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Hybrid => "hybrid",
        }
    }
}

/// The mode in brackets: `none [integrity] confidentiality`.
pub(super) fn lockdown(text: &str) -> Option<Lockdown> {
    let (_, rest) = text.split_once('[')?;
    let (mode, _) = rest.split_once(']')?;
    [Lockdown::None, Lockdown::Integrity, Lockdown::Confidentiality]
        .into_iter()
        .find(|known| known.name() == mode)
}

/// `lockdown,capability,bpf`
pub(super) fn lsm_list(text: &str) -> Vec<String> {
    text.trim().split(',').filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
}

/// The value behind `name:` in `/proc/PID/status`.
pub(super) fn status_field<'t>(status: &'t str, name: &str) -> Option<&'t str> {
    status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

/// The mount point and the type of a file system, for each line of `/proc/PID/mountinfo`.
fn mounts(mountinfo: &str) -> impl Iterator<Item = (&str, &str)> {
    mountinfo.lines().filter_map(|line| {
        // Optional fields stand before the lone dash, so the type is not at a fixed place.
        let (head, tail) = line.split_once(" - ")?;
        Some((head.split(' ').nth(4)?, tail.split(' ').next()?))
    })
}

/// Which cgroup hierarchies there are.
pub(super) fn cgroups(mountinfo: &str) -> Cgroups {
    let is_mounted = |wanted: &str| mounts(mountinfo).any(|(_, kind)| kind == wanted);
    match (is_mounted("cgroup"), is_mounted("cgroup2")) {
        (false, false) => Cgroups::None,
        (true, false) => Cgroups::V1,
        (false, true) => Cgroups::V2,
        (true, true) => Cgroups::Hybrid,
    }
}

/// Whether a file system of that type is mounted at `place`.
pub(super) fn file_system_mounted(mountinfo: &str, kind: &str, place: &str) -> bool {
    mounts(mountinfo).any(|found| found == (place, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_told_by_their_bits() {
        let table: [(u64, &[&str], bool); 6] = [
            (0, &[], false),
            (1 << 39, &["CAP_BPF"], false),
            (1 << 38, &["CAP_PERFMON"], false),
            (1 << 38 | 1 << 39, &["CAP_PERFMON", "CAP_BPF"], true),
            (1 << 21, &["CAP_SYS_ADMIN"], true),
            (1 << 19 | 1 << 24, &["CAP_SYS_PTRACE", "CAP_SYS_RESOURCE"], false),
        ];
        for (bits, names, allowed) in table {
            let set = CapabilitySet(bits);
            assert_eq!((set.names(true).as_slice(), set.allows_tracing()), (names, allowed), "{bits:#x}");
            assert_eq!(set.names(false).len(), 5 - names.len(), "{bits:#x}");
        }
    }

    #[test]
    fn the_mode_in_brackets_is_the_lockdown() {
        let table = [
            ("[none] integrity confidentiality\n", Some(Lockdown::None)),
            ("none [integrity] confidentiality\n", Some(Lockdown::Integrity)),
            ("none integrity [confidentiality]\n", Some(Lockdown::Confidentiality)),
            ("none integrity confidentiality\n", None),
            ("[new] none\n", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(lockdown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn lsm_names_are_whole_words() {
        assert_eq!(lsm_list("lockdown,capability,bpf\n"), ["lockdown", "capability", "bpf"]);
        assert_eq!(lsm_list("\n"), [""; 0]);
        assert!(!lsm_list("bpfx,capability").iter().any(|name| name == "bpf"));
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "Name:\tx\nCapEffective:\t1\nCapEff:\t00000000000000ff\n";
        assert_eq!(status_field(status, "CapEff"), Some("00000000000000ff"));
        assert_eq!(status_field(status, "Cap"), None);
    }

    const V1: &str = "30 23 0:26 / /sys/fs/cgroup/memory rw shared:9 master:1 - cgroup cgroup rw,memory\n";
    const V2: &str = "35 24 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
    const BPF: &str = "36 24 0:31 / /sys/fs/bpf rw shared:10 - bpf none rw,mode=700\n";

    #[test]
    fn cgroup_versions_are_told_by_the_type_of_the_file_system() {
        let table = [
            (String::new(), Cgroups::None),
            (BPF.to_owned(), Cgroups::None),
            (V1.to_owned(), Cgroups::V1),
            (V2.to_owned(), Cgroups::V2),
            (format!("{V2}{V1}"), Cgroups::Hybrid),
            ("cgroup cgroup2 - \n\n - cgroup".to_owned(), Cgroups::None),
        ];
        for (text, expected) in table {
            assert_eq!(cgroups(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_mount_counts_at_its_place_and_with_its_type_alone() {
        assert!(file_system_mounted(BPF, "bpf", "/sys/fs/bpf"));
        assert!(!file_system_mounted(BPF, "bpf", "/sys/fs"));
        assert!(!file_system_mounted(V2, "bpf", "/sys/fs/cgroup"));
    }
}
