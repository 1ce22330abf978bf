//! Evaluates events against the loaded rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use detector_rule_lang::{self as lang, Input, Program, Template, TemplateKey};

use super::{
    catalog::{Asked, shown},
    fields::{self, Field},
    pushdown::KernelFilter,
};
use crate::{
    alert::{Alert, AlertRule, Piece, Priority},
    event::{ExecEvent, Value},
};

/// A rule as loading leaves it.
pub struct RuleParts {
    /// Its name.
    pub name: String,
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
}

/// The rules that run, in the order of evaluation.
pub struct Engine {
    rules: Vec<Rule>,
    all_matching: bool,
    filter: KernelFilter,
    ancestors: bool,
    ancestor_environments: bool,
}

struct Rule {
    program: Program<Field>,
    alert: Arc<AlertRule>,
    /// The fields of [`AlertRule::fields`]; `None` for one that only other events have.
    fields: Vec<Option<Field>>,
    /// Values of the output that are no fields: transformed ones.
    computed: Vec<Input<Field>>,
}

impl Engine {
    /// Takes over the rules. With `all_matching` every rule that matches gives an alert, else only the first.
    /// `extra_fields` are shown in all alerts without standing in their texts.
    #[must_use]
    pub fn new(rules: Vec<RuleParts>, all_matching: bool, extra_fields: &[&str]) -> Self {
        let rules: Vec<Rule> = rules.into_iter().map(|parts| Rule::new(parts, extra_fields)).collect();
        let fields = fields_of(&rules);
        let filter = KernelFilter::of(rules.iter().map(|rule| &rule.program), fields.iter().copied());
        let ancestors = fields.iter().any(|field| field.reads_ancestors());
        let ancestor_environments = fields.iter().any(|field| field.reads_ancestor_environments());
        Self { rules, all_matching, filter, ancestors, ancestor_environments }
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
        for rule in &self.rules {
            if rule.program.matches(&mut Asked(event)) {
                alert(rule.alert(event));
                if !self.all_matching {
                    return;
                }
            }
        }
    }
}

/// All fields that conditions and outputs ask for.
fn fields_of(rules: &[Rule]) -> Vec<&Field> {
    let mut fields: Vec<&Field> = Vec::new();
    for rule in rules {
        rule.program.for_each_field(|info| fields.push(&info.field));
        rule.computed.iter().for_each(|input| input.for_each_field(&mut |info| fields.push(&info.field)));
        fields.extend(rule.fields.iter().flatten());
    }
    fields
}

impl Rule {
    fn new(parts: RuleParts, extra_fields: &[&str]) -> Self {
        let mut fields: BTreeMap<String, Option<Field>> = BTreeMap::new();
        for TemplateKey { key, input } in parts.template.keys() {
            let field = match input {
                Some(Input::Field(info)) => Some(info.field.clone()),
                _ => None,
            };
            fields.insert(key.clone(), field);
        }
        for name in extra_fields {
            fields.entry((*name).to_owned()).or_insert_with(|| fields::lookup(name).field());
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
            program: parts.program,
            alert: Arc::new(alert),
            fields: fields.into_values().collect(),
            computed,
        }
    }

    fn alert(&self, event: &ExecEvent) -> Alert {
        let value = |field: &Option<Field>| field.as_ref()?.extract(event).map(Value::into_owned);
        let computed = |input: &Input<Field>| input.value(&mut Asked(event)).map(shown);
        Alert {
            rule: Arc::clone(&self.alert),
            time_ns: event.time_ns,
            values: self.fields.iter().map(value).collect(),
            computed: self.computed.iter().map(computed).collect(),
        }
    }
}
