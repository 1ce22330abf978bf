//! Whether the agent was last seen to see. The self-test writes, whoever answers for the agent's health reads.

use std::sync::{Mutex, PoisonError};

/// What the last finished self-test said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SelftestState {
    /// None has finished yet, and nothing is known.
    #[default]
    NotYet,
    /// Every file was seen and judged right.
    Passed,
    /// Nothing could be proven, either way: why. The agent may see as well as ever.
    Unproven(String),
    /// The agent may not test itself, whatever it sees: what it lacks.
    NotAllowed(String),
    /// The agent does not see, or judges wrongly: what was wrong.
    Blind(String),
}

/// The state at one moment. Times are seconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What the last one said.
    pub state: SelftestState,
    /// When the last one that passed ended.
    pub last_success: Option<u64>,
    /// When the last one ended, however it did.
    pub last_run: Option<u64>,
    /// How many have ended.
    pub runs: u64,
    /// How many of them found the agent blind.
    pub failures: u64,
}

impl Snapshot {
    /// Whether the agent was last seen not to see. What is not known is not told as this: ask [`Snapshot::state`].
    #[must_use]
    pub const fn is_blind(&self) -> bool {
        matches!(self.state, SelftestState::Blind(_))
    }
}

/// Shared by `Arc` between the self-test and its readers.
#[derive(Debug, Default)]
pub struct SelftestHealth {
    now: Mutex<Snapshot>,
}

impl SelftestHealth {
    /// A self-test has ended at `seconds` since the epoch. The answer is true when the agent has just become blind: the
    /// one before did not say so.
    pub fn ended(&self, state: SelftestState, seconds: u64) -> bool {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let was_blind = now.is_blind();
        now.runs += 1;
        now.last_run = Some(seconds);
        match &state {
            SelftestState::Passed => now.last_success = Some(seconds),
            SelftestState::Blind(_) => now.failures += 1,
            SelftestState::NotYet | SelftestState::Unproven(_) | SelftestState::NotAllowed(_) => {}
        }
        now.state = state;
        now.is_blind() && !was_blind
    }

    /// What is known now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{SelftestHealth, SelftestState, Snapshot};

    #[test]
    fn the_last_one_counts_and_the_last_success_stays() {
        let health = SelftestHealth::default();
        assert_eq!(health.snapshot(), Snapshot::default());
        assert!(!health.snapshot().is_blind(), "nothing is known yet");
        assert!(!health.ended(SelftestState::Passed, 10));
        assert!(health.ended(SelftestState::Blind("no record came".to_owned()), 20));
        assert!(!health.ended(SelftestState::Blind("no record came".to_owned()), 30), "was blind before");
        let now = health.snapshot();
        assert!(now.is_blind());
        assert_eq!((now.last_success, now.last_run, now.runs, now.failures), (Some(10), Some(30), 3, 2));
        assert!(!health.ended(SelftestState::Unproven("no overlay".to_owned()), 40));
        let now = health.snapshot();
        assert!(!now.is_blind(), "what is not known is neither good nor bad");
        assert_eq!((now.last_success, now.failures), (Some(10), 2));
        assert!(!health.ended(SelftestState::NotAllowed("no right".to_owned()), 45));
        assert_eq!((health.snapshot().is_blind(), health.snapshot().failures), (false, 2));
        assert!(health.ended(SelftestState::Blind("again".to_owned()), 50));
    }
}
