//! What a suite states about itself, in its own file, so that `cargo xtask vm` knows in which guests it has something to
//! show. A suite that states nothing runs on every kernel.

/// The kernel makes no difference to this suite, for the given reason: it is enough to run it on the host's.
#[macro_export]
macro_rules! same_on_every_kernel {
    ($reason:literal) => {
        const _: &str = $reason;
    };
}

/// This suite builds on what others show of each kernel, for the given reason: it is enough to run it on the oldest, the
/// newest and one between.
#[macro_export]
macro_rules! oldest_and_newest_kernel {
    ($reason:literal) => {
        const _: &str = $reason;
    };
}

/// An emulated processor cannot show what this suite is about, for the given reason.
#[macro_export]
macro_rules! not_in_a_virtual_machine {
    ($reason:literal) => {
        const _: &str = $reason;
    };
}

/// What this suite says depends on which security modules are active: it also runs where those are not Debian's.
#[macro_export]
macro_rules! depends_on_security_modules {
    () => {};
}
