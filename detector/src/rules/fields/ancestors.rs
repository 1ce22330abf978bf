//! The process and those above it, seen alike, and the fields that exist in three forms: of the process, of its
//! parent (`p...`), of any ancestor (`a...[n]`).

use super::{Argument, Entry, Takes};
use crate::event::{Ancestor, Arguments, ExecEvent, Value};

/// The process itself or one above it.
#[derive(Clone, Copy)]
pub(super) enum Relative<'e> {
    /// The process of the event.
    Own(&'e ExecEvent),
    /// One of its ancestors.
    Above(&'e Ancestor),
}

/// The relative that `[index]` means: 0 is the process, 1 its parent.
pub(super) fn relative(event: &ExecEvent, index: usize) -> Option<Relative<'_>> {
    match index.checked_sub(1) {
        None => Some(Relative::Own(event)),
        Some(above) => event.ancestors.get(above).map(Relative::Above),
    }
}

/// The parent.
pub(super) fn parent(event: &ExecEvent) -> Option<Relative<'_>> {
    relative(event, 1)
}

/// The ancestors, parent first.
pub(super) fn above(event: &ExecEvent) -> impl Iterator<Item = Relative<'_>> {
    event.ancestors.iter().map(Relative::Above)
}

impl<'e> Relative<'e> {
    pub(super) fn pid(self) -> u32 {
        match self {
            Self::Own(event) => event.process.pid,
            Self::Above(ancestor) => ancestor.pid,
        }
    }

    /// Session, as the host counts.
    pub(super) fn sid(self) -> u32 {
        match self {
            Self::Own(event) => event.process.sid,
            Self::Above(ancestor) => ancestor.sid,
        }
    }

    /// Process group, as the host counts.
    pub(super) fn pgid(self) -> u32 {
        match self {
            Self::Own(event) => event.process.pgid,
            Self::Above(ancestor) => ancestor.pgid,
        }
    }

    pub(super) fn comm(self) -> &'e [u8] {
        match self {
            Self::Own(event) => &event.process.comm,
            Self::Above(ancestor) => &ancestor.comm,
        }
    }

    fn arguments(self) -> Option<&'e Arguments> {
        match self {
            Self::Own(event) => Some(&event.process.arguments),
            Self::Above(ancestor) => Some(&ancestor.details.as_ref()?.arguments),
        }
    }

    pub(super) fn env(self) -> Option<&'e Arguments> {
        match self {
            Self::Own(event) => event.process.env.as_ref(),
            Self::Above(ancestor) => ancestor.details.as_ref()?.env.as_ref(),
        }
    }

    /// argv\[0\].
    pub(super) fn exe(self) -> Option<&'e [u8]> {
        Some(self.arguments()?.exe())
    }

    pub(super) fn exe_path(self) -> Option<&'e [u8]> {
        let path = match self {
            Self::Own(event) => event.file.path.as_ref(),
            Self::Above(ancestor) => {
                ancestor.exe_path.as_ref().or_else(|| ancestor.details.as_ref()?.exe_path.as_ref())
            }
        };
        Some(&path?.bytes)
    }

    /// The arguments behind argv\[0\], joined by one space.
    pub(super) fn args(self) -> Option<Vec<u8>> {
        Some(self.arguments()?.joined())
    }

    /// comm and the arguments behind argv\[0\].
    pub(super) fn command_line(self) -> Option<Vec<u8>> {
        let mut line = self.comm().to_vec();
        for argument in self.arguments()?.iter().skip(1) {
            if !line.is_empty() {
                line.push(b' ');
            }
            line.extend_from_slice(argument);
        }
        Some(line)
    }
}

/// The family's entries: those of the parent and of the ancestors.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text("proc.pname", "comm of the parent process", |event, _| Some(Value::text(parent(event)?.comm()))),
    Entry::text("proc.aname", "comm of an ancestor: [1] is the parent, [0] the process itself", |event, argument| {
        each(event, argument, |relative| Some(Value::text(relative.comm())))
    })
    .any_ancestor(),
    Entry::text("proc.pexe", "argv[0] of the parent process", |event, _| {
        Some(Value::text(parent(event)?.exe()?))
    }),
    Entry::text("proc.aexe", "argv[0] of an ancestor: [1] is the parent, [0] the process itself", |event, argument| {
        each(event, argument, |relative| Some(Value::text(relative.exe()?)))
    })
    .any_ancestor(),
    Entry::text("proc.pexepath", "path of the file that the parent process runs", |event, _| {
        Some(Value::text(parent(event)?.exe_path()?))
    }),
    Entry::text(
        "proc.aexepath",
        "path of the file that an ancestor runs: [1] is the parent, [0] the process itself",
        |event, argument| each(event, argument, |relative| Some(Value::text(relative.exe_path()?))),
    )
    .any_ancestor(),
    Entry::text("proc.pcmdline", "comm and arguments of the parent process", |event, _| {
        Some(Value::owned(parent(event)?.command_line()?))
    }),
    Entry::text(
        "proc.acmdline",
        "comm and arguments of an ancestor: [1] is the parent, [0] the process itself",
        |event, argument| each(event, argument, |relative| Some(Value::owned(relative.command_line()?))),
    )
    .any_ancestor(),
    Entry::text(
        "proc.aargs",
        "arguments of an ancestor behind argv[0]: [1] is the parent, [0] the process itself",
        |event, argument| each(event, argument, |relative| Some(Value::owned(relative.args()?))),
    )
    .any_ancestor(),
    Entry::signed("proc.ppid", "process id of the parent, as the host counts", |event, _| Some(pid(parent(event)?))),
    Entry::signed(
        "proc.apid",
        "process id of an ancestor, as the host counts: [1] is the parent, [0] the process itself",
        |event, argument| match argument {
            Argument::Index(index) => Some(pid(relative(event, *index)?)),
            _ => Some(pid(Relative::Own(event))),
        },
    )
    .any_ancestor(),
    Entry::text(
        "proc.aenv",
        "environment of an ancestor by its number, or of a variable the value in the nearest ancestor that has it",
        |event, argument| match argument {
            Argument::None => Some(Value::owned(Relative::Own(event).env()?.spaced())),
            Argument::Index(index) => Some(Value::owned(relative(event, *index)?.env()?.spaced())),
            Argument::Name(name) => {
                let found = above(event).find_map(|relative| relative.env()?.variable(name.as_bytes()));
                Some(Value::text(found?))
            }
        },
    )
    .any_ancestor()
    .takes(Takes::OptionalIndexOrName),
];

fn pid(relative: Relative<'_>) -> Value<'static> {
    Value::Signed(relative.pid().into())
}

/// With an index, the attribute of that relative; without, those of all ancestors that have it, joined by spaces.
fn each<'e>(
    event: &'e ExecEvent,
    argument: &Argument,
    attribute: fn(Relative<'e>) -> Option<Value<'e>>,
) -> Option<Value<'e>> {
    if let Argument::Index(index) = argument {
        return attribute(relative(event, *index)?);
    }
    let mut joined: Option<Vec<u8>> = None;
    for value in above(event).filter_map(attribute) {
        match &mut joined {
            Some(line) => {
                line.push(b' ');
                line.extend_from_slice(&value.to_text());
            }
            None => joined = Some(value.to_text().into_owned()),
        }
    }
    joined.map(Value::owned)
}

#[cfg(test)]
mod tests {
    use crate::{
        event::{Path, example},
        rules::fields::example::{assert_null, assert_values, null_in, value},
    };

    #[test]
    fn of_the_parent() {
        assert_values(&[
            ("proc.pname", "sh"),
            ("proc.pexe", "/bin/sh"),
            ("proc.pexepath", "/bin/busybox"),
            ("proc.pcmdline", "sh -c cp; run"),
            ("proc.ppid", "30276"),
        ]);
    }

    #[test]
    fn of_ancestors_by_number() {
        assert_values(&[
            ("proc.aname[0]", "dropped"),
            ("proc.aname[1]", "sh"),
            ("proc.aname[3]", "systemd"),
            ("proc.aexe[0]", "/tmp/dropped"),
            ("proc.aexe[1]", "/bin/sh"),
            ("proc.aexepath[0]", "/tmp/dropped"),
            ("proc.aexepath[2]", "/usr/bin/containerd-shim-runc-v2"),
            ("proc.acmdline[0]", "dropped echo a b  \"c\""),
            ("proc.acmdline[1]", "sh -c cp; run"),
            ("proc.aargs[1]", "-c cp; run"),
            ("proc.apid[0]", "30312"),
            ("proc.apid[2]", "30256"),
            ("proc.aenv[1]", "HOME=/ ONLY=above"),
            ("proc.aenv[ONLY]", "above"),
        ]);
        assert_null(&[
            "proc.aname[4]",
            "proc.apid[4]",
            "proc.aexe[2]",
            "proc.aexepath[3]",
            "proc.acmdline[2]",
            "proc.aargs[2]",
            "proc.aenv[2]",
            "proc.aenv[NOWHERE]",
            "proc.aname[18446744073709551615]",
        ]);
    }

    #[test]
    fn of_all_ancestors_joined() {
        assert_values(&[
            ("proc.aname", "sh containerd-shim systemd"),
            ("proc.aexe", "/bin/sh"),
            ("proc.aexepath", "/bin/busybox /usr/bin/containerd-shim-runc-v2"),
            ("proc.acmdline", "sh -c cp; run"),
            ("proc.aargs", "-c cp; run"),
            ("proc.apid", "30312"),
            ("proc.aenv", "HOME=/root EMPTY= PADDED= x "),
        ]);
    }

    #[test]
    fn without_a_known_parent_there_is_no_value() {
        let mut event = example::exec();
        event.ancestors.clear();
        for name in [
            "proc.pname",
            "proc.pexe",
            "proc.pexepath",
            "proc.pcmdline",
            "proc.ppid",
            "proc.aname",
            "proc.aexe",
        ] {
            assert!(null_in(&event, name), "{name}");
        }
        assert_eq!(value(&event, "proc.aname[0]").as_deref(), Some("dropped"));
    }

    #[test]
    fn what_the_kernel_saw_of_the_path_wins_over_what_was_looked_up_later() {
        let mut event = example::exec();
        let later = Path { bytes: b"/later".to_vec(), complete: true };
        event.ancestors[0].details.as_mut().unwrap().exe_path = Some(later);
        assert_eq!(value(&event, "proc.pexepath").as_deref(), Some("/bin/busybox"));
        event.ancestors[0].exe_path = None;
        assert_eq!(value(&event, "proc.pexepath").as_deref(), Some("/later"));
    }
}
