//! From the loaded conditions to what the kernel has to send: a sound over-approximation. An exec that some rule
//! would match always passes; one that no rule can match is mostly not even sent.
//!
//! Each condition becomes a disjunction of conjunctions of kernel predicates ("cubes"). What the kernel cannot know
//! stands for "maybe", in both directions.

use std::collections::BTreeSet;

use detector_common::{
    limits::FILTER_TERMS,
    settings::{FilterTerm, predicate},
};
use detector_rule_lang::{CompiledCheck, FieldSource, Input, Node, Program, Test, Value};

use super::fields::Field;
use crate::event::Origin;

/// Cubes that are worked with before they are merged into fewer, wider ones.
const MOST_CUBES: usize = 64;

/// What the kernel has to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelFilter {
    /// An exec is sent when any of them is met; never more than the kernel takes.
    pub terms: Vec<FilterTerm>,
    /// A file that is mapped executable is reported when any of them is met; none where no rule asks for that.
    pub mappings: Vec<FilterTerm>,
    /// Whether records shall carry the environment.
    pub environment: bool,
    /// Whether some rule asks which file a script is.
    pub scripts: bool,
    /// Whether some rule asks who opened the file for writing.
    pub writers: bool,
    /// Whether some rule asks for what only the file itself tells.
    pub examination: bool,
    /// Whether some condition is about what interpreters are told to run.
    pub interpreters: bool,
}

impl KernelFilter {
    /// What these conditions need. `fields` are all fields that they or their outputs ask for.
    pub fn of<'p>(
        programs: impl IntoIterator<Item = &'p Program<Field>>,
        fields: impl Iterator<Item = &'p Field>,
    ) -> Self {
        let (mut wanted, mut mappings) = (Cubes::none(), Cubes::none());
        let mut interpreters = false;
        for program in programs {
            wanted = wanted.or(over(program.expr(), true, Event::Exec));
            if asks_for_mappings(program) {
                mappings = mappings.or(over(program.expr(), true, Event::Mapping));
            }
            program.for_each_field(|info| interpreters |= info.field.asks_for_interpreters());
        }
        let (mut environment, mut examination) = (false, interpreters);
        let (mut scripts, mut writers) = (false, false);
        for field in fields {
            scripts |= field.needs_scripts();
            writers |= field.needs_writers();
            environment |= field.reads_environment();
            examination |= field.needs_examination();
        }
        Self {
            terms: wanted.at_most(FILTER_TERMS),
            mappings: mappings.at_most(FILTER_TERMS),
            environment,
            scripts,
            writers,
            examination,
            interpreters,
        }
    }

    /// Whether the kernel sends an exec with these predicates.
    #[must_use]
    pub fn passes(&self, predicates: u32) -> bool {
        self.terms.iter().any(|term| predicates & term.mask == term.value)
    }

    /// Whether the kernel may send an exec of which these predicates are `decided` and the others unknown.
    #[must_use]
    pub fn may_pass(&self, predicates: u32, decided: u32) -> bool {
        self.terms.iter().any(|term| predicates & term.mask & decided == term.value & decided)
    }

    /// In words, for reports.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.terms.is_empty() && self.mappings.is_empty() {
            return "nothing: no rule can match an exec".to_owned();
        }
        let mut terms: Vec<String> = self.terms.iter().copied().map(describe).collect();
        terms.extend(self.mappings.iter().map(|term| format!("mapped executable: {}", describe(*term))));
        terms.join("; or ")
    }
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Exec,
    /// A file that is mapped executable.
    Mapping,
}

/// Whether a rule is asked about files that are mapped: its condition has to speak of kinds. One that does not is about execs.
pub(super) fn asks_for_mappings(program: &Program<Field>) -> bool {
    let mut asks = false;
    program.for_each_field(|info| asks |= info.field.asks_for_mappings());
    asks && over(program.expr(), true, Event::Mapping) != Cubes::none()
}

fn describe(term: FilterTerm) -> String {
    const WORDS: [(u32, &str, &str); 10] = [
        (predicate::CONTAINER_LIKE, "in a container", "on the host"),
        (predicate::OVERLAY, "on an overlay", "not on an overlay"),
        (predicate::UPPER_LAYER, "from the upper layer", "not from the upper layer"),
        (predicate::MEMFD, "from a memfd", "not from a memfd"),
        (predicate::TMPFS, "on a tmpfs", "not on a tmpfs"),
        (predicate::TTY, "with a terminal", "without a terminal"),
        (predicate::SCRIPT, "of a script", "of no script"),
        (predicate::IMAGE_SCRIPT, "of a script of the image", "that is not known to be the image's"),
        (predicate::FOREIGN, "not on the container's root", "on the container's root"),
        (predicate::INTERPRETER, "of an interpreter", "of no interpreter"),
    ];
    if term.mask == 0 {
        return "every exec".to_owned();
    }
    let words = WORDS.iter().filter(|(bit, ..)| term.mask & bit != 0);
    let words: Vec<&str> =
        words.map(|(bit, yes, no)| if term.value & bit != 0 { *yes } else { *no }).collect();
    words.join(", ")
}

/// A disjunction of conjunctions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cubes(BTreeSet<(u32, u32)>);

impl Cubes {
    fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Every exec.
    fn all() -> Self {
        Self::one(0, 0)
    }

    fn one(mask: u32, value: u32) -> Self {
        Self(BTreeSet::from([(mask, value)]))
    }

    fn or(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.simplified(MOST_CUBES)
    }

    fn and(&self, other: &Self) -> Self {
        let mut both = BTreeSet::new();
        for (mask, value) in &self.0 {
            for (other_mask, other_value) in &other.0 {
                let common = mask & other_mask;
                if value & common == other_value & common {
                    both.insert((mask | other_mask, value | other_value));
                }
            }
        }
        Self(both).simplified(MOST_CUBES)
    }

    /// Without cubes that others cover, and with at most `most` cubes.
    fn simplified(self, most: usize) -> Self {
        let all: Vec<(u32, u32)> = self.0.into_iter().collect();
        let covered = |(mask, value): &(u32, u32)| {
            all.iter().any(|(wider, wide)| {
                (wider, wide) != (mask, value) && wider & mask == *wider && value & wider == *wide
            })
        };
        let mut cubes: BTreeSet<(u32, u32)> = all.iter().filter(|cube| !covered(cube)).copied().collect();
        while cubes.len() > most {
            cubes = narrowed(&cubes);
        }
        Self(cubes)
    }

    fn at_most(self, most: usize) -> Vec<FilterTerm> {
        let cubes = self.simplified(most);
        cubes.0.into_iter().map(|(mask, value)| FilterTerm { mask, value }).collect()
    }
}

/// One cube less: the two that lose least are replaced by what they have in common.
fn narrowed(cubes: &BTreeSet<(u32, u32)>) -> BTreeSet<(u32, u32)> {
    let all: Vec<(u32, u32)> = cubes.iter().copied().collect();
    let joined = |one: (u32, u32), other: (u32, u32)| {
        let mask = one.0 & other.0 & !(one.1 ^ other.1);
        (mask, one.1 & mask)
    };
    let pairs = (0..all.len()).flat_map(|one| (one + 1..all.len()).map(move |other| (one, other)));
    let best = pairs.max_by_key(|(one, other)| joined(all[*one], all[*other]).0.count_ones());
    let mut fewer = cubes.clone();
    if let Some((one, other)) = best {
        fewer.remove(&all[one]);
        fewer.remove(&all[other]);
        fewer.insert(joined(all[one], all[other]));
    }
    fewer
}

/// The execs for which the node may have this truth. Recursion as deep as conditions nest: loops, as closures would each
/// take a frame.
fn over(node: &Node<Field>, truth: bool, event: Event) -> Cubes {
    match (node, truth) {
        (Node::And(nodes), true) | (Node::Or(nodes), false) => {
            let mut cubes = Cubes::all();
            for node in nodes {
                cubes = cubes.and(&over(node, truth, event));
            }
            cubes
        }
        (Node::Or(nodes), true) | (Node::And(nodes), false) => {
            let mut cubes = Cubes::none();
            for node in nodes {
                cubes = cubes.or(over(node, truth, event));
            }
            cubes
        }
        (Node::Not(node), _) => over(node, !truth, event),
        (Node::Check(check), _) => check_over(check, truth, event),
        (Node::OtherEvent { .. }, true) => Cubes::none(),
        (Node::OtherEvent { .. }, false) => Cubes::all(),
    }
}

fn check_over(check: &CompiledCheck<Field>, truth: bool, event: Event) -> Cubes {
    // Event numbers start at 1: Falco's idiom for "never".
    if matches!(&*check.text, "evt.num=0" | "evt.num = 0") {
        return if truth { Cubes::none() } else { Cubes::all() };
    }
    let Some(domain) = only_field(check).and_then(|field| domain(field.entry().name, event)) else {
        return Cubes::all();
    };
    domain.into_iter().fold(Cubes::none(), |cubes, (value, when)| {
        let may = match value {
            // What other values the check accepts is not looked at.
            Possible::Other => true,
            Possible::Is(value) => check.holds(&mut Fixed(Some(value))) == truth,
            Possible::Nothing => check.holds(&mut Fixed(None)) == truth,
        };
        if may { cubes.or(when) } else { cubes }
    })
}

/// What the check says of every exec, if that is the same.
pub(super) fn same_for_all(check: &CompiledCheck<Field>) -> Option<bool> {
    let never = |truth: bool| {
        [Event::Exec, Event::Mapping]
            .into_iter()
            .all(|event| check_over(check, truth, event) == Cubes::none())
    };
    [true, false].into_iter().find(|truth| never(!truth))
}

/// The one field that decides the check, if there is but one.
fn only_field(check: &CompiledCheck<Field>) -> Option<&Field> {
    if matches!(check.test, Test::Against { .. }) {
        return None;
    }
    match &check.left {
        Input::Field(info) => Some(&info.field),
        _ => None,
    }
}

/// A value that a field can have.
#[derive(Clone)]
enum Possible {
    Is(Value<'static>),
    /// None at all.
    Nothing,
    Other,
}

/// The values of a field, each with the execs that have it; `None` for a field that the kernel knows nothing about.
fn domain(name: &str, event: Event) -> Option<Vec<(Possible, Cubes)>> {
    if event == Event::Mapping {
        match name {
            "drop.kind" => return Some(vec![(Possible::Is(Value::text("exec_map")), Cubes::all())]),
            // The kernel looks at the mapped file, and not at that of the process.
            "proc.is_exe_upper_layer" | "proc.is_exe_lower_layer" | "proc.is_exe_from_memfd" => return None,
            name if name.starts_with("drop.script.") => return Some(vec![(Possible::Nothing, Cubes::all())]),
            _ => {}
        }
    }
    let is = |value| Possible::Is(value);
    let text = |text: &'static str| Possible::Is(Value::text(text));
    let bit = |bit| (Cubes::one(bit, bit), Cubes::one(bit, 0));
    let upper = predicate::UPPER_LAYER;
    let overlay = predicate::OVERLAY;
    Some(match name {
        "evt.type" | "syscall.type" => vec![(text("execve"), Cubes::all())],
        "evt.dir" => vec![(text("<"), Cubes::all())],
        "evt.category" => vec![(text("process"), Cubes::all())],
        "evt.source" => vec![(text("syscall"), Cubes::all())],
        "evt.res" => vec![(text("SUCCESS"), Cubes::all())],
        "evt.failed" => vec![(is(Value::Bool(false)), Cubes::all())],
        "evt.rawres" => vec![(is(Value::Signed(0)), Cubes::all())],
        "proc.is_exe_upper_layer" => {
            let (yes, no) = bit(upper);
            vec![(is(Value::Bool(true)), yes), (is(Value::Bool(false)), no)]
        }
        "proc.is_exe_lower_layer" => {
            let yes = Cubes::one(overlay | upper, overlay);
            let no = Cubes::one(overlay, 0).or(Cubes::one(upper, upper));
            vec![(is(Value::Bool(true)), yes), (is(Value::Bool(false)), no)]
        }
        "proc.is_exe_from_memfd" => {
            let (yes, no) = bit(predicate::MEMFD);
            vec![(is(Value::Bool(true)), yes), (is(Value::Bool(false)), no)]
        }
        "container.id" | "container.full_id" => {
            // A task in namespaces of its own can still be the host's, but not the other way round.
            let (container, _) = bit(predicate::CONTAINER_LIKE);
            vec![(text("host"), Cubes::all()), (Possible::Other, container)]
        }
        "proc.tty" => {
            let (yes, no) = bit(predicate::TTY);
            vec![(is(Value::Unsigned(0)), no), (Possible::Other, yes)]
        }
        "drop.kind" => vec![
            (text("exec"), Cubes::all()),
            (text("script"), Cubes::one(predicate::SCRIPT, predicate::SCRIPT)),
            (text("interpreter_arg"), Cubes::one(predicate::INTERPRETER, predicate::INTERPRETER)),
            (text("exec_map"), Cubes::none()),
        ],
        "drop.script.origin" => {
            const DROPPED: u32 = predicate::SCRIPT | predicate::IMAGE_SCRIPT;
            // An exec of a script is not looked at for what the interpreter is told; one of which could not be told whether it
            // is a script is none that is known to be the image's.
            const TOLD: u32 = predicate::SCRIPT | predicate::INTERPRETER;
            let of = |origin: Origin| {
                let script = match origin {
                    Origin::Image => Cubes::one(predicate::SCRIPT, predicate::SCRIPT),
                    _ => Cubes::one(DROPPED, predicate::SCRIPT),
                };
                let told = Cubes::one(TOLD, predicate::INTERPRETER);
                (text(origin.name()), script.or(told))
            };
            let mut all = vec![(Possible::Nothing, Cubes::all())];
            all.extend(Origin::ALL.map(of));
            all
        }
        name if name.starts_with("drop.script.") => {
            let (script, _) = bit(predicate::SCRIPT);
            let (interpreter, _) = bit(predicate::INTERPRETER);
            vec![(Possible::Nothing, Cubes::all()), (Possible::Other, script.or(interpreter))]
        }
        "drop.origin" => Origin::ALL.map(|origin| (text(origin.name()), of_origin(origin))).to_vec(),
        _ => return None,
    })
}

/// The execs whose file can be of this origin.
fn of_origin(origin: Origin) -> Cubes {
    const UPPER: u32 = predicate::UPPER_LAYER;
    const OVERLAY: u32 = predicate::OVERLAY;
    const ELSEWHERE: u32 = OVERLAY | predicate::MEMFD | predicate::TMPFS;
    match origin {
        Origin::Image => Cubes::one(OVERLAY | UPPER, OVERLAY),
        // Of a layer that could not be told no term is refused; and it may be that only the rest could not be.
        Origin::New | Origin::Modified | Origin::MetadataOnly | Origin::Unknown => Cubes::one(UPPER, UPPER),
        Origin::Memfd => Cubes::one(predicate::MEMFD, predicate::MEMFD),
        Origin::Tmpfs => Cubes::one(predicate::TMPFS, predicate::TMPFS),
        Origin::NotOverlay => Cubes::one(ELSEWHERE, 0),
        // Only in a mount namespace with a root of its own.
        Origin::Volume => {
            const AWAY: u32 = predicate::FOREIGN | predicate::CONTAINER_LIKE;
            Cubes::one(ELSEWHERE | AWAY, AWAY)
        }
        Origin::ForeignOverlay => {
            const ALL: u32 = OVERLAY | predicate::FOREIGN | predicate::CONTAINER_LIKE;
            Cubes::one(ALL, ALL)
        }
    }
}

/// A source that answers every question with the same value, or none.
struct Fixed(Option<Value<'static>>);

impl FieldSource<'static, Field> for Fixed {
    fn value(&mut self, _: &Field) -> Option<Value<'static>> {
        self.0.clone()
    }
}
