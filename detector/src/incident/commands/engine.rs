//! The engine's own command, on the host.

use super::{Commands, Engine, container, step};
use crate::incident::{Fact, Facts, Provenance, Sentence, shell, time_words};

/// Letters of an id that name evidence files.
const SHORT: usize = 12;

pub(super) fn add(facts: &Facts<'_>, told: Option<Engine>, commands: &mut Commands) {
    if let Some(on_host) = facts.on_host().filter(|fact| fact.value) {
        commands.note(Sentence::new("It happened on the host, not in a container.").because(&on_host.from));
        return;
    }
    let Some(id) = container(facts) else {
        commands.note(match facts.container_id() {
            Some(id) => Sentence::new(
                "The container's id has letters that ids cannot have: no commands for its engine.",
            )
            .because(&id.from),
            None => Sentence::default().unknown("The container's id is unknown: no commands for its engine."),
        });
        return;
    };
    if id.value.starts_with("mnt-") {
        let note = "No engine is known for this container; its id is the number of its mount namespace. Its processes:";
        let number = id.value.trim_start_matches("mnt-");
        if let Ok(inode) = u64::from_str_radix(number, 16) {
            let command = format!(
                "for ns in /proc/[0-9]*/ns/mnt; do [ \"$(readlink \"$ns\")\" = 'mnt:[{inode}]' ] && echo \"$ns\"; done"
            );
            step(&mut commands.check, Sentence::new(note), &[&id.from], command);
        }
        return;
    }
    let kind = facts.runtime();
    let known = kind
        .as_ref()
        .and_then(|kind| Some(Fact { value: Engine::named(&kind.value)?, from: kind.from.clone() }));
    let told = told.map(|engine| Fact { value: engine, from: Vec::new() });
    match told.or(known) {
        Some(engine) => one(facts, &id, &engine, commands),
        None if facts.text("k8s.pod.name").is_some() => {
            commands.note(Sentence::default().unknown("The alert does not say which engine runs the container; crictl speaks with all that Kubernetes uses."));
            one(facts, &id, &Fact { value: Engine::Crictl, from: vec!["k8s.pod.name".to_owned()] }, commands);
        }
        None => find(facts, &id, commands),
    }
}

/// Asks every engine that there is; three of them speak the same language.
fn find(facts: &Facts<'_>, id: &Fact<String>, commands: &mut Commands) {
    let note = "The alert does not say which engine runs the container. The first command finds out, and remembers it in E for the commands below; if it says crictl, make this report anew with --runtime crictl.";
    commands.note(Sentence::default().unknown(note));
    let id_text = &id.value;
    let command = format!(
        "for e in docker podman nerdctl crictl; do command -v $e >/dev/null && $e inspect {id_text} >/dev/null 2>&1 && E=$e && echo $e; done"
    );
    step(&mut commands.check, Sentence::new("Which engine knows the container."), &[&id.from], command);
    docker_like(facts, id, "\"$E\"", &[], commands);
}

fn one(facts: &Facts<'_>, id: &Fact<String>, engine: &Fact<Engine>, commands: &mut Commands) {
    match engine.value {
        Engine::Docker | Engine::Podman | Engine::Nerdctl => {
            let word = engine.value.command();
            // Where Kubernetes keeps its containers.
            let in_pod = engine.value == Engine::Nerdctl && facts.text("k8s.pod.name").is_some();
            let word = if in_pod { format!("{word} -n k8s.io") } else { word.to_owned() };
            docker_like(facts, id, &word, &engine.from, commands);
            if engine.value == Engine::Podman {
                podman_only(id, engine, commands);
            }
        }
        Engine::Crictl => crictl(facts, id, engine, commands),
        Engine::Ctr => ctr(facts, id, engine, commands),
        Engine::Lxc | Engine::Nspawn => machine(id, engine, commands),
    }
}

fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

/// The file's path, when the file lies in the container's own file system and a copy can be asked for.
fn copied_path(facts: &Facts<'_>) -> Option<Fact<String>> {
    let in_files = facts.provenance().is_none_or(|found| found.value != Provenance::Memfd);
    facts.path().filter(|path| in_files && path.value.starts_with('/'))
}

/// The image as an engine takes it: as it was configured, else its repository with its tag.
fn reference(facts: &Facts<'_>) -> Option<Fact<String>> {
    if let Some(image) = facts.text("container.image") {
        return Some(image);
    }
    let (repository, tag) = (facts.text("container.image.repository")?, facts.text("container.image.tag")?);
    Some(Fact {
        value: format!("{}:{}", repository.value, tag.value),
        from: [repository.from, tag.from].concat(),
    })
}

/// `e` is the engine as the shell reads it, `told` the fields that tell it.
fn docker_like(facts: &Facts<'_>, id: &Fact<String>, e: &str, told: &[String], commands: &mut Commands) {
    let (c, file) = (&id.value, short(&id.value));
    let from = [id.from.as_slice(), told];
    let check = &mut commands.check;
    step(
        check,
        Sentence::new("How the container was started, and its state now."),
        &from,
        format!("{e} inspect {c}"),
    );
    if let Some(time) = facts.event_time() {
        let since = time_words::argument(time.value.saturating_sub(600_000_000_000));
        let until = time_words::argument(time.value.saturating_add(600_000_000_000));
        step(
            check,
            Sentence::new("What it wrote ten minutes around the alert."),
            &[from[0], from[1], &time.from],
            format!("{e} logs --timestamps --since {since} --until {until} {c}"),
        );
    }
    step(check, Sentence::new("What runs in it now."), &from, format!("{e} top {c}"));
    step(
        check,
        Sentence::new("What was changed in its file system since its start: A added, C changed, D deleted."),
        &from,
        format!("{e} diff {c}"),
    );
    if let Some(image) = reference(facts)
        && let Some(word) = shell::operand(&image.value)
    {
        step(
            check,
            Sentence::new("How its image was made."),
            &[from[0], from[1], &image.from],
            format!("{e} history --no-trunc {word}"),
        );
    }
    let keep = &mut commands.keep;
    step(
        keep,
        Sentence::new("Freezes all its processes; memory and files stay as they are."),
        &from,
        format!("{e} pause {c}"),
    );
    if let Some(path) = copied_path(facts)
        && let Some(word) = shell::quote(&format!("{c}:{}", path.value))
    {
        step(
            keep,
            Sentence::new("A copy of the file; fails when the file was deleted meanwhile."),
            &[from[0], from[1], &path.from],
            format!("{e} cp {word} ./sample-{file}"),
        );
    }
    step(
        keep,
        Sentence::new("All its files, without its volumes."),
        &from,
        format!("{e} export -o container-{file}.tar {c}"),
    );
    let contain = &mut commands.contain;
    step(
        contain,
        Sentence::new("Freezes it, if not done above; reversible with unpause."),
        &from,
        format!("{e} pause {c}"),
    );
    step(contain, Sentence::new("Ends it; what is only in memory is lost."), &from, format!("{e} kill {c}"));
}

fn podman_only(id: &Fact<String>, engine: &Fact<Engine>, commands: &mut Commands) {
    let (c, file) = (&id.value, short(&id.value));
    step(
        &mut commands.keep,
        Sentence::new("Memory and files, where CRIU is installed and the container is root's."),
        &[&id.from, &engine.from],
        format!("podman container checkpoint --leave-running --export checkpoint-{file}.tar.gz {c}"),
    );
}

fn crictl(facts: &Facts<'_>, id: &Fact<String>, engine: &Fact<Engine>, commands: &mut Commands) {
    let (c, file) = (&id.value, short(&id.value));
    let from = [id.from.as_slice(), engine.from.as_slice()];
    let check = &mut commands.check;
    step(
        check,
        Sentence::new("How the container was started, and its state now."),
        &from,
        format!("crictl inspect {c}"),
    );
    if let Some(time) = facts.event_time() {
        let since = time_words::argument(time.value.saturating_sub(600_000_000_000));
        step(
            check,
            Sentence::new("What it wrote from ten minutes before the alert on."),
            &[from[0], from[1], &time.from],
            format!("crictl logs --timestamps --since={since} {c}"),
        );
    }
    step(
        check,
        Sentence::new("Its pod's sandbox."),
        &from,
        format!(
            "crictl inspectp \"$(crictl inspect -o go-template --template '{{{{.info.sandboxID}}}}' {c})\""
        ),
    );
    step(
        &mut commands.keep,
        Sentence::new("Memory and files, where the runtime can make checkpoints."),
        &from,
        format!("crictl checkpoint --export=/var/tmp/checkpoint-{file}.tar {c}"),
    );
    step(
        &mut commands.contain,
        Sentence::new("Ends it; the kubelet may start it again."),
        &from,
        format!("crictl stop --timeout=0 {c}"),
    );
}

fn ctr(facts: &Facts<'_>, id: &Fact<String>, engine: &Fact<Engine>, commands: &mut Commands) {
    let c = &id.value;
    let from = [id.from.as_slice(), engine.from.as_slice()];
    let find = format!(
        "for n in $(ctr namespaces list -q); do for i in $(ctr -n \"$n\" containers list -q); do case $i in {c}*) NS=$n CID=$i;; esac; done; done; echo \"$NS $CID\""
    );
    let check = &mut commands.check;
    step(
        check,
        Sentence::new("Finds containerd's namespace and the full id, for the commands below."),
        &from,
        find,
    );
    for (words, command) in [
        ("How the container was started.", "ctr -n \"$NS\" containers info \"$CID\""),
        ("Its processes, as the host counts.", "ctr -n \"$NS\" tasks ps \"$CID\""),
    ] {
        step(check, Sentence::new(words), &from, command.to_owned());
    }
    let keep = &mut commands.keep;
    step(
        keep,
        Sentence::new("Freezes all its processes; memory and files stay as they are."),
        &from,
        "ctr -n \"$NS\" tasks pause \"$CID\"".to_owned(),
    );
    if let Some(path) = copied_path(facts)
        && let Some(word) = shell::quote(&path.value)
    {
        step(
            keep,
            Sentence::new(
                "A copy of the file, through the root directory of its first process; fails when the file was deleted meanwhile.",
            ),
            &[from[0], from[1], &path.from],
            format!(
                "cp \"/proc/$(ctr -n \"$NS\" tasks list | awk -v c=\"$CID\" '$1 == c {{print $2}}')/root\"{word} ./sample-{}",
                short(c)
            ),
        );
    }
    step(
        &mut commands.contain,
        Sentence::new("Ends it; what is only in memory is lost."),
        &from,
        "ctr -n \"$NS\" tasks kill -a -s SIGKILL \"$CID\"".to_owned(),
    );
}

fn machine(id: &Fact<String>, engine: &Fact<Engine>, commands: &mut Commands) {
    let c = &id.value;
    let from = [id.from.as_slice(), engine.from.as_slice()];
    let lxc = engine.value == Engine::Lxc;
    let line = |of_lxc: &str, of_machine: &str| {
        if lxc { format!("{of_lxc} -n {c}") } else { format!("{of_machine} {c}") }
    };
    step(&mut commands.check, Sentence::new("Its state."), &from, line("lxc-info", "machinectl status"));
    if lxc {
        step(&mut commands.keep, Sentence::new("Freezes all its processes."), &from, line("lxc-freeze", ""));
    }
    step(
        &mut commands.contain,
        Sentence::new("Ends it."),
        &from,
        line("lxc-stop -k", "machinectl terminate"),
    );
}
