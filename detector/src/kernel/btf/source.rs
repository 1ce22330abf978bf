//! Getting the bytes: from the kernel, or from a file that the user names.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::error::BtfError;

/// Where a kernel with `CONFIG_DEBUG_INFO_BTF` shows its own BTF; a module's lies beside it under its name.
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// More than this is not read: kernels have 3 to 10 MB, and a wrong `--btf /dev/zero` shall not eat the host's memory.
pub const MAX_BTF_BYTES: u64 = 256 << 20;

/// All bytes of a BTF file. Errors name the file and the remedy.
pub fn read_kernel_btf(path: &Path) -> Result<Vec<u8>, BtfError> {
    read_bounded(path, MAX_BTF_BYTES)
}

fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, BtfError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => BtfError::NotThere { path: path.to_owned() },
        _ => BtfError::Unreadable { path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(unreadable)?;
    let expected = file.metadata().map_err(unreadable)?.len().min(limit);
    // One byte more than expected: the read that finds the end needs no second allocation.
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0).saturating_add(1));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= limit) {
        Ok(bytes)
    } else {
        Err(BtfError::TooBig { path: path.to_owned(), limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_the_remedy() {
        let error = read_kernel_btf(Path::new("/nonexistent/btf/vmlinux")).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, BtfError::NotThere { .. }));
        for part in ["/nonexistent/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF", "--btf FILE"] {
            assert!(text.contains(part), "{part} in: {text}");
        }
    }

    #[test]
    fn a_directory_is_unreadable_and_named() {
        let error = read_kernel_btf(Path::new("/proc/self")).unwrap_err();
        assert!(matches!(error, BtfError::Unreadable { .. }));
        assert!(error.to_string().contains("/proc/self"));
    }

    #[test]
    fn a_file_without_end_is_not_read_to_it() {
        let error = read_bounded(Path::new("/dev/zero"), 5000).unwrap_err();
        assert!(matches!(error, BtfError::TooBig { limit: 5000, .. }), "{error}");
    }

    #[test]
    fn a_file_comes_back_whole() {
        // Its size is said to be 0, as that of many files which the kernel makes on the fly.
        let bytes = read_kernel_btf(Path::new("/proc/self/maps")).unwrap();
        assert!(bytes.len() > 100, "{} bytes", bytes.len());
    }
}
