//! Configuration as a tree, each value with the place it comes from.

use std::sync::Arc;

use crate::yaml::{Node, Value};

/// A configuration value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// What it is.
    pub kind: Kind,
    /// Where it was set: `FILE:LINE:COLUMN`, or the `-o` that set it.
    pub place: Arc<str>,
}

/// What a configuration value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// Text, a number or a truth value: what it means depends on the key.
    Scalar(String),
    /// A list.
    List(Vec<Tree>),
    /// Keys with values, in the order they were set.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// A map without keys.
    #[must_use]
    pub fn empty() -> Self {
        Self { kind: Kind::Map(Vec::new()), place: Arc::from("defaults") }
    }

    /// From a YAML node; `place` says where a byte of the text stands.
    pub(super) fn from_yaml(node: Node, place: &dyn Fn(usize) -> Arc<str>) -> Self {
        let at = place(node.start);
        let kind = match node.value {
            Value::Null => Kind::Null,
            Value::Scalar(text, _) => Kind::Scalar(text),
            Value::Sequence(items) => {
                Kind::List(items.into_iter().map(|item| Self::from_yaml(item, place)).collect())
            }
            Value::Mapping(pairs) => Kind::Map(
                pairs
                    .into_iter()
                    .map(|(key, value)| {
                        let name = match key.value {
                            Value::Scalar(text, _) => text,
                            _ => String::new(),
                        };
                        (name, Self::from_yaml(value, place))
                    })
                    .collect(),
            ),
        };
        Self { kind, place: at }
    }

    /// The value of a key, when this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value at a key for writing; made when it is not there. What was no map becomes one.
    pub(super) fn entry(&mut self, key: &str, place: &Arc<str>) -> &mut Self {
        if !matches!(self.kind, Kind::Map(_)) {
            self.kind = Kind::Map(Vec::new());
        }
        let Kind::Map(entries) = &mut self.kind else { unreachable!("made a map just now") };
        let index = entries.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
            entries.push((key.to_owned(), Self { kind: Kind::Null, place: Arc::clone(place) }));
            entries.len() - 1
        });
        &mut entries[index].1
    }

    /// Changes every scalar.
    pub(super) fn map_scalars(&mut self, change: &dyn Fn(&str) -> String) {
        match &mut self.kind {
            Kind::Null => {}
            Kind::Scalar(text) => *text = change(text),
            Kind::List(items) => items.iter_mut().for_each(|item| item.map_scalars(change)),
            Kind::Map(entries) => entries.iter_mut().for_each(|(_, value)| value.map_scalars(change)),
        }
    }
}
