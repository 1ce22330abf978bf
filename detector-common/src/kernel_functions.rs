//! Functions of the kernel (kfuncs) that the hooks call. A Rust compiler knows no such calls: the object has calls of
//! helpers with these numbers, which no kernel has, and user space puts the right calls in their place before load.

/// `bpf_preempt_disable`
pub const PREEMPT_DISABLE: u32 = 0x4445_0001;
/// `bpf_preempt_enable`
pub const PREEMPT_ENABLE: u32 = 0x4445_0002;
/// `bpf_local_irq_save`
pub const IRQ_SAVE: u32 = 0x4445_0003;
/// `bpf_local_irq_restore`
pub const IRQ_RESTORE: u32 = 0x4445_0004;
