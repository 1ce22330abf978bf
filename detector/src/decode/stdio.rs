//! What the standard descriptors are: the kernel side sends the inode's facts and the dentry's names, here they
//! become a kind and a name.

use std::io::Write as _;

use detector_common::record::exec::{SectionKind, StdioFacts};

use super::{DecodeError, exec::padded, sections::Sections};
use crate::event::{Path, Stdio, StdioFile, StdioKind};

/// `PIPEFS_MAGIC`
const PIPEFS: u64 = 0x5049_5045;
/// `ANON_INODE_FS_MAGIC`
const ANON_INODE: u64 = 0x0904_1934;
/// `PID_FS_MAGIC`
const PIDFS: u64 = 0x5049_4446;

impl Sections<'_> {
    /// Descriptors 0, 1 and 2.
    pub(super) fn stdio(&mut self, spare: Option<Stdio>) -> Result<Option<Stdio>, DecodeError> {
        let mut files = spare.unwrap_or_default();
        let facts = self.fixed.stdio.iter().zip(SectionKind::STDIO_PATHS);
        for (file, (facts, kind)) in files.iter_mut().zip(facts) {
            let spare = file.name.take().unwrap_or_default();
            *file = described(*facts, self.part(kind)?, spare);
        }
        Ok(Some(files))
    }
}

fn described(facts: StdioFacts, names: Option<(&[u8], bool)>, mut spare: Vec<u8>) -> StdioFile {
    let components = names.map_or(&[][..], |(bytes, _)| bytes);
    let kind = kind(facts, components.strip_suffix(b"\0").unwrap_or(components));
    let name = match kind {
        StdioKind::Pipe if facts.sb_magic == PIPEFS => {
            spare.clear();
            // Writing to memory cannot fail.
            let _ = write!(spare, "pipe:[{}]", facts.ino);
            Some(spare)
        }
        _ if facts.sb_magic == ANON_INODE => names.map(|_| padded(spare, components)),
        _ => names.map(|(bytes, complete)| Path { bytes: spare, complete }.refilled(bytes, complete).bytes),
    };
    StdioFile { kind, name }
}

/// By the type bits of `i_mode`; anonymous inodes by the name that the kernel gave them.
fn kind(facts: StdioFacts, name: &[u8]) -> StdioKind {
    match facts.mode & 0o170_000 {
        _ if facts.mode == 0 => StdioKind::Closed,
        _ if facts.sb_magic == ANON_INODE => anonymous(name),
        _ if facts.sb_magic == PIDFS => StdioKind::Pidfd,
        0o100_000 if name.starts_with(b"memfd:") && !name.contains(&0) => StdioKind::Memfd,
        0o100_000 | 0o020_000 | 0o060_000 => StdioKind::File,
        0o040_000 => StdioKind::Directory,
        0o010_000 => StdioKind::Pipe,
        0o140_000 => socket(facts.family),
        _ => StdioKind::Other,
    }
}

fn anonymous(name: &[u8]) -> StdioKind {
    let name = name.strip_suffix(b"\0").unwrap_or(name);
    if name.starts_with(b"bpf-") {
        return StdioKind::Bpf;
    }
    match name {
        b"[eventfd]" => StdioKind::Event,
        b"[eventpoll]" => StdioKind::Eventpoll,
        b"[signalfd]" => StdioKind::Signalfd,
        b"[timerfd]" => StdioKind::Timerfd,
        b"inotify" => StdioKind::Inotify,
        b"[userfaultfd]" => StdioKind::Userfaultfd,
        b"[io_uring]" => StdioKind::IoUring,
        b"[pidfd]" => StdioKind::Pidfd,
        _ => StdioKind::Other,
    }
}

fn socket(family: u32) -> StdioKind {
    match family {
        1 => StdioKind::Unix,
        2 => StdioKind::Ipv4,
        10 => StdioKind::Ipv6,
        16 => StdioKind::Netlink,
        _ => StdioKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use detector_common::record::exec::StdioFacts;

    use super::{ANON_INODE, PIPEFS, described};
    use crate::event::StdioKind;

    fn seen(mode: u32, sb_magic: u64, family: u32, names: &[u8]) -> (StdioKind, Option<String>) {
        let facts = StdioFacts { ino: 77, sb_magic, mode, family };
        let file = described(facts, Some((names, true)), b"old".to_vec());
        (file.kind, file.name.map(|name| String::from_utf8(name).unwrap()))
    }

    #[test]
    fn files_have_their_path() {
        assert_eq!(
            seen(0o020_666, 0x0102_1994, 0, b"null\0dev\0"),
            (StdioKind::File, Some("/dev/null".into()))
        );
        assert_eq!(seen(0o040_755, 0xef53, 0, b"tmp\0"), (StdioKind::Directory, Some("/tmp".into())));
        assert_eq!(seen(0o100_777, 0x0102_1994, 0, b"memfd:x\0"), (StdioKind::Memfd, Some("memfd:x".into())));
    }

    #[test]
    fn a_file_that_only_looks_like_a_memfd_is_a_file() {
        assert_eq!(
            seen(0o100_644, 0x0102_1994, 0, b"memfd:x\0tmp\0"),
            (StdioKind::File, Some("/tmp/memfd:x".into()))
        );
    }

    #[test]
    fn pipes_have_their_inode_number_and_fifos_their_path() {
        assert_eq!(seen(0o010_600, PIPEFS, 0, b"\0"), (StdioKind::Pipe, Some("pipe:[77]".into())));
        assert_eq!(seen(0o010_600, 0xef53, 0, b"f\0tmp\0"), (StdioKind::Pipe, Some("/tmp/f".into())));
    }

    #[test]
    fn sockets_have_their_family() {
        let kind =
            |family| described(StdioFacts { ino: 7, sb_magic: 1, mode: 0o140_777, family }, None, Vec::new());
        assert_eq!(kind(2).kind, StdioKind::Ipv4);
        assert_eq!(kind(10).kind, StdioKind::Ipv6);
        assert_eq!(kind(1).kind, StdioKind::Unix);
        assert_eq!(kind(17).kind, StdioKind::Other);
        assert_eq!(kind(2).name, None);
    }

    #[test]
    fn anonymous_inodes_have_the_kernels_name() {
        assert_eq!(seen(0o600, ANON_INODE, 0, b"[eventfd]\0"), (StdioKind::Event, Some("[eventfd]".into())));
        assert_eq!(seen(0o600, ANON_INODE, 0, b"bpf-map\0").0, StdioKind::Bpf);
    }

    #[test]
    fn a_closed_descriptor_is_known_to_be_closed() {
        assert_eq!(
            described(StdioFacts { ino: 0, sb_magic: 0, mode: 0, family: 0 }, None, Vec::new()).kind,
            StdioKind::Closed
        );
    }
}
