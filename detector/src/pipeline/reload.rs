//! Rules and settings anew, without a gap: they are read and checked beside the running agent, and only what is whole
//! takes the place of what runs.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use log::error;
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep_until},
};

use super::{load_rules, watch::Watch};
use crate::{rules::Engine, settings::Settings};

/// Settings with the files that they were read from.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The settings.
    pub settings: Settings,
    /// The configuration's files and folders.
    pub files: Vec<PathBuf>,
}

impl Configuration {
    /// Everything whose change matters.
    fn watched(&self) -> Vec<PathBuf> {
        self.files.iter().chain(&self.settings.rules.files).cloned().collect()
    }
}

/// Reads the configuration as at the start; the error is for people.
pub type Read = dyn Fn() -> Result<Configuration, String> + Send + Sync;

/// What takes the place of what runs.
pub(super) struct Fresh {
    pub(super) configuration: Configuration,
    pub(super) engine: Engine,
}

/// How long files must be quiet after a change: whoever changes one mostly changes more.
const QUIET: Duration = Duration::from_millis(100);

/// Reloads that are asked for and under way.
pub(super) struct Reload {
    read: Arc<Read>,
    watch: Option<Watch>,
    /// When the changed files have been quiet for long enough.
    due: Option<Instant>,
    task: Option<JoinHandle<Result<Fresh, String>>>,
    /// Asked for while one was under way: what that one has read may be old.
    again: bool,
}

impl Reload {
    pub(super) fn new(read: Arc<Read>, now: &Configuration) -> Self {
        let mut reload = Self { read, watch: None, due: None, task: None, again: false };
        reload.watch(now);
        reload
    }

    /// Watches the files of this configuration from now on.
    pub(super) fn watch(&mut self, now: &Configuration) {
        self.watch = None;
        if !now.settings.watch_config_files {
            return;
        }
        match Watch::new(&now.watched()) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => error!(
                "cannot watch the configuration: {error}; a SIGHUP reloads it (is fs.inotify.max_user_instances \
                 reached?)"
            ),
        }
    }

    /// Starts to read; on another thread, as files may be slow and rules many.
    pub(super) fn start(&mut self) {
        self.due = None;
        if self.task.is_some() {
            self.again = true;
            return;
        }
        let read = Arc::clone(&self.read);
        self.task = Some(spawn_blocking(move || {
            let configuration = read()?;
            let engine = load_rules(&configuration.settings).map_err(|error| error.to_string())?;
            Ok(Fresh { configuration, engine })
        }));
    }

    /// Waits until something else than what runs has been read, or could not be. Nothing is forgotten when the wait is
    /// given up.
    pub(super) async fn next(&mut self) -> Result<Fresh, String> {
        loop {
            let due = self.due.unwrap_or_else(Instant::now);
            tokio::select! {
                outcome = finished(&mut self.task), if self.task.is_some() => {
                    self.task = None;
                    if std::mem::take(&mut self.again) {
                        self.start();
                    }
                    return outcome;
                }
                outcome = changed(&mut self.watch), if self.watch.is_some() => match outcome {
                    Ok(()) => self.due = Some(Instant::now() + QUIET),
                    Err(error) => {
                        error!("the configuration is not watched any more: {error}; a SIGHUP reloads it");
                        self.watch = None;
                    }
                },
                () = sleep_until(due), if self.due.is_some() => self.start(),
                () = std::future::pending() => {}
            }
        }
    }
}

async fn finished(task: &mut Option<JoinHandle<Result<Fresh, String>>>) -> Result<Fresh, String> {
    let Some(task) = task else { return std::future::pending().await };
    task.await.unwrap_or_else(|panic| Err(format!("reading it has failed: {panic}")))
}

async fn changed(watch: &mut Option<Watch>) -> io::Result<()> {
    let Some(watch) = watch else { return std::future::pending().await };
    watch.changed().await
}
