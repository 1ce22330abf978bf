//! Items of all files to one definition per name: redefinition, appending, override, switching.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    alert::Priority,
    rules::{
        files::{
            Exception, FileItems, Item, ListItem, LocatedText, MacroItem, PluginRequirement, RuleAction,
            RuleItem, RuleKeys, Scalar, Standing, Version,
        },
        report::{Code, Diagnostic, did_you_mean},
    },
};

use super::exceptions;

/// The event source whose rules we evaluate, and the one of rules that name none.
pub const SOURCE: &str = "syscall";

/// Values of one list that are shown at most.
const MAX_FLAT_ITEMS: usize = 10_000;

/// A list as all files together define it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListDefinition {
    /// Its name.
    pub name: String,
    /// Its items as written: values, or names of lists.
    pub items: Vec<Scalar>,
    /// Where it was last defined.
    pub standing: Standing,
}

/// A macro as all files together define it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroDefinition {
    /// Its name.
    pub name: String,
    /// Its condition as written.
    pub condition: LocatedText,
    /// Where it was last defined.
    pub standing: Standing,
    /// Number of the item that first defined it.
    index: usize,
    /// Number of the item that last changed it: it sees the macros that were first defined before.
    visibility: usize,
}

/// A rule as all files together define it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the keys of the file format")]
pub struct RuleDefinition {
    pub name: String,
    pub condition: LocatedText,
    pub output: LocatedText,
    pub desc: String,
    pub priority: Priority,
    pub source: String,
    pub tags: BTreeSet<String>,
    pub exceptions: Vec<Exception>,
    pub enabled: bool,
    pub warn_evttypes: bool,
    pub skip_if_unknown_filter: bool,
    pub capture: bool,
    /// Milliseconds.
    pub capture_duration: u64,
    /// Where it was last defined.
    pub standing: Standing,
}

impl MacroDefinition {
    /// Whether the condition of this macro may name the other one.
    #[must_use]
    pub fn sees(&self, other: &Self) -> bool {
        other.index < self.visibility
    }
}

/// All definitions, each kind in the order of first definition, which is the order of evaluation.
#[derive(Debug, Default)]
pub struct Definitions {
    /// Lists.
    pub lists: Named<ListDefinition>,
    /// Macros.
    pub macros: Named<MacroDefinition>,
    /// Rules.
    pub rules: Named<RuleDefinition>,
    /// The highest engine version that a file asks for.
    pub engine_version: Option<Version>,
    /// The plugins that files ask for.
    pub plugins: Vec<PluginRequirement>,
    /// Names whose definition has mistakes, so that what depends on them is not reported again.
    pub broken: HashSet<String>,
    /// Mistakes and warnings.
    pub diagnostics: Vec<Diagnostic>,
    next: usize,
}

/// Definitions in order, found by name.
#[derive(Debug)]
pub struct Named<T> {
    all: Vec<T>,
    by_name: HashMap<String, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { all: Vec::new(), by_name: HashMap::new() }
    }
}

impl<T> Named<T> {
    /// The definition with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.all.get(*self.by_name.get(name)?)
    }

    /// Its place in the order.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// All, in order.
    #[must_use]
    pub fn all(&self) -> &[T] {
        &self.all
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.all.get_mut(*self.by_name.get(name)?)
    }

    /// Puts a definition in the place of the one with its name, or at the end.
    fn put(&mut self, name: &str, definition: T) {
        if let Some(earlier) = self.get_mut(name) {
            *earlier = definition;
        } else {
            self.by_name.insert(name.to_owned(), self.all.len());
            self.all.push(definition);
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl Definitions {
    /// Takes the items of the next file.
    pub fn add(&mut self, file: FileItems) {
        self.diagnostics.extend(file.diagnostics);
        self.broken.extend(file.broken);
        for item in file.items {
            let number = self.next;
            self.next += 1;
            match item {
                Item::EngineVersion(version) => self.engine_version = self.engine_version.max(Some(version)),
                Item::Plugins(plugins) => self.plugins.extend(plugins),
                Item::List(list) => self.list(list),
                Item::Macro(item) => self.macro_item(item, number),
                Item::Rule(rule) => self.rule(rule),
            }
        }
    }

    /// The values of a list, those of the lists that it names among them.
    #[must_use]
    pub fn flat_items<'d>(&'d self, list: &'d ListDefinition) -> Vec<&'d str> {
        let mut values = Vec::new();
        let mut open = vec![(list, 0)];
        while let Some((list, at)) = open.pop() {
            let Some(item) = list.items.get(at) else { continue };
            open.push((list, at + 1));
            match self.lists.get(&item.text) {
                // A name that is being expanded is a value.
                Some(inner) if !open.iter().any(|(open, _)| open.name == inner.name) => open.push((inner, 0)),
                _ => values.push(item.text.as_str()),
            }
            // Lists that name each other twice would double at every step.
            if values.len() > MAX_FLAT_ITEMS {
                break;
            }
        }
        values
    }

    fn list(&mut self, item: ListItem) {
        let ListItem { name, items, append, standing } = item;
        if !append {
            self.lists.put(&name, ListDefinition { name: name.clone(), items, standing });
        } else if let Some(list) = self.lists.get_mut(&name) {
            list.items.extend(items);
        } else {
            self.unknown("list", &name, &standing);
        }
    }

    fn macro_item(&mut self, item: MacroItem, number: usize) {
        let MacroItem { name, condition, append, standing } = item;
        if append {
            match self.macros.get_mut(&name) {
                Some(earlier) => {
                    join(&mut earlier.condition, &condition, &standing);
                    earlier.visibility = number;
                }
                None => self.unknown("macro", &name, &standing),
            }
            return;
        }
        let index = self.macros.get(&name).map_or(number, |earlier| earlier.index);
        let definition =
            MacroDefinition { name: name.clone(), condition, standing, index, visibility: number };
        self.macros.put(&name, definition);
    }

    fn rule(&mut self, item: RuleItem) {
        let RuleItem { name, source, action, standing } = item;
        let earlier_source = self.rules.get(&name).map(|rule| rule.source.clone());
        let written = source.as_ref().map(|source| source.text.as_str());
        let wanted = match &action {
            RuleAction::Define(_) => Some(written.unwrap_or(SOURCE)),
            RuleAction::Change { .. } => written,
            RuleAction::Enable(_) => None,
        };
        if let (Some(earlier), Some(wanted)) = (&earlier_source, wanted)
            && earlier != wanted
        {
            let place = source.as_ref().map_or_else(|| standing.place.clone(), |source| source.place.clone());
            let message = format!("rule `{name}` has the source `{earlier}`, this says `{wanted}`");
            let diagnostic =
                Diagnostic::new(Code::Validate, place, message).help("give the rule another name");
            self.diagnostics.push(diagnostic.within(&standing.within));
            return;
        }
        match action {
            RuleAction::Define(keys) => {
                let source = wanted.unwrap_or(SOURCE).to_owned();
                self.define_rule(&name, source, *keys, standing);
            }
            RuleAction::Enable(enabled) => match self.rules.get_mut(&name) {
                Some(rule) => rule.enabled = enabled,
                None => self.unknown("rule", &name, &standing),
            },
            RuleAction::Change { append, replace } => {
                let Some(rule) = self.rules.get_mut(&name) else {
                    self.unknown("rule", &name, &standing);
                    return;
                };
                if let Some(keys) = append {
                    append_to(rule, *keys, &standing, &mut self.diagnostics);
                }
                if let Some(keys) = replace {
                    replace_in(rule, *keys, &mut self.diagnostics);
                }
            }
        }
    }

    fn define_rule(&mut self, name: &str, source: String, keys: RuleKeys, standing: Standing) {
        // What reads a definition gives it these.
        let (Some(condition), Some(output), Some(desc), Some(priority)) =
            (keys.condition, keys.output, keys.desc, keys.priority)
        else {
            return;
        };
        if source != SOURCE {
            let message = format!("rule `{name}` is skipped: unknown source `{source}`");
            let diagnostic = Diagnostic::new(Code::UnknownSource, standing.place.clone(), message)
                .help(format!("known: `{SOURCE}`"));
            self.diagnostics.push(diagnostic.within(&standing.within));
        }
        let exceptions = keys.exceptions.unwrap_or_default();
        for exception in &exceptions {
            self.diagnostics.extend(exceptions::check(exception));
        }
        let definition = RuleDefinition {
            name: name.to_owned(),
            condition,
            output,
            desc,
            priority,
            source,
            tags: keys.tags.unwrap_or_default().into_iter().collect(),
            exceptions,
            enabled: keys.enabled.unwrap_or(true),
            warn_evttypes: keys.warn_evttypes.unwrap_or(true),
            skip_if_unknown_filter: keys.skip_if_unknown_filter.unwrap_or(false),
            capture: keys.capture.unwrap_or(false),
            capture_duration: keys.capture_duration.unwrap_or(0),
            standing,
        };
        self.rules.put(name, definition);
    }

    fn unknown(&mut self, kind: &str, name: &str, standing: &Standing) {
        if self.broken.contains(name) {
            return;
        }
        let help = match kind {
            "list" => did_you_mean(name, self.lists.names()),
            "macro" => did_you_mean(name, self.macros.names()),
            _ => did_you_mean(name, self.rules.names()),
        };
        let help = help.unwrap_or_else(|| format!("load the file that defines the {kind} before this one"));
        let message = format!("there is no {kind} `{name}` to change");
        let diagnostic = Diagnostic::new(Code::Validate, standing.place.clone(), message).help(help);
        self.diagnostics.push(diagnostic.within(&standing.within));
    }
}

/// Joins with one blank, as the file format says: `and` and `or` are the writer's.
fn join(text: &mut LocatedText, more: &LocatedText, standing: &Standing) {
    text.push_made(" ", &standing.place);
    text.push(more);
}

fn append_to(
    rule: &mut RuleDefinition,
    keys: RuleKeys,
    standing: &Standing,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if let Some(condition) = keys.condition {
        join(&mut rule.condition, &condition, standing);
    }
    if let Some(output) = keys.output {
        join(&mut rule.output, &output, standing);
    }
    if let Some(desc) = keys.desc {
        rule.desc = format!("{} {desc}", rule.desc);
    }
    rule.tags.extend(keys.tags.unwrap_or_default());
    for exception in keys.exceptions.unwrap_or_default() {
        diagnostics.extend(append_exception(rule, exception));
    }
}

fn append_exception(rule: &mut RuleDefinition, exception: Exception) -> Vec<Diagnostic> {
    let wrong = |place, message: String| {
        Diagnostic::new(Code::Validate, place, message).within(&exception.standing.within)
    };
    let name = &exception.name;
    if let Some(earlier) = rule.exceptions.iter_mut().find(|earlier| earlier.name == *name) {
        let given = [("fields", &exception.fields), ("comps", &exception.comps)];
        let found: Vec<Diagnostic> = given
            .into_iter()
            .filter_map(|(key, entry)| Some((key, entry.as_ref()?)))
            .map(|(key, entry)| {
                let message =
                    format!("exception `{name}` is there already: its `{key}` cannot be given again");
                wrong(entry.place().clone(), message)
                    .help("append `values` only, or give the exception another name")
            })
            .collect();
        if found.is_empty() {
            earlier.values.extend(exception.values);
        }
        return found;
    }
    let missing = match (&exception.fields, exception.values.is_empty()) {
        (None, _) => "fields",
        (_, true) => "values",
        (Some(_), false) => {
            let found = exceptions::check(&exception);
            rule.exceptions.push(exception);
            return found;
        }
    };
    let message = format!("exception `{name}` is new in rule `{}` and has no `{missing}`", rule.name);
    let help = did_you_mean(name, rule.exceptions.iter().map(|earlier| earlier.name.as_str()))
        .unwrap_or_else(|| "a new exception needs `fields` and `values`".to_owned());
    vec![wrong(exception.standing.place.clone(), message).help(help)]
}

fn replace_in(rule: &mut RuleDefinition, keys: RuleKeys, diagnostics: &mut Vec<Diagnostic>) {
    fn set<T>(old: &mut T, new: Option<T>) {
        if let Some(new) = new {
            *old = new;
        }
    }
    if let Some(exceptions) = &keys.exceptions {
        diagnostics.extend(exceptions.iter().flat_map(exceptions::check));
    }
    set(&mut rule.condition, keys.condition);
    set(&mut rule.output, keys.output);
    set(&mut rule.desc, keys.desc);
    set(&mut rule.priority, keys.priority);
    set(&mut rule.tags, keys.tags.map(|tags| tags.into_iter().collect()));
    set(&mut rule.exceptions, keys.exceptions);
    set(&mut rule.enabled, keys.enabled);
    set(&mut rule.warn_evttypes, keys.warn_evttypes);
    set(&mut rule.skip_if_unknown_filter, keys.skip_if_unknown_filter);
    set(&mut rule.capture, keys.capture);
    set(&mut rule.capture_duration, keys.capture_duration);
}
