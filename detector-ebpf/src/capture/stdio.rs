//! What descriptors 0, 1 and 2 are: a shell that reads a pipe tells another story than one on a terminal.

use detector_common::{
    kernel_offsets::ABSENT,
    record::exec::{ExecRecord, StdioFacts, known},
};

use crate::{
    kernel_read::{Address, Fault, copy, follow, read},
    settings::offset,
};

/// `S_IFMT`
pub(crate) const TYPE: u32 = 0o170_000;
/// `S_IFSOCK`
pub(crate) const SOCKET: u32 = 0o140_000;

const CLOSED: StdioFacts = StdioFacts { ino: 0, sb_magic: 0, mode: 0, family: 0 };

/// Fills `record.stdio`.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address) {
    record.stdio = [CLOSED; 3];
    if fill(record, task).is_ok() {
        record.known |= known::STDIO;
    }
}

/// The array of open files.
#[inline(always)]
pub(crate) fn table(task: Address) -> Result<Address, Fault> {
    let files = follow(task, offset!(task_files))?;
    let fdt = follow(files, offset!(files_fdt))?;
    follow(fdt, offset!(fdtable_fd))
}

#[inline(always)]
fn fill(record: &mut ExecRecord, task: Address) -> Result<(), Fault> {
    let table = table(task)?;
    // A table has room for 64 descriptors at least.
    for (number, facts) in record.stdio.iter_mut().enumerate() {
        let file: Address = read(table, number as u32 * 8)?;
        if !file.is_null() {
            let inode = follow(file, offset!(file_f_inode))?;
            let mode: u16 = read(inode, offset!(inode_mode))?;
            facts.mode = mode as u32;
            copy(&mut facts.ino, inode, offset!(inode_ino));
            copy(&mut facts.sb_magic, follow(inode, offset!(inode_sb))?, offset!(sb_magic));
            if facts.mode & TYPE == SOCKET {
                let _ = family(facts, inode);
            }
        }
    }
    Ok(())
}

/// The family of the socket whose inode this is: both lie in one `struct socket_alloc`.
#[inline(always)]
fn family(facts: &mut StdioFacts, inode: Address) -> Result<(), Fault> {
    if offset!(socket_inode) == ABSENT {
        return Err(Fault::Absent);
    }
    let socket = inode.wrapping_sub(offset!(socket_inode) as usize);
    let sock = follow(socket, offset!(socket_sk))?;
    let family: u16 = read(sock, offset!(sock_family))?;
    facts.family = family as u32;
    Ok(())
}
