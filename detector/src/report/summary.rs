//! What happened, in plain sentences.

use crate::incident::{Fact, Facts, Incident, Provenance, Sentence, Subject, Written, time_words};

/// A few words for the top.
pub(super) fn heading(facts: &Facts<'_>) -> Sentence {
    let subject = facts.subject();
    let found = facts.provenance();
    let words = match (subject.value, found.as_ref().map(|found| found.value)) {
        (Subject::Script, Some(Provenance::New | Provenance::UpperLayer)) => "A dropped script was run",
        (Subject::Script, Some(Provenance::Modified)) => "A changed script was run",
        (Subject::Script, _) => "A script was run",
        (Subject::Mapped, Some(Provenance::New | Provenance::UpperLayer)) => {
            "A dropped file was mapped as code"
        }
        (Subject::Mapped, _) => "A file was mapped as code",
        (_, Some(Provenance::Image)) => "Execution of a file of the image",
        (_, Some(Provenance::MetadataOnly)) => "Execution of a file whose mode, owner or times were changed",
        (_, Some(Provenance::Memfd)) => "Execution from memory",
        (_, Some(Provenance::Modified)) => "Execution of a changed file",
        (_, Some(Provenance::New | Provenance::UpperLayer)) => "Execution of a dropped file",
        (_, Some(_)) => "Execution of a file from outside the image",
        (_, None) => "Execution of a file",
    };
    let mut heading = Sentence::new(words).because(&subject.from);
    if let Some(found) = &found {
        heading = heading.because(&found.from);
    }
    match facts.path() {
        Some(path) => heading.words(": ").value(&path),
        None => heading,
    }
}

/// Container, host and time on one line.
pub(super) fn place(facts: &Facts<'_>) -> Sentence {
    let mut line = container(facts, "Container ", "On the host", "Container unknown");
    if let Some(host) = facts.host() {
        line = line.words(" on ").value(&host);
    }
    match facts.event_time() {
        Some(time) => line.words(", ").fact(&time.map(time_words::moment)),
        None => line.words(", ").unknown("time unknown"),
    }
}

fn container(facts: &Facts<'_>, known: &str, host: &str, unknown: &str) -> Sentence {
    if let Some(on_host) = facts.on_host().filter(|fact| fact.value) {
        return Sentence::new(host).because(&on_host.from);
    }
    match facts.text("container.name").or_else(|| facts.container_id()) {
        Some(name) => Sentence::new(known).value(&name),
        None => Sentence::default().unknown(unknown),
    }
}

pub(super) fn sentences(facts: &Facts<'_>, incident: &Incident) -> Vec<Sentence> {
    let mut all = vec![lead(facts)];
    if let Some(found) = facts.provenance() {
        all.push(Sentence::new("The file ").fact(&found.map(Provenance::meaning)).words("."));
    } else {
        all.push(Sentence::default().unknown("Where the file comes from is unknown."));
    }
    all.push(dropper(facts));
    all.extend(via(facts));
    all.push(starter(facts));
    all.extend(kind(facts));
    let (count, last) = facts.repeats();
    if count > 1 {
        let mut repeats =
            Sentence::new("It happened ").value(&Fact::new(count, "alerts")).words(" times in what was read");
        if let Some(last) = last {
            repeats = repeats.words(", last at ").fact(&Fact::new(time_words::moment(last), "alerts"));
        }
        all.push(repeats.words("."));
    }
    let others = incident.executions.len().saturating_sub(1);
    if others > 0 {
        let others = Fact::new(others, "alerts");
        all.push(
            Sentence::new("Other executions in the same place: ")
                .value(&others)
                .words("; they are listed below."),
        );
    }
    match facts.alert().written {
        Written::Json => {}
        Written::Text => all.push(Sentence::new(
            "These facts were read from the text form of the alert, which holds fewer of them than the JSON form.",
        )),
        Written::AmbiguousText => all.push(Sentence::default().unknown(
            "The alert was read in its text form, and its values cannot be told apart there; the JSON form would have them.",
        )),
    }
    all
}

fn lead(facts: &Facts<'_>) -> Sentence {
    let mut lead = Sentence::default();
    let age = facts.age_ms().filter(|age| age.value >= 0);
    if let Some(age) = &age {
        let ns = u64::try_from(age.value).unwrap_or(0).saturating_mul(1_000_000);
        let mut span = Fact { value: time_words::span(ns), from: age.from.clone() };
        if ns < 1_000_000 {
            "Less than 1 ms".clone_into(&mut span.value);
        }
        lead = lead.fact(&span).words(" after its last change, ");
    }
    lead = match facts.path() {
        Some(path) => lead.value(&path),
        None => lead.unknown(if age.is_some() {
            "a file whose path is unknown"
        } else {
            "A file whose path is unknown"
        }),
    };
    let subject = facts.subject();
    let verb = match subject.value {
        Subject::Program => " was executed ",
        Subject::Script => " was run ",
        Subject::Mapped => " was mapped as code into a process that ran ",
    };
    lead = user(facts, lead.words(verb).because(&subject.from));
    lead = lead.then(container(
        facts,
        " in container ",
        " on the host, outside of containers,",
        " in a container that is not named",
    ));
    if let Some(image) = image(facts) {
        lead = lead.words(", whose image is ").then(image).words(",");
    }
    if let (Some(ns), Some(pod)) = (facts.text("k8s.ns.name"), facts.text("k8s.pod.name")) {
        lead = lead.words(" of pod ").value(&pod).words(" in namespace ").value(&ns);
    }
    if let Some(host) = facts.host() {
        lead = lead.words(" on host ").value(&host);
    }
    lead.words(".")
}

fn user(facts: &Facts<'_>, lead: Sentence) -> Sentence {
    match (facts.root().filter(|root| root.value), facts.text("user.name"), facts.unsigned("user.uid")) {
        (Some(root), ..) => lead.words("as root").because(&root.from),
        (None, Some(name), _) => lead.words("as user ").value(&name),
        (None, None, Some(uid)) => lead.words("as the user with id ").value(&uid),
        (None, None, None) => lead.unknown("by a user that is not known"),
    }
}

/// Repository with its tag.
pub(super) fn image(facts: &Facts<'_>) -> Option<Sentence> {
    if let Some(repository) = facts.text("container.image.repository") {
        let image = Sentence::default().value(&repository);
        return Some(match facts.text("container.image.tag") {
            Some(tag) => image.words(" with tag ").value(&tag),
            None => image,
        });
    }
    facts
        .first_text(&["container.image", "container.image.id"])
        .map(|image| Sentence::default().value(&image))
}

fn dropper(facts: &Facts<'_>) -> Sentence {
    let Some(by) = facts.dropper() else {
        return Sentence::default().unknown("Who wrote the file is unknown: the alert does not tell.");
    };
    let mut sentence = Sentence::new("It was written by ").value(&by);
    if let Some(command) = facts.text("drop.by.cmdline") {
        sentence = sentence.words(" with the command line ").value(&command);
    }
    if let Some(place) = facts.text("drop.by.where") {
        let words = match place.value.as_str() {
            "same_container" => " inside the same container",
            "other_container" => " in another container",
            "host" => " on the host (which is where `docker cp` and the like write from)",
            _ => "",
        };
        sentence = if words.is_empty() {
            sentence.words(", which ran in: ").value(&place)
        } else {
            sentence.words(words).because(&place.from)
        };
        if let Some(id) = facts.text("drop.by.container.id").filter(|_| place.value == "other_container") {
            sentence = sentence.words(" (").value(&id).words(")");
        }
    }
    if let Some(age) = facts.signed("drop.by.age_ms").filter(|age| age.value >= 0) {
        let span = age.map(|ms| time_words::span(u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000)));
        sentence = sentence.words(", which had opened it ").fact(&span).words(" before");
    }
    sentence.words(".")
}

fn via(facts: &Facts<'_>) -> Option<Sentence> {
    let via = facts.text("drop.via")?;
    let words = "A package manager or build tool wrote it, or is among the processes above: ";
    Some(Sentence::new(words).value(&via).words(", by its name."))
}

fn starter(facts: &Facts<'_>) -> Sentence {
    let parent = facts.ancestors().into_iter().next().and_then(|parent| parent.name.or(parent.path));
    let sentence = match parent {
        Some(parent) => Sentence::new("It was started by ").value(&parent),
        None => Sentence::default().unknown("What started it is unknown"),
    };
    match facts.text("proc.cmdline") {
        Some(command) => sentence.words(", with the command line ").value(&command).words("."),
        None => sentence.words("; ").unknown("its command line is unknown").words("."),
    }
}

fn kind(facts: &Facts<'_>) -> Option<Sentence> {
    let kind = facts.text("drop.kind")?;
    let words = match kind.value.as_str() {
        "script" => "It is a script, run by the interpreter that its first line names: ",
        "interpreter_arg" => "It was given to an interpreter as an argument: ",
        "exec_map" => "It was not executed itself; it became code of a process of ",
        _ => return None,
    };
    let sentence = Sentence::new(words).because(&kind.from);
    Some(match facts.text("proc.exepath") {
        Some(program) => sentence.value(&program).words("."),
        None => sentence.unknown("its path is unknown").words("."),
    })
}
