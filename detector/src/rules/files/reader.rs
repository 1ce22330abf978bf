//! The documents of a file, item by item. A mistake in one item does not hide those in the next: all are reported.

use std::sync::Arc;

use super::{
    LocatedText, Place, SourceFile,
    item::{Item, Scalar, Standing},
    keys::{self, Map, text_of},
};
use crate::rules::report::{Code, Diagnostic, Within, did_you_mean};
use crate::yaml::{self, Node, Value};

/// What could be read of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FileItems {
    /// The items in the order of the file.
    pub items: Vec<Item>,
    /// Names of lists, macros and rules that have mistakes: nobody shall be told that they do not exist.
    pub broken: Vec<String>,
    /// Mistakes and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file.
#[must_use]
pub fn read_items(file: &Arc<SourceFile>) -> FileItems {
    let mut reader =
        Reader { file: Arc::clone(file), diagnostics: Vec::new(), within: Vec::new(), broken: Vec::new() };
    let (documents, error) = yaml::read(file.text());
    let mut items = Vec::new();
    for document in &documents {
        reader.document(document, &mut items);
    }
    if let Some((error, at)) = error {
        let place = Place::new(file, at, at);
        reader.push(Diagnostic::new(Code::YamlParse, place, error.to_string()));
    }
    FileItems { items, broken: reader.broken, diagnostics: reader.diagnostics }
}

/// A mistake that has been reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

pub(super) struct Reader {
    pub(super) file: Arc<SourceFile>,
    diagnostics: Vec<Diagnostic>,
    within: Vec<Within>,
    broken: Vec<String>,
}

impl Reader {
    fn document(&mut self, document: &Node, items: &mut Vec<Item>) {
        match &document.value {
            Value::Null => {}
            Value::Sequence(nodes) => {
                for node in nodes {
                    match &node.value {
                        Value::Null => {}
                        Value::Mapping(pairs) => items.extend(self.item(node, Map(pairs))),
                        Value::Scalar(..) | Value::Sequence(_) => {
                            let help = "write `- rule: NAME`, `- macro: NAME` or `- list: NAME`";
                            self.wrong(node, "an item must be a map").help(help).report(self);
                        }
                    }
                }
            }
            Value::Mapping(_) => {
                self.wrong(document, "rules are a list of maps, this is one map")
                    .help("start each item with `- `")
                    .report(self);
            }
            Value::Scalar(..) => {
                self.wrong(document, "rules are a list of maps, this is text").report(self);
            }
        }
    }

    fn item(&mut self, node: &Node, map: Map<'_>) -> Option<Item> {
        let kind = keys::KINDS.into_iter().find(|kind| map.has(kind));
        let Some(kind) = kind else {
            let written = map.0.first().and_then(|(key, _)| text_of(key));
            let place = map.0.first().map_or_else(|| self.place(node), |(key, _)| self.place(key));
            let diagnostic = Diagnostic::new(Code::UnknownItem, place, "an item of no known kind is ignored")
                .help("an item starts with `rule`, `macro`, `list`, `required_engine_version` or `required_plugin_versions`")
                .maybe_help(written.and_then(|written| did_you_mean(written, keys::KINDS)));
            self.push(diagnostic);
            return None;
        };
        match kind {
            "required_engine_version" => self.engine_version(node, map).map(Item::EngineVersion),
            "required_plugin_versions" => self.plugins(node, map).map(Item::Plugins),
            _ => self.named_item(kind, node, map),
        }
    }

    fn named_item(&mut self, kind: &'static str, node: &Node, map: Map<'_>) -> Option<Item> {
        let outside = self.enter(kind, "", node);
        let name = self.text(map, kind, node);
        self.leave(outside);
        let name = name.ok()?.text;
        let outside = self.enter(kind, &name, node);
        let item = match kind {
            "list" => self.list(&name, node, map).map(Item::List),
            "macro" => self.macro_item(&name, node, map).map(Item::Macro),
            _ => self.rule(&name, node, map).map(Item::Rule),
        };
        self.leave(outside);
        if item.is_err() {
            self.broken.push(name);
        }
        item.ok()
    }

    /// Everything reported from now on lies in this part of the file. Give the answer to [`Self::leave`].
    pub(super) fn enter(&mut self, kind: &'static str, name: &str, node: &Node) -> usize {
        let place = self.place(node);
        self.within.push(Within { kind, name: name.to_owned(), place });
        self.within.len() - 1
    }

    pub(super) fn leave(&mut self, outside: usize) {
        self.within.truncate(outside);
    }

    pub(super) fn standing(&self, place: Place) -> Standing {
        Standing { place, within: self.within.clone() }
    }

    pub(super) fn place(&self, node: &Node) -> Place {
        Place::new(&self.file, node.start, node.end)
    }

    pub(super) fn push(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.within.clone_from(&self.within);
        self.diagnostics.push(diagnostic);
    }

    /// A mistake in the structure of the file.
    pub(super) fn wrong(&self, node: &Node, message: impl Into<String>) -> Wrong {
        Wrong(Diagnostic::new(Code::YamlValidate, self.place(node), message))
    }

    /// Warns of keys that the item does not have, and of keys that are there twice.
    pub(super) fn check_keys(&mut self, map: Map<'_>, known: &[&str]) {
        for (at, (key, _)) in map.0.iter().enumerate() {
            let place = self.place(key);
            let Some(name) = text_of(key) else {
                self.push(Diagnostic::new(Code::UnknownKey, place, "a key that is no text is ignored"));
                continue;
            };
            if !known.contains(&name) {
                let help = did_you_mean(name, known.iter().copied())
                    .unwrap_or_else(|| format!("known here: {}", known.join(", ")));
                let message = format!("unknown key `{name}` is ignored");
                self.push(Diagnostic::new(Code::UnknownKey, place, message).help(help));
            } else if map.0[..at].iter().any(|(earlier, _)| text_of(earlier) == Some(name)) {
                let message = format!("key `{name}` is there twice, the first one counts");
                self.push(Diagnostic::new(Code::UnknownKey, place, message));
            }
        }
    }

    /// The text under a key that must be there.
    pub(super) fn text(&mut self, map: Map<'_>, key: &str, item: &Node) -> Result<Scalar, Reported> {
        match self.optional_text(map, key)? {
            Some(text) => Ok(text),
            None => Err(self.wrong(item, format!("`{key}` is missing")).at_start(item).report(self)),
        }
    }

    /// The text under a key that can be absent, but if it is there, not empty.
    pub(super) fn optional_text(&mut self, map: Map<'_>, key: &str) -> Result<Option<Scalar>, Reported> {
        let Some(node) = map.get(key) else { return Ok(None) };
        match &node.value {
            Value::Scalar(text, _) if !text.is_empty() => {
                Ok(Some(Scalar { text: text.clone(), place: self.place(node) }))
            }
            Value::Null | Value::Scalar(..) => {
                Err(self.wrong(node, format!("`{key}` is empty")).report(self))
            }
            Value::Sequence(_) | Value::Mapping(_) => {
                Err(self.wrong(node, format!("`{key}` must be text")).report(self))
            }
        }
    }

    /// The same, with a place for each byte.
    pub(super) fn located(&mut self, map: Map<'_>, key: &str) -> Result<Option<LocatedText>, Reported> {
        let Some(Scalar { text, place }) = self.optional_text(map, key)? else { return Ok(None) };
        Ok(map.get(key).map(|node| match &node.value {
            Value::Scalar(text, style) => {
                LocatedText::scalar(&self.file, (node.start, node.end), *style, text)
            }
            _ => LocatedText::made(&text, &place),
        }))
    }

    /// The truth value under a key.
    pub(super) fn optional_truth(&mut self, map: Map<'_>, key: &str) -> Result<Option<bool>, Reported> {
        let (Some(Scalar { text, .. }), Some(node)) = (self.optional_text(map, key)?, map.get(key)) else {
            return Ok(None);
        };
        match keys::truth(&text) {
            Some(truth) => Ok(Some(truth)),
            None => {
                Err(self.wrong(node, format!("`{key}` must be true or false, not `{text}`")).report(self))
            }
        }
    }

    /// The scalars of a list.
    pub(super) fn scalars(&mut self, node: &Node, key: &str) -> Result<Vec<Scalar>, Reported> {
        let Value::Sequence(nodes) = &node.value else {
            let help = format!("write `{key}: [a, b]`");
            return Err(self.wrong(node, format!("`{key}` must be a list")).help(help).report(self));
        };
        let mut result = Ok(Vec::with_capacity(nodes.len()));
        for node in nodes {
            let text = match &node.value {
                Value::Scalar(text, _) => text.clone(),
                // An item without quotes that YAML takes for nothing is still the word that stands there.
                Value::Null => self.file.text().get(node.start..node.end).unwrap_or_default().to_owned(),
                Value::Sequence(_) | Value::Mapping(_) => {
                    result = Err(self.wrong(node, format!("an item of `{key}` must be text")).report(self));
                    continue;
                }
            };
            let place = self.place(node);
            if let Ok(scalars) = &mut result {
                scalars.push(Scalar { text, place });
            }
        }
        result
    }
}

/// A mistake that is being described.
#[must_use]
pub(super) struct Wrong(Diagnostic);

impl Wrong {
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self(self.0.help(help))
    }

    pub(super) fn code(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    /// Points at the first line of the item only: what is missing stands nowhere.
    fn at_start(mut self, item: &Node) -> Self {
        self.0.place.end = item.start;
        if let Value::Mapping(pairs) = &item.value
            && let Some((key, value)) = pairs.first()
        {
            self.0.place.start = key.start;
            self.0.place.end = if matches!(value.value, Value::Scalar(..)) { value.end } else { key.end };
        }
        self
    }

    pub(super) fn report(self, reader: &mut Reader) -> Reported {
        reader.push(self.0);
        Reported
    }
}
