//! Where the agent, and what an output starts, may change files: where outputs write, and in the folders that are meant for
//! such things. Reading is not restricted: the files of containers lie below the roots of their processes, outside of every
//! path that could be named here.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetError, RulesetStatus, path_beneath_rules,
};

/// Writable whatever is configured, so that an output that a reload adds finds a usual place.
const USUAL: [&str; 6] = ["/var/log", "/var/lib", "/var/tmp", "/tmp", "/run", "/dev"];

/// How far the kernel enforces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enforced {
    Fully,
    /// An older kernel: some kinds of changes are not covered.
    InPart,
    /// No landlock in this kernel.
    Not,
}

/// Restricts this thread, and those that it starts.
pub(super) fn restrict(writable: &[PathBuf]) -> Result<Enforced, RulesetError> {
    let access = AccessFs::from_write(ABI::V5);
    let places = USUAL.iter().map(PathBuf::from).chain(writable.iter().map(|path| nearest(path)));
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(access)?
        .create()?
        .add_rules(path_beneath_rules(places, access))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Enforced::Fully,
        RulesetStatus::PartiallyEnforced => Enforced::InPart,
        RulesetStatus::NotEnforced => Enforced::Not,
    })
}

/// The folder itself, or the one above it in which it will be made.
fn nearest(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let there = path.ancestors().find(|path| path.is_dir());
    // Not all of the file system for a mistyped path.
    there.filter(|there| *there != Path::new("/")).unwrap_or(path).to_path_buf()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::nearest;

    #[test]
    fn a_folder_that_is_not_there_stands_for_the_one_above_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(nearest(folder.path()), folder.path());
        assert_eq!(nearest(&folder.path().join("a/b")), folder.path());
        assert_eq!(nearest(Path::new("")), PathBuf::from("."));
        assert_eq!(nearest(Path::new("/no-such/folder")), PathBuf::from("/no-such/folder"));
    }
}
