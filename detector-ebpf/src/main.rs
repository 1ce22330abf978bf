//! The in-kernel side: judges every exec at `sched_process_exec` from the inode being executed, and sends a record
//! of what the loaded rules can want. Nothing else enters the ring buffer.
#![no_std]
#![feature(asm_experimental_arch)]
#![no_main]

mod capture;
mod emit;
mod filter;
mod hooks;
mod kernel_read;
mod maps;
mod mark;
mod preemption;
mod settings;
mod tail;

// Helpers that read kernel memory are for GPL-compatible programs.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    // An endless loop on purpose: a reachable panic makes the verifier refuse the program.
    loop {}
}
