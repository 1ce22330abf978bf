//! Past alerts before the rules once more: what would fire, what would not and why, and what cannot be told because the
//! alert does not have the values that a condition asks for.

mod jury;
mod truth;
mod witness;

pub use jury::{Jury, Rule, Verdict};
pub use truth::{Check, Clause, Truth};
