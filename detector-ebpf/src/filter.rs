//! Decides in the kernel whether any loaded rule can want this exec. Order of work: what the file alone tells comes
//! first, because it rejects nearly every exec; the task is looked at only when the file leaves a term possible.

use detector_common::{limits::FILTER_TERMS, settings::predicate};

use crate::settings::setting;

/// Whether some term is met by `facts`, looking only at the predicates in `decided`.
#[inline(always)]
pub(crate) fn possible(facts: u32, decided: u32) -> bool {
    // Where the layer could not be told no term may be refused for it: could-not-tell is not innocent.
    let decided = if facts & predicate::LAYER_UNKNOWN != 0 {
        decided & !(predicate::OVERLAY | predicate::UPPER_LAYER)
    } else {
        decided
    };
    let count = setting!(term_count) as usize;
    let mut index = 0;
    while index < FILTER_TERMS {
        if index >= count {
            return false;
        }
        let mask = setting!(terms[index].mask) & decided;
        let value = setting!(terms[index].value) & decided;
        if facts & mask == value {
            return true;
        }
        index += 1;
    }
    false
}

/// Whether any term looks at one of these predicates.
#[inline(always)]
pub(crate) fn looks_at(predicates: u32) -> bool {
    let count = setting!(term_count) as usize;
    let mut index = 0;
    while index < FILTER_TERMS && index < count {
        if setting!(terms[index].mask) & predicates != 0 {
            return true;
        }
        index += 1;
    }
    false
}
