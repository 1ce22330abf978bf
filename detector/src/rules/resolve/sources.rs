//! The texts that were handed to the rule language, so that its spans become places in files.

use detector_rule_lang::{Kind, SourceId, Span};

use crate::rules::{
    files::{LocatedText, Place, SourceFile},
    report::{Code, Diagnostic, Within},
};

/// The texts, each with the items around it.
#[derive(Debug, Default)]
pub(super) struct Sources {
    texts: Vec<(LocatedText, Vec<Within>)>,
}

impl Sources {
    /// Adds a text; spans that carry the number belong to it.
    pub(super) fn add(&mut self, text: LocatedText, within: &[Within]) -> SourceId {
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push((text, within.to_vec()));
        SourceId(number)
    }

    fn get(&self, span: Span) -> Option<&(LocatedText, Vec<Within>)> {
        self.texts.get(usize::try_from(span.source.0).ok()?)
    }

    /// Where a span stands.
    pub(super) fn place(&self, span: Span) -> Place {
        let found = self.get(span).and_then(|(text, within)| {
            // What is missing at the end is shown at the last character.
            let last = text.as_str().len().saturating_sub(1);
            let start = span.start.min(last);
            text.place(start..span.end.max(start)).or_else(|| within.last().map(|part| part.place.clone()))
        });
        found.unwrap_or_else(|| Place::new(&SourceFile::new("", String::new()), 0, 0))
    }

    /// The text that a span covers.
    pub(super) fn text(&self, span: Span) -> Option<&str> {
        self.get(span)?.0.as_str().get(span.start..span.end)
    }

    /// The items around a span.
    pub(super) fn within(&self, span: Span) -> &[Within] {
        self.get(span).map_or(&[], |(_, within)| within.as_slice())
    }

    /// A mistake of the rule language as one of the files.
    pub(super) fn diagnostic(&self, code: Code, error: &detector_rule_lang::Diagnostic) -> Diagnostic {
        let code = match error.kind {
            Kind::UnknownMacro | Kind::RecursiveMacro => Code::Validate,
            _ => code,
        };
        Diagnostic::new(code, self.place(error.span), error.message.clone())
            .label(&error.label)
            .maybe_help(error.hint.clone())
            .within(self.within(error.span))
    }
}
