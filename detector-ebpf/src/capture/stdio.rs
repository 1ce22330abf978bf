//! What descriptors 0, 1 and 2 are: a shell that reads a pipe tells another story than one on a terminal.

use detector_common::record::exec::{ExecRecord, StdioFacts, known};

use crate::{
    kernel_read::{Address, Fault, copy, follow, read},
    settings::offset,
};

const CLOSED: StdioFacts = StdioFacts { ino: 0, sb_magic: 0, mode: 0, reserved: 0 };

/// Fills `record.stdio`.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address) {
    record.stdio = [CLOSED; 3];
    if table(record, task).is_ok() {
        record.known |= known::STDIO;
    }
}

#[inline(always)]
fn table(record: &mut ExecRecord, task: Address) -> Result<(), Fault> {
    let files = follow(task, offset!(task_files))?;
    let fdt = follow(files, offset!(files_fdt))?;
    let table = follow(fdt, offset!(fdtable_fd))?;
    // A table has room for 64 descriptors at least.
    for (number, facts) in record.stdio.iter_mut().enumerate() {
        let file: Address = read(table, number as u32 * 8)?;
        if !file.is_null() {
            let inode = follow(file, offset!(file_f_inode))?;
            let mode: u16 = read(inode, offset!(inode_mode))?;
            facts.mode = mode as u32;
            copy(&mut facts.ino, inode, offset!(inode_ino));
            copy(&mut facts.sb_magic, follow(inode, offset!(inode_sb))?, offset!(sb_magic));
        }
    }
    Ok(())
}
