//! The kinds of machine that are emulated, and what differs between them.
use crate::build::Arch;

/// One architecture as Debian, cargo and QEMU name it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// Debian's name of the architecture.
    pub(super) debian: &'static str,
    /// Ours.
    pub(super) arch: Arch,
    /// The emulator, and the package that has it.
    pub(super) qemu: &'static str,
    pub(super) qemu_package: &'static str,
    /// Arguments that choose the board.
    pub(super) board: &'static [&'static str],
    /// The processor that is emulated.
    pub(super) processor: &'static str,
    /// The serial port that the kernel writes to.
    pub(super) console: &'static str,
    /// Kernel parameters of this architecture alone.
    pub(super) parameters: &'static str,
}

pub(super) const AMD64: Machine = Machine {
    debian: "amd64",
    arch: Arch::X86_64,
    qemu: "qemu-system-x86_64",
    qemu_package: "qemu-system-x86",
    board: &["-machine", "q35"],
    // A plain one: what `max` adds (five levels of page tables, SMAP) only costs the emulator time. With the random
    // number instruction, so that nobody waits for entropy.
    processor: "qemu64,+rdrand",
    console: "ttyS0",
    // The TSC is this computer's, and the guest measures its frequency in a moment in which it may not be running: on a
    // busy computer its clock then goes several times too fast. The HPET's frequency is known.
    parameters: "clocksource=hpet no_timer_check",
};

pub(super) const ARM64: Machine = Machine {
    debian: "arm64",
    arch: Arch::Aarch64,
    qemu: "qemu-system-aarch64",
    qemu_package: "qemu-system-arm",
    board: &["-machine", "virt"],
    // Pointer authentication as the architecture has it is a cipher, which costs the emulator more than all else.
    processor: "max,pauth-impdef=on",
    console: "ttyAMA0",
    parameters: "",
};
