//! Flags as typed. What they mean in the end is in `settings`.

use clap::Parser;

use crate::settings::{SettingError, Settings};

/// Sees, in the kernel and at execve, that a container runs a binary that is not part of its image.
#[derive(Debug, Parser)]
#[command(name = "detector", version, max_term_width = 100)]
pub struct Cli {
    /// Override a setting, for example `-o json_output=true`; can be given many times
    #[arg(short = 'o', value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,

    /// Write each alert at once instead of when buffers are full
    #[arg(short = 'U', long = "unbuffered")]
    pub unbuffered: bool,

    /// Stop after this many seconds
    #[arg(short = 'M', value_name = "SECONDS")]
    pub stop_after_seconds: Option<u64>,
}

impl Cli {
    /// The settings that these flags ask for.
    pub fn settings(&self) -> Result<Settings, SettingError> {
        let mut settings = Settings::default();
        for assignment in &self.overrides {
            settings.set(assignment)?;
        }
        if self.unbuffered {
            settings.buffered_outputs = false;
        }
        settings.stop_after_seconds = self.stop_after_seconds;
        Ok(settings)
    }
}
