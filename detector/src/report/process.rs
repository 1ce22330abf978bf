//! The process and those above it.

use super::{
    container::{row, row_of},
    document::{Block, Node, Row, Section},
};
use crate::incident::{Ancestor, Facts, Sentence};

pub(super) fn section(facts: &Facts<'_>) -> Section {
    let mut nodes: Vec<Node> =
        facts.ancestors().iter().rev().map(|one| Node { what: ancestor(one), subject: false }).collect();
    if nodes.is_empty() {
        nodes.push(Node {
            what: Sentence::default().unknown("the processes above are unknown"),
            subject: false,
        });
    }
    nodes.push(Node { what: subject(facts), subject: true });
    let mut rows = vec![
        row(facts, "Command line", "proc.cmdline"),
        row(facts, "Working directory", "proc.cwd"),
        match facts.pid() {
            Some(pid) => row_of("Process id (host)", Sentence::default().value(&pid)),
            None => row(facts, "Process id (host)", "proc.pid"),
        },
        row(facts, "Process id (inside)", "proc.vpid"),
        row(facts, "User", "user.name"),
        row(facts, "User id", "user.uid"),
        login(facts),
        terminal(facts),
        row(facts, "Session leader", "proc.sname"),
        row(facts, "Capabilities", "thread.cap_effective"),
    ];
    for (label, field) in [
        ("Standard input", "proc.stdin.type"),
        ("Standard output", "proc.stdout.type"),
        ("Group", "group.name"),
        ("User id (inside)", "drop.inner_uid"),
        ("Group id (inside)", "drop.inner_gid"),
    ] {
        if facts.alert().fields.value(field).is_some() {
            rows.push(row(facts, label, field));
        }
    }
    Section::new("process", "Process", vec![Block::Tree { nodes }, Block::Rows { rows }])
}

fn ancestor(one: &Ancestor) -> Sentence {
    let mut sentence = match &one.name {
        Some(name) => Sentence::default().value(name),
        None => Sentence::default().unknown("unknown"),
    };
    if let Some(pid) = &one.pid {
        sentence = sentence.words(" (pid ").fact(&pid.clone().map(|pid| pid.to_string())).words(")");
    }
    if let Some(path) = &one.path {
        sentence = sentence.words(" from ").value(path);
    }
    if let Some(command) = &one.command {
        sentence = sentence.words(", command line ").value(command);
    }
    sentence
}

fn subject(facts: &Facts<'_>) -> Sentence {
    let mut sentence = match facts.text("proc.name") {
        Some(name) => Sentence::default().value(&name),
        None => Sentence::default().unknown("a process whose name is unknown"),
    };
    if let Some(pid) = facts.pid() {
        sentence = sentence.words(" (pid ").fact(&pid.map(|pid| pid.to_string())).words(")");
    }
    if let Some(path) = facts.text("proc.exepath") {
        sentence = sentence.words(" from ").value(&path);
    }
    sentence
}

fn login(facts: &Facts<'_>) -> Row {
    match facts.signed("user.loginuid") {
        Some(uid) if uid.value == -1 => row_of(
            "Login",
            Sentence::new("not set: no person's login session led to it, or audit is off").because(&uid.from),
        ),
        Some(uid) => {
            let mut value = Sentence::new("user id ").value(&uid);
            if let Some(name) = facts.text("user.loginname") {
                value = value.words(", ").value(&name);
            }
            row_of("Login", value)
        }
        None => row(facts, "Login", "user.loginuid"),
    }
}

/// Major 136 to 143 are pseudo terminals, 256 numbers each.
fn terminal(facts: &Facts<'_>) -> Row {
    match facts.unsigned("proc.tty") {
        Some(tty) if tty.value == 0 => row_of("Terminal", Sentence::new("none").because(&tty.from)),
        Some(tty) => {
            let (major, minor) = (tty.value >> 8 & 0xfff, tty.value & 0xff | tty.value >> 12 & 0xf_ff00);
            let name = match major {
                136..=143 => format!("/dev/pts/{}", (major - 136) * 256 + minor),
                4 => format!("/dev/tty{minor}"),
                _ => format!("device {major}:{minor}"),
            };
            row_of("Terminal", Sentence::default().value(&tty.map(|_| name)))
        }
        None => row(facts, "Terminal", "proc.tty"),
    }
}
