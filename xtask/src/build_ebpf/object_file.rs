//! Looks into the object that came out: a linker can succeed and leave nothing that a kernel would load.
use anyhow::{Context as _, Result, bail};
use object::{
    Architecture, Object as _, ObjectSection as _, SectionKind,
    build::elf::{Builder, SectionData},
    elf,
};

/// The names of the program sections of an eBPF object; an error when there is none, or no BTF.
pub(super) fn programs(bytes: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(bytes).context("the linker left something that is no ELF file")?;
    if file.architecture() != Architecture::Bpf {
        bail!("the linker left an object for {:?} instead of BPF", file.architecture());
    }
    let programs: Vec<_> = file
        .sections()
        .filter(|section| section.kind() == SectionKind::Text && section.size() > 0)
        .filter_map(|section| section.name().ok().map(str::to_owned))
        .filter(|name| name != ".text")
        .collect();
    if programs.is_empty() {
        bail!("the object holds no program: no function of detector-ebpf has a section of its own");
    }
    if file.section_by_name(".BTF").is_none() {
        bail!("the object has no BTF: the linker ignored --btf");
    }
    Ok(programs)
}

/// The object without DWARF, which the linker has made BTF of and nothing reads after that: two thirds of its bytes, which
/// every agent would carry and look through at each start.
pub(super) fn without_debug_info(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read(bytes).context("cannot read the object's sections")?;
    for section in &mut builder.sections {
        let name: &[u8] = &section.name;
        section.delete = name.starts_with(b".debug_") || name.starts_with(b".rel.debug_");
    }
    builder.delete_orphans();
    // LLVM keeps the names of sections with those of symbols; the writer keeps them apart.
    if !builder.sections.iter().any(|section| matches!(section.data, SectionData::SectionString)) {
        let names = builder.sections.add();
        names.name = b".shstrtab"[..].into();
        names.sh_type = elf::SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
    }
    let mut stripped = Vec::with_capacity(bytes.len() / 3);
    builder.write(&mut stripped).context("cannot write the object without its debug info")?;
    Ok(stripped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_bpf_object_is_refused() {
        assert!(programs(b"not an object").unwrap_err().to_string().contains("no ELF"));
        let ourselves = std::fs::read("/proc/self/exe").unwrap();
        assert!(programs(&ourselves).unwrap_err().to_string().contains("instead of BPF"));
    }
}
