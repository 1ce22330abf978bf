//! `EXE_WRITABLE`: could the new credentials write the file or change its mode? The same questions as the kernel
//! asks, in the same order, without ACLs, security modules and idmapped mounts.

use detector_common::{
    exe_flags::EXE_WRITABLE,
    record::exec::{ExecRecord, known},
};

use crate::{
    capture::{
        credentials::{NOBODY, inner_id},
        executable::Executable,
    },
    kernel_read::{Address, Fault, embedded, follow, read},
    maps::Scratch,
    settings::offset,
};

const SB_RDONLY: u64 = 1;
const S_IMMUTABLE: u32 = 1 << 3;
const MNT_READONLY: u32 = 0x40;
const CAP_DAC_OVERRIDE: u64 = 1 << 1;
const CAP_FOWNER: u64 = 1 << 3;

/// Sets the flag; needs `record.exe` and `record.credentials`.
#[inline(always)]
pub(crate) fn capture(scratch: &mut Scratch, task: Address) {
    if scratch.record.known & (known::IDS | known::INODE) != known::IDS | known::INODE {
        return;
    }
    match is_writable(&scratch.record, task, &scratch.work.exe) {
        Ok(true) => {
            scratch.record.exe.flags |= EXE_WRITABLE;
            scratch.record.known |= known::WRITABLE;
        }
        Ok(false) => scratch.record.known |= known::WRITABLE,
        Err(_) => {}
    }
}

#[inline(always)]
fn is_writable(record: &ExecRecord, task: Address, exe: &Executable) -> Result<bool, Fault> {
    let file = &record.exe;
    let who = &record.credentials;
    let sb_flags: u64 = read(exe.sb, offset!(sb_flags))?;
    // Falco looks at the superblock alone; a read-only mount refuses as well.
    if sb_flags & SB_RDONLY != 0 || file.mnt_flags & MNT_READONLY != 0 {
        return Ok(false);
    }
    if read::<u32>(exe.inode, offset!(inode_flags))? & S_IMMUTABLE != 0 {
        return Ok(false);
    }
    if file.uid == NOBODY || file.gid == NOBODY {
        return Ok(false);
    }
    if who.fsuid == file.uid {
        return Ok(true);
    }
    let cred = follow(task, offset!(task_cred))?;
    let mode = file.mode as u32;
    let bits = if who.fsgid == file.gid || in_groups(cred, file.gid)? { mode >> 3 } else { mode };
    if bits & 2 != 0 {
        return Ok(true);
    }
    if who.cap_effective & (CAP_DAC_OVERRIDE | CAP_FOWNER) == 0 {
        return Ok(false);
    }
    let user_ns = follow(cred, offset!(cred_user_ns))?;
    if inner_id(user_ns, offset!(user_ns_uid_map), file.uid)? == NOBODY {
        return Ok(false);
    }
    if who.cap_effective & CAP_FOWNER != 0 {
        return Ok(true);
    }
    Ok(inner_id(user_ns, offset!(user_ns_gid_map), file.gid)? != NOBODY)
}

/// Binary search of the sorted supplementary groups; 65536 groups at most, so 17 steps.
#[inline(always)]
fn in_groups(cred: Address, gid: u32) -> Result<bool, Fault> {
    let info = follow(cred, offset!(cred_group_info))?;
    let gids = embedded(info, offset!(group_info_gid))?;
    let mut low = 0u32;
    let mut high: u32 = read(info, offset!(group_info_ngroups))?;
    let mut step = 0;
    while step < 17 {
        if low >= high {
            return Ok(false);
        }
        let middle = (low + high) / 2;
        let found: u32 = read(gids.wrapping_add(middle as usize * 4), 0)?;
        if found == gid {
            return Ok(true);
        }
        if found < gid {
            low = middle + 1;
        } else {
            high = middle;
        }
        step += 1;
    }
    Ok(false)
}
