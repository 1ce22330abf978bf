//! Whether the exploring explores: mistakes as people make them, planted, have to be found.

use detector_common::record::exec::{ExecRecord, SectionKind, section_status};
use detector_rule_lang::{ExprKind, Operand, parse};
use zerocopy::FromBytes as _;

use crate::{
    explorer::{Explored, Target, explore},
    mutation::Random,
    synthetic::Record,
};

#[test]
fn an_end_that_is_not_checked_is_found() {
    // A decoder that trusts offset and length once the section says that it is whole.
    let run = |bytes: &[u8]| {
        let Ok((fixed, tail)) = ExecRecord::read_from_prefix(bytes) else { return 0 };
        let section = fixed.sections[SectionKind::Cwd as usize];
        if section.status == section_status::COMPLETE {
            let start = usize::from(section.offset);
            let _ = &tail[start..start + usize::from(section.len)];
        }
        u64::from(section.status)
    };
    let reshape = |input: &mut Vec<u8>, random: &mut Random| {
        // As the records' own fuzzing does: a section is moved.
        let Ok((mut fixed, tail)) = ExecRecord::read_from_prefix(input) else { return };
        let section = random.below(fixed.sections.len());
        fixed.sections[section].len = u16::from(random.byte());
        *input = [zerocopy::IntoBytes::as_bytes(&fixed), tail].concat();
    };
    let seeds = vec![Record::drop_in_docker().bytes()];
    let Explored { failure, .. } =
        explore(&Target { seeds, words: &[], reshape: &reshape, run: &run }, 20_000);
    assert!(failure.is_some(), "not found");
}

#[test]
fn a_form_that_nobody_thought_of_is_found_step_by_step() {
    // A printer that cannot print what has several negations and a list: three things that no seed has, so each has to
    // be kept for the next to be found.
    let run = |bytes: &[u8]| {
        let Some(expr) = std::str::from_utf8(bytes).ok().and_then(|text| parse(text).expr) else { return 0 };
        let mut depth = 0;
        let mut inner = &expr;
        while let ExprKind::Not(next) = &inner.kind {
            depth += 1;
            inner = next;
        }
        let list = matches!(&inner.kind, ExprKind::Check(check) if matches!(check.right, Operand::List(_)));
        assert!(!(depth >= 3 && list), "cannot print this");
        1 + depth.min(4) * 2 + u64::from(list)
    };
    let words: &[&[u8]] = &[b"not ", b" in (a)", b" = ", b" and ", b"proc.name"];
    let seeds = vec![b"proc.name = a".to_vec(), b"proc.name in (a, b)".to_vec()];
    let Explored { failure, .. } = explore(&Target { seeds, words, reshape: &|_, _| {}, run: &run }, 50_000);
    assert!(failure.is_some(), "not found");
}
