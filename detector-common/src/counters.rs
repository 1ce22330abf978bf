//! Reasons why a record was lost or is less than whole. One per-CPU slot each; user space sums them up and shows
//! every one by name.

/// Index into the per-CPU counter array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Counter {
    /// Records handed to the ring buffer.
    Sent = 0,
    /// Records lost because the ring buffer was full.
    RingFull = 1,
    /// Records lost because the scratch space was not there (cannot happen unless the map is gone).
    NoScratch = 2,
    /// Execs whose file could not be judged because a kernel read failed; they are sent with origin `unknown`
    /// when the filter lets them.
    Unreadable = 3,
    /// Records sent with at least one truncated section.
    Truncated = 4,
    /// Records that only the second copy of the program sent: the kernel had kept the exec from the first.
    SecondLook = 5,
    /// Files of which it could not be remembered who opened them for writing.
    WriterForgotten = 6,
    /// Scripts of which it could not be kept until their exec what they are; they are looked up by their names.
    ScriptForgotten = 7,
    /// Files of which it was begun to be remembered who opened them for writing. Beyond [`crate::limits::WRITERS`] each one
    /// makes the oldest be forgotten.
    WriterRemembered = 8,
}

impl Counter {
    /// All counters, in slot order.
    pub const ALL: [Self; 9] = [
        Self::Sent,
        Self::RingFull,
        Self::NoScratch,
        Self::Unreadable,
        Self::Truncated,
        Self::SecondLook,
        Self::WriterForgotten,
        Self::ScriptForgotten,
        Self::WriterRemembered,
    ];

    /// The name shown to users.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::RingFull => "ring_full",
            Self::NoScratch => "no_scratch",
            Self::Unreadable => "unreadable",
            Self::Truncated => "truncated",
            Self::SecondLook => "second_look",
            Self::WriterForgotten => "writer_forgotten",
            Self::ScriptForgotten => "script_forgotten",
            Self::WriterRemembered => "writer_remembered",
        }
    }
}
