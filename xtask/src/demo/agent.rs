//! The agent as the demo runs it: its lines are shown as they come, and two of them are waited for.
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::interrupt;
use super::process::{GLANCE, Guarded};
use crate::command;

/// What the agent says on stderr once nothing escapes it any more.
const READY: &str = "hooks armed";
const READY_WITHIN: Duration = Duration::from_secs(30);
const STOPS_WITHIN: Duration = Duration::from_secs(10);

enum Line {
    Alert(String),
    Log(String),
}

pub(super) struct Agent {
    process: Guarded,
    lines: Receiver<Line>,
    /// Alerts that came before somebody waited for one.
    early: VecDeque<String>,
}

impl Agent {
    /// Starts the agent and returns when its hooks are armed.
    pub(super) fn start(program: &Path) -> Result<Self> {
        let mut agent = command::program(program);
        agent.args(["-o", "json_output=true", "-U"]);
        command::show(&agent);
        let mut child = agent
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let (sender, lines) = channel();
        forward(child.stdout.take(), sender.clone(), Line::Alert);
        forward(child.stderr.take(), sender, Line::Log);
        let process = Guarded::new("the agent", child, STOPS_WITHIN);
        let mut agent = Self { process, lines, early: VecDeque::new() };
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            match agent.next(deadline)? {
                Some(Line::Log(text)) if text.contains(READY) => return Ok(agent),
                Some(Line::Log(_)) => {}
                Some(Line::Alert(text)) => agent.early.push_back(text),
                None => bail!("the agent did not say `{READY}` within {} s", READY_WITHIN.as_secs()),
            }
        }
    }

    /// The first alert that names `file` as the executed file.
    pub(super) fn wait_for_alert(&mut self, file: &str, patience: Duration) -> Result<Value> {
        let deadline = Instant::now() + patience;
        loop {
            let text = match self.early.pop_front() {
                Some(text) => text,
                None => match self.next(deadline)? {
                    Some(Line::Alert(text)) => text,
                    Some(Line::Log(_)) => continue,
                    None => {
                        bail!("no alert named {file} within {} s: the agent missed it", patience.as_secs())
                    }
                },
            };
            let alert: Value =
                serde_json::from_str(&text).context("the agent printed a line that is no JSON")?;
            if names(&alert, file) {
                return Ok(alert);
            }
        }
    }

    /// SIGTERM; anything but a clean end is an error.
    pub(super) fn stop(&mut self) -> Result<()> {
        let status = self.process.stop()?;
        if !status.success() {
            bail!("the agent did not stop cleanly: {status}");
        }
        Ok(())
    }

    /// The next line of the agent, shown; none when the deadline has passed.
    fn next(&mut self, deadline: Instant) -> Result<Option<Line>> {
        loop {
            interrupt::check()?;
            match self.lines.recv_timeout(GLANCE) {
                Ok(line) => return Ok(Some(shown(line))),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.process.child().wait().context("cannot look after the agent")?;
                    bail!("the agent ended by itself ({status}): see its messages above");
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

fn shown(line: Line) -> Line {
    match &line {
        Line::Alert(text) => println!("{text}"),
        Line::Log(text) => eprintln!("  agent: {text}"),
    }
    line
}

/// The executed file, as the agent resolved it, or as the command line gave it.
fn names(alert: &Value, file: &str) -> bool {
    let fields = &alert["output_fields"];
    ["proc.exepath", "proc.exe"].iter().any(|field| fields[*field] == file)
}

/// Sends each line of a pipe; ends with the pipe.
fn forward(pipe: Option<impl Read + Send + 'static>, to: Sender<Line>, as_line: fn(String) -> Line) {
    let Some(pipe) = pipe else { return };
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        // Bytes, not text: a line that is no UTF-8 must be seen too.
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            if to.send(as_line(text)).is_err() {
                break;
            }
            bytes.clear();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_alert_about_the_file_counts() {
        let alert = |path: &str| serde_json::json!({ "output_fields": { "proc.exepath": path } });
        assert!(names(&alert("/tmp/dropped"), "/tmp/dropped"));
        assert!(!names(&alert("/tmp/dropped2"), "/tmp/dropped"));
        assert!(!names(&serde_json::json!({ "output": "/tmp/dropped" }), "/tmp/dropped"));
    }

    #[test]
    fn an_agent_that_ends_early_is_an_error_at_once() {
        let error = Agent::start(Path::new("/bin/false")).err().map(|error| error.to_string());
        assert!(error.is_some_and(|text| text.contains("ended by itself")));
    }
}
