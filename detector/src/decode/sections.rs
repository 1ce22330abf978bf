//! The variable parts of a record: each is looked up by its kind, checked against the bytes that there are, and what
//! is cut or could not be read is remembered.

use detector_common::record::exec::{self as record, ExecRecord, SectionKind, section_status};
use zerocopy::FromBytes;

use super::{
    DecodeError,
    exec::{padded, refilled},
};
use crate::event::{Ancestor, Arguments, BootClock, Cgroup, Cgroups, Completeness, Path};

/// The variable parts of a record.
pub(super) struct Sections<'a> {
    pub(super) fixed: &'a ExecRecord,
    pub(super) tail: &'a [u8],
    /// What of them was not whole, so far.
    pub(super) completeness: Completeness,
}

impl<'a> Sections<'a> {
    const fn name(kind: SectionKind) -> &'static str {
        match kind {
            SectionKind::Filename => "filename",
            SectionKind::Interp => "interpreter",
            SectionKind::ExePath => "exe_path",
            SectionKind::Cwd => "cwd",
            SectionKind::Argv => "argv",
            SectionKind::Env => "env",
            SectionKind::Ancestors => "ancestors",
            SectionKind::CgroupUnified => "cgroup_unified",
            SectionKind::CgroupCpuset => "cgroup_cpuset",
            SectionKind::CgroupCpu => "cgroup_cpu",
            SectionKind::CgroupCpuacct => "cgroup_cpuacct",
            SectionKind::CgroupIo => "cgroup_io",
            SectionKind::CgroupMemory => "cgroup_memory",
            SectionKind::CgroupPids => "cgroup_pids",
            SectionKind::StdinPath => "stdin",
            SectionKind::StdoutPath => "stdout",
            SectionKind::StderrPath => "stderr",
            SectionKind::AncestorExe0
            | SectionKind::AncestorExe1
            | SectionKind::AncestorExe2
            | SectionKind::AncestorExe3
            | SectionKind::AncestorExe4
            | SectionKind::AncestorExe5
            | SectionKind::AncestorExe6
            | SectionKind::AncestorExe7 => "ancestor_exe",
            SectionKind::Subject => "second_file",
            SectionKind::SubjectPath => "mapped_path",
            SectionKind::Dropper => "dropper",
        }
    }

    /// Bytes and completeness of a section; `None` when there is none, or nothing of it could be read.
    pub(super) fn part(&mut self, kind: SectionKind) -> Result<Option<(&'a [u8], bool)>, DecodeError> {
        let name = Self::name(kind);
        let mut section = self.fixed.sections[kind as usize];
        if section.status == section_status::SAME_AS {
            let target = section.same_as;
            section = *self
                .fixed
                .sections
                .get(usize::from(target))
                .filter(|other| other.status != section_status::SAME_AS)
                .ok_or(DecodeError::SectionReference { section: name, target })?;
        }
        let offset = usize::from(section.offset);
        let end = offset + usize::from(section.len);
        let outside = DecodeError::SectionOutside { section: name, offset, end, tail: self.tail.len() };
        let bytes = self.tail.get(offset..end).ok_or(outside)?;
        match section.status {
            section_status::ABSENT => Ok(None),
            section_status::COMPLETE => Ok(Some((bytes, true))),
            section_status::TRUNCATED => {
                self.completeness.truncated.push(name);
                Ok(Some((bytes, false)))
            }
            section_status::FAILED => {
                self.completeness.failed.push(name);
                Ok((!bytes.is_empty()).then_some((bytes, false)))
            }
            status => Err(DecodeError::SectionStatus { section: name, status }),
        }
    }

    pub(super) fn bytes(
        &mut self,
        kind: SectionKind,
        spare: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, DecodeError> {
        Ok(self.part(kind)?.map(|(bytes, _)| refilled(spare.unwrap_or_default(), bytes)))
    }

    pub(super) fn path(
        &mut self,
        kind: SectionKind,
        spare: Option<Path>,
    ) -> Result<Option<Path>, DecodeError> {
        Ok(self.part(kind)?.map(|(bytes, complete)| spare.unwrap_or_default().refilled(bytes, complete)))
    }

    pub(super) fn arguments(
        &mut self,
        kind: SectionKind,
        given: u32,
        spare: Option<Arguments>,
    ) -> Result<Option<Arguments>, DecodeError> {
        Ok(self.part(kind)?.map(|(bytes, complete)| Arguments {
            area: refilled(spare.unwrap_or_default().area, bytes),
            given,
            truncated: !complete,
        }))
    }

    pub(super) fn ancestors(
        &mut self,
        clock: BootClock,
        into: &mut Vec<Ancestor>,
    ) -> Result<(), DecodeError> {
        let bytes = self.part(SectionKind::Ancestors)?.map_or(&[][..], |(bytes, _)| bytes);
        let each = bytes.chunks_exact(size_of::<record::Ancestor>());
        into.resize_with(each.len(), Ancestor::default);
        let each = each.filter_map(|chunk| record::Ancestor::read_from_bytes(chunk).ok());
        let mut exes = SectionKind::ANCESTOR_EXES.into_iter();
        for (ancestor, from) in into.iter_mut().zip(each) {
            let old = std::mem::take(ancestor);
            *ancestor = Ancestor {
                pid: from.pid,
                tid: from.tid,
                vpid: from.vpid,
                sid: from.sid,
                pgid: from.pgid,
                euid: from.euid,
                comm: padded(old.comm, &from.comm),
                start_ns: clock.time_of(from.start_boot_ns),
                start_boot_ns: from.start_boot_ns,
                exe_path: match exes.next() {
                    Some(kind) => self.path(kind, old.exe_path)?,
                    None => None,
                },
                details: None,
            };
        }
        Ok(())
    }

    pub(super) fn cgroups(&mut self, Cgroups(cgroups): &mut Cgroups) -> Result<(), DecodeError> {
        const HIERARCHIES: [(SectionKind, &str); 7] = [
            (SectionKind::CgroupUnified, ""),
            (SectionKind::CgroupCpuset, "cpuset"),
            (SectionKind::CgroupCpu, "cpu"),
            (SectionKind::CgroupCpuacct, "cpuacct"),
            (SectionKind::CgroupIo, "blkio"),
            (SectionKind::CgroupMemory, "memory"),
            (SectionKind::CgroupPids, "pids"),
        ];
        cgroups.reserve(HIERARCHIES.len().saturating_sub(cgroups.len()));
        let mut used = 0;
        for (kind, controller) in HIERARCHIES {
            let Some((bytes, complete)) = self.part(kind)? else { continue };
            if used == cgroups.len() {
                cgroups.push(Cgroup { controller, path: Vec::new(), complete });
            }
            let cgroup = &mut cgroups[used];
            let path = Path { bytes: std::mem::take(&mut cgroup.path), complete }.refilled(bytes, complete);
            *cgroup = Cgroup { controller, path: path.bytes, complete };
            used += 1;
        }
        cgroups.truncate(used);
        Ok(())
    }
}
