//! Lists and macros for the conditions that name them: parsed once, with the rules of visibility.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

use detector_rule_lang::{Expr, Names, Operand, did_you_mean, parse_list_item, parse_source};

use super::{definitions::Definitions, sources::Sources};
use crate::rules::{
    files::LocatedText,
    report::{Code, Diagnostic},
};

/// The parsed lists and macros. Remembers which of them were asked for.
#[derive(Debug, Default)]
pub(super) struct ParsedNames {
    lists: HashMap<String, Vec<Operand>>,
    macros: HashMap<String, Expr>,
    used: RefCell<HashSet<String>>,
}

impl Names for ParsedNames {
    fn macro_(&self, name: &str) -> Option<&Expr> {
        self.macros.get(name).inspect(|_| self.note(name))
    }

    fn list(&self, name: &str) -> Option<&[Operand]> {
        self.lists.get(name).inspect(|_| self.note(name)).map(Vec::as_slice)
    }

    fn macro_names(&self) -> Vec<&str> {
        self.macros.keys().map(String::as_str).collect()
    }
}

impl ParsedNames {
    /// Parses all lists and macros. What cannot be parsed, or names what it cannot see, is reported and is put among
    /// the broken names.
    pub(super) fn of(definitions: &mut Definitions, sources: &mut Sources) -> Self {
        let mut names = Self::default();
        let mut found = Vec::new();
        let mut broken = Vec::new();
        for list in definitions.lists.all() {
            let mut items = Vec::with_capacity(list.items.len());
            for item in &list.items {
                let text = LocatedText::made(&item.text, &item.place);
                let source = sources.add(text, &list.standing.within);
                match parse_list_item(&item.text, source) {
                    Ok(operands) => items.extend(operands),
                    Err(errors) => {
                        found.extend(errors.iter().map(|error| sources.diagnostic(Code::Validate, error)));
                        broken.push(list.name.clone());
                    }
                }
            }
            names.lists.insert(list.name.clone(), items);
        }
        for definition in definitions.macros.all() {
            let source = sources.add(definition.condition.clone(), &definition.standing.within);
            let parsed = parse_source(definition.condition.as_str(), source);
            found.extend(parsed.errors.iter().map(|error| sources.diagnostic(Code::CompileCondition, error)));
            match parsed.expr {
                Some(expr) => {
                    names.macros.insert(definition.name.clone(), expr);
                }
                None => broken.push(definition.name.clone()),
            }
        }
        definitions.broken.extend(broken);
        found.extend(names.check_visibility(definitions, sources));
        definitions.diagnostics.extend(found);
        names
    }

    /// A macro may name only macros that were first defined before it was last changed, and never itself.
    fn check_visibility(&self, definitions: &mut Definitions, sources: &Sources) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut broken = Vec::new();
        // Edges of the graph of macros, from each macro to those that it names.
        let mut named_by: HashMap<&str, Vec<&str>> = HashMap::new();
        for definition in definitions.macros.all() {
            let Some(expr) = self.macros.get(&definition.name) else { continue };
            let named = named_by.entry(&definition.name).or_default();
            expr.for_each_macro(&mut |name, span| {
                let place = sources.place(span);
                let diagnostic = |message: String, help: Option<String>| {
                    let diagnostic = Diagnostic::new(Code::Validate, place.clone(), message).maybe_help(help);
                    diagnostic.within(&definition.standing.within)
                };
                match definitions.macros.get(name) {
                    Some(other) if definition.sees(other) => named.push(&other.name),
                    Some(other) => {
                        let message = format!("macro `{name}` is defined later than `{}`", definition.name);
                        let help = format!("move `{name}` ({}) before it", other.standing.place);
                        found.push(diagnostic(message, Some(help)));
                        broken.push(definition.name.clone());
                    }
                    None => {
                        broken.push(definition.name.clone());
                        if !definitions.broken.contains(name) {
                            let near = did_you_mean(name, self.macro_names());
                            let help = near.map(|near| format!("did you mean `{near}`?"));
                            found.push(diagnostic(format!("unknown macro `{name}`"), help));
                        }
                    }
                }
            });
        }
        for name in circular(&named_by) {
            if let Some(definition) = definitions.macros.get(name) {
                let message = format!("macro `{name}` contains itself");
                let diagnostic = Diagnostic::new(Code::Validate, definition.standing.place.clone(), message);
                found.push(diagnostic.within(&definition.standing.within));
                broken.push(name.to_owned());
            }
        }
        self.used.borrow_mut().extend(named_by.values().flatten().map(|name| (*name).to_owned()));
        definitions.broken.extend(broken);
        found
    }

    fn note(&self, name: &str) {
        if !self.used.borrow().contains(name) {
            self.used.borrow_mut().insert(name.to_owned());
        }
    }

    /// Whether a condition, or a macro, named this list or macro.
    pub(super) fn is_used(&self, name: &str) -> bool {
        self.used.borrow().contains(name)
    }

    /// Notes the lists that a macro or list names, for those that no rule leads to.
    pub(super) fn note_lists_of(&self, operand: &Operand) {
        match operand {
            Operand::Literal(literal) => {
                if let Some(name) = literal.list_name().filter(|name| self.lists.contains_key(*name)) {
                    self.note(name);
                }
            }
            Operand::List(list) => list.items.iter().for_each(|item| self.note_lists_of(item)),
            Operand::Transform(transform) => {
                transform.arguments.iter().for_each(|argument| self.note_lists_of(argument));
            }
            Operand::Field(_) => {}
        }
    }

    /// The parsed macros.
    pub(super) fn macros(&self) -> impl Iterator<Item = &Expr> {
        self.macros.values()
    }

    /// The parsed lists.
    pub(super) fn lists(&self) -> impl Iterator<Item = (&str, &[Operand])> {
        self.lists.iter().map(|(name, items)| (name.as_str(), items.as_slice()))
    }
}

/// The macros that lead to themselves, or to one that does: what is left when those that lead nowhere are taken away
/// again and again.
fn circular<'n>(named_by: &HashMap<&'n str, Vec<&'n str>>) -> Vec<&'n str> {
    let mut waiting_for: HashMap<&str, usize> =
        named_by.iter().map(|(name, named)| (*name, named.len())).collect();
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, named) in named_by {
        for other in named {
            users.entry(other).or_default().push(name);
        }
    }
    // A macro that could not be parsed has no edges of its own.
    let mut done: Vec<&str> = users.keys().filter(|name| !named_by.contains_key(*name)).copied().collect();
    done.extend(waiting_for.iter().filter(|(_, left)| **left == 0).map(|(name, _)| *name));
    while let Some(name) = done.pop() {
        waiting_for.remove(name);
        for user in users.get(name).into_iter().flatten() {
            if let Some(left) = waiting_for.get_mut(user) {
                *left -= 1;
                if *left == 0 {
                    done.push(user);
                }
            }
        }
    }
    let mut left: Vec<&str> = waiting_for.into_keys().collect();
    left.sort_unstable();
    left
}
