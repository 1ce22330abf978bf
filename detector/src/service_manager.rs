//! What systemd is told about the agent (`Type=notify`). Without systemd nothing is told.

use std::time::Duration;

use log::error;
use sd_notify::NotifyState;

/// The service manager that started the agent, if one did that wants to know.
#[derive(Clone, Copy, Debug)]
pub struct ServiceManager {
    listens: bool,
    alive_every: Option<Duration>,
}

impl ServiceManager {
    /// From `NOTIFY_SOCKET` and `WATCHDOG_USEC`.
    #[must_use]
    pub fn find() -> Self {
        let listens = std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        // Half of it, as sd_watchdog_enabled(3) asks: one late sign is no reason for a restart.
        let alive_every = sd_notify::watchdog_enabled().filter(|_| listens).map(|limit| limit / 2);
        Self { listens, alive_every }
    }

    /// The hooks are armed; `status` is what `systemctl status` shows.
    pub fn ready(&self, status: &str) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Rules and configuration are read anew. [`Self::ready`] ends it, whether the new ones are used or not.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(_) => self.tell(&[NotifyState::Reloading]),
        }
    }

    /// The agent ends by itself.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// How often [`Self::alive`] is expected; `None`: never.
    #[must_use]
    pub fn alive_every(&self) -> Option<Duration> {
        self.alive_every
    }

    /// For the loop that reads the ring and for nothing else: an agent that has stopped to look is restarted.
    pub fn alive(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if self.listens
            && let Err(error) = sd_notify::notify(states)
        {
            error!("cannot tell the service manager: {error}; it may stop the agent for its silence");
        }
    }
}
