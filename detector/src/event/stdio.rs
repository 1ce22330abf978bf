//! What descriptors 0, 1 and 2 are open on.

/// Type of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StdioKind {
    /// Not open.
    #[default]
    Closed,
    /// A regular file or a device.
    File,
    /// A directory.
    Directory,
    /// A pipe or FIFO.
    Pipe,
    /// A Unix socket.
    Unix,
    /// An IPv4 socket.
    Ipv4,
    /// An IPv6 socket.
    Ipv6,
    /// A netlink socket.
    Netlink,
    /// An eventfd.
    Event,
    /// An epoll descriptor.
    Eventpoll,
    /// A signalfd.
    Signalfd,
    /// A timerfd.
    Timerfd,
    /// An inotify descriptor.
    Inotify,
    /// A userfaultfd.
    Userfaultfd,
    /// An `io_uring` descriptor.
    IoUring,
    /// A pidfd.
    Pidfd,
    /// A BPF object.
    Bpf,
    /// An anonymous memory file.
    Memfd,
    /// Something else.
    Other,
}

impl StdioKind {
    /// Falco's word for it; `None` for a closed descriptor.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Closed => return None,
            Self::File => "file",
            Self::Directory => "directory",
            Self::Pipe => "pipe",
            Self::Unix => "unix",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Netlink => "netlink",
            Self::Event => "event",
            Self::Eventpoll => "eventpoll",
            Self::Signalfd => "signalfd",
            Self::Timerfd => "timerfd",
            Self::Inotify => "inotify",
            Self::Userfaultfd => "userfaultfd",
            Self::IoUring => "io_uring",
            Self::Pidfd => "pidfd",
            Self::Bpf => "bpf",
            Self::Memfd => "memfd",
            Self::Other => "<NA>",
        })
    }
}

/// A standard descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StdioFile {
    /// Its type.
    pub kind: StdioKind,
    /// Path as the process sees it, `pipe:[INODE]`, or the kernel's name of an anonymous file; sockets have none.
    pub name: Option<Vec<u8>>,
}

/// Descriptors 0, 1, 2.
pub type Stdio = [StdioFile; 3];
