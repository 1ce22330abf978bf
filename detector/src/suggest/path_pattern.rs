//! What several paths have in common, as one pattern: equal parts stay, parts that differ become `*` with what they
//! begin and end with.

/// Directories that say nothing about what lies in them.
const GENERIC: [&str; 24] = [
    "", "tmp", "var", "usr", "bin", "sbin", "lib", "lib64", "local", "home", "root", "opt", "app", "run",
    "dev", "shm", "srv", "mnt", "data", "proc", "etc", "share", "cache", ".cache",
];

/// Weight of a part that is the same in all paths.
const WHOLE: u32 = 2;
/// Weight of a part that begins or ends the same.
const PARTLY: u32 = 1;
/// Bytes at the beginning or end of a part that say something when they are the same.
const TELLING: usize = 3;
/// Parts by which a path is found again, beside its last one.
const MARKED: usize = 16;

/// A pattern over paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PathPattern {
    head: Vec<Part>,
    /// Any number of parts between `head` and `tail`; `None` when there are none.
    tail: Option<Vec<Part>>,
}

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Same(String),
    /// What it begins and ends with.
    Differs(String, String),
}

impl PathPattern {
    /// A pattern that only this path has.
    pub(super) fn of(path: &str) -> Self {
        Self { head: path.split('/').map(|part| Part::Same(part.to_owned())).collect(), tail: None }
    }

    /// Whether it stands for one path only.
    pub(super) fn is_exact(&self) -> bool {
        self.tail.is_none() && self.head.iter().all(|part| matches!(part, Part::Same(_)))
    }

    /// How much it says: parts that are not generic, each counted twice when it is whole.
    pub(super) fn weight(&self) -> u32 {
        self.overlap(self).weight()
    }

    /// How much the narrowest pattern that covers both says, and whether it stands for one path only.
    pub(super) fn merged_weight(&self, other: &Self) -> (u32, bool) {
        let overlap = self.overlap(other);
        (overlap.weight(), !overlap.open && overlap.head.iter().all(Common::is_same))
    }

    /// What can make this pattern one with another: for each part that says something its place and the bytes that it
    /// begins or ends with. Two patterns of the same shape have nothing to give up when they share none of these.
    pub(super) fn marks(&self) -> impl Iterator<Item = (usize, End, &[u8])> {
        let last = self.head.len().saturating_sub(1);
        let parts = self.head.iter().enumerate();
        // A path with many parts is known by its first ones and by its name.
        parts.filter(move |(at, _)| *at < MARKED || *at == last).flat_map(move |(at, part)| {
            let (start, end) = match part {
                Part::Same(text) if !GENERIC.contains(&text.as_str()) || at == last => (text, text),
                Part::Same(_) => return [None, None].into_iter().flatten(),
                Part::Differs(start, end) => (start, end),
            };
            let whole = matches!(part, Part::Same(_));
            let enough = |text: &str| whole || text.len() >= TELLING;
            let start =
                enough(start).then(|| (at, End::Start, &start.as_bytes()[..start.len().min(TELLING)]));
            let end =
                enough(end).then(|| (at, End::End, &end.as_bytes()[end.len() - end.len().min(TELLING)..]));
            [start, end].into_iter().flatten()
        })
    }

    /// Number of its parts, where that is the same in all paths.
    pub(super) fn parts(&self) -> Option<usize> {
        self.tail.is_none().then_some(self.head.len())
    }

    /// Whether both have the same number of parts, and how many of these differ.
    pub(super) fn differences(&self, other: &Self) -> Option<usize> {
        let same_shape = self.tail.is_none() && other.tail.is_none() && self.head.len() == other.head.len();
        let differing = || self.head.iter().zip(&other.head).filter(|(one, other)| one != other).count();
        same_shape.then(differing)
    }

    /// Whether both lie in the same directory and only the last part differs, wholly.
    pub(super) fn differs_in_name_only(&self, other: &Self) -> bool {
        let (Some((one, dir)), Some((two, other_dir))) = (self.head.split_last(), other.head.split_last())
        else {
            return false;
        };
        self.differences(other) == Some(1) && dir == other_dir && one.common(two).weight() == 0
    }

    /// The narrowest pattern that covers both.
    pub(super) fn merge(&self, other: &Self) -> Self {
        let Overlap { head, open, last } = self.overlap(other);
        let tail = open.then(|| last.into_iter().map(Common::part).collect());
        Self { head: head.into_iter().map(Common::part).collect(), tail }
    }

    fn overlap<'p>(&'p self, other: &'p Self) -> Overlap<'p> {
        if self.differences(other).is_some() {
            let head = self.head.iter().zip(&other.head).map(|(one, other)| one.common(other)).collect();
            return Overlap { head, open: false, last: None };
        }
        let shared = |(one, other): (&'p Part, &'p Part)| {
            let common = one.common(other);
            (one == other || common.weight() > 0).then_some(common)
        };
        let head: Vec<Common<'_>> = self.head.iter().zip(&other.head).map_while(shared).collect();
        let last = |pattern: &'p Self| match &pattern.tail {
            Some(tail) => tail.last(),
            None => pattern.head.get(head.len()..).and_then(|rest| rest.last()),
        };
        let common = last(self).zip(last(other)).map(|(one, other)| one.common(other));
        let last = common.filter(|common| common.is_same() || common.weight() > 0);
        Overlap { head, open: true, last }
    }

    /// The path, for a pattern that is exact.
    pub(super) fn path(&self) -> String {
        let parts: Vec<&str> = self
            .head
            .iter()
            .map(|part| match part {
                Part::Same(text) | Part::Differs(text, _) => text.as_str(),
            })
            .collect();
        parts.join("/")
    }

    /// For the operator `glob`; what its letters mean is taken from those that stand in paths.
    pub(super) fn glob(&self) -> String {
        let texts = |parts: &[Part]| parts.iter().map(Part::glob).collect::<Vec<_>>().join("/");
        match &self.tail {
            None => texts(&self.head),
            Some(tail) if tail.is_empty() => format!("{}/*", texts(&self.head)),
            Some(tail) => format!("{}/*/{}", texts(&self.head), texts(tail)),
        }
    }
}

/// Where in a part bytes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    Start,
    End,
}

/// What two patterns have in common, before anything is copied.
struct Overlap<'p> {
    head: Vec<Common<'p>>,
    /// Whether any number of parts may follow.
    open: bool,
    /// What stands behind these.
    last: Option<Common<'p>>,
}

/// What two parts have in common.
enum Common<'p> {
    Same(&'p str),
    Differs(&'p str, &'p str),
}

impl Overlap<'_> {
    fn weight(&self) -> u32 {
        let last = if self.open { self.last.as_ref() } else { self.head.last() };
        let all: u32 = self.head.iter().chain(&self.last).map(Common::weight).sum();
        // The name of a file says something, also where a directory of that name would not.
        let named = last.is_some_and(|part| part.is_same() && part.weight() == 0);
        all + if named { WHOLE } else { 0 }
    }
}

impl Common<'_> {
    const fn is_same(&self) -> bool {
        matches!(self, Self::Same(_))
    }

    fn weight(&self) -> u32 {
        match self {
            Self::Same(text) if GENERIC.contains(text) => 0,
            Self::Same(_) => WHOLE,
            Self::Differs(start, end) if start.len() >= TELLING || end.len() >= TELLING => PARTLY,
            Self::Differs(..) => 0,
        }
    }

    fn part(self) -> Part {
        match self {
            Self::Same(text) => Part::Same(text.to_owned()),
            Self::Differs(start, end) => Part::Differs(start.to_owned(), end.to_owned()),
        }
    }
}

impl Part {
    fn common<'p>(&'p self, other: &'p Self) -> Common<'p> {
        match self {
            Self::Same(text) if self == other => Common::Same(text),
            Self::Differs(start, end) if self == other => Common::Differs(start, end),
            _ => Common::Differs(
                shared_start(self.start(), other.start()),
                shared_end(self.end(), other.end()),
            ),
        }
    }

    fn start(&self) -> &str {
        match self {
            Self::Same(text) | Self::Differs(text, _) => text,
        }
    }

    fn end(&self) -> &str {
        match self {
            Self::Same(text) | Self::Differs(_, text) => text,
        }
    }

    fn glob(&self) -> String {
        match self {
            Self::Same(text) => literal(text),
            Self::Differs(start, end) => format!("{}*{}", literal(start), literal(end)),
        }
    }
}

/// The start that both share, up to where a word or number ends: letters that happen to be the same in random names
/// are not a pattern.
fn shared_start<'p>(one: &'p str, other: &str) -> &'p str {
    let shared: usize = one
        .chars()
        .zip(other.chars())
        .take_while(|(one, other)| one == other)
        .map(|(c, _)| c.len_utf8())
        .sum();
    let mut end = shared;
    while end > 0 {
        let before = one[..end].chars().next_back();
        let is_end = |text: &str| text[end..].chars().next().is_none_or(|next| !next.is_alphabetic());
        let word_ends = before.is_some_and(|c| !c.is_alphanumeric())
            || before.is_some_and(char::is_alphabetic) && is_end(one) && is_end(other);
        if word_ends {
            break;
        }
        end -= before.map_or(1, char::len_utf8);
    }
    &one[..end]
}

/// The end that both share, from a separator on.
fn shared_end<'p>(one: &'p str, other: &str) -> &'p str {
    let shared: usize = one
        .chars()
        .rev()
        .zip(other.chars().rev())
        .take_while(|(one, other)| one == other)
        .map(|(c, _)| c.len_utf8())
        .sum();
    let start = one.len() - shared;
    let at = one[start..].find(|c: char| !c.is_alphanumeric());
    at.map_or("", |at| &one[start + at..])
}

/// Letters of patterns that stand for themselves.
fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::PathPattern;

    /// Whether a pattern covers all that the other one does.
    fn covers(pattern: &PathPattern, path: &str) -> bool {
        pattern.merge(&PathPattern::of(path)) == *pattern
    }

    fn merged(paths: &[&str]) -> PathPattern {
        let mut patterns = paths.iter().map(|path| PathPattern::of(path));
        let first = patterns.next().unwrap();
        patterns.fold(first, |all, next| all.merge(&next))
    }

    #[test]
    fn what_differs_becomes_a_star_and_the_rest_stays() {
        for (paths, expected, weight) in [
            (vec!["/opt/a/b"], "/opt/a/b", 4),
            (
                vec!["/tmp/go-build123/b001/exe/main", "/tmp/go-build987/b001/exe/main"],
                "/tmp/go-build*/b001/exe/main",
                7,
            ),
            (
                vec!["/var/lib/dpkg/info/libc6.postinst", "/var/lib/dpkg/info/libssl3.postinst"],
                "/var/lib/dpkg/info/*.postinst",
                5,
            ),
            (
                vec!["/opt/pw/chromium-1120/chrome", "/opt/pw/chromium-1134/chrome"],
                "/opt/pw/chromium-*/chrome",
                5,
            ),
            (vec!["/tmp/tmp.aXb1/run", "/tmp/tmp.aQ77/run"], "/tmp/tmp.*/run", 3),
            (vec!["/opt/agent/1.2.3/bin/agent", "/opt/agent/1.3.0/bin/agent"], "/opt/agent/1.*/bin/agent", 4),
            (vec!["/b/x/target/debug/a/one", "/b/x/target/debug/two"], "/b/x/target/debug/*", 8),
            (vec!["/b/x/1/run", "/b/x/1/2/run"], "/b/x/1/*/run", 8),
        ] {
            let pattern = merged(&paths);
            assert_eq!((pattern.glob().as_str(), pattern.weight()), (expected, weight), "{paths:?}");
            assert!(paths.iter().all(|path| covers(&pattern, path)), "{paths:?}");
        }
    }

    #[test]
    fn letters_of_patterns_stand_for_themselves() {
        assert_eq!(merged(&["/a/[x]*", "/a/[x]*"]).glob(), r"/a/\[x\]\*");
    }

    #[test]
    fn a_pattern_covers_no_more_than_it_says() {
        let pattern = merged(&["/opt/pw/chromium-1/chrome", "/opt/pw/chromium-2/chrome"]);
        for outside in ["/opt/pw/chromium-3/miner", "/tmp/chrome", "/opt/pw/firefox-1/chrome"] {
            assert!(!covers(&pattern, outside), "{outside}");
        }
    }
}
