//! `${VAR}` in scalars: the variable's value, or nothing; `$${VAR}` stands for `${VAR}` itself.

/// Expands all variables of a text.
pub(super) fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        let Some(end) = from.find('}') else { break };
        if let Some(escaped) = before.strip_suffix('$') {
            expanded.push_str(escaped);
            expanded.push_str(&from[..=end]);
        } else {
            expanded.push_str(before);
            expanded.push_str(&variable(&from[2..end]).unwrap_or_default());
        }
        rest = &from[end + 1..];
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::expand;

    fn expanded(text: &str) -> String {
        expand(text, &|name| (name == "A").then(|| "x".to_owned()))
    }

    #[test]
    fn variables_are_replaced_and_unknown_ones_are_empty() {
        assert_eq!(expanded("${A}/${B}/${A}"), "x//x");
    }

    #[test]
    fn an_escaped_variable_stays() {
        assert_eq!(expanded("$${A} ${A}"), "${A} x");
    }

    #[test]
    fn what_is_no_variable_stays() {
        assert_eq!(expanded("$A ${A"), "$A ${A");
        assert_eq!(expanded("100$"), "100$");
    }
}
