//! Findings in the forms that Falco's `-V` writes: text and JSON, one result for each file.

use std::{fmt::Write as _, sync::Arc};

use serde_json::{Value, json};

use super::{Code, Diagnostic, text::Excerpt};
use crate::rules::files::{Place, SourceFile};

/// What was found in one file.
#[derive(Debug)]
pub struct FileResult<'d> {
    /// The file.
    pub file: &'d Arc<SourceFile>,
    /// Its mistakes.
    pub errors: Vec<&'d Diagnostic>,
    /// What it does that may not be meant.
    pub warnings: Vec<&'d Diagnostic>,
}

/// One result for each file, in the order of the files. A finding belongs to the file that it points at.
#[must_use]
pub fn file_results<'d>(files: &'d [Arc<SourceFile>], found: &'d [Diagnostic]) -> Vec<FileResult<'d>> {
    let of = |file: &Arc<SourceFile>, error: bool| {
        let here = move |diagnostic: &&'d Diagnostic| diagnostic.code.is_error() == error;
        found.iter().filter(here).filter(|diagnostic| Arc::ptr_eq(&diagnostic.place.file, file)).collect()
    };
    files.iter().map(|file| FileResult { file, errors: of(file, true), warnings: of(file, false) }).collect()
}

impl FileResult<'_> {
    fn verdict(&self) -> &'static str {
        match (self.errors.is_empty(), self.warnings.is_empty()) {
            (true, true) => "Ok",
            (true, false) => "Ok, with warnings",
            (false, _) => "Invalid",
        }
    }
}

/// What `-V` writes to standard output: a line for each file, and the errors. Without a line break at the end.
#[must_use]
pub fn falco_text(results: &[FileResult<'_>]) -> String {
    let blocks: Vec<String> = results.iter().map(falco_text_of).collect();
    blocks.join("\n")
}

fn falco_text_of(result: &FileResult<'_>) -> String {
    let mut text = format!("{}: {}", result.file.name(), result.verdict());
    if !result.errors.is_empty() {
        text.push_str(&block("Errors", &result.errors));
        text.push_str(&block("Warnings", &result.warnings));
    }
    text
}

/// What `-V` writes to the log at the level WARNING: a block for each file that is fine but for warnings.
#[must_use]
pub fn falco_warnings(results: &[FileResult<'_>]) -> Vec<String> {
    let warned = results.iter().filter(|result| result.errors.is_empty() && !result.warnings.is_empty());
    warned
        .map(|result| {
            format!("{}: {}{}", result.file.name(), result.verdict(), block("Warnings", &result.warnings))
        })
        .collect()
}

fn block(what: &str, found: &[&Diagnostic]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{} {what}:\n", found.len());
    // Writing to a String cannot fail.
    for diagnostic in found {
        for (number, location) in locations(diagnostic).iter().enumerate() {
            let indentation = if number == 0 { "In " } else { "    " };
            let name = if location.name.is_empty() { String::new() } else { format!(" '{}'", location.name) };
            let (file, line, column) =
                (location.place.file.name(), location.place.line(), location.place.column());
            let _ = writeln!(text, "{indentation}{}{name}: ({file}:{line}:{column})", location.kind);
        }
        let _ = write!(text, "------\n{}------\n", snippet(diagnostic));
        let code = diagnostic.code;
        let _ = writeln!(text, "{} ({}): {}", code.name(), code.summary(), message(diagnostic));
    }
    text
}

fn message(diagnostic: &Diagnostic) -> String {
    match &diagnostic.help {
        Some(help) => format!("{} ({help})", diagnostic.message),
        None => diagnostic.message.clone(),
    }
}

struct Location<'d> {
    kind: &'static str,
    name: &'d str,
    place: Place,
}

/// From the whole file down to the place itself.
fn locations(diagnostic: &Diagnostic) -> Vec<Location<'_>> {
    let file = &diagnostic.place.file;
    let whole = Location { kind: "rules content", name: "", place: Place::new(file, 0, 0) };
    let within = diagnostic.within.iter().map(|part| Location {
        kind: part.kind,
        name: &part.name,
        place: part.place.clone(),
    });
    let kind = match diagnostic.code {
        Code::CompileCondition | Code::ConditionWarning | Code::UnsafeNaCheck => "condition expression",
        Code::CompileOutput => "rule output expression",
        Code::FileRead | Code::YamlParse => "rules content item",
        _ => "value for",
    };
    let place = Location { kind, name: "", place: diagnostic.place.clone() };
    std::iter::once(whole).chain(within).chain([place]).collect()
}

fn snippet(diagnostic: &Diagnostic) -> String {
    if diagnostic.place.file.text().is_empty() {
        return "<No context available>\n".to_owned();
    }
    let excerpt = Excerpt::of(diagnostic);
    format!("{}\n{}^\n", excerpt.line, " ".repeat(excerpt.column))
}

/// What `-V` writes to standard output when `json_output` is on; `described` is the answer to `-L` or `-l`.
#[must_use]
pub fn falco_json(results: &[FileResult<'_>], described: Option<Value>) -> Value {
    let valid = results.iter().all(|result| result.errors.is_empty());
    let mut json = json!({ "falco_load_results": results.iter().map(result_json).collect::<Vec<_>>() });
    if let (Some(described), true) = (described, valid) {
        json["falco_describe_results"] = described;
    }
    json
}

fn result_json(result: &FileResult<'_>) -> Value {
    let structure = |found: &&&Diagnostic| {
        matches!(found.code, Code::YamlValidate | Code::UnknownKey | Code::UnknownItem)
    };
    let schema: Vec<String> = result
        .errors
        .iter()
        .chain(&result.warnings)
        .filter(structure)
        .map(|found| format!("{}: {}", found.place, found.message))
        .collect();
    json!({
        "name": result.file.name(),
        "successful": result.errors.is_empty(),
        "errors": result.errors.iter().map(|error| diagnostic_json(error)).collect::<Vec<_>>(),
        "warnings": result.warnings.iter().map(|warning| diagnostic_json(warning)).collect::<Vec<_>>(),
        "schema_valid": schema.is_empty(),
        "schema_warnings": schema,
    })
}

fn diagnostic_json(diagnostic: &Diagnostic) -> Value {
    let locations: Vec<Value> = locations(diagnostic)
        .into_iter()
        .map(|location| {
            json!({
                "item_type": location.kind,
                "item_name": location.name,
                "position": {
                    "name": location.place.file.name(),
                    "line": location.place.line(),
                    "column": location.place.column(),
                    "offset": location.place.start,
                },
            })
        })
        .collect();
    json!({
        "code": diagnostic.code.name(),
        "codedesc": diagnostic.code.summary(),
        "message": message(diagnostic),
        "context": { "locations": locations, "snippet": snippet(diagnostic) },
    })
}
