//! The running agent gives its rights up, and its self-test takes some: to mount. So a process that is started before keeps
//! them, and does nothing with them but start the sandbox of the test when it is asked to. It reads three descriptors and
//! not a byte more from the agent, so whoever has taken over the agent can have it run the test, and nothing else.

use std::{
    fs::File,
    io::{self, IoSliceMut, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::{net::UnixStream, process::ExitStatusExt as _},
    },
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
};

use nix::sys::{
    prctl::{set_no_new_privs, set_pdeathsig},
    signal::Signal,
    socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg},
};

use super::sandbox;
use crate::exit_code;

/// What comes with each request: standard input, output and error of the sandbox.
const STREAMS: usize = 3;

/// The process. It ends when this value is dropped, and with the agent.
pub struct Keeper {
    child: Child,
    socket: UnixStream,
}

impl Keeper {
    /// Starts it, with the rights that the agent has now.
    pub fn start() -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let child = Command::new("/proc/self/exe")
            .arg("selftest-keeper")
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, socket })
    }

    /// Has a sandbox started with these streams.
    pub(super) fn start_sandbox(&self, streams: &[OwnedFd; STREAMS]) -> io::Result<()> {
        let numbers = streams.each_ref().map(std::os::fd::AsRawFd::as_raw_fd);
        let message = [ControlMessage::ScmRights(&numbers)];
        let bytes = [io::IoSlice::new(&[0])];
        sendmsg::<()>(self.socket.as_raw_fd(), &bytes, &message, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }

    /// Waits for the end of the sandbox.
    pub(super) fn wait(&self) -> io::Result<ExitStatus> {
        let mut status = [0; 4];
        (&self.socket).read_exact(&mut status)?;
        Ok(ExitStatus::from_raw(i32::from_ne_bytes(status)))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `selftest-keeper` does: for each request it starts a sandbox, and says how that ended.
#[must_use]
pub fn keep() -> ExitCode {
    let kept = set_pdeathsig(Signal::SIGKILL)
        .and_then(|()| set_no_new_privs())
        .map_err(io::Error::from)
        .and_then(|()| serve());
    if kept.is_ok() { exit_code::SUCCESS } else { exit_code::FAILURE }
}

fn serve() -> io::Result<()> {
    let requests = io::stdin();
    // SAFETY: standard input is open, and nobody closes it: this is a copy of it to answer on.
    let mut answers = File::from(
        unsafe { std::os::fd::BorrowedFd::borrow_raw(requests.as_raw_fd()) }.try_clone_to_owned()?,
    );
    while let Some(streams) = request(requests.as_raw_fd())? {
        let [stdin, stdout, stderr] = streams;
        let status = sandbox::command().stdin(stdin).stdout(stdout).stderr(stderr).status();
        // One that cannot be started looks like one that failed without a word.
        let status = status.map_or(1 << 8, ExitStatus::into_raw);
        answers.write_all(&status.to_ne_bytes())?;
    }
    Ok(())
}

/// The next request; `None` when nobody can make one any more.
fn request(socket: i32) -> io::Result<Option<[OwnedFd; STREAMS]>> {
    let mut byte = [0];
    let mut bytes = [IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!([i32; STREAMS]);
    let message = recvmsg::<()>(socket, &mut bytes, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    if message.bytes == 0 {
        return Ok(None);
    }
    let mut streams = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            // SAFETY: the kernel has just made these descriptors for us, and nobody else knows them.
            streams.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    streams.try_into().map(Some).map_err(|_| io::ErrorKind::InvalidData.into())
}
