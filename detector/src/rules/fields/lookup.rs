//! From a field as it is written in a rule to its entry.

use detector_rule_lang::did_you_mean;

use super::{Argument, Entry, Field, Subject, Takes, catalogue, other_events, parameters};

/// What a written field is.
#[derive(Clone)]
pub enum Lookup {
    /// A field of the events that this agent sees.
    Known(Field),
    /// A field of other events only; its value is none, or the one that says "not that".
    OtherEvent(Field),
    /// The field exists, but not with this argument; the text says what it takes.
    BadArgument(&'static str),
    /// No such field; [`suggestion`] may know what was meant.
    Unknown,
}

impl Lookup {
    /// The field, if it is one.
    #[must_use]
    pub fn field(self) -> Option<Field> {
        match self {
            Self::Known(field) | Self::OtherEvent(field) => Some(field),
            Self::BadArgument(_) | Self::Unknown => None,
        }
    }
}

/// Finds a field as it is written in a rule: `proc.name`, `proc.aname[2]`, `evt.arg.flags`, `proc.env[HOME]`.
#[must_use]
pub fn lookup(written: &str) -> Lookup {
    let (name, bracketed) = match written.split_once('[') {
        Some((name, rest)) => match rest.strip_suffix(']') {
            Some(argument) => (name, Some(unquoted(argument))),
            None => return Lookup::Unknown,
        },
        None => (written, None),
    };
    if let Some(entry) = named(name) {
        return match argument(entry.takes, bracketed) {
            Ok(argument) => found(entry, argument),
            Err(expected) => Lookup::BadArgument(expected),
        };
    }
    if bracketed.is_none()
        && let Some((entry, argument)) = with_dotted_argument(name)
    {
        return found(entry, Argument::Name(argument.to_owned()));
    }
    Lookup::Unknown
}

fn named(name: &str) -> Option<&'static Entry> {
    catalogue().find(|entry| entry.name == name || entry.aliases.contains(&name))
}

fn unquoted(argument: &str) -> &str {
    let quoted = |quote| argument.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(argument)
}

/// `evt.arg.flags` is `evt.arg` with the argument `flags`.
fn with_dotted_argument(written: &str) -> Option<(&'static Entry, &str)> {
    catalogue().filter(|entry| matches!(entry.takes, Takes::Name | Takes::NameOrIndex)).find_map(|entry| {
        let argument = written.strip_prefix(entry.name)?.strip_prefix('.')?;
        (!argument.is_empty()).then_some((entry, argument))
    })
}

fn argument(takes: Takes, bracketed: Option<&str>) -> Result<Argument, &'static str> {
    let index = |text: &str| text.parse().ok().map(Argument::Index);
    let name = |text: &str| (!text.is_empty()).then(|| Argument::Name(text.to_owned()));
    let (accepted, expected) = match (takes, bracketed) {
        (Takes::Nothing, None) => (Some(Argument::None), ""),
        (Takes::OptionalIndex | Takes::OptionalName | Takes::OptionalIndexOrName, None) => {
            (Some(Argument::None), "")
        }
        (Takes::Nothing, Some(_)) => (None, "it takes no argument"),
        (Takes::OptionalIndex, Some(text)) => (index(text), "it takes a number in brackets, or nothing"),
        (Takes::OptionalName, Some(text)) => (name(text), "it takes a name in brackets, or nothing"),
        (Takes::OptionalIndexOrName, Some(text)) => {
            (index(text).or_else(|| name(text)), "it takes a number or a name in brackets, or nothing")
        }
        (Takes::Name, text) => (text.and_then(name), "it needs a name in brackets"),
        (Takes::NameOrIndex, text) => (
            text.and_then(|text| index(text).or_else(|| name(text))),
            "it needs a name or a number in brackets",
        ),
    };
    accepted.ok_or(expected)
}

fn found(entry: &'static Entry, argument: Argument) -> Lookup {
    if entry.subject == Subject::OtherEvents {
        return Lookup::OtherEvent(Field::new(entry, argument));
    }
    if parameters::is_parameter_field(entry.name)
        && let Argument::Name(name) = &argument
        && parameters::find(name).is_none()
    {
        return if other_events::PARAMETERS.contains(&name.as_str()) {
            Lookup::OtherEvent(Field::new(entry, argument))
        } else {
            Lookup::Unknown
        };
    }
    Lookup::Known(Field::new(entry, argument))
}

/// The field that someone who wrote `written` probably meant.
#[must_use]
pub fn suggestion(written: &str) -> Option<String> {
    let name = written.split('[').next().unwrap_or(written);
    let parameter_fields = ["evt.arg", "evt.rawarg"];
    let parameters = parameter_fields
        .iter()
        .flat_map(|field| parameters::names().map(move |parameter| format!("{field}.{parameter}")));
    let names = catalogue().flat_map(|entry| [entry.name].into_iter().chain(entry.aliases.iter().copied()));
    let known: Vec<String> = names.map(str::to_owned).chain(parameters).collect();
    let cut_short = known.iter().find(|candidate| begins(name, candidate)).cloned();
    cut_short.or_else(|| did_you_mean(name, known.iter().map(String::as_str)).map(str::to_owned))
}

/// Whether `name` is a field's name cut short in its last part.
fn begins(name: &str, candidate: &str) -> bool {
    let rest = candidate.strip_prefix(name).unwrap_or(".");
    name.len() > 6 && !rest.contains('.') && !name.ends_with('.')
}

#[cfg(test)]
mod tests {
    use super::{Lookup, lookup, suggestion};
    use crate::rules::fields::Argument;

    fn verdict(written: &str) -> &'static str {
        match lookup(written) {
            Lookup::Known(_) => "known",
            Lookup::OtherEvent(_) => "other",
            Lookup::BadArgument(_) => "argument",
            Lookup::Unknown => "unknown",
        }
    }

    #[test]
    fn arguments_are_checked() {
        for (written, expected) in [
            ("proc.aname", "known"),
            ("proc.aname[2]", "known"),
            ("proc.aname[x]", "argument"),
            ("proc.aname[-1]", "argument"),
            ("proc.aname[]", "argument"),
            ("proc.aname[2", "unknown"),
            ("proc.name[1]", "argument"),
            ("proc.env[HOME]", "known"),
            ("proc.env", "known"),
            ("proc.aenv[2]", "known"),
            ("proc.aenv[HOME]", "known"),
            ("evt.arg", "argument"),
            ("evt.arg[0]", "known"),
            ("evt.arg[flags]", "known"),
            ("evt.arg.flags", "known"),
            ("evt.rawarg.flags", "known"),
            ("evt.arg.request", "other"),
            ("evt.arg.nonsense", "unknown"),
            ("thread.cgroup.memory", "known"),
            ("thread.cgroup[memory]", "known"),
            ("thread.cgroup", "argument"),
            ("container.label.app.kubernetes.io/name", "known"),
            ("container.mount.dest[/proc*]", "known"),
            ("container.mount.dest[0]", "known"),
            ("fd.name", "other"),
            ("evt.is_open_write", "other"),
            ("proc.nme", "unknown"),
            ("proc", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(verdict(written), expected, "{written}");
        }
    }

    #[test]
    fn quotes_around_an_argument_are_not_part_of_it() {
        for written in ["proc.env[HOME]", "proc.env[\"HOME\"]", "proc.env['HOME']"] {
            assert_eq!(lookup(written).field().unwrap().argument(), &Argument::Name("HOME".to_owned()));
        }
    }

    #[test]
    fn an_alias_is_the_same_field() {
        assert_eq!(lookup("k8s.pod.id").field().unwrap().entry().name, "k8s.pod.uid");
        assert_eq!(lookup("evt.info").field().unwrap().entry().name, "evt.args");
    }

    #[test]
    fn near_misses_are_suggested_and_far_ones_are_not() {
        assert_eq!(suggestion("proc.nme").as_deref(), Some("proc.name"));
        assert_eq!(suggestion("proc.cmdlien").as_deref(), Some("proc.cmdline"));
        assert_eq!(suggestion("evt.arg.flag").as_deref(), Some("evt.arg.flags"));
        assert_eq!(suggestion("container.image.repo").as_deref(), Some("container.image.repository"));
        assert_eq!(suggestion("zzz"), None);
    }
}
