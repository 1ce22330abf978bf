//! Which hook each feature of the agent lives on. A pure function of what was probed, so that every host can be
//! thought through in a table of tests.

use std::fmt;

/// A way into the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A raw tracepoint.
    RawTracepoint,
    /// A BPF program of the LSM type.
    Lsm,
    /// A BPF trampoline at a function's entry.
    Fentry,
    /// A kprobe.
    Kprobe,
}

impl Hook {
    /// The word that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RawTracepoint => "raw tracepoint",
            Self::Lsm => "BPF LSM",
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// What trying something out in the kernel showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It was done, and worked.
    Works,
    /// It was tried, and this is why it did not work.
    Fails(String),
    /// It was not tried, and this is why.
    NotTried(String),
}

impl Probe {
    /// Whether it was seen to work.
    #[must_use]
    pub const fn works(&self) -> bool {
        matches!(self, Self::Works)
    }

    /// Why it does not count as working; empty where it does.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Works => String::new(),
            Self::Fails(reason) => reason.clone(),
            Self::NotTried(reason) => format!("not probed: {reason}"),
        }
    }
}

/// What the kernel's ways in are worth on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFacts {
    /// A ring buffer, without which no hook can say anything.
    pub ring_buffer: Probe,
    /// The raw tracepoint `sched_process_exec`.
    pub raw_tracepoint: Probe,
    /// An LSM program that was seen to run.
    pub lsm: Probe,
    /// A function entry program that was seen to run.
    pub fentry: Probe,
    /// A kprobe program that was seen to run.
    pub kprobe: Probe,
}

impl HookFacts {
    /// What is known about one hook.
    #[must_use]
    pub const fn of(&self, hook: Hook) -> &Probe {
        match hook {
            Hook::RawTracepoint => &self.raw_tracepoint,
            Hook::Lsm => &self.lsm,
            Hook::Fentry => &self.fentry,
            Hook::Kprobe => &self.kprobe,
        }
    }
}

/// Something that the agent sees, and where it hooks in to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name: `exec`, `script`, `exec_map`, `dropper`.
    pub name: &'static str,
    /// What it sees, for people.
    pub sees: &'static str,
    /// The hook that it lives on, or why it lives on none.
    pub hook: Result<Hook, String>,
}

/// What is fixed about a feature.
struct Design {
    name: &'static str,
    sees: &'static str,
    /// Where it can live, best first.
    hooks: &'static [Hook],
}

/// Hooks on the kernel's security checks, best first: those that tell the verifier what their arguments are, which a kprobe
/// does not.
const TYPED_HOOKS: &[Hook] = &[Hook::Lsm, Hook::Fentry];

const DESIGNS: &[Design] = &[
    Design { name: "exec", sees: "executed files and their origin", hooks: &[Hook::RawTracepoint] },
    Design {
        name: "script",
        sees: "the script files of shebang chains, where a rule asks for them",
        hooks: TYPED_HOOKS,
    },
    Design {
        name: "exec_map",
        sees: "files that are mapped executable, where a rule asks for them",
        hooks: TYPED_HOOKS,
    },
    Design { name: "dropper", sees: "who wrote the file, where a rule asks for that", hooks: TYPED_HOOKS },
];

/// Chooses a hook for each feature.
#[must_use]
pub fn plan(facts: &HookFacts) -> Vec<Feature> {
    DESIGNS.iter().map(|design| design.on(facts)).collect()
}

impl Design {
    fn on(&self, facts: &HookFacts) -> Feature {
        let possible = if facts.ring_buffer.works() {
            self.hooks.iter().copied().find(|hook| facts.of(*hook).works())
        } else {
            None
        };
        let hook = possible.ok_or_else(|| self.why_nowhere(facts));
        Feature { name: self.name, sees: self.sees, hook }
    }

    fn why_nowhere(&self, facts: &HookFacts) -> String {
        if !facts.ring_buffer.works() {
            return format!("ring buffer: {}", facts.ring_buffer.reason());
        }
        let reasons: Vec<String> =
            self.hooks.iter().map(|hook| format!("{hook}: {}", facts.of(*hook).reason())).collect();
        reasons.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Feature, Hook, HookFacts, Probe, plan};

    /// One letter each for ring buffer, raw tracepoint, LSM, fentry, kprobe: `+` works, `-` fails, `?` not tried.
    fn facts(letters: &str) -> HookFacts {
        let mut probes = letters.chars().map(|letter| match letter {
            '+' => Probe::Works,
            '-' => Probe::Fails("refused".to_owned()),
            _ => Probe::NotTried("no BTF".to_owned()),
        });
        let mut next = || probes.next().unwrap();
        HookFacts { ring_buffer: next(), raw_tracepoint: next(), lsm: next(), fentry: next(), kprobe: next() }
    }

    fn feature(letters: &str, name: &str) -> Feature {
        plan(&facts(letters)).into_iter().find(|feature| feature.name == name).unwrap()
    }

    #[test]
    fn exec_needs_the_ring_buffer_and_the_raw_tracepoint_and_nothing_else() {
        let table = [
            ("+++++", Ok(Hook::RawTracepoint)),
            ("++---", Ok(Hook::RawTracepoint)),
            ("++???", Ok(Hook::RawTracepoint)),
            ("+-+++", Err("raw tracepoint: refused")),
            ("+?+++", Err("raw tracepoint: not probed: no BTF")),
            ("-++++", Err("ring buffer: refused")),
            ("?----", Err("ring buffer: not probed: no BTF")),
        ];
        for (letters, expected) in table {
            let exec = feature(letters, "exec");
            assert_eq!(exec.hook.as_ref().map_err(String::as_str).copied(), expected, "{letters}");
        }
    }

    #[test]
    fn scripts_mappings_and_writers_live_on_the_lsm_or_on_function_entries_and_on_nothing_else() {
        let table = [
            ("+++++", Ok(Hook::Lsm)),
            ("++-++", Ok(Hook::Fentry)),
            ("++?++", Ok(Hook::Fentry)),
            ("+-+--", Ok(Hook::Lsm)),
            ("++--+", Err("BPF LSM: refused; fentry: refused")),
            ("-++++", Err("ring buffer: refused")),
        ];
        for (letters, expected) in table {
            for name in ["script", "exec_map", "dropper"] {
                let found = feature(letters, name);
                assert_eq!(
                    found.hook.as_ref().map_err(String::as_str).copied(),
                    expected,
                    "{letters} {name}"
                );
            }
        }
    }

    #[test]
    fn each_feature_is_planned_once_and_exec_first() {
        let names: Vec<&str> = plan(&facts("+++++")).iter().map(|feature| feature.name).collect();
        assert_eq!(names, ["exec", "script", "exec_map", "dropper"]);
    }
}
