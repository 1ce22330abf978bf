//! What every case starts with: a name that nothing else has, and an agent, or the reason why there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Agent;
use crate::not_run::{Reason, not_run};

/// A file name that no other case or run uses. The number comes first within the 15 bytes that the kernel keeps of a
/// name, so that comm is unique too.
#[must_use]
pub fn marker(theme: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("d{number}-{}-{theme}", std::process::id())
}

/// The name as the kernel keeps it (comm): 15 bytes.
#[must_use]
pub fn comm_of(name: &str) -> &str {
    &name[..name.len().min(15)]
}

/// The shared agent for the case `name`; `None`, and the case is listed as not run, without root.
#[track_caller]
#[must_use]
pub fn agent_for(name: &str) -> Option<Arc<Agent>> {
    if has_root(name) { Some(Agent::shared()) } else { None }
}

/// Whether this is root; otherwise the case is listed as not run.
#[track_caller]
#[must_use]
pub fn has_root(name: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        not_run(name, Reason::Missing, "needs root");
    }
    root
}
