//! Rule files: any text gives rules or mistakes with places, and a condition that was read is read again from how it
//! is printed.

use std::{
    collections::{BTreeSet, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
};

use detector::rules::{
    Catalog, RuleChoice,
    files::RuleFile,
    report::{describe_json, falco_json, file_results, render_text},
    resolve::{LoadOptions, load},
};
use detector_rule_lang::parse;

use crate::{
    explorer::{Target, runs, survives},
    mutation::Random,
};

const WORDS: &[&[u8]] = &[
    b" and ",
    b" or ",
    b"not ",
    b"(",
    b")",
    b" in (",
    b" = ",
    b" != ",
    b" >= ",
    b" exists",
    b" contains ",
    b" glob ",
    b" regex ",
    b" pmatch (",
    b" intersects ",
    b" startswith anyof (",
    b"tolower(",
    b"basename(",
    b"val(",
    b"len(",
    b"concat(",
    b"join(\",\", (",
    b"getopt(",
    b"evt.type",
    b"execve",
    b"proc.name",
    b"proc.aname[2]",
    b"proc.env[A]",
    b"container.id",
    b"evt.arg.flags",
    b"proc.tty",
    b"proc.is_exe_upper_layer=true",
    b"fd.name",
    b"static.x",
    b"%proc.name",
    b"%<9>",
    b"%tolower(proc.name)",
    b"%container.info",
    b"\"",
    b"'",
    b"\\x41",
    b"\\",
    b", ",
    b"[",
    b"]",
    b"{",
    b"}",
    b": ",
    b"\n",
    b"\n  ",
    b"- ",
    b"&a ",
    b"*a",
    b"!!str ",
    b"|",
    b">",
    b"#",
    b"---\n",
    b"0x",
    b"1e9",
    b"- macro: m\n  condition: ",
    b"- list: l\n  items: [a, m]\n",
    b"  append: true\n",
    b"  override: {condition: append}\n",
    b"  exceptions:\n    - {name: e, fields: [proc.name], values: [[a]]}\n",
    b"  enabled: false\n",
    b"  tags: [x]\n",
    b"  skip-if-unknown-filter: true\n",
    b"\xc3\xa4",
    b"\xff",
];

fn seeds() -> Vec<Vec<u8>> {
    let own = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/rules/falco_rules.yaml"));
    let condition = |condition: &str| {
        format!("- rule: R\n  desc: d\n  condition: {condition}\n  output: o %proc.name\n  priority: INFO\n")
            .into_bytes()
    };
    vec![
        own.unwrap_or_else(|error| panic!("our own rules: {error}")),
        condition("evt.type in (execve, execveat) and not (proc.name in (a, \"b c\") or proc.tty != 0)"),
        condition(
            "evt.type = execve and proc.cmdline regex '[a-z]+ -c .*' and proc.exepath pmatch (/usr, /bin/*)",
        ),
        condition("evt.type = execve and tolower(proc.name) = val(proc.pname) and len(proc.args) > 0x10"),
        condition("evt.type = execve and proc.args startswith anyof (a, b) and proc.aname exists"),
    ]
}

/// Half of the inputs get their braces and quotes evened out, since most of what is broken is broken there.
fn reshape(input: &mut Vec<u8>, random: &mut Random) {
    if random.below(2) == 0 {
        return;
    }
    let open = input.split(|byte| *byte == b'(').count();
    let missing = open.saturating_sub(input.split(|byte| *byte == b')').count());
    if let (1..=8, Some(at)) = (missing, input.windows(10).position(|window| window == b"\n  output:")) {
        drop(input.splice(at..at, std::iter::repeat_n(b')', missing)));
    }
}

/// Behaviour: the kinds of findings, and what the rules that were loaded are made of.
fn run(bytes: &[u8]) -> u64 {
    let mut behaviour = DefaultHasher::new();
    let files = [RuleFile::from_bytes("f.yaml", bytes.to_vec())];
    let report = load(&files, &Catalog::default(), &LoadOptions::default());
    let results = file_results(&report.files, &report.diagnostics);
    let _ = (render_text(&report.diagnostics), falco_json(&results, describe_json(&report, None)));
    let mut findings = BTreeSet::new();
    for found in &report.diagnostics {
        let text = found.place.file.text();
        assert!(
            found.place.start <= found.place.end && text.is_char_boundary(found.place.start),
            "{found:?}"
        );
        // Without the names in it.
        let message: String = found.message.split('`').step_by(2).collect();
        findings.insert((found.code, message.chars().filter(|c| !c.is_ascii_digit()).collect::<String>()));
    }
    findings.hash(&mut behaviour);
    for rule in &report.rules {
        (&rule.details.operators, rule.details.fields.len()).hash(&mut behaviour);
        let printed = &rule.details.condition;
        let again = parse(printed).expr.map(|expr| expr.to_string());
        assert_eq!(again.as_ref(), Some(printed), "printed and read again");
    }
    report.skipped.len().hash(&mut behaviour);
    if report.is_valid() && !report.rules.is_empty() {
        let engine = RuleChoice::default().engine(report, "evt.time");
        let described = engine.map(|engine| engine.filter().describe());
        described.unwrap_or_default().hash(&mut behaviour);
    }
    behaviour.finish()
}

#[test]
fn rule_files_of_any_text_are_survived() {
    survives(&Target { seeds: seeds(), words: WORDS, reshape: &reshape, run: &run }, runs(3_000));
}
