//! From bytes to a rule file: bounded, and only text.

use std::{io::Read, path::Path, sync::Arc};

use super::{Place, SourceFile};
use crate::rules::report::{Code, Diagnostic};

/// Largest rule file. The stock files have 100 KB.
pub const MAX_FILE_BYTES: usize = 16 << 20;

/// The rules that are built in.
const STOCK_RULES: &str = include_str!("../../../rules/falco_rules.yaml");
/// Their outputs in the style of 2024.
const CLASSIC_OUTPUT: &str = include_str!("../../../rules/classic_output.yaml");

/// A rule file, or why there is none.
#[derive(Debug)]
pub struct RuleFile {
    /// What was read; empty when nothing could be.
    pub source: Arc<SourceFile>,
    /// Why it could not be read.
    pub error: Option<Diagnostic>,
}

impl RuleFile {
    /// The rules that are built in.
    #[must_use]
    pub fn stock() -> Self {
        Self { source: SourceFile::new("built-in falco_rules.yaml", STOCK_RULES.to_owned()), error: None }
    }

    /// What gives the rules that are built in outputs in the style of 2024.
    #[must_use]
    pub fn classic_output() -> Self {
        let source = SourceFile::new("built-in classic_output.yaml", CLASSIC_OUTPUT.to_owned());
        Self { source, error: None }
    }

    /// Reads a file; `path` is its name in all reports.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let name = path.display().to_string();
        // One byte more than allowed tells a file that is too large.
        let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        match std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
            Ok(_) => Self::from_bytes(&name, bytes),
            Err(error) => Self::refused(&name, Code::FileRead, format!("cannot read the file: {error}")),
        }
    }

    /// A file that was read already.
    #[must_use]
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Self {
        if bytes.len() > MAX_FILE_BYTES {
            let message = format!("the file is larger than {} MiB", MAX_FILE_BYTES >> 20);
            return Self::refused(name, Code::FileRead, message);
        }
        let bytes = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => rest.to_vec(),
            None => bytes,
        };
        match String::from_utf8(bytes) {
            Ok(text) => Self { source: SourceFile::new(name, text), error: None },
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let readable = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let source = SourceFile::new(name, readable);
                // Up to the first byte that is no text both are the same.
                let place = Place::new(&source, at, at + 1);
                let error =
                    Diagnostic::new(Code::YamlParse, place, "not valid YAML: a byte that is not UTF-8")
                        .help("save the file as UTF-8");
                Self { source, error: Some(error) }
            }
        }
    }

    fn refused(name: &str, code: Code, message: String) -> Self {
        let source = SourceFile::new(name, String::new());
        let error = Diagnostic::new(code, Place::new(&source, 0, 0), message);
        Self { source, error: Some(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, MAX_FILE_BYTES, RuleFile};

    fn code(bytes: &[u8]) -> Option<Code> {
        RuleFile::from_bytes("r.yaml", bytes.to_vec()).error.map(|error| error.code)
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        let file = RuleFile::from_bytes("r.yaml", b"\xef\xbb\xbf- a".to_vec());
        assert_eq!((file.source.text(), file.error), ("- a", None));
    }

    #[test]
    fn what_is_no_text_or_too_large_is_refused() {
        assert_eq!(code(b"- a\n- \xff\n"), Some(Code::YamlParse));
        assert_eq!(code(&vec![b'#'; MAX_FILE_BYTES + 1]), Some(Code::FileRead));
        assert_eq!(code(&vec![b'#'; MAX_FILE_BYTES]), None);
        let file = RuleFile::from_bytes("r.yaml", b"- a\n- \xff\n".to_vec());
        assert_eq!(file.error.unwrap().place.to_string(), "r.yaml:2:3");
    }

    #[test]
    fn a_file_that_is_not_there_is_reported_by_its_name() {
        let file = RuleFile::read(std::path::Path::new("/nonexistent/rules.yaml"));
        let error = file.error.unwrap();
        assert_eq!(error.code, Code::FileRead);
        assert_eq!(error.place.file.name(), "/nonexistent/rules.yaml");
    }
}
