//! What every file of ours keeps to: it opens by saying why it exists, it is short, and it holds no promise to
//! finish later.
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Fault;

/// Longer needs a reason, in a line `//! Size: REASON` among the first lines.
const MAX_LINES: usize = 500;
/// Where that line must stand.
const SIZE_REASON_WITHIN: usize = 5;

/// Words that say "unfinished", found as whole words. Put together here, so that this file does not hold them.
const UNFINISHED_WORDS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
/// Code that says the same, found anywhere in Rust sources.
const UNFINISHED_CODE: [&str; 2] = [concat!("#[ig", "nore"), concat!("to", "do!(")];

/// A file of ours, read.
pub(super) struct SourceFile {
    /// Relative to the workspace root.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl SourceFile {
    /// Everything that is wrong with this file alone.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut add = |line, text| faults.push(Fault { path: self.path.clone(), line, text });
        if self.is_rust() {
            if !self.text.starts_with("//! ") {
                add(1, "the first line must be `//! ` and say why the file exists".to_owned());
            }
            let lines = self.text.lines().count();
            let has_reason =
                self.text.lines().take(SIZE_REASON_WITHIN).any(|line| line.starts_with("//! Size: "));
            if lines > MAX_LINES && !has_reason {
                add(
                    0,
                    format!(
                        "{lines} lines: split it by task, or say why not in a line `//! Size: REASON` on top"
                    ),
                );
            }
        }
        for (index, line) in self.text.lines().enumerate() {
            let code = if self.is_rust() { UNFINISHED_CODE.as_slice() } else { &[] };
            let word = UNFINISHED_WORDS.iter().find(|word| has_word(line, word));
            if let Some(found) = word.or_else(|| code.iter().find(|code| line.contains(**code))) {
                add(index + 1, format!("`{found}`: finish it, or open an issue and leave no mark here"));
            }
        }
        faults
    }

    fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "rs")
    }
}

fn has_word(line: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_letter) && !after.is_some_and(is_letter)
    })
}

/// Reads all sources, scripts and manifests of the workspace; what git would ignore (`target`) and hidden folders
/// other than `.ci` and `.cargo` are not ours.
pub(super) fn read(root: &Path) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let kind = entry.file_type().with_context(|| format!("cannot look at {}", path.display()))?;
            let hidden = name.starts_with('.') && !matches!(name.as_ref(), ".ci" | ".cargo" | ".github");
            if kind.is_dir() && !hidden && !is_build_folder(&path) {
                folders.push(path);
            } else if kind.is_file() && is_source(&path) {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                files.push(SourceFile { path: path.strip_prefix(root).unwrap_or(&path).to_owned(), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// cargo marks its folders, wherever `CARGO_TARGET_DIR` puts them.
fn is_build_folder(path: &Path) -> bool {
    path.join("CACHEDIR.TAG").exists()
}

fn is_source(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("rs" | "toml" | "sh" | "yml" | "yaml"))
        || path.parent().and_then(Path::file_name).is_some_and(|folder| folder == ".ci")
}

/// One line about the sizes of the Rust files, the longest named.
pub(super) fn print_sizes(files: &[SourceFile]) {
    let mut sizes: Vec<_> = files
        .iter()
        .filter(|file| file.is_rust())
        .map(|file| (file.text.lines().count(), file.path.display().to_string()))
        .collect();
    sizes.sort();
    let Some((median, _)) = sizes.get(sizes.len() / 2) else { return };
    let longest: Vec<_> = sizes.iter().rev().take(3).map(|(lines, path)| format!("{path} {lines}")).collect();
    println!("lint: {} Rust files, median {median} lines, longest: {}", sizes.len(), longest.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<(usize, String)> {
        let file = SourceFile { path: path.into(), text: text.to_owned() };
        file.faults().into_iter().map(|fault| (fault.line, fault.text)).collect()
    }

    #[test]
    fn the_first_line_says_why() {
        assert!(faults("a.rs", "//! Reads records.\n").is_empty());
        assert_eq!(faults("a.rs", "// Reads records.\n")[0].0, 1);
        assert_eq!(faults("a.rs", "//!\n//! Reads records.\n")[0].0, 1);
        assert_eq!(faults("a.rs", "")[0].0, 1);
        assert!(faults("a.toml", "[package]\n").is_empty());
    }

    #[test]
    fn a_long_file_needs_a_reason() {
        let body = "x();\n".repeat(MAX_LINES);
        let long = faults("a.rs", &format!("//! Long.\n{body}"));
        assert!(long.len() == 1 && long[0].1.contains("501 lines"), "{long:?}");
        assert!(faults("a.rs", &format!("//! Long.\n//! Size: a table.\n{body}")).is_empty());
        assert!(faults("a.rs", &format!("//! Short.\n{}", "x();\n".repeat(MAX_LINES - 1))).is_empty());
    }

    #[test]
    fn unfinished_work_is_found_and_look_alikes_are_not() {
        for word in UNFINISHED_WORDS {
            assert_eq!(faults("a.rs", &format!("//! A.\n// {word}: later\n"))[0].0, 2);
            assert_eq!(faults("run.sh", &format!("# {word}\n")).len(), 1);
            assert!(faults("a.rs", &format!("//! A.\n// name-{word}{word} MY_{word}\n")).is_empty());
        }
        for code in UNFINISHED_CODE {
            assert_eq!(faults("a.rs", &format!("//! A.\n{code}]\n")).len(), 1);
            assert!(faults("a.toml", code).is_empty());
        }
    }
}
