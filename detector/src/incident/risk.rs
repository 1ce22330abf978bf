//! A score whose terms are shown. Each term is a documented question to the facts (docs/reports.md); a question that the
//! alert does not answer adds nothing, and says so.

use serde::Serialize;

use super::{Fact, Facts, Provenance, Sentence, actors, time_words};

/// Points of a score are cut here.
const MAX_SCORE: i32 = 100;

/// Capabilities that lead out of a container, or to its host's memory.
const STRONG_CAPABILITIES: [&str; 8] = [
    "CAP_SYS_ADMIN",
    "CAP_SYS_PTRACE",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_DAC_READ_SEARCH",
    "CAP_BPF",
    "CAP_NET_ADMIN",
    "CAP_PERFMON",
];

/// The answer to a term's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The points count.
    Yes,
    /// They do not.
    No,
    /// The alert does not say.
    Unknown,
}

/// A term of the score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Term {
    /// Stable word.
    pub key: &'static str,
    /// Points when the answer is yes.
    pub points: i32,
    /// The answer.
    pub answer: Answer,
    /// Why.
    pub reason: Sentence,
}

/// The level of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Below 20.
    Low,
    /// 20 to 39.
    Elevated,
    /// 40 to 69.
    High,
    /// 70 and more.
    Severe,
}

impl Level {
    /// The word that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Elevated => "elevated",
            Self::High => "high",
            Self::Severe => "severe",
        }
    }
}

/// A score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Risk {
    /// Sum of the terms that apply, 0 to 100.
    pub score: i32,
    /// What it could be at most if all that is unknown were true.
    pub at_most: i32,
    /// The word for it.
    pub level: Level,
    /// All terms, in a fixed order.
    pub terms: Vec<Term>,
}

impl Risk {
    /// Scores an execution.
    #[must_use]
    pub fn of(facts: &Facts<'_>) -> Self {
        let terms = terms(facts);
        let sum = |answers: &[Answer]| -> i32 {
            terms.iter().filter(|term| answers.contains(&term.answer)).map(|term| term.points).sum()
        };
        let unknown_gains: i32 =
            terms.iter().filter(|term| term.answer == Answer::Unknown).map(|term| term.points.max(0)).sum();
        let score = sum(&[Answer::Yes]).clamp(0, MAX_SCORE);
        let at_most = (sum(&[Answer::Yes]) + unknown_gains).clamp(0, MAX_SCORE);
        let level = match score {
            ..20 => Level::Low,
            20..40 => Level::Elevated,
            40..70 => Level::High,
            _ => Level::Severe,
        };
        Self { score, at_most, level, terms }
    }
}

fn terms(facts: &Facts<'_>) -> Vec<Term> {
    vec![
        provenance(facts),
        fresh(facts),
        place(facts),
        root(facts),
        capabilities(facts),
        privileged(facts),
        host_namespaces(facts),
        host_mounts(facts),
        network_tool(facts),
        service(facts),
        terminal(facts),
        repeated(facts),
        package_manager(facts),
        identical(facts),
    ]
}

fn term(key: &'static str, points: i32, yes: bool, reason: Sentence) -> Term {
    Term { key, points, answer: if yes { Answer::Yes } else { Answer::No }, reason }
}

fn unknown(key: &'static str, points: i32, what: &str) -> Term {
    Term { key, points, answer: Answer::Unknown, reason: Sentence::default().unknown(what) }
}

fn provenance(facts: &Facts<'_>) -> Term {
    let Some(found) = facts.provenance() else {
        return unknown("provenance", 25, "Where the file comes from is unknown.");
    };
    let points = match found.value {
        Provenance::Memfd | Provenance::ForeignOverlay => 35,
        Provenance::New | Provenance::Modified | Provenance::Tmpfs => 25,
        Provenance::UpperLayer | Provenance::Volume | Provenance::NotOverlay | Provenance::Unknown => 20,
        Provenance::MetadataOnly => 5,
        Provenance::Image => 0,
    };
    let reason = Sentence::new("The file ").fact(&found.map(Provenance::meaning)).words(".");
    term("provenance", points, points > 0, reason)
}

fn fresh(facts: &Facts<'_>) -> Term {
    let Some(age) = facts.age_ms() else { return unknown("fresh", 10, "The age of the file is unknown.") };
    let young = (0..60_000).contains(&age.value);
    let reason = if age.value < 0 {
        Sentence::new(
            "The file's last change is later than its execution: a clock was set, or a time was forged.",
        )
        .because(&age.from)
    } else {
        let ns = u64::try_from(age.value).unwrap_or(0).saturating_mul(1_000_000);
        Sentence::new("It ran ").fact(&age.map(|_| time_words::span(ns))).words(" after its last change.")
    };
    term("fresh", 10, young || reason.parts.len() == 1, reason)
}

fn place(facts: &Facts<'_>) -> Term {
    let Some(path) = facts.path() else { return unknown("place", 10, "The path is unknown.") };
    let writable = ["/tmp/", "/var/tmp/", "/dev/shm/", "/run/", "/var/run/", "/proc/"];
    let hidden = path.value.split('/').any(|part| part.starts_with('.') && part.len() > 2);
    let anyone = writable.iter().any(|start| path.value.starts_with(start));
    let reason = match (anyone, hidden) {
        (true, _) => Sentence::new("It lies where every user may write: ").value(&path).words("."),
        (_, true) => Sentence::new("A part of its path is hidden: ").value(&path).words("."),
        _ => Sentence::new("It lies in an ordinary place: ").value(&path).words("."),
    };
    term("place", 10, anyone || hidden, reason)
}

fn root(facts: &Facts<'_>) -> Term {
    let Some(root) = facts.root() else { return unknown("root", 10, "The user is unknown.") };
    let words = if root.value { "It ran as root." } else { "It did not run as root." };
    term("root", 10, root.value, Sentence::new(words).because(&root.from))
}

fn capabilities(facts: &Facts<'_>) -> Term {
    if facts.alert().fields.is_empty("thread.cap_effective") {
        let from = Fact::new((), "thread.cap_effective");
        return term("capabilities", 15, false, Sentence::new("It has no capabilities.").because(&from.from));
    }
    let Some(all) = facts.text("thread.cap_effective") else {
        return unknown("capabilities", 15, "Its capabilities are unknown.");
    };
    let strong: Vec<&str> =
        all.value.split_whitespace().filter(|name| STRONG_CAPABILITIES.contains(name)).collect();
    if strong.is_empty() {
        let reason =
            Sentence::new("It has none of the capabilities that lead out of a container.").because(&all.from);
        return term("capabilities", 15, false, reason);
    }
    let shown = Fact { value: strong.join(" "), from: all.from.clone() };
    term("capabilities", 15, true, Sentence::new("It has strong capabilities: ").value(&shown).words("."))
}

fn privileged(facts: &Facts<'_>) -> Term {
    let Some(privileged) = facts.truth("container.privileged") else {
        return unknown("privileged", 20, "Whether the container is privileged is unknown.");
    };
    let words =
        if privileged.value { "The container is privileged." } else { "The container is not privileged." };
    term("privileged", 20, privileged.value, Sentence::new(words).because(&privileged.from))
}

fn host_namespaces(facts: &Facts<'_>) -> Term {
    let fields = [
        ("container.host_pid", "process ids"),
        ("container.host_network", "network"),
        ("container.host_ipc", "shared memory"),
    ];
    let known: Vec<(&str, Fact<bool>)> =
        fields.iter().filter_map(|(field, words)| Some((*words, facts.truth(field)?))).collect();
    let shared: Vec<&(&str, Fact<bool>)> = known.iter().filter(|(_, fact)| fact.value).collect();
    if shared.is_empty() && known.len() < fields.len() {
        return unknown(
            "host_namespaces",
            10,
            "Whether the container shares namespaces with the host is unknown.",
        );
    }
    if shared.is_empty() {
        let mut reason = Sentence::new("The container shares no namespace with the host.");
        for (_, fact) in &known {
            reason = reason.because(&fact.from);
        }
        return term("host_namespaces", 10, false, reason);
    }
    let mut reason = Sentence::new("The container shares with the host: ");
    for (index, (words, fact)) in shared.into_iter().enumerate() {
        reason = reason.words(if index == 0 { "" } else { ", " }).words(words).because(&fact.from);
    }
    term("host_namespaces", 10, true, reason.words("."))
}

/// Mounts of the host that give power over it.
fn host_mounts(facts: &Facts<'_>) -> Term {
    let from = vec!["container.mounts".to_owned()];
    if facts.alert().fields.is_empty("container.mounts") {
        return term(
            "host_mounts",
            15,
            false,
            Sentence::new("Nothing is mounted into the container.").because(&from),
        );
    }
    let Some(mounts) = facts.text("container.mounts") else {
        return unknown("host_mounts", 15, "What is mounted into the container is unknown.");
    };
    let sources = mounts.value.split(',').filter_map(|mount| mount.split(':').next());
    let strong = |source: &&str| {
        source.ends_with("docker.sock")
            || source.ends_with("containerd.sock")
            || source.ends_with("crio.sock")
            || source.ends_with("podman.sock")
            || ["/", "/etc", "/root", "/proc", "/sys", "/dev", "/run", "/var/run", "/boot", "/home"]
                .contains(source)
            || source.starts_with("/var/lib/kubelet")
    };
    if let Some(source) = sources.clone().find(strong) {
        let shown = Fact { value: source.to_owned(), from };
        let reason = Sentence::new("A mount gives power over the host: ").value(&shown).words(".");
        return term("host_mounts", 15, true, reason);
    }
    let words = "No mount is one that is known to give power over the host.";
    term("host_mounts", 15, false, Sentence::new(words).because(&from))
}

fn network_tool(facts: &Facts<'_>) -> Term {
    let mut any_known = false;
    for actor in actors::of(facts) {
        any_known = true;
        if actors::NETWORK_TOOLS.contains(&actor.value.as_str()) {
            let reason = Sentence::new("A network tool had a part in it: ").value(&actor).words(".");
            return term("network_tool", 10, true, reason);
        }
    }
    if any_known && facts.dropper().is_some() {
        let mut reason = Sentence::new("No network tool is among the dropper and the processes above.");
        for actor in actors::of(facts) {
            reason = reason.because(&actor.from);
        }
        return term("network_tool", 10, false, reason);
    }
    unknown("network_tool", 10, "Who wrote the file is unknown, so a network tool cannot be ruled out.")
}

fn service(facts: &Facts<'_>) -> Term {
    let ancestors = facts.ancestors();
    let names: Vec<Fact<String>> = ancestors.into_iter().filter_map(|one| one.name).collect();
    if names.is_empty() {
        return unknown("service", 10, "The processes above are unknown.");
    }
    if let Some(name) = names.iter().find(|name| actors::SERVICES.contains(&name.value.as_str())) {
        let reason = Sentence::new("A network service started it: ").value(name).words(".");
        return term("service", 10, true, reason);
    }
    let mut reason = Sentence::new("None of the known processes above is a well-known network service.");
    for name in &names {
        reason = reason.because(&name.from);
    }
    term("service", 10, false, reason)
}

fn terminal(facts: &Facts<'_>) -> Term {
    let Some(tty) = facts.unsigned("proc.tty") else {
        return unknown("terminal", 5, "Whether a person at a terminal started it is unknown.");
    };
    let words =
        if tty.value == 0 { "It has no terminal." } else { "It has a terminal: a person may be at work." };
    term("terminal", 5, tty.value != 0, Sentence::new(words).because(&tty.from))
}

fn repeated(facts: &Facts<'_>) -> Term {
    let (count, _) = facts.repeats();
    let count = Fact::new(count, "alerts");
    let reason = match count.value {
        1 => Sentence::new("It was seen once in what was read.").because(&count.from),
        _ => Sentence::new("It was seen ").value(&count).words(" times in what was read."),
    };
    term("repeated", 5, count.value > 1, reason)
}

fn package_manager(facts: &Facts<'_>) -> Term {
    let via = facts.text("drop.via");
    let found =
        actors::of(facts).into_iter().find(|actor| actors::PACKAGE_MANAGERS.contains(&actor.value.as_str()));
    match via.or(found) {
        Some(name) => {
            let reason = Sentence::new("A package manager had a part in it, which is often harmless: ")
                .value(&name)
                .words(".");
            term("package_manager", -20, true, reason)
        }
        None if actors::of(facts).is_empty() => {
            unknown("package_manager", -20, "Whether a package manager had a part in it is unknown.")
        }
        None => {
            let mut reason =
                Sentence::new("No package manager is among those that are known to have had a part in it.");
            for actor in actors::of(facts) {
                reason = reason.because(&actor.from);
            }
            term("package_manager", -20, false, reason)
        }
    }
}

fn identical(facts: &Facts<'_>) -> Term {
    let Some(same) = facts.identical_to_image() else {
        return unknown("identical", -30, "Whether the file equals one of the image is unknown.");
    };
    let words = if same.value {
        "Its bytes are those of the image's file."
    } else {
        "Its bytes are not those of the image's file."
    };
    term("identical", -30, same.value, Sentence::new(words).because(&same.from))
}
