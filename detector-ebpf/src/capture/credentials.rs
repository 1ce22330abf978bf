//! Credentials after the exec, and the ids as seen inside the user namespace.

use detector_common::{
    limits::ID_MAP_EXTENTS,
    record::exec::{Credentials, ExecRecord, known},
};

use crate::{
    kernel_read::{Address, Fault, embedded, follow, read},
    settings::offset,
};

/// `struct uid_gid_extent`: three `u32`, since 3.5.
const EXTENT_BYTES: usize = 12;

/// Fills `record.credentials`.
#[inline(always)]
pub(crate) fn capture(record: &mut ExecRecord, task: Address) {
    let Ok(cred) = follow(task, offset!(task_cred)) else {
        record.credentials = NOBODY;
        return;
    };
    let mut facts = Credentials {
        cap_inheritable: read(cred, offset!(cred_cap_inheritable)).unwrap_or(0),
        cap_permitted: 0,
        cap_effective: 0,
        cap_bounding: read(cred, offset!(cred_cap_bounding)).unwrap_or(0),
        cap_ambient: read(cred, offset!(cred_cap_ambient)).unwrap_or(0),
        uid: read(cred, offset!(cred_uid)).unwrap_or(u32::MAX),
        gid: read(cred, offset!(cred_gid)).unwrap_or(u32::MAX),
        suid: read(cred, offset!(cred_suid)).unwrap_or(u32::MAX),
        sgid: read(cred, offset!(cred_sgid)).unwrap_or(u32::MAX),
        euid: read(cred, offset!(cred_euid)).unwrap_or(u32::MAX),
        egid: read(cred, offset!(cred_egid)).unwrap_or(u32::MAX),
        fsuid: read(cred, offset!(cred_fsuid)).unwrap_or(u32::MAX),
        fsgid: read(cred, offset!(cred_fsgid)).unwrap_or(u32::MAX),
        inner_uid: u32::MAX,
        inner_gid: u32::MAX,
        user_ns_level: 0,
        reserved: 0,
    };
    if let (Ok(permitted), Ok(effective)) =
        (read(cred, offset!(cred_cap_permitted)), read(cred, offset!(cred_cap_effective)))
    {
        facts.cap_permitted = permitted;
        facts.cap_effective = effective;
        record.known |= known::CAPS;
    }
    if let Ok(user_ns) = follow(cred, offset!(cred_user_ns)) {
        facts.user_ns_level = read(user_ns, offset!(user_ns_level)).unwrap_or(0);
        if let (Ok(uid), Ok(gid)) = (
            inner_id(user_ns, offset!(user_ns_uid_map), facts.euid),
            inner_id(user_ns, offset!(user_ns_gid_map), facts.egid),
        ) {
            facts.inner_uid = uid;
            facts.inner_gid = gid;
            record.known |= known::INNER_IDS;
        }
    }
    record.credentials = facts;
}

const NOBODY: Credentials = Credentials {
    cap_inheritable: 0,
    cap_permitted: 0,
    cap_effective: 0,
    cap_bounding: 0,
    cap_ambient: 0,
    uid: u32::MAX,
    gid: u32::MAX,
    suid: u32::MAX,
    sgid: u32::MAX,
    euid: u32::MAX,
    egid: u32::MAX,
    fsuid: u32::MAX,
    fsgid: u32::MAX,
    inner_uid: u32::MAX,
    inner_gid: u32::MAX,
    user_ns_level: 0,
    reserved: 0,
};

/// A kernel id as the user namespace shows it; `u32::MAX` = not mapped. Long maps (more than
/// [`ID_MAP_EXTENTS`] extents) lie elsewhere and are a [`Fault`].
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
    Ok(u32::MAX)
}
