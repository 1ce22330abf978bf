//! Looks at rules, fields and versions without running: `-V`, `-L`, `-l`, `--list`, `--version` and the like. The texts
//! go to standard output.

use std::{ffi::OsStr, path::PathBuf};

use log::warn;
use nix::sys::utsname::UtsName;
use serde_json::json;

use crate::{
    rules::{
        RuleChoice,
        fields::{ListFormat, describe, describe_events},
        report::{
            describe_json, describe_text, falco_json, falco_text, falco_warnings, file_results, render_text,
        },
        resolve::{SOURCE, event_names},
    },
    settings::Settings,
    version,
};

/// What an inspection found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// For standard output.
    pub text: String,
    /// Why it counts as failed.
    pub failure: Option<String>,
}

impl Inspection {
    fn of(text: String) -> Self {
        Self { text, failure: None }
    }
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

/// `--list`: the fields of a source; none is all sources, of which there is one.
#[must_use]
pub fn list_fields(source: &str, format: ListFormat, names_only: bool) -> Inspection {
    if !matches!(source, "" | SOURCE) {
        let failure = format!("no event source has the name `{source}`; the only one is `{SOURCE}`");
        return Inspection { text: String::new(), failure: Some(failure) };
    }
    Inspection::of(describe(format, names_only))
}

/// `--list-events`: those that are looked at.
#[must_use]
pub fn list_events(format: ListFormat) -> Inspection {
    let version = version::json();
    Inspection::of(describe_events(format, version["driver_schema_version"].as_str().unwrap_or_default()))
}

/// `--version`.
#[must_use]
pub fn version(settings: &Settings) -> Inspection {
    Inspection::of(if settings.json_output { version::json().to_string() } else { version::text() })
}

/// `-i`: what is not looked at, in Falco's words.
#[must_use]
pub fn ignored_events() -> Inspection {
    let mut text = "Ignored syscall(s):\n".to_owned();
    for name in event_names().filter(|name| !matches!(*name, "execve" | "execveat")) {
        text.push_str("- ");
        text.push_str(name);
        text.push('\n');
    }
    text.push('\n');
    Inspection::of(text)
}

/// `--support`: what to send along with a question, as JSON.
#[must_use]
pub fn support(settings: &Settings, command_line: &[String]) -> Inspection {
    let system = nix::sys::utsname::uname().ok();
    let named = |part: fn(&UtsName) -> &OsStr| {
        system.as_ref().map(|system| part(system).to_string_lossy().into_owned())
    };
    let report = settings.rules.load();
    let files: Vec<_> = report.files.iter().map(|file| json!({ "path": file.name() })).collect();
    let support = json!({
        "cmdline": command_line.join(" "),
        "rules_files": files,
        "rules": { "loaded": report.rules.len(), "skipped": report.skipped.len(), "valid": report.is_valid() },
        "system_info": {
            "machine": named(UtsName::machine),
            "nodename": named(UtsName::nodename),
            "release": named(UtsName::release),
            "sysname": named(UtsName::sysname),
            "version": named(UtsName::version),
        },
        "version": version::json(),
    });
    Inspection::of(support.to_string())
}

#[cfg(test)]
mod tests {
    use super::{describe_rules, ignored_events, list_fields, support, validate, version};
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
        let names = list_fields("syscall", ListFormat::Text, true).text;
        assert!(names.lines().any(|line| line == "proc.exepath"), "{names}");
        assert_eq!(list_fields("", ListFormat::Text, true).text, names);
        let failure = list_fields("k8s_audit", ListFormat::Text, true).failure.unwrap();
        assert!(failure.contains("`k8s_audit`"), "{failure}");
    }

    #[test]
    fn versions_come_as_lines_or_as_json() {
        assert!(version(&Settings::default()).text.starts_with("Falco version: "));
        let json = version(&Settings { json_output: true, ..Settings::default() }).text;
        assert!(json.starts_with('{') && json.contains("\"engine_version_semver\":"), "{json}");
    }

    #[test]
    fn what_is_ignored_is_all_but_execs() {
        let text = ignored_events().text;
        assert!(text.starts_with("Ignored syscall(s):\n- ") && text.contains("\n- openat2\n"), "{text}");
        assert!(!text.contains("- execve"), "{text}");
    }

    #[test]
    fn support_names_the_rules_and_the_kernel() {
        let text = support(&Settings::default(), &["detector".to_owned(), "--support".to_owned()]).text;
        let support: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(support["cmdline"], "detector --support");
        assert_eq!(support["rules"]["loaded"], 1);
        assert!(support["system_info"]["release"].is_string());
    }
}
