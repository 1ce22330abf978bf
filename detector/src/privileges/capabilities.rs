//! Capabilities: what is needed once the hooks are armed, and nothing else.

use std::str::FromStr as _;

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};

/// Reads roots, namespaces and programs of processes of other users; reads what container engines of other users keep on
/// disk.
const NEEDED: [Capability; 2] = [Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH];

/// A capability by its name, `CAP_...`.
#[must_use]
pub fn parse_capability(name: &str) -> Option<String> {
    Capability::from_str(&name.to_ascii_uppercase()).ok().map(|capability| capability.to_string())
}

/// Whether this thread has the right to mount.
pub(super) fn may_mount() -> bool {
    caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or(false)
}

/// Leaves this thread, and those that it starts, what is needed and what `keep` names. The answer is what it has then, by
/// name. `reads_counters`: whether the counters of the hooks can be read with the rights of the moment.
pub(super) fn reduce(keep: &[String], reads_counters: impl Fn() -> bool) -> Result<Vec<String>, CapsError> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    let besides = keep.iter().filter_map(|name| Capability::from_str(name).ok());
    let mut wanted: CapsHashSet = NEEDED.into_iter().chain(besides).collect();
    wanted.retain(|capability| permitted.contains(capability));

    // Kernels before 6.0 ask for it with every call of bpf(2) where others may not make maps; which of both this is only
    // trying shows.
    let with_bpf = {
        caps::set(None, CapSet::Effective, &wanted)?;
        !reads_counters() && permitted.contains(&Capability::CAP_BPF)
    };
    caps::set(None, CapSet::Effective, &permitted)?;
    if with_bpf {
        wanted.insert(Capability::CAP_BPF);
    }
    // The bounding set first, which takes a capability of its own. Without it a program that runs as root has no more
    // either: there are no new privileges.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        for capability in caps::all().difference(&wanted) {
            // Newer than this kernel.
            let _ = caps::drop(None, CapSet::Bounding, *capability);
        }
    }
    let _ = caps::clear(None, CapSet::Ambient);
    caps::set(None, CapSet::Effective, &wanted)?;
    caps::set(None, CapSet::Permitted, &wanted)?;
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new())?;
    let mut names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::parse_capability;

    #[test]
    fn names_are_those_of_the_manual() {
        assert_eq!(parse_capability("cap_dac_override").as_deref(), Some("CAP_DAC_OVERRIDE"));
        assert_eq!(parse_capability("CAP_BPF").as_deref(), Some("CAP_BPF"));
        assert_eq!(parse_capability("ROOT"), None);
    }
}
