//! What this host knows about a container now: only looks, changes nothing, and marks all with the time of the look.

use std::{
    fs,
    io::Read as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::clock::now_ns;

use crate::{
    event::time,
    incident::{Engine, Fact, Facts, Sentence, shell, time_words},
    report::{Block, Moment, Row},
};

/// Processes that are listed.
const MOST: usize = 20;
/// How long an engine may take for one answer.
const ENGINE_TIME: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const ENGINE_ANSWER: u64 = 16 << 20;

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
    let kind = facts.runtime().and_then(|kind| Engine::named(&kind.value));
    let engines = match told.or(kind) {
        Some(engine) => vec![engine],
        None => vec![Engine::Docker, Engine::Podman],
    };
    // What was seen so far was seen now; an engine may take its time.
    let mut rows: Vec<Row> = rows.into_iter().map(stamped).collect();
    let engines =
        engines.into_iter().filter(|one| matches!(one, Engine::Docker | Engine::Podman | Engine::Nerdctl));
    let mut view = Row {
        label: "Engine's view",
        value: Sentence::default().unknown("none: no engine on this host was found that knows it"),
    };
    for engine in engines {
        let value = match inspect(engine, "container", &id.value) {
            Answer::Of(value) => value,
            Answer::Nothing => continue,
            Answer::Late => {
                view.value = Sentence::default().unknown(&format!(
                    "none: {} gave no answer within {} s",
                    engine.command(),
                    ENGINE_TIME.as_secs()
                ));
                continue;
            }
        };
        look.engine = Some(engine);
        rows.extend(state(engine, &value).into_iter().map(stamped));
        if let Some(image) = value["Image"].as_str()
            && let Answer::Of(image) = inspect(engine, "image", image)
            && let Some(created) = time_of(&image["Created"])
        {
            let what =
                Sentence::new("The image was made (asked of the engine now).").because(&["live".to_owned()]);
            look.moments.push(Moment { ns: created, label: "image created", what });
        }
        break;
    }
    if look.engine.is_none() {
        rows.push(stamped(view));
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

/// A fact with the time at which it was one.
fn stamped(row: Row) -> Row {
    Row { value: row.value.words(&format!(" (at {})", time_words::moment(now_ns()))), ..row }
}

/// What came of a question.
#[derive(Debug, PartialEq)]
enum Answer {
    Of(serde_json::Value),
    /// The engine does not know it, or there is no such engine.
    Nothing,
    /// None in time.
    Late,
}

fn inspect(engine: Engine, kind: &str, name: &str) -> Answer {
    let mut command = Command::new(engine.command());
    command.args([kind, "inspect", name]);
    ask(command, ENGINE_TIME)
}

/// Runs a command and takes the first thing that it says; it is ended when it takes too long.
fn ask(mut command: Command, limit: Duration) -> Answer {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return Answer::Nothing };
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        // Nobody waits for this thread: something that the command started may keep its output open.
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = output.take(ENGINE_ANSWER).read_to_end(&mut bytes);
            // Nobody listens any more when the time is over.
            let _ = sender.send(read.map(|_| bytes));
        });
    }
    let answer = receiver.recv_timeout(limit);
    // It has said all, or its time is over. One that has ended cannot be ended, which is what was wanted.
    let _ = child.kill();
    let _ = child.wait();
    match answer {
        Ok(Ok(bytes)) => serde_json::from_slice::<serde_json::Value>(&bytes)
            .ok()
            .and_then(|value| value.get(0).cloned())
            .map_or(Answer::Nothing, Answer::Of),
        Ok(Err(_)) | Err(mpsc::RecvTimeoutError::Disconnected) => Answer::Nothing,
        Err(mpsc::RecvTimeoutError::Timeout) => Answer::Late,
    }
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

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Duration};

    use serde_json::json;

    use super::{Answer, ENGINE_TIME, ask};

    fn shell(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    #[test]
    fn an_engine_that_hangs_is_given_up() {
        assert_eq!(ask(shell("exec sleep 1000"), Duration::from_millis(1)), Answer::Late);
    }

    #[test]
    fn what_an_engine_says_is_an_answer_only_when_it_is_one() {
        assert_eq!(ask(shell("echo '[{\"a\": 1}]'"), ENGINE_TIME), Answer::Of(json!({"a": 1})));
        for text in ["exit 1", "echo '[]'", "echo no such container"] {
            assert_eq!(ask(shell(text), ENGINE_TIME), Answer::Nothing, "{text}");
        }
        assert_eq!(ask(Command::new("/nowhere/docker"), ENGINE_TIME), Answer::Nothing);
    }
}
