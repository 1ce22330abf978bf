//! `drop.sha256` and its siblings: what the file holds, and the mount that it lies on. No value = not known, and
//! `drop.examined` says why.

use super::Entry;
use crate::event::{Content, ElfFacts, ExecEvent, FileMount, Gap, Value, lossy};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text(
        "drop.path",
        "path of the file that the alert is about: the executed or mapped file, or the script that it was told to run",
        |event, _| match event.script() {
            Some(script) => Some(Value::text(&script.path)),
            None => Some(Value::text(&event.subject().path.as_ref()?.bytes)),
        },
    ),
    Entry::text(
        "drop.examined",
        "whether the file was looked at: complete, or partial and why (not_asked, timeout, overflow, gone, \
         replaced, unreadable, too_large, not_regular, no_layers)",
        |event, _| {
            let why = event.examination.as_ref().map_or(Some(Gap::NotAsked), |found| found.gap());
            Some(why.map_or(Value::text("complete"), |why| Value::owned(format!("partial:{}", why.name()))))
        },
    ),
    Entry::text("drop.sha256", "SHA-256 of the executed file", |event, _| {
        Some(Value::text(&content(event)?.sha256))
    }),
    Entry::unsigned("drop.size", "bytes of the executed file", |event, _| {
        Some(Value::Unsigned(event.subject().size))
    }),
    Entry::new(
        "drop.entropy",
        super::ValueType::Double,
        "bits per byte of the executed file, 0 to 8; above 7.2 it is mostly packed or encrypted",
        |event, _| Some(Value::Double(content(event)?.entropy)),
    ),
    Entry::bool(
        "drop.identical_to_image",
        "whether the image has a file with the same content under the same path",
        |event, _| {
            event.finding(|found| found.identical_to_image.as_ref()).ok().map(|same| Value::Bool(*same))
        },
    ),
    Entry::bool(
        "drop.elf.static",
        "whether it is an ELF file that asks for no dynamic loader",
        |event, _| Some(Value::Bool(elf(event)?.is_static)),
    ),
    Entry::bool("drop.elf.stripped", "whether it is an ELF file without symbols", |event, _| {
        Some(Value::Bool(elf(event)?.stripped))
    }),
    Entry::text("drop.elf.build_id", "build id of the ELF file, hexadecimal", |event, _| {
        Some(Value::text(elf(event)?.build_id.as_ref()?))
    }),
    Entry::text("drop.elf.interpreter", "dynamic loader that the ELF file asks for", |event, _| {
        Some(Value::text(elf(event)?.interpreter.as_ref()?))
    }),
    Entry::text(
        "drop.sample",
        "where the copy is of what was executed, or of the script; no value without `samples.folder`, and where none was made",
        |event, _| Some(Value::text(event.finding(|found| found.sample.as_ref()).ok()?)),
    ),
    Entry::text(
        "drop.mount",
        "where the file system of the file is mounted, as the container sees it, and its type",
        |event, _| {
            let mount = mount(event)?;
            Some(Value::owned(format!("{} ({})", lossy(&mount.point), mount.kind)))
        },
    ),
    Entry::text(
        "drop.volume",
        "name of the volume that the file lies on, or the folder of the host that is mounted there",
        |event, _| {
            let point = lossy(&mount(event)?.point).into_owned();
            let mut mounts = event.container.facts()?.mounts.iter().flatten();
            let source = &mounts.find(|mount| mount.destination.trim_end_matches('/') == point)?.source;
            Some(Value::text(volume_name(source)))
        },
    ),
];

fn content(event: &ExecEvent) -> Option<&Content> {
    event.finding(|found| found.content.as_ref()).ok()
}

fn elf(event: &ExecEvent) -> Option<&ElfFacts> {
    content(event)?.elf.as_ref()
}

fn mount(event: &ExecEvent) -> Option<&FileMount> {
    event.finding(|found| found.mount.as_ref()).ok()
}

/// Docker and Podman keep a volume in `volumes/NAME/_data`, the kubelet in `volumes/PLUGIN/NAME` or, for a part of one,
/// in `volume-subpaths/NAME/...`.
fn volume_name(source: &str) -> &str {
    let parts: Vec<&str> = source.split('/').collect();
    let place = |word: &str| parts.iter().position(|part| *part == word);
    let named = match (place("volumes"), place("volume-subpaths")) {
        (Some(at), _) if parts.last() == Some(&"_data") => parts.get(at + 1),
        (Some(at), _) if parts.get(at + 1).is_some_and(|plugin| plugin.starts_with("kubernetes.io~")) => {
            parts.get(at + 2)
        }
        (_, Some(at)) => parts.get(at + 1),
        _ => None,
    };
    named.copied().unwrap_or(source)
}

#[cfg(test)]
mod tests {
    use super::volume_name;
    use crate::{
        event::{Content, ElfFacts, Examination, ExecEvent, FileMount, Gap, example},
        rules::fields::example::{assert_null, assert_values, null_in, value},
    };

    fn examined() -> ExecEvent {
        let mut event = example::exec();
        event.examination = Some(Box::new(Examination {
            content: Ok(Content {
                sha256: "ab".repeat(32),
                size: 900_000,
                entropy: 6.04,
                elf: Some(ElfFacts {
                    is_static: true,
                    stripped: false,
                    build_id: Some("0f".to_owned()),
                    interpreter: None,
                }),
            }),
            identical_to_image: Ok(false),
            mount: Ok(FileMount { point: b"/x.sock".to_vec(), kind: "ext4".to_owned() }),
            script: None,
            sample: Ok(b"/var/lib/detector/samples/ab".to_vec()),
        }));
        event
    }

    #[test]
    fn nothing_is_said_where_nobody_looked() {
        assert_values(&[
            ("drop.examined", "partial:not_asked"),
            ("drop.size", "900000"),
            ("drop.path", "/tmp/dropped"),
        ]);
        assert_null(&[
            "drop.sha256",
            "drop.entropy",
            "drop.identical_to_image",
            "drop.elf.static",
            "drop.mount",
            "drop.sample",
        ]);
    }

    #[test]
    fn what_was_found_is_shown() {
        let event = examined();
        for (name, expected) in [
            ("drop.examined", "complete"),
            ("drop.sha256", "ab".repeat(32).as_str()),
            ("drop.entropy", "6.0"),
            ("drop.identical_to_image", "false"),
            ("drop.elf.static", "true"),
            ("drop.elf.stripped", "false"),
            ("drop.elf.build_id", "0f"),
            ("drop.mount", "/x.sock (ext4)"),
            ("drop.volume", "/var/run/x.sock"),
        ] {
            assert_eq!(value(&event, name).as_deref(), Some(expected), "{name}");
        }
        assert!(null_in(&event, "drop.elf.interpreter"));
    }

    #[test]
    fn a_gap_is_named() {
        let mut event = examined();
        event.examination = Some(Box::new(Examination::missing(Gap::Gone)));
        assert_eq!(value(&event, "drop.examined").as_deref(), Some("partial:gone"));
        assert!(null_in(&event, "drop.sha256"));
    }

    #[test]
    fn volumes_are_named_as_their_engines_do() {
        for (source, name) in [
            ("/var/lib/docker/volumes/data/_data", "data"),
            ("/var/lib/containers/storage/volumes/web/_data", "web"),
            ("/var/lib/kubelet/pods/11-22/volumes/kubernetes.io~empty-dir/cache", "cache"),
            ("/var/lib/kubelet/pods/11-22/volume-subpaths/pvc/app/0", "pvc"),
            ("/srv/share", "/srv/share"),
            ("/srv/volumes/x", "/srv/volumes/x"),
        ] {
            assert_eq!(volume_name(source), name, "{source}");
        }
    }
}
