//! The catalogue of fields: name, argument, meaning, and how the value is taken out of an event. One table per
//! family; [`lookup`] is what rules and outputs use, [`describe`] what users read.

mod ancestors;
mod capabilities;
mod command;
mod container;
mod describe;
mod drop;
mod drop_by;
mod drop_file;
mod drop_script;
mod entry;
mod event;
mod event_times;
mod events;
mod executed_file;
mod fixed;
mod groups;
mod kubernetes;
mod lookup;
mod mounts;
mod other_events;
mod parameters;
mod process;
mod process_times;
mod resources;
mod stdio;
mod thread;
mod user;

pub use describe::{ListFormat, describe};
pub use entry::{Argument, Entry, Field, Subject, Takes, ValueType};
pub use events::describe_events;
pub use lookup::{Lookup, lookup, suggestion};

/// Fields that belong together, as `--list` shows them.
pub struct Family {
    /// The first part of their names.
    pub name: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Their tables.
    tables: &'static [&'static [Entry]],
}

impl Family {
    /// The fields, in order.
    pub fn entries(&self) -> impl Iterator<Item = &'static Entry> {
        self.tables.iter().copied().flatten()
    }
}

/// All families.
pub static FAMILIES: &[Family] = &[
    Family {
        name: "evt",
        description: "the event itself",
        tables: &[event::FIELDS, event_times::FIELDS, parameters::FIELDS],
    },
    Family {
        name: "proc",
        description: "the process that executed a file, the file, and the processes above it",
        tables: &[
            process::FIELDS,
            command::FIELDS,
            ancestors::FIELDS,
            groups::FIELDS,
            process_times::FIELDS,
            executed_file::FIELDS,
            resources::FIELDS,
            stdio::FIELDS,
        ],
    },
    Family {
        name: "thread",
        description: "the thread; after an exec it is the only one of its process",
        tables: &[thread::FIELDS],
    },
    Family { name: "user", description: "the user that the process runs as", tables: &[user::USER_FIELDS] },
    Family {
        name: "group",
        description: "the group that the process runs as",
        tables: &[user::GROUP_FIELDS],
    },
    Family {
        name: "container",
        description: "the container that the process runs in",
        tables: &[container::FIELDS, mounts::FIELDS],
    },
    Family {
        name: "k8s",
        description: "the Kubernetes pod of the container",
        tables: &[kubernetes::FIELDS, kubernetes::DEPRECATED],
    },
    Family {
        name: "drop",
        description: "what this agent knows beyond Falco about the executed file",
        tables: &[drop::FIELDS, drop_file::FIELDS, drop_script::FIELDS, drop_by::FIELDS],
    },
    Family {
        name: "static",
        description: "what the configuration says about the host",
        tables: &[fixed::FIELDS],
    },
    Family {
        name: "other",
        description: "fields of events that this agent does not look at: known by name, without a value",
        tables: &[other_events::FIELDS, other_events::FD_FIELDS],
    },
];

/// All fields.
pub fn catalogue() -> impl Iterator<Item = &'static Entry> {
    FAMILIES.iter().flat_map(Family::entries)
}

#[cfg(test)]
mod example;
#[cfg(test)]
mod falco_names;

#[cfg(test)]
mod tests {
    use super::catalogue;

    #[test]
    fn names_and_aliases_are_unique() {
        let mut names: Vec<_> = catalogue()
            .flat_map(|entry| [entry.name].into_iter().chain(entry.aliases.iter().copied()))
            .collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }

    #[test]
    fn descriptions_are_one_plain_fragment() {
        for entry in catalogue() {
            assert!(!entry.description.is_empty() && !entry.description.ends_with('.'), "{}", entry.name);
            assert!(!entry.description.contains("  "), "{}: {}", entry.name, entry.description);
        }
    }
}
