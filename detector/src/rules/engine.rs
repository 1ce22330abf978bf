//! Evaluates events against the loaded rules.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use detector_rule_lang::{self as lang, Input, Program, Template, TemplateKey};

use super::{
    catalog::{Asked, shown},
    fields::{self, Field},
    hits::{Counters, RuleHits, silencers},
    pushdown::{KernelFilter, asks_for_mappings, same_for_all},
    resolve::ExtraTemplate,
};
use crate::{
    alert::{Alert, AlertRule, Piece, Priority},
    event::{ExecEvent, Value, lossy},
};

/// What stands in texts for a field without a value.
const NO_VALUE: &[u8] = b"<NA>";

/// A rule as loading leaves it.
pub struct RuleParts {
    /// Its name.
    pub name: String,
    /// Names of its exceptions that have values, in order.
    pub exceptions: Vec<String>,
    /// Severity.
    pub priority: Priority,
    /// Event source.
    pub source: String,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// Its condition with its exceptions.
    pub program: Program<Field>,
    /// Its output with what is added to it.
    pub template: Template<Field>,
    /// What only the structured output shows.
    pub extra_fields: Vec<ExtraTemplate<Field>>,
}

/// The rules that run, in the order of evaluation.
pub struct Engine {
    rules: Vec<Rule>,
    /// One for each rule.
    counters: Vec<Counters>,
    all_matching: bool,
    filter: KernelFilter,
    ancestors: bool,
    ancestor_environments: bool,
}

struct Rule {
    /// Whether it is asked about files that are mapped.
    mappings: bool,
    program: Program<Field>,
    alert: Arc<AlertRule>,
    /// What stands for [`AlertRule::fields`].
    fields: Vec<Shown>,
    /// Values of the output that are no fields: transformed ones.
    computed: Vec<Input<Field>>,
}

/// Where a value of the structured output comes from.
enum Shown {
    Field(Field),
    /// A field that only other events have.
    Nothing,
    /// Text with fields in it.
    Text(Template<Field>),
}

impl Engine {
    /// Takes over the rules. With `all_matching` every rule that matches gives an alert, else only the first.
    /// `extra_fields` are shown in all alerts without standing in their texts.
    #[must_use]
    pub fn new(rules: Vec<RuleParts>, all_matching: bool, extra_fields: &[&str]) -> Self {
        let exceptions: Vec<Vec<String>> = rules.iter().map(|parts| parts.exceptions.clone()).collect();
        let rules: Vec<Rule> = rules.into_iter().map(|parts| Rule::new(parts, extra_fields)).collect();
        let fields = fields_of(&rules);
        let filter = KernelFilter::of(rules.iter().map(|rule| &rule.program), fields.iter().copied());
        let ancestors = fields.iter().any(|field| field.reads_ancestors());
        let ancestor_environments = fields.iter().any(|field| field.reads_ancestor_environments());
        // That an exec is an exec needs no asking for each of them, and by each rule.
        let decided = |rule: Rule| {
            let program = rule.program.clone().decided(same_for_all);
            // What silences a rule stays as it is written: it is counted by its place.
            if silencers(&program) == silencers(&rule.program) { Rule { program, ..rule } } else { rule }
        };
        let rules: Vec<Rule> = rules.into_iter().map(decided).collect();
        let counters = rules.iter().zip(&exceptions).map(|(rule, names)| Counters::new(&rule.program, names));
        let counters = counters.collect();
        Self { rules, counters, all_matching, filter, ancestors, ancestor_environments }
    }

    /// Whether any rule looks at what records do not tell about ancestors: arguments, folders, files.
    #[must_use]
    pub fn reads_ancestors(&self) -> bool {
        self.ancestors
    }

    /// Whether any rule looks at the environments of ancestors.
    #[must_use]
    pub fn reads_ancestor_environments(&self) -> bool {
        self.ancestor_environments
    }

    /// What the kernel has to send for these rules.
    #[must_use]
    pub fn filter(&self) -> &KernelFilter {
        &self.filter
    }

    /// How many rules run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether no rule runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Hands the alerts that this event is to `alert`. Nothing is allocated for rules that do not match.
    pub fn evaluate(&self, event: &ExecEvent, mut alert: impl FnMut(Alert)) {
        for (rule, counters) in self.rules.iter().zip(&self.counters) {
            if event.mapped.is_some() && !rule.mappings {
                continue;
            }
            if let Some(place) = rule.program.first_unmet(&mut Asked(event)) {
                counters.unmet(place, &rule.program, &mut Asked(event));
                continue;
            }
            counters.matched();
            alert(rule.alert(event));
            if !self.all_matching {
                return;
            }
        }
    }

    /// Goes on from what other rules had counted: for rules, silencers and items of the same name.
    pub fn adopt(&mut self, before: &[RuleHits]) {
        for (rule, counters) in self.rules.iter().zip(&mut self.counters) {
            if let Some(old) = before.iter().find(|old| old.rule == rule.alert.name) {
                counters.adopt(old);
            }
        }
    }

    /// How often each rule matched, and what silenced it.
    #[must_use]
    pub fn hits(&self) -> Vec<RuleHits> {
        self.rules
            .iter()
            .zip(&self.counters)
            .map(|(rule, counters)| counters.read(&rule.alert.name))
            .collect()
    }
}

/// All fields that conditions and outputs ask for.
fn fields_of(rules: &[Rule]) -> Vec<&Field> {
    let mut fields: Vec<&Field> = Vec::new();
    for rule in rules {
        rule.program.for_each_field(|info| fields.push(&info.field));
        rule.computed.iter().for_each(|input| input.for_each_field(&mut |info| fields.push(&info.field)));
        for shown in &rule.fields {
            match shown {
                Shown::Field(field) => fields.push(field),
                Shown::Nothing => {}
                Shown::Text(template) => {
                    let inputs = template.keys().filter_map(|key| key.input.as_ref());
                    inputs.for_each(|input| input.for_each_field(&mut |info| fields.push(&info.field)));
                }
            }
        }
    }
    fields
}

impl Rule {
    fn new(parts: RuleParts, extra_fields: &[&str]) -> Self {
        let mut fields: BTreeMap<String, Shown> = BTreeMap::new();
        for TemplateKey { key, input } in parts.template.keys() {
            fields.insert(key.clone(), Shown::plain(input.as_ref()));
        }
        for name in extra_fields {
            let field = || fields::lookup(name).field().map_or(Shown::Nothing, Shown::Field);
            fields.entry((*name).to_owned()).or_insert_with(field);
        }
        for extra in parts.extra_fields {
            let shown = match extra.template.pieces.as_slice() {
                [lang::Piece::Field(field)] if extra.plain => Shown::plain(field.input.as_ref()),
                _ => Shown::Text(extra.template),
            };
            fields.insert(extra.name, shown);
        }
        let keys: Vec<String> = fields.keys().cloned().collect();
        let mut computed = Vec::new();
        let output = parts.template.pieces.into_iter().map(|piece| match piece {
            lang::Piece::Literal(text) => Piece::Literal(text),
            lang::Piece::Field(field) => {
                let width = field.width;
                match (keys.binary_search(&field.as_written), field.input) {
                    (Ok(index), _) => Piece::Value { index, width },
                    (Err(_), Some(input)) => {
                        computed.push(input);
                        Piece::Computed { index: computed.len() - 1, width }
                    }
                    // A transformer over a field that only other events have.
                    (Err(_), None) => Piece::Computed { index: usize::MAX, width },
                }
            }
        });
        let output = output.collect();
        let alert = AlertRule {
            name: parts.name,
            priority: parts.priority,
            source: parts.source,
            tags: parts.tags.into_iter().collect(),
            output,
            fields: keys,
        };
        Self {
            mappings: asks_for_mappings(&parts.program),
            program: parts.program,
            alert: Arc::new(alert),
            fields: fields.into_values().collect(),
            computed,
        }
    }

    fn alert(&self, event: &ExecEvent) -> Alert {
        let value = |shown: &Shown| shown.value(event);
        let computed = |input: &Input<Field>| input.value(&mut Asked(event)).map(shown);
        Alert {
            rule: Arc::clone(&self.alert),
            time_ns: event.time_ns,
            values: self.fields.iter().map(value).collect(),
            computed: self.computed.iter().map(computed).collect(),
        }
    }
}

impl Shown {
    /// The value of a field; nothing for what is computed, which has no name.
    fn plain(input: Option<&Input<Field>>) -> Self {
        match input {
            Some(Input::Field(info)) => Self::Field(info.field.clone()),
            _ => Self::Nothing,
        }
    }

    fn value(&self, event: &ExecEvent) -> Option<Value<'static>> {
        match self {
            Self::Field(field) => field.extract(event).map(Value::into_owned),
            Self::Nothing => None,
            Self::Text(template) => Some(filled_in(template, event)),
        }
    }
}

/// The text of a template: bytes as they are, since only those who write lines know how to escape.
fn filled_in(template: &Template<Field>, event: &ExecEvent) -> Value<'static> {
    let mut text = Vec::new();
    for piece in &template.pieces {
        let field = match piece {
            lang::Piece::Literal(literal) => {
                text.extend_from_slice(literal.as_bytes());
                continue;
            }
            lang::Piece::Field(field) => field,
        };
        let value = match &field.input {
            Some(Input::Field(info)) => info.field.extract(event),
            Some(input) => input.value(&mut Asked(event)).map(shown),
            None => None,
        };
        let value = value.as_ref().map_or(Cow::Borrowed(NO_VALUE), Value::to_text);
        match field.width {
            None => text.extend_from_slice(&value),
            Some(width) => {
                let value = lossy(&value);
                let sized: String = value.chars().chain(std::iter::repeat(' ')).take(width).collect();
                text.extend_from_slice(sized.as_bytes());
            }
        }
    }
    Value::owned(text)
}
