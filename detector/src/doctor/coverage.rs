//! What the agent would miss of a container, and why: a plain function of the hooks that there are and of what the
//! container's root is.

use crate::{enrich::RunningRoot, kernel::attach_plan::Feature};

/// How well execs of files that the image does not have are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Covered {
    /// By the layers of the root.
    Yes,
    /// By the times of files alone: the root has no layers.
    LowConfidence,
    /// What the root is could not be seen.
    Unknown,
    /// Not at all.
    No,
}

impl Covered {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Yes, Self::LowConfidence, Self::Unknown, Self::No];

    /// The word that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::LowConfidence => "low_confidence",
            Self::Unknown => "unknown",
            Self::No => "no",
        }
    }
}

/// What is covered of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Execs.
    pub execs: Covered,
    /// What would be missed, each with the reason.
    pub missed: Vec<String>,
}

/// Judges a container by its root's file system; `None` = could not be seen.
#[must_use]
pub fn coverage(features: &[Feature], root: Option<&str>) -> Coverage {
    let mut missed = Vec::new();
    let mut execs = match root {
        Some("overlay") => Covered::Yes,
        Some(other) => {
            missed.push(format!(
                "which files are new: a root on {other} has no layers; drop.newer_than_container goes by times"
            ));
            Covered::LowConfidence
        }
        None => {
            missed.push("what its root is: its mounts cannot be read".to_owned());
            Covered::Unknown
        }
    };
    for feature in features {
        let Err(why) = &feature.hook else { continue };
        missed.push(format!("{}: {why}", feature.sees));
        if feature.name == "exec" {
            execs = Covered::No;
        }
    }
    Coverage { execs, missed }
}

/// A running container with its coverage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoveredContainer {
    /// Which.
    pub container: RunningRoot,
    /// What is covered of it.
    pub coverage: Coverage,
}

/// How many containers are covered how well.
#[must_use]
pub fn counts(containers: &[CoveredContainer]) -> [(&'static str, u64); 4] {
    Covered::ALL.map(|covered| {
        let of_it = containers.iter().filter(|one| one.coverage.execs == covered);
        (covered.name(), of_it.count() as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::{Covered, CoveredContainer, counts, coverage};
    use crate::{
        enrich::RunningRoot,
        kernel::attach_plan::{Feature, Hook},
    };

    fn features(exec: Result<Hook, &str>, mappings: Result<Hook, &str>) -> Vec<Feature> {
        let feature =
            |name, sees, hook: Result<Hook, &str>| Feature { name, sees, hook: hook.map_err(str::to_owned) };
        vec![
            feature("exec", "executed files", exec),
            feature("exec_map", "files that are mapped executable", mappings),
        ]
    }

    #[test]
    fn each_gap_is_named_with_its_reason() {
        let all = features(Ok(Hook::RawTracepoint), Ok(Hook::Fentry));
        let some = features(Ok(Hook::RawTracepoint), Err("fentry: EPERM"));
        let none = features(Err("no ring"), Err("no ring"));
        let table = [
            (&all, Some("overlay"), Covered::Yes, vec![]),
            (&some, Some("overlay"), Covered::Yes, vec!["files that are mapped executable: fentry: EPERM"]),
            (&all, Some("zfs"), Covered::LowConfidence, vec!["a root on zfs"]),
            (&some, Some("fuse.fuse-overlayfs"), Covered::LowConfidence, vec!["fuse-overlayfs", "EPERM"]),
            (&all, None, Covered::Unknown, vec!["cannot be read"]),
            (&none, Some("overlay"), Covered::No, vec!["executed files: no ring", "mapped"]),
        ];
        for (features, root, execs, missed) in table {
            let found = coverage(features, root);
            assert_eq!(found.execs, execs, "{root:?}");
            assert_eq!(found.missed.len(), missed.len(), "{found:?}");
            for (one, part) in found.missed.iter().zip(missed) {
                assert!(one.contains(part), "{one}");
            }
        }
    }

    #[test]
    fn containers_are_counted_by_how_well_they_are_covered() {
        let features = features(Ok(Hook::RawTracepoint), Ok(Hook::Lsm));
        let container = |root: Option<&str>| CoveredContainer {
            container: RunningRoot { pid: 7, id: None, file_system: root.map(str::to_owned) },
            coverage: coverage(&features, root),
        };
        let all = [Some("overlay"), Some("overlay"), Some("btrfs"), None].map(container);
        assert_eq!(counts(&all), [("yes", 2), ("low_confidence", 1), ("unknown", 1), ("no", 0)]);
    }
}
