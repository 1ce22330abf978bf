//! What this host knows about a container now: only looks, changes nothing, and marks all with the time of the look.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    event::time,
    incident::{Engine, Fact, Facts, Sentence, shell, time_words},
    report::{Block, Moment, Row},
};

/// Processes that are listed.
const MOST: usize = 20;

/// Facts of a look.
#[derive(Default)]
pub(super) struct Look {
    pub(super) blocks: Vec<Block>,
    pub(super) moments: Vec<Moment>,
    /// The engine that knows the container.
    pub(super) engine: Option<Engine>,
}

/// Looks at the container of an execution.
pub(super) fn look(facts: &Facts<'_>, told: Option<Engine>, now_ns: u64) -> Look {
    let mut look = Look::default();
    let sentence = |text: Sentence| Block::Paragraph { sentences: vec![text] };
    look.blocks.push(sentence(
        Sentence::new("Looked at ")
            .words(&time_words::moment(now_ns))
            .words("; it may have changed since the alert."),
    ));
    let Some(id) = facts.container_id().filter(|id| shell::name(&id.value).is_some_and(|id| id.len() >= 12))
    else {
        look.blocks.push(sentence(
            Sentence::default().unknown("The container's id is unknown, so it cannot be looked for."),
        ));
        return look;
    };
    let processes = processes(&id.value);
    let mut rows = Vec::new();
    let count = Fact::new(processes.len(), "live");
    rows.push(Row { label: "Processes now", value: Sentence::default().value(&count) });
    for process in processes.iter().take(MOST) {
        let pid = Fact::new(process.pid, "live");
        let command = Fact::new(process.command.clone(), "live");
        rows.push(Row {
            label: "Process",
            value: Sentence::new("pid ").value(&pid).words(": ").value(&command),
        });
    }
    if let Some(path) = facts.path().filter(|path| path.value.starts_with('/'))
        && let Some(first) = processes.first()
    {
        rows.push(Row { label: "The file now", value: file(first.pid, &path.value, facts) });
    }
    let kind = facts.text("container.type").and_then(|kind| Engine::named(&kind.value));
    let engines = match told.or(kind) {
        Some(engine) => vec![engine],
        None => vec![Engine::Docker, Engine::Podman],
    };
    let inspected = engines
        .into_iter()
        .filter(|one| matches!(one, Engine::Docker | Engine::Podman | Engine::Nerdctl))
        .find_map(|engine| Some((engine, inspect(engine, "container", &id.value)?)));
    match inspected {
        Some((engine, value)) => {
            look.engine = Some(engine);
            rows.extend(state(engine, &value));
            if let Some(created) = value["Image"]
                .as_str()
                .and_then(|image| inspect(engine, "image", image))
                .and_then(|image| time_of(&image["Created"]))
            {
                let what = Sentence::new("The image was made (asked of the engine now).")
                    .because(&["live".to_owned()]);
                look.moments.push(Moment { ns: created, label: "image created", what });
            }
        }
        None => rows.push(Row {
            label: "Engine's view",
            value: Sentence::default().unknown("none: no engine on this host was found that knows it"),
        }),
    }
    look.blocks.push(Block::Rows { rows });
    look
}

struct Process {
    pid: u32,
    command: String,
}

/// Processes with the container's id in a path of their cgroups.
fn processes(id: &str) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<Process> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(id))
        })
        .map(|pid| {
            let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&bytes).trim_end_matches('\0').replace('\0', " ");
            Process { pid, command }
        })
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// Whether the file is still there, seen through the root directory of one of the container's processes.
fn file(pid: u32, path: &str, facts: &Facts<'_>) -> Sentence {
    use std::os::unix::fs::MetadataExt as _;
    let place: PathBuf = format!("/proc/{pid}/root{path}").into();
    // Links of the container must not lead to files of the host: only what lies there itself is looked at.
    match fs::symlink_metadata(place) {
        Ok(found) if found.is_file() => {
            let size = Fact::new(found.len(), "live");
            let sentence = Sentence::new("still there, ").value(&size).words(" bytes");
            match facts.unsigned("proc.exe_ino") {
                Some(ino) if ino.value == found.ino() => {
                    sentence.words(", the same inode").because(&ino.from)
                }
                Some(ino) => sentence.words(", but another inode").because(&ino.from),
                None => sentence,
            }
        }
        Ok(_) => Sentence::new("something else than a file lies there now").because(&["live".to_owned()]),
        Err(error) => Sentence::new("not found: ").value(&Fact::new(error.to_string(), "live")),
    }
}

fn inspect(engine: Engine, kind: &str, name: &str) -> Option<serde_json::Value> {
    let output = Command::new(engine.command()).args([kind, "inspect", name]).output().ok()?;
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    value.get(0).cloned()
}

fn state(engine: Engine, value: &serde_json::Value) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |label, text: Option<String>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            rows.push(Row { label, value: Sentence::default().value(&Fact::new(text, "live")) });
        }
    };
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Null => None,
        other => Some(other.to_string()),
    };
    add("Engine", Some(engine.command().to_owned()));
    add("State", text(&value["State"]["Status"]));
    add("Image", text(&value["Config"]["Image"]));
    add("Privileged", text(&value["HostConfig"]["Privileged"]));
    add("Network", text(&value["HostConfig"]["NetworkMode"]));
    add("Added capabilities", text(&value["HostConfig"]["CapAdd"]));
    for mount in value["Mounts"].as_array().into_iter().flatten().take(MOST) {
        let (from, to) = (text(&mount["Source"]), text(&mount["Destination"]));
        add("Mount", from.zip(to).map(|(from, to)| format!("{from} on {to}")));
    }
    rows
}

/// A time as engines write it.
fn time_of(value: &serde_json::Value) -> Option<u64> {
    let parsed = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    let ns = u64::try_from(parsed.timestamp_nanos_opt()?).ok()?;
    // Images that were built to be the same every time have the time 0.
    (time::rfc3339(ns).get(..4) != Some("1970")).then_some(ns)
}
