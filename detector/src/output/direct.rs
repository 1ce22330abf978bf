//! Standard output without a thread hop, where the kernel promises that the write does not wait.
//!
//! The promise is one of the write itself (`RWF_NOWAIT` on a pipe, `MSG_DONTWAIT` on a socket), not of a `poll` before
//! it: whoever shares the pipe could fill it in between. `O_NONBLOCK` is no choice, as it would change the file for all
//! processes that share it. Where there is no such promise (terminals, files, pipes of kernels before 6.4) the
//! line goes through the queue.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

/// What of a pipe is written whole or not at all.
const PIPE_BUF: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pipe,
    Socket,
}

/// A file that can be written without waiting.
pub(super) struct Direct {
    fd: OwnedFd,
    kind: Kind,
    works: AtomicBool,
}

impl Direct {
    /// `None` when this kind of file makes no promise.
    pub(super) fn new(fd: OwnedFd) -> Option<Self> {
        let mode = nix::sys::stat::fstat(&fd).ok()?.st_mode & libc::S_IFMT;
        let kind = match mode {
            libc::S_IFIFO => Kind::Pipe,
            libc::S_IFSOCK => Kind::Socket,
            _ => return None,
        };
        Some(Self { fd, kind, works: AtomicBool::new(true) })
    }

    /// Writes what fits at once, and answers how much that is.
    pub(super) fn write(&self, bytes: &[u8]) -> usize {
        // A longer line could be torn by whoever else writes into the pipe.
        if bytes.len() > PIPE_BUF || !self.works.load(Ordering::Relaxed) {
            return 0;
        }
        let fd = self.fd.as_raw_fd();
        let written = match self.kind {
            Kind::Pipe => {
                let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
                // SAFETY: `part` describes `bytes`, which outlives the call and is only read by it.
                unsafe { libc::pwritev2(fd, &raw const part, 1, -1, libc::RWF_NOWAIT) }
            }
            Kind::Socket => {
                let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
                // SAFETY: pointer and length are those of `bytes`, which outlives the call.
                unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) }
            }
        };
        usize::try_from(written).unwrap_or_else(|_| {
            // The queue's thread meets the same error, if it is one, and reports it.
            if io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock {
                self.works.store(false, Ordering::Relaxed);
            }
            0
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, pipe},
        os::unix::net::UnixStream,
    };

    use super::Direct;

    #[test]
    fn files_make_no_promise() {
        assert!(Direct::new(tempfile::tempfile().unwrap().into()).is_none());
    }

    #[test]
    fn a_full_socket_takes_nothing_and_does_not_wait() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let direct = Direct::new(ours.into()).unwrap();
        let line = [b'x'; 1000];
        let mut sent = 0;
        loop {
            let written = direct.write(&line);
            sent += written;
            if written < line.len() {
                break;
            }
        }
        drop(direct);
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).unwrap();
        assert_eq!(got.len(), sent);
    }

    #[test]
    fn a_full_pipe_takes_nothing_and_does_not_wait() {
        let (mut reader, writer) = pipe().unwrap();
        let direct = Direct::new(writer.into()).unwrap();
        let line = [b'x'; 1000];
        let mut sent = 0;
        while direct.write(&line) == line.len() {
            sent += line.len();
        }
        // Zero on kernels without the promise, where everything goes through the queue.
        assert!(sent == 0 || sent >= 60_000, "{sent}");
        assert_eq!(direct.write(&[b'x'; 5000]), 0, "longer than what is written whole");
        drop(direct);
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        assert_eq!(got.len(), sent);
    }
}
