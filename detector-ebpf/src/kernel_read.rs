//! The only place that reads kernel memory. Every read is checked by the kernel (`bpf_probe_read_kernel`), so any
//! address is allowed and a bad one is an error, never a crash.

use core::mem::size_of;

use aya_ebpf::helpers::{bpf_probe_read_kernel, generated};
use detector_common::kernel_offsets::ABSENT;

/// An address in kernel memory.
pub(crate) type Address = *const u8;

/// Why a fact could not be read.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// This kernel's structs have no such member.
    Absent,
    /// The kernel refused the read, or a pointer on the way was null.
    Read,
}

/// Reads the member of type `T` at `offset` of the struct at `base`.
#[inline(always)]
pub(crate) fn read<T: Copy>(base: Address, offset: u32) -> Result<T, Fault> {
    if offset == ABSENT {
        return Err(Fault::Absent);
    }
    // SAFETY: bpf_probe_read_kernel checks the address and fails instead of faulting; T is plain data (Copy, and
    // only integers and raw pointers are asked for).
    unsafe { bpf_probe_read_kernel(base.wrapping_add(offset as usize).cast::<T>()) }.map_err(|_| Fault::Read)
}

/// Reads the member of type `T` at `offset` of the struct at `base`, which must be a pointer whose type the verifier
/// knows: an argument of a typed tracepoint, or what was read from there in this way. Needs no call; the kernel makes the
/// value 0 where the address is bad.
#[inline(always)]
pub(crate) fn typed<T: Copy>(base: Address, offset: u32) -> T {
    // SAFETY: the verifier accepts this load only with a type and a member that it knows, and guards it against faults.
    unsafe { core::ptr::read_volatile(base.wrapping_add(offset as usize).cast::<T>()) }
}

/// Reads a pointer member; null is a [`Fault`].
#[inline(always)]
pub(crate) fn follow(base: Address, offset: u32) -> Result<Address, Fault> {
    let pointer: Address = read(base, offset)?;
    if pointer.is_null() { Err(Fault::Read) } else { Ok(pointer) }
}

/// Reads a pointer member; null where it cannot be read. Through memory, and no `Result`: of an error LLVM leaves the value
/// undefined, and the verifier refuses to see it used.
#[inline(always)]
pub(crate) fn pointer(base: Address, offset: u32) -> Address {
    let mut pointer: Address = core::ptr::null();
    copy(&mut pointer, base, offset);
    pointer
}

/// Address of a member that is embedded in the struct at `base`.
#[inline(always)]
pub(crate) fn embedded(base: Address, offset: u32) -> Result<Address, Fault> {
    if offset == ABSENT { Err(Fault::Absent) } else { Ok(base.wrapping_add(offset as usize)) }
}

/// Copies a member into the record. On a fault the kernel zeroes the destination, so the caller only has to remember
/// that it failed; straight into map memory, as each value that is held in a register through a branch doubles
/// what the verifier must look at.
#[inline(always)]
pub(crate) fn copy<T: Copy>(destination: &mut T, base: Address, offset: u32) -> bool {
    if offset == ABSENT {
        return false;
    }
    let destination: *mut T = destination;
    // SAFETY: the destination is a T; the helper checks the source.
    let status = unsafe {
        generated::bpf_probe_read_kernel(
            destination.cast(),
            size_of::<T>() as u32,
            base.wrapping_add(offset as usize).cast(),
        )
    };
    status == 0
}

/// Sets a struct of whole words to zero, word by word: the compiler's own way is a loop over bytes.
#[inline(always)]
pub(crate) fn clear<T>(of: &mut T) {
    const { assert!(size_of::<T>() % 8 == 0) };
    let words: *mut T = of;
    let words: *mut u64 = words.cast();
    let mut index = 0;
    while index < size_of::<T>() / 8 {
        // SAFETY: within the struct, whose words are aligned; only structs of numbers and addresses are cleared.
        unsafe { core::ptr::write_volatile(words.add(index), 0) };
        index += 1;
    }
}

/// Some bytes of a struct, read at once: a call of the kernel costs far more than the bytes. Members that lie outside are
/// read one by one, so the size is a matter of speed only.
#[repr(C, align(8))]
pub(crate) struct Block<const N: usize> {
    bytes: [u64; N],
    base: Address,
}

impl<const N: usize> Block<N> {
    /// Reads the struct at `base` from the member at `from` on.
    #[inline(always)]
    pub(crate) fn fill(&mut self, base: Address, from: u32) -> Result<(), Fault> {
        self.base = base;
        if copy(&mut self.bytes, base, from) { Ok(()) } else { Err(Fault::Read) }
    }

    /// The pointer at `offset` of the struct; null also where there is none. `from` is as given to [`Self::fill`], where
    /// the verifier can see that it is a constant. No `Result`: LLVM leaves the value of an error undefined, and moves
    /// it about where the verifier does not allow that.
    #[inline(always)]
    pub(crate) fn address(&self, from: u32, offset: u32) -> Address {
        let mut address: Address = core::ptr::null();
        self.copy(&mut address, from, offset);
        address
    }

    /// Copies the member of type `T` at `offset` into the record.
    #[inline(always)]
    pub(crate) fn copy<T: Copy>(&self, destination: &mut T, from: u32, offset: u32) -> bool {
        if offset == ABSENT {
            return false;
        }
        let at = offset.wrapping_sub(from) as usize;
        if at > size_of::<[u64; N]>() - size_of::<T>() {
            return copy(destination, self.base, offset);
        }
        // SAFETY: within the bytes, just checked; members of structs are aligned, and so is `from`. Volatile, or it would
        // become a load of each single byte.
        *destination =
            unsafe { core::ptr::read_volatile(self.bytes.as_ptr().cast::<u8>().add(at).cast::<T>()) };
        true
    }
}

/// Copies the C string at `source` to `destination`; the count includes the NUL.
///
/// # Safety
/// `destination` must be valid for `N` bytes.
#[inline(always)]
pub(crate) unsafe fn read_str<const N: usize>(destination: *mut u8, source: Address) -> Result<u32, Fault> {
    // SAFETY: the caller vouches for the destination; the helper checks the source.
    let read = unsafe { generated::bpf_probe_read_kernel_str(destination.cast(), N as u32, source.cast()) };
    if read > 0 { Ok(read as u32) } else { Err(Fault::Read) }
}

/// Copies `length` bytes of user memory to `destination`.
///
/// # Safety
/// `destination` must be valid for `length` bytes, and the verifier must know an upper bound of `length`.
#[inline(always)]
pub(crate) unsafe fn read_user(destination: *mut u8, length: u32, source: u64) -> Result<(), Fault> {
    // SAFETY: the caller vouches for the destination; the helper checks the source.
    let status = unsafe { generated::bpf_probe_read_user(destination.cast(), length, source as *const _) };
    if status == 0 { Ok(()) } else { Err(Fault::Read) }
}
