//! The exceptions of a rule, as the file has them.

use super::{
    item::{Entry, Exception, Scalar},
    keys::{self, Map},
    reader::{Reader, Reported},
};
use crate::rules::report::{Code, Diagnostic};
use crate::yaml::{Node, Value};

impl Reader {
    /// The key `exceptions`; with `append` an exception can leave out its fields.
    pub(super) fn exceptions(&mut self, node: &Node, append: bool) -> Result<Vec<Exception>, Reported> {
        let nodes = match &node.value {
            Value::Null => return Ok(Vec::new()),
            Value::Sequence(nodes) => nodes,
            Value::Scalar(..) | Value::Mapping(_) => {
                return Err(self.wrong(node, "`exceptions` must be a list").report(self));
            }
        };
        let outside = self.enter("exceptions", "", node);
        let mut exceptions: Vec<Exception> = Vec::with_capacity(nodes.len());
        let mut result = Ok(());
        for node in nodes {
            match self.exception(node, append) {
                Ok(exception) => {
                    if exceptions.iter().any(|earlier| earlier.name == exception.name) {
                        let message = format!("two exceptions are named `{}`", exception.name);
                        let place = exception.standing.place.clone();
                        self.push(Diagnostic::new(Code::ExceptionNameNotUnique, place, message));
                    }
                    exceptions.push(exception);
                }
                Err(reported) => result = Err(reported),
            }
        }
        self.leave(outside);
        result.map(|()| exceptions)
    }

    fn exception(&mut self, node: &Node, append: bool) -> Result<Exception, Reported> {
        let Value::Mapping(pairs) = &node.value else {
            let help = "write `- name: NAME` with `fields` and `values` under it";
            return Err(self.wrong(node, "an exception must be a map").help(help).report(self));
        };
        let map = Map(pairs);
        let outside = self.enter("exception", "", node);
        let name = self.text(map, "name", node);
        self.leave(outside);
        let name = name?;
        let outside = self.enter("exception", &name.text, node);
        let exception = self.named_exception(name, node, map, append);
        self.leave(outside);
        exception
    }

    fn named_exception(
        &mut self,
        name: Scalar,
        node: &Node,
        map: Map<'_>,
        append: bool,
    ) -> Result<Exception, Reported> {
        self.check_keys(map, &keys::EXCEPTION);
        let fields = match map.get("fields") {
            Some(fields) => self.entry(fields, "fields").map(Some),
            None if append => Ok(None),
            None => {
                let wrong = self.wrong(
                    map.get("name").unwrap_or(node),
                    format!("exception `{}` has no `fields`", name.text),
                );
                Err(wrong.help("name the fields that are compared").report(self))
            }
        };
        let comps = map.get("comps").map(|comps| self.entry(comps, "comps")).transpose();
        let values = match map.get("values").map(|values| (values, &values.value)) {
            Some((_, Value::Sequence(nodes))) => {
                let entries: Vec<_> = nodes.iter().map(|node| self.entry(node, "values")).collect();
                entries.into_iter().collect()
            }
            Some((values, _)) => Err(self.wrong(values, "`values` must be a list").report(self)),
            None => {
                if append {
                    let message = format!("exception `{}` is appended without values", name.text);
                    self.push(Diagnostic::new(Code::AppendNoValues, name.place.clone(), message));
                }
                Ok(Vec::new())
            }
        };
        let standing = self.standing(name.place);
        Ok(Exception { name: name.text, fields: fields?, comps: comps?, values: values?, standing })
    }

    fn entry(&mut self, node: &Node, key: &str) -> Result<Entry, Reported> {
        let place = self.place(node);
        match &node.value {
            Value::Scalar(text, _) if !text.is_empty() => {
                Ok(Entry::One(Scalar { text: text.clone(), place }))
            }
            Value::Scalar(..) | Value::Null => {
                Err(self.wrong(node, format!("a value of `{key}` is empty")).report(self))
            }
            Value::Mapping(_) => {
                Err(self.wrong(node, format!("a value of `{key}` must be text or a list")).report(self))
            }
            Value::Sequence(nodes) => {
                let entries: Vec<_> = nodes.iter().map(|node| self.entry(node, key)).collect();
                Ok(Entry::Many(entries.into_iter().collect::<Result<_, _>>()?, place))
            }
        }
    }
}
