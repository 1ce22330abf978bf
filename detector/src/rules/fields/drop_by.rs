//! `drop.by.*` and `drop.via`: who wrote the file. No value where nobody was seen writing it.

use std::borrow::Cow;

use super::{Entry, ValueType, container};
use crate::event::{Ancestor, Dropper, ExecEvent, Value, time};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::unsigned("drop.by.pid", "process that wrote the file, as the host counts", |event, _| {
        Some(Value::Unsigned(by(event)?.pid.into()))
    }),
    Entry::unsigned(
        "drop.by.pid.ts",
        "start of the process that wrote the file, nanoseconds since the epoch",
        |event, _| Some(Value::Unsigned(by(event)?.start_ns)),
    ),
    Entry::text("drop.by.comm", "name of the process that wrote the file, at most 15 bytes", |event, _| {
        Some(Value::text(&by(event)?.comm))
    }),
    Entry::text(
        "drop.by.exe",
        "path of the program that wrote the file; only its name where the process is not among the ancestors",
        |event, _| Some(Value::text(&by(event)?.exe.as_ref()?.bytes)),
    ),
    Entry::text("drop.by.cmdline", "command line of the process that wrote the file", |event, _| {
        Some(Value::text(by(event)?.cmdline.as_ref()?))
    }),
    Entry::text(
        "drop.by.where",
        "where the process that wrote the file is: same_container, other_container, host",
        |event, _| Some(Value::text(by(event)?.whereabouts?.name())),
    ),
    Entry::text(
        "drop.by.container.id",
        "first 12 characters of the id of the container that wrote the file; host for a process of the host",
        |event, _| by(event)?.container.as_ref()?.short().map(container::id),
    ),
    Entry::text(
        "drop.by.open_flags",
        "flags of the opening for writing; O_F_CREATED among them: it has made the file",
        |event, _| Some(Value::owned(by(event)?.open_flags?.text())),
    ),
    Entry::new(
        "drop.by.time",
        ValueType::Time,
        "time of the opening for writing, UTC, ISO 8601 with nanoseconds",
        |event, _| {
            let ns = by(event)?.time_ns;
            Some(Value::Time { ns, text: Cow::Owned(time::iso8601(ns)) })
        },
    ),
    Entry::signed("drop.by.age_ms", "milliseconds from the opening for writing to the exec", |event, _| {
        let (now, then) = (i64::try_from(event.time_ns).ok()?, i64::try_from(by(event)?.time_ns).ok()?);
        Some(Value::Signed((now - then) / 1_000_000))
    }),
    Entry::text(
        "drop.via",
        "package manager or build tool that wrote the file, or that started the process",
        |event, _| Some(Value::text(via(event)?)),
    ),
];

fn by(event: &ExecEvent) -> Option<&Dropper> {
    event.dropper.as_deref()
}

/// Programs by the beginning of their names, and what they are called. An interpreter's own name says nothing: `pip` is
/// told by its script's name, which is its comm.
const TOOLS: [(&str, &str); 28] = [
    ("dpkg", "dpkg"),
    ("apt", "apt"),
    ("unattended-upgr", "apt"),
    ("rpm", "rpm"),
    ("dnf", "dnf"),
    ("microdnf", "dnf"),
    ("tdnf", "dnf"),
    ("yum", "yum"),
    ("zypper", "zypper"),
    ("pacman", "pacman"),
    ("apk", "apk"),
    ("opkg", "opkg"),
    ("pip", "pip"),
    ("uv", "uv"),
    ("poetry", "poetry"),
    ("conda", "conda"),
    ("mamba", "conda"),
    ("npm", "npm"),
    ("npx", "npm"),
    ("yarn", "yarn"),
    ("pnpm", "pnpm"),
    ("cargo", "cargo"),
    ("rustup", "rustup"),
    ("go", "go"),
    ("gem", "gem"),
    ("bundle", "gem"),
    ("composer", "composer"),
    ("nix", "nix"),
];

/// The tool whose work this is: of the writer where it is known, else of the nearest ancestor that is one.
fn via(event: &ExecEvent) -> Option<&'static str> {
    if let Some(tool) = by(event).and_then(|by| tool(&by.comm)) {
        return Some(tool);
    }
    let names = |ancestor: &Ancestor| {
        let file = ancestor.exe_path.as_ref().and_then(|path| path.bytes.rsplit(|byte| *byte == b'/').next());
        tool(&ancestor.comm).or_else(|| tool(file?))
    };
    event.ancestors.iter().find_map(names)
}

/// `dpkg`, `dpkg-deb`, `pip3`, `pip3.11`, `npm install`: the name, and then no further letter.
fn tool(name: &[u8]) -> Option<&'static str> {
    let first = name.first()?;
    let is = |begin: &str| {
        // Nearly all differ in this byte, and comparing the rest is a call.
        begin.as_bytes().first() == Some(first)
            && name
                .strip_prefix(begin.as_bytes())
                .is_some_and(|rest| rest.first().is_none_or(|byte| !byte.is_ascii_alphabetic()))
    };
    TOOLS.iter().find(|(begin, _)| is(begin)).map(|(_, tool)| *tool)
}

#[cfg(test)]
mod tests {
    use super::tool;
    use crate::{
        event::{ContainerId, Dropper, OpenFlags, Path, Runtime, Whereabouts, example},
        rules::fields::example::{assert_null, null_in, value},
    };

    #[test]
    fn nobody_was_seen() {
        assert_null(&[
            "drop.by.pid",
            "drop.by.pid.ts",
            "drop.by.comm",
            "drop.by.where",
            "drop.by.container.id",
            "drop.by.open_flags",
            "drop.by.time",
            "drop.via",
        ]);
    }

    #[test]
    fn the_writer_is_shown() {
        let mut event = example::exec();
        event.dropper = Some(Box::new(Dropper {
            pid: 77,
            start_ns: 5,
            time_ns: event.time_ns - 12_000_000,
            comm: b"curl".to_vec(),
            whereabouts: Some(Whereabouts::OtherContainer),
            container: Some(ContainerId::named("3b2c1d4e5f60718293", Runtime::Docker)),
            open_flags: OpenFlags::new(0o1101, true),
            exe: Some(Path { bytes: b"/usr/bin/curl".to_vec(), complete: true }),
            cmdline: Some(b"curl -o /tmp/dropped http://x".to_vec()),
            ..Dropper::default()
        }));
        for (name, expected) in [
            ("drop.by.pid", "77"),
            ("drop.by.comm", "curl"),
            ("drop.by.exe", "/usr/bin/curl"),
            ("drop.by.cmdline", "curl -o /tmp/dropped http://x"),
            ("drop.by.where", "other_container"),
            ("drop.by.container.id", "3b2c1d4e5f60"),
            ("drop.by.open_flags", "O_WRONLY|O_CREAT|O_TRUNC|O_F_CREATED"),
            ("drop.by.time", "2024-10-05T12:03:21.988456789+0000"),
            ("drop.by.pid.ts", "5"),
            ("drop.by.age_ms", "12"),
        ] {
            assert_eq!(value(&event, name).as_deref(), Some(expected), "{name}");
        }
        assert!(null_in(&event, "drop.via"));
        event.dropper = Some(Box::default());
        for unknown in ["drop.by.container.id", "drop.by.open_flags", "drop.by.where"] {
            assert!(null_in(&event, unknown), "{unknown}");
        }
    }

    #[test]
    fn the_nearest_tool_counts_and_the_writer_before_all() {
        let mut event = example::exec();
        event.ancestors[0].comm = b"dpkg-deb".to_vec();
        event.ancestors[1].comm = b"apt-get".to_vec();
        assert_eq!(value(&event, "drop.via").as_deref(), Some("dpkg"));
        event.dropper = Some(Box::new(Dropper { comm: b"npm install".to_vec(), ..Dropper::default() }));
        assert_eq!(value(&event, "drop.via").as_deref(), Some("npm"));
    }

    #[test]
    fn names_of_tools_are_whole_words() {
        for (name, expected) in [
            ("dpkg", Some("dpkg")),
            ("dpkg-deb", Some("dpkg")),
            ("pip3.11", Some("pip")),
            ("apt-get", Some("apt")),
            ("go", Some("go")),
            ("gopher", None),
            ("rpmx", None),
            ("pipe", None),
            ("", None),
        ] {
            assert_eq!(tool(name.as_bytes()), expected, "{name}");
        }
    }
}
