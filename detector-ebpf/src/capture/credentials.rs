//! Credentials after the exec, and the ids as seen inside the user namespace.

use detector_common::{
    limits::ID_MAP_EXTENTS,
    record::exec::{Credentials, ExecRecord, known},
};

use crate::{
    kernel_read::{Address, Block, Fault, copy, embedded, follow, read},
    settings::offset,
};

/// `struct uid_gid_extent`: three `u32`, since 3.5.
const EXTENT_BYTES: usize = 12;
/// "Not mapped", and "could not be read".
pub(crate) const NOBODY: u32 = u32::MAX;

/// Fills `record.credentials`.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, block: &mut Block<24>, task: Address) {
    record.credentials = Credentials {
        cap_inheritable: 0,
        cap_permitted: 0,
        cap_effective: 0,
        cap_bounding: 0,
        cap_ambient: 0,
        uid: NOBODY,
        gid: NOBODY,
        suid: NOBODY,
        sgid: NOBODY,
        euid: NOBODY,
        egid: NOBODY,
        fsuid: NOBODY,
        fsgid: NOBODY,
        inner_uid: NOBODY,
        inner_gid: NOBODY,
        user_ns_level: 0,
        reserved: 0,
    };
    let Ok(cred) = follow(task, offset!(task_cred)) else {
        return;
    };
    let from = offset!(cred_uid);
    if block.fill(cred, from).is_err() {
        return;
    }
    let facts = &mut record.credentials;
    block.copy(&mut facts.uid, from, offset!(cred_uid));
    block.copy(&mut facts.gid, from, offset!(cred_gid));
    block.copy(&mut facts.suid, from, offset!(cred_suid));
    block.copy(&mut facts.sgid, from, offset!(cred_sgid));
    block.copy(&mut facts.fsuid, from, offset!(cred_fsuid));
    block.copy(&mut facts.fsgid, from, offset!(cred_fsgid));
    block.copy(&mut facts.egid, from, offset!(cred_egid));
    if block.copy(&mut facts.euid, from, offset!(cred_euid)) {
        record.known |= known::IDS;
    }
    block.copy(&mut facts.cap_inheritable, from, offset!(cred_cap_inheritable));
    block.copy(&mut facts.cap_bounding, from, offset!(cred_cap_bounding));
    block.copy(&mut facts.cap_ambient, from, offset!(cred_cap_ambient));
    block.copy(&mut facts.cap_permitted, from, offset!(cred_cap_permitted));
    if block.copy(&mut facts.cap_effective, from, offset!(cred_cap_effective)) {
        record.known |= known::CAPS;
    }
    if inner_ids(&mut record.credentials, cred).is_ok() {
        record.known |= known::INNER_IDS;
    }
}

#[inline(always)]
fn inner_ids(facts: &mut Credentials, cred: Address) -> Result<(), Fault> {
    let user_ns = follow(cred, offset!(cred_user_ns))?;
    copy(&mut facts.user_ns_level, user_ns, offset!(user_ns_level));
    facts.inner_uid = inner_id(user_ns, offset!(user_ns_uid_map), facts.euid)?;
    facts.inner_gid = inner_id(user_ns, offset!(user_ns_gid_map), facts.egid)?;
    Ok(())
}

/// A kernel id as the user namespace shows it; [`NOBODY`] = not mapped. Long maps (more than [`ID_MAP_EXTENTS`]
/// extents) lie elsewhere and are a [`Fault`].
#[inline(always)]
pub(crate) fn inner_id(user_ns: Address, map: u32, id: u32) -> Result<u32, Fault> {
    let map = embedded(user_ns, map)?;
    let count: u32 = read(map, offset!(id_map_nr_extents))?;
    if count as usize > ID_MAP_EXTENTS {
        return Err(Fault::Absent);
    }
    let extents = embedded(map, offset!(id_map_extent))?;
    let mut index = 0;
    while index < ID_MAP_EXTENTS {
        if index >= count as usize {
            break;
        }
        let [first, lower, length]: [u32; 3] = read(extents.wrapping_add(index * EXTENT_BYTES), 0)?;
        if id.wrapping_sub(lower) < length {
            return Ok(first.wrapping_add(id.wrapping_sub(lower)));
        }
        index += 1;
    }
    Ok(NOBODY)
}
