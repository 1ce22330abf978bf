//! What the kernel says about a BPF object in the `fdinfo` of its descriptor.

use std::{
    fs,
    os::fd::{AsRawFd as _, OwnedFd},
};

/// The fact under this name, which ends with a colon.
pub(super) fn fact(object: &OwnedFd, name: &str) -> Option<String> {
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", object.as_raw_fd())).ok()?;
    facts.lines().find_map(|line| line.strip_prefix(name)).map(|fact| fact.trim().to_owned())
}

/// The same, where it is a number.
pub(super) fn number(object: &OwnedFd, name: &str) -> Option<u64> {
    fact(object, name)?.parse().ok()
}
