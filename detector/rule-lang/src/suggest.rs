//! "Did you mean": the closest known name, when it is close enough to be a slip of the hand.

/// The name among `known` that `wrong` most likely stands for: fewest edits (insert, remove, replace, swap
/// neighbours), at most one for every three characters. Of equals the first one.
#[must_use]
pub fn did_you_mean<'k>(wrong: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let wrong: Vec<char> = wrong.chars().take(LONGEST + 1).collect();
    if wrong.len() > LONGEST {
        return None;
    }
    let most = (wrong.len() / 3).max(1);
    let mut best: Option<(usize, &'k str)> = None;
    for name in known {
        let allowed = best.map_or(most, |(edits, _)| edits.saturating_sub(1));
        if let Some(edits) = edits_within(&wrong, name, allowed)
            && best.is_none_or(|(fewest, _)| edits < fewest)
        {
            best = Some((edits, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Names longer than this get no suggestion: nothing in the language is.
const LONGEST: usize = 128;

/// Edits from `wrong` to `name` when there are at most `allowed`.
fn edits_within(wrong: &[char], name: &str, allowed: usize) -> Option<usize> {
    let name: Vec<char> = name.chars().take(LONGEST + 1).collect();
    if name.len() > LONGEST || name.len().abs_diff(wrong.len()) > allowed {
        return None;
    }
    // Three rows of the table of distances between prefixes: two back (for swaps), one back, the current one.
    let mut two_back = vec![0; name.len() + 1];
    let mut one_back: Vec<usize> = (0..=name.len()).collect();
    for (i, &w) in wrong.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &n) in name.iter().enumerate() {
            let mut edits = (one_back[j] + usize::from(w != n)).min(one_back[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && w == name[j - 1] && wrong[i - 1] == n {
                edits = edits.min(two_back[j - 1] + 1);
            }
            row.push(edits);
        }
        two_back = std::mem::replace(&mut one_back, row);
    }
    one_back.last().copied().filter(|&edits| edits <= allowed)
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let fields = ["proc.name", "proc.pname", "proc.exepath", "evt.type", "container.id"];
        let check = |wrong, expected| assert_eq!(did_you_mean(wrong, fields), expected, "{wrong}");
        check("proc.nmae", Some("proc.name"));
        check("proc.pnam", Some("proc.pname"));
        check("proc.name", Some("proc.name"));
        check("container.ids", Some("container.id"));
        check("event.type", Some("evt.type"));
        check("k8s.pod.uid", None);
        check("", None);
    }

    #[test]
    fn a_swap_is_one_edit() {
        assert_eq!(did_you_mean("ba", ["ab"]), Some("ab"));
        assert_eq!(did_you_mean("dcba", ["abcd"]), None);
    }

    #[test]
    fn endless_names_are_refused_not_measured() {
        assert_eq!(did_you_mean(&"a".repeat(1 << 20), ["a"]), None);
        let long = "a".repeat(1 << 20);
        assert_eq!(did_you_mean("a", [long.as_str()]), None);
    }
}
