//! One entry of the catalogue, and a use of it in a rule.

use super::parameters;
use crate::event::{ExecEvent, Value};

/// What a field accepts in brackets, or as the last part of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// An index, or nothing.
    OptionalIndex,
    /// A name, or nothing: `[NAME]`.
    OptionalName,
    /// An index, a name, or nothing.
    OptionalIndexOrName,
    /// A name: `[NAME]` or `.NAME`.
    Name,
    /// A name or an index: `[NAME]`, `.NAME` or `[2]`.
    NameOrIndex,
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

/// What kind of value a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// Text, compared by bytes.
    Text,
    /// A number that can be negative.
    Signed,
    /// A number that cannot.
    Unsigned,
    /// A number with a fraction.
    Double,
    /// A truth value.
    Bool,
    /// A point in time: a number of nanoseconds since the epoch, shown as text.
    Time,
    /// Several texts.
    List,
}

impl ValueType {
    /// The word that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Signed => "signed number",
            Self::Unsigned => "number",
            Self::Double => "fraction",
            Self::Bool => "true or false",
            Self::Time => "time",
            Self::List => "list",
        }
    }
}

/// Which events a field is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Events that this agent sees.
    Exec,
    /// Only others; the field is known by name and has no value, or the one that says "not that".
    OtherEvents,
}

/// Takes a value out of an event; `None` = no value, which is not the empty text.
pub(super) type Extract = for<'e> fn(&'e ExecEvent, &Argument) -> Option<Value<'e>>;

/// One entry of the catalogue.
pub struct Entry {
    /// Name without argument.
    pub name: &'static str,
    /// Other names of the same.
    pub aliases: &'static [&'static str],
    /// What it accepts in brackets.
    pub takes: Takes,
    /// Kind of its values; of `evt.rawarg` see [`Field::value_type`].
    pub value_type: ValueType,
    /// One sentence.
    pub description: &'static str,
    /// Which events it is about.
    pub subject: Subject,
    /// In a condition and without an index, it is met when any of the ancestors meets it.
    pub any_ancestor: bool,
    /// May stand on the right side of a comparison and inside a transformer.
    pub operand: bool,
    /// Kept for old rules; it says nothing any more.
    pub deprecated: bool,
    /// Takes the value out of an event.
    pub(super) extract: Extract,
}

impl Entry {
    pub(super) const fn new(
        name: &'static str,
        value_type: ValueType,
        description: &'static str,
        extract: Extract,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            takes: Takes::Nothing,
            value_type,
            description,
            subject: Subject::Exec,
            any_ancestor: false,
            operand: true,
            deprecated: false,
            extract,
        }
    }

    pub(super) const fn text(name: &'static str, description: &'static str, extract: Extract) -> Self {
        Self::new(name, ValueType::Text, description, extract)
    }

    pub(super) const fn signed(name: &'static str, description: &'static str, extract: Extract) -> Self {
        Self::new(name, ValueType::Signed, description, extract)
    }

    pub(super) const fn unsigned(name: &'static str, description: &'static str, extract: Extract) -> Self {
        Self::new(name, ValueType::Unsigned, description, extract)
    }

    pub(super) const fn bool(name: &'static str, description: &'static str, extract: Extract) -> Self {
        Self::new(name, ValueType::Bool, description, extract)
    }

    /// A field that never has a value.
    pub(super) const fn never(name: &'static str, value_type: ValueType, description: &'static str) -> Self {
        Self::new(name, value_type, description, |_, _| None)
    }

    pub(super) const fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    pub(super) const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// An ancestor field: index or nothing, any ancestor in conditions, not an operand.
    pub(super) const fn any_ancestor(mut self) -> Self {
        self.takes = Takes::OptionalIndex;
        self.any_ancestor = true;
        self.operand = false;
        self
    }

    pub(super) const fn no_operand(mut self) -> Self {
        self.operand = false;
        self
    }

    pub(super) const fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    pub(super) const fn of_other_events(mut self) -> Self {
        self.subject = Subject::OtherEvents;
        self
    }
}

/// A field as a rule uses it.
#[derive(Clone)]
pub struct Field {
    entry: &'static Entry,
    argument: Argument,
}

impl Field {
    pub(super) const fn new(entry: &'static Entry, argument: Argument) -> Self {
        Self { entry, argument }
    }

    /// Its entry in the catalogue.
    #[must_use]
    pub const fn entry(&self) -> &'static Entry {
        self.entry
    }

    /// Its argument.
    #[must_use]
    pub const fn argument(&self) -> &Argument {
        &self.argument
    }

    /// Its value in this event, as outputs show it.
    #[must_use]
    pub fn extract<'e>(&self, event: &'e ExecEvent) -> Option<Value<'e>> {
        (self.entry.extract)(event, &self.argument)
    }

    /// Whether a condition is met when any one of [`Self::values`] meets it.
    #[must_use]
    pub fn matches_any_ancestor(&self) -> bool {
        self.entry.any_ancestor && self.argument == Argument::None
    }

    /// The values that a condition looks at: one for each ancestor from the parent upwards, if the field is about all
    /// of them, else the one of [`Self::extract`].
    pub fn values<'e>(&self, event: &'e ExecEvent) -> impl Iterator<Item = Value<'e>> {
        let any = self.matches_any_ancestor();
        let extract = self.entry.extract;
        let one = if any { None } else { self.extract(event) };
        let indices = if any { 1..event.ancestors.len() + 1 } else { 0..0 };
        indices.filter_map(move |index| extract(event, &Argument::Index(index))).chain(one)
    }

    /// Whether its value is taken from the environment of the process, which records carry only on demand.
    #[must_use]
    pub fn reads_environment(&self) -> bool {
        match self.entry.name {
            "proc.env" | "proc.aenv" | "evt.args" => true,
            name => parameters::is_parameter_field(name) && parameters::is_environment(&self.argument),
        }
    }

    /// Whether its value is taken from the memory or procfs of ancestors, which no record carries.
    #[must_use]
    pub fn reads_ancestors(&self) -> bool {
        let of_ancestors = matches!(
            self.entry.name,
            "proc.pexe"
                | "proc.aexe"
                | "proc.pexepath"
                | "proc.aexepath"
                | "proc.pcmdline"
                | "proc.acmdline"
                | "proc.aargs"
        );
        of_ancestors || self.reads_ancestor_environments()
    }

    /// Whether its value is taken from the environment of ancestors.
    #[must_use]
    pub fn reads_ancestor_environments(&self) -> bool {
        self.entry.name == "proc.aenv"
    }

    /// For `static.NAME` the name, which only the configuration knows.
    #[must_use]
    pub fn static_name(&self) -> Option<&str> {
        match &self.argument {
            Argument::Name(name) if self.entry.name == super::fixed::STATIC => Some(name),
            _ => None,
        }
    }

    /// Whether its value comes from looking at files after the exec.
    #[must_use]
    pub fn needs_examination(&self) -> bool {
        const FILE: [&str; 8] = [
            "drop.examined",
            "drop.sha256",
            "drop.entropy",
            "drop.identical_to_image",
            "drop.mount",
            "drop.path",
            "drop.sample",
            "drop.volume",
        ];
        let name = self.entry.name;
        FILE.contains(&name) || name.starts_with("drop.elf.") || name.starts_with("drop.script.")
    }

    /// Whether a condition on it is about what interpreters are told to run.
    #[must_use]
    pub fn asks_for_interpreters(&self) -> bool {
        self.entry.name == "drop.kind" || self.entry.name.starts_with("drop.script.")
    }

    /// Whether its value comes from the script that an interpreter runs.
    #[must_use]
    pub fn needs_scripts(&self) -> bool {
        self.entry.name.starts_with("drop.script.")
    }

    /// Whether its value comes from who opened the file for writing.
    #[must_use]
    pub fn needs_writers(&self) -> bool {
        self.entry.name.starts_with("drop.by.")
    }

    /// Whether a condition on it can be about files that are mapped.
    #[must_use]
    pub fn asks_for_mappings(&self) -> bool {
        self.entry.name == "drop.kind"
    }

    /// Kind of its values.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        parameters::raw_type(self.entry.name, &self.argument).unwrap_or(self.entry.value_type)
    }
}

#[cfg(test)]
mod tests {
    use super::super::lookup;
    use crate::event::{Value, example};

    #[test]
    fn a_field_about_all_ancestors_has_one_value_for_each() {
        let event = example::exec();
        let names = lookup("proc.aname").field().unwrap();
        assert!(names.matches_any_ancestor());
        let values: Vec<_> = names.values(&event).collect();
        assert_eq!(values, [Value::text("sh"), Value::text("containerd-shim"), Value::text("systemd")]);
        let one = lookup("proc.aname[2]").field().unwrap();
        assert!(!one.matches_any_ancestor());
        assert_eq!(one.values(&event).collect::<Vec<_>>(), [Value::text("containerd-shim")]);
        assert_eq!(lookup("proc.aname[9]").field().unwrap().values(&event).count(), 0);
    }

    #[test]
    fn fields_of_the_memory_of_ancestors_are_told() {
        for (written, expected) in [
            ("proc.pcmdline", (true, false)),
            ("proc.aargs[2]", (true, false)),
            ("proc.aenv[PATH]", (true, true)),
            ("proc.pname", (false, false)),
            ("proc.aname[2]", (false, false)),
            ("proc.cmdline", (false, false)),
        ] {
            let field = lookup(written);
            let field = field.field().unwrap();
            assert_eq!((field.reads_ancestors(), field.reads_ancestor_environments()), expected, "{written}");
        }
    }

    #[test]
    fn fields_of_the_environment_are_told_in_all_their_forms() {
        for (written, expected) in [
            ("proc.env", true),
            ("proc.env[HOME]", true),
            ("proc.aenv[0]", true),
            ("evt.args", true),
            ("evt.info", true),
            ("evt.arg.env", true),
            ("evt.arg[env]", true),
            ("evt.arg[15]", true),
            ("evt.rawarg.env", true),
            ("evt.arg.flags", false),
            ("evt.arg[14]", false),
            ("proc.args", false),
        ] {
            assert_eq!(lookup(written).field().unwrap().reads_environment(), expected, "{written}");
        }
    }
}
