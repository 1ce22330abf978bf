//! What descriptors 0, 1 and 2 are: a shell that reads a pipe tells another story than one on a terminal.

use detector_common::record::exec::{ExecRecord, StdioFacts, known};

use crate::{
    kernel_read::{Address, Fault, follow, read},
    settings::offset,
};

const CLOSED: StdioFacts = StdioFacts { ino: 0, sb_magic: 0, mode: 0, reserved: 0 };

/// Fills `record.stdio`.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address) {
    record.stdio = [CLOSED; 3];
    let Ok((table, size)) = table(task) else {
        return;
    };
    record.known |= known::STDIO;
    if size >= 1 {
        record.stdio[0] = descriptor(table, 0).unwrap_or(CLOSED);
    }
    if size >= 2 {
        record.stdio[1] = descriptor(table, 1).unwrap_or(CLOSED);
    }
    if size >= 3 {
        record.stdio[2] = descriptor(table, 2).unwrap_or(CLOSED);
    }
}

#[inline(always)]
fn table(task: Address) -> Result<(Address, u32), Fault> {
    let files = follow(task, offset!(task_files))?;
    let fdt = follow(files, offset!(files_fdt))?;
    Ok((follow(fdt, offset!(fdtable_fd))?, read(fdt, offset!(fdtable_max_fds))?))
}

#[inline(always)]
fn descriptor(table: Address, number: u32) -> Result<StdioFacts, Fault> {
    let inode = follow(follow(table, number * 8)?, offset!(file_f_inode))?;
    let mode: u16 = read(inode, offset!(inode_mode))?;
    let sb = follow(inode, offset!(inode_sb))?;
    Ok(StdioFacts {
        ino: read(inode, offset!(inode_ino))?,
        sb_magic: read(sb, offset!(sb_magic))?,
        mode: mode as u32,
        reserved: 0,
    })
}
