//! `/proc/PID/mountinfo`: what is mounted where for a process.
//!
//! Layout source: `proc_pid_mountinfo(5)`.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Its number, unique on the host.
    pub(super) id: u64,
    /// Where it is mounted, seen from the process's root.
    pub(super) point: PathBuf,
    /// Type of its file system.
    pub(super) kind: String,
    /// Options of its superblock, as its file system wrote them.
    pub(super) options: Vec<u8>,
}

impl Mount {
    pub(super) fn is_overlay(&self) -> bool {
        self.kind == "overlay"
    }
}

/// All lines that can be understood.
pub(super) fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n').filter_map(line).collect()
}

/// The mount that is seen at `/`: the last one there covers the others.
pub(super) fn root(mounts: &[Mount]) -> Option<&Mount> {
    mounts.iter().rev().find(|mount| mount.point == Path::new("/"))
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS TAG... - TYPE SOURCE SUPER-OPTIONS`
fn line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let point = PathBuf::from(OsString::from_vec(unescaped(fields.nth(3)?)));
    fields.find(|field| *field == b"-")?;
    let kind = String::from_utf8_lossy(fields.next()?).into_owned();
    let options = fields.nth(1).map(unescaped).unwrap_or_default();
    Some(Mount { id, point, kind, options })
}

/// The kernel writes blanks, tabs, line ends and backslashes as `\` and three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|digits| digits.iter().all(|digit| (b'0'..b'8').contains(digit)));
        match octal {
            Some(digits) if first == b'\\' => {
                let number = digits.iter().fold(0_u32, |number, digit| number * 8 + u32::from(digit - b'0'));
                bytes.push(u8::try_from(number).unwrap_or(b'?'));
                rest = &after[3..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{parse, root};

    const TABLE: &[u8] = b"1 0 0:2 / / rw - rootfs rootfs rw\n\
        700 1 0:60 / / rw,relatime master:3 - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/u\n\
        701 700 0:61 / /dev\\040shm rw,nosuid - tmpfs shm rw,size=64k\n\
        broken line\n\
        702 700 8:1 /x /data rw shared:1 master:2 - ext4 /dev/sda1 rw\n";

    #[test]
    fn mounts_are_read_and_broken_lines_are_left_out() {
        let mounts = parse(TABLE);
        assert_eq!(mounts.iter().map(|mount| mount.id).collect::<Vec<_>>(), [1, 700, 701, 702]);
        assert_eq!(mounts[2].point, Path::new("/dev shm"));
        assert_eq!((mounts[3].kind.as_str(), mounts[3].is_overlay()), ("ext4", false));
    }

    #[test]
    fn the_last_mount_at_the_root_is_seen() {
        let mounts = parse(TABLE);
        let seen = root(&mounts).unwrap();
        assert!(seen.is_overlay());
        assert_eq!(seen.options, b"rw,lowerdir=/l/A:/l/B,upperdir=/u");
        assert_eq!(root(&parse(b"")), None);
    }
}
