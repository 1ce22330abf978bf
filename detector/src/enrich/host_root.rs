//! The device of the host's root file system, to tell a service of a host that runs on an overlay from a container.

use std::path::Path;

use super::bounded_read::read_proc;

/// Bytes of `mountinfo` that are read.
const BOUND: usize = 4 << 20;

/// Device of what is mounted at `/` for the host's first process, `major << 20 | minor`; `None` where it cannot be
/// told. From `mountinfo`, because `stat` shows another device on file systems with subvolumes.
pub(super) fn device(host_root: &Path) -> Option<u32> {
    parse(&read_proc(&host_root.join("proc/1/mountinfo"), BOUND).ok()?)
}

/// `ID PARENT MAJOR:MINOR ROOT MOUNT-POINT ...`; the last mount at `/` covers the others.
fn parse(mountinfo: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(mountinfo);
    let mut at_root = text.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let device = fields.nth(2)?;
        (fields.nth(1)? == "/").then_some(device)
    });
    let (major, minor) = at_root.next_back()?.split_once(':')?;
    Some(major.parse::<u32>().ok()? << 20 | minor.parse::<u32>().ok()?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{device, parse};

    #[test]
    fn the_mount_at_the_root_counts() {
        let text = b"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n21 20 0:5 / /proc rw - proc proc rw\n";
        assert_eq!(parse(text), Some(8 << 20 | 1));
        let covered = [text.as_slice(), b"30 1 0:42 /sub / rw - overlay o rw\n"].concat();
        assert_eq!(parse(&covered), Some(42));
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"20 1 x / / rw\n\xff"), None);
    }

    #[test]
    fn this_host_has_one() {
        assert!(device(Path::new("/")).is_some());
        assert_eq!(device(Path::new("/nowhere")), None);
    }
}
