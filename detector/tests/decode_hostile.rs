//! Records are an allegation: whatever the bytes, decoding gives an event or an error, and never panics.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its input shall panic")]

use detector::{
    decode::{DecodeError, decode, decode_into},
    event::BootClock,
};
use detector_common::{
    ABI_VERSION,
    record::{
        RecordHeader, RecordKind,
        exec::{ExecRecord, SECTIONS, Section, SectionKind, section_status},
    },
};
use proptest::prelude::{Strategy, any, prop, proptest};
use zerocopy::{FromBytes as _, FromZeros as _, IntoBytes as _};

const CLOCK: BootClock = BootClock { boot_at_ns: 1_700_000_000_000_000_000 };

/// A record with this tail and these sections, its header right.
fn record(mut fixed: ExecRecord, tail: &[u8]) -> Vec<u8> {
    fixed.header = RecordHeader {
        abi: ABI_VERSION,
        kind: RecordKind::Exec as u16,
        size: u32::try_from(size_of::<ExecRecord>() + tail.len()).unwrap(),
        boot_ns: 5,
    };
    [fixed.as_bytes(), tail].concat()
}

fn with_section(kind: SectionKind, section: Section, tail: &[u8]) -> Vec<u8> {
    let mut fixed = ExecRecord::new_zeroed();
    fixed.sections[kind as usize] = section;
    record(fixed, tail)
}

#[test]
fn an_empty_record_is_an_event_that_knows_nothing() {
    let event = decode(&record(ExecRecord::new_zeroed(), &[]), CLOCK, 1).unwrap();
    assert_eq!(event.process.tty, None);
    assert_eq!(event.process.vpid, None);
    assert_eq!(event.file.ctime_ns, None);
    assert_eq!(event.file.path, None);
    assert_eq!(event.file.origin.name(), "unknown");
}

#[test]
fn a_short_record_is_refused() {
    let whole = record(ExecRecord::new_zeroed(), &[]);
    assert!(matches!(decode(&[], CLOCK, 1), Err(DecodeError::TooShort { .. })));
    let mut cut = whole[..whole.len() - 1].to_vec();
    assert!(matches!(decode(&cut, CLOCK, 1), Err(DecodeError::WrongSize { .. })));
    let length = u32::try_from(cut.len()).unwrap();
    cut[4..8].copy_from_slice(&length.to_le_bytes());
    assert!(matches!(decode(&cut, CLOCK, 1), Err(DecodeError::TooShort { .. })));
}

#[test]
fn another_layout_and_an_unknown_kind_are_refused() {
    let whole = record(ExecRecord::new_zeroed(), &[]);
    let mut other = whole.clone();
    other[0] ^= 0x80;
    assert!(matches!(decode(&other, CLOCK, 1), Err(DecodeError::OtherAbi { .. })));
    let mut unknown = whole;
    unknown[2] = 0xee;
    assert!(matches!(decode(&unknown, CLOCK, 1), Err(DecodeError::UnknownKind { kind: 0xee })));
}

#[test]
fn a_section_outside_of_the_record_is_refused() {
    let section = Section { offset: 3, len: 2, status: section_status::COMPLETE, same_as: 0 };
    assert!(matches!(
        decode(&with_section(SectionKind::Argv, section, b"1234"), CLOCK, 1),
        Err(DecodeError::SectionOutside { section: "argv", offset: 3, end: 5, tail: 4 })
    ));
}

#[test]
fn sections_that_refer_in_circles_are_refused() {
    let section = Section {
        offset: 0,
        len: 0,
        status: section_status::SAME_AS,
        same_as: SectionKind::CgroupCpu as u16,
    };
    assert!(matches!(
        decode(&with_section(SectionKind::CgroupCpu, section, &[]), CLOCK, 1),
        Err(DecodeError::SectionReference { .. })
    ));
    let nowhere = Section { same_as: u16::MAX, ..section };
    assert!(matches!(
        decode(&with_section(SectionKind::CgroupCpu, nowhere, &[]), CLOCK, 1),
        Err(DecodeError::SectionReference { target: u16::MAX, .. })
    ));
}

#[test]
fn truncated_and_failed_sections_are_named() {
    let mut fixed = ExecRecord::new_zeroed();
    let section = |offset, status| Section { offset, len: 2, status, same_as: 0 };
    fixed.sections[SectionKind::Argv as usize] = section(0, section_status::TRUNCATED);
    fixed.sections[SectionKind::Cwd as usize] = section(2, section_status::FAILED);
    let event = decode(&record(fixed, b"ab/\0"), CLOCK, 1).unwrap();
    assert_eq!(event.completeness.truncated, ["argv"]);
    assert_eq!(event.completeness.failed, ["cwd"]);
    assert!(event.process.arguments.truncated);
}

/// Fixed parts whose sections are small enough to be plausible, everything else arbitrary.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let sections = prop::array::uniform::<_, SECTIONS>((0u16..64, 0u16..64, 0u16..6, 0u16..16));
    (
        prop::collection::vec(any::<u8>(), size_of::<ExecRecord>()),
        sections,
        prop::collection::vec(any::<u8>(), 0..160),
    )
        .prop_map(|(bytes, sections, tail)| {
            let mut fixed = ExecRecord::read_from_bytes(&bytes).unwrap();
            fixed.sections =
                sections.map(|(offset, len, status, same_as)| Section { offset, len, status, same_as });
            fixed.exe.origin %= 9;
            record(fixed, &tail)
        })
}

proptest! {
    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        let _ = decode(&bytes, CLOCK, 1);
    }

    #[test]
    fn nothing_of_an_old_event_is_left_in_its_memory(old in plausible(), new in plausible()) {
        if let (Ok(mut event), Ok(fresh)) = (decode(&old, CLOCK, 1), decode(&new, CLOCK, 2)) {
            decode_into(&mut event, &new, CLOCK, 2).unwrap();
            assert_eq!(event, fresh);
        }
    }

    #[test]
    fn any_plausible_record(bytes in plausible()) {
        let _ = decode(&bytes, CLOCK, 1);
    }
}
