//! Files to rules that can be evaluated, or to all the reasons why not. Nothing outside changes: who calls keeps
//! the rules that it has until a report says that the new ones are valid.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    sync::Arc,
};

use detector_rule_lang::{
    Expr, ExprKind, FieldCatalog, Kind, Program, Span, Template, compile, expand, parse_source,
    parse_template_source,
};

use super::{
    additions::{ExtraField, ExtraTemplate, LoadOptions},
    definitions::{Definitions, RuleDefinition, SOURCE},
    details::{RuleDetails, named},
    event_types::{EventTypes, NoExec, event_types, unknown_types},
    exceptions,
    names::ParsedNames,
    sources::Sources,
};
use crate::{
    alert::Priority,
    rules::{
        files::{LocatedText, Place, RuleFile, SourceFile, read_items},
        report::{Code, Diagnostic},
    },
};

/// The token that an output can have for what is known of the container.
const CONTAINER_INFO: &str = "%container.info";
/// Fields that say the same for every event, since there are no events of the start of a system call.
const DEPRECATED_FIELDS: [&str; 6] =
    ["evt.dir", "evt.latency", "evt.latency.s", "evt.latency.ns", "evt.latency.human", "evt.wait_latency"];

/// What loading gave.
#[derive(Debug)]
pub struct LoadReport<F> {
    /// The files, in the order given.
    pub files: Vec<Arc<SourceFile>>,
    /// The rules that exec events can match, in the order of evaluation; those that are switched off too.
    pub rules: Vec<LoadedRule<F>>,
    /// The rules that are left out, with the reason.
    pub skipped: Vec<SkippedRule>,
    /// All findings, by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// What the files say, before it is compiled.
    pub definitions: Definitions,
    /// Lists and macros that something names.
    pub used: HashSet<String>,
}

/// A rule that can be evaluated.
#[derive(Debug)]
pub struct LoadedRule<F> {
    /// Its name.
    pub name: String,
    /// One or two sentences.
    pub desc: String,
    /// Severity.
    pub priority: Priority,
    /// Tags, sorted bytewise.
    pub tags: BTreeSet<String>,
    /// Event source.
    pub source: String,
    /// Whether the files switch it on.
    pub enabled: bool,
    /// The condition with its exceptions.
    pub program: Program<F>,
    /// The output with what is added to it.
    pub template: Template<F>,
    /// What only the structured output shows.
    pub extra_fields: Vec<ExtraTemplate<F>>,
    /// The event types that it can match.
    pub event_types: EventTypes,
    /// What it is made of.
    pub details: RuleDetails,
    /// Where it was last defined.
    pub place: Place,
}

/// A rule that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRule {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: SkipReason,
    /// Where it was last defined.
    pub place: Place,
}

/// Why a rule is left out although it has no mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// No exec event can match it.
    NoExec(NoExec),
    /// Its events are of another source.
    Source(String),
    /// It uses what is not known, and says that it is to be skipped then.
    Unknown(String),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoExec(why) => why.fmt(formatter),
            Self::Source(source) => write!(formatter, "unknown source {source}"),
            Self::Unknown(what) => formatter.write_str(what),
        }
    }
}

impl<F> LoadReport<F> {
    /// Whether the rules can be used.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.errors().next().is_none()
    }

    /// The exceptions of each rule that have values, in order: the last parts of its condition.
    #[must_use]
    pub fn exceptions_with_values(&self) -> HashMap<String, Vec<String>> {
        let names = |rule: &RuleDefinition| {
            let with_values = rule.exceptions.iter().filter(|one| !one.values.is_empty());
            (rule.name.clone(), with_values.map(|one| one.name.clone()).collect())
        };
        self.definitions.rules.all().iter().map(names).collect()
    }

    /// The mistakes.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|found| found.code.is_error())
    }

    /// What may not be meant.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|found| !found.code.is_error())
    }
}

/// Loads rule files, in order, into one set.
pub fn load<C: FieldCatalog>(files: &[RuleFile], catalog: &C, options: &LoadOptions) -> LoadReport<C::Field> {
    let mut definitions = Definitions::default();
    for file in files {
        match &file.error {
            Some(error) => definitions.diagnostics.push(error.clone()),
            None => definitions.add(read_items(&file.source)),
        }
    }
    let mut sources = Sources::default();
    let names = ParsedNames::of(&mut definitions, &mut sources);
    let mut compiler = Compiler {
        catalog,
        options,
        names: &names,
        definitions: &definitions,
        sources,
        found: Vec::new(),
        skipped: Vec::new(),
    };
    let rules = definitions.rules.all().iter().filter_map(|rule| compiler.rule(rule)).collect();
    let (mut found, skipped) = (compiler.found, compiler.skipped);
    let used = used(&names, &definitions, &mut found);
    found.extend(std::mem::take(&mut definitions.diagnostics));
    let files: Vec<_> = files.iter().map(|file| Arc::clone(&file.source)).collect();
    sort(&mut found, &files);
    LoadReport { files, rules, skipped, diagnostics: found, definitions, used }
}

/// By file and place; each finding once, although a macro is compiled with every rule that names it.
fn sort(found: &mut Vec<Diagnostic>, files: &[Arc<SourceFile>]) {
    let mut seen = HashSet::new();
    let number = |one: &Diagnostic| files.iter().position(|file| Arc::ptr_eq(file, &one.place.file));
    found.retain(|one| {
        seen.insert((number(one), one.place.start, one.place.end, one.code, one.message.clone()))
    });
    found.sort_by_key(|one| (number(one), one.place.start));
}

/// The lists and macros that are named somewhere; warns of the others.
fn used(names: &ParsedNames, definitions: &Definitions, found: &mut Vec<Diagnostic>) -> HashSet<String> {
    for expr in names.macros() {
        note_lists(expr, names);
    }
    for (name, items) in names.lists() {
        // A value that is spelt like the list itself is no use of it.
        let others = items.iter().filter(|item| !matches!(item, detector_rule_lang::Operand::Literal(literal) if literal.list_name() == Some(name)));
        others.for_each(|item| names.note_lists_of(item));
    }
    let lists = definitions.lists.all().iter().map(|list| (&list.name, &list.standing, Code::UnusedList));
    let macros = definitions.macros.all().iter().map(|item| (&item.name, &item.standing, Code::UnusedMacro));
    let (mut used, mistakes) =
        (HashSet::new(), found.iter().chain(&definitions.diagnostics).any(|one| one.code.is_error()));
    for (name, standing, code) in lists.chain(macros) {
        if names.is_used(name) {
            used.insert(name.clone());
        } else if !mistakes {
            // A rule with a mistake names things that nobody looked up.
            let kind = if code == Code::UnusedList { "list" } else { "macro" };
            let message = format!("{kind} `{name}` is not used");
            found.push(Diagnostic::new(code, standing.place.clone(), message).within(&standing.within));
        }
    }
    used
}

fn note_lists(expr: &Expr, names: &ParsedNames) {
    match &expr.kind {
        ExprKind::And(items) | ExprKind::Or(items) => {
            for item in items {
                note_lists(item, names);
            }
        }
        ExprKind::Not(inner) => note_lists(inner, names),
        ExprKind::Check(check) => names.note_lists_of(&check.right),
        ExprKind::Exists(_) | ExprKind::Macro(_) => {}
    }
}

struct Compiler<'d, C> {
    catalog: &'d C,
    options: &'d LoadOptions,
    names: &'d ParsedNames,
    definitions: &'d Definitions,
    sources: Sources,
    found: Vec<Diagnostic>,
    skipped: Vec<SkippedRule>,
}

/// A condition on its way. Nothing here copies a tree: that takes more stack than all that is done with it.
struct Condition<F> {
    /// Macros and lists that it names, without its exceptions.
    named: (BTreeSet<String>, BTreeSet<String>),
    /// Expanded, with exceptions.
    expr: Expr,
    program: Program<F>,
}

/// A rule cannot be loaded; why has been reported.
struct Refused;

impl<C: FieldCatalog> Compiler<'_, C> {
    fn rule(&mut self, rule: &RuleDefinition) -> Option<LoadedRule<C::Field>> {
        if rule.source != SOURCE {
            self.skip(rule, SkipReason::Source(rule.source.clone()));
            return None;
        }
        // Values can have come from later items than the fields: only now all is there.
        let wrong: Vec<Diagnostic> = rule.exceptions.iter().flat_map(exceptions::check).collect();
        if !wrong.is_empty() {
            self.found.extend(wrong);
            return None;
        }
        let written = self.condition(rule);
        let template = self.template(rule);
        let extra_fields = self.extra_fields(rule);
        let Condition { named, expr, program } = written.ok()?;
        let (output, template) = template.ok()?;
        let extra_fields = extra_fields.ok()?;
        self.warn_of_fields(&expr);
        let event_types = match event_types(&expr, self.catalog) {
            Ok(event_types) => event_types,
            Err(why) => {
                self.skip(rule, SkipReason::NoExec(why));
                return None;
            }
        };
        if event_types.unlimited && rule.warn_evttypes {
            let message = format!("rule `{}` is not limited to event types", rule.name);
            let diagnostic = Diagnostic::new(Code::NoEvttype, rule.standing.place.clone(), message)
                .help("add `evt.type in (execve, execveat)`, or `warn_evttypes: false`");
            self.found.push(diagnostic.within(&rule.standing.within));
        }
        let details = RuleDetails::of(rule, named, &expr, output, &template);
        Some(LoadedRule {
            name: rule.name.clone(),
            desc: rule.desc.clone(),
            priority: rule.priority,
            tags: rule.tags.clone(),
            source: rule.source.clone(),
            enabled: rule.enabled,
            program,
            template,
            extra_fields,
            event_types,
            details,
            place: rule.standing.place.clone(),
        })
    }

    /// The condition expanded with its exceptions, and compiled.
    fn condition(&mut self, rule: &RuleDefinition) -> Result<Condition<C::Field>, Refused> {
        let within = &rule.standing.within;
        let written = self.parse(&rule.condition, within);
        let mut parts = Vec::new();
        for exception in &rule.exceptions {
            let within = &exception.standing.within;
            // Fields are checked also when there are no values yet.
            for field in exceptions::fields(exception) {
                let text = LocatedText::made(&format!("{} exists", field.text), &field.place);
                let expr = self.parse(&text, within)?;
                if let Err(errors) = compile(&expr, self.catalog) {
                    return Err(self.refuse(rule, &errors, Code::CompileCondition));
                }
            }
            if let Some(text) = exceptions::condition(exception) {
                let expr = self.parse(&text, within)?;
                let span = expr.span;
                parts.push(Expr { kind: ExprKind::Not(Box::new(expr)), span });
            }
        }
        let written = written?;
        let named = named(&written, self.definitions);
        let whole = if parts.is_empty() {
            written
        } else {
            // One level of `and`, as one would write it.
            let span = written.span;
            let conditions = match written {
                Expr { kind: ExprKind::And(conditions), .. } => conditions,
                other => vec![other],
            };
            Expr { kind: ExprKind::And(conditions.into_iter().chain(parts).collect()), span }
        };
        let expanded = match expand(&whole, self.names) {
            Ok(expanded) => expanded,
            Err(errors) => return Err(self.refuse(rule, &errors, Code::CompileCondition)),
        };
        let unknown = unknown_types(&expanded);
        match compile(&expanded, self.catalog) {
            Ok(_) if !unknown.is_empty() => Err(self.refuse(rule, &unknown, Code::CompileCondition)),
            Ok(program) => {
                let warnings = program.warnings().iter();
                self.found
                    .extend(warnings.map(|warning| self.sources.diagnostic(Code::ConditionWarning, warning)));
                Ok(Condition { named, expr: expanded, program })
            }
            Err(mut errors) => {
                errors.extend(unknown);
                Err(self.refuse(rule, &errors, Code::CompileCondition))
            }
        }
    }

    fn parse(
        &mut self,
        text: &LocatedText,
        within: &[crate::rules::report::Within],
    ) -> Result<Expr, Refused> {
        let source = self.sources.add(text.clone(), within);
        let parsed = parse_source(text.as_str(), source);
        let errors = parsed.errors.iter().map(|error| self.sources.diagnostic(Code::CompileCondition, error));
        self.found.extend(errors);
        parsed.expr.ok_or(Refused)
    }

    /// Reports the mistakes; as a warning and a skipped rule if that is what the rule asks for.
    fn refuse(
        &mut self,
        rule: &RuleDefinition,
        errors: &[detector_rule_lang::Diagnostic],
        code: Code,
    ) -> Refused {
        let unknown = |error: &detector_rule_lang::Diagnostic| {
            matches!(error.kind, Kind::UnknownField | Kind::UnknownValue)
        };
        let skip = rule.skip_if_unknown_filter && errors.iter().all(unknown);
        for error in errors {
            // A macro that could not be read was reported itself.
            let broken = error.kind == Kind::UnknownMacro && self.names_broken(error.span);
            if !broken {
                self.found
                    .push(self.sources.diagnostic(if skip { Code::UnknownFilter } else { code }, error));
            }
        }
        if let (true, Some(first)) = (skip, errors.first()) {
            self.skip(rule, SkipReason::Unknown(first.message.clone()));
        }
        Refused
    }

    fn names_broken(&self, span: Span) -> bool {
        self.sources.text(span).is_some_and(|name| self.definitions.broken.contains(name.trim()))
    }

    /// The output as written with what is added, and compiled.
    fn template(&mut self, rule: &RuleDefinition) -> Result<(String, Template<C::Field>), Refused> {
        let within = &rule.standing.within;
        let place =
            rule.output.place(0..rule.output.as_str().len()).unwrap_or_else(|| rule.standing.place.clone());
        let mut output = rule.output.clone();
        for added in self.options.append_output.iter().filter(|added| added.concerns(rule)) {
            if !added.format.is_empty() {
                output.push_made(&format!(" {}", added.format), &place);
            }
        }
        if self.options.container_info_everywhere && !output.as_str().contains(CONTAINER_INFO) {
            output.push_made(&format!(" {}", self.options.container_info), &place);
        }
        if let Some(at) = output.as_str().find(CONTAINER_INFO) {
            if self.options.container_info.is_empty() {
                let place = output.place(at..at + CONTAINER_INFO.len()).unwrap_or(place);
                let message = format!("`{CONTAINER_INFO}` is deprecated and stands for nothing");
                let diagnostic = Diagnostic::new(Code::DeprecatedItem, place, message)
                    .help("remove it: the fields of the container are added to every output");
                self.found.push(diagnostic.within(within));
            }
            output = output.replaced(CONTAINER_INFO, &self.options.container_info);
        }
        let text = output.as_str().to_owned();
        let source = self.sources.add(output, within);
        match parse_template_source(&text, source, self.catalog) {
            Ok(template) => Ok((text, template)),
            Err(errors) => Err(self.refuse(rule, &errors, Code::CompileOutput)),
        }
    }

    /// The fields that only the structured output shows; of one name the last counts.
    fn extra_fields(&mut self, rule: &RuleDefinition) -> Result<Vec<ExtraTemplate<C::Field>>, Refused> {
        let place =
            rule.output.place(0..rule.output.as_str().len()).unwrap_or_else(|| rule.standing.place.clone());
        let options = self.options;
        let concerning = options.append_output.iter().filter(|added| added.concerns(rule));
        let mut compiled: Vec<ExtraTemplate<C::Field>> = Vec::new();
        for field in concerning.flat_map(|added| &added.fields) {
            let text = LocatedText::made(&field.format(), &place);
            let source = self.sources.add(text, &rule.standing.within);
            let template = match parse_template_source(&field.format(), source, self.catalog) {
                Ok(template) => template,
                Err(errors) => return Err(self.refuse(rule, &errors, Code::CompileOutput)),
            };
            compiled.retain(|other| other.name != field.name());
            let plain = matches!(field, ExtraField::Plain(_));
            compiled.push(ExtraTemplate { name: field.name().to_owned(), plain, template });
        }
        Ok(compiled)
    }

    fn warn_of_fields(&mut self, expr: &Expr) {
        let mut fields = Vec::new();
        super::details::for_each_field(expr, &mut |field| {
            if DEPRECATED_FIELDS.contains(&field.name.as_str()) {
                fields.push((field.name.clone(), field.span));
            }
        });
        for (name, span) in fields {
            let error = |sources: &Sources| {
                Diagnostic::new(
                    Code::DeprecatedItem,
                    sources.place(span),
                    format!("field `{name}` is deprecated"),
                )
            };
            let help = if name == "evt.dir" {
                "`evt.dir=<` always holds and `evt.dir=>` never: remove it"
            } else {
                "it has no value: remove it"
            };
            let diagnostic = error(&self.sources).help(help).within(self.sources.within(span));
            self.found.push(diagnostic);
        }
    }

    fn skip(&mut self, rule: &RuleDefinition, reason: SkipReason) {
        let place = rule.standing.place.clone();
        self.skipped.push(SkippedRule { name: rule.name.clone(), reason, place });
    }
}
