//! Ctrl-C during the demo: everything that waits gives up, and the normal way out cleans up.
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{SigHandler, Signal, signal};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C and SIGTERM do not end this process at once. (Programs that are started have the default again.)
pub(super) fn watch() -> Result<()> {
    extern "C" fn note(_: i32) {
        INTERRUPTED.store(true, Ordering::Relaxed);
    }
    for name in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is allowed at any point of the program.
        unsafe { signal(name, SigHandler::Handler(note)) }.context("cannot watch for Ctrl-C")?;
    }
    Ok(())
}

/// An error once Ctrl-C was pressed.
pub(super) fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}
