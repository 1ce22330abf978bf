//! The running kernel's BTF with damage: whatever is changed, reading it and resolving every offset from it ends
//! with an answer or an error. Without kernel BTF there is nothing to damage, and each test says so.

use std::{path::Path, sync::LazyLock};

use detector::kernel::{
    btf::{Btf, KERNEL_BTF, read_kernel_btf},
    offsets::resolve_all,
};
use proptest::{
    collection::vec,
    prelude::{ProptestConfig, any, prop},
    proptest,
};

/// Read once: five megabytes.
static KERNEL: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| match read_kernel_btf(Path::new(KERNEL_BTF)) {
    Ok(bytes) => Some(bytes),
    Err(error) => {
        eprintln!("nothing to damage: {error}");
        None
    }
});

fn resolve_damaged(damage: impl FnOnce(&mut Vec<u8>)) {
    let Some(mut bytes) = KERNEL.clone() else { return };
    damage(&mut bytes);
    if let Ok(btf) = Btf::parse(&bytes) {
        // An error lists what is missing: making that text is part of what must not fail.
        let _ = resolve_all(&btf).map_err(|error| error.to_string());
    }
}

proptest! {
    // Each case reads all of the kernel's types.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn changed_words(changes in vec((any::<prop::sample::Index>(), 0..200_000_u32), 1..2000)) {
        resolve_damaged(|bytes| {
            for (at, value) in changes {
                let at = 24 + at.index((bytes.len() - 28) / 4) * 4;
                bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
            }
        });
    }

    /// Ids, names and offsets of members changed while every record keeps its length: such input passes the first
    /// pass, so that the questions meet the damage.
    #[test]
    fn every_nth_id_changed(step in 1..50_usize, shift in any::<u32>()) {
        resolve_damaged(|bytes| scramble(bytes, step, shift));
    }

    #[test]
    fn cut_anywhere(at in any::<prop::sample::Index>()) {
        if let Some(bytes) = KERNEL.as_ref() {
            assert!(Btf::parse(&bytes[..at.index(bytes.len())]).is_err());
        }
    }
}

/// Adds `shift` to the type id of every `step`th struct member, and takes its name away where `shift` is even:
/// members without a name are looked through.
fn scramble(bytes: &mut [u8], step: usize, shift: u32) {
    let mut at = number(bytes, 4) + number(bytes, 8);
    let end = at + number(bytes, 12);
    let mut member = 0_usize;
    while at < end {
        let info = number(bytes, at + 4);
        let (kind, elements) = (info >> 24 & 0x7f, info & 0x00ff_ffff);
        let (fixed, each) = match kind {
            1 | 14 | 17 => (4, 0),
            3 => (12, 0),
            4 | 5 | 15 | 19 => (0, 12),
            6 | 13 => (0, 8),
            0..20 => (0, 0),
            // Newer than this test: what lies before it is damage enough.
            _ => return,
        };
        for index in 0..if matches!(kind, 4 | 5) { elements } else { 0 } {
            member += 1;
            if !member.is_multiple_of(step) {
                continue;
            }
            let name_at = at + 12 + index * 12;
            let id = u32::try_from(number(bytes, name_at + 4)).expect("it was 32 bits");
            let other = id.wrapping_add(shift) % 130_000;
            bytes[name_at + 4..name_at + 8].copy_from_slice(&other.to_ne_bytes());
            if shift.is_multiple_of(2) {
                bytes[name_at..name_at + 4].copy_from_slice(&[0; 4]);
            }
        }
        at += 12 + fixed + elements * each;
    }
}

fn number(bytes: &[u8], at: usize) -> usize {
    let word = bytes[at..].first_chunk().expect("good BTF ends with a whole type");
    usize::try_from(u32::from_ne_bytes(*word)).expect("32 bits fit")
}
