//! What an executed program can see of itself: the other witness that alerts are compared with.

use std::fs;
use std::io::{Error, Result};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Where containers of the tests have the host's `/proc`: ids read through it are those of the host.
pub const HOST_PROC: &str = "/host-proc";

/// One process about itself. Times are nanoseconds; those of starts have the resolution of `/proc` (a clock tick).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Process id in the host's namespace; absent without [`HOST_PROC`].
    pub host_pid: Option<i64>,
    /// Process id in its own namespace.
    pub vpid: i64,
    /// Names (comm) of the parent, its parent and so on up to the host's first process; empty without [`HOST_PROC`].
    pub ancestors: Vec<String>,
    /// Name of the process that leads the session: the oldest of the unbroken chain of equal session ids.
    pub session_name: Option<String>,
    /// Kernel name of the process.
    pub comm: String,
    /// Each argument in hexadecimal digits: they need not be text.
    pub arguments: Vec<String>,
    /// Working directory.
    pub cwd: String,
    /// The executed file as the kernel names it, with the kernel's " (deleted)".
    pub exe: String,
    /// Inode number of the executed file.
    pub inode: u64,
    /// Change time of the executed file, since the epoch.
    pub ctime: i128,
    /// Modification time of the executed file, since the epoch.
    pub mtime: i128,
    /// Start of this process (its fork), since the epoch.
    pub start: i128,
    /// Start of the first process of its pid namespace, since the epoch.
    pub namespace_start: i128,
    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Audit login id; 4294967295 when unset, absent on a kernel without audit.
    pub loginuid: Option<u32>,
    /// Controlling terminal as a device number, 0 for none.
    pub tty: i64,
}

impl Facts {
    /// Asks the kernel about the calling process.
    pub fn collect() -> Result<Self> {
        let own = Stat::read("/proc/self/stat")?;
        let file = fs::metadata("/proc/self/exe")?;
        let epoch_at_boot = epoch_at_boot()?;
        let chain = host_chain();
        let session = chain.first().map(|own| own.session);
        let leader =
            chain.iter().take_while(|stat| Some(stat.session) == session && stat.session != 0).last();
        Ok(Self {
            host_pid: chain.first().map(|stat| stat.pid),
            vpid: own.pid,
            ancestors: chain.iter().skip(1).map(|stat| stat.comm.clone()).collect(),
            session_name: leader.map(|stat| stat.comm.clone()),
            comm: own.comm,
            arguments: std::env::args_os().map(|argument| hex(&argument.into_vec())).collect(),
            cwd: lossy(fs::read_link("/proc/self/cwd")?),
            exe: lossy(fs::read_link("/proc/self/exe")?),
            inode: file.ino(),
            ctime: i128::from(file.ctime()) * 1_000_000_000 + i128::from(file.ctime_nsec()),
            mtime: i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec()),
            start: own.start + epoch_at_boot,
            namespace_start: Stat::read("/proc/1/stat")?.start + epoch_at_boot,
            uid: nix::unistd::getuid().as_raw(),
            euid: nix::unistd::geteuid().as_raw(),
            loginuid: fs::read_to_string("/proc/self/loginuid")
                .ok()
                .and_then(|text| text.trim().parse().ok()),
            tty: own.tty,
        })
    }

    /// The facts that a program printed; its output may hold other lines too.
    #[track_caller]
    #[must_use]
    pub fn parse(output: &str) -> Self {
        let all = Self::parse_all(output);
        assert_eq!(all.len(), 1, "expected one line of facts in: {output}");
        all.into_iter().next().unwrap_or_else(|| unreachable!("length was checked"))
    }

    /// All facts among the lines of an output.
    #[must_use]
    pub fn parse_all(output: &str) -> Vec<Self> {
        output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The arguments as text, each invalid byte replaced by U+FFFD.
    #[must_use]
    pub fn arguments_lossy(&self) -> Vec<String> {
        self.arguments.iter().map(|digits| String::from_utf8_lossy(&unhex(digits)).into_owned()).collect()
    }
}

/// The fields of `/proc/PID/stat` that are wanted here.
struct Stat {
    pid: i64,
    comm: String,
    parent: i64,
    session: i64,
    tty: i64,
    /// Since boot.
    start: i128,
}

impl Stat {
    fn read(path: impl AsRef<Path>) -> Result<Self> {
        let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        Self::parse(&text).ok_or_else(|| Error::other(format!("not the line of a process: {text}")))
    }

    /// The name may hold blanks and parentheses: it ends at the last closing one.
    fn parse(text: &str) -> Option<Self> {
        let (pid, rest) = text.split_once(" (")?;
        let (comm, rest) = rest.rsplit_once(") ")?;
        // Counted from the state, which is field 3 of the manual.
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
        let ticks_per_second =
            nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
        Some(Self {
            pid: pid.parse().ok()?,
            comm: comm.to_owned(),
            parent: number(4)?,
            session: number(6)?,
            tty: number(7)?,
            start: i128::from(number(22)?) * (1_000_000_000 / i128::from(ticks_per_second)),
        })
    }
}

/// This process and its ancestors in the host's view; empty without [`HOST_PROC`].
fn host_chain() -> Vec<Stat> {
    let host = Path::new(HOST_PROC);
    let mut chain = Vec::new();
    if !host.join("self/stat").exists() {
        return chain;
    }
    let mut next = host.join("self/stat");
    while chain.len() < 256 {
        // An ancestor may end meanwhile; the chain then ends here.
        let Ok(stat) = Stat::read(&next) else { break };
        let parent = stat.parent;
        chain.push(stat);
        if parent == 0 {
            break;
        }
        next = host.join(parent.to_string()).join("stat");
    }
    chain
}

/// Time of day when the machine was started. Measured several times: the tightest pair of readings is the one between which
/// this process did not lose the processor.
fn epoch_at_boot() -> Result<i128> {
    let mut best: Option<(i128, i128)> = None;
    for _ in 0..16 {
        let before = nanoseconds(ClockId::CLOCK_REALTIME)?;
        let boot = nanoseconds(ClockId::CLOCK_BOOTTIME)?;
        let width = nanoseconds(ClockId::CLOCK_REALTIME)? - before;
        if best.is_none_or(|(tightest, _)| width < tightest) {
            best = Some((width, before + width / 2 - boot));
        }
    }
    best.map(|(_, epoch)| epoch).ok_or_else(|| Error::other("no reading of the clocks"))
}

fn nanoseconds(clock: ClockId) -> Result<i128> {
    let time = clock_gettime(clock)?;
    Ok(i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec()))
}

fn lossy(path: std::path::PathBuf) -> String {
    String::from_utf8_lossy(&path.into_os_string().into_vec()).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blank_and_parenthesis_is_one_field() {
        let line = "42 (a) b) S 7 42 41 34816 0 0 0 0 0 0 0 0 0 0 0 0 0 0 200 0";
        let stat = Stat::parse(line).expect("a good line");
        assert_eq!(
            (stat.pid, stat.comm.as_str(), stat.parent, stat.session, stat.tty),
            (42, "a) b", 7, 41, 34816)
        );
        assert!(stat.start > 0);
    }

    #[test]
    fn arguments_survive_the_way_through_json() {
        let bytes = [0xff, 0x0a, b'x'];
        assert_eq!(unhex(&hex(&bytes)), bytes);
    }
}
