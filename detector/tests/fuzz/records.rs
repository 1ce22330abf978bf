//! Records and recordings: any bytes give events or errors, and any event gives lines that are JSON.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash as _, Hasher as _},
    sync::LazyLock,
};

use detector::{
    decode::decode,
    format::{JsonOptions, TimeFormat, json, text},
    recording::{Recorder, Recording},
    rules::{Catalog, Engine, RuleChoice, files::RuleFile, resolve},
};
use detector_common::record::exec::{ExecRecord, SECTIONS, Section, SectionKind, section_status};
use zerocopy::{FromBytes as _, IntoBytes as _};

use crate::{
    explorer::{Target, runs, survives},
    mutation::{EDGES, Random},
    synthetic::{CLOCK, Record, leaf_first},
};

/// A rule that matches everything and shows all that there is.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let fields = detector::rules::fields::catalogue().filter(|entry| entry.name != "static");
    let shown: Vec<String> = fields
        .map(|entry| match entry.takes {
            detector::rules::fields::Takes::Name => format!("%{}[x]", entry.name),
            detector::rules::fields::Takes::NameOrIndex => format!("%{0}[0] %{0}[19]", entry.name),
            _ => format!("%{}", entry.name),
        })
        .collect();
    let rule = format!(
        "- rule: all\n  desc: d\n  condition: evt.type = execve\n  output: \"{}\"\n  priority: DEBUG\n",
        shown.join(" ")
    );
    let files = [RuleFile::from_bytes("all.yaml", rule.into_bytes())];
    let report = resolve::load(&files, &Catalog::default(), &resolve::LoadOptions::default());
    RuleChoice::default().engine(report, "evt.time").unwrap_or_else(|error| panic!("{error}"))
});

fn seeds() -> Vec<Vec<u8>> {
    let whole = Record::drop_in_docker()
        .with(SectionKind::Env, b"A=b\0C=\0")
        .with(SectionKind::AncestorExe0, &leaf_first(&["bin", "sh"]))
        .with(SectionKind::CgroupMemory, &leaf_first(&["docker", "x"]))
        .with(SectionKind::StdinPath, b"pipe:[1]\0");
    let mut shared = whole.clone();
    shared.fixed.sections[SectionKind::CgroupCpu as usize] = Section {
        status: section_status::SAME_AS,
        same_as: SectionKind::CgroupUnified as u16,
        ..Section::default()
    };
    [Record::blank(), Record::drop_in_docker(), whole, shared].map(|record| record.bytes()).to_vec()
}

/// Moves a section, or says something else about it; and makes the header tell the right size, most of the time.
fn reshape(input: &mut Vec<u8>, random: &mut Random) {
    let Ok((mut fixed, tail)) = ExecRecord::read_from_prefix(input) else { return };
    let tail = tail.to_vec();
    if random.below(2) == 0 {
        let limit = u16::try_from(tail.len()).unwrap_or(u16::MAX);
        let edge = u16::try_from(*random.one_of(&EDGES)).unwrap_or(u16::MAX);
        let section = &mut fixed.sections[random.below(SECTIONS)];
        match random.below(4) {
            0 => section.offset = *random.one_of(&[0, edge, limit, limit.saturating_sub(1)]),
            1 => section.len = *random.one_of(&[0, 1, edge, limit, limit.saturating_sub(section.offset)]),
            2 => section.status = u16::from(random.byte() % 6),
            _ => section.same_as = u16::from(random.byte() % 27),
        }
    }
    if random.below(16) != 0 {
        let size = u32::try_from(size_of::<ExecRecord>() + tail.len()).unwrap_or(u32::MAX);
        fixed.header = detector_common::record::RecordHeader { size, ..Record::blank().fixed.header };
        fixed.exe.origin %= 9;
    }
    *input = [fixed.as_bytes(), &tail].concat();
}

/// Behaviour: the error's kind, or which fields have a value and what was cut.
fn run(bytes: &[u8]) -> u64 {
    let mut behaviour = DefaultHasher::new();
    match decode(bytes, CLOCK, 1) {
        Err(error) => kind_of(&error).hash(&mut behaviour),
        Ok(event) => {
            event.completeness.truncated.hash(&mut behaviour);
            event.completeness.failed.hash(&mut behaviour);
            ENGINE.evaluate(&event, |alert| {
                alert.values.iter().for_each(|value| value.is_some().hash(&mut behaviour));
                let line = json(&alert, "h", &JsonOptions::default(), TimeFormat::Iso8601);
                let read: Result<serde_json::Value, _> = serde_json::from_str(&line);
                assert!(read.is_ok() && !line.contains('\n'), "{line}");
                let line = text(&alert, TimeFormat::Iso8601);
                assert!(!line.chars().any(char::is_control), "{line}");
            });
        }
    }
    behaviour.finish()
}

/// The name of the error's variant and its section, without numbers.
fn kind_of(error: &dyn std::fmt::Debug) -> String {
    format!("{error:?}").chars().filter(|character| !character.is_ascii_digit()).collect()
}

#[test]
fn records_of_any_bytes_are_survived() {
    survives(
        &Target { seeds: seeds(), words: &[b"\0", b"..", b"memfd:", b"\xff"], reshape: &reshape, run: &run },
        runs(3_000),
    );
}

#[test]
fn recordings_of_any_bytes_are_survived() {
    let mut whole = Vec::new();
    let mut recorder = Recorder::new(&mut whole).unwrap_or_else(|error| panic!("{error}"));
    for record in seeds() {
        recorder.add(7, &record[..record.len().min(300)], b"{}").unwrap_or_else(|error| panic!("{error}"));
    }
    let run = |bytes: &[u8]| {
        let mut behaviour = DefaultHasher::new();
        let mut frames = 0u64;
        let outcome = Recording::new(bytes).and_then(|mut recording| {
            while let Some(frame) = recording.next_frame()? {
                frames += 1;
                frame.record.len().hash(&mut behaviour);
                frame.context.len().hash(&mut behaviour);
                assert!(frame.record.len() + frame.context.len() <= bytes.len());
            }
            Ok(())
        });
        frames.hash(&mut behaviour);
        outcome.err().map(|error| kind_of(&error)).hash(&mut behaviour);
        behaviour.finish()
    };
    survives(
        &Target { seeds: vec![whole], words: &[b"DTRECORD"], reshape: &|_, _| {}, run: &run },
        runs(10_000),
    );
}
