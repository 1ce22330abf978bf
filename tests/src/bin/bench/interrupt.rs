//! Ctrl-C: everything that waits gives up, and the normal way out lets go of containers and agents.

use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigHandler, Signal, signal};

use crate::Outcome;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C and SIGTERM do not end this process at once. (Programs that are started have the default again.)
pub(crate) fn watch() -> Outcome<()> {
    extern "C" fn note(_: i32) {
        INTERRUPTED.store(true, Ordering::Relaxed);
    }
    for name in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is allowed at any point of the program.
        unsafe { signal(name, SigHandler::Handler(note)) }?;
    }
    Ok(())
}

/// An error once Ctrl-C was pressed.
pub(crate) fn check() -> Outcome<()> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err("interrupted".into()) } else { Ok(()) }
}
