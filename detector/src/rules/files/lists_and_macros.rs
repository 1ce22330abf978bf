//! Items of the kinds `list` and `macro`, and the keys `append` and `override`, which rules have too.

use super::{
    item::{ListItem, MacroItem},
    keys::{self, Map, text_of},
    reader::{Reader, Reported},
};
use crate::rules::report::{Code, Diagnostic, did_you_mean};
use crate::yaml::{Node, Value};

/// The keys that `override` names, each with its node.
#[derive(Default)]
pub(super) struct Override<'n> {
    pub(super) append: Vec<(&'n str, &'n Node)>,
    pub(super) replace: Vec<(&'n str, &'n Node)>,
}

impl Override<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.append.is_empty() && self.replace.is_empty()
    }
}

impl Reader {
    pub(super) fn list(&mut self, name: &str, node: &Node, map: Map<'_>) -> Result<ListItem, Reported> {
        self.check_keys(map, &keys::LIST);
        let name_node = map.get("list").unwrap_or(node);
        if name.contains(|character: char| character.is_whitespace() || "()\"'=,".contains(character)) {
            let message = format!("list name `{name}` cannot be written in a condition");
            let diagnostic = Diagnostic::new(Code::InvalidListName, self.place(name_node), message)
                .help("use no blanks, quotes, commas, parentheses or `=` in the name");
            self.push(diagnostic);
        }
        let append = self.appends(map, "items");
        let items = match map.get("items") {
            Some(items) => self.scalars(items, "items"),
            None => Err(self.missing(node, "items")),
        };
        let standing = self.standing(self.place(name_node));
        Ok(ListItem { name: name.to_owned(), items: items?, append: append?, standing })
    }

    pub(super) fn macro_item(
        &mut self,
        name: &str,
        node: &Node,
        map: Map<'_>,
    ) -> Result<MacroItem, Reported> {
        self.check_keys(map, &keys::MACRO);
        let name_node = map.get("macro").unwrap_or(node);
        let letter_first = name.starts_with(|character: char| character.is_ascii_alphabetic());
        if !letter_first
            || name.contains(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
        {
            let message = format!("macro name `{name}` cannot be written in a condition");
            let diagnostic = Diagnostic::new(Code::InvalidMacroName, self.place(name_node), message)
                .help("use letters, digits and `_`, a letter first");
            self.push(diagnostic);
        }
        let append = self.appends(map, "condition");
        let condition = match self.located(map, "condition") {
            Ok(Some(condition)) => Ok(condition),
            Ok(None) => Err(self.missing(node, "condition")),
            Err(reported) => Err(reported),
        };
        let standing = self.standing(self.place(name_node));
        Ok(MacroItem { name: name.to_owned(), condition: condition?, append: append?, standing })
    }

    fn missing(&mut self, node: &Node, key: &str) -> Reported {
        match self.text(Map(&[]), key, node) {
            Ok(_) => Reported,
            Err(reported) => reported,
        }
    }

    /// Whether a list or macro adds its one key to what is there.
    fn appends(&mut self, map: Map<'_>, key: &str) -> Result<bool, Reported> {
        let flag = self.append_flag(map)?;
        let change = self.overrides(map, &[key], &[key])?;
        self.not_both(map, flag, &change)?;
        Ok(flag || !change.append.is_empty())
    }

    /// The deprecated key `append`.
    pub(super) fn append_flag(&mut self, map: Map<'_>) -> Result<bool, Reported> {
        let flag = self.optional_truth(map, "append")?.unwrap_or(false);
        if let (true, Some(node)) = (flag, map.get("append")) {
            let diagnostic =
                Diagnostic::new(Code::DeprecatedItem, self.place(node), "`append` is deprecated").help(
                    "name what is added under `override`, for instance `override: {condition: append}`",
                );
            self.push(diagnostic);
        }
        Ok(flag)
    }

    pub(super) fn not_both(
        &mut self,
        map: Map<'_>,
        flag: bool,
        change: &Override<'_>,
    ) -> Result<(), Reported> {
        match map.get("append") {
            Some(node) if flag && !change.is_empty() => {
                let wrong = self.wrong(node, "`append: true` and `override` cannot go together");
                Err(wrong.help("remove `append`").report(self))
            }
            _ => Ok(()),
        }
    }

    /// The key `override`.
    pub(super) fn overrides<'n>(
        &mut self,
        map: Map<'n>,
        can_append: &[&str],
        can_replace: &[&str],
    ) -> Result<Override<'n>, Reported> {
        let mut change = Override::default();
        let Some(node) = map.get("override") else { return Ok(change) };
        let pairs = match &node.value {
            Value::Null => return Ok(change),
            Value::Mapping(pairs) => pairs,
            Value::Scalar(..) | Value::Sequence(_) => {
                let help = "write one key per line under it, each with `append` or `replace`";
                return Err(self.wrong(node, "`override` must be a map").help(help).report(self));
            }
        };
        let outside = self.enter("overrides", "", node);
        let mut result = Ok(());
        for (key, operation) in pairs {
            if let Err(reported) = self.one_override(&mut change, (key, operation), can_append, can_replace) {
                result = Err(reported);
            }
        }
        self.leave(outside);
        result.map(|()| change)
    }

    fn one_override<'n>(
        &mut self,
        change: &mut Override<'n>,
        (key, operation): (&'n Node, &'n Node),
        can_append: &[&str],
        can_replace: &[&str],
    ) -> Result<(), Reported> {
        let Some(name) = text_of(key) else {
            return Err(self.wrong(key, "a key of `override` must be text").report(self));
        };
        let appendable = can_append.contains(&name);
        let replaceable = can_replace.contains(&name);
        match text_of(operation) {
            Some("append") if appendable => change.append.push((name, key)),
            Some("replace") if replaceable => change.replace.push((name, key)),
            Some("append") if replaceable => {
                let wrong = self.wrong(operation, format!("`{name}` cannot be appended to"));
                return Err(wrong.help("use `replace`").report(self));
            }
            Some("append" | "replace") => {
                let help = did_you_mean(name, can_replace.iter().copied())
                    .unwrap_or_else(|| format!("can be overridden: {}", can_replace.join(", ")));
                return Err(self
                    .wrong(key, format!("`{name}` cannot be overridden"))
                    .help(help)
                    .report(self));
            }
            other => {
                let message = match other {
                    Some(other) => format!("`{other}` is no way to override `{name}`"),
                    None => format!("how to override `{name}` must be text"),
                };
                let help = if appendable { "use `append` or `replace`" } else { "use `replace`" };
                return Err(self.wrong(operation, message).help(help).report(self));
            }
        }
        Ok(())
    }
}
