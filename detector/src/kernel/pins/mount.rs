//! A bpffs to pin on. Where systemd runs there is one; elsewhere it is mounted, as bpftool does.

use std::{fs, io, path::Path};

use nix::{
    mount::{MsFlags, mount},
    sys::statfs::statfs,
};

use super::{BPF_FS, PinError};

/// Whether this folder is on a bpffs.
pub(super) fn is_bpffs(folder: &Path) -> io::Result<bool> {
    // The type of the number differs by C library and architecture.
    #[expect(clippy::cast_sign_loss, reason = "only its bits are compared")]
    let kind = statfs(folder)?.filesystem_type().0 as u64;
    Ok(kind & 0xffff_ffff == BPF_FS)
}

/// Sees to it that this folder is on a bpffs: mounts one over it where it is empty and there is none.
pub(super) fn ensure_bpffs(folder: &Path) -> Result<(), PinError> {
    let failed = |source| PinError::NoBpffs { folder: folder.to_owned(), source };
    match is_bpffs(folder) {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    if fs::read_dir(folder).map_err(failed)?.next().is_some() {
        return Err(failed(io::Error::other("it is not empty")));
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("bpf"), folder, Some("bpf"), flags, Some("mode=0700"))
        .map_err(|errno| failed(errno.into()))?;
    log::info!("mounted a bpffs over {} for the pinned hooks", folder.display());
    Ok(())
}
