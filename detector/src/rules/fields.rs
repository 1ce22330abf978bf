//! The catalogue of fields: name, argument, meaning, and how the value is taken out of an event. One table per
//! family; `lookup` is what rules and outputs use.

mod container;
mod drop;
mod evt;
mod process;
mod user;

use crate::event::{ExecEvent, Value};

/// What a field accepts in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// An index or nothing.
    OptionalIndex,
    /// A name.
    Name,
}

/// The argument that a use of a field has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// None.
    None,
    /// `[2]`
    Index(usize),
    /// `[NAME]`, or the last part of `evt.arg.NAME`.
    Name(String),
}

/// One entry of the catalogue.
pub struct Entry {
    /// Name without argument.
    pub name: &'static str,
    /// What it accepts in brackets.
    pub takes: Takes,
    /// One sentence.
    pub description: &'static str,
    /// Takes the value out of an event; `None` = no value.
    pub extract: for<'e> fn(&'e ExecEvent, &Argument) -> Option<Value<'e>>,
}

/// A field as a rule uses it.
#[derive(Clone)]
pub struct Field {
    entry: &'static Entry,
    argument: Argument,
}

impl Field {
    /// Its value in this event.
    #[must_use]
    pub fn extract<'e>(&self, event: &'e ExecEvent) -> Option<Value<'e>> {
        (self.entry.extract)(event, &self.argument)
    }
}

/// All fields.
pub fn catalogue() -> impl Iterator<Item = &'static Entry> {
    [evt::FIELDS, process::FIELDS, user::FIELDS, container::FIELDS, drop::FIELDS].into_iter().flatten()
}

/// Finds a field as it is written in a rule: `proc.name`, `proc.aname[2]`, `evt.arg.flags`.
#[must_use]
pub fn lookup(written: &str) -> Option<Field> {
    let (name, bracketed) = match written.split_once('[') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(']')?)),
        None => (written, None),
    };
    if let (Some(argument), None) = (name.strip_prefix("evt.arg."), bracketed) {
        let entry = catalogue().find(|entry| entry.name == "evt.arg")?;
        return Some(Field { entry, argument: Argument::Name(argument.to_owned()) });
    }
    let entry = catalogue().find(|entry| entry.name == name)?;
    let argument = match (entry.takes, bracketed) {
        (Takes::Nothing | Takes::OptionalIndex, None) => Argument::None,
        (Takes::OptionalIndex, Some(index)) => Argument::Index(index.parse().ok()?),
        (Takes::Name, Some(name)) => Argument::Name(name.to_owned()),
        (Takes::Nothing, Some(_)) | (Takes::Name, None) => return None,
    };
    Some(Field { entry, argument })
}

#[cfg(test)]
mod tests {
    use super::{catalogue, lookup};

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = catalogue().map(|entry| entry.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn arguments_are_checked() {
        assert!(lookup("proc.aname[2]").is_some());
        assert!(lookup("proc.aname[x]").is_none());
        assert!(lookup("proc.name[1]").is_none());
        assert!(lookup("evt.arg.flags").is_some());
        assert!(lookup("proc.nme").is_none());
    }
}
