//! The loop: take an input of the corpus, change it, run it, keep it if its behaviour is new.

use std::{
    collections::HashSet,
    panic::{self, AssertUnwindSafe},
};

use crate::mutation::{Random, mutate};

/// What is fuzzed.
pub(crate) struct Target<'t> {
    /// Valid inputs to start from.
    pub(crate) seeds: Vec<Vec<u8>>,
    /// Words of the input's language.
    pub(crate) words: &'t [&'t [u8]],
    /// Changes an input in a way that only one who knows its structure can; also mends what would make every changed
    /// input fail at the first check.
    pub(crate) reshape: &'t dyn Fn(&mut Vec<u8>, &mut Random),
    /// Runs one input; panics when something is wrong. The answer is the same for inputs that behave alike.
    pub(crate) run: &'t dyn Fn(&[u8]) -> u64,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Explored {
    /// Kinds of behaviour, those of the seeds included.
    pub(crate) behaviours: usize,
    /// Of the seeds alone.
    pub(crate) of_seeds: usize,
    /// A small input that makes it panic.
    pub(crate) failure: Option<Vec<u8>>,
}

/// Runs by `DETECTOR_FUZZ_RUNS`, or this many.
pub(crate) fn runs(default: u64) -> u64 {
    number("DETECTOR_FUZZ_RUNS").unwrap_or(default)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}

/// Longest input; what has grown longer is cut.
const LONGEST: usize = 8192;

/// Explores until the first failure, or for this many runs.
pub(crate) fn explore(target: &Target<'_>, runs: u64) -> Explored {
    let mut random = Random::new(number("DETECTOR_FUZZ_SEED").unwrap_or(1));
    let (mut corpus, mut seen) = (Vec::new(), HashSet::new());
    for seed in &target.seeds {
        match attempt(target, seed) {
            Ok(behaviour) => seen.insert(behaviour),
            Err(()) => return Explored { behaviours: 0, of_seeds: 0, failure: Some(seed.clone()) },
        };
        corpus.push(seed.clone());
    }
    let of_seeds = seen.len();
    for _ in 0..runs {
        let mut input = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(4) {
            mutate(&mut input, &corpus, target.words, &mut random);
        }
        (target.reshape)(&mut input, &mut random);
        input.truncate(LONGEST);
        let Ok(behaviour) = attempt(target, &input) else {
            let failure = Some(smaller(target, input));
            return Explored { behaviours: seen.len(), of_seeds, failure };
        };
        if seen.insert(behaviour) {
            corpus.push(input);
        }
    }
    Explored { behaviours: seen.len(), of_seeds, failure: None }
}

fn attempt(target: &Target<'_>, input: &[u8]) -> Result<u64, ()> {
    panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))).map_err(drop)
}

/// Cuts pieces out as long as it still fails.
fn smaller(target: &Target<'_>, mut input: Vec<u8>) -> Vec<u8> {
    let mut piece = input.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at + piece <= input.len() {
            let cut = [&input[..at], &input[at + piece..]].concat();
            if attempt(target, &cut).is_err() {
                input = cut;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    input
}

/// Explores and wants no failure, and more behaviours than the seeds have: else nothing was explored.
#[track_caller]
pub(crate) fn survives(target: &Target<'_>, runs: u64) {
    let explored = explore(target, runs);
    if let Some(input) = explored.failure {
        panic!("fails with {} bytes: {}", input.len(), input.escape_ascii());
    }
    assert!(explored.behaviours > 2 * explored.of_seeds, "{explored:?} after {runs} runs");
}
