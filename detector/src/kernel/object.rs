//! The embedded eBPF object on its way into the kernel: its maps are made, its globals set, its calls put right. aya's
//! object reader does the reading; its loader is not used, because it parses the kernel's whole BTF a second time.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use aya_obj::{EbpfSectionKind, Map, Object, btf::BtfFeatures, generated::bpf_insn};
use detector_common::kernel_functions::{IRQ_RESTORE, IRQ_SAVE, PREEMPT_DISABLE, PREEMPT_ENABLE};

use super::{
    KernelError,
    bpf_call::{
        MapAttributes, ProgramKind, ProgramText, freeze, load_btf, load_program, make_map_of, set_first,
        short_name,
    },
    instruction::{CALL, Instruction, KERNEL_FUNCTION, MOV_IMMEDIATE, instruction},
    pins::pin_name,
};

/// `BPF_F_RDONLY_PROG` and `BPF_F_MMAPABLE`
const READ_ONLY_FOR_PROGRAMS: u32 = 1 << 7;
const MAPPABLE: u32 = 1 << 10;
/// The verifier's log grows up to this before we do without its end.
const LARGEST_LOG: usize = 64 * 1024 * 1024;

/// What BTF of 5.10 can say: the object's is reduced to that everywhere. In this order: functions, global ones, sections,
/// empty ones; floats, tags of declarations and of types, wide enums.
const OLDEST_BTF: BtfFeatures = BtfFeatures::new(true, true, true, false, false, false, false, false);

/// BTF ids of the functions of the kernel that switch preemption off and on, and interrupts.
#[derive(Clone, Copy, Debug)]
pub(super) struct PreemptionSwitch {
    pub(super) off: u32,
    pub(super) on: u32,
    /// Not on all kernels that have the others.
    pub(super) interrupts: Option<(u32, u32)>,
}

/// The object with its maps in the kernel.
pub(super) struct LoadedObject {
    object: Object,
    maps: HashMap<String, OwnedFd>,
    /// The object's own types: without them the verifier looks at each function once for every call of it.
    types: OwnedFd,
}

impl LoadedObject {
    /// Reads the object, sets its globals and makes its maps. `sizes` are numbers of elements other than the object's;
    /// `present` are maps of the same making, by their names as pins, that are used instead of new ones.
    pub(super) fn new(
        bytes: &[u8],
        globals: HashMap<&str, (&[u8], bool)>,
        sizes: &[(&str, u32)],
        mut present: HashMap<String, OwnedFd>,
    ) -> Result<Self, KernelError> {
        let mut object = Object::parse(bytes).map_err(bad)?;
        object.patch_map_data(globals).map_err(bad)?;
        let types = object
            .fixup_and_sanitize_btf(&OLDEST_BTF)
            .map_err(bad)?
            .ok_or_else(|| KernelError::BadObject("it describes no types".to_owned()))?
            .to_bytes();
        let types = load_btf(&types)
            .map_err(|error| super::load::not_permitted_or_bad("loading its types", &error))?;
        let mut maps = HashMap::new();
        let described: Vec<(String, Map)> = object.maps.drain().collect();
        for (name, map) in &described {
            let size = sizes.iter().find(|(of, _)| of == name).map_or(map.max_entries(), |(_, size)| *size);
            let map = present.remove(&pin_name(name)).map_or_else(|| make(name, map, size), Ok)?;
            maps.insert(name.clone(), map);
        }
        let text: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
        let known = described.iter().map(|(name, map)| (name.as_str(), maps[name].as_raw_fd(), map));
        object.relocate_maps(known, &text).map_err(bad)?;
        object.relocate_calls(&text).map_err(bad)?;
        Ok(Self { object, maps, types })
    }

    /// All maps, by name.
    pub(super) const fn maps(&self) -> &HashMap<String, OwnedFd> {
        &self.maps
    }

    /// The descriptor of a map.
    pub(super) fn map(&self, name: &'static str) -> Result<&OwnedFd, KernelError> {
        self.maps.get(name).ok_or(KernelError::Missing(name))
    }

    /// The descriptor of a map, once all programs are loaded; can be taken once.
    pub(super) fn take_map(&mut self, name: &'static str) -> Result<OwnedFd, KernelError> {
        self.maps.remove(name).ok_or(KernelError::Missing(name))
    }

    /// Loads a program. Where it was refused the error comes with the verifier's log.
    pub(super) fn load(
        &self,
        name: &'static str,
        kind: ProgramKind,
        switch: Option<PreemptionSwitch>,
    ) -> Result<OwnedFd, (io::Error, String)> {
        let missing = || (io::Error::other(format!("the object has no program `{name}`")), String::new());
        let program = self.object.programs.get(name).ok_or_else(missing)?;
        let function = self.object.functions.get(&program.function_key()).ok_or_else(missing)?;
        let code: Vec<Instruction> =
            function.instructions.iter().map(|&one| put_right(as_number(one), switch)).collect();
        let functions: Vec<[u32; 2]> =
            function.func_info.func_info.iter().map(|info| [info.insn_off, info.type_id]).collect();
        let text = ProgramText {
            kind,
            name,
            license: &program.license,
            instructions: &code,
            types: Some((&self.types, &functions)),
        };
        // The log is only asked for when there is something to explain: it costs time and memory.
        load_program(&text, &mut []).map_err(|error| (error, verifier_log(&text)))
    }
}

fn bad(error: impl std::error::Error) -> KernelError {
    KernelError::BadObject(super::load::with_causes(&error))
}

fn make(name: &str, map: &Map, size: u32) -> Result<OwnedFd, KernelError> {
    let globals = map.section_kind();
    let is_constant = matches!(globals, EbpfSectionKind::Rodata);
    let is_variable = matches!(globals, EbpfSectionKind::Data | EbpfSectionKind::Bss);
    let own_flags = if is_constant {
        READ_ONLY_FOR_PROGRAMS
    } else if is_variable {
        MAPPABLE
    } else {
        0
    };
    let attributes = MapAttributes {
        kind: map.map_type(),
        key_size: map.key_size(),
        value_size: map.value_size(),
        max_entries: size,
        flags: map.map_flags() | own_flags,
        name: short_name(name),
        ..MapAttributes::default()
    };
    let failed = |error: io::Error| super::load::map_failed(name, &error);
    let made = make_map_of(&attributes).map_err(failed)?;
    if is_constant || is_variable {
        set_first(&made, map.data()).map_err(failed)?;
    }
    if is_constant {
        freeze(&made).map_err(failed)?;
    }
    Ok(made)
}

fn as_number(one: bpf_insn) -> Instruction {
    instruction(one.code, one.dst_reg(), one.src_reg(), one.off, one.imm)
}

/// The calls that stand for functions of the kernel become such calls, or nothing.
fn put_right(one: Instruction, switch: Option<PreemptionSwitch>) -> Instruction {
    let stands_for = |number: u32| one == instruction(CALL, 0, 0, 0, number.cast_signed());
    let call = |id: u32| instruction(CALL, 0, KERNEL_FUNCTION, 0, id.cast_signed());
    let interrupts = switch.and_then(|switch| switch.interrupts);
    let functions = [
        (PREEMPT_DISABLE, switch.map(|switch| switch.off)),
        (PREEMPT_ENABLE, switch.map(|switch| switch.on)),
        (IRQ_SAVE, interrupts.map(|(off, _)| off)),
        (IRQ_RESTORE, interrupts.map(|(_, on)| on)),
    ];
    let nothing = instruction(MOV_IMMEDIATE, 0, 0, 0, 0);
    let found = functions.into_iter().find(|(number, _)| stands_for(*number));
    found.map_or(one, |(_, function)| function.map_or(nothing, call))
}

/// Loads once more, for the log.
fn verifier_log(program: &ProgramText<'_>) -> String {
    let mut size = 1024 * 1024;
    loop {
        let mut log = vec![0; size];
        let refused = load_program(program, &mut log);
        let is_full = refused.is_err_and(|error| error.raw_os_error() == Some(libc::ENOSPC));
        if is_full && size < LARGEST_LOG {
            size *= 8;
            continue;
        }
        let end = log.iter().position(|byte| *byte == 0).unwrap_or(size);
        return String::from_utf8_lossy(&log[..end]).into_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::{PreemptionSwitch, put_right};
    use crate::kernel::instruction::{CALL, KERNEL_FUNCTION, MOV_IMMEDIATE, instruction};
    use detector_common::kernel_functions::{IRQ_RESTORE, IRQ_SAVE, PREEMPT_DISABLE, PREEMPT_ENABLE};

    #[test]
    fn stand_ins_become_calls_of_the_kernel_or_nothing() {
        let old = PreemptionSwitch { off: 70, on: 71, interrupts: None };
        let new = Some(PreemptionSwitch { interrupts: Some((72, 73)), ..old });
        let nothing = instruction(MOV_IMMEDIATE, 0, 0, 0, 0);
        let stand_in = |number: u32| instruction(CALL, 0, 0, 0, number.cast_signed());
        let table = [(PREEMPT_DISABLE, 70), (PREEMPT_ENABLE, 71), (IRQ_SAVE, 72), (IRQ_RESTORE, 73)];
        for (number, id) in table {
            assert_eq!(put_right(stand_in(number), new), instruction(CALL, 0, KERNEL_FUNCTION, 0, id));
            assert_eq!(put_right(stand_in(number), None), nothing);
        }
        assert_eq!(put_right(stand_in(IRQ_SAVE), Some(old)), nothing);
        let helper = instruction(CALL, 0, 0, 0, 113);
        assert_eq!(put_right(helper, new), helper);
    }
}
