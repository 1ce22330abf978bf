//! Files that nobody wrote in good faith, or at all: never a panic, never a place outside of the file.

use detector::rules::{
    files::RuleFile,
    report::{describe_json, describe_text, falco_json, falco_text, file_results, render_text},
    resolve::{LoadOptions, load},
};
use proptest::prelude::*;

use crate::{catalog::Catalog, load_texts, rule};

/// Loads, and draws every report.
fn survive(files: &[Vec<u8>]) {
    let files: Vec<RuleFile> =
        files.iter().map(|bytes| RuleFile::from_bytes("f.yaml", bytes.clone())).collect();
    let report = load(&files, &Catalog, &LoadOptions::default());
    for found in &report.diagnostics {
        let text = found.place.file.text();
        assert!(found.place.start <= text.len() && found.place.start <= found.place.end, "{found:?}");
        assert!(text.is_char_boundary(found.place.start), "{found:?}");
    }
    let results = file_results(&report.files, &report.diagnostics);
    let belonging: usize = results.iter().map(|result| result.errors.len() + result.warnings.len()).sum();
    assert_eq!(belonging, report.diagnostics.len(), "every finding belongs to a file");
    let _ = render_text(&report.diagnostics);
    let _ = falco_text(&results);
    let _ = falco_json(&results, describe_json(&report, None));
    let _ = describe_text(&report, None);
}

/// Lines of rule files, some of them broken, put together at random.
fn lines() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "- rule: R\n",
        "- macro: m\n",
        "- list: l\n",
        "  desc: d\n",
        "  condition: m and proc.name in (l)\n",
        "  condition: >\n    evt.type = execve\n    and m\n",
        "  condition: proc.name = \"ä\n     b\"\n",
        "  output: 'x %proc.name ''y'\n",
        "  priority: INFO\n",
        "  items: [a, l, 'b c', \"\\x41\"]\n",
        "  items: [\na\n]\n",
        "  append: true\n",
        "  override: {condition: append}\n",
        "  override: {items: append}\n",
        "  override: {exceptions: append, tags: replace}\n",
        "  exceptions:\n    - {name: e, fields: proc.name, values: [l, 'x y']}\n",
        "  exceptions:\n    - {name: e, values: [[a]]}\n",
        "  exceptions: [{name: f, fields: [proc.name, fd.name], comps: [in, =], values: [[[a, b], c]]}]\n",
        "  tags: [a]\n",
        "  enabled: false\n",
        "---\n",
        "&a ",
        "*a ",
        "\t",
        "\r\n",
        "# ü\n",
        "'",
        "\"",
        "\\",
        "[",
        "]",
        "{",
        "}",
        ": ",
        "|2\n",
        "\u{2028}",
        "\u{feff}",
        "%",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survive(&[bytes]);
    }

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        survive(&[text.into_bytes()]);
    }

    #[test]
    fn lines_of_rule_files_in_any_order(one in lines(), two in lines()) {
        survive(&[one.into_bytes(), two.into_bytes()]);
    }

    #[test]
    fn a_condition_is_found_again_in_the_file(words in prop::collection::vec("[a-z]{1,8}", 1..12), seed in any::<u64>(), style in 0..4usize) {
        // The words of a condition with any blanks and breaks between them, the last of them unknown to us.
        let blank = |number: usize| ["  ", "\n    ", "\n\n    ", " "][usize::try_from(seed >> (number % 32)).unwrap_or(0) % 4];
        let mut text = String::new();
        for (number, word) in words.iter().enumerate() {
            text = format!("{text}proc.name = {word} and{}", blank(number));
        }
        text.push_str("proc.nowhere = x");
        let (open, close) = [(" ", ""), (" >\n    ", ""), (" \"", "\""), (" '", "'")][style];
        let yaml = rule("X", "").replace(" X\n", &format!("{open}{text}{close}\n"));
        let report = load_texts(&[&yaml]);
        let error = report.errors().next().expect("the field is unknown");
        prop_assert_eq!(&yaml[error.place.start..error.place.end], "proc.nowhere");
    }
}

#[test]
fn macros_and_lists_that_grow_without_bound_are_refused() {
    let mut text = String::from("- {macro: m0, condition: evt.num = 1}\n- {list: l0, items: [a]}\n");
    for level in 1..64 {
        let below = level - 1;
        text = format!(
            "{text}- {{macro: m{level}, condition: m{below} and m{below}}}\n- {{list: l{level}, items: [l{below}, l{below}]}}\n"
        );
    }
    text.push_str(&rule("m63", ""));
    text.push_str(&rule("proc.name in (l63)", "").replace("rule: R", "rule: S"));
    let report = load_texts(&[&text]);
    assert_eq!(report.errors().count(), 2, "{}", render_text(&report.diagnostics));
    survive(&[text.into_bytes()]);
}

/// On a stack of 2 MiB, which is what threads have that nobody asked about.
fn errors_of(text: String) -> Vec<String> {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let load = move || {
        load_texts(&[&text]).errors().map(|error| format!("{}: {}", error.place, error.message)).collect()
    };
    thread.spawn(load).expect("a thread").join().expect("no panic")
}

/// Macros that each name the one before, and a rule that names the last.
fn chain(macros: usize, link: &str) -> String {
    let link = |level: usize| {
        format!("- {{macro: m{level}, condition: {}}}\n", link.replace("NEXT", &format!("m{}", level - 1)))
    };
    let mut text = String::from("- {macro: m0, condition: evt.num = 1}\n");
    text.extend((1..macros).map(link));
    text.push_str(&rule(&format!("m{}", macros - 1), ""));
    text
}

#[test]
fn a_chain_of_macros_is_bounded_with_a_place() {
    let fits = detector_rule_lang::limits::MACRO_NESTING;
    let nested = format!("{}NEXT{}", "not (evt.num = 1 or ".repeat(8), ")".repeat(8));
    for link in ["not NEXT", "evt.num = 1 and (evt.num = 2 or NEXT)", &nested] {
        assert_eq!(errors_of(chain(fits, link)), [""; 0]);
        for more in [1, 1000] {
            let errors = errors_of(chain(fits + more, link));
            assert_eq!(errors.len(), 1, "{errors:?}");
            let line = 1 + more;
            assert!(errors[0].starts_with(&format!("1.yaml:{line}:")), "{errors:?}");
            assert!(errors[0].ends_with("macros nested deeper than 100 levels"), "{errors:?}");
        }
    }
}

#[test]
fn conditions_as_deep_as_they_may_be_go_through_all_of_loading() {
    let levels = detector_rule_lang::limits::NESTING;
    for (before, behind) in [("(evt.num = 1 or evt.num = 2 and ", ")"), ("not ", ""), ("(", ")")] {
        let deep = |levels: usize| format!("{}evt.num = 3{}", before.repeat(levels), behind.repeat(levels));
        assert_eq!(errors_of(rule(&deep(levels), "")), [""; 0]);
        assert_eq!(errors_of(rule(&deep(levels + 1), "")).len(), 1);
    }
}
