//! Looks at rules and fields without running: `-V`, `-L`, `-l`, `--list`. The texts go to standard output.

use std::path::PathBuf;

use log::warn;

use crate::{
    rules::{
        RuleChoice,
        fields::{ListFormat, describe},
        report::{
            describe_json, describe_text, falco_json, falco_text, falco_warnings, file_results, render_text,
        },
    },
    settings::Settings,
};

/// What an inspection found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// For standard output.
    pub text: String,
    /// Why it counts as failed.
    pub failure: Option<String>,
}

/// `-V`: checks these files, in order, as one set. With `describe` the loaded rules are described as well (JSON only,
/// as in Falco).
#[must_use]
pub fn validate(files: &[PathBuf], settings: &Settings, describe: bool) -> Inspection {
    let choice = RuleChoice { files: files.to_vec(), ..settings.rules.clone() };
    let report = choice.load();
    let results = file_results(&report.files, &report.diagnostics);
    let text = if settings.json_output {
        let described = describe.then(|| describe_json(&report, None)).flatten();
        falco_json(&results, described).to_string()
    } else {
        for warning in falco_warnings(&results) {
            warn!("{warning}");
        }
        falco_text(&results)
    };
    let failure = (!report.is_valid()).then(|| render_text(report.errors()));
    Inspection { text, failure }
}

/// `-L` and `-l`: what the rules are, which are skipped and why, and what the kernel sends for them.
#[must_use]
pub fn describe_rules(settings: &Settings, only: Option<&str>) -> Inspection {
    let report = settings.rules.load();
    if !report.is_valid() {
        return Inspection { text: String::new(), failure: Some(render_text(report.errors())) };
    }
    let unknown = || format!("no rule has the name `{}`; -L lists all", only.unwrap_or_default());
    let described = if settings.json_output {
        describe_json(&report, only).map(|value| value.to_string())
    } else {
        describe_text(&report, only)
    };
    let Some(mut text) = described else {
        return Inspection { text: String::new(), failure: Some(unknown()) };
    };
    if !settings.json_output && only.is_none() {
        let filter = match settings.rules.engine(report, settings.time_format.field()) {
            Ok(engine) => engine.filter().describe(),
            Err(error) => error.to_string(),
        };
        text.push_str("the kernel sends: ");
        text.push_str(&filter);
        text.push('\n');
    }
    Inspection { text, failure: None }
}

/// `--list`: the fields.
#[must_use]
pub fn list_fields(format: ListFormat, names_only: bool) -> Inspection {
    Inspection { text: describe(format, names_only), failure: None }
}

#[cfg(test)]
mod tests {
    use super::{describe_rules, list_fields, validate};
    use crate::{rules::fields::ListFormat, settings::Settings};

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_valid_file_is_ok() {
        let file = file(
            "- macro: m\n  condition: (proc.name = x)\n- rule: r\n  desc: d\n  condition: m\n  output: x\n  priority: INFO\n",
        );
        let found = validate(&[file.path().to_owned()], &Settings::default(), false);
        assert_eq!(found.failure, None);
        assert!(found.text.starts_with(&format!("{}: Ok", file.path().display())), "{}", found.text);
    }

    #[test]
    fn mistakes_are_shown_with_place_and_help() {
        let file = file(
            "- rule: r\n  desc: d\n  condition: proc.nme = x and container.idd = y\n  output: x\n  priority: INFO\n",
        );
        let found = validate(&[file.path().to_owned()], &Settings::default(), false);
        let failure = found.failure.unwrap();
        assert!(failure.contains(":3:"), "{failure}");
        assert!(failure.contains("proc.name") && failure.contains("container.id"), "{failure}");
        let json = Settings { json_output: true, ..Settings::default() };
        let found = validate(&[file.path().to_owned()], &json, false);
        assert!(found.text.starts_with("{\"falco_load_results\":["), "{}", found.text);
    }

    #[test]
    fn the_stock_rules_are_described_with_what_the_kernel_sends() {
        let found = describe_rules(&Settings::default(), None);
        assert_eq!(found.failure, None);
        assert!(found.text.contains("Drop and execute new binary in container"), "{}", found.text);
        assert!(
            found.text.ends_with("the kernel sends: in a container, from the upper layer\n"),
            "{}",
            found.text
        );
        assert!(describe_rules(&Settings::default(), Some("No such rule")).failure.is_some());
    }

    #[test]
    fn fields_are_listed() {
        let names = list_fields(ListFormat::Text, true).text;
        assert!(names.lines().any(|line| line == "proc.exepath"), "{names}");
    }
}
