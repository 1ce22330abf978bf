//! Says when execs are lost (`syscall_event_drops`), and not more often than is good. Looks once a second while
//! records come, and not at all while none do.

use std::time::Duration;

use tokio::time::Instant;

use crate::{alert::Priority, format::InternalAlert, settings::LossSettings};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// What has been counted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Records sent.
    pub(super) sent: u64,
    /// Records lost because the ring buffer was full.
    pub(super) ring_full: u64,
    /// Records lost for any other reason.
    pub(super) other: u64,
}

impl Counted {
    const fn lost(&self) -> u64 {
        self.ring_full + self.other
    }

    const fn since(&self, before: &Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(before.sent),
            ring_full: self.ring_full.saturating_sub(before.ring_full),
            other: self.other.saturating_sub(before.other),
        }
    }
}

/// The watch.
pub(super) struct LossWatch {
    settings: LossSettings,
    due: Option<Instant>,
    before: Counted,
    tokens: f64,
    filled: Instant,
}

impl LossWatch {
    pub(super) fn new(settings: LossSettings, now: Instant) -> Self {
        let due = settings.simulate.then(|| now + EVERY);
        Self { tokens: settings.max_burst, settings, due, before: Counted::default(), filled: now }
    }

    /// Other settings; what has been counted stays.
    pub(super) fn change(&mut self, settings: LossSettings, now: Instant) {
        let before = std::mem::take(&mut self.before);
        *self = Self { before, ..Self::new(settings, now) };
        self.due = Some(now + EVERY);
    }

    /// Records came.
    pub(super) fn records_came(&mut self) {
        if self.due.is_none() {
            self.due = Some(Instant::now() + EVERY);
        }
    }

    /// When to look next; `None` while nothing happens.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What was lost since the last look, if that is worth a report and none was made just now.
    pub(super) fn look(&mut self, now: Instant, counted: Counted) -> Option<Counted> {
        let mut news = counted.since(&self.before);
        let came = news.sent > 0 || news.lost() > 0;
        self.before = counted;
        if self.settings.simulate {
            news.other += 1;
        }
        self.due = (came || self.settings.simulate).then(|| now + EVERY);
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = passed.mul_add(self.settings.rate, self.tokens).min(self.settings.max_burst);
        if news.lost() == 0 || ratio(&news) <= self.settings.threshold || self.tokens < 1.0 {
            return None;
        }
        self.tokens -= 1.0;
        Some(news)
    }

    pub(super) const fn settings(&self) -> &LossSettings {
        &self.settings
    }
}

#[expect(clippy::cast_precision_loss, reason = "a part of a whole, held against a threshold")]
fn ratio(news: &Counted) -> f64 {
    news.lost() as f64 / (news.sent + news.lost()) as f64
}

/// The alert, with the fields of Falco's. What this agent has no such thing of is 0.
pub(super) fn alert(news: &Counted, time_ns: u64) -> InternalAlert {
    const NOTHING: [&str; 9] = [
        "n_drops_buffer_clone_fork_exit",
        "n_drops_buffer_close_exit",
        "n_drops_buffer_connect_exit",
        "n_drops_buffer_dir_file_exit",
        "n_drops_buffer_open_exit",
        "n_drops_buffer_other_interest_exit",
        "n_drops_buffer_proc_exit",
        "n_drops_page_faults",
        "n_drops_scratch_map",
    ];
    const RULE: &str = "Falco internal: syscall event drop";
    let output = format!("{RULE}. {} system calls dropped in last second.", news.lost());
    let alert = InternalAlert::new(RULE, Priority::Debug, output, time_ns)
        .with("ebpf_enabled", "1")
        .with("n_drops", news.lost().to_string())
        .with("n_drops_buffer_execve_exit", news.ring_full.to_string())
        .with("n_drops_buffer_total", news.ring_full.to_string())
        .with("n_drops_bug", news.other.to_string())
        .with("n_evts", (news.sent + news.lost()).to_string());
    NOTHING.into_iter().fold(alert, |alert, name| alert.with(name, "0"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Counted, LossWatch, alert};
    use crate::settings::LossSettings;

    fn counted(sent: u64, ring_full: u64) -> Counted {
        Counted { sent, ring_full, other: 0 }
    }

    #[test]
    fn a_loss_is_told_once_for_each_token() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut watch = LossWatch::new(LossSettings::default(), start);
        assert_eq!(watch.look(at(1), counted(100, 0)), None);
        assert_eq!(watch.look(at(2), counted(100, 5)), Some(counted(0, 5)));
        assert_eq!(watch.look(at(3), counted(100, 9)), None, "the bucket is empty");
        assert_eq!(watch.look(at(60), counted(100, 10)), Some(counted(0, 1)), "and is full again");
    }

    #[test]
    fn a_small_part_is_below_the_threshold() {
        let start = Instant::now();
        let settings = LossSettings { threshold: 0.1, ..LossSettings::default() };
        let mut watch = LossWatch::new(settings, start);
        assert_eq!(watch.look(start, counted(90, 10)), None);
        assert_eq!(watch.look(start, counted(170, 30)), Some(counted(80, 20)));
    }

    #[test]
    fn it_sleeps_while_nothing_happens() {
        let start = Instant::now();
        let mut watch = LossWatch::new(LossSettings::default(), start);
        assert_eq!(watch.due(), None);
        watch.records_came();
        assert!(watch.due().is_some());
        watch.look(start, counted(1, 0));
        assert!(watch.due().is_some(), "records came: more may come");
        watch.look(start, counted(1, 0));
        assert_eq!(watch.due(), None);
    }

    #[test]
    fn the_alert_has_falcos_text() {
        let alert = alert(&counted(3, 7), 0);
        assert_eq!(
            alert.output,
            "Falco internal: syscall event drop. 7 system calls dropped in last second."
        );
        assert_eq!(alert.fields["n_evts"], "10");
        assert_eq!(alert.fields.len(), 15);
    }
}
