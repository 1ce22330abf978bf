//! `evt.arg.flags` of Falco: what the kernel side found about the executed file, one bit each, in Falco's order.

/// The new credentials may write the file or change its mode.
pub const EXE_WRITABLE: u32 = 0x1;
/// The file lives in an overlay's upper layer.
pub const EXE_UPPER_LAYER: u32 = 0x2;
/// The file is an anonymous memory file.
pub const EXE_FROM_MEMFD: u32 = 0x4;
/// The file lives in an overlay's lower layer, untouched.
pub const EXE_LOWER_LAYER: u32 = 0x8;
