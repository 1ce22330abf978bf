//! Alerts held back and told as a count. Of the same rule, container and file the first alert goes out at once, and
//! those that follow within the window become one summary. And no rule gives more alerts than its bucket has tokens.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::alert::Priority;

/// Groups that are kept. What comes when all are in use is not held back: rather noise than silence.
const MOST_GROUPS: usize = 4096;
/// How long after the first alert that a bucket has held back these are told.
const RATE_REPORT: Duration = Duration::from_secs(60);

/// What is held back.
#[derive(Clone, Debug, PartialEq)]
pub struct ThrottleSettings {
    /// `throttle.window`: how long alerts count as repeats of the first one; 0 = none does.
    pub window: Duration,
    /// `throttle.rate`: alerts of one rule for each second in the long run; 0 = no limit.
    pub rate: f64,
    /// `throttle.max_burst`: alerts of one rule in a row, with `rate`.
    pub max_burst: f64,
}

impl Default for ThrottleSettings {
    /// Nothing.
    fn default() -> Self {
        Self { window: Duration::ZERO, rate: 0.0, max_burst: 100.0 }
    }
}

/// What the file of an alert is told from others by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SameFile {
    /// SHA-256 of what it holds, where that was asked for.
    Content(String),
    /// Its path, and the size where that is known.
    Path(Vec<u8>, Option<u64>),
}

/// What makes two alerts of a rule the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// The rule.
    pub rule: String,
    /// The container's id.
    pub container: String,
    /// The file.
    pub file: SameFile,
}

/// Names and values that a summary shows; `None` = not known.
pub type Facts = Vec<(&'static str, Option<String>)>;

/// What was held back, to be told now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Summary {
    /// Repeats of an alert that went out.
    Repeats {
        /// The rule.
        rule: String,
        /// Its severity.
        priority: Priority,
        /// What they have in common.
        facts: Facts,
        /// How many, the first one not among them.
        count: u64,
        /// For how long they were counted.
        over: Duration,
    },
    /// Alerts of a rule beyond its rate.
    BeyondRate {
        /// The rule.
        rule: String,
        /// Its severity.
        priority: Priority,
        /// How many.
        count: u64,
    },
}

/// Alerts held back since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// Repeats.
    pub repeats: u64,
    /// Beyond a rate.
    pub beyond_rate: u64,
}

#[derive(Debug)]
struct Repeats {
    since: Instant,
    count: u64,
    priority: Priority,
    facts: Facts,
}

#[derive(Debug)]
struct Bucket {
    priority: Priority,
    tokens: f64,
    filled: Instant,
    held: u64,
    /// When these are told.
    due: Option<Instant>,
}

/// Decides which alerts go out.
#[derive(Debug)]
pub struct Throttle {
    settings: ThrottleSettings,
    groups: HashMap<Group, Repeats>,
    /// By rule.
    buckets: HashMap<String, Bucket>,
    due: Option<Instant>,
    held: HeldBack,
}

impl Throttle {
    /// Holds nothing back yet.
    #[must_use]
    pub fn new(settings: ThrottleSettings) -> Self {
        let (groups, buckets) = (HashMap::new(), HashMap::new());
        Self { settings, groups, buckets, due: None, held: HeldBack::default() }
    }

    /// Nothing is ever held back: nobody need ask.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.settings.window.is_zero() && self.settings.rate <= 0.0
    }

    /// Goes over to other settings. What was held back under those before is to be told now; with the same settings
    /// everything goes on.
    pub fn change(&mut self, settings: ThrottleSettings, now: Instant) -> Vec<Summary> {
        if self.settings == settings {
            return Vec::new();
        }
        let told = self.summaries(now, true);
        let held = self.held;
        *self = Self { held, ..Self::new(settings) };
        told
    }

    /// Whether an alert of this rule goes out. `group` is what it may be a repeat of, with what a summary would say;
    /// `None` = that is not known, and then it is none.
    pub fn passes(
        &mut self,
        rule: &str,
        priority: Priority,
        group: impl FnOnce() -> Option<(Group, Facts)>,
        now: Instant,
    ) -> bool {
        if self.settings.window.is_zero() {
            return self.within_rate(rule, priority, now);
        }
        let Some((group, facts)) = group() else { return self.within_rate(rule, priority, now) };
        if let Some(repeats) = self.groups.get_mut(&group)
            && (repeats.count > 0 || now.saturating_duration_since(repeats.since) < self.settings.window)
        {
            repeats.count += 1;
            self.held.repeats += 1;
            let due = repeats.since + self.settings.window;
            self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
            return false;
        }
        let passes = self.within_rate(rule, priority, now);
        if passes && self.has_room(now) {
            self.groups.insert(group, Repeats { since: now, count: 0, priority, facts });
        }
        passes
    }

    fn has_room(&mut self, now: Instant) -> bool {
        if self.groups.len() >= MOST_GROUPS {
            let window = self.settings.window;
            self.groups.retain(|_, repeats| {
                repeats.count > 0 || now.saturating_duration_since(repeats.since) < window
            });
        }
        self.groups.len() < MOST_GROUPS
    }

    fn within_rate(&mut self, rule: &str, priority: Priority, now: Instant) -> bool {
        let ThrottleSettings { rate, max_burst, .. } = self.settings;
        if rate <= 0.0 {
            return true;
        }
        let most = max_burst.max(1.0);
        if !self.buckets.contains_key(rule) {
            let full = Bucket { priority, tokens: most, filled: now, held: 0, due: None };
            self.buckets.insert(rule.to_owned(), full);
        }
        let Some(bucket) = self.buckets.get_mut(rule) else { return true };
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.filled = now;
        bucket.tokens = passed.mul_add(rate, bucket.tokens).min(most);
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return true;
        }
        bucket.held += 1;
        self.held.beyond_rate += 1;
        let due = *bucket.due.get_or_insert(now + RATE_REPORT);
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        false
    }

    /// When something will have to be told; `None` while nothing is held back.
    #[must_use]
    pub const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be told now, and at the end (`all`) everything that is held back.
    pub fn summaries(&mut self, now: Instant, all: bool) -> Vec<Summary> {
        let window = self.settings.window;
        let mut told = Vec::new();
        let mut due: Option<Instant> = None;
        let mut later = |at: Instant| due = Some(due.map_or(at, |earlier| earlier.min(at)));
        for (group, repeats) in &mut self.groups {
            let over = now.saturating_duration_since(repeats.since);
            if repeats.count == 0 {
                continue;
            }
            if over < window && !all {
                later(repeats.since + window);
                continue;
            }
            told.push(Summary::Repeats {
                rule: group.rule.clone(),
                priority: repeats.priority,
                facts: repeats.facts.clone(),
                count: std::mem::take(&mut repeats.count),
                over,
            });
            // They may go on: this was the word about them, and not the next one.
            repeats.since = now;
        }
        for (rule, bucket) in &mut self.buckets {
            match bucket.due {
                Some(at) if now < at && !all => later(at),
                Some(_) => {
                    bucket.due = None;
                    let count = std::mem::take(&mut bucket.held);
                    told.push(Summary::BeyondRate { rule: rule.clone(), priority: bucket.priority, count });
                }
                None => {}
            }
        }
        self.due = due;
        told
    }

    /// Alerts held back since the start.
    #[must_use]
    pub const fn held_back(&self) -> HeldBack {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Group, HeldBack, MOST_GROUPS, RATE_REPORT, SameFile, Summary, Throttle, ThrottleSettings};
    use crate::alert::Priority;

    const MINUTE: Duration = Duration::from_secs(60);

    fn group(file: &str) -> Group {
        let file = SameFile::Path(file.as_bytes().to_vec(), Some(7));
        Group { rule: "r".to_owned(), container: "c".to_owned(), file }
    }

    fn windows() -> Throttle {
        Throttle::new(ThrottleSettings { window: MINUTE, ..ThrottleSettings::default() })
    }

    fn passes(throttle: &mut Throttle, file: &str, now: Instant) -> bool {
        let facts = vec![("drop.path", Some(file.to_owned()))];
        throttle.passes("r", Priority::Critical, || Some((group(file), facts)), now)
    }

    fn counts(summaries: &[Summary]) -> Vec<u64> {
        let count = |summary: &Summary| match summary {
            Summary::Repeats { count, .. } | Summary::BeyondRate { count, .. } => *count,
        };
        summaries.iter().map(count).collect()
    }

    #[test]
    fn the_first_goes_out_and_the_rest_is_counted() {
        let (mut throttle, start) = (windows(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(passes(&mut throttle, "a", at(0)));
        assert!(passes(&mut throttle, "b", at(0)), "another file is another matter");
        assert_eq!(throttle.due(), None, "an open window wakes nobody");
        assert!(!passes(&mut throttle, "a", at(1)) && !passes(&mut throttle, "a", at(59)));
        assert_eq!(throttle.due(), Some(at(60)));
        assert_eq!(throttle.summaries(at(59), false), []);
        assert_eq!(throttle.due(), Some(at(60)), "still");
        let summary = Summary::Repeats {
            rule: "r".to_owned(),
            priority: Priority::Critical,
            facts: vec![("drop.path", Some("a".to_owned()))],
            count: 2,
            over: MINUTE,
        };
        assert_eq!(throttle.summaries(at(60), false), [summary]);
        assert_eq!(throttle.due(), None);
        assert!(!passes(&mut throttle, "a", at(61)), "they go on: no new first one");
        assert_eq!(counts(&throttle.summaries(at(120), false)), [1]);
        assert!(passes(&mut throttle, "a", at(181)), "after a quiet window it is news again");
        assert_eq!(throttle.held_back(), HeldBack { repeats: 3, beyond_rate: 0 });
    }

    #[test]
    fn what_nobody_told_in_time_is_not_forgotten() {
        let (mut throttle, start) = (windows(), Instant::now());
        assert!(passes(&mut throttle, "a", start));
        assert!(!passes(&mut throttle, "a", start));
        assert!(!passes(&mut throttle, "a", start + 3 * MINUTE), "the one before has not been told yet");
        assert_eq!(counts(&throttle.summaries(start + 3 * MINUTE, false)), [2]);
    }

    #[test]
    fn what_is_not_known_is_no_repeat() {
        let (mut throttle, start) = (windows(), Instant::now());
        for _ in 0..3 {
            assert!(throttle.passes("r", Priority::Critical, || None, start));
        }
    }

    #[test]
    fn a_rule_has_a_burst_and_then_its_rate() {
        let settings = ThrottleSettings { rate: 0.5, max_burst: 2.0, ..ThrottleSettings::default() };
        let (mut throttle, start) = (Throttle::new(settings), Instant::now());
        let mut pass = |rule, seconds| {
            throttle.passes(rule, Priority::Error, || None, start + Duration::from_secs(seconds))
        };
        assert_eq!([pass("r", 0), pass("r", 0), pass("r", 0), pass("other", 0)], [true, true, false, true]);
        assert_eq!([pass("r", 2), pass("r", 2), pass("r", 3)], [true, false, false]);
        assert_eq!(throttle.due(), Some(start + RATE_REPORT));
        let told = throttle.summaries(start + RATE_REPORT, false);
        let rule = "r".to_owned();
        assert_eq!(told, [Summary::BeyondRate { rule, priority: Priority::Error, count: 3 }]);
        assert_eq!((throttle.due(), throttle.held_back().beyond_rate), (None, 3));
    }

    #[test]
    fn an_alert_beyond_the_rate_is_no_first_one() {
        let settings = ThrottleSettings { window: MINUTE, rate: 1.0, max_burst: 1.0 };
        let (mut throttle, start) = (Throttle::new(settings), Instant::now());
        assert!(passes(&mut throttle, "a", start));
        assert!(!passes(&mut throttle, "b", start));
        assert!(passes(&mut throttle, "b", start + Duration::from_secs(1)), "the first that anybody sees");
        assert_eq!(throttle.held_back(), HeldBack { repeats: 0, beyond_rate: 1 });
    }

    #[test]
    fn at_the_end_and_with_other_settings_everything_is_told() {
        let (mut throttle, start) = (windows(), Instant::now());
        let hold = |throttle: &mut Throttle, count| {
            for _ in 0..=count {
                passes(throttle, "a", start);
            }
        };
        hold(&mut throttle, 3);
        assert_eq!(throttle.change(throttle.settings.clone(), start), [], "the same settings change nothing");
        assert!(!passes(&mut throttle, "a", start));
        assert_eq!(counts(&throttle.change(ThrottleSettings::default(), start)), [4]);
        assert!(throttle.is_off() && passes(&mut throttle, "a", start) && passes(&mut throttle, "a", start));
        assert_eq!((throttle.due(), throttle.held_back().repeats), (None, 4));
        assert_eq!(throttle.change(windows().settings, start), []);
        hold(&mut throttle, 2);
        assert_eq!(counts(&throttle.summaries(start, true)), [2]);
        assert_eq!(throttle.due(), None);
    }

    #[test]
    fn with_too_many_groups_nothing_is_held_back() {
        let (mut throttle, start) = (windows(), Instant::now());
        for number in 0..MOST_GROUPS {
            assert!(passes(&mut throttle, &number.to_string(), start));
        }
        assert!(passes(&mut throttle, "one more", start) && passes(&mut throttle, "one more", start));
        let later = start + MINUTE;
        assert!(passes(&mut throttle, "one more", later), "those that are over make room");
        assert!(!passes(&mut throttle, "one more", later));
    }
}
