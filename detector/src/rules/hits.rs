//! How often rules matched, and what kept them silent: so that exceptions and items of lists that never do anything can be
//! found. Counting happens where a rule has matched but for what silences it; an event that no rule wants is not counted
//! anywhere.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    sync::atomic::{AtomicU64, Ordering},
};

use detector_rule_lang::{CompiledCheck, FieldSource, Node, Program, Set, Test, Value};

use super::fields::Field;

/// Items of one silencer that are counted apart. One with more is counted as a whole.
const MAX_ITEMS: usize = 1_000;
/// Letters of a label that is made from a condition.
const LABEL: usize = 120;

/// Counters of one rule.
pub(super) struct Counters {
    matched: AtomicU64,
    /// Place of the first silencer among the conditions that must all hold.
    first: usize,
    silencers: Vec<Silencer>,
}

/// A condition at the end of a rule that says when it does not fire: an exception, or a `not` of its author.
struct Silencer {
    label: String,
    is_exception: bool,
    count: AtomicU64,
    /// The ways in which it holds: the values of an exception, or what stands between the `or`s.
    branches: Vec<Branch>,
}

struct Branch {
    /// How it is shown; nothing for the only branch that there is.
    label: Option<String>,
    count: AtomicU64,
    /// One for each comparison with a list.
    lists: Vec<Vec<Item>>,
}

struct Item {
    value: Box<[u8]>,
    count: AtomicU64,
    label: String,
}

/// How often a rule matched, and what silenced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleHits {
    /// The rule.
    pub rule: String,
    /// Events that it matched.
    pub matched: u64,
    /// What stands at the end of its condition to silence it, in order.
    pub silencers: Vec<SilencerHits>,
}

/// How often something silenced a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilencerHits {
    /// Name of the exception, or the condition as text.
    pub label: String,
    /// It is an exception.
    pub is_exception: bool,
    /// How often it silenced the rule; an event that several would silence counts for the first.
    pub count: u64,
    /// Its values and the items of its lists, each with how often it was the one that did it.
    pub items: Vec<(String, u64)>,
}

/// How many conditions at the end of a rule silence it.
pub(super) fn silencers(program: &Program<Field>) -> usize {
    clauses(program).iter().rev().take_while(|node| matches!(node, Node::Not(_))).count()
}

fn clauses(program: &Program<Field>) -> &[Node<Field>] {
    match program.expr() {
        Node::And(nodes) => nodes,
        _ => &[],
    }
}

impl Counters {
    /// Counters for a condition whose last parts are these exceptions.
    pub(super) fn new(program: &Program<Field>, exceptions: &[String]) -> Self {
        let (clauses, count) = (clauses(program), silencers(program));
        let first = clauses.len() - count;
        let named = count.saturating_sub(exceptions.len());
        let silencer = |(place, node): (usize, &Node<Field>)| {
            let name = place.checked_sub(named).and_then(|at| exceptions.get(at));
            Silencer::new(node, name)
        };
        let silencers = clauses.iter().skip(first).enumerate().map(silencer).collect();
        Self { matched: AtomicU64::new(0), first, silencers }
    }

    /// The rule fired.
    pub(super) fn matched(&self) {
        one_more(&self.matched);
    }

    /// The rule did not fire, as the condition at this place did not hold.
    pub(super) fn unmet<'e>(
        &self,
        place: usize,
        program: &Program<Field>,
        source: &mut impl FieldSource<'e, Field>,
    ) {
        let Some(at) = place.checked_sub(self.first) else { return };
        let (Some(silencer), Some(Node::Not(silent))) = (self.silencers.get(at), clauses(program).get(place))
        else {
            return;
        };
        one_more(&silencer.count);
        let mut branch = 0;
        if let Some(node) = met(silent, source, &mut branch)
            && let Some(branch) = silencer.branches.get(branch)
        {
            branch.count(node, source);
        }
    }

    /// Goes on from what was counted before a reload.
    pub(super) fn adopt(&mut self, before: &RuleHits) {
        *self.matched.get_mut() += before.matched;
        for silencer in &mut self.silencers {
            let same = |old: &&SilencerHits| {
                old.label == silencer.label && old.is_exception == silencer.is_exception
            };
            let Some(old) = before.silencers.iter().find(same) else { continue };
            *silencer.count.get_mut() += old.count;
            let counts: HashMap<&str, u64> =
                old.items.iter().map(|(label, count)| (label.as_str(), *count)).collect();
            for branch in &mut silencer.branches {
                if let Some(count) = branch.label.as_deref().and_then(|label| counts.get(label)) {
                    *branch.count.get_mut() += count;
                }
                for item in branch.lists.iter_mut().flatten() {
                    *item.count.get_mut() += counts.get(item.label.as_str()).copied().unwrap_or(0);
                }
            }
        }
    }

    /// What was counted so far.
    pub(super) fn read(&self, rule: &str) -> RuleHits {
        RuleHits {
            rule: rule.to_owned(),
            matched: so_far(&self.matched),
            silencers: self.silencers.iter().map(Silencer::read).collect(),
        }
    }
}

impl Silencer {
    fn new(node: &Node<Field>, name: Option<&String>) -> Self {
        let mut branches = Vec::new();
        if let Node::Not(silent) = node {
            for_each_branch(silent, &mut |branch| branches.push(branch));
        }
        let several = branches.len() > 1;
        let mut branches: Vec<Branch> = branches.into_iter().map(|node| Branch::new(node, several)).collect();
        if branches.iter().map(|branch| branch.lists.iter().flatten().count() + 1).sum::<usize>() > MAX_ITEMS
        {
            branches = Vec::new();
        }
        let label = name.cloned().unwrap_or_else(|| format!("not {}", text(node)));
        Self { label, is_exception: name.is_some(), count: AtomicU64::new(0), branches }
    }

    fn read(&self) -> SilencerHits {
        let mut items: Vec<(String, u64)> = Vec::new();
        for branch in &self.branches {
            if let Some(label) = &branch.label {
                items.push((label.clone(), so_far(&branch.count)));
            }
            let shown = |item: &Item| (item.label.clone(), so_far(&item.count));
            items.extend(branch.lists.iter().flatten().map(shown));
        }
        SilencerHits {
            label: self.label.clone(),
            is_exception: self.is_exception,
            count: so_far(&self.count),
            items,
        }
    }
}

impl Branch {
    fn new(node: &Node<Field>, several: bool) -> Self {
        let mut lists = Vec::new();
        for_each_list(node, &mut |check, values| lists.push((check, values)));
        let plain = !several && lists.len() == 1;
        let items = |(check, values): (&CompiledCheck<Field>, Vec<Box<[u8]>>)| -> Vec<Item> {
            let item = |value: Box<[u8]>| {
                let shown = String::from_utf8_lossy(&value).into_owned();
                let label = if plain { shown } else { format!("{} = {shown}", left(check)) };
                Item { value, count: AtomicU64::new(0), label }
            };
            let mut items: Vec<Item> = values.into_iter().map(item).collect();
            items.sort_by(|one, other| one.value.cmp(&other.value));
            items
        };
        let lists: Vec<Vec<Item>> = lists.into_iter().map(items).collect();
        // A branch that is nothing but a list says with its items all that there is to say.
        let is_list = matches!(node, Node::Check(_)) && !lists.is_empty();
        let label = (several && !is_list).then(|| text(node));
        Self { label, count: AtomicU64::new(0), lists }
    }

    /// This branch held.
    fn count<'e>(&self, node: &Node<Field>, source: &mut impl FieldSource<'e, Field>) {
        one_more(&self.count);
        let mut lists = self.lists.iter();
        for_each_list_check(node, &mut |check| {
            let Some(items) = lists.next() else { return };
            check.left.visit(source, &mut |value| {
                if let Value::Text(value) = &value
                    && let Ok(at) = items.binary_search_by(|item| item.value.as_ref().cmp(value.as_ref()))
                {
                    one_more(&items[at].count);
                }
                ControlFlow::Continue(())
            });
        });
    }
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn so_far(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn for_each_branch<'n>(node: &'n Node<Field>, visit: &mut impl FnMut(&'n Node<Field>)) {
    match node {
        Node::Or(nodes) => nodes.iter().for_each(|node| for_each_branch(node, visit)),
        other => visit(other),
    }
}

/// The first branch that holds; `branch` becomes its number.
fn met<'n, 'e>(
    node: &'n Node<Field>,
    source: &mut impl FieldSource<'e, Field>,
    branch: &mut usize,
) -> Option<&'n Node<Field>> {
    match node {
        Node::Or(nodes) => nodes.iter().find_map(|node| met(node, source, branch)),
        other if other.matches(source) => Some(other),
        _ => {
            *branch += 1;
            None
        }
    }
}

/// The comparisons with lists of texts that must hold for the branch to hold.
fn for_each_list_check<'n>(node: &'n Node<Field>, visit: &mut impl FnMut(&'n CompiledCheck<Field>)) {
    match node {
        Node::And(nodes) => nodes.iter().for_each(|node| for_each_list_check(node, visit)),
        Node::Check(check)
            if matches!(&check.test, Test::In(Set::Text(_)) | Test::Intersects(Set::Text(_))) =>
        {
            visit(check);
        }
        _ => {}
    }
}

fn for_each_list<'n>(
    node: &'n Node<Field>,
    visit: &mut impl FnMut(&'n CompiledCheck<Field>, Vec<Box<[u8]>>),
) {
    for_each_list_check(node, &mut |check| {
        if let Test::In(Set::Text(all)) | Test::Intersects(Set::Text(all)) = &check.test {
            visit(check, all.iter().cloned().collect());
        }
    });
}

/// What a comparison compares: its text up to the first blank.
fn left(check: &CompiledCheck<Field>) -> &str {
    check.text.split(' ').next().unwrap_or_default()
}

/// A condition as text: its comparisons, and no more than a label should have.
fn text(node: &Node<Field>) -> String {
    let mut texts: Vec<String> = Vec::new();
    node.for_each_check(&mut |check| texts.push(check.text.to_string()));
    let all = texts.join(", ");
    match all.char_indices().nth(LABEL) {
        Some((end, _)) => format!("{}...", &all[..end]),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        event::{ExeFlags, Origin, example},
        rules::{Engine, RuleChoice, RuleHits, files::RuleFile},
    };

    const RULE: &str = "Drop and execute new binary in container";

    fn engine(more: &str) -> Engine {
        let choice = RuleChoice::default();
        let more = RuleFile::from_bytes("more.yaml", more.as_bytes().to_vec());
        choice.engine(choice.load_with(vec![more]), "evt.time").unwrap()
    }

    fn execute(engine: &Engine, path: &str) {
        let mut event = example::exec();
        event.file.origin = Origin::New;
        event.file.flags = ExeFlags(ExeFlags::UPPER_LAYER);
        if let Some(place) = &mut event.file.path {
            place.bytes = path.as_bytes().to_vec();
        }
        if path.is_empty() {
            event.file.flags = ExeFlags(ExeFlags::LOWER_LAYER);
        }
        engine.evaluate(&event, |_| {});
    }

    fn hits(more: &str, paths: &[&str]) -> RuleHits {
        let engine = engine(more);
        for path in paths {
            execute(&engine, path);
        }
        engine.hits().remove(0)
    }

    fn items(hits: &RuleHits, label: &str) -> Vec<(String, u64)> {
        hits.silencers.iter().find(|one| one.label == label).expect(label).items.clone()
    }

    fn exceptions(text: &str) -> String {
        format!("- rule: {RULE}\n  exceptions:\n{text}  override: {{exceptions: append}}\n")
    }

    #[test]
    fn exceptions_and_items_of_lists_are_counted_and_what_nobody_wants_is_not() {
        let more = exceptions(
            "    - {name: used, fields: [proc.exepath], comps: [startswith], values: [[/opt/]]}\n    \
             - {name: stale, fields: [proc.exepath], comps: [=], values: [[/nowhere]]}\n",
        ) + "- list: known_drop_and_execute_containers\n  items: [somewhere/else, another/one]\n  override: {items: append}\n";
        let found = hits(&more, &["/opt/a", "/opt/b", "/tmp/x", ""]);
        assert_eq!((found.rule.as_str(), found.matched), (RULE, 1));
        let counts: Vec<(&str, bool, u64)> =
            found.silencers.iter().map(|one| (one.label.as_str(), one.is_exception, one.count)).collect();
        assert_eq!(counts[counts.len() - 2..], [("used", true, 2), ("stale", true, 0)]);
        let list = found.silencers.iter().find(|one| !one.items.is_empty()).unwrap();
        assert!(list.label.starts_with("not container.image.repository in"), "{}", list.label);
        assert_eq!(list.items, [("another/one".to_owned(), 0), ("somewhere/else".to_owned(), 0)]);
    }

    #[test]
    fn the_item_that_silenced_is_the_one_that_counts() {
        let event = example::exec();
        let facts = event.container.metadata.facts.as_deref().unwrap();
        let repository = facts.image_repository.clone().unwrap();
        let more = format!(
            "- list: known_drop_and_execute_containers\n  items: [a/b, {repository}]\n  override: {{items: append}}\n"
        );
        let found = hits(&more, &["/tmp/x", "/tmp/y"]);
        assert_eq!(found.matched, 0);
        let list = found.silencers.iter().find(|one| !one.items.is_empty()).unwrap();
        let of = |name: &str| list.items.iter().find(|(item, _)| item == name).map(|(_, count)| *count);
        assert_eq!((list.count, of(&repository), of("a/b")), (2, Some(2), Some(0)));
    }

    #[test]
    fn values_of_an_exception_are_told_apart() {
        let more = exceptions(
            "    - {name: e, fields: [proc.exepath, evt.type], comps: [=, in], values: [[/a, [execve]], [/b, [execve]]]}\n    \
             - {name: f, fields: proc.exepath, comps: in, values: [/c, /d]}\n",
        );
        let found = hits(&more, &["/b", "/b", "/d"]);
        let e = items(&found, "e");
        assert!(e.iter().any(|(item, count)| item.contains("/b") && *count == 2), "{e:?}");
        assert!(e.iter().all(|(item, count)| !item.contains("/a") || *count == 0), "{e:?}");
        assert_eq!(items(&found, "f"), [("/c".to_owned(), 0), ("/d".to_owned(), 1)]);
    }

    #[test]
    fn an_exception_that_is_decided_when_rules_are_loaded_shifts_no_other() {
        // No event is a `ptrace`: this one never holds, and the condition could be made without it.
        let more = exceptions(
            "    - {name: used, fields: [proc.exepath], comps: [=], values: [[/a]]}\n    \
             - {name: never, fields: [evt.type], comps: [=], values: [[ptrace]]}\n",
        );
        let found = hits(&more, &["/a"]);
        let of = |label: &str| found.silencers.iter().find(|one| one.label == label).unwrap().count;
        assert_eq!((of("used"), of("never")), (1, 0));
    }

    #[test]
    fn what_was_counted_outlives_a_reload() {
        let more = exceptions("    - {name: f, fields: proc.exepath, comps: in, values: [/c, /d]}\n");
        let before = engine(&more);
        for path in ["/c", "/tmp/x"] {
            execute(&before, path);
        }
        let other = exceptions("    - {name: f, fields: proc.exepath, comps: in, values: [/c, /e]}\n");
        let mut after = engine(&other);
        after.adopt(&before.hits());
        execute(&after, "/e");
        let found = after.hits().remove(0);
        assert_eq!(found.matched, 1);
        assert_eq!(items(&found, "f"), [("/c".to_owned(), 1), ("/e".to_owned(), 1)]);
        assert_eq!(found.silencers.last().unwrap().count, 2);
    }
}
