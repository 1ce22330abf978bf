//! `privileges`: which rights the agent gives up once its hooks are armed.

use std::path::PathBuf;

use super::{SettingError, Settings, values::Values};
use crate::privileges::{Restrictions, parse_capability};

/// From here on ports are everybody's.
const FREE_PORTS: u16 = 1024;

pub(super) fn privileges(values: &mut Values<'_>) -> Restrictions {
    let mut keep = Vec::new();
    for name in values.texts("privileges.keep_capabilities") {
        match parse_capability(&name) {
            Some(capability) => keep.push(capability),
            None => values.errors.push(SettingError::Word {
                place: values.place("privileges.keep_capabilities"),
                key: "privileges.keep_capabilities".to_owned(),
                words: "the capabilities of capabilities(7), such as CAP_DAC_OVERRIDE".to_owned(),
                found: name,
            }),
        }
    }
    Restrictions {
        capabilities: values.bool("privileges.drop_capabilities", true),
        keep,
        no_new_privileges: values.bool("privileges.no_new_privs", true),
        system_calls: values.bool("privileges.seccomp", true),
        files: values.bool("privileges.landlock", false),
        writable: values.texts("privileges.writable").into_iter().map(PathBuf::from).collect(),
        best_effort: values.bool("privileges.best_effort", false),
    }
}

impl Settings {
    /// What the agent gives up with these settings, where its own work needs nothing more.
    #[must_use]
    pub fn restrictions(&self) -> Restrictions {
        let mut restrictions = self.privileges.clone();
        let folder_of = |file: &PathBuf| file.parent().unwrap_or(file).to_path_buf();
        let outputs = &self.outputs;
        let files = [
            outputs.file.as_ref().map(|file| &file.path),
            self.metrics.as_ref().and_then(|metrics| metrics.output_file.as_ref()),
            self.record_to.as_ref(),
        ];
        restrictions.writable.extend(files.into_iter().flatten().map(folder_of));
        let receivers = [&outputs.http, &outputs.otlp].into_iter().flatten();
        let spools = receivers.filter_map(|receiver| receiver.spool.as_ref());
        restrictions.writable.extend(spools.map(|spool| spool.folder.clone()));
        restrictions.writable.extend(self.samples.as_ref().map(|samples| samples.folder.clone()));
        if self.pins.enabled {
            restrictions.writable.push(self.pins.folder.clone());
        }
        if self.webserver.as_ref().is_some_and(|web| web.port < FREE_PORTS) {
            restrictions.keep.push("CAP_NET_BIND_SERVICE".to_owned());
        }
        restrictions
    }
}
