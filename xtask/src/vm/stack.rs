//! How deep each program reaches into its stack of 512 bytes, read from the object's instructions: the same on every
//! kernel, and told by none.
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

/// The register that holds the end of the stack.
const FRAME: u8 = 10;
/// Classes of instructions (the low three bits) that access memory: load to register, store of a number, of a register.
const LOAD: u8 = 1;
const STORE_NUMBER: u8 = 2;
const STORE: u8 = 3;
/// `dst = src`, `dst += number`, and the one instruction that takes two slots.
const COPY: u8 = 0xbf;
const ADD_NUMBER: u8 = 0x07;
const LOAD_WIDE: u8 = 0x18;

/// Bytes of stack by function of the object.
pub(super) fn depths(object: &Path) -> Result<BTreeMap<String, u32>> {
    let bytes = std::fs::read(object).with_context(|| format!("cannot read {}", object.display()))?;
    let file = object::File::parse(&*bytes).context("the eBPF object is no object file")?;
    let mut depths = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
        let (Some(section), Ok(name)) = (symbol.section_index(), symbol.name()) else { continue };
        let code = file.section_by_index(section)?;
        let code = code.data_range(symbol.address(), symbol.size())?;
        let code = code.with_context(|| format!("the function {name} is not within its section"))?;
        depths.insert(name.to_owned(), depth(code));
    }
    Ok(depths)
}

/// The deepest access below the frame register, also through a copy of it from which a number is taken.
fn depth(code: &[u8]) -> u32 {
    let mut deepest = 0;
    let mut slots = code.chunks_exact(8);
    let mut copied_to = None;
    while let Some(&[operation, registers, low, high, a, b, c, d]) = slots.next() {
        let (destination, source) = (registers & 15, registers >> 4);
        let (offset, number) = (i16::from_le_bytes([low, high]), i32::from_le_bytes([a, b, c, d]));
        let base = match operation & 7 {
            LOAD => Some(source),
            STORE_NUMBER | STORE => Some(destination),
            _ => None,
        };
        let reached = match operation {
            ADD_NUMBER if copied_to == Some(destination) => number,
            _ if base == Some(FRAME) => i32::from(offset),
            _ => 0,
        };
        deepest = deepest.max(reached.min(0).unsigned_abs());
        copied_to = (operation == COPY && source == FRAME).then_some(destination);
        if operation == LOAD_WIDE {
            slots.next();
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn accesses_below_the_frame_are_found() {
        // *(u64 *)(r10 - 16) = r1; r2 = r10; r2 += -40; r3 += -500; exit
        let code = [
            [0x7b, 0x1a, 0xf0, 0xff, 0, 0, 0, 0],
            [0xbf, 0xa2, 0, 0, 0, 0, 0, 0],
            [0x07, 0x02, 0, 0, 0xd8, 0xff, 0xff, 0xff],
            [0x07, 0x03, 0, 0, 0x0c, 0xfe, 0xff, 0xff],
            [0x95, 0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(depth(&code.concat()), 40);
        assert_eq!(depth(&code[..1].concat()), 16);
        assert_eq!(depth(&code[3..].concat()), 0);
    }
}
