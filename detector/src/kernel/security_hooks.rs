//! Hooks beside the main one: which file a script is, which files are mapped executable, and who opens files for writing.
//! They live where the kernel checks what processes may do, on the LSM or on a function's entry, and are attached only where a
//! rule asks for what they see. Where the kernel refuses both, the agent says so and goes on without.

use std::fmt;

use super::{
    attach_plan::{self, Hook},
    bpf_call::ProgramKind,
    btf::Btf,
    hook_probes,
};

/// What is seen beyond execs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sights {
    /// Scripts before they are executed.
    pub scripts: bool,
    /// Files that are mapped executable.
    pub mappings: bool,
    /// Who opens files for writing.
    pub writers: bool,
}

impl Sights {
    /// Whether something is among these that is not among the others.
    #[must_use]
    pub fn beyond(self, others: Self) -> bool {
        Sight::ALL.into_iter().any(|sight| sight.is_wanted(self) && !sight.is_wanted(others))
    }
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Scripts before they are executed.
    Scripts,
    /// Files that are mapped executable.
    Mappings,
    /// Who opens files for writing.
    Writers,
}

impl Sight {
    /// How many there are.
    pub(super) const COUNT: usize = 3;
    const ALL: [Self; Self::COUNT] = [Self::Scripts, Self::Mappings, Self::Writers];

    const fn is_wanted(self, wanted: Sights) -> bool {
        match self {
            Self::Scripts => wanted.scripts,
            Self::Mappings => wanted.mappings,
            Self::Writers => wanted.writers,
        }
    }

    /// Name of the count of runs that the kernel kept from its hook.
    #[must_use]
    pub const fn missed(self) -> &'static str {
        match self {
            Self::Scripts => "scripts_missed",
            Self::Mappings => "mappings_missed",
            Self::Writers => "writers_missed",
        }
    }

    /// Name of the feature in the attach plan.
    const fn feature(self) -> &'static str {
        match self {
            Self::Scripts => "script",
            Self::Mappings => "exec_map",
            Self::Writers => "dropper",
        }
    }

    /// The programs for the LSM and for a function's entry, with what the kernel's BTF calls the places.
    const fn programs(self) -> [(Hook, &'static str, &'static str); 2] {
        match self {
            Self::Scripts => [
                (Hook::Lsm, "detector_script_lsm", "bpf_lsm_bprm_check_security"),
                (Hook::Fentry, "detector_script", "security_bprm_check"),
            ],
            Self::Mappings => [
                (Hook::Lsm, "detector_map_lsm", "bpf_lsm_mmap_file"),
                (Hook::Fentry, "detector_map", "security_mmap_file"),
            ],
            Self::Writers => [
                (Hook::Lsm, "detector_open_lsm", "bpf_lsm_file_open"),
                (Hook::Fentry, "detector_open", "security_file_open"),
            ],
        }
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Scripts => "the file of each script",
            Self::Mappings => "what is mapped executable",
            Self::Writers => "who writes files",
        })
    }
}

/// What became of a sight that was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which.
    pub sight: Sight,
    /// The hook that it lives on, or why it lives on none.
    pub hook: Result<Hook, String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hook {
            Ok(hook) => write!(out, "{} is seen ({hook})", self.sight),
            Err(why) => write!(out, "{} is not seen: {why}", self.sight),
        }
    }
}

/// A program to attach.
pub(super) struct Choice {
    pub(super) sight: Sight,
    pub(super) hook: Hook,
    pub(super) program: &'static str,
    pub(super) kind: ProgramKind,
}

/// Finds a hook for each sight that is wanted.
pub(super) fn choose(wanted: Sights, btf: &Btf<'_>) -> Vec<Result<Choice, Outcome>> {
    if wanted == Sights::default() {
        return Vec::new();
    }
    let plan = attach_plan::plan(&hook_probes::probe(Some(btf), lsm_listed()));
    let of_plan = |sight: Sight| plan.iter().find(|feature| feature.name == sight.feature());
    let choose = |sight: Sight| {
        let hook = of_plan(sight).map_or_else(|| Err("not planned".to_owned()), |one| one.hook.clone());
        let refused = |why: String| Outcome { sight, hook: Err(why) };
        let hook = hook.map_err(refused)?;
        let (_, program, function) = sight
            .programs()
            .into_iter()
            .find(|(of, ..)| *of == hook)
            .ok_or_else(|| refused(format!("no program for {hook}")))?;
        let id = btf
            .function_id(function)
            .ok_or_else(|| refused(format!("the kernel's BTF has no function {function}")))?;
        let kind = if hook == Hook::Lsm { ProgramKind::Lsm(id) } else { ProgramKind::Fentry(id) };
        Ok(Choice { sight, hook, program, kind })
    };
    Sight::ALL.into_iter().filter(|sight| sight.is_wanted(wanted)).map(choose).collect()
}

/// Whether `bpf` is among the active LSMs, if that is known.
fn lsm_listed() -> Option<bool> {
    let active = std::fs::read_to_string("/sys/kernel/security/lsm").ok()?;
    Some(active.trim().split(',').any(|name| name == "bpf"))
}

#[cfg(test)]
mod tests {
    use super::{Hook, Outcome, Sight, Sights};

    #[test]
    fn what_is_seen_and_what_is_not_is_told_in_words() {
        let table = [
            (Sight::Mappings, Ok(Hook::Lsm), "what is mapped executable is seen (BPF LSM)"),
            (Sight::Writers, Err("fentry: EPERM".to_owned()), "who writes files is not seen: fentry: EPERM"),
        ];
        for (sight, hook, expected) in table {
            assert_eq!(Outcome { sight, hook }.to_string(), expected);
        }
    }

    #[test]
    fn each_sight_is_wanted_by_its_own_member() {
        let wanted = Sights { scripts: false, mappings: true, writers: false };
        assert!(Sight::Mappings.is_wanted(wanted) && !Sight::Writers.is_wanted(wanted));
        assert!(wanted.beyond(Sights::default()) && !wanted.beyond(wanted));
        assert!(!Sights::default().beyond(wanted));
    }
}
