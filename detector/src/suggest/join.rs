//! Joins causes once all have come: the two that stay narrowest as one first, until no two fit.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::Cause;

/// A cause that came so often came often.
const OFTEN: u64 = 3;

/// How narrow a pair is as one, and the places of both.
type Pair = (u32, Reverse<usize>, Reverse<usize>);

/// Joins what fits. Causes with fewer than `least` alerts are joined with no others than those that already cover
/// them. Each pair is looked at once.
pub(super) fn join(causes: Vec<Cause>, least: u64) -> Vec<Cause> {
    let mut all: Vec<Option<Cause>> = causes.into_iter().map(Some).collect();
    let mut pairs: BinaryHeap<Pair> = BinaryHeap::new();
    for second in 0..all.len() {
        pairs.extend(pairs_with(&all, second, least));
    }
    while let Some((_, Reverse(first), Reverse(second))) = pairs.pop() {
        let (Some(one), Some(two)) = (&all[first], &all[second]) else { continue };
        let joined = one.joined(two);
        (all[first], all[second]) = (None, None);
        all.push(Some(joined));
        pairs.extend(pairs_with(&all, all.len() - 1, least));
    }
    all.into_iter().flatten().collect()
}

/// The pairs of one with those before it.
fn pairs_with(all: &[Option<Cause>], second: usize, least: u64) -> Vec<Pair> {
    let Some(two) = &all[second] else { return Vec::new() };
    let pair = |(first, one): (usize, &Option<Cause>)| {
        let one = one.as_ref()?;
        let frequent = one.count.min(two.count) >= least.max(OFTEN);
        Some((one.fit(two, frequent)?, Reverse(first), Reverse(second)))
    };
    all[..second].iter().enumerate().filter_map(pair).collect()
}
