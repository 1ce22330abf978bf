//! The codes of load results: Falco's names, so that scripts which look for them keep working.

/// What kind of finding a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "name() and summary() say it, and Falco documents the names")]
pub enum Code {
    FileRead,
    YamlParse,
    YamlValidate,
    CompileCondition,
    CompileOutput,
    Validate,
    UnknownSource,
    UnsafeNaCheck,
    NoEvttype,
    UnknownFilter,
    UnusedMacro,
    UnusedList,
    UnknownItem,
    DeprecatedItem,
    AppendNoValues,
    ExceptionNameNotUnique,
    InvalidMacroName,
    InvalidListName,
    ConditionWarning,
    UnknownKey,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 20] = [
        Self::FileRead,
        Self::YamlParse,
        Self::YamlValidate,
        Self::CompileCondition,
        Self::CompileOutput,
        Self::Validate,
        Self::UnknownSource,
        Self::UnsafeNaCheck,
        Self::NoEvttype,
        Self::UnknownFilter,
        Self::UnusedMacro,
        Self::UnusedList,
        Self::UnknownItem,
        Self::DeprecatedItem,
        Self::AppendNoValues,
        Self::ExceptionNameNotUnique,
        Self::InvalidMacroName,
        Self::InvalidListName,
        Self::ConditionWarning,
        Self::UnknownKey,
    ];

    /// Whether a file with such a finding is refused.
    #[must_use]
    pub const fn is_error(self) -> bool {
        matches!(
            self,
            Self::FileRead
                | Self::YamlParse
                | Self::YamlValidate
                | Self::CompileCondition
                | Self::CompileOutput
                | Self::Validate
        )
    }

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FileRead => "LOAD_ERR_FILE_READ",
            Self::YamlParse => "LOAD_ERR_YAML_PARSE",
            Self::YamlValidate => "LOAD_ERR_YAML_VALIDATE",
            Self::CompileCondition => "LOAD_ERR_COMPILE_CONDITION",
            Self::CompileOutput => "LOAD_ERR_COMPILE_OUTPUT",
            Self::Validate => "LOAD_ERR_VALIDATE",
            Self::UnknownSource => "LOAD_UNKNOWN_SOURCE",
            Self::UnsafeNaCheck => "LOAD_UNSAFE_NA_CHECK",
            Self::NoEvttype => "LOAD_NO_EVTTYPE",
            Self::UnknownFilter => "LOAD_UNKNOWN_FILTER",
            Self::UnusedMacro => "LOAD_UNUSED_MACRO",
            Self::UnusedList => "LOAD_UNUSED_LIST",
            Self::UnknownItem => "LOAD_UNKNOWN_ITEM",
            Self::DeprecatedItem => "LOAD_DEPRECATED_ITEM",
            Self::AppendNoValues => "LOAD_APPEND_NO_VALUES",
            Self::ExceptionNameNotUnique => "LOAD_EXCEPTION_NAME_NOT_UNIQUE",
            Self::InvalidMacroName => "LOAD_INVALID_MACRO_NAME",
            Self::InvalidListName => "LOAD_INVALID_LIST_NAME",
            Self::ConditionWarning => "LOAD_COMPILE_CONDITION",
            Self::UnknownKey => "LOAD_UNKNOWN_KEY",
        }
    }

    /// What it means, in a few words.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::FileRead => "the file cannot be read",
            Self::YamlParse => "the file is not YAML",
            Self::YamlValidate => "a key or value is missing or of the wrong shape",
            Self::CompileCondition => "the condition cannot be used",
            Self::CompileOutput => "the output cannot be used",
            Self::Validate => "the item does not fit with what else is loaded",
            Self::UnknownSource => "the event source is not known",
            Self::UnsafeNaCheck => "comparison with <NA>",
            Self::NoEvttype => "the rule is not limited to event types",
            Self::UnknownFilter => "a field or event type is not known",
            Self::UnusedMacro => "the macro is not used",
            Self::UnusedList => "the list is not used",
            Self::UnknownItem => "the item is of no known kind",
            Self::DeprecatedItem => "an old way to say it",
            Self::AppendNoValues => "an exception without values is appended",
            Self::ExceptionNameNotUnique => "two exceptions have one name",
            Self::InvalidMacroName => "no condition can name the macro",
            Self::InvalidListName => "no condition can name the list",
            Self::ConditionWarning => "the condition may not mean what it says",
            Self::UnknownKey => "the key is not known",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn exactly_the_errors_are_named_so() {
        for code in Code::ALL {
            assert_eq!(code.is_error(), code.name().starts_with("LOAD_ERR_"), "{code:?}");
        }
        let names: std::collections::BTreeSet<_> = Code::ALL.map(Code::name).into();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
