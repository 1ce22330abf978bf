//! The rooms of the agent (`detector/src/NAME`) and who may use whom: the data flows one way, and each room knows
//! only what lies before it. This table is the architecture; changing a line of it is a design decision.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Fault;
use super::rust_paths::{self, Named};

/// A room, and all that it may name besides itself.
struct Room {
    name: &'static str,
    rooms: May,
    /// Of the watched crates.
    crates: &'static [&'static str],
}

enum May {
    Use(&'static [&'static str]),
    UseAll,
}
use May::{Use, UseAll};

/// Crates that not every room may name.
const WATCHED: [&str; 5] = ["aya", "aya_log", "aya_obj", "detector_common", "detector_rule_lang"];
const COMMON: &str = "detector_common";

const ROOMS: &[Room] = &[
    // 1. Leaves: plain data, numbers and words.
    Room { name: "event", rooms: Use(&[]), crates: &[] },
    Room { name: "telemetry", rooms: Use(&[]), crates: &[] },
    Room { name: "exit_code", rooms: Use(&[]), crates: &[] },
    Room { name: "shutdown", rooms: Use(&[]), crates: &[] },
    Room { name: "service_manager", rooms: Use(&[]), crates: &[] },
    Room { name: "privileges", rooms: Use(&[]), crates: &[] },
    Room { name: "yaml", rooms: Use(&[]), crates: &[] },
    // 2. What touches the record. Only the kernel room knows aya.
    Room {
        name: "kernel",
        rooms: Use(&["event", "telemetry"]),
        crates: &["aya", "aya_log", "aya_obj", COMMON],
    },
    Room { name: "decode", rooms: Use(&["event", "telemetry"]), crates: &[COMMON] },
    Room { name: "recording", rooms: Use(&[]), crates: &[COMMON] },
    // 3. What is made of an event.
    Room { name: "examine", rooms: Use(&["event", "telemetry"]), crates: &[] },
    Room { name: "enrich", rooms: Use(&["event", "examine", "telemetry"]), crates: &[] },
    Room { name: "alert", rooms: Use(&["event", "telemetry"]), crates: &[] },
    // 4. The judgement.
    Room {
        name: "rules",
        rooms: Use(&["event", "alert", "telemetry", "yaml"]),
        crates: &["detector_rule_lang", COMMON],
    },
    Room { name: "version", rooms: Use(&["rules"]), crates: &[] },
    Room { name: "throttle", rooms: Use(&["alert"]), crates: &[] },
    // 5. The way out: format makes bytes, output knows nothing but bytes.
    Room { name: "format", rooms: Use(&["event", "alert", "telemetry"]), crates: &[] },
    Room { name: "output", rooms: Use(&["telemetry"]), crates: &[] },
    // After the fact: alerts read back, away from the agent's way.
    Room { name: "incident", rooms: Use(&["event"]), crates: &[] },
    Room { name: "report", rooms: Use(&["event", "incident"]), crates: &[] },
    Room { name: "retrial", rooms: Use(&["incident", "rules"]), crates: &["detector_rule_lang"] },
    Room { name: "suggest", rooms: Use(&["incident", "retrial", "rules"]), crates: &[] },
    Room { name: "afterwards", rooms: UseAll, crates: &[COMMON] },
    // 6. The only room that knows all stages.
    Room { name: "pipeline", rooms: UseAll, crates: &[COMMON] },
    // 7. The edge: what a person types and reads. Flags become settings; settings know no flags.
    Room { name: "cli", rooms: Use(&["settings", "config", "exit_code"]), crates: &[] },
    Room { name: "inspect", rooms: Use(&["rules", "settings", "version"]), crates: &[] },
    Room { name: "config", rooms: Use(&["yaml"]), crates: &[] },
    Room {
        name: "settings",
        rooms: Use(&[
            "alert",
            "config",
            "kernel",
            "enrich",
            "examine",
            "rules",
            "format",
            "output",
            "privileges",
            "telemetry",
            "throttle",
        ]),
        crates: &[COMMON],
    },
    Room { name: "preflight", rooms: Use(&["kernel", "telemetry"]), crates: &[COMMON] },
    Room {
        name: "doctor",
        rooms: Use(&[
            "preflight",
            "settings",
            "kernel",
            "decode",
            "enrich",
            "event",
            "exit_code",
            "selftest",
            "telemetry",
        ]),
        crates: &[COMMON],
    },
    Room {
        name: "selftest",
        rooms: Use(&[
            "pipeline",
            "preflight",
            "settings",
            "shutdown",
            "exit_code",
            "kernel",
            "decode",
            "event",
            "enrich",
            "alert",
            "rules",
            "format",
            "output",
            "telemetry",
        ]),
        crates: &[COMMON],
    },
    Room { name: "main", rooms: UseAll, crates: &[COMMON] },
    Room { name: "lib", rooms: UseAll, crates: &[COMMON] },
];

/// Everything in `files` (path below `detector/src`, text) that goes against the table.
pub(super) fn faults(files: &[(&Path, &str)]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut exempt = BTreeSet::new();
    let mut found = Vec::new();
    for (path, text) in files {
        let module = module_of(path);
        let Some(room) = ROOMS.iter().find(|room| Some(room.name) == module.first().map(String::as_str))
        else {
            let text = format!(
                "unknown room `{}`: give it a line in the table of xtask/src/lint/rooms.rs, or move the file",
                module.first().map_or("", String::as_str)
            );
            faults.push(Fault { path: path.to_path_buf(), line: 0, text });
            continue;
        };
        // main.rs and lib.rs are the crate root itself.
        let depth = if matches!(room.name, "main" | "lib") { 0 } else { module.len() };
        match rust_paths::read(text, depth, &WATCHED) {
            Ok(names) => {
                let folder: PathBuf = module.iter().collect();
                exempt.extend(names.test_modules.iter().map(|name| folder.join(name)));
                found.push((path.to_path_buf(), room, module.iter().collect::<PathBuf>(), names.references));
            }
            Err(error) => {
                faults.push(Fault { path: path.to_path_buf(), line: 0, text: format!("{error:#}") });
            }
        }
    }
    for (path, room, module, references) in found {
        if exempt.iter().any(|test| module.starts_with(test)) {
            continue;
        }
        let wrong = references
            .into_iter()
            .filter_map(|reference| Some((reference.line, refusal(room, &reference.to)?)));
        faults.extend(wrong.map(|(line, text)| Fault { path: path.clone(), line, text }));
    }
    faults
}

/// `kernel/load.rs` is `[kernel, load]`; `kernel/mod.rs` is `[kernel]`.
fn module_of(path: &Path) -> Vec<String> {
    let mut module: Vec<_> = path
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if module.len() > 1 && module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// Why `room` may not name this, if it may not.
fn refusal(room: &Room, named: &Named) -> Option<String> {
    let name = room.name;
    match (named, &room.rooms) {
        (Named::Room(_) | Named::AllRooms, UseAll) => None,
        (Named::AllRooms, Use(_)) => {
            Some(format!("`{name}` names the whole crate: name the rooms that it uses"))
        }
        (Named::Room(other), Use(allowed)) => {
            // What is no room is an item of lib.rs itself, for instance an error type or a macro.
            let is_room = ROOMS.iter().any(|room| room.name == other);
            let allowed_here = other == name || allowed.contains(&other.as_str());
            (is_room && !allowed_here)
                .then(|| format!("`{name}` may not use `{other}` (it may use: {})", or_nothing(allowed)))
        }
        (Named::Crate(other), _) => (!room.crates.contains(&other.as_str())).then(|| {
            let allowed: Vec<_> =
                ROOMS.iter().filter(|r| r.crates.contains(&other.as_str())).map(|r| r.name).collect();
            format!("`{name}` may not name the crate `{other}` (that is for: {})", or_nothing(&allowed))
        }),
    }
}

fn or_nothing(names: &[&str]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, text: &str) -> Vec<String> {
        faults(&[(Path::new(path), text)]).into_iter().map(|fault| fault.to_string()).collect()
    }

    #[test]
    fn down_the_stream_is_allowed_and_up_is_not() {
        assert!(texts("rules/engine.rs", "use crate::event::E; use crate::rules::fields;").is_empty());
        assert_eq!(
            texts("event.rs", "\nuse crate::rules::Engine;"),
            ["event.rs:2: `event` may not use `rules` (it may use: nothing)"]
        );
        assert_eq!(texts("output/file.rs", "use super::super::event::E;").len(), 1);
        assert_eq!(texts("config.rs", "use crate::cli::Flags;").len(), 1);
    }

    #[test]
    fn only_the_kernel_room_names_aya() {
        assert!(texts("kernel/load.rs", "use aya::Ebpf;").is_empty());
        for path in ["pipeline.rs", "main.rs", "decode/exec.rs", "doctor.rs"] {
            assert_eq!(
                texts(path, "use aya::Ebpf;"),
                [format!(
                    "{path}:1: `{}` may not name the crate `aya` (that is for: kernel)",
                    &module_of(Path::new(path))[0]
                )]
            );
        }
    }

    #[test]
    fn a_room_without_a_line_is_an_error() {
        assert!(texts("helpers.rs", "//! Things.")[0].contains("unknown room `helpers`"));
        assert!(texts("bin/tool.rs", "//! A tool.")[0].contains("unknown room `bin`"));
    }

    #[test]
    fn main_and_pipeline_see_all() {
        for path in ["main.rs", "lib.rs", "pipeline.rs", "pipeline/order.rs"] {
            assert!(texts(path, "use crate::{kernel, output::Sink}; use crate::*;").is_empty(), "{path}");
        }
        assert_eq!(texts("decode.rs", "use crate::*;").len(), 1);
    }

    #[test]
    fn tests_are_exempt_in_the_file_and_beside_it() {
        assert!(texts("event.rs", "#[cfg(test)] mod tests { use crate::rules::Engine; }").is_empty());
        let parent = (Path::new("event.rs"), "#[cfg(test)] mod cases;");
        let child = (Path::new("event/cases.rs"), "use crate::rules::Engine;");
        assert!(faults(&[parent, child]).is_empty());
        assert_eq!(faults(&[child]).len(), 1);
    }

    #[test]
    fn the_table_itself_runs_one_way() {
        // Each room that is not UseAll may use only rooms whose own way down never comes back to it.
        fn reaches(from: &str, goal: &str) -> bool {
            let room = ROOMS.iter().find(|room| room.name == from);
            let Some(Room { rooms: Use(next), .. }) = room else { return false };
            next.iter().any(|next| *next == goal || reaches(next, goal))
        }
        for room in ROOMS {
            assert!(!reaches(room.name, room.name), "{} comes back to itself", room.name);
            let Use(allowed) = &room.rooms else { continue };
            for other in *allowed {
                assert!(
                    ROOMS.iter().any(|room| room.name == *other),
                    "{} may use unknown {other}",
                    room.name
                );
            }
        }
    }
}
