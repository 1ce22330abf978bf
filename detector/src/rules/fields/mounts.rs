//! `container.mount*`: what the container was given of the outside. A mount is named by its position, or by its path
//! with `*` and `?` for any characters.

use super::{Argument, Entry, Takes, container::is_host};
use crate::event::{ExecEvent, Mount, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text(
        "container.mounts",
        "mounts of the container as source:destination:mode:writable:propagation, joined by commas",
        |event, _| {
            if is_host(event) {
                return Some(Value::text(""));
            }
            let all: Vec<String> = mounts(event)?.iter().map(ToString::to_string).collect();
            Some(Value::owned(all.join(",")))
        },
    ),
    Entry::text(
        "container.mount",
        "a mount of the container, by position or by its source",
        |event, argument| Some(Value::owned(by_source(event, argument)?.to_string())),
    )
    .takes(Takes::NameOrIndex),
    Entry::text("container.mount.source", "source of a mount, by position or by its destination", {
        |event, argument| Some(Value::text(&find(event, argument, |mount| &mount.destination)?.source))
    })
    .takes(Takes::NameOrIndex),
    Entry::text(
        "container.mount.dest",
        "destination of a mount, by position or by its source",
        |event, argument| Some(Value::text(&by_source(event, argument)?.destination)),
    )
    .takes(Takes::NameOrIndex),
    Entry::text(
        "container.mount.mode",
        "mode of a mount, by position or by its source",
        |event, argument| Some(Value::text(&by_source(event, argument)?.mode)),
    )
    .takes(Takes::NameOrIndex),
    Entry::text("container.mount.rdwr", "whether a mount is writable, by position or by its source", {
        |event, argument| {
            Some(Value::text(if by_source(event, argument)?.writable { "true" } else { "false" }))
        }
    })
    .takes(Takes::NameOrIndex),
    Entry::text("container.mount.propagation", "propagation of a mount, by position or by its source", {
        |event, argument| Some(Value::text(&by_source(event, argument)?.propagation))
    })
    .takes(Takes::NameOrIndex),
];

fn mounts(event: &ExecEvent) -> Option<&[Mount]> {
    event.container.facts()?.mounts.as_deref()
}

fn by_source<'e>(event: &'e ExecEvent, argument: &Argument) -> Option<&'e Mount> {
    find(event, argument, |mount| &mount.source)
}

fn find<'e>(event: &'e ExecEvent, argument: &Argument, key: fn(&Mount) -> &String) -> Option<&'e Mount> {
    let mounts = mounts(event)?;
    match argument {
        Argument::None => None,
        Argument::Index(index) => mounts.get(*index),
        Argument::Name(pattern) => {
            mounts.iter().find(|mount| matches(pattern.as_bytes(), key(mount).as_bytes()))
        }
    }
}

/// Whether `*` and `?` of the pattern can stand for what the text has in their place.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    // Where to go on after the last star takes one byte more.
    let mut retry: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, read));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[read] => {
                at += 1;
                read += 1;
            }
            _ => match retry {
                Some((behind_star, taken)) => {
                    retry = Some((behind_star, taken + 1));
                    at = behind_star;
                    read = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;
    use crate::{
        event::{Container, ContainerId, example},
        rules::fields::example::{assert_null, assert_values, null_in, value},
    };

    #[test]
    fn values_of_a_known_container() {
        assert_values(&[
            ("container.mounts", "/proc:/host/proc:ro:false:rprivate,/var/run/x.sock:/x.sock::true:"),
            ("container.mount[0]", "/proc:/host/proc:ro:false:rprivate"),
            ("container.mount[/proc]", "/proc:/host/proc:ro:false:rprivate"),
            ("container.mount.source[1]", "/var/run/x.sock"),
            ("container.mount.source[/x.*]", "/var/run/x.sock"),
            ("container.mount.dest[/proc*]", "/host/proc"),
            ("container.mount.dest[/var/*]", "/x.sock"),
            ("container.mount.mode[0]", "ro"),
            ("container.mount.mode[1]", ""),
            ("container.mount.rdwr[1]", "true"),
            ("container.mount.rdwr[0]", "false"),
            ("container.mount.propagation[0]", "rprivate"),
        ]);
        assert_null(&["container.mount[2]", "container.mount.dest[/etc]", "container.mount.source[/proc]"]);
    }

    #[test]
    fn no_mounts_and_unknown_mounts_differ() {
        let mut event = example::exec();
        event.container = Container { id: ContainerId::Host, ..Container::default() };
        assert_eq!(value(&event, "container.mounts").as_deref(), Some(""));
        event.container.id = ContainerId::Unknown;
        assert!(null_in(&event, "container.mounts"));
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("/proc*", "/proc", true),
            ("/proc*", "/proc/1", true),
            ("/proc", "/proc/1", false),
            ("/", "/", true),
            ("/", "/etc", false),
            ("*.sock", "/run/docker.sock", true),
            ("/?tc", "/etc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
