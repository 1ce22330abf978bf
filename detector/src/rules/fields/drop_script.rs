//! `drop.script.*`: the file that an interpreter was told to run. No value where there is none.

use super::Entry;
use crate::event::{ExecEvent, Script, Value};

/// The family's entries.
pub(super) static FIELDS: &[Entry] = &[
    Entry::text("drop.script.path", "script that was executed, or that an interpreter was told to run", {
        |event, _| Some(Value::text(&script(event)?.path))
    }),
    Entry::text(
        "drop.script.source",
        "how the script was found: kernel, path (looked up by its name, after the exec), stdin (a pipe or socket)",
        |event, _| Some(Value::text(script(event)?.source.name())),
    ),
    Entry::text(
        "drop.script.origin",
        "where the script comes from, in the words of drop.origin",
        |event, _| Some(Value::text(script(event)?.origin.name())),
    ),
    Entry::unsigned("drop.script.ino", "inode number of the script", |event, _| {
        Some(Value::Unsigned(script(event)?.ino.ok()?))
    }),
    Entry::text("drop.script.sha256", "SHA-256 of the script", |event, _| {
        Some(Value::text(&script(event)?.content.as_ref().ok()?.sha256))
    }),
    Entry::bool(
        "drop.script.identical_to_image",
        "whether the image has a script with the same content under the same path",
        |event, _| Some(Value::Bool(script(event)?.identical_to_image.ok()?)),
    ),
];

fn script(event: &ExecEvent) -> Option<&Script> {
    event.script()
}

#[cfg(test)]
mod tests {
    use crate::{
        event::{Examination, ExecKind, Gap, Origin, Script, ScriptSource, example},
        rules::fields::example::{assert_null, null_in, value},
    };

    #[test]
    fn an_exec_has_no_script() {
        assert_null(&["drop.script.path", "drop.script.origin", "drop.script.source", "drop.script.sha256"]);
    }

    #[test]
    fn a_script_is_named_and_its_gaps_are_none() {
        let mut event = example::exec();
        let script = Script {
            path: b"/tmp/x.sh".to_vec(),
            source: ScriptSource::Path,
            by_argument: true,
            origin: Origin::New,
            ino: Ok(7),
            content: Err(Gap::Gone),
            identical_to_image: Ok(false),
        };
        event.examination =
            Some(Box::new(Examination { script: Some(script), ..Examination::missing(Gap::Gone) }));
        for (name, expected) in [
            ("drop.kind", "interpreter_arg"),
            ("drop.path", "/tmp/x.sh"),
            ("drop.script.path", "/tmp/x.sh"),
            ("drop.script.source", "path"),
            ("drop.script.origin", "new"),
            ("drop.script.ino", "7"),
            ("drop.script.identical_to_image", "false"),
        ] {
            assert_eq!(value(&event, name).as_deref(), Some(expected), "{name}");
        }
        assert!(null_in(&event, "drop.script.sha256"));
        event.kind = ExecKind::Script;
        assert_eq!(value(&event, "drop.kind").as_deref(), Some("script"));
    }
}
