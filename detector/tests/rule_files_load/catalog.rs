//! A few fields, enough for the stock rule.

use detector_rule_lang::{FieldCatalog, FieldError, FieldInfo, Type, did_you_mean};

/// The fields of the tests.
pub(super) struct Catalog;

const TEXT: [&str; 19] = [
    "container.id",
    "container.image.repository",
    "evt.arg.flags",
    "evt.dir",
    "evt.type",
    "proc.aname",
    "proc.args",
    "proc.cmdline",
    "proc.cwd",
    "proc.env",
    "proc.exe",
    "proc.exepath",
    "proc.name",
    "proc.pname",
    "proc.sname",
    "user.loginname",
    "user.name",
    "user.shell",
    "group.name",
];
const NUMBERS: [&str; 9] = [
    "container.start_ts",
    "evt.num",
    "proc.exe_ino.ctime",
    "proc.exe_ino.ctime_duration_proc_start",
    "proc.exe_ino.mtime",
    "proc.pid",
    "proc.tty",
    "user.loginuid",
    "user.uid",
];
const TRUTHS: [&str; 2] = ["proc.is_exe_from_memfd", "proc.is_exe_upper_layer"];
const ALL: [(&[&str], Type); 3] = [(&TEXT, Type::Text), (&NUMBERS, Type::Signed), (&TRUTHS, Type::Bool)];
const OTHER_EVENTS: [&str; 3] = ["evt.is_open_write", "fd.name", "fd.sport"];

impl FieldCatalog for Catalog {
    type Field = &'static str;

    fn resolve(&self, name: &str, argument: Option<&str>) -> Result<FieldInfo<&'static str>, FieldError> {
        if OTHER_EVENTS.contains(&name) {
            return Err(FieldError::OtherEvent);
        }
        let found =
            ALL.iter().find_map(|(names, ty)| Some((*names.iter().find(|known| **known == name)?, *ty)));
        let Some((field, ty)) = found else {
            return Err(FieldError::Unknown);
        };
        if argument.is_some() && !["proc.aname", "proc.env"].contains(&name) {
            return Err(FieldError::BadArgument { why: format!("`{name}` takes no argument") });
        }
        Ok(FieldInfo::new(field, ty))
    }

    fn suggestion(&self, name: &str) -> Option<String> {
        let known = ALL.iter().flat_map(|(names, _)| names.iter().copied());
        did_you_mean(name, known).map(str::to_owned)
    }
}
